"""Transcripts: add, commit and checkout, in text and JSON, with and without somebody at the keyboard."""

import argparse
import io
import json
from pathlib import Path

import pytest

from fourfold.cli.commands import checkout, commit
from fourfold.cli.options import Settings
from fourfold.cli.session import Session
from fourfold.content.checkout import UnsavedChangesError
from fourfold.project.commit import ChangedSinceRecordedError
from tests.fixtures.sandbox import Sandbox

ONE = "f97c5d29941bfb1b2fdab0874906ab82"
TREE = {"data": {"a": "1\n", "b": "22\n"}, "f": "one"}


@pytest.fixture
def repo(ff_repo: Sandbox) -> Sandbox:
    """A project with data that nothing tracks yet."""
    ff_repo.gen(TREE)
    return ff_repo


def test_add_says_what_it_tracks_and_how_git_learns_of_it(repo: Sandbox) -> None:
    ran = repo.run("add", "data", "f")
    assert ran.stdout.splitlines() == ["Tracked data (2 files, 5 B)", "Tracked f (3 B)"]
    assert "git add .gitignore data.dvc f.dvc" in ran.stderr
    assert repo.run("add", "f").stdout == "Unchanged f (3 B)\n"
    repo.gen({"f": "three", "data": {"c": "333\n"}})
    assert repo.run("add", "f", "data/c").stdout.splitlines() == [
        "Updated f (5 B)",
        "Updated data/c in data (3 files, 9 B)",
    ]
    assert repo.run("add", "-q", "f").stdout == ""


def test_add_tells_programs_the_same(repo: Sandbox) -> None:
    data = repo.run("add", "f", "--json").json()
    assert data == {
        "added": [
            {
                "path": "f",
                "output": "f",
                "pointer": "f.dvc",
                "md5": ONE,
                "size": 3,
                "nfiles": None,
                "new": True,
                "changed": True,
            }
        ],
        "cache": {"objects": 1, "size": 3},
        "files": [".gitignore", "f.dvc"],
        "staged": False,
    }


def test_a_failing_add_is_one_line_a_hint_and_a_code(repo: Sandbox) -> None:
    ran = repo.run("add", "dat", check=False)
    assert (ran.code, ran.stdout) == (1, "")
    assert ran.stderr.splitlines() == [
        "error: 'dat' does not exist",
        "hint: did you mean 'data'?",
        "code: nothing-to-add",
    ]
    shown = repo.run("add", "dat", "--json", check=False).json()["error"]
    assert (shown["code"], shown["exit_code"]) == ("nothing-to-add", 1)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("add -o out a b", "multiple targets can't be used with --out"),
        ("add --to-remote a b", "multiple targets can't be used with --to-remote"),
        ("add -o out --glob a", "--glob can't be used with --out"),
        ("add --to-remote --no-commit a", "--no-commit can't be used with --to-remote"),
        ("add -r x a", "--remote can't be used without --to-remote"),
        ("add --remote-jobs 2 a", "--remote-jobs can't be used without --to-remote"),
    ],
)
def test_options_that_exclude_each_other_are_told_apart_with_dvc_s_exit_code(
    repo: Sandbox, words: str, reason: str
) -> None:
    ran = repo.run(*words.split(), check=False)
    assert (ran.code, reason in ran.stderr) == (1, True)


def test_checkout_lists_what_changed_as_dvc_does(repo: Sandbox) -> None:
    repo.run("add", "data", "f")
    assert repo.run("checkout").stdout == ""
    assert repo.run("checkout", "--summary").stdout == "No changes.\n"
    repo.gen({"f": None, "data/a": None})
    assert repo.run("checkout").stdout == "M\tdata/\nA\tf\n"
    repo.gen({"f": None, "data/a": None, "data.dvc": None})
    assert repo.run("checkout", "--summary").stdout == "1 file added and 1 file deleted\n"
    assert repo.run("checkout", "--relink").stdout == "Relinked successfully\n"


def test_checkout_tells_programs_more(repo: Sandbox) -> None:
    repo.run("add", "data", "f")
    repo.gen({"data": None})
    assert repo.run("checkout", "--json").json() == {
        "added": ["data/"],
        "modified": [],
        "deleted": [],
        "stats": {"modified": 0, "added": 2, "deleted": 0},
        "relinked": 0,
        "missing": [],
        "kept": [],
    }


