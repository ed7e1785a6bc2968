"""Add: what is tracked, what is refused, what survives; beyond what the real DVC is compared with."""

import hashlib
import json
import os
import stat
import time
from pathlib import Path

import pytest

from fourfold.base.errors import FourfoldError, UsageError
from fourfold.base.fs.walk import BadFileNameError
from fourfold.base.ids import UnsafePathError
from fourfold.content.identity import ChangedDuringReadError
from fourfold.project.add import (
    AddResult,
    BehindSymlinkError,
    CannotBeTrackedError,
    MadeByStageError,
    NothingToAddError,
    PointerTakenError,
    add,
)
from fourfold.project.adopt import (
    InsideTrackedError,
    TargetInTheWayError,
    adopt,
)
from fourfold.project.journal import log
from fourfold.project.locks import RepositoryLockedError, project_lock
from fourfold.project.outs import OverlappingOutputError, OwnerInsideOutputError
from fourfold.project.pointerfiles import PointerIgnoredError
from fourfold.project.recording import TrackedByGitError
from fourfold.project.remotes import open_remote
from fourfold.project.saving import LegacyDirectoryError, TrackedAsFileError
from fourfold.project.undo import undo
from fourfold.project.urls import SourceMissingError
from fourfold.storage.blob.memory import open_memory
from fourfold.storage.options import Options
from tests.fixtures.clock import HandClock
from tests.fixtures.servers import S3Server
from tests.project.workplace import Workplace

FILE = "outs:\n- md5: {}\n  size: {}\n  hash: md5\n  path: {}\n"


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


def added(work: Workplace, *targets: str, force: bool = False) -> AddResult:
    return add(work.open(), targets, force=force)


def cached(work: Workplace, oid: str) -> Path:
    return work.root / ".dvc/cache/files/md5" / oid[:2] / oid[2:]


def test_what_add_says_is_what_it_wrote(work: Workplace) -> None:
    work.gen({"data": {"a": "1", "b": "22"}, "f": "333"})
    result = added(work, "data", "f")
    first, second = result.added
    assert (first.path, first.file, first.nfiles, first.size) == (
        work.path("data"),
        work.path("data.dvc"),
        2,
        3,
    )
    assert (second.oid, second.nfiles, second.new, second.changed) == (md5(b"333"), None, True, True)
    assert result.stored is not None
    assert (result.stored.added, result.stored.size > 6) == (4, True)
    assert result.staged.paths == tuple(work.path(name) for name in (".gitignore", "data.dvc", "f.dvc"))
    assert work.text("f.dvc") == FILE.format(md5(b"333"), 3, "f")
    again = added(work, "f").added[0]
    assert (again.new, again.changed) == (False, False)


def test_without_git_there_is_no_gitignore(tmp_path: Path) -> None:
    work = Workplace(tmp_path, no_scm=True)
    work.gen({"f": "1"})
    assert added(work, "f").staged.paths == ()
    assert work.exists("f.dvc")
    assert not work.exists(".gitignore")


def test_one_refused_target_leaves_all_of_them_as_they_were(work: Workplace) -> None:
    work.gen({"a": "1", "b": "2"})
    with pytest.raises(NothingToAddError):
        added(work, "a", "nothing", "b")
    assert not work.exists("a.dvc")
    assert not work.exists(".dvc/cache")
    assert log(work.open()) == []


