"""Transfer under faults, at every call and of every kind: what is claimed is there, a second run finishes."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from fourfold.base.errors import FourfoldError
from fourfold.base.ids import Oid
from fourfold.content import transfer
from fourfold.content.hashing import digest_bytes
from fourfold.content.intake import Intake
from fourfold.content.objects import ObjectStore
from fourfold.content.presence import key_of, sizes_on
from fourfold.content.proofs import ProofBook
from fourfold.content.statindex import StatIndex
from fourfold.content.tree import Tree
from fourfold.storage.blob.memory import MemoryStore
from fourfold.storage.blob.protocol import BlobStore
from fourfold.storage.wrap.retry import Policy, retrying
from fourfold.testing.faults import Fault, Faulty
from tests.fixtures.clock import HandClock

LARGE = os.urandom((1 << 20) + 4096)
CONTENTS = (b"one", b"two", b"", LARGE)


class Here:
    """A store of this machine with one tree of `CONTENTS`, and an index."""

    def __init__(self, base: Path, *, full: bool = True) -> None:
        self.store = ObjectStore(str(base / "cache"))
        self.index = StatIndex(str(base / "index"))
        rows = [(f"f{at}", digest_bytes(data)[0].hex()) for at, data in enumerate(CONTENTS)]
        self.tree = Tree.of(rows)
        if full:
            with Intake(self.store, ProofBook(self.index, self.store)) as intake:
                for data in (*CONTENTS, self.tree.to_bytes()):
                    name, proof = digest_bytes(data)
                    suffix = ".dir" if data == self.tree.to_bytes() else ""
                    intake.add_bytes(Oid(name.hex() + suffix), data, proof)
                intake.commit()

    @property
    def oids(self) -> list[Oid]:
        return [self.tree.oid, *self.tree.digests()]

    def push(self, remote: BlobStore) -> transfer.Transferred:
        return transfer.push([self.tree.oid], self.store, remote, self.index)

    def fetch(self, remote: BlobStore) -> transfer.Transferred:
        return transfer.fetch([self.tree.oid], self.store, remote, self.index)

    def litter(self) -> list[str]:
        return [
            name
            for folder, _folders, names in os.walk(self.store.root)
            for name in names
            if name.endswith((".tmp", ".lease")) and folder
        ]


@pytest.fixture
def full(tmp_path: Path) -> Here:
    return Here(tmp_path / "full")


@pytest.fixture
def empty(tmp_path: Path) -> Here:
    return Here(tmp_path / "empty", full=False)


@pytest.fixture
def stocked(full: Here) -> MemoryStore:
    """A remote that has everything."""
    remote = MemoryStore()
    assert full.push(remote).complete
    return remote


def patient(store: BlobStore) -> BlobStore:
    """The store with retries that take no time."""
    return retrying(store, Policy(), clock=HandClock())


def is_consistent(remote: BlobStore, here: Here) -> bool:
    """Whether no manifest is there without every one of its files."""
    there = sizes_on(remote, here.oids)
    return here.tree.oid not in there or len(there) == len(set(here.oids))


KINDS = ("unavailable", "throttled", "timeout", "denied", "lost-answer", "lost-request")


@pytest.mark.parametrize("kind", KINDS)
def test_a_push_that_fails_at_any_call_leaves_no_manifest_without_its_files(full: Here, kind: str) -> None:
    for number in range(1, 100):
        remote = MemoryStore()
        faulty = Faulty(remote, [Fault(kind, "any", number)])  # type: ignore[arg-type]
        try:
            result: transfer.Transferred | None = full.push(faulty)
        except FourfoldError:
            result = None
        assert is_consistent(remote, full)
        if result is not None and result.complete:
            assert len(sizes_on(remote, full.oids)) == len(set(full.oids))
        assert full.push(remote).complete, "a plain second run finishes"
        if len(faulty.calls) < number:
            return
    raise AssertionError("the faults never ran out")


@pytest.mark.parametrize("kind", ["unavailable", "throttled", "timeout", "lost-answer", "lost-request"])
def test_failures_that_pass_are_waited_out(full: Here, kind: str) -> None:
    for number in range(1, 12):
        remote = MemoryStore()
        assert full.push(patient(Faulty(remote, [Fault(kind, "any", number)]))).complete  # type: ignore[arg-type]
        assert len(sizes_on(remote, full.oids)) == len(set(full.oids))


@pytest.mark.parametrize(
    "kind", ["unavailable", "throttled", "timeout", "denied", "flip", "truncate", "short", "vanish"]
)
def test_a_fetch_that_fails_at_any_call_names_nothing_wrong_and_a_second_run_finishes(
    tmp_path: Path, full: Here, stocked: MemoryStore, kind: str
) -> None:
    del full
    for number in range(1, 100):
        here = Here(tmp_path / f"{kind}{number}", full=False)
        faulty = Faulty(stocked, [Fault(kind, "any", number, bit=13)])  # type: ignore[arg-type]
        try:
            result: transfer.Transferred | None = here.fetch(faulty)
        except FourfoldError:
            result = None
        for oid in here.store.listing():
            here.store.read(oid)  # proves it
        assert not here.litter()
        if result is not None and result.complete:
            assert not here.store.missing(here.oids)
        assert here.fetch(stocked).complete
        assert not here.store.missing(here.oids)
        if len(faulty.calls) < number:
            return
    raise AssertionError("the faults never ran out")


@pytest.mark.parametrize("kind", ["unavailable", "throttled", "timeout", "short"])
def test_a_fetch_waits_out_what_passes(empty: Here, stocked: MemoryStore, kind: str) -> None:
    plan = [Fault(kind, "get", 1), Fault(kind, "get", 4), Fault(kind, "open", 1)]  # type: ignore[arg-type]
    assert empty.fetch(patient(Faulty(stocked, plan))).complete
    assert not empty.store.missing(empty.oids)


@pytest.mark.parametrize("bit", [0, 1, 7, 8, 100, 4095, 8 * (1 << 20), 8 * len(LARGE) - 1])
def test_any_single_flipped_bit_is_found(empty: Here, stocked: MemoryStore, bit: int) -> None:
    large = Oid(digest_bytes(LARGE)[0].hex())
    result = empty.fetch(Faulty(stocked, [Fault("flip", "open", 1, key=key_of(large), bit=bit)]))
    assert result.corrupt == (large,)
    assert not empty.store.has(large)


def test_every_flipped_bit_of_a_small_object_is_found(
    tmp_path: Path, full: Here, stocked: MemoryStore
) -> None:
    oid = Oid(digest_bytes(b"one")[0].hex())
    del full
    for bit in range(0, 24, 3):
        here = Here(tmp_path / str(bit), full=False)
        result = here.fetch(Faulty(stocked, [Fault("flip", "get", 1, key=key_of(oid), bit=bit)]))
        assert result.corrupt == (oid,)
        assert not here.store.has(oid)


def test_a_remote_that_is_down_fails_every_object_and_keeps_what_came(
    empty: Here, stocked: MemoryStore
) -> None:
    result = empty.fetch(patient(Faulty(stocked, [Fault("unavailable", "get", 3, times=1000)])))
    assert not result.complete
    assert result.done
    assert not result.missing, "what could not be asked for is not called missing"
    assert all(empty.store.has(oid) for oid in result.done)


def test_a_listing_that_breaks_is_no_sign_of_absence(full: Here) -> None:
    remote = MemoryStore()
    full.push(remote)
    many = [Oid(f"{number:032x}") for number in range(200)]
    with pytest.raises(FourfoldError):
        sizes_on(Faulty(remote, [Fault("unavailable", "list", 1, times=100)]), [*full.oids, *many])


def test_what_the_source_damaged_while_it_was_sent_is_seen_by_the_next_check(full: Here) -> None:
    """A write that the store spoils has the right length: only reading, or the store's own digest, tells."""
    from fourfold.content.verify import verify_there  # noqa: PLC0415 - only here

    remote = MemoryStore()
    full.push(Faulty(remote, [Fault("flip", "put", 1)]))
    found = verify_there(sizes_on(remote, full.oids), full.oids, remote, read=True)
    assert len(found.damages) == 1


def test_interrupting_a_transfer_leaves_nothing_behind_that_is_half_done(
    empty: Here, stocked: MemoryStore
) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    for number in (1, 3, 5):
        with pytest.raises(KeyboardInterrupt):
            empty.fetch(Faulty(stocked, [Fault("stall", "any", number)], stall=stop))
        assert not empty.litter()
    assert empty.fetch(stocked).complete


def test_objects_of_the_same_name_are_asked_for_once(full: Here) -> None:
    remote = Faulty(MemoryStore())
    transfer.push([*full.oids, *full.oids, full.tree.oid], full.store, remote, full.index)
    writes = [key for call, key in remote.calls if call in {"put", "put_file"}]
    assert len(writes) == len(set(writes)) == len(set(full.oids))
    assert writes[-1] == key_of(full.tree.oid), "the manifest goes last"


@pytest.mark.parametrize("act", [Here.push, Here.fetch])
def test_nothing_to_do_asks_nothing_twice(
    full: Here, stocked: MemoryStore, act: Callable[[Here, BlobStore], transfer.Transferred]
) -> None:
    remote = Faulty(stocked)
    assert act(full, remote).done == ()
    assert len(remote.calls) <= len(full.oids)
