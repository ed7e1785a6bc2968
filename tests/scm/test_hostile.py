"""A repository whose settings name programs: none of them ever runs, whatever is asked."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from fourfold.base.errors import FourfoldError
from fourfold.scm.git import Git
from fourfold.scm.mirror import mirror
from tests.fixtures.sandbox import Exec, Sandbox, Tool

HOOKS = (
    "post-checkout", "post-index-change", "pre-commit", "reference-transaction", "post-merge", "pre-auto-gc",
    "pre-push", "post-rewrite", "fsmonitor-watchman", "sendemail-validate", "update", "pre-receive",
)  # fmt: skip


class Trap:
    """A program that leaves a mark when it runs."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.marks = folder / "marks"
        self.program = folder / "trap"
        self.program.write_text(f'#!/bin/sh\necho "$0 $*" >> {self.marks}\ncat 2>/dev/null\nexit 0\n')
        self.program.chmod(0o755)

    def sprung(self) -> str:
        return self.marks.read_text() if self.marks.exists() else ""


@pytest.fixture
def trap(tmp_path: Path) -> Trap:
    return Trap(tmp_path / "trap")


@pytest.fixture
def hostile(git_repo: Sandbox, trap: Trap) -> Sandbox:
    git_repo.gen({"plain": "1", "data.dvc": "outs: []\n", ".gitattributes": "* filter=evil diff=evil\n"})
    git_repo.commit("first")
    program = str(trap.program)
    settings = {
        "core.fsmonitor": program,
        "core.sshCommand": program,
        "core.pager": program,
        "core.editor": program,
        "core.askPass": program,
        "core.gitProxy": program,
        "core.alternateRefsCommand": program,
        "core.hooksPath": str(trap.program.parent / "hooks"),
        "credential.helper": program,
        "diff.external": program,
        "diff.evil.textconv": program,
        "diff.evil.command": program,
        "filter.evil.clean": program,
        "filter.evil.smudge": program,
        "filter.evil.process": program,
        "filter.evil.required": "true",
        "gpg.program": program,
        "log.showSignature": "true",
        "alias.ls-files": f"!{program}",
        "alias.cat-file": f"!{program}",
        "uploadpack.packObjectsHook": program,
        "pager.rev-list": program,
        "interactive.diffFilter": program,
        "merge.evil.driver": program,
        "trailer.x.command": program,
        "browser.x.cmd": program,
        "core.attributesFile": ".gitattributes",
    }
    for name, value in settings.items():
        git_repo.git("config", name, value)
    script = f'#!/bin/sh\nexec {program} hook "$0"\n'
    hooks = {name: Exec(script) for name in HOOKS}
    git_repo.gen({".git": {"hooks": hooks}})
    Sandbox(trap.program.parent / "hooks", git_repo.tool).gen(hooks)
    return git_repo


def ask_everything(git: Git) -> None:
    """Call every method; what the repository lacks may be refused, but never answered by a program."""
    absent = "1" * 40
    questions: list[Callable[[], object]] = [
        git.head,
        git.branch,
        git.read_head,
        lambda: git.resolve("main"),
        lambda: git.resolve("gone"),
        git.branches,
        git.tags,
        lambda: git.tips(["main"]),
        git.commit_times,
        lambda: git.history("HEAD", 3),
        lambda: git.commit("HEAD"),
        lambda: git.read("HEAD", "plain"),
        lambda: git.read(absent, "plain"),
        lambda: git.read_many("HEAD", ["plain", "data.dvc", "absent", "odd\nname"]),
        lambda: git.ls_tree("HEAD", sizes=True),
        lambda: git.tracked(["plain", "new"]),
        lambda: git.ignored(["plain", "new"]),
        git.untracked,
        git.is_dirty,
        lambda: git.config_get("core.fsmonitor"),
        lambda: git.config_set("merge.dvc.name", "x"),
        lambda: git.add(["plain", "new"]),
        git.is_dirty,
    ]
    for question in questions:
        try:
            question()
        except FourfoldError:
            continue


def test_the_trap_does_catch_git_itself(hostile: Sandbox, trap: Trap) -> None:
    hostile.gen({"new": "x"})
    hostile.git("add", "new", check=False)
    hostile.git("diff", check=False)
    assert "trap" in trap.sprung()


def test_no_program_that_a_repository_names_runs(hostile: Sandbox, trap: Trap, ff: Tool) -> None:
    hostile.gen({"plain": "changed", "new": "y"})
    ask_everything(Git(str(hostile.path), ff.env))
    assert trap.sprung() == ""
    assert hostile.git("-c", "core.fsmonitor=false", "show", ":new", check=False) in {"y", ""}


def test_what_is_staged_is_the_file_itself_not_what_a_filter_makes_of_it(hostile: Sandbox, ff: Tool) -> None:
    hostile.gen({"new": "as it is"})
    git = Git(str(hostile.path), ff.env)
    git.add(["new"])
    assert git._run("reading", "cat-file", "blob", ":new") == b"as it is"


@pytest.mark.parametrize("url", ["ssh://host/x", "ext::{program}", "file://{repo}", "evil::x", "{repo}"])
def test_an_object_that_is_promised_by_a_remote_is_never_fetched(
    hostile: Sandbox, trap: Trap, ff: Tool, url: str
) -> None:
    head = hostile.git("-c", "core.fsmonitor=false", "rev-parse", "HEAD:plain").strip()
    os.unlink(hostile.path / ".git" / "objects" / head[:2] / head[2:])
    url = url.format(program=trap.program, repo=hostile.path)
    for name, value in {
        "core.repositoryFormatVersion": "1",
        "extensions.partialClone": "origin",
        "remote.origin.url": url,
        "remote.origin.promisor": "true",
        "remote.origin.partialclonefilter": "blob:none",
        "remote.origin.uploadpack": str(trap.program),
        "protocol.allow": "always",
        "protocol.ext.allow": "always",
    }.items():
        hostile.git("config", name, value)
    ask_everything(Git(str(hostile.path), ff.env))
    assert trap.sprung() == ""


def test_a_work_tree_setting_does_not_move_the_work_tree(hostile: Sandbox, ff: Tool, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    Sandbox(outside, ff).gen({"plain": "stolen", "new": "stolen", ".gitignore": "*\n"})
    hostile.git("config", "core.worktree", str(outside))
    hostile.gen({"new": "own"})
    git = Git(str(hostile.path), ff.env)
    assert git.ignored(["new"]) == set()
    git.add(["plain", "new"])
    assert git._run("reading", "cat-file", "blob", ":new") == b"own"


def test_copying_a_hostile_repository_of_this_machine_runs_nothing(
    hostile: Sandbox, trap: Trap, ff: Tool, tmp_path: Path
) -> None:
    copy = mirror(str(hostile.path), str(tmp_path / "mirrors" / "x"), ff.env, base=str(tmp_path))
    assert copy.read("main", "plain") == b"1"
    ask_everything(copy)
    assert trap.sprung() == ""
    assert not (tmp_path / "mirrors" / "x" / "hooks").exists()
    assert "evil" not in (tmp_path / "mirrors" / "x" / "config").read_text()
