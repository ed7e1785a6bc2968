"""A folder as a store: modes, whole files only, nothing outside of it."""

import os
import stat
from pathlib import Path

import pytest

from fourfold.base.errors import DeniedError, FourfoldError
from fourfold.storage.blob.local import EscapingLinkError, LocalStore
from fourfold.storage.blob.protocol import BlobNotFoundError, BucketNotFoundError
from fourfold.storage.schemes import open_store


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def test_objects_and_folders_have_the_modes_that_dvc_gives_them(tmp_path: Path, umask: int) -> None:
    store = LocalStore(str(tmp_path / "remote"))
    store.put("files/md5/ab/cdef", b"x")
    dict(store.put_many((f"files/md5/cd/{number}", b"y") for number in range(40)))
    root = tmp_path / "remote"
    assert mode(root / "files/md5/ab/cdef") == 0o444
    assert mode(root / "files/md5/cd/7") == 0o444
    assert mode(root / "files/md5/ab") == 0o777 & ~umask


def test_folders_of_a_group_are_open_to_the_group(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "remote"), {"shared": "group"}, environ={})
    store.put("files/md5/ab/cdef", b"x")
    assert mode(tmp_path / "remote/files/md5/ab") == 0o2775


def test_a_store_that_does_not_exist_yet_reads_as_empty_and_is_not_made_by_reading(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path / "remote"))
    assert store.head("k") is None
    assert [*store.list()] == []
    with pytest.raises(BucketNotFoundError):
        store.get("k")
    assert not (tmp_path / "remote").exists()


def test_reading_changes_neither_mode_nor_bytes_whatever_they_are(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    (tmp_path / "k").write_bytes(b"corrupt")
    (tmp_path / "k").chmod(0o600)
    assert store.get("k") == b"corrupt"
    b"".join(store.open("k"))
    assert (mode(tmp_path / "k"), (tmp_path / "k").read_bytes()) == (0o600, b"corrupt")


def test_no_temporary_file_is_left_or_listed(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    store.put("a/k", b"x")
    dict(store.put_many((f"a/{number}", b"y") for number in range(40)))
    (tmp_path / "a" / ".k.ff0123456789ab.tmp").write_bytes(b"half")
    names = {info.key for page in store.list() for info in page}
    assert names == {"a/k", *(f"a/{number}" for number in range(40))}
    assert sorted(path.name for path in (tmp_path / "a").iterdir() if path.name.startswith(".")) == [
        ".k.ff0123456789ab.tmp"
    ]


def test_one_write_of_many_that_fails_is_told_alone(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    (tmp_path / "taken").mkdir()
    (tmp_path / "file").write_bytes(b"")
    items = {"taken": b"1", "file/below": b"2"} | {f"k{number}": b"3" for number in range(30)}
    done = dict(store.put_many(items.items()))
    assert {key for key, failure in done.items() if failure is not None} == {"taken", "file/below"}
    assert (tmp_path / "k7").read_bytes() == b"3"
    assert not [*tmp_path.rglob("*.tmp")]


def test_a_link_out_of_a_confined_store_is_never_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    root = tmp_path / "remote"
    root.mkdir()
    (root / "folder").symlink_to(outside)
    (root / "file").symlink_to(outside / "secret")
    store = LocalStore(str(root), confined=True)
    for attempt in (
        lambda: store.put("folder/new", b"x"),
        lambda: store.get("folder/secret"),
        lambda: store.get("file"),
        lambda: store.delete(["folder/secret"]),
        lambda: store.head("folder/secret"),
    ):
        with pytest.raises(EscapingLinkError):
            attempt()
    assert [*store.list()] == []
    store.put("file", b"replaced, not followed")
    assert (outside / "secret").read_bytes() == b"secret"
    assert [path.name for path in outside.iterdir()] == ["secret"]


def test_a_link_inside_a_confined_store_is_fine(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "alias").symlink_to("real")
    store = LocalStore(str(tmp_path), confined=True)
    store.put("alias/k", b"x")
    assert (tmp_path / "real" / "k").read_bytes() == b"x"


def test_links_of_ones_own_store_are_followed_once(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    (disk / "ab").mkdir(parents=True)
    (disk / "ab" / "k").write_bytes(b"x")
    (disk / "loop").symlink_to(disk)
    root = tmp_path / "remote"
    root.mkdir()
    (root / "files").symlink_to(disk)
    keys = [info.key for page in LocalStore(str(root)).list() for info in page]
    assert keys.count("files/ab/k") == 1
    assert LocalStore(str(root)).get("files/ab/k") == b"x"


def test_a_special_file_is_no_object(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    store = LocalStore(str(tmp_path))
    assert store.head("pipe") is None
    with pytest.raises(BlobNotFoundError):
        store.get("pipe")
    assert [*store.list()] == []


def test_a_folder_without_rights_is_denied_and_not_empty(tmp_path: Path) -> None:
    store = LocalStore("/proc/1/root" if os.geteuid() else str(tmp_path))
    if os.geteuid():
        with pytest.raises(DeniedError):
            [*store.list()]
    (tmp_path / "sys").symlink_to("/proc/sys/kernel")
    with pytest.raises(FourfoldError):
        store.put("sys/no-such-setting", b"x")


def test_a_file_of_many_blocks_is_copied_whole_between_file_systems(tmp_path: Path) -> None:
    source = Path("/dev/shm") / f"fourfold-{os.getpid()}"
    data = os.urandom(3 << 20)
    try:
        source.write_bytes(data)
    except OSError:
        source = tmp_path / "source"
        source.write_bytes(data)
    try:
        store = LocalStore(str(tmp_path / "remote"))
        store.put_file("k", str(source))
        assert store.get("k") == data
    finally:
        source.unlink()
