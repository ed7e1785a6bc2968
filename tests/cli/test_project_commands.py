"""Transcripts: init, move, remove, freeze, unprotect, destroy, undo, redo and op log, in text and JSON."""

import json
import os
from pathlib import Path

import pytest

from tests.conftest import Tool
from tests.fixtures.sandbox import Sandbox

IMPORT = """\
md5: a1111111111111111111111111111111
deps:
- path: source
  md5: a5890ace30a3e84d9118196c161aeec2
  size: 4
  hash: md5
outs:
- md5: a5890ace30a3e84d9118196c161aeec2
  size: 4
  hash: md5
  path: copy
"""
OUT = "outs:\n- md5: a5890ace30a3e84d9118196c161aeec2\n  size: 4\n  hash: md5\n  path: {}\n"


@pytest.fixture
def repo(ff_repo: Sandbox) -> Sandbox:
    """A project with a file and an import, pointer files by hand."""
    ff_repo.gen({"f": "data", "f.dvc": OUT.format("f"), "copy": "data", "copy.dvc": IMPORT})
    ff_repo.gen({".gitignore": "/f\n/copy\n"})
    return ff_repo


def test_init_says_what_it_made_and_what_comes_next(git_repo: Sandbox) -> None:
    ran = git_repo.run("init")
    assert ran.stdout.splitlines()[0] == f"Initialized a project in {git_repo.path}."
    assert "ff add" in ran.stdout
    again = git_repo.run("init", check=False)
    assert (again.code, again.stdout) == (1, "")
    assert "code: init-refused" in again.stderr
    assert "ff init -f" in again.stderr


def test_init_tells_programs_the_same(git_repo: Sandbox) -> None:
    data = git_repo.run("init", "--json").json()
    assert data == {
        "root": str(git_repo.path),
        "files": [".dvc/config", ".dvcignore", ".dvc/.gitignore"],
        "no_scm": False,
        "replaced": False,
    }


def test_init_takes_no_scm_or_a_folder_of_a_repository_but_not_both(tmp_path: Path, ff: Tool) -> None:
    ran = ff("init", "--no-scm", "--subdir", cwd=tmp_path, check=False)
    assert (ran.code, ran.stderr.count("Traceback")) == (1, 0)
    assert not (tmp_path / ".dvc").exists()


def test_move_and_remove_name_what_they_did_and_what_git_needs(repo: Sandbox) -> None:
    moved = repo.run("move", "f", "g")
    assert moved.stdout == "Moved f to g\n"
    assert "git add .gitignore f.dvc g.dvc" in moved.stderr
    assert repo.run("mv", "g", "f", "--json").json() == {
        "from": "g",
        "to": "f",
        "pointer": "f.dvc",
        "files": [".gitignore", "f.dvc", "g.dvc"],
        "staged": False,
    }
    removed = repo.run("remove", "f.dvc", "--outs")
    assert removed.stdout == "Removed f.dvc\nRemoved f\n"
    assert repo.run("undo", "--json").json() == {
        "id": "000003",
        "command": "remove",
        "arguments": ["f.dvc", "--outs"],
        "files": ["f.dvc", ".gitignore"],
        "paths": ["f"],
    }
    assert repo.text("f") == "data"


def test_autostage_puts_the_changes_into_the_index_and_says_nothing(repo: Sandbox) -> None:
    repo.gen({".dvc/config": "[core]\n    autostage = true\n"})
    repo.commit("all")
    ran = repo.run("move", "f", "sub-less")
    assert "git add" not in ran.stderr
    assert "sub-less.dvc" in repo.git("diff", "--cached", "--name-only")


def test_freezing_is_quiet_and_told_to_programs(repo: Sandbox) -> None:
    assert repo.run("freeze", "copy.dvc").stdout == ""
    assert "frozen: true" in repo.text("copy.dvc")
    data = repo.run("unfreeze", "copy.dvc", "--json").json()
    assert data == {"unfreeze": ["copy.dvc"], "files": ["copy.dvc"], "staged": False}
    assert "frozen" not in repo.text("copy.dvc")


