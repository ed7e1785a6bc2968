"""Every adapter, and every wrapper, against the one suite of promises."""

from pathlib import Path

import pytest

from fourfold.storage.blob.local import LocalStore
from fourfold.storage.blob.memory import MemoryStore
from fourfold.storage.blob.protocol import BlobStore
from fourfold.storage.schemes import open_store
from fourfold.testing.blob_suite import BlobStoreSuite
from tests.fixtures.servers import S3Server


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
