"""Hard links at saving: what becomes one inode with its object, by how many calls, and what does not."""

import errno
import os
import time
from collections import Counter
from pathlib import Path

import pytest

from fourfold.content.build import ingest, remember_joined
from fourfold.content.identity import Built, ChangedDuringReadError
from fourfold.content.intake import Intake
from fourfold.content.relink import relink
from tests.content.bench import TICK, Bench, md5


def tree(count: int) -> dict[str, object]:
    return {"data": {f"d{n % 4}": {f"f{m}": f"{n} {m}" for m in range(n, count, 4)} for n in range(4)}}


def save(bench: Bench, name: str = "data") -> Built:
    """Save as `ff add` does with ``cache.type = hardlink,copy``."""
    with Intake(bench.store, bench.proofs) as intake:
        built = ingest(bench.path(name), bench.index, intake, link_types=("hardlink", "copy"))
        intake.commit()
    bench.proofs.flush()
    remember_joined(bench.path(name), built, bench.index)
    return built


def is_object(bench: Bench, name: str, data: bytes) -> bool:
    return (bench.root / name).samefile(bench.store.path(md5(data)))


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each call that costs was made since the counter was cleared."""
    counted: Counter[str] = Counter()

    def counting(name: str) -> None:
        real = getattr(os, name)

        def call(*args: object, **options: object) -> object:
            counted[name] += 1
            return real(*args, **options)

        monkeypatch.setattr(os, name, call)

    for name in ("open", "read", "fstat", "stat", "lstat", "link", "rename", "replace", "chmod", "unlink"):
        counting(name)
    return counted


def test_each_file_costs_one_reading_one_link_one_mode_and_two_looks(
    bench: Bench, calls: Counter[str]
) -> None:
    spare = 30  # for the index, the lease, the folders
    bench.gen(tree(400))
    calls.clear()
    save(bench)
    spent = {name: count for name, count in calls.items() if count > spare}
    for name in ("open", "read", "fstat", "link", "chmod", "stat"):
        assert 400 <= spent.pop(name) <= 400 + spare * (10 if name in {"open", "stat"} else 1), name
    # Each of the folders of the store, whose names begin with two digits, has one file of proofs.
    assert spent.pop("replace") <= 256 + spare
    assert spent == {}


def test_what_was_linked_is_on_record_and_proven_without_another_look(bench: Bench) -> None:
    bench.gen(tree(40))
    built = save(bench)
    assert bench.hashed("data") == 0
    assert is_object(bench, "data/d0/f0", b"0 0")
    assert (bench.root / "data/d0/f0").stat().st_mode & 0o777 == 0o444
    with Intake(bench.store, bench.proofs) as intake:
        assert intake.unsettled(built.tree.digests()) == []


def test_what_was_linked_at_saving_is_not_linked_again(bench: Bench, calls: Counter[str]) -> None:
    bench.gen(tree(40))
    built = save(bench)
    calls.clear()
    assert relink(bench.path("data"), built, bench.desk("hardlink")) == 0
    assert sum(calls.values()) == 0


def test_a_later_edit_of_a_linked_file_is_seen(bench: Bench) -> None:
    bench.gen(tree(40))
    save(bench)
    path = bench.root / "data/d0/f0"
    path.unlink()
    path.write_text("9 9")
    assert bench.hashed("data") == 1


def test_a_file_written_just_before_it_was_read_is_read_again(bench: Bench) -> None:
    bench.gen(tree(40))
    (bench.root / "data/d0/f0").write_text("fresh")
    save(bench)
    assert bench.hashed("data") == 1


def test_a_file_that_changes_before_it_is_linked_keeps_no_object(
    bench: Bench,
) -> None:
    bench.gen({"data": {"a": "one", "b": "two"}})
    changed = bench.root / "data/b"
    with Intake(bench.store, bench.proofs) as intake:
        ingest(bench.path("data"), bench.index, intake, link_types=("hardlink", "copy"))
        time.sleep(TICK)
        changed.write_text("TWO")
        with pytest.raises(ChangedDuringReadError, match="data/b changed"):
            intake.commit()
    assert not any(Path(bench.store.path(md5(data))).exists() for data in (b"two", b"TWO"))
    assert changed.stat().st_mode & 0o200


def test_a_file_that_vanishes_before_it_is_linked_is_a_change(bench: Bench) -> None:
    bench.gen({"data": {"a": "one", "b": "two"}})
    with Intake(bench.store, bench.proofs) as intake:
        ingest(bench.path("data"), bench.index, intake, link_types=("hardlink", "copy"))
        (bench.root / "data/b").unlink()
        with pytest.raises(ChangedDuringReadError):
            intake.commit()


def test_a_file_that_cannot_be_linked_is_copied(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.gen({"data": {"a": "one", "b": "two", "c": "three"}})
    link = os.link

    def too_many(source: str, target: str, *, follow_symlinks: bool = True) -> None:
        if source.endswith("/b"):
            raise OSError(errno.EMLINK, "Too many links", source)
        link(source, target, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(os, "link", too_many)
    save(bench)
    assert Path(bench.store.path(md5(b"two"))).read_bytes() == b"two"
    assert Path(bench.store.path(md5(b"two"))).stat().st_mode & 0o777 == 0o444
    assert [is_object(bench, f"data/{name}", data) for name, data in (("a", b"one"), ("b", b"two"))] == [
        True,
        False,
    ]
    assert bench.hashed("data") == 0


def test_an_object_that_somebody_else_names_first_is_not_trusted_but_made(bench: Bench) -> None:
    bench.gen({"data": {"a": "one", "b": "two"}})
    with Intake(bench.store, bench.proofs) as intake:
        ingest(bench.path("data"), bench.index, intake, link_types=("hardlink", "copy"))
        bench.place(md5(b"two"), b"damage")
        intake.commit()
    assert Path(bench.store.path(md5(b"two"))).read_bytes() == b"two"


def test_giving_up_leaves_the_files_as_they_were(bench: Bench) -> None:
    bench.gen({"data": {"a": "one", "b": "two"}})
    with Intake(bench.store, bench.proofs) as intake:
        ingest(bench.path("data"), bench.index, intake, link_types=("hardlink", "copy"))
    assert bench.objects() == set()
    assert [(bench.root / "data" / name).stat().st_nlink for name in "ab"] == [1, 1]
