"""Finding and opening a project."""

import os
import time
from pathlib import Path

import pytest

from fourfold.base.errors import FourfoldError, UnsafeError
from fourfold.project.project import NotInProjectError, ProjectUnreadableError, find_root
from fourfold.wiring import open_project
from tests.project.workplace import Workplace


def test_a_project_is_found_from_any_folder_below_its_root(work: Workplace) -> None:
    work.gen({"a/b/c": {}})
    assert find_root(work.path("a/b/c")) == str(work.root)
    project = work.open("a/b")
    assert (project.root, project.cwd) == (str(work.root), work.path("a/b"))
    assert project.display(work.path("a/x")) == "../x"
    assert project.relpath(work.path("a/x")) == "a/x"


def test_a_project_inside_another_is_its_own(work: Workplace) -> None:
    work.gen({"sub/.dvc/config": "", "sub/deep": {}})
    assert find_root(work.path("sub/deep")) == work.path("sub")


def test_outside_of_a_project_the_error_says_how_to_begin_one(tmp_path: Path) -> None:
    with pytest.raises(NotInProjectError) as caught:
        find_root(str(tmp_path))
    assert caught.value.exit_code == 253
    assert "ff init" in caught.value.hint


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotInProjectError, match="nowhere"):
        find_root(str(tmp_path / "nowhere"))


def test_a_file_called_dvc_is_no_project_and_the_error_says_so(tmp_path: Path) -> None:
    (tmp_path / ".dvc").write_text("")
    with pytest.raises(ProjectUnreadableError, match="not a directory"):
        find_root(str(tmp_path))


def test_opening_takes_less_than_five_milliseconds(work: Workplace) -> None:
    work.open()
    took = []
    for _ in range(20):
        begin = time.perf_counter()
        open_project(str(work.root), environ=work.environ)
        took.append(time.perf_counter() - begin)
    assert min(took) < 0.005


def test_our_own_folder_hides_itself_from_git(work: Workplace) -> None:
    project = work.open()
    path = project.make_own_dir("ops")
    assert os.path.isdir(path)
    assert work.text(".dvc/fourfold/.gitignore") == "*\n"
    assert "fourfold" not in work.git("status", "--short", "--untracked-files=all")


def test_a_file_where_our_own_folder_should_be_is_told(work: Workplace) -> None:
    work.gen({".dvc/fourfold": "a file\n"})
    with pytest.raises(FourfoldError, match=r"creating .*fourfold failed"):
        work.open().make_own_dir()
    assert work.text(".dvc/fourfold") == "a file\n"


@pytest.mark.parametrize("planted", [".dvc/fourfold", ".dvc/fourfold/ops"])
def test_our_own_folder_is_never_reached_through_a_link_that_a_repository_planted(
    work: Workplace, tmp_path: Path, planted: str
) -> None:
    (tmp_path / "outside").mkdir()
    os.makedirs(os.path.dirname(work.path(planted)), exist_ok=True)
    os.symlink(tmp_path / "outside", work.path(planted))
    with pytest.raises(UnsafeError):
        work.open().make_own_dir("ops", "x")
    assert os.listdir(tmp_path / "outside") == []
