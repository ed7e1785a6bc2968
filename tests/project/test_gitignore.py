"""Keeping outputs out of Git: which lines are written where, compared with the real DVC."""

import os
from pathlib import Path

import pytest

from fourfold.project.gitignore import GitignoreIsLinkError, ignore, ignore_all, unignore
from tests.fixtures.sandbox import Sandbox
from tests.project.workplace import Workplace


def test_each_output_gets_one_line_in_its_own_folder(work: Workplace) -> None:
    project = work.open()
    work.gen({"data": {"x": ""}, "sub": {"a b": "", "c*": ""}})
    changed = ignore_all(project, [work.path(name) for name in ("data", "sub/c*", "sub/a b")])
    assert changed == [work.path(".gitignore"), work.path("sub/.gitignore")]
    assert (work.text(".gitignore"), work.text("sub/.gitignore")) == ("/data\n", "/c\\*\n/a b\n")
    assert ignore_all(project, [work.path("data")]) == []


def test_what_git_ignores_already_gets_no_line(work: Workplace) -> None:
    work.gen({".gitignore": "*.csv\nbuild/\n", "build": {}})
    assert ignore_all(work.open(), [work.path("x.csv"), work.path("build"), work.path("build/y")]) == []


def test_the_file_goes_with_its_last_line(work: Workplace) -> None:
    project = work.open()
    assert ignore(project, work.path("data"))
    assert unignore(project, work.path("data"))
    assert not work.exists(".gitignore")
    assert not unignore(project, work.path("data"))


def test_without_git_nothing_is_written(tmp_path: Path) -> None:
    work = Workplace(tmp_path, no_scm=True)
    project = work.open()
    assert ignore_all(project, [work.path("data")]) == []
    assert not unignore(project, work.path("data"))


def test_what_is_outside_of_the_work_tree_is_left_alone(work: Workplace, tmp_path: Path) -> None:
    assert ignore_all(work.open(), [str(tmp_path / "outside")]) == []
    assert not (tmp_path / ".gitignore").exists()


def test_a_symbolic_link_is_neither_followed_nor_replaced(work: Workplace, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("own\n")
    os.symlink(tmp_path / "secret", work.path(".gitignore"))
    with pytest.raises(GitignoreIsLinkError):
        ignore(work.open(), work.path("data"))
    assert (tmp_path / "secret").read_text() == "own\n"


def test_lines_are_those_of_dvc(dvc_repo: Sandbox, work: Workplace) -> None:
    start = {".gitignore": "*.log\ndd/", "sub": {".gitignore": "/old\n"}}
    names = ["data", "x.log", "sub/new", "dd", "b[1]!", "sub/#h", "é"]
    for place in (dvc_repo, work):
        place.gen({**start, **dict.fromkeys(names, "1")})
    dvc_repo.run("add", "--quiet", *names)
    ignore_all(work.open(), [work.path(name) for name in names])
    for file in (".gitignore", "sub/.gitignore"):
        assert work.text(file) == dvc_repo.text(file)
