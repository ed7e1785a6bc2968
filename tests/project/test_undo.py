"""Undo while the disk refuses, or the process dies: a path of the workspace is never without its file."""

import os
from pathlib import Path

import pytest

from fourfold.base.errors import FourfoldError
from fourfold.project.add import add
from fourfold.project.checkout import checkout
from fourfold.project.undo import redo, undo
from tests.project.workplace import Workplace


@pytest.fixture
def replaced(work: Workplace) -> Workplace:
    """A checkout replaced saved data, and data that was saved nowhere."""
    work.gen({"f": "one\n", "g": "one of g\n"})
    add(work.open(), ["f", "g"])
    old = {name: work.text(f"{name}.dvc") for name in ("f", "g")}
    work.gen({"f": "two\n", "g": "two of g\n"})
    add(work.open(), ["f", "g"])
    work.gen({"f.dvc": old["f"], "g.dvc": old["g"], "g": "never saved\n"})
    checkout(work.open(), force=True)
    assert (work.text("f"), work.text("g")) == ("one\n", "one of g\n")
    return work


def test_files_are_exchanged_by_renames_over_what_is_there(
    replaced: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = {replaced.path("f"), replaced.path("g")}
    lacking: list[str] = []
    for name in ("rename", "replace", "link", "unlink", "mkdir"):
        original = getattr(os, name)

        def look(*args: object, _original: object = original, **options: object) -> object:
            lacking.extend(path for path in wanted if not os.path.lexists(path))
            return _original(*args, **options)  # type: ignore[operator]

        monkeypatch.setattr(os, name, look)
    undo(replaced.open())
    assert lacking == []
    assert (replaced.text("f"), replaced.text("g")) == ("two\n", "never saved\n")


def test_a_disk_that_refuses_leaves_the_files_and_the_same_command_goes_on(
    replaced: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = os.replace

    def refuse(source: str, target: str) -> None:
        if target == replaced.path("f"):
            raise PermissionError(13, "Permission denied", target)
        original(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", refuse)
        with pytest.raises(FourfoldError):
            undo(replaced.open())
    assert replaced.text("f") == "one\n"
    assert replaced.exists("g")
    undo(replaced.open())
    assert (replaced.text("f"), replaced.text("g")) == ("two\n", "never saved\n")
    redo(replaced.open())
    assert (replaced.text("f"), replaced.text("g")) == ("one\n", "one of g\n")


def test_where_a_file_cannot_have_two_names_it_is_moved_and_comes_back_all_the_same(
    replaced: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object, **_options: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    undo(replaced.open())
    assert (replaced.text("f"), replaced.text("g")) == ("two\n", "never saved\n")
    assert Path(replaced.path("f")).stat().st_nlink == 1
