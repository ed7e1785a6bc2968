"""Remove: pointer files and stages go together with what they wrote; data goes only when that is asked."""

import os

import pytest

from fourfold.base.errors import UsageError
from fourfold.project.add import add
from fourfold.project.freeze import TemplatedStageError
from fourfold.project.locks import RepositoryLockedError, project_lock
from fourfold.project.remove import remove
from fourfold.project.targets import OwnerFileNotFoundError
from fourfold.project.undo import undo
from tests.project.workplace import Workplace

STAGES = (
    "stages:\n  a:\n    cmd: echo a > a\n    outs:\n    - a\n  b:\n    cmd: echo b > b\n    outs:\n    - b\n"
)


@pytest.fixture
def tracked(work: Workplace) -> Workplace:
    """Two files and a directory."""
    work.gen({".dvc/config.local": "[cache]\n    type = hardlink\n"})
    work.gen({"f": "one\n", "g": "two\n", "d": {"a": "three\n"}})
    add(work.open(), ["f", "g", "d"])
    return work


def state(work: Workplace) -> dict[str, str]:
    """The text of every file of the workspace, Git's and ours left out."""
    found = {}
    for folder, folders, names in os.walk(work.root):
        folders[:] = [name for name in folders if name not in {".git", ".dvc"}]
        for name in names:
            path = os.path.relpath(os.path.join(folder, name), work.root)
            found[path] = work.text(path)
    return found


def test_data_that_stays_is_private_and_git_sees_it_again(tracked: Workplace) -> None:
    result = remove(tracked.open(), ["f.dvc", "d.dvc"])
    assert (result.kept, result.removed) == ((tracked.path("f"), tracked.path("d")), ())
    assert os.lstat(tracked.path("d/a")).st_nlink == 1
    assert tracked.text(".gitignore") == "/g\n"
    assert not tracked.exists("f.dvc")
    assert tracked.text("d/a") == "three\n"


def test_data_that_goes_comes_back_by_undo(tracked: Workplace) -> None:
    before = state(tracked)
    result = remove(tracked.open(), ["f.dvc", "d.dvc"], outs=True)
    assert result.removed == (tracked.path("f"), tracked.path("d"))
    assert not tracked.exists("f")
    assert not tracked.exists("d")
    undo(tracked.open())
    assert state(tracked) == before


def test_edits_that_were_never_saved_come_back_too(tracked: Workplace) -> None:
    os.unlink(tracked.path("f"))
    tracked.gen({"f": "never saved\n"})
    remove(tracked.open(), ["f.dvc"], outs=True)
    undo(tracked.open())
    assert tracked.text("f") == "never saved\n"


def test_one_target_that_does_not_exist_leaves_all_of_them(tracked: Workplace) -> None:
    before = state(tracked)
    with pytest.raises(OwnerFileNotFoundError):
        remove(tracked.open(), ["f.dvc", "none.dvc"], outs=True)
    assert state(tracked) == before


def test_a_stage_leaves_its_file_and_its_lock_and_the_last_one_takes_them_along(work: Workplace) -> None:
    lock = "schema: '2.0'\nstages:\n  a:\n    cmd: echo a > a\n  b:\n    cmd: echo b > b\n"
    work.gen({"dvc.yaml": STAGES, "dvc.lock": lock})
    remove(work.open(), ["a"])
    assert "echo a" not in work.text("dvc.yaml") + work.text("dvc.lock")
    assert "echo b" in work.text("dvc.lock")
    remove(work.open(), ["b"])
    assert not work.exists("dvc.lock")
    assert not work.exists("dvc.yaml")


def test_a_stage_of_a_template_is_refused_and_nothing_is_written(work: Workplace) -> None:
    text = "stages:\n  s:\n    foreach: [x, y]\n    do:\n      cmd: echo ${item}\n"
    lock = "schema: '2.0'\nstages:\n  s@x:\n    cmd: echo x\n"
    work.gen({"dvc.yaml": text, "dvc.lock": lock})
    with pytest.raises(TemplatedStageError):
        remove(work.open(), ["s@x"])
    assert (work.text("dvc.yaml"), work.text("dvc.lock")) == (text, lock)


def test_while_another_process_works_nothing_goes(tracked: Workplace) -> None:
    before = state(tracked)
    with project_lock(tracked.open()), pytest.raises(RepositoryLockedError):
        remove(tracked.open(), ["f.dvc"], outs=True)
    assert state(tracked) == before


def test_nothing_named_is_a_wrong_command(tracked: Workplace) -> None:
    with pytest.raises(UsageError):
        remove(tracked.open(), [])
