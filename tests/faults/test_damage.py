"""Flipped bits and cut-off ends, in the cache and on remotes: found before they reach anything else.

Damage is done to each class of object (empty, small, a manifest, larger than a read) at each class of place
(first, middle, last byte; first, last bit; cut to nothing, to half, by one; one byte too many).
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fourfold.base.ids import Oid
from fourfold.content import transfer
from fourfold.content.objects import ObjectStore
from fourfold.content.statindex import StatIndex
from fourfold.storage.blob.memory import MemoryStore
from fourfold.storage.wrap.faults import Fault, Faulty
from tests.fixtures.sandbox import Sandbox

LARGE = bytes(range(256)) * (9 << 12)  # 9 MiB: above what is read in one piece
FILES = {"small": b"a small file\n", "one": b"1", "large": LARGE, "sub/deep": b"deep\r\n"}


def flipped(at: float, bit: int) -> Callable[[bytes], bytes]:
    def damage(data: bytes) -> bytes:
        place = min(int(at * len(data)), len(data) - 1)
        return data[:place] + bytes([data[place] ^ (1 << bit)]) + data[place + 1 :]

    return damage


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "first bit": flipped(0, 7),
    "first byte's last bit": flipped(0, 0),
    "middle": flipped(0.5, 3),
    "last bit": flipped(1, 0),
    "nothing left": lambda _data: b"",
    "half": lambda data: data[: len(data) // 2],
    "less by one": lambda data: data[:-1],
    "more by one": lambda data: data + b"\0",
    "zeros": lambda data: bytes(len(data)),
}


def objects(root: Path) -> Iterator[Path]:
    yield from sorted(path for path in (root / "files/md5").rglob("*") if path.is_file())


def spoil(path: Path, damage: Callable[[bytes], bytes], *, same_times: bool) -> bytes:
    """Damage a file in place, as a disk does; its old bytes."""
    info, data = path.stat(), path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(damage(data))
    path.chmod(0o444)
    if same_times:
        os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))
    return data


@pytest.fixture
def box(ff_repo: Sandbox, tmp_path: Path) -> Sandbox:
    """A project whose data is in the cache and on a remote."""
    ff_repo.gen({"d": FILES})
    ff_repo.run("remote", "add", "-d", "r", str(tmp_path / "remote"))
    ff_repo.run("add", "d")
    ff_repo.run("push")
    return ff_repo


def good_or_absent(box: Sandbox) -> None:
    """No file of the workspace has bytes that it should not have."""
    for name, data in FILES.items():
        path = box.path / "d" / name
        assert not path.exists() or path.read_bytes() == data, name


@pytest.mark.parametrize("damage", sorted(DAMAGES))
def test_damage_in_the_cache_reaches_neither_the_workspace_nor_a_remote(
    box: Sandbox, tmp_path: Path, damage: str
) -> None:
    for path in list(objects(box.path / ".dvc/cache")):
        data = spoil(path, DAMAGES[damage], same_times=True)
        box.gen({"d": None})
        checked_out = box.run("checkout", check=False)
        assert checked_out.code == 255, (path, checked_out)
        assert "damaged" in checked_out.stderr, checked_out
        good_or_absent(box)
        shutil.rmtree(tmp_path / "second", ignore_errors=True)
        box.run("remote", "add", "-f", "second", str(tmp_path / "second"))
        pushed = box.run("push", "-r", "second", check=False)
        assert pushed.code == 1, (path, pushed)
        for sent in objects(tmp_path / "second"):
            assert hashlib.md5(sent.read_bytes()).hexdigest() == (sent.parent.name + sent.name)[:32]
        assert path.exists(), "reading deleted a damaged object"
        path.chmod(0o644)
        path.write_bytes(data)
        path.chmod(0o444)
        box.run("checkout")


@pytest.mark.parametrize("damage", sorted(DAMAGES))
def test_damage_on_a_folder_reaches_neither_the_cache_nor_the_workspace(
    box: Sandbox, tmp_path: Path, damage: str
) -> None:
    for path in list(objects(tmp_path / "remote")):
        data = spoil(path, DAMAGES[damage], same_times=True)
        box.gen({"d": None, ".dvc/cache": None})
        pulled = box.run("pull", check=False)
        assert pulled.code == 1, (path, pulled)
        good_or_absent(box)
        for cached in objects(box.path / ".dvc/cache"):
            assert hashlib.md5(cached.read_bytes()).hexdigest() == (cached.parent.name + cached.name)[:32]
        path.chmod(0o644)
        path.write_bytes(data)
        box.run("pull")


@pytest.mark.parametrize("kind", ["flip", "truncate", "short"])
@pytest.mark.parametrize("call", ["get", "open"])
def test_damage_on_the_way_from_a_server_names_no_object(tmp_path: Path, kind: str, call: str) -> None:
    data = LARGE if call == "open" else FILES["small"]
    oid = Oid(hashlib.md5(data).hexdigest())
    for bit in (0, 7, len(data) * 4, len(data) * 8 - 1) if kind == "flip" else (1, len(data) // 2):
        inner = MemoryStore()
        inner.put(f"files/md5/{oid[:2]}/{oid[2:]}", data)
        store = ObjectStore(str(tmp_path / "cache"))
        index = StatIndex(None)
        remote = Faulty(inner, [Fault(kind, call, times=9, bit=bit)])  # type: ignore[arg-type]
        spoiled = transfer.fetch([oid], store, remote, index)
        assert not spoiled.complete
        assert not store.has(oid)
        assert transfer.fetch([oid], store, inner, index).complete
        os.unlink(store.path(oid))


@pytest.mark.parametrize("harm", ["damaged", "missing"])
@pytest.mark.parametrize("target", ["f", "d"])
def test_a_file_that_could_not_be_checked_out_is_not_called_clean_once_its_object_is_back(
    ff_repo: Sandbox, harm: str, target: str
) -> None:
    """The file is the one that stood there before, known to the index, of the same size."""
    name = "f" if target == "f" else "d/b"
    ff_repo.gen({"f": "first\n", "d": {"a": "same\n", "b": "first!\n"}})
    ff_repo.run("add", "f", "d")
    old, pointer = ff_repo.read(name), ff_repo.read(f"{target}.dvc")
    ff_repo.gen({name: old.replace(b"first", b"other")})
    ff_repo.run("add", target)
    ff_repo.gen({f"{target}.dvc": pointer})
    oid = hashlib.md5(old).hexdigest()
    path = ff_repo.path / f".dvc/cache/files/md5/{oid[:2]}/{oid[2:]}"
    path.rename(path.with_name("aside"))
    if harm == "damaged":
        path.write_bytes(b"x" * len(old))
    assert ff_repo.run("checkout", check=False).code == 255
    assert ff_repo.run("status", "--json").json() != {}
    path.with_name("aside").rename(path)
    assert ff_repo.run("status", "--json").json() != {}
    ff_repo.run("checkout")
    assert ff_repo.read(name) == old
    assert ff_repo.run("status", "--json").json() == {}
