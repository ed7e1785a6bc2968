"""Relinking what was saved: only what still is what was saved, and never a moment without content."""

import os
import stat
import time
from pathlib import Path

import pytest

from fourfold.content.identity import Built
from fourfold.content.relink import relink
from tests.content.bench import TICK, Bench, md5


def linked(bench: Bench, name: str, data: bytes) -> str:
    path = bench.root / name
    if path.is_symlink():
        return "symlink"
    there = Path(bench.store.path(md5(data)))
    return "hardlink" if there.exists() and path.samefile(there) else "own"


def save_and_link(bench: Bench, name: str, *kinds: str) -> tuple[Built, int]:
    built = bench.save(name, link_types=kinds)
    return built, relink(bench.path(name), built, bench.desk(*kinds))


def test_with_copies_nothing_is_touched(bench: Bench) -> None:
    bench.gen({"data": {"a": "1", "b": "2"}})
    before = {name: (bench.root / "data" / name).stat() for name in "ab"}
    assert save_and_link(bench, "data", "reflink", "copy")[1] == 0
    assert {name: (bench.root / "data" / name).stat().st_ino for name in "ab"} == {
        name: info.st_ino for name, info in before.items()
    }


def test_with_hard_links_every_file_shares_its_object_and_twins_share_one(bench: Bench) -> None:
    bench.gen({"data": {"a": "1", "twin": "1", "sub": {"b": "2"}, "empty": ""}})
    save_and_link(bench, "data", "hardlink")
    assert linked(bench, "data/a", b"1") == linked(bench, "data/twin", b"1") == "hardlink"
    assert linked(bench, "data/sub/b", b"2") == "hardlink"
    assert linked(bench, "data/empty", b"") == "own"
    assert bench.hashed("data") == 0


def test_with_symbolic_links_every_file_leads_into_the_store(bench: Bench) -> None:
    bench.gen({"data": {"a": "1", "sub": {"b": "2"}}})
    save_and_link(bench, "data", "symlink")
    assert os.readlink(bench.path("data/a")) == bench.store.path(md5(b"1"))
    assert bench.files() == {"a": b"1", "sub/b": b"2"}
    assert bench.hashed("data") == 0


def test_a_second_time_there_is_nothing_to_do(bench: Bench) -> None:
    for kind in ("hardlink", "symlink"):
        bench.gen({kind: {"a": kind, "b": kind * 2}})
        save_and_link(bench, kind, kind)
        assert save_and_link(bench, kind, kind)[1] == 0


def test_a_file_that_changed_after_it_was_saved_is_left_alone(bench: Bench) -> None:
    bench.gen({"data": {"a": "1", "b": "2", "c": "3"}})
    built = bench.save("data")
    bench.gen({"data": {"a": "changed", "b": None, "new": "4"}})
    relink(bench.path("data"), built, bench.desk("symlink"))
    assert bench.files() == {"a": b"changed", "c": b"3", "new": b"4"}
    assert linked(bench, "data/c", b"3") == "symlink"
    assert linked(bench, "data/a", b"1") == linked(bench, "data/new", b"4") == "own"


def test_the_user_s_links_to_files_become_files_and_are_announced_first(bench: Bench) -> None:
    bench.gen({"code": "1", "data": {"a": "2"}})
    (bench.root / "data/l").symlink_to("../code")
    built = bench.save("data")
    relink(bench.path("data"), built, bench.desk("copy"))
    assert not (bench.root / "data/l").is_symlink()
    assert bench.files() == {"a": b"2", "l": b"1"}
    assert [plan.lost for plan in bench.plans] == [("l",)]
    assert (bench.root / "code").read_text() == "1"


def test_executables_keep_an_inode_of_their_own(bench: Bench) -> None:
    bench.gen({"data": {"run": "#!/bin/sh"}, "x": "#!/bin/sh 2"})
    for name in ("data/run", "x"):
        (bench.root / name).chmod(0o755)
    for name in ("data", "x"):
        save_and_link(bench, name, "hardlink")
    assert linked(bench, "data/run", b"#!/bin/sh") == linked(bench, "x", b"#!/bin/sh 2") == "own"
    assert stat.S_IMODE((bench.root / "data/run").stat().st_mode) == 0o755
    assert stat.S_IMODE((bench.root / "x").stat().st_mode) == 0o744


@pytest.mark.parametrize(
    ("before", "after"), [(0o644, 0o644), (0o755, 0o744), (0o444, 0o644), (0o600, 0o600), (0o640, 0o640)]
)
def test_a_single_file_gets_the_mode_of_a_checkout_but_nobody_new_may_read_it(
    bench: Bench, before: int, after: int
) -> None:
    bench.gen({"f": "1"})
    (bench.root / "f").chmod(before)
    time.sleep(TICK)
    save_and_link(bench, "f", "copy")
    assert stat.S_IMODE((bench.root / "f").stat().st_mode) == after
    assert bench.hashed("f") == 0


def test_a_file_that_the_user_linked_elsewhere_keeps_its_mode_there(bench: Bench, tmp_path: Path) -> None:
    bench.gen({"f": "1"})
    (bench.root / "f").chmod(0o755)
    os.link(bench.root / "f", tmp_path / "mine")
    save_and_link(bench, "f", "copy")
    assert stat.S_IMODE((tmp_path / "mine").stat().st_mode) == 0o755


def test_an_object_that_is_gone_or_damaged_leaves_the_file(bench: Bench) -> None:
    bench.gen({"data": {"a": "1", "b": "2"}})
    built = bench.save("data")
    bench.place(md5(b"1"), b"rot")
    os.unlink(bench.store.path(md5(b"2")))
    assert relink(bench.path("data"), built, bench.desk("symlink")) == 0
    assert bench.files() == {"a": b"1", "b": b"2"}


def test_what_is_gone_needs_no_links(bench: Bench) -> None:
    bench.gen({"f": "1"})
    built = bench.save("f")
    bench.gen({"f": None})
    assert relink(bench.path("f"), built, bench.desk("symlink")) == 0
