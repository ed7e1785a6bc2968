"""The Git repository of a box: its own HEAD and index, over the objects of the user's repository.

Nothing of the user's repository is written: objects are read by way of ``objects/info/alternates``. Which
files are in the worktree is `box`.
"""

import os
import re
import shutil
from collections.abc import Iterable, Mapping

from fourfold.base.errors import from_os_error
from fourfold.scm import packing
from fourfold.scm.git import Git
from fourfold.scm.process import child_environment, failed, run_git

#: Characters that mean something in a pattern of ``.gitignore``.
_SPECIAL = re.compile(r"[\\*?\[\]!# ]")
_SETTINGS = ("autocrlf", "eol", "safecrlf", "symlinks", "ignorecase", "precomposeunicode")
_SHAPING = re.compile(rb"autocrlf|\beol\b|symlinks|ignorecase|precomposeunicode", re.IGNORECASE)


def borrow_repository(git: Git, environ: Mapping[str, str], commit: str | None, root: str) -> None:
    """A repository of its own for a worktree, whose objects are those of another one."""
    env = child_environment(environ)
    packing.make_repository(root, environ, long=commit is not None and len(commit) > 40)
    own = os.path.join(root, ".git")
    try:
        os.makedirs(os.path.join(own, "objects", "info"), exist_ok=True)
        os.makedirs(os.path.join(own, "info"), exist_ok=True)
        for name in ("exclude", "attributes"):
            source = os.path.join(git.common_dir, "info", name)
            if os.path.isfile(source):
                shutil.copyfile(source, os.path.join(own, "info", name))
        with open(os.path.join(own, "objects", "info", "alternates"), "wb") as file:
            file.write(os.fsencode(os.path.join(git.common_dir, "objects")) + b"\n")
        shallow = os.path.join(git.common_dir, "shallow")
        if os.path.isfile(shallow):
            shutil.copyfile(shallow, os.path.join(own, "shallow"))
        if commit is not None:
            with open(os.path.join(own, "HEAD"), "wb") as file:
                file.write(commit.encode("ascii") + b"\n")
    except OSError as error:
        raise from_os_error(error, f"writing {own}") from error
    _take_over(git, env, root)
    if commit is not None:
        _git(root, env, ["read-tree", commit])


def _take_over(git: Git, env: Mapping[str, str], root: str) -> None:
    """Settings of the user's repository that decide what its files look like: line ends, modes, links."""
    try:
        with open(os.path.join(git.common_dir, "config"), "rb") as file:
            if not _SHAPING.search(file.read(1 << 20)):
                return
    except OSError:
        return
    pattern = f"^core\\.({'|'.join(_SETTINGS)})$"
    done = run_git(
        ("-C", root),
        ["config", "--file", os.path.join(git.common_dir, "config"), "--get-regexp", pattern],
        env,
    )
    for line in done.out.decode("utf-8", "replace").splitlines():
        name, _, value = line.partition(" ")
        if value.isalnum():
            _git(root, env, ["config", name, value])


def hide(paths: Iterable[str], root: str) -> None:
    """Hide data from Git in the box: where it lay, ``.gitignore`` may have said so only after the run."""
    lines = [f"/{_SPECIAL.sub(_escaped, path)}\n" for path in paths if path.isprintable()]
    try:
        with open(os.path.join(root, ".git", "info", "exclude"), "a", encoding="utf-8") as file:
            file.writelines(lines)
    except OSError as error:
        raise from_os_error(error, f"writing {root}") from error


def _escaped(found: re.Match[str]) -> str:
    return "\\" + found[0]


def _git(root: str, env: Mapping[str, str], args: list[str]) -> None:
    done = run_git(("-C", root), args, env)
    if done.code:
        raise failed(done, "making the repository of a replay", root)
