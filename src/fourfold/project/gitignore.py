"""Keeping data out of Git: the line for an output in the ``.gitignore`` of its folder.

Git is asked first: what it ignores already gets no line, as with DVC. A file that becomes empty is
deleted. What the lines look like is `fourfold.formats.gitignore`.
"""

import os
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING

from fourfold.base.errors import UnsafeError, from_os_error
from fourfold.base.fs.atomic import write_atomic
from fourfold.base.fs.reading import read_file
from fourfold.formats.gitignore import add_line, remove_line

if TYPE_CHECKING:
    from fourfold.project.project import Project

GITIGNORE = ".gitignore"


class GitignoreIsLinkError(UnsafeError):
    """A ``.gitignore`` is a symbolic link: Git does not follow it, and it may lead anywhere."""

    code = "gitignore-is-link"


def gitignore_of(path: str) -> str:
    """The ``.gitignore`` that holds the line for an absolute path."""
    return os.path.join(os.path.dirname(path), GITIGNORE)


def ignore(project: "Project", path: str) -> bool:
    """Let Git ignore one path, if it does not; whether the file changed. See `ignore_all`."""
    return bool(ignore_all(project, [path]))


def ignore_all(
    project: "Project",
    paths: Iterable[str],
    *,
    ignored: Collection[str] | None = None,
    before: Mapping[str, Collection[str]] | None = None,
) -> list[str]:
    """Let Git ignore absolute paths; the ``.gitignore`` files that changed, sorted, durable.

    Does nothing without Git, and for what Git ignores already or what lies outside its work tree.

    Args:
        project: Whose.
        paths: Absolute.
        ignored: Those that Git ignores already, where the caller knows; by default Git is asked.
        before: By path, absolute ones before whose lines in the same file its own goes.

    Raises:
        GitignoreIsLinkError: a ``.gitignore`` is a symbolic link.
        GitOwnershipError, GitFailedError: Git does not answer.
        DeniedError, ExhaustedError: a file cannot be read or written; it is as it was.
    """
    git = project.git
    if git is None:
        return []
    inside = [path for path in paths if git.relative(path) is not None]
    hidden = git.ignored(inside) if ignored is None else ignored
    by_file: dict[str, list[str]] = {}
    for path in inside:
        if path not in hidden:
            by_file.setdefault(gitignore_of(path), []).append(path)
    changed = []
    for file, found in sorted(by_file.items()):
        old = _read(file)
        new = old or b""
        for path in found:
            later = [os.path.basename(other) for other in (before or {}).get(path, ())]
            new = add_line(new, os.path.basename(path), later)
        if new != old:
            _write(file, new)
            changed.append(file)
    return changed


def unignore(project: "Project", path: str) -> bool:
    """Take the line for one path away; whether the file changed or is gone. See `ignore_all` for errors."""
    git = project.git
    if git is None or git.relative(path) is None:
        return False
    file = gitignore_of(path)
    old = _read(file)
    if old is None:
        return False
    new = remove_line(old, os.path.basename(path))
    if new == old:
        return False
    if new is not None:
        _write(file, new)
        return True
    try:
        os.unlink(file)
    except OSError as error:
        raise from_os_error(error, f"removing {file}") from error
    return True


def _read(file: str) -> bytes | None:
    if os.path.islink(file):
        raise GitignoreIsLinkError(
            f"{file} is a symbolic link", hint="Git does not follow it: replace it by a regular file"
        )
    try:
        return read_file(file)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise from_os_error(error, "reading ignore rules") from error


def _write(file: str, data: bytes) -> None:
    try:
        write_atomic(file, data)
    except OSError as error:
        raise from_os_error(error, f"writing {file}") from error