def test_checkout_without_anybody_to_ask_refuses_and_names_the_way_out(repo: Sandbox) -> None:
    repo.run("add", "f")
    repo.gen({"f": "precious"})
    ran = repo.run("checkout", check=False)
    assert (ran.code, ran.stdout) == (255, "")
    assert "code: unsaved-changes" in ran.stderr
    assert "--force" in ran.stderr
    assert repo.text("f") == "precious"


def test_checkout_of_missing_content_says_what_it_did_and_what_is_missing(repo: Sandbox) -> None:
    repo.run("add", "data", "f")
    (repo.path / ".dvc/cache/files/md5" / ONE[:2] / ONE[2:]).unlink()
    repo.gen({"f": None, "data": None})
    ran = repo.run("checkout", check=False)
    assert ran.code == 255
    assert repo.text("data/a") == "1\n"
    assert f"f: {ONE}" in ran.stderr
    assert "A\tdata/" in ran.stderr
    shown = repo.run("checkout", "--json", check=False).json()["error"]
    assert (shown["code"], shown["details"]) == ("checkout-incomplete", [f"f: {ONE}"])
    assert repo.run("checkout", "--allow-missing", "--json").json()["missing"] == [{"path": "f", "md5": ONE}]


def test_commit_says_what_it_recorded(repo: Sandbox) -> None:
    repo.run("add", "data", "f")
    assert repo.run("commit").stdout == ""
    repo.gen({"f": "two"})
    refused = repo.run("commit", check=False)
    assert (refused.code, "f.dvc: output 'f' modified" in refused.stderr) == (1, True)
    assert repo.run("commit", "-f", "f").stdout == "Committed f\n"
    data = repo.run("commit", "f", "--json").json()
    assert data["committed"][0]["changed"] is False
    assert data["stages"] == []


def test_autostage_leaves_nothing_to_say(repo: Sandbox) -> None:
    repo.gen({".dvc/config": "[core]\n    autostage = true\n"})
    ran = repo.run("add", "f")
    assert "git add" not in ran.stderr
    assert repo.git("diff", "--cached", "--name-only").split() == [".gitignore", "f.dvc"]


# --- at a terminal ----------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    """A stream with a person at it."""

    def isatty(self) -> bool:
        return True


def at_terminal(repo: Sandbox, answer: str) -> Session:
    return Session(
        Settings(),
        cwd=str(repo.path),
        environ=repo.tool.env,
        stdin=Terminal(answer),
        stdout=io.StringIO(),
        stderr=Terminal(),
    )


def parsed(command: object, *words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    command.configure(parser)  # type: ignore[attr-defined]
    return parser.parse_args(words)


def test_checkout_asks_and_does_what_is_answered(repo: Sandbox) -> None:
    repo.run("add", "f")
    repo.gen({"f": "precious"})
    with pytest.raises(UnsavedChangesError):
        checkout.run(parsed(checkout, "f"), at_terminal(repo, "n\n"))
    assert repo.text("f") == "precious"
    outcome = checkout.run(parsed(checkout, "f"), at_terminal(repo, "y\n"))
    assert (list(outcome.text), repo.text("f")) == (["M\tf"], "one")
    repo.run("undo")
    assert repo.text("f") == "precious"


def test_commit_asks_and_does_what_is_answered(repo: Sandbox) -> None:
    repo.run("add", "f")
    repo.gen({"f": "two"})
    before = repo.text("f.dvc")
    with pytest.raises(ChangedSinceRecordedError):
        commit.run(parsed(commit), at_terminal(repo, "n\n"))
    assert repo.text("f.dvc") == before
    assert list(commit.run(parsed(commit), at_terminal(repo, "y\n")).text) == ["Committed f"]
    assert repo.text("f.dvc") != before


def test_a_name_that_is_not_utf_8_is_told_and_nothing_else_happens(repo: Sandbox) -> None:
    name = b"caf\xe9".decode("utf-8", "surrogateescape")
    (repo.path / name).write_text("1")
    ran = repo.run("add", name, check=False)
    assert (ran.code, "not UTF-8" in ran.stderr, "Traceback" in ran.stderr) == (1, True, False)
    Path(repo.path / "data" / name).write_text("1")
    ran = repo.run("add", "data", "--json", check=False)
    assert json.loads(ran.stdout)["error"]["code"] == "file-name-not-utf8"
