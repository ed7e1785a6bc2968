"""Commit: what changed is recorded only when somebody insists, and then all of it."""

import hashlib

import pytest

from fourfold.formats.dvc.pointer import import_checksum, parse
from fourfold.pipeline.record import stage_recorder
from fourfold.project.add import add
from fourfold.project.commit import (
    ChangedSinceRecordedError,
    CommitResult,
    NothingToCommitError,
    StageNotRecordableError,
    commit,
)
from fourfold.project.recording import TrackedByGitError
from fourfold.project.undo import undo
from tests.project.workplace import Workplace


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


def committed(work: Workplace, *targets: str, force: bool = False) -> CommitResult:
    return commit(work.open(), targets, force=force)


def test_what_was_added_without_saving_is_saved(work: Workplace) -> None:
    work.gen({"d": {"a": "1"}, "f": "2"})
    add(work.open(), ["d", "f"], no_commit=True)
    assert not work.exists(".dvc/cache/files")
    result = committed(work)
    assert (result.stored.added, [item.changed for item in result.recorded]) == (3, [False, False])
    assert committed(work).stored.added == 0


def test_everything_that_changed_is_named_and_nothing_is_recorded(work: Workplace) -> None:
    work.gen({"d": {"a": "1"}, "f": "2", "g": "3"})
    add(work.open(), ["d", "f", "g"])
    before = work.text("f.dvc")
    work.gen({"d": {"b": "new"}, "f": "changed", "g": None})
    with pytest.raises(ChangedSinceRecordedError, match="and 2 more") as caught:
        committed(work)
    assert caught.value.details == (
        "d.dvc: output 'd' modified",
        "f.dvc: output 'f' modified",
        "g.dvc: output 'g' deleted",
    )
    assert work.text("f.dvc") == before


def test_by_force_it_is_recorded_and_can_be_taken_back(work: Workplace) -> None:
    work.gen({"f": "1"})
    add(work.open(), ["f"])
    before = work.text("f.dvc")
    work.gen({"f": "22"})
    committed(work, "f", force=True)
    assert md5(b"22") in work.text("f.dvc")
    undo(work.open())
    assert (work.text("f.dvc"), work.text("f")) == (before, "22")


def test_what_is_gone_cannot_be_recorded(work: Workplace) -> None:
    work.gen({"f": "1", "g": "2"})
    add(work.open(), ["f", "g"])
    work.gen({"f": None, "g": "3"})
    with pytest.raises(NothingToCommitError):
        committed(work, force=True)
    assert md5(b"2") in work.text("g.dvc")


def test_what_git_tracks_is_not_recorded(work: Workplace) -> None:
    work.track("f", b"1")
    work.git("add", "-f", "f")
    with pytest.raises(TrackedByGitError):
        committed(work, force=True)


def test_a_changed_part_records_its_directory(work: Workplace) -> None:
    work.gen({"d": {"a": "1", "b": "2"}})
    add(work.open(), ["d"])
    work.gen({"d": {"a": "changed", "c": "new"}})
    result = committed(work, "d/a", force=True)
    assert work.open().store.read_tree(result.recorded[0].oid).paths == ["a", "b", "c"]


def test_an_import_keeps_a_checksum_that_fits(work: Workplace) -> None:
    oid = work.track("source", b"data")
    entry = f"md5: {oid}\n  size: 4\n  hash: md5\n  path: "
    work.gen({"copy": "data", "copy.dvc": f"md5: {'a' * 32}\ndeps:\n- {entry}source\nouts:\n- {entry}copy\n"})
    with pytest.raises(ChangedSinceRecordedError, match="copy"):
        committed(work, "copy")
    committed(work, "copy", force=True)
    pointer = parse(work.text("copy.dvc").encode())
    assert pointer.md5 == import_checksum(pointer)
    committed(work, "copy")


def test_a_stage_needs_somebody_who_knows_stages(work: Workplace) -> None:
    work.gen(
        {"dvc.yaml": "stages:\n  s:\n    cmd: cp a b\n    deps: [a]\n    outs: [b]\n", "a": "1", "b": "1"}
    )
    with pytest.raises(StageNotRecordableError):
        committed(work, force=True)
    project = work.open()
    result = commit(project, ["s"], force=True, record_stage=stage_recorder(project, insisted=True))
    assert result.stages == ("s",)
    assert md5(b"1") in work.text("dvc.lock")
    again = work.open()
    commit(again, record_stage=stage_recorder(again, insisted=False))
