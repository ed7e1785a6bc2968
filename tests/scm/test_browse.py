"""Many commits by one process of Git: the same answers as Git gives one by one, and typed errors."""

import os
import shutil
from pathlib import Path

import pytest

from fourfold.base.ids import CommitId
from fourfold.scm.browse import Browser, TreeUnreadableError
from fourfold.scm.git import Git, ObjectMissingError, UnknownRevisionError
from fourfold.scm.process import GitFailedError
from tests.fixtures.sandbox import Exec, Link, Sandbox, Tool

ODD = {
    "plain": "1",
    "with space": "2",
    "line\nfeed": "3",
    "ünï": "5",
    ":(glob)*": "6",
    "deep/er/file": "8",
    "deep/program": Exec("#!/bin/sh\n"),
    "deep-er": "sorted before the folder",
    "link": Link("plain"),
    "empty": "",
}


@pytest.fixture
def repo(git_repo: Sandbox) -> Sandbox:
    git_repo.gen(ODD)
    git_repo.commit("first\n\nand more")
    git_repo.gen({"deep/er/file": "9", "plain": None, "new": b"\0\xff"})
    git_repo.commit("second")
    return git_repo


@pytest.fixture
def git(repo: Sandbox, ff: Tool) -> Git:
    return Git(str(repo.path), ff.env)


def test_trees_files_and_commits_are_those_of_git(git: Git) -> None:
    with Browser(git) as browser:
        for commit in git.commits():
            entries = git.ls_tree(commit)
            assert browser.ls_tree(commit) == entries
            paths = [*(entry.path for entry in entries), "nowhere", "deep", "plain/x", "link/x", ""]
            assert browser.read_many(commit, paths) == git.read_many(commit, [path for path in paths if path])
            assert browser.commit(commit) == git.commit(commit)
            for prefix in ("deep", "deep/", "deep/er", "plain", "plain/", "nowhere"):
                assert browser.ls_tree(commit, prefix) == git.ls_tree(commit, prefix), prefix
            assert browser.ls_tree(commit, sizes=True) == git.ls_tree(commit, sizes=True)
            assert browser.id_at(commit, "deep") is not None
            assert browser.id_at(commit, "link") is None
        assert browser.resolve("HEAD~1") == git.resolve("HEAD~1")


def test_one_process_answers_for_every_commit(git: Git, repo: Sandbox, tmp_path: Path) -> None:
    for at in range(20):
        repo.gen({"deep/er/file": f"version {at}"})
        repo.commit(str(at))
    commits = git.commits()
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho x >> {tmp_path}/log\nexec {shutil.which("git")} "$@"\n')
    program.chmod(0o755)
    environ = {**repo.tool.env, "PATH": f"{program.parent}:{repo.tool.env['PATH']}"}
    with Browser(Git(str(repo.path), environ)) as browser:
        read = [browser.read(commit, "deep/er/file") for commit in commits]
        titles = [browser.commit(commit).message.strip() for commit in commits[:20]]
    assert (len(set(read)), titles) == (22, [str(at) for at in range(19, -1, -1)])
    assert (tmp_path / "log").read_text() == "x\n"


def test_what_lies_between_two_commits_comes_with_its_parents(git: Git, repo: Sandbox) -> None:
    first = git.resolve("HEAD~1")
    repo.git("checkout", "-q", "-b", "side", first)
    side = CommitId(repo.commit("beside"))
    repo.git("checkout", "-q", "main")
    second = git.resolve("HEAD")
    repo.git("merge", "-q", "--no-ff", "-m", "both", "side")
    merge = git.resolve("HEAD")
    with Browser(git) as browser:
        found = browser.between(first, merge, 100)
        assert found == {merge: (second, side), second: (first,), side: (first,)}
        assert next(iter(found)) == merge
        assert list(browser.between(first, merge, 1)) == [merge]
        assert browser.between(merge, merge, 100) == {}


def test_what_git_has_not_is_a_typed_error_and_the_next_question_is_answered(git: Git, repo: Sandbox) -> None:
    commit = git.resolve("HEAD")
    blob = repo.git("rev-parse", "HEAD:new").strip()
    os.unlink(repo.path / ".git" / "objects" / blob[:2] / blob[2:])
    with Browser(git) as browser:
        with pytest.raises(ObjectMissingError, match="the content of 'new'"):
            browser.read(commit, "new")
        with pytest.raises(UnknownRevisionError):
            browser.ls_tree("1" * 40)
        with pytest.raises(UnknownRevisionError):
            browser.commit(repo.git("rev-parse", "HEAD^{tree}").strip())
        assert browser.read(commit, "deep/er/file") == b"9"


def test_a_damaged_object_ends_no_later_question(git: Git, repo: Sandbox) -> None:
    commit = git.resolve("HEAD")
    blob = repo.git("rev-parse", "HEAD:new").strip()
    path = repo.path / ".git" / "objects" / blob[:2] / blob[2:]
    path.chmod(0o644)
    path.write_bytes(b"garbage")
    with Browser(git) as browser:
        with pytest.raises((GitFailedError, ObjectMissingError)):
            browser.read(commit, "new")
        assert browser.read(commit, "deep/er/file") == b"9"


@pytest.mark.parametrize("data", [b"100644", b"100644 name", b"100644 name\0short"])
def test_a_tree_that_is_cut_off_is_refused(git: Git, repo: Sandbox, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "tree").write_bytes(data)
    tree = repo.git("hash-object", "-t", "tree", "-w", "--literally", str(tmp_path / "tree")).strip()
    commit = repo.git("commit-tree", tree, "-m", "damaged", check=False).strip()
    if not commit:  # a git that looks at it first
        text = f"tree {tree}\nauthor A <a@b> 0 +0000\ncommitter A <a@b> 0 +0000\n\ndamaged\n"
        (tmp_path / "commit").write_text(text)
        commit = repo.git(
            "hash-object", "-t", "commit", "-w", "--literally", str(tmp_path / "commit")
        ).strip()
    with Browser(git) as browser, pytest.raises(TreeUnreadableError, match="damaged"):
        browser.ls_tree(commit)
