"""``fourfold.lock`` within operations: written whole, undone, and left when its stage leaves."""

from pathlib import Path

import pytest

from fourfold.base.errors import InvalidFileError
from fourfold.formats.native.lockfile import LockStage
from fourfold.project.nativelock import change_lock, read_lock
from fourfold.project.oplog import operation
from fourfold.project.remove import remove
from fourfold.project.undo import undo
from tests.project.workplace import Workplace

ENTRY = LockStage("ab" * 32, seed=1)
PIPELINE = "stages:\n  a:\n    cmd: echo a\n  b:\n    cmd: echo b\n"


@pytest.fixture
def work(tmp_path: Path) -> Workplace:
    place = Workplace(tmp_path)
    place.gen({"sub": {"dvc.yaml": PIPELINE}})
    return place


def _change(work: Workplace, **entries: LockStage | None) -> str | None:
    project = work.open()
    with operation(project, "repro", []) as op:
        return change_lock(project, op, work.path("sub/dvc.yaml"), entries)


def test_it_lies_beside_its_dvc_yaml_and_the_same_again_writes_nothing(work: Workplace) -> None:
    assert _change(work, a=ENTRY) == work.path("sub/fourfold.lock")
    assert _change(work, a=ENTRY) is None
    assert dict(read_lock(work.open(), work.path("sub/dvc.yaml")).stages) == {"a": ENTRY}


def test_where_there_is_none_nothing_is_made_to_say_that_a_stage_is_gone(work: Workplace) -> None:
    assert _change(work, a=None) is None
    assert not work.exists("sub/fourfold.lock")


def test_undo_brings_back_what_it_said(work: Workplace) -> None:
    _change(work, a=ENTRY)
    before = work.text("sub/fourfold.lock")
    _change(work, a=ENTRY._replace(seed=2))
    undo(work.open())
    assert work.text("sub/fourfold.lock") == before
    undo(work.open())
    assert not work.exists("sub/fourfold.lock")


def test_a_stage_that_is_removed_leaves_it_and_the_last_one_takes_it_along(work: Workplace) -> None:
    _change(work, a=ENTRY, b=ENTRY)
    remove(work.open(), ["sub/dvc.yaml:a"])
    assert list(read_lock(work.open(), work.path("sub/dvc.yaml")).stages) == ["b"]
    remove(work.open(), ["sub/dvc.yaml:b"])
    assert not work.exists("sub/fourfold.lock")
    undo(work.open())
    assert list(read_lock(work.open(), work.path("sub/dvc.yaml")).stages) == ["b"]


def test_one_that_cannot_be_read_is_never_overwritten(work: Workplace) -> None:
    work.gen({"sub": {"fourfold.lock": "<<<<<<< ours\n"}})
    with pytest.raises(InvalidFileError):
        _change(work, a=ENTRY)
    assert work.text("sub/fourfold.lock") == "<<<<<<< ours\n"
