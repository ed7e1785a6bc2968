"""Bringing data from elsewhere: into a folder of objects or onto a remote, proven, and nothing half."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from fourfold.base.errors import FourfoldError
from fourfold.base.ids import UnsafePathError
from fourfold.content.bring import Download, Upload, bring_blobs, bring_path
from fourfold.content.build import SMALL
from fourfold.content.identity import ChangedDuringReadError
from fourfold.content.intake import Intake
from fourfold.content.presence import key_of
from fourfold.content.staging import Staging
from fourfold.storage.blob.memory import MemoryStore
from fourfold.storage.blob.protocol import BlobInfo, BlobNotFoundError, BlobUnavailableError
from tests.content.bench import Bench, md5

LARGE = b"large" * (SMALL // 4)
TREE = {"a": b"1", "sub/b": b"2", "sub/large": LARGE, "empty": b""}


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    for name, data in TREE.items():
        path = tmp_path / "outside" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tmp_path / "outside"


@pytest.fixture
def staging(bench: Bench) -> Iterator[Staging]:
    with Staging(bench.path("staging"), str(bench.root)) as made:
        yield made


def memory(files: dict[str, bytes]) -> MemoryStore:
    store = MemoryStore()
    store.objects.update(files)
    return store


def test_a_directory_of_this_machine_comes_into_the_store(bench: Bench, outside: Path) -> None:
    with Intake(bench.store, bench.proofs) as intake:
        brought = bring_path(str(outside), Download(intake))
        assert not bench.store.has(brought.oid)
        intake.commit()
    assert (brought.size, brought.nfiles) == (sum(map(len, TREE.values())), 4)
    tree = bench.store.read_tree(brought.oid)
    assert {name: bench.store.read(oid) for name, oid in tree.items()} == TREE


def test_a_directory_goes_to_a_remote_files_first(outside: Path, staging: Staging) -> None:
    remote = MemoryStore()
    upload = Upload(remote, staging)
    brought = bring_path(str(outside), upload)
    upload.flush()
    assert set(remote.objects) == {key_of(md5(data)) for data in TREE.values()} | {key_of(brought.oid)}
    assert all(key_of(md5(data)) == key.removesuffix(".dir") for key, data in remote.objects.items())
    assert list(remote.objects)[-1] == key_of(brought.oid)
    assert os.listdir(staging.path) == []


def test_a_directory_of_a_remote_comes_into_the_store(bench: Bench) -> None:
    source = memory({f"data/{name}": data for name, data in TREE.items()} | {"other": b"x"})
    with Intake(bench.store, bench.proofs) as intake:
        brought = bring_blobs(source, "data", Download(intake))
        intake.commit()
    tree = bench.store.read_tree(brought.oid)
    assert {name: bench.store.read(oid) for name, oid in tree.items()} == TREE


def test_a_single_object_comes_as_a_file(bench: Bench) -> None:
    for data in (b"1", LARGE):
        with Intake(bench.store, bench.proofs) as intake:
            brought = bring_blobs(memory({"data/f": data}), "data/f", Download(intake))
            intake.commit()
        assert (brought.oid, brought.nfiles, brought.size) == (md5(data), None, len(data))
        assert bench.store.read(brought.oid) == data


def test_what_is_not_there_is_told(bench: Bench) -> None:
    with Intake(bench.store, bench.proofs) as intake, pytest.raises(BlobNotFoundError):
        bring_blobs(memory({"other": b"1"}), "data", Download(intake))


def test_a_file_that_changes_on_the_way_names_nothing(
    bench: Bench, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = outside / "a"
    fstat = os.fstat

    def meddling(fd: int) -> os.stat_result:
        if os.path.samestat(fstat(fd), path.stat()):
            path.write_bytes(b"other bytes")
        return fstat(fd)

    monkeypatch.setattr(os, "fstat", meddling)
    with Intake(bench.store, bench.proofs) as intake, pytest.raises(ChangedDuringReadError):
        bring_path(str(path), Download(intake))
    assert bench.objects() == set()


class Hostile(MemoryStore):
    """A store that lists names of its own choosing."""

    def __init__(self, *names: str) -> None:
        super().__init__()
        self.names = names

    def list(self, prefix: str = "") -> Iterator[list[BlobInfo]]:
        yield [BlobInfo(prefix + name, 1) for name in self.names]


@pytest.mark.parametrize("name", ["../out", "a/../../out", ".git/config", "a//b", "nul\0"])
def test_a_listing_that_names_a_place_outside_is_refused(bench: Bench, name: str) -> None:
    with Intake(bench.store, bench.proofs) as intake, pytest.raises(UnsafePathError):
        bring_blobs(Hostile("ok", name), "data", Download(intake))
    assert bench.objects() == set()


class Broken(MemoryStore):
    """A remote that takes nothing."""

    def put_many(self, items: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, FourfoldError | None]]:
        for key, _data in items:
            yield key, BlobUnavailableError("no answer")


def test_a_remote_that_fails_gets_no_manifest(outside: Path, staging: Staging) -> None:
    remote = Broken()
    with pytest.raises(FourfoldError, match="no answer"):
        bring_path(str(outside), Upload(remote, staging))
    assert not [key for key in remote.objects if key.endswith(".dir")]
