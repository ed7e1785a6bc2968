"""Programs that a repository names for Git never run on a command of ours: each would leave a canary dead.

Git itself, asked in the same repository, does run them; so the canaries sing.
"""

import json
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.fuzz.arena import Arena, preload, verdict
from tests.fuzz.test_hostile_projects import COMMANDS, REMOTE

HOOKS = (
    *("pre-commit", "post-commit", "post-checkout", "pre-push", "post-index-change", "reference-transaction"),
    *("post-merge", "fsmonitor-watchman", "pre-auto-gc", "post-rewrite"),
)
MORE = (
    *(
        ("add", "new"),
        ("add", "n2", "--no-commit"),
        ("diff", "HEAD"),
        ("diff", "HEAD~1", "HEAD"),
        ("list", "."),
    ),
    *(("status", "-c", "-a"), ("push", "-A"), ("fetch", "-T"), ("gc", "-a", "-f"), ("gc", "-A", "-f")),
    *(("metrics", "diff"), ("params", "diff"), ("data", "status", "--granular"), ("op", "log"), ("du", ".")),
    *(("config", "core.autostage", "true"), ("add", "third"), ("commit", "-f"), ("move", "third", "fourth")),
    *(("checkout", "--relink"), ("doctor",), ("fsck",), ("root",)),
)


def program(arena: Arena, name: str) -> str:
    """A program that leaves a mark outside when it runs."""
    path = arena.base / "programs" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\ntouch '{arena.outside}/ran-{name}'\ncat\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def armed() -> Iterator[Arena]:
    """A repository with two commits of tracked data, in which everything that can name a program does."""
    preload()
    arena = Arena()
    arena.make({"project/.dvc/config": REMOTE, "project/.dvc/.gitignore": b"/tmp\n/cache\n/config.local\n"})
    arena.make(
        {"project/new": b"new\n", "project/n2": b"n2\n", "project/third": b"3\n", "project/plain": b"p\n"}
    )
    rows = [{"md5": arena.store("project/remote", b"an object\n"), "relpath": "a"}]
    oid = arena.store("project/remote", json.dumps(rows, sort_keys=True).encode(), ".dir")
    arena.make({"project/d.dvc": f"outs:\n- md5: {oid}\n  hash: md5\n  path: d\n".encode()})
    arena.make({"project/.gitattributes": b"* filter=canary diff=canary merge=canary\n"})
    arena.git("add", "--", ".dvc", "d.dvc", ".gitattributes")
    arena.git("commit", "-q", "-m", "one")
    arena.git("add", "--", "plain")
    arena.git("commit", "-q", "-m", "two")
    for hook in HOOKS:
        path = arena.project / ".git" / "hooks" / hook
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(Path(program(arena, hook)).read_bytes())
        path.chmod(0o755)
    for option in (
        *("core.fsmonitor", "core.sshCommand", "core.pager", "core.editor", "core.askPass", "diff.external"),
        *("filter.canary.clean", "filter.canary.smudge", "filter.canary.process", "diff.canary.textconv"),
        *("diff.canary.command", "merge.canary.driver", "credential.helper", "gpg.program", "core.gitProxy"),
        *("core.alternateRefsCommand", "uploadpack.packObjectsHook", "init.templateDir", "sequence.editor"),
    ):
        arena.git("config", option, program(arena, option))
    arena.git("config", "filter.canary.required", "true")
    yield arena
    arena.close()


def dead(arena: Arena) -> list[str]:
    return sorted(path.name for path in arena.outside.glob("ran-*"))


def test_git_itself_runs_what_the_repository_names(armed: Arena) -> None:
    (armed.project / "plain").write_bytes(b"changed\n")
    with suppress(subprocess.CalledProcessError):  # they are no good programs
        armed.git("status")
    assert dead(armed)


def test_no_command_of_ours_runs_what_the_repository_names(armed: Arena) -> None:
    armed.make({"project/plain": b"changed\n"})
    for command in (("pull",), *MORE, *COMMANDS):
        wrong = verdict(armed.run(*command))
        assert not wrong, wrong
        assert dead(armed) == [], command
