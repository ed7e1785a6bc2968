"""Every adapter, and every wrapper, against the one suite of promises."""

import secrets
from pathlib import Path

import fsspec
import pytest

from fourfold.storage.blob.fsspec_store import FsspecStore
from fourfold.storage.blob.local import LocalStore
from fourfold.storage.blob.memory import MemoryStore
from fourfold.storage.blob.protocol import BlobStore
from fourfold.storage.schemes import open_store
from fourfold.storage.wrap.retry import Policy, Retry
from fourfold.testing.blob_suite import BlobStoreSuite
from fourfold.testing.faults import Fault, Faulty
from tests.fixtures.http_files import HttpFiles
from tests.fixtures.servers import FileServer, S3Server
from tests.fixtures.sftp import SftpServer


class TestMemory(BlobStoreSuite):
    @pytest.fixture
    def store(self) -> BlobStore:
        return MemoryStore()


class TestLocal(BlobStoreSuite):
    @pytest.fixture
    def store(self, tmp_path: Path) -> BlobStore:
        return open_store(str(tmp_path / "remote"), {}, environ={})


class TestLocalConfined(BlobStoreSuite):
    @pytest.fixture
    def store(self, tmp_path: Path) -> BlobStore:
        return LocalStore(str(tmp_path / "remote"), confined=True)


class TestRcloneS3(BlobStoreSuite):
    @pytest.fixture
    def store(self, rclone_s3: S3Server) -> BlobStore:
        return open_store(f"s3://{rclone_s3.make_bucket()}", rclone_s3.options(), environ={})


class TestMotoS3(BlobStoreSuite):
    @pytest.fixture
    def store(self, moto_s3: S3Server) -> BlobStore:
        return open_store(f"s3://{moto_s3.make_bucket()}/some/folder", moto_s3.options(), environ={})


class TestRetry(BlobStoreSuite):
    @pytest.fixture
    def store(self) -> BlobStore:
        return Retry(MemoryStore())


class TestFaultlessFaulty(BlobStoreSuite):
    @pytest.fixture
    def store(self) -> BlobStore:
        return Faulty(MemoryStore())


class TestRetryOverFailingStore(BlobStoreSuite):
    """Whoever asks again sees none of it."""

    @pytest.fixture
    def store(self) -> BlobStore:
        plan = [
            Fault("unavailable", call, first=2, times=2)
            for call in ("head", "get", "open", "put", "put_file", "list", "delete")
        ]
        return Retry(Faulty(MemoryStore(), plan), Policy(first=0.001))


class TestHttp(BlobStoreSuite):
    lists = False

    @pytest.fixture
    def store(self, http_files: HttpFiles) -> BlobStore:
        return open_store(f"{http_files.url}/some/folder", {}, environ={})


class TestHttpWithDigestAndPut(BlobStoreSuite):
    lists = False

    @pytest.fixture
    def store(self, http_files: HttpFiles) -> BlobStore:
        http_files.login = ("digest", "ada", "love lace")
        http_files.methods = {"PUT"}
        options = {"auth": "digest", "user": "ada", "password": "love lace", "method": "put"}
        return open_store(http_files.url, options, environ={})


class TestSftp(BlobStoreSuite):
    @pytest.fixture
    def store(self, sftp_server: SftpServer) -> BlobStore:
        environ = {"HOME": str(sftp_server.home)}
        return open_store(f"{sftp_server.url}/some/folder", sftp_server.options(), environ=environ)


class TestWebdav(BlobStoreSuite):
    @pytest.fixture
    def store(self, rclone_webdav: FileServer) -> BlobStore:
        options = {"user": rclone_webdav.user, "password": rclone_webdav.password}
        url = f"{rclone_webdav.url}/{secrets.token_hex(6)}/some folder"
        # Its server answers 423 while another request holds a folder.
        return Retry(open_store(url, options, environ={}), Policy(first=0.05))


class TestFsspecMemory(BlobStoreSuite):
    @pytest.fixture
    def store(self) -> BlobStore:
        root = f"/{secrets.token_hex(6)}"
        return FsspecStore(lambda: fsspec.filesystem("memory"), root, url="memory:", whole_files=True)


class TestFsspecLocal(BlobStoreSuite):
    @pytest.fixture
    def store(self, tmp_path: Path) -> BlobStore:
        return FsspecStore(lambda: fsspec.filesystem("file"), str(tmp_path / "remote"), url="file:")
