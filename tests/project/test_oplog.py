"""The operation log, and taking back what it recorded."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fourfold.base.fs.atomic import write_atomic
from fourfold.base.ids import UnsafePathError
from fourfold.project.journal import log, prune
from fourfold.project.locks import RepositoryLockedError, project_lock
from fourfold.project.oplog import Operation, operation
from fourfold.project.project import Project
from fourfold.project.undo import (
    ChangedSinceError,
    ContentGoneError,
    NothingToUndoError,
    redo,
    undo,
)
from tests.project.workplace import Workplace


def rewrite(project: Project, name: str, text: str | None) -> None:
    """An operation that changes one metadata file."""
    path = os.path.join(project.root, name)
    with project_lock(project), operation(project, "rewrite", [name]) as op:
        op.will_write(path)
        if text is None:
            os.unlink(path)
        else:
            write_atomic(path, text.encode())


def states(work: Workplace) -> list[str]:
    return [entry.state for entry in log(work.open())]


def test_metadata_goes_back_step_by_step_and_forth_again(work: Workplace) -> None:
    project = work.open()
    rewrite(project, "a.dvc", "one\n")
    rewrite(project, "a.dvc", "two\n")
    rewrite(project, "a.dvc", None)
    undo(project)
    assert work.text("a.dvc") == "two\n"
    undo(project)
    assert work.text("a.dvc") == "one\n"
    undo(project)
    assert not work.exists("a.dvc")
    with pytest.raises(NothingToUndoError):
        undo(project)
    redo(project)
    redo(project)
    assert work.text("a.dvc") == "two\n"
    redo(project)
    assert not work.exists("a.dvc")
    with pytest.raises(NothingToUndoError):
        redo(project)
    assert states(work) == ["done", "done", "done"]


def test_something_new_ends_the_way_forth(work: Workplace) -> None:
    project = work.open()
    rewrite(project, "a.dvc", "one\n")
    rewrite(project, "a.dvc", "two\n")
    undo(project)
    rewrite(project, "b.dvc", "new\n")
    with pytest.raises(NothingToUndoError):
        redo(project)
    undo(project)
    undo(project)
    assert not work.exists("a.dvc")
    assert states(work) == ["undone", "undone", "undone"]


def test_an_operation_that_changes_nothing_leaves_nothing(work: Workplace) -> None:
    project = work.open()
    with operation(project, "nothing"):
        pass
    assert not work.exists(".dvc/fourfold")
    work.gen({"a.dvc": "same\n"})
    rewrite(project, "a.dvc", "same\n")
    assert log(project) == []


def test_an_operation_that_fails_can_be_taken_back(work: Workplace) -> None:
    project = work.open()
    work.gen({"a.dvc": "before\n"})

    def broken() -> None:
        with operation(project, "broken") as op:
            op.will_write(work.path("a.dvc"))
            work.gen({"a.dvc": "half\n"})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        broken()
    assert states(work) == ["failed"]
    undo(project)
    assert work.text("a.dvc") == "before\n"


def test_operations_within_operations_are_one(work: Workplace) -> None:
    project = work.open()
    with operation(project, "outer"):
        rewrite(project, "a.dvc", "one\n")
        rewrite(project, "b.dvc", "two\n")
    (entry,) = log(project)
    assert (entry.command, len(entry.acts)) == ("outer", 2)


def test_bytes_modes_and_odd_names_come_back_as_they_were(work: Workplace) -> None:
    project = work.open()
    name = 'sp ace "ü"\n.dvc'
    work.gen({name: b"\xff\x00binary"})
    os.chmod(work.path(name), 0o640)
    rewrite(project, name, "new")
    undo(project)
    assert (work.root / name).read_bytes() == b"\xff\x00binary"
    assert os.stat(work.path(name)).st_mode & 0o777 == 0o640


def test_a_very_large_metadata_file_comes_back_too(work: Workplace) -> None:
    project = work.open()
    work.gen({"dvc.lock": "x" * 5_000_000})
    rewrite(project, "dvc.lock", "y" * 6_000_000)
    undo(project)
    assert work.text("dvc.lock") == "x" * 5_000_000
    redo(project)
    assert work.text("dvc.lock") == "y" * 6_000_000


def test_data_that_was_discarded_comes_back_by_a_rename(work: Workplace) -> None:
    project = work.open()
    work.gen({"data": {"a": "1", "deep": {"b": "2"}}})
    inode = os.stat(work.path("data/a")).st_ino
    with operation(project, "drop") as op:
        op.discard(work.path("data"))
    assert not work.exists("data")
    undo(project)
    assert work.text("data/deep/b") == "2"
    assert os.stat(work.path("data/a")).st_ino == inode
    redo(project)
    assert not work.exists("data")
    undo(project)
    assert work.text("data/a") == "1"


def test_content_of_the_cache_comes_back_from_there(work: Workplace) -> None:
    oid = work.track("f", b"old")
    project = work.open()
    with operation(project, "replace") as op:
        op.will_replace(work.path("f"), oid)  # type: ignore[arg-type]
        work.gen({"f": "new"})
    undo(project)
    assert work.text("f") == "old"
    redo(project)
    assert work.text("f") == "new"
    undo(project)
    shutil.rmtree(work.path(".dvc/cache"))
    redo(project)
    with pytest.raises(ContentGoneError, match="replace") as caught:
        undo(project)
    assert oid in caught.value.details[0]
    assert work.text("f") == "new"
    undo(project, force=True)
    assert work.text("f") == "new"
    assert states(work) == ["undone"]


def test_what_an_operation_deleted_is_deleted_again_and_comes_back_again(work: Workplace) -> None:
    oid = work.track("f", b"old")
    work.gen({"g": "mine"})
    project = work.open()
    with operation(project, "delete") as op:
        op.will_replace(work.path("f"), oid)  # type: ignore[arg-type]
        op.keep(work.path("g"))
        os.unlink(work.path("f"))
        os.unlink(work.path("g"))
    for _ in range(3):
        undo(project)
        assert (work.text("f"), work.text("g")) == ("old", "mine")
        redo(project)
        assert (work.exists("f"), work.exists("g")) == (False, False)


def test_a_damaged_object_is_seen_before_anything_is_touched(work: Workplace) -> None:
    good, bad = work.track("f", b"old"), work.track("g", b"also old")
    project = work.open()
    with operation(project, "replace") as op:
        for name, oid in (("f", good), ("g", bad)):
            op.will_replace(work.path(name), oid)  # type: ignore[arg-type]
            work.gen({name: "new"})
    place = work.root / ".dvc/cache/files/md5" / bad[:2] / bad[2:]
    place.chmod(0o644)
    place.write_bytes(b"damaged!")
    with pytest.raises(ContentGoneError) as caught:
        undo(project)
    assert caught.value.details == (f"g: {bad}",)
    assert (work.text("f"), work.text("g")) == ("new", "new")
    undo(project, force=True)
    assert (work.text("f"), work.text("g")) == ("old", "new")


def test_many_files_come_back_together(work: Workplace) -> None:
    names = [f"d/{number}" for number in range(600)]
    oids = [work.track(name, f"old {name}".encode()) for name in names]
    project = work.open()
    with operation(project, "replace") as op:
        for name, oid in zip(names, oids, strict=True):
            op.will_replace(work.path(name), oid)  # type: ignore[arg-type]
            (work.root / name).write_text("new")
    begin = time.perf_counter()
    undo(project)
    assert time.perf_counter() - begin < 10
    assert all(work.text(name) == f"old {name}" for name in names)


def test_files_that_were_created_moved_and_kept_go_back(work: Workplace) -> None:
    project = work.open()
    work.gen({"from": "m", "kept": "k"})
    with operation(project, "mix") as op:
        op.will_create(work.path("new"))
        work.gen({"new": "n"})
        op.move(work.path("from"), work.path("to"))
        op.keep(work.path("kept"))
        write_atomic(work.path("kept"), b"overwritten")
    for _ in range(2):
        undo(project)
        assert [work.exists("new"), work.text("from"), work.exists("to"), work.text("kept")] == [
            False,
            "m",
            False,
            "k",
        ]
        redo(project)
        assert [work.text("new"), work.exists("from"), work.text("to"), work.text("kept")] == [
            "n",
            False,
            "m",
            "overwritten",
        ]


def test_what_changed_since_is_not_overwritten_unless_forced_and_then_goes_to_the_trash(
    work: Workplace,
) -> None:
    project = work.open()
    work.gen({"a.dvc": "before\n"})
    rewrite(project, "a.dvc", "after\n")
    work.gen({"a.dvc": "mine\n"})
    with pytest.raises(ChangedSinceError) as caught:
        undo(project)
    assert caught.value.details == ("a.dvc",)
    assert "--force" in caught.value.hint
    assert work.text("a.dvc") == "mine\n"
    undo(project, force=True)
    assert work.text("a.dvc") == "before\n"
    kept = [path.read_text() for path in (work.root / ".dvc/fourfold/trash").rglob("*") if path.is_file()]
    assert kept == ["mine\n"]


def test_data_that_changed_since_is_seen_by_its_content(work: Workplace) -> None:
    oid = work.track("f", b"old")
    new = work.track("g", b"new")
    project = work.open()
    with operation(project, "replace") as op:
        op.will_replace(work.path("f"), oid)  # type: ignore[arg-type]
        work.gen({"f": "new"})
        op.became(work.path("f"), new)  # type: ignore[arg-type]
    work.gen({"f": "mine"})
    with pytest.raises(ChangedSinceError):
        undo(project)
    undo(project, force=True)
    assert work.text("f") == "old"
    redo(project, force=True)
    assert work.text("f") == "mine"


def test_a_file_where_discarded_data_was_is_not_overwritten(work: Workplace) -> None:
    project = work.open()
    work.gen({"f": "old"})
    with operation(project, "drop") as op:
        op.discard(work.path("f"))
    work.gen({"f": "mine"})
    with pytest.raises(ChangedSinceError):
        undo(project)
    undo(project, force=True)
    assert work.text("f") == "old"


KILLED = """
import os, signal, sys
from fourfold.wiring import open_project
from fourfold.project.oplog import operation
project = open_project(sys.argv[1], environ={})
join = lambda name: os.path.join(project.root, name)
with operation(project, "killed") as op:
    op.will_write(join("a.dvc"))
    open(join("a.dvc"), "w").write("half")
    op.discard(join("data"))
    op.will_create(join("data"))
    os.mkdir(join("data"))
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_an_operation_that_was_killed_can_be_taken_back(work: Workplace) -> None:
    work.gen({"a.dvc": "before\n", "data": {"x": "1"}})
    done = subprocess.run([sys.executable, "-c", KILLED, str(work.root)], check=False)
    assert done.returncode == -signal.SIGKILL
    project = work.open()
    assert states(work) == ["interrupted"]
    undo(project)
    assert (work.text("a.dvc"), work.text("data/x")) == ("before\n", "1")


