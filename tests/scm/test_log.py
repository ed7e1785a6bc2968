"""Which commits touched some files between two."""

from pathlib import Path

import pytest

from fourfold.scm.git import Git
from fourfold.scm.log import touches
from fourfold.scm.process import GitFailedError
from tests.fixtures.sandbox import Sandbox, Tool


@pytest.fixture
def repo(tmp_path: Path) -> Sandbox:
    found = Sandbox(tmp_path / "repo", Tool(["git"], tmp_path / "home"))
    found.git("init", "-q")
    return found


def test_commits_are_named_newest_first_with_the_paths_that_they_changed(repo: Sandbox) -> None:
    repo.gen({"a.py": "1", "b.py": "1", "c.py": "1"})
    first = repo.commit("begin")
    repo.gen({"a.py": "2", "ö é.py": "1"})
    repo.commit("a, and\n\nmore of it")
    repo.gen({"c.py": "2"})
    repo.commit("only c")
    repo.gen({"a.py": None, "b.py": "2"})
    last = repo.commit('b "quoted" | \t$(rm)')
    git = Git(str(repo.path), repo.tool.env)
    found = touches(git, repo.tool.env, first, last, ["a.py", "b.py", "ö é.py", "*.py"])
    assert [(touch.subject, touch.paths) for touch in found] == [
        ('b "quoted" | \t$(rm)', ("a.py", "b.py")),
        ("a, and", ("a.py", "ö é.py")),
    ]
    assert found[0].author == "Ada Lovelace"
    assert (found[0].id, found[0].when) == (last, 1704067200)
    assert touches(git, repo.tool.env, last, first, ["a.py"]) == []
    assert touches(git, repo.tool.env, first, last, []) == []


def test_no_message_passes_for_another_commit_or_for_none(repo: Sandbox) -> None:
    repo.gen({"a.py": "1", "b.py": "1"})
    first = repo.commit("begin")
    forged = f"one\1\1{'f' * 40}\2Eve\0021\2two"
    repo.gen({"a.py": "2"})
    repo.commit(forged)
    repo.gen({"b.py": "2", "\nnew line.py": "1", "\nother.py": "1"})
    repo.git("add", "-A")
    last = (
        repo.git("commit", "-q", "--allow-empty-message", "-m", "") or repo.git("rev-parse", "HEAD").strip()
    )
    git = Git(str(repo.path), repo.tool.env)
    paths = ["a.py", "b.py", "\nnew line.py", "\nother.py"]
    found = touches(git, repo.tool.env, first, last, paths)
    assert [(touch.subject, touch.paths) for touch in found] == [
        ("", ("\nnew line.py", "\nother.py", "b.py")),
        (forged, ("a.py",)),
    ]


def test_what_is_no_commit_is_never_handed_to_git_and_one_that_is_not_here_is_told(repo: Sandbox) -> None:
    first = repo.commit("begin")
    git = Git(str(repo.path), repo.tool.env)
    assert touches(git, repo.tool.env, "--output=x", first, ["a"]) == []
    with pytest.raises(GitFailedError):
        touches(git, repo.tool.env, "1" * 40, first, ["a"])
