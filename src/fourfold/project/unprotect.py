"""Unprotect: make tracked data safe to edit, by cutting its links to the cache."""

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import NotFoundError, UsageError
from fourfold.base.events import Sink, silent
from fourfold.base.ids import UnsafePathError
from fourfold.content.detach import detach_files
from fourfold.project.litter import sweep
from fourfold.project.locks import project_lock

if TYPE_CHECKING:
    from fourfold.project.project import Project


class NothingToUnprotectError(NotFoundError):
    """A path that was named does not exist."""

    code = "nothing-to-unprotect"


class UnprotectResult(NamedTuple):
    """What `unprotect` did: absolute path -> how many of its files were shared with the cache before."""

    detached: dict[str, int]


def unprotect(project: "Project", targets: Iterable[str], *, events: Sink = silent) -> UnprotectResult:
    """Give files that are links into the cache bytes of their own; paths need not be tracked.

    Raises:
        NothingToUnprotectError: a target does not exist.
        UnsafePathError: a target lies outside of the project.
        RepositoryLockedError: another process works on the project.
    """
    names = list(targets)
    if not names:
        raise UsageError("nothing to unprotect was named")
    paths = [project.absolute(name) for name in names]
    for name, path in zip(names, paths, strict=True):
        if not project.contains(path):
            raise UnsafePathError(f"'{name}' is outside of the project")
        if not os.path.lexists(path):
            raise NothingToUnprotectError(f"'{name}' does not exist")
    with project_lock(project):
        sweep(project)
        return UnprotectResult({path: detach(project, path, events=events) for path in paths})


def detach(project: "Project", path: str, *, events: Sink = silent) -> int:
    """Cut the links between one path of the workspace and the cache; how many files had one."""
    home = os.path.join(project.make_own_dir(), "staging")
    return detach_files(path, project.store.root, home, events=events)