def test_an_operation_that_is_still_running_is_not_taken_back(work: Workplace) -> None:
    project, other = work.open(), work.open()
    with operation(project, "slow") as op:
        op.will_write(work.path("a.dvc"))
        assert states(work) == ["running"]
        with pytest.raises(RepositoryLockedError, match="still running"):
            undo(other)
        with operation(other, "quick") as quick:
            quick.will_create(work.path("b"))
            assert quick.id == "000002"
        work.gen({"a.dvc": "1"})
    assert states(work) == ["done", "done"]


def test_taking_back_can_be_killed_at_any_step_and_run_again(
    work: Workplace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work.gen({"a.dvc": "before\n", "data": {"x": "1"}, "from": "m", "kept": "k"})
    project = work.open()
    with operation(project, "mix") as op:
        op.will_write(work.path("a.dvc"))
        work.gen({"a.dvc": "after\n"})
        op.discard(work.path("data"))
        op.will_create(work.path("new"))
        work.gen({"new": "n"})
        op.move(work.path("from"), work.path("to"))
        op.keep(work.path("kept"))
        write_atomic(work.path("kept"), b"overwritten")
    shutil.copytree(work.root, tmp_path / "saved", symlinks=True)

    class Killed(BaseException):
        pass

    for step in range(1, 20):
        shutil.rmtree(work.root)
        shutil.copytree(tmp_path / "saved", work.root, symlinks=True)
        left = [step]

        def counted(real: object, left: list[int] = left) -> object:
            def call(*args: object, **options: object) -> object:
                left[0] -= 1
                if not left[0]:
                    raise Killed
                return real(*args, **options)  # type: ignore[operator]

            return call

        with monkeypatch.context() as patch:
            for name in ("rename", "replace", "unlink", "write"):
                patch.setattr(os, name, counted(getattr(os, name)))
            try:
                undo(work.open())
            except Killed:
                pass
            else:
                break
        undo(work.open())
        assert (work.text("a.dvc"), work.text("data/x")) == ("before\n", "1")
        assert (work.text("from"), work.text("kept"), work.exists("new")) == ("m", "k", False)
    assert step > 8


@pytest.mark.parametrize(
    "entry",
    [
        {"act": "write", "path": "../outside", "before": {"text": "x"}, "mode": 420},
        {"act": "write", "path": "/etc/passwd", "before": None, "mode": 420},
        {"act": "create", "path": ".git/hooks"},
        {"act": "move", "path": "a", "to": "../b"},
        {"act": "replace", "path": "a", "oid": "../../x", "legacy": False, "exec": False},
        {"act": "explode", "path": "a"},
        {"act": "write"},
        {"act": "write", "path": 3},
    ],
)
def test_a_journal_that_a_repository_planted_names_nothing_outside(
    work: Workplace, entry: dict[str, object]
) -> None:
    project = work.open()
    rewrite(project, "a.dvc", "one\n")
    head = {"version": 1, "id": "000002", "at": 1, "command": "x", "arguments": [], "pid": 1}
    lines = [head, entry, {"end": "done", "files": {}, "paths": {}}]
    work.gen({".dvc/fourfold/ops/000002.jsonl": "".join(json.dumps(line) + "\n" for line in lines)})
    assert [one.id for one in log(project)] == ["000001"]


def test_a_planted_link_does_not_lead_undo_out_of_the_project(work: Workplace, tmp_path: Path) -> None:
    project = work.open()
    work.gen({"sub/a.dvc": "before\n"})
    rewrite(project, "sub/a.dvc", "after\n")
    (tmp_path / "outside").mkdir()
    work.gen({"sub": None})
    os.symlink(tmp_path / "outside", work.path("sub"))
    with pytest.raises(UnsafePathError):
        undo(project, force=True)
    assert os.listdir(tmp_path / "outside") == []


def test_torn_journals_are_passed_over_and_their_numbers_are_not_used_again(work: Workplace) -> None:
    project = work.open()
    work.gen({".dvc/fourfold/ops/000007.jsonl": '{"version": 1, "id"', ".dvc/fourfold/ops/notes.txt": "x"})
    rewrite(project, "a.dvc", "one\n")
    assert [one.id for one in log(project)] == ["000008"]


def test_secrets_do_not_enter_the_log(work: Workplace) -> None:
    project = work.open()
    arguments = ["modify", "secret_access_key", "hunter2", "https://user:pa55word@host/x"]
    with operation(project, "remote", arguments) as op:
        op.will_write(work.path("a.dvc"))
        work.gen({"a.dvc": "1"})
    text = work.text(".dvc/fourfold/ops/000001.jsonl")
    assert "hunter2" not in text
    assert "pa55word" not in text
    assert os.stat(work.path(".dvc/fourfold/ops/000001.jsonl")).st_mode & 0o077 == 0


def test_the_log_keeps_the_latest_operations_and_their_trash(work: Workplace) -> None:
    project = work.open()
    for number in range(5):
        work.gen({"f": str(number)})
        with operation(project, "drop") as op:
            op.discard(work.path("f"))
    assert prune(project, keep=2) == ["000001", "000002", "000003"]
    assert sorted(os.listdir(work.path(".dvc/fourfold/trash"))) == ["000004", "000005"]
    undo(project)
    assert work.text("f") == "4"
    prune(project, keep=2, days=0)
    assert os.listdir(work.path(".dvc/fourfold/trash")) == []


def test_paths_outside_of_the_project_are_not_recorded_and_never_discarded(
    work: Workplace, tmp_path: Path
) -> None:
    project = work.open()
    (tmp_path / "outside").write_text("x")
    with operation(project, "out") as op:
        op.will_write(str(tmp_path / "outside"))
        op.will_create(str(tmp_path / "new"))
        with pytest.raises(UnsafePathError):
            op.discard(str(tmp_path / "outside"))
    assert log(project) == []
    assert (tmp_path / "outside").exists()


def test_recording_a_small_command_takes_less_than_ten_milliseconds(work: Workplace) -> None:
    project = work.open()
    took = []
    for number in range(10):
        begin = time.perf_counter()
        with operation(project, "small") as op:
            op.will_write(work.path("a.dvc"))
            (work.root / "a.dvc").write_text(str(number))
        took.append(time.perf_counter() - begin)
    assert min(took) < 0.010


def test_an_operation_is_where_it_was_announced(work: Workplace) -> None:
    project = work.open()
    with operation(project, "x") as op:
        assert isinstance(op, Operation)
        assert op.id is None
        op.will_create(work.path("n"))
        assert op.id == "000001"
