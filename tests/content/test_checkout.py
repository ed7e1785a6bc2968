"""Checkout: the workspace becomes what an object says, and not a byte is lost that is saved nowhere."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from fourfold.base.errors import ExhaustedError, FourfoldError
from fourfold.base.fs.atomic import temp_name
from fourfold.base.ids import Oid
from fourfold.content.checkout import Checkout, UnsavedChangesError, checkout
from fourfold.content.objects import CorruptObjectError, ObjectMissingError
from fourfold.content.placing import PathInTheWayError
from tests.content.bench import Bench, md5

ONE = {"a": b"1", "sub/b": b"2", "sub/deep/c": b"3", "empty": b""}
TWO = {"a": b"changed", "sub/deep/c": b"3", "new/d": b"4", "empty": b""}


def staging(bench: Bench) -> list[str]:
    folder = bench.root / ".dvc/fourfold/staging"
    return os.listdir(folder) if folder.exists() else []


def test_a_directory_is_made_whole_and_nothing_is_hashed_afterwards(bench: Bench) -> None:
    oid = bench.put_tree(ONE)
    done = bench.checkout(oid, "data")
    assert sorted(done.added) == sorted(ONE)
    assert bench.files() == ONE
    assert bench.hashed("data") == 0
    assert staging(bench) == []
    assert not bench.checkout(oid, "data").changed


def test_a_file_is_made_with_the_mode_of_any_new_file(bench: Bench) -> None:
    bench.checkout(bench.put(b"one"), "deep/down/f")
    path = bench.root / "deep/down/f"
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"one", 0o644)


def test_another_version_changes_only_what_differs(bench: Bench) -> None:
    bench.checkout(bench.put_tree(ONE), "data")
    inode = (bench.root / "data/sub/deep/c").stat().st_ino
    done = bench.checkout(bench.put_tree(TWO), "data")
    assert (done.added, done.modified, done.deleted) == (("new/d",), ("a",), ("sub/b",))
    assert bench.files() == TWO
    assert (bench.root / "data/sub/deep/c").stat().st_ino == inode


def test_folders_that_become_empty_go(bench: Bench) -> None:
    bench.checkout(bench.put_tree(ONE), "data")
    bench.checkout(bench.put_tree({"a": b"1"}), "data")
    assert os.listdir(bench.root / "data") == ["a"]


def test_an_empty_directory_is_made(bench: Bench) -> None:
    bench.checkout(bench.put_tree({}), "data")
    assert (bench.root / "data").is_dir()


@pytest.mark.parametrize("edit", ["a", "sub/unknown"])
def test_content_that_is_saved_nowhere_stops_it_before_anything_is_touched(bench: Bench, edit: str) -> None:
    bench.checkout(bench.put_tree(ONE), "data")
    bench.gen({"data": {edit: "precious"}})
    before = bench.files()
    with pytest.raises(UnsavedChangesError) as caught:
        bench.checkout(bench.put_tree(TWO), "data")
    assert caught.value.details == (bench.path(f"data/{edit}"),)
    assert bench.files() == before


def test_with_force_what_is_saved_nowhere_is_announced_before_it_goes(bench: Bench) -> None:
    bench.checkout(bench.put_tree(ONE), "data")
    bench.gen({"data": {"a": "precious"}})
    seen: list[tuple[tuple[str, ...], bytes]] = []
    desk = bench.desk(announce=lambda plan: seen.append((plan.lost, Path(bench.path("data/a")).read_bytes())))
    checkout(bench.put_tree(TWO), bench.path("data"), desk, force=True)
    assert seen == [(("a",), b"precious")]
    assert bench.files() == TWO


def test_the_plan_names_what_comes_what_goes_and_what_it_was(bench: Bench) -> None:
    bench.checkout(bench.put_tree(ONE), "data")
    bench.plans.clear()
    bench.checkout(bench.put_tree(TWO), "data")
    (plan,) = bench.plans
    assert plan.create == ("new/d",)
    assert {name: before.oid for name, before in plan.replace.items()} == {"a": md5(b"1"), "sub/b": md5(b"2")}
    assert plan.lost == ()


def test_content_that_the_store_has_may_be_overwritten(bench: Bench) -> None:
    bench.checkout(bench.put_tree(ONE), "data")
    bench.put(b"saved elsewhere")
    bench.gen({"data": {"a": "saved elsewhere"}})
    bench.checkout(bench.put_tree(ONE), "data")
    assert bench.files() == ONE


# --- things of another kind in the way --------------------------------------------------------------------


def test_a_directory_takes_the_place_of_a_file(bench: Bench) -> None:
    bench.checkout(bench.put(b"one"), "data")
    bench.checkout(bench.put_tree(ONE), "data")
    assert bench.files() == ONE


def test_a_file_takes_the_place_of_a_directory(bench: Bench) -> None:
    bench.checkout(bench.put_tree(ONE), "data")
    bench.checkout(bench.put(b"one"), "data")
    assert bench.files() == {"": b"one"}


def test_a_file_takes_the_place_of_a_folder_inside_and_back(bench: Bench) -> None:
    folders = bench.put_tree({"x/a": b"1", "x/y/b": b"2", "z": b"3"})
    files = bench.put_tree({"x": b"4", "z/c": b"5"})
    for oid, content in (
        (folders, {"x/a": b"1", "x/y/b": b"2", "z": b"3"}),
        (files, {"x": b"4", "z/c": b"5"}),
    ) * 2:
        bench.checkout(oid, "data")
        assert bench.files() == content
        assert bench.hashed("data") == 0


def ignoring(*names: str) -> Callable[[str], bool]:
    return lambda name: name in names


def test_ignored_files_stay_where_they_are(bench: Bench) -> None:
    bench.checkout(bench.put_tree(ONE), "data")
    bench.gen({"data": {"mine.log": "kept", "sub/mine.log": "kept too"}})
    desk = bench.desk(skip_file=lambda name: name.endswith(".log"))
    checkout(bench.put_tree({"a": b"1"}), bench.path("data"), desk, force=True)
    assert bench.files() == {"a": b"1", "mine.log": b"kept", "sub/mine.log": b"kept too"}


def test_a_directory_with_ignored_files_does_not_become_a_file(bench: Bench) -> None:
    bench.checkout(bench.put_tree(ONE), "data")
    bench.gen({"data": {"mine.log": "kept"}})
    before = bench.files()
    desk = bench.desk(skip_file=ignoring("mine.log"))
    with pytest.raises(UnsavedChangesError, match="1 file"):
        checkout(bench.put(b"one"), bench.path("data"), desk)
    assert bench.files() == before


def test_a_folder_with_ignored_files_inside_does_not_become_a_file(bench: Bench) -> None:
    bench.checkout(bench.put_tree({"x/a": b"1"}), "data")
    bench.gen({"data": {"x/mine.log": "kept"}})
    desk = bench.desk(skip_file=ignoring("x/mine.log"))
    with pytest.raises(PathInTheWayError):
        checkout(bench.put_tree({"x": b"2"}), bench.path("data"), desk, force=True)
    assert (bench.root / "data/x/mine.log").read_text() == "kept"


def test_an_ignored_file_under_a_name_of_the_data_is_not_overwritten(bench: Bench) -> None:
    bench.checkout(bench.put_tree({"a": b"1"}), "data")
    bench.gen({"data": {"b": "mine"}})
    with pytest.raises(UnsavedChangesError):
        checkout(
            bench.put_tree({"a": b"1", "b": b"2"}), bench.path("data"), bench.desk(skip_file=ignoring("b"))
        )
    assert (bench.root / "data/b").read_text() == "mine"


def test_a_symbolic_link_in_the_way_leads_nowhere(bench: Bench, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (bench.root / "data").mkdir()
    (bench.root / "data/sub").symlink_to(outside)
    with pytest.raises(PathInTheWayError):
        bench.checkout(bench.put_tree(ONE), "data", force=True)
    assert os.listdir(outside) == []
    assert (bench.root / "data/sub").is_symlink()


def test_a_symbolic_link_above_the_target_leads_nowhere(bench: Bench, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (bench.root / "into").symlink_to(outside)
    with pytest.raises(PathInTheWayError):
        bench.checkout(bench.put(b"one"), "into/f")
    assert os.listdir(outside) == []


def test_a_symbolic_link_in_the_place_of_a_file_is_replaced_and_not_written_through(
    bench: Bench, tmp_path: Path
) -> None:
    (tmp_path / "target").write_text("theirs")
    bench.put(b"theirs")
    (bench.root / "f").symlink_to(tmp_path / "target")
    bench.checkout(bench.put(b"one"), "f")
    assert bench.files("f") == {"": b"one"}
    assert (tmp_path / "target").read_text() == "theirs"


@pytest.mark.parametrize(
    "name", ["../out", "/abs", "a/../../out", ".git/config", "x/.GIT/hooks/p", ".dvc/config", "a//b", ""]
)
def test_a_manifest_that_names_a_place_outside_touches_nothing(bench: Bench, name: str) -> None:
    data = ('[{"md5": "' + md5(b"1") + '", "relpath": "' + name + '"}]').encode()
    bench.put(b"1")
    oid = Oid(md5(data) + ".dir")
    bench.place(oid, data)
    with pytest.raises(FourfoldError):
        bench.checkout(oid, "data", force=True)
    assert bench.files() == {}
    assert not (bench.root.parent / "out").exists()


# --- what the store lacks ---------------------------------------------------------------------------------


def test_missing_objects_are_named_and_everything_else_is_made(bench: Bench) -> None:
    oid = bench.put_tree(ONE)
    os.unlink(bench.store.path(md5(b"2")))
    done = bench.checkout(oid, "data")
    assert done.missing == (("sub/b", md5(b"2")),)
    assert bench.files() == {name: data for name, data in ONE.items() if name != "sub/b"}
    bench.put(b"2")
    assert bench.checkout(oid, "data").added == ("sub/b",)
    assert bench.files() == ONE


def test_a_file_whose_new_content_is_missing_keeps_its_old_one(bench: Bench) -> None:
    bench.checkout(bench.put(b"old"), "f")
    done = bench.checkout(Oid(md5(b"never saved")), "f")
    assert done.missing == (("", md5(b"never saved")),)
    assert bench.files("f") == {"": b"old"}


def test_a_directory_none_of_whose_content_is_there_is_not_made(bench: Bench) -> None:
    bench.checkout(bench.put(b"old"), "data")
    oid = bench.put_tree({"a": b"1"})
    os.unlink(bench.store.path(md5(b"1")))
    assert bench.checkout(oid, "data").missing == (("a", md5(b"1")),)
    assert bench.files() == {"": b"old"}


@pytest.mark.parametrize("kind", ["copy", "hardlink", "symlink", "reflink"])
@pytest.mark.parametrize("size", [10, 3 << 20])
def test_a_damaged_object_never_reaches_the_workspace(bench: Bench, kind: str, size: int) -> None:
    good = b"x" * size
    bench.checkout(bench.put(b"old"), "f")
    oid = bench.put(good)
    bench.place(oid, b"X" + good[1:])
    done = bench.checkout(oid, "f", kind)
    assert done.corrupt == (("", oid),)
    assert bench.files("f") == {"": b"old"}


@pytest.mark.parametrize("kind", ["copy", "hardlink", "symlink"])
def test_an_object_that_was_damaged_after_it_was_proven_does_not_either(bench: Bench, kind: str) -> None:
    bench.gen({"f": "one"})
    oid = bench.save("f").oid
    path = Path(bench.store.path(oid))
    before = path.stat()
    path.chmod(0o644)
    path.write_bytes(b"rot")
    path.chmod(0o444)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    bench.gen({"f": None})
    assert bench.checkout(oid, "f", kind).corrupt == (("", oid),)
    assert not (bench.root / "f").exists()


def test_a_manifest_that_is_missing_or_damaged_changes_nothing(bench: Bench) -> None:
    oid = bench.put_tree(ONE)
    bench.checkout(oid, "data")
    other = bench.put_tree(TWO)
    bench.place(other, b"[]")
    with pytest.raises(CorruptObjectError):
        bench.checkout(other, "data")
    os.unlink(bench.store.path(other))
    with pytest.raises(ObjectMissingError):
        bench.checkout(other, "data")
    assert bench.files() == ONE


# --- kinds of links ---------------------------------------------------------------------------------------


def kind_of(bench: Bench, name: str, oid: str) -> str:
    path = bench.root / name
    if path.is_symlink():
        return "symlink" if os.readlink(path) == bench.store.path(oid) else "?"
    return "hardlink" if path.samefile(bench.store.path(oid)) else "copy"


@pytest.mark.parametrize("first", ["copy", "hardlink", "symlink"])
@pytest.mark.parametrize("second", ["copy", "hardlink", "symlink"])
def test_relinking_makes_every_kind_from_every_other(bench: Bench, first: str, second: str) -> None:
    oid = bench.put_tree(ONE)
    bench.checkout(oid, "data", first)
    assert kind_of(bench, "data/a", md5(b"1")) == first
    bench.checkout(oid, "data", second, relink=True)
    assert kind_of(bench, "data/a", md5(b"1")) == second
    assert bench.files() == ONE
    assert bench.hashed("data") == 0


def test_a_kind_that_the_disk_does_not_offer_is_replaced_by_the_next_and_nothing_is_lost(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    oid = bench.put_tree(ONE)
    bench.checkout(oid, "data", "copy")

    def refuse(*_args: object, **_options: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    for kinds in (("reflink",), ("hardlink",), ("reflink", "hardlink")):
        bench.checkout(oid, "data", *kinds, relink=True)
        assert bench.files() == ONE
        assert kind_of(bench, "data/a", md5(b"1")) == "copy"


def test_an_executable_gets_an_inode_of_its_own_and_its_object_keeps_its_mode(bench: Bench) -> None:
    oid = bench.put(b"#!/bin/sh\n")
    for kind in ("hardlink", "symlink", "copy"):
        checkout(oid, bench.path(kind), bench.desk(kind), isexec=True)
        assert kind_of(bench, kind, oid) == "copy"
        assert stat.S_IMODE((bench.root / kind).stat().st_mode) == 0o744
    assert stat.S_IMODE(os.stat(bench.store.path(oid)).st_mode) == 0o444


def test_an_edit_through_a_hard_link_does_not_pass_for_the_object(bench: Bench) -> None:
    oid = bench.put(b"one")
    bench.checkout(oid, "f", "hardlink")
    path = bench.root / "f"
    path.chmod(0o644)
    path.write_text("edited")
    with pytest.raises(UnsavedChangesError):
        bench.checkout(bench.put(b"two"), "f", "hardlink")
    os.unlink(path)
    assert bench.checkout(oid, "f", "hardlink").corrupt == (("", oid),)
    assert Path(bench.store.path(oid)).exists()


# --- interruptions ----------------------------------------------------------------------------------------


def test_a_full_disk_leaves_the_workspace_as_it_was(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.checkout(bench.put_tree(ONE), "data")
    other = bench.put_tree(TWO)

    write = os.write

    def full(fd: int, data: bytes) -> int:
        if "staging" in os.readlink(f"/proc/self/fd/{fd}"):
            raise OSError(28, "No space left on device")
        return write(fd, data)

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(ExhaustedError, match="No space left"):
            bench.checkout(other, "data")
    assert bench.files() == ONE
    assert staging(bench) == []


def test_what_a_killed_checkout_left_in_staging_is_swept(bench: Bench) -> None:
    folder = bench.root / ".dvc/fourfold/staging" / temp_name("staging")
    folder.mkdir(parents=True)
    (folder / "0").write_text("half")
    bench.checkout(bench.put(b"one"), "f")
    assert staging(bench) == []


def test_looking_first_touches_nothing(bench: Bench) -> None:
    bench.checkout(bench.put_tree(ONE), "data")
    job = Checkout(bench.put_tree(TWO), bench.path("data"), bench.desk())
    assert job.prepare().create == ("new/d",)
    assert bench.files() == ONE
    job.carry_out()
    assert bench.files() == TWO


def test_removing_what_was_tracked_removes_all_of_it_that_is_saved(bench: Bench) -> None:
    bench.checkout(bench.put_tree(ONE), "data")
    assert sorted(bench.checkout(None, "data").deleted) == sorted(ONE)
    assert not (bench.root / "data").exists()
