"""Vacate: only what an output brought, and still is in the store, goes with it."""

from pathlib import Path

from fourfold.base.ids import Oid
from fourfold.content.vacate import vacate
from tests.content.bench import Bench, md5

ONE = {"a": b"1", "sub/b": b"2", "sub/deep/c": b"3"}


def test_what_is_unchanged_goes_with_its_folders(bench: Bench) -> None:
    oid = bench.put_tree(ONE)
    bench.checkout(oid, "data")
    done = vacate(oid, bench.path("data"), bench.desk())
    assert (sorted(done.removed), done.kept) == (sorted(ONE), ())
    assert not (bench.root / "data").exists()
    assert bench.plans[-1].replace.keys() == ONE.keys()


def test_edited_added_and_ignored_files_stay(bench: Bench) -> None:
    oid = bench.put_tree(ONE)
    bench.checkout(oid, "data")
    bench.gen({"data": {"a": "edited", "sub/new": "mine", "sub/deep/x.log": "ignored"}})
    desk = bench.desk(skip_file=lambda name: name.endswith(".log"))
    done = vacate(oid, bench.path("data"), desk)
    assert sorted(done.removed) == ["sub/b", "sub/deep/c"]
    assert bench.files() == {"a": b"edited", "sub/new": b"mine", "sub/deep/x.log": b"ignored"}


def test_a_file_that_no_store_holds_stays(bench: Bench) -> None:
    oid = bench.put_tree(ONE)
    bench.checkout(oid, "data")
    Path(bench.store.path(md5(b"1"))).unlink()
    assert vacate(oid, bench.path("data"), bench.desk()).kept == ("a",)
    assert bench.files() == {"a": b"1"}


def test_everything_stays_when_the_manifest_is_gone(bench: Bench) -> None:
    oid = bench.put_tree(ONE)
    bench.checkout(oid, "data")
    Path(bench.store.path(oid)).unlink()
    assert vacate(oid, bench.path("data"), bench.desk()).removed == ()
    assert bench.files() == ONE


def test_a_file_goes_and_an_edited_one_stays(bench: Bench) -> None:
    oid = bench.put(b"one")
    for content, left in ((b"one", {}), (b"mine", {"": b"mine"})):
        bench.gen({"f": content})
        vacate(oid, bench.path("f"), bench.desk())
        assert bench.files("f") == left


def test_what_is_of_another_kind_now_stays(bench: Bench) -> None:
    oid = bench.put_tree(ONE)
    bench.gen({"data": "1"})
    assert vacate(oid, bench.path("data"), bench.desk()).kept == ("",)


def test_what_lies_behind_a_symbolic_link_is_not_touched(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/f").write_bytes(b"one")
    (bench.root / "into").symlink_to(tmp_path / "outside")
    assert vacate(bench.put(b"one"), bench.path("into/f"), bench.desk()).removed == ()
    assert (tmp_path / "outside/f").exists()


def test_what_is_not_there_needs_nothing(bench: Bench) -> None:
    assert vacate(Oid(md5(b"1")), bench.path("nothing"), bench.desk()).removed == ()