@pytest.mark.parametrize(
    ("target", "error"),
    [
        (".", CannotBeTrackedError),
        ("..", UnsafePathError),
        ("/etc/hostname", UnsafePathError),
        ("t.dvc", CannotBeTrackedError),
        ("dvc.yaml", CannotBeTrackedError),
        (".dvc", CannotBeTrackedError),
        (".dvc/config", CannotBeTrackedError),
        (".git/config", CannotBeTrackedError),
        ("ignored.tmp", CannotBeTrackedError),
        ("to-folder", BehindSymlinkError),
        ("to-folder/x", BehindSymlinkError),
        ("made", MadeByStageError),
        ("sub", OverlappingOutputError),
        ("code", TrackedByGitError),
        ("with-owner", OwnerInsideOutputError),
        ("taken", PointerTakenError),
        ("hidden", PointerIgnoredError),
        ("t/x", TrackedAsFileError),
        ("bad\udcff", BadFileNameError),
        ("nothing", NothingToAddError),
    ],
)  # fmt: skip
def test_every_refusal_has_its_type_and_touches_nothing(
    work: Workplace, target: str, error: type[FourfoldError]
) -> None:
    work.track("t")
    work.track("sub/in")
    work.gen(
        {
            ".dvcignore": "*.tmp\n",
            ".gitignore": "/hidden.dvc\n",
            "ignored.tmp": "1",
            "folder": {"x": "1"},
            "code": "1",
            "made": "1",
            "dvc.yaml": "stages:\n  s:\n    cmd: x\n    outs: [made]\n",
            "with-owner": {"x": "1", "y.dvc": "wdir: ..\nouts:\n- path: elsewhere\n"},
            "taken": "1",
            "taken.dvc": FILE.format(md5(b"x"), 1, "other"),
            "hidden": "1",
        }
    )
    (work.root / "to-folder").symlink_to("folder")
    work.git("add", "code")
    before = sorted(os.listdir(work.root))
    with pytest.raises(error):
        added(work, target)
    assert sorted(os.listdir(work.root)) == before
    assert log(work.open()) == []


def test_a_mistyped_name_is_answered_with_similar_ones(work: Workplace) -> None:
    work.gen({"sub": {"training.csv": "1"}})
    with pytest.raises(NothingToAddError) as caught:
        added(work, "sub/trainin.csv")
    assert "'sub/training.csv'" in caught.value.hint


def test_nothing_named_is_a_wrong_command(work: Workplace) -> None:
    with pytest.raises(UsageError):
        added(work)