@pytest.mark.parametrize(
    ("command", "hint"),
    [
        (("remove", "f"), "did you mean 'f.dvc'?"),
        (("freeze", "copy"), "did you mean 'copy.dvc'?"),
        (("move", "ff", "g"), ""),
        (("unprotect", "nothing"), ""),
        (("remove", "none.dvc"), ""),
    ],
)
def test_a_mistake_is_one_line_and_a_hint(repo: Sandbox, command: tuple[str, ...], hint: str) -> None:
    ran = repo.run(*command, check=False)
    assert ran.code == 1
    assert ran.stderr.startswith("error: ")
    assert hint in ran.stderr
    assert "Traceback" not in ran.stderr


def test_the_log_lists_the_newest_first_and_what_was_taken_back(repo: Sandbox) -> None:
    repo.run("move", "f", "g")
    repo.run("freeze", "copy.dvc")
    repo.run("undo")
    lines = repo.run("op", "log").stdout.splitlines()
    assert [line.split("  ", 2)[2] for line in lines] == ["freeze copy.dvc  (undone)", "move f g"]
    data = repo.run("op", "log", "-n", "1", "--json").json()
    (only,) = data["operations"]
    assert (only["id"], only["state"], only["acts"]) == (
        "000002",
        "undone",
        [{"act": "write", "path": "copy.dvc"}],
    )
    assert repo.run("redo").stdout.startswith("Redone: ff freeze copy.dvc\n")


def test_undo_refuses_what_changed_since_and_names_it(repo: Sandbox) -> None:
    repo.run("freeze", "copy.dvc")
    repo.gen({"copy.dvc": OUT.format("copy")})
    ran = repo.run("undo", check=False)
    assert ran.code == 255
    assert "  copy.dvc\n" in ran.stderr
    assert "ff undo --force" in ran.stderr
    repo.run("undo", "--force")
    assert repo.text("copy.dvc") == IMPORT


def test_with_nothing_to_undo_the_error_says_so(repo: Sandbox) -> None:
    ran = repo.run("undo", check=False)
    assert (ran.code, "nothing to undo" in ran.stderr) == (255, True)
    assert repo.run("op", "log").stdout == ""
    assert repo.run("op", "log", "--json").json() == {"operations": []}


def test_unprotect_counts_the_files_that_it_made_private(repo: Sandbox) -> None:
    cached = repo.path / ".dvc" / "cache" / "files" / "md5" / "a5" / "890ace30a3e84d9118196c161aeec2"
    cached.parent.mkdir(parents=True)
    os.link(repo.path / "f", cached)
    assert repo.run("unprotect", "f").stdout == "f: 1 file is private now\n"
    assert repo.run("unprotect", "f", "--json").json() == {"unprotected": {"f": 0}}


def test_destroy_asks_and_nobody_answering_means_no(repo: Sandbox) -> None:
    ran = repo.run("destroy", check=False)
    assert (ran.code, repo.exists(".dvc")) == (1, True)
    assert "ff destroy -f" in ran.stderr
    data = repo.run("destroy", "-f", "--json").json()
    assert data == {"removed": [".dvcignore", "copy.dvc", "f.dvc", ".dvc"]}
    assert (repo.exists(".dvc"), repo.text("f")) == (False, "data")


@pytest.mark.parametrize(
    "command", ["move a b", "remove a", "freeze a", "undo", "redo", "op log", "destroy -f", "unprotect a"]
)
def test_outside_of_a_project_every_command_says_so(tmp_path: Path, ff: Tool, command: str) -> None:
    ran = ff(*command.split(), "--json", cwd=tmp_path, check=False)
    assert ran.code == 253
    assert json.loads(ran.stdout or ran.stderr)
