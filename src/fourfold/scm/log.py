"""Which commits between two touched some files: who, when, and what they said of it."""

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from fourfold.scm.process import child_environment, failed, run_git
from fourfold.scm.refs import is_full_id

if TYPE_CHECKING:
    from fourfold.scm.git import Git

#: More commits are not listed.
MOST = 200
#: More paths are not handed to Git on one command line.
_MOST_PATHS = 400
#: A commit: an empty field, four fields, an empty one; then, after a line break, the paths that it changed.
_FORMAT = "%x00%H%x00%an%x00%at%x00%s%x00"


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
    arguments += ["--no-color", "--no-notes", f"--format={_FORMAT}", f"{first}..{second}"]
    done = run_git(
        ("-C", git.root), [*arguments, "--", *wanted], child_environment(environ, work_tree=git.root)
    )
    if done.code:
        raise failed(done, "git log", git.root)
    return list(_parsed(os.fsdecode(done.out)))


def _parsed(text: str) -> Iterator[Touch]:
    """The commits of a log in `_FORMAT`: NUL is the one character that no name and no message can hold."""
    fields = iter(text.split("\0"))
    found: Touch | None = None
    between = False
    for field in fields:
        if not field:
            between = True
        elif between and not field.startswith("\n"):
            if found is not None:
                yield found
            author, when, subject = next(fields, ""), next(fields, ""), next(fields, "")
            number = int(when) if when.lstrip("-").isdecimal() else 0
            found = Touch(field, author, number, subject, ())
            between = False
        elif found is not None:
            name = field.removeprefix("\n") if between else field
            found = found._replace(paths=(*found.paths, name))
            between = False
    if found is not None:
        yield found
