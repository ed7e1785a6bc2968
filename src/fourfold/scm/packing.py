"""Commits carried elsewhere without their history: a pack of exactly their files, and a repository of it.

The repository that is made knows that history ends there (``shallow``), and has nothing but what the pack
has: no hook, no configuration of the place it came from, no remote.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from fourfold.base.errors import CorruptError, from_os_error
from fourfold.scm.process import child_environment, failed, run_git
from fourfold.scm.refs import is_full_id

if TYPE_CHECKING:
    from fourfold.scm.git import Git


#: What keeps the commits of a pack.
_REFS = "refs/fourfold/archived/"


class BadPackError(CorruptError):
    """A pack of commits is damaged, or does not have the commits that it should."""

    code = "bad-pack"


def pack_commits(git: "Git", environ: Mapping[str, str], commits: Sequence[str]) -> bytes:
    """A pack of some commits with all of their files, and none of the commits before them.

    Args:
        git: The repository.
        environ: The caller's environment.
        commits: Full ids.

    Raises:
        GitFailedError: a commit, or a file of one, is not there.
    """
    env = child_environment(environ)
    where = ("--git-dir", git.git_dir)
    listed = run_git(where, ["rev-list", "--objects", "--no-walk", "--stdin"], env, _lines(commits))
    if listed.code:
        raise failed(listed, "listing the files of a commit", git.root)
    names = b"".join(line.split(b" ", 1)[0] + b"\n" for line in listed.out.splitlines())
    packed = run_git(where, ["pack-objects", "--stdout", "-q"], env, names)
    if packed.code:
        raise failed(packed, "packing a commit", git.root)
    return packed.out


def make_repository(folder: str, environ: Mapping[str, str], *, long: bool = False) -> None:
    """Make a repository without a commit in a folder that is there.

    Args:
        folder: Absolute.
        environ: The caller's environment.
        long: Whether its ids are SHA-256.

    Raises:
        GitFailedError: Git refuses.
    """
    form = ["--object-format=sha256"] if long else []
    words = ["init", "--quiet", "--template=", *form, folder]
    made = run_git(("-C", folder), words, child_environment(environ))
    if made.code:
        raise failed(made, "making a repository", folder)


def plant(folder: str, environ: Mapping[str, str], pack: bytes, commits: Sequence[str], head: str) -> None:
    """Make a repository of a pack in a folder that is there; no file is checked out.

    Args:
        folder: Absolute.
        environ: The caller's environment.
        pack: From `pack_commits`; every object in it is checked.
        commits: The commits that it has.
        head: The one that HEAD is.

    Raises:
        BadPackError: it is damaged, or lacks one of them.
        DeniedError, ExhaustedError: the file system refuses.
    """
    if not all(map(is_full_id, [*commits, head])):
        raise BadPackError("a commit of the archive has no proper id")
    env = child_environment(environ)
    make_repository(folder, environ, long=len(head) > 40)
    git_dir = os.path.join(folder, ".git")
    try:
        with open(os.path.join(git_dir, "shallow"), "w", encoding="ascii") as file:
            file.writelines(f"{commit}\n" for commit in sorted(set(commits)))
    except OSError as error:
        raise from_os_error(error, f"writing {git_dir}") from error
    where = ("--git-dir", git_dir)
    if run_git(where, ["index-pack", "--stdin", "--strict"], env, pack).code:
        raise BadPackError("the pack of commits is damaged")
    wanted = dict.fromkeys([*commits, head])
    whole = ["rev-list", "--objects", "--no-walk", "--quiet", "--stdin"]
    if run_git(where, whole, env, _lines(wanted)).code:
        odd = next((each for each in wanted if run_git(where, whole, env, _lines([each])).code), head)
        raise BadPackError(f"the pack does not have all of commit {odd[:12]}")
    # By a name each, or Git would clear away in time what HEAD does not lead to.
    named = "".join(f"create {_REFS}{commit} {commit}\n" for commit in wanted)
    done = run_git(
        where, ["update-ref", "--no-deref", "--stdin"], env, f"{named}update HEAD {head}\n".encode()
    )
    if done.code:
        raise failed(done, "setting HEAD", folder)


def _lines(names: Iterable[str]) -> bytes:
    return "".join(f"{name}\n" for name in names).encode()
