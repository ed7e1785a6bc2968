"""Which commits between two touched some files: who, when, and what they said of it."""

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from fourfold.scm.process import child_environment, failed, run_git
from fourfold.scm.refs import is_full_id

if TYPE_CHECKING:
    from fourfold.scm.git import Git

#: More commits are not listed.
MOST = 200
#: More paths are not handed to Git on one command line.
_MOST_PATHS = 400


class Touch(NamedTuple):
    """One commit.

    Attributes:
        id: All of it.
        author: Name, without the address.
        when: Seconds since 1970, when it was authored.
        subject: First line of the message.
        paths: Those asked for that it changed.
    """

    id: str
    author: str
    when: int
    subject: str
    paths: tuple[str, ...]


def touches(
    git: "Git", environ: Mapping[str, str], first: str, second: str, paths: Iterable[str]
) -> list[Touch]:
    """The commits that the second has and the first has not, and that changed one of the paths, newest first.

    Args:
        git: The repository.
        environ: The caller's environment.
        first: A full id.
        second: A full id.
        paths: POSIX, relative to the root of the repository; each as it is, no patterns.

    Raises:
        GitFailedError: one of the commits is not in this repository.
    """
    wanted = sorted(set(paths))[:_MOST_PATHS]
    if not wanted or first == second or not (is_full_id(first) and is_full_id(second)):
        return []
    arguments = ["log", f"--max-count={MOST}", "--no-renames", "--name-only", "--no-show-signature", "-z"]
    arguments += ["--no-color", "--no-notes", "--format=%x01%H%x02%an%x02%at%x02%s", f"{first}..{second}"]
    done = run_git(
        ("-C", git.root), [*arguments, "--", *wanted], child_environment(environ, work_tree=git.root)
    )
    if done.code:
        raise failed(done, "git log", git.root)
    found = []
    for record in os.fsdecode(done.out).split("\1")[1:]:
        head, *names = [field for field in record.split("\0") if field.strip("\n")]
        parts = head.split("\2")
        if len(parts) == 4 and parts[2].lstrip("-").isdecimal():
            commit, author, when, subject = parts
            touched = tuple(name.removeprefix("\n") for name in names)
            found.append(Touch(commit, author, int(when), subject, touched))
    return found