def test_a_file_that_changes_while_it_is_read_is_not_recorded(
    work: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    work.gen({"f": "one"})
    added(work, "f")
    before = work.text("f.dvc")
    work.gen({"f": "two", "g": "1"})
    read = os.read

    def meddling(fd: int, size: int) -> bytes:
        data = read(fd, size)
        if data == b"two":
            (work.root / "f").write_text("three")
        return data

    monkeypatch.setattr(os, "read", meddling)
    with pytest.raises(ChangedDuringReadError):
        added(work, "g", "f")
    assert work.text("f.dvc") == before
    assert not work.exists("g.dvc")
    assert not cached(work, md5(b"two")).exists()


def test_while_another_process_works_nothing_happens(work: Workplace) -> None:
    work.gen({"f": "1"})
    other = work.open()
    with project_lock(other):
        project = work.open()
        project.clock = HandClock(time.time())
        with pytest.raises(RepositoryLockedError):
            add(project, ["f"])
    assert not work.exists("f.dvc")


def test_a_pointer_file_that_tracks_something_else_is_replaced_only_by_force(work: Workplace) -> None:
    work.gen({"f": "1", "f.dvc": "# mine\n" + FILE.format(md5(b"x"), 1, "other")})
    with pytest.raises(PointerTakenError, match="already tracks 'other'"):
        added(work, "f")
    added(work, "f", force=True)
    assert work.text("f.dvc") == "# mine\n" + FILE.format(md5(b"1"), 1, "f")


# --- inside a directory -----------------------------------------------------------------------------------


def size_of(work: Workplace) -> str:
    lines = [line.strip() for line in work.text("d.dvc").splitlines()]
    return next((line for line in lines if line.startswith("size")), "none")


def test_the_size_of_a_directory_is_kept_while_files_are_appended_and_dropped_else(work: Workplace) -> None:
    work.gen({"d": {"a": "1", "b": "22"}})
    added(work, "d")
    work.gen({"d": {"c": "333"}})
    added(work, "d/c")
    assert size_of(work) == "size: 6"
    added(work, "d/c")
    assert size_of(work) == "size: 6"
    work.gen({"d": {"a": "4444"}})
    added(work, "d/a")
    assert size_of(work) == "none"
    added(work, "d")
    assert size_of(work) == "size: 9"


def test_only_what_is_named_of_a_directory_is_recorded(work: Workplace) -> None:
    work.gen({"d": {"a": "1", "sub": {"b": "2"}}})
    added(work, "d")
    work.gen({"d": {"a": "changed", "sub": {"b": "changed too", "new": "3"}}})
    added(work, "d/sub")
    project = work.open()
    (record,) = add(project, ["d/sub"]).added
    rows = dict(project.store.read_tree(record.oid).items())
    assert rows == {"a": md5(b"1"), "sub/b": md5(b"changed too"), "sub/new": md5(b"3")}


def test_a_file_takes_the_place_of_a_folder_and_the_reverse_in_the_manifest(work: Workplace) -> None:
    work.gen({"d": {"x": "1", "y": {"z": "2"}}})
    added(work, "d")
    work.gen({"d": {"x": None, "y": None}})
    work.gen({"d": {"x": {"new": "3"}, "y": "4"}})
    result = added(work, "d/x/new", "d/y")
    tree = work.open().store.read_tree(result.added[-1].oid)
    assert dict(tree.items()) == {"x/new": md5(b"3"), "y": md5(b"4")}


# --- DVC 2 ------------------------------------------------------------------------------------------------


def legacy(work: Workplace, name: str, data: bytes) -> str:
    oid = md5(data.replace(b"\r\n", b"\n"))
    place = work.root / ".dvc/cache" / oid[:2] / oid[2:]
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
    place.chmod(0o444)
    work.gen({name: data, f"{name}.dvc": f"outs:\n- md5: {oid}\n  size: {len(data)}\n  path: {name}\n"})
    return oid


def test_what_dvc_2_hashed_stays_so_until_it_changes(work: Workplace) -> None:
    legacy(work, "t.csv", b"a,b\r\n")
    before = work.text("t.csv.dvc")
    added(work, "t.csv")
    assert work.text("t.csv.dvc") == before
    work.gen({"t.csv": b"a,c\r\n"})
    added(work, "t.csv")
    assert (
        work.text("t.csv.dvc")
        == f"outs:\n- md5: {md5(b'a,c' + bytes([13, 10]))}\n  size: 5\n  path: t.csv\n  hash: md5\n"
    )


def test_what_dvc_2_hashed_goes_back_into_an_emptied_cache_under_its_old_name(work: Workplace) -> None:
    oid = legacy(work, "t.csv", b"a,b\r\n")
    place = work.root / ".dvc/cache" / oid[:2] / oid[2:]
    place.unlink()
    added(work, "t.csv")
    assert place.read_bytes() == b"a,b\r\n"


def test_a_part_of_a_directory_of_dvc_2_is_not_mixed_with_new_hashes(work: Workplace) -> None:
    work.gen({"d": {"a": "1"}, "d.dvc": f"outs:\n- md5: {md5(b'x')}.dir\n  path: d\n"})
    with pytest.raises(LegacyDirectoryError) as caught:
        added(work, "d/a")
    assert caught.value.hint.endswith("ff add d")


# --- links ------------------------------------------------------------------------------------------------


def test_an_executable_keeps_an_inode_of_its_own_and_the_object_its_mode(work: Workplace) -> None:
    work.gen({".dvc/config": "[cache]\n    type = hardlink\n", "run": "#!/bin/sh\n"})
    (work.root / "run").chmod(0o755)
    added(work, "run")
    assert stat.S_IMODE(cached(work, md5(b"#!/bin/sh\n")).stat().st_mode) == 0o444
    assert (work.root / "run").stat().st_nlink == 1
    assert os.access(work.root / "run", os.X_OK)


def test_an_edit_through_a_hard_link_is_saved_and_no_object_is_deleted(work: Workplace) -> None:
    work.gen({".dvc/config": "[cache]\n    type = hardlink\n", "f": "one"})
    added(work, "f")
    path = work.root / "f"
    path.chmod(0o644)
    path.write_text("two")
    added(work, "f")
    assert work.text("f") == "two"
    assert cached(work, md5(b"two")).read_bytes() == b"two"
    assert cached(work, md5(b"one")).exists()


def test_undo_brings_the_pointer_file_the_line_and_a_replaced_link_back(work: Workplace) -> None:
    work.gen({"code": "1", ".gitignore": "*.pyc\n"})
    (work.root / "l").symlink_to("code")
    added(work, "l")
    assert not (work.root / "l").is_symlink()
    undo(work.open())
    assert os.readlink(work.root / "l") == "code"
    assert work.text(".gitignore") == "*.pyc\n"
    assert not work.exists("l.dvc")
    assert [entry.state for entry in log(work.open())] == ["undone"]


# --- from elsewhere ---------------------------------------------------------------------------------------


def test_a_directory_from_elsewhere_is_copied_and_tracked(work: Workplace, tmp_path: Path) -> None:
    (tmp_path / "src/sub").mkdir(parents=True)
    (tmp_path / "src/sub/f").write_text("1")
    result = adopt(work.open(), str(tmp_path / "src"), out="data")
    assert work.text("data/sub/f") == "1"
    assert result.added[0].nfiles == 1
    assert work.text(".gitignore") == "/data\n"
    undo(work.open())
    assert not work.exists("data")
    assert not work.exists("data.dvc")


def test_what_is_in_the_way_is_replaced_only_by_force_and_comes_back(work: Workplace, tmp_path: Path) -> None:
    (tmp_path / "src").write_text("theirs")
    work.gen({"data": "mine"})
    with pytest.raises(TargetInTheWayError):
        adopt(work.open(), str(tmp_path / "src"), out="data")
    adopt(work.open(), str(tmp_path / "src"), out="data", force=True)
    assert work.text("data") == "theirs"
    undo(work.open())
    assert work.text("data") == "mine"


def test_a_source_that_is_not_there_and_a_goal_inside_tracked_data_are_refused(
    work: Workplace, tmp_path: Path
) -> None:
    (tmp_path / "src").write_text("theirs")
    work.gen({"d": {"a": "1"}})
    added(work, "d")
    with pytest.raises(SourceMissingError):
        adopt(work.open(), str(tmp_path / "nothing"), out="x")
    with pytest.raises(InsideTrackedError):
        adopt(work.open(), str(tmp_path / "src"), out="d/new")
    with pytest.raises(UnsafePathError):
        adopt(work.open(), str(tmp_path / "src"), out="../outside")


def test_data_behind_a_url_is_downloaded_and_tracked(work: Workplace) -> None:
    store = open_memory("memory://source", Options("memory", {}), {}, None)
    store.objects.update({"set/a": b"1", "set/sub/b": b"22", "one": b"333"})
    adopt(work.open(), "memory://source/set", out="data")
    assert work.text("data/sub/b") == "22"
    adopt(work.open(), "memory://source/one")
    assert work.text("one.dvc") == FILE.format(md5(b"333"), 3, "one")


#: What goes to a remote for a directory with one file "f" that holds "1".
SENT = [
    f"files/md5/{oid[:2]}/{oid[2:]}"
    for oid in (md5(b"1"), md5(json.dumps([{"md5": md5(b"1"), "relpath": "f"}]).encode()) + ".dir")
]


def test_straight_to_a_folder_nothing_stops_here(work: Workplace, tmp_path: Path) -> None:
    work.gen(
        {".dvc/config.local": f"[core]\n    remote = r\n['remote \"r\"']\n    url = {tmp_path}/remote\n"}
    )
    (tmp_path / "src").mkdir()
    (tmp_path / "src/f").write_text("1")
    result = adopt(work.open(), str(tmp_path / "src"), out="data", to_remote=True)
    assert (result.stored, work.exists("data"), work.exists(".dvc/cache/files")) == (None, False, False)
    there = [path for path in (tmp_path / "remote").rglob("*") if path.is_file()]
    assert sorted(str(path.relative_to(tmp_path / "remote")) for path in there) == sorted(SENT)


def test_straight_to_a_bucket_nothing_stops_here(work: Workplace, tmp_path: Path, moto_s3: S3Server) -> None:
    bucket = moto_s3.make_bucket()
    options = "".join(f"    {key} = {value}\n" for key, value in moto_s3.options().items())
    work.gen({".dvc/config.local": f"['remote \"far\"']\n    url = s3://{bucket}/x\n{options}"})
    (tmp_path / "src").mkdir()
    (tmp_path / "src/f").write_text("1")
    (tmp_path / "large").write_bytes(b"x" * (2 << 20))
    adopt(work.open(), str(tmp_path / "src"), out="data", to_remote=True, remote="far")
    adopt(work.open(), str(tmp_path / "large"), to_remote=True, remote="far")
    remote = open_remote(work.open(), "far")
    large = md5(b"x" * (2 << 20))
    held = sorted(info.key for page in remote.store.list() for info in page)
    assert held == sorted([*SENT, f"files/md5/{large[:2]}/{large[2:]}"])
    assert os.listdir(work.path(".dvc/fourfold/staging")) == []
