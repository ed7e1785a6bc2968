"""Move: data, pointer file and the line of ``.gitignore`` get their new names together, or none does."""

import os

import pytest

from fourfold.base.errors import FourfoldError
from fourfold.base.events import Warned
from fourfold.project.add import add
from fourfold.project.locks import RepositoryLockedError, project_lock
from fourfold.project.move import (
    MadeByStageError,
    NoSuchFolderError,
    NotAnOutputError,
    TargetTakenError,
    move,
)
from fourfold.project.status import status
from fourfold.project.undo import undo
from tests.project.test_remove import state
from tests.project.workplace import Workplace


@pytest.fixture
def tracked(work: Workplace) -> Workplace:
    """A file, a directory, a stage that makes something, and a folder to move to."""
    work.gen({"f": "one\n", "d": {"a": "two\n"}, "to": {"keep": "x"}, "git": "tracked by Git"})
    work.gen({"dvc.yaml": "stages:\n  s:\n    cmd: echo 1 > o\n    outs:\n    - o\n", "o": "1\n"})
    add(work.open(), ["f", "d"])
    work.git("add", "git")
    return work


@pytest.mark.parametrize(
    ("source", "target", "place"),
    [("f", "g", "g"), ("f", "to", "to/f"), ("d", "to", "to/d"), ("d", "e", "e")],
)
def test_what_was_moved_is_clean_in_its_new_place_and_undo_takes_it_back(
    tracked: Workplace, source: str, target: str, place: str
) -> None:
    before = state(tracked)
    result = move(tracked.open(), source, target)
    assert (result.target, result.pointer) == (tracked.path(place), tracked.path(f"{place}.dvc"))
    assert not tracked.exists(source)
    assert not tracked.exists(f"{source}.dvc")
    assert [c.owner.relpath for c in status(tracked.open()).changed if c.owner.relpath.endswith(".dvc")] == []
    ignored = os.path.join(os.path.dirname(place), ".gitignore")
    assert f"/{os.path.basename(place)}\n" in tracked.text(ignored)
    undo(tracked.open())
    assert state(tracked) == before


@pytest.mark.parametrize(
    ("source", "target", "error"),
    [
        ("nothing", "g", NotAnOutputError),
        ("d/a", "g", NotAnOutputError),
        ("o", "p", MadeByStageError),
        ("f", "no/such/g", NoSuchFolderError),
        ("f", "f", TargetTakenError),
        ("f", "git", TargetTakenError),
        ("f", "d", FourfoldError),
        ("f", "../f", FourfoldError),
        ("d", "d/inside", FourfoldError),
    ],
)
def test_what_cannot_be_moved_stays_with_all_that_belongs_to_it(
    tracked: Workplace, source: str, target: str, error: type[FourfoldError]
) -> None:
    before = state(tracked)
    with pytest.raises(error):
        move(tracked.open(), source, target)
    assert state(tracked) == before


def test_a_pointer_file_in_the_way_is_never_overwritten(tracked: Workplace) -> None:
    tracked.gen({"to": {"f.dvc": "outs:\n- path: other\n"}})
    before = state(tracked)
    with pytest.raises(FourfoldError):
        move(tracked.open(), "f", "to")
    assert state(tracked) == before


def test_a_file_in_the_way_goes_to_the_trash_and_comes_back(tracked: Workplace) -> None:
    tracked.gen({"g": "mine\n"})
    heard: list[object] = []
    move(tracked.open(), "f", "g", events=heard.append)
    assert [event.code for event in heard if isinstance(event, Warned)] == ["kept-in-trash"]
    assert tracked.text("g") == "one\n"
    undo(tracked.open())
    assert (tracked.text("g"), tracked.text("f")) == ("mine\n", "one\n")


def test_data_that_is_missing_moves_by_its_pointer_file_alone(tracked: Workplace) -> None:
    os.unlink(tracked.path("f"))
    heard: list[object] = []
    move(tracked.open(), "f", "g", events=heard.append)
    assert [event.code for event in heard if isinstance(event, Warned)] == ["missing-data"]
    assert tracked.exists("g.dvc")
    assert not tracked.exists("f.dvc")


def test_an_edit_is_still_an_edit_after_the_move(tracked: Workplace) -> None:
    tracked.gen({"f": "edited\n"})
    move(tracked.open(), "f", "g")
    assert tracked.text("g") == "edited\n"
    assert "g.dvc" in [change.owner.relpath for change in status(tracked.open()).changed]


def test_while_another_process_works_nothing_moves(tracked: Workplace) -> None:
    before = state(tracked)
    with project_lock(tracked.open()), pytest.raises(RepositoryLockedError):
        move(tracked.open(), "f", "g")
    assert state(tracked) == before
