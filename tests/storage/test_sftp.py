"""Remotes over SSH: whom we trust, what a refusal is told as, and what is left behind."""

import os
from pathlib import Path

import paramiko
import pytest

from fourfold.storage.blob.protocol import (
    BlobDeniedError,
    BlobNotFoundError,
    BlobRefusedError,
    BlobUnavailableError,
    BucketNotFoundError,
)
from fourfold.storage.options import PasswordNeededError, UnknownRemoteOptionError
from fourfold.storage.schemes import open_store
from tests.fixtures.servers import free_port
from tests.fixtures.sftp import SftpServer


def home(server: SftpServer) -> dict[str, str]:
    return {"HOME": str(server.home)}


def test_an_unknown_host_key_is_refused_and_not_remembered(sftp_server: SftpServer) -> None:
    known = sftp_server.home / ".ssh" / "known_hosts"
    known.write_text("")
    store = open_store(sftp_server.url + "/x", sftp_server.options(), environ=home(sftp_server))
    with pytest.raises(BlobDeniedError, match="not known"):
        store.put("k", b"x")
    assert known.read_text() == ""
    assert [*sftp_server.folder.iterdir()] == []


def test_a_changed_host_key_is_refused(sftp_server: SftpServer) -> None:
    known = sftp_server.home / ".ssh" / "known_hosts"
    key = known.read_text().split()[2]
    other = paramiko.ECDSAKey.generate().get_base64()
    known.write_text(known.read_text().replace(key, other))
    store = open_store(sftp_server.url + "/x", sftp_server.options(), environ=home(sftp_server))
    with pytest.raises(BlobDeniedError, match="changed"):
        store.get("k")


def test_a_wrong_password_is_denied_with_the_options_to_set(sftp_server: SftpServer) -> None:
    options = sftp_server.options() | {"password": "wrong"}
    store = open_store(sftp_server.url + "/x", options, environ=home(sftp_server))
    with pytest.raises(BlobDeniedError) as caught:
        store.get("k")
    assert "keyfile" in caught.value.hint
    assert "wrong" not in caught.value.message


def test_the_users_own_ssh_configuration_is_followed(sftp_server: SftpServer) -> None:
    config = f"Host lab\n  HostName 127.0.0.1\n  Port {sftp_server.port}\n  User ada\n"
    (sftp_server.home / ".ssh" / "config").write_text(config)
    store = open_store("ssh://lab/x", sftp_server.options(), environ=home(sftp_server))
    store.put("k", b"through the alias")
    assert (sftp_server.folder / "x" / "k").read_bytes() == b"through the alias"


def test_options_win_over_the_url(sftp_server: SftpServer) -> None:
    options = sftp_server.options() | {"user": "ada", "port": str(sftp_server.port)}
    store = open_store("ssh://nobody@127.0.0.1:1/x", options, environ=home(sftp_server))
    store.put("k", b"x")
    assert store.get("k") == b"x"


def test_a_host_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    store = open_store(
        f"ssh://ada@127.0.0.1:{free_port()}/x", {"password": "x"}, environ={"HOME": str(tmp_path)}
    )
    with pytest.raises(BlobUnavailableError, match="refuses connections"):
        store.get("k")


def test_a_missing_folder_is_told_from_a_missing_object(sftp_server: SftpServer) -> None:
    store = open_store(sftp_server.url + "/never", sftp_server.options(), environ=home(sftp_server))
    with pytest.raises(BucketNotFoundError):
        store.get("k")
    store.put("there", b"x")
    with pytest.raises(BlobNotFoundError):
        store.get("k")


def test_no_temporary_file_is_left_or_listed(sftp_server: SftpServer, tmp_path: Path) -> None:
    store = open_store(sftp_server.url + "/x", sftp_server.options(), environ=home(sftp_server))
    source = tmp_path / "source"
    source.write_bytes(os.urandom(100_000))
    store.put_file("a/b", str(source))
    assert [path.name for path in (sftp_server.folder / "x" / "a").iterdir()] == ["b"]
    (sftp_server.folder / "x" / "a" / ".half.ff0123456789ab.tmp").write_bytes(b"half")
    assert [info.key for page in store.list() for info in page] == ["a/b"]


def test_a_folder_without_rights_is_denied(sftp_server: SftpServer) -> None:
    if os.geteuid() == 0:
        os.symlink("/proc/1/mem", sftp_server.folder / "k")  # root may not write there, either
        store = open_store(sftp_server.url + "/proc-like", sftp_server.options(), environ=home(sftp_server))
        (sftp_server.folder / "proc-like").symlink_to("/proc/sys")
    else:
        (sftp_server.folder / "proc-like").mkdir(mode=0o500)
        store = open_store(sftp_server.url + "/proc-like", sftp_server.options(), environ=home(sftp_server))
    with pytest.raises((BlobDeniedError, BlobUnavailableError)):
        store.put("k", b"x")


def test_what_ssh_cannot_do_is_said_and_not_ignored() -> None:
    with pytest.raises(BlobRefusedError, match="gss_auth"):
        open_store("ssh://host/x", {"gss_auth": "true"}, environ={})
    with pytest.raises(UnknownRemoteOptionError, match="'region'"):
        open_store("ssh://host/x", {"region": "eu"}, environ={})


@pytest.mark.parametrize("option", ["password", "passphrase"])
def test_a_secret_to_be_asked_for_is_asked_of_the_caller(option: str) -> None:
    with pytest.raises(PasswordNeededError) as caught:
        open_store("ssh://host/x", {f"ask_{option}": "true"}, environ={})
    assert caught.value.option == option
    open_store("ssh://host/x", {f"ask_{option}": "true", option: "given"}, environ={})
