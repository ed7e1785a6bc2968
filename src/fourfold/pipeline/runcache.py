"""Remembering runs: what came out of a command with these dependencies and parameters, to have it again.

Entries lie in the cache beside those of a real DVC, which finds ours as we find its. One is believed only
if its name follows from what it says. Format: `fourfold.formats.dvc.runcache`.
"""

import os
from typing import TYPE_CHECKING

from fourfold.base.errors import FourfoldError
from fourfold.formats.dvc import runcache
from fourfold.formats.dvc.lock import LockEntry
from fourfold.formats.dvc.pointer import is_external
from fourfold.formats.dvc.runcache import UncacheableRunError
from fourfold.pipeline.variables import declares_any
from fourfold.project.changes import Examiner
from fourfold.project.outs import Owner
from fourfold.project.runfiles import write_run

if TYPE_CHECKING:
    from fourfold.project.project import Project

_MAX = 16 << 20


def can_remember(owner: Owner) -> bool:
    """Whether a stage's runs may be remembered: it says what it reads and makes, all on this machine."""
    if owner.always_changed or not owner.cmd or not owner.outs:
        return False
    if (not owner.deps and not owner.params_wanted) or declares_any(owner):
        return False  # an entry says nothing of variables: it could be of another value
    if any("://" in dep.path for dep in owner.deps):
        return False
    return not any(out.persist or is_external(out.path) or os.path.isabs(out.path) for out in owner.outs)


def find(project: "Project", entry: LockEntry) -> LockEntry | None:
    """The newest remembered run of what ``entry`` is about to run (its outputs matter by name only)."""
    try:
        key = runcache.key(entry)
    except UncacheableRunError:
        return None
    folder = os.path.join(project.cache_dir, "runs", key[:2], key)
    try:
        names = sorted(os.listdir(folder), key=lambda name: os.stat(os.path.join(folder, name)).st_mtime_ns)
    except OSError:
        return None
    for name in reversed(names):
        found = _read(os.path.join(folder, name), f"runs/{key[:2]}/{key}/{name}")
        if found is not None:
            return found
    return None


def _read(path: str, relpath: str) -> LockEntry | None:
    try:
        with open(path, "rb") as file:
            entry = runcache.parse(file.read(_MAX), relpath)
        return entry if runcache.relpath(entry) == relpath else None
    except (OSError, FourfoldError):
        return None  # a temporary file, a torn or a foreign one: it remembers nothing


def is_whole(entry: LockEntry, examiner: Examiner) -> bool:
    """Whether the cache has everything that came out."""
    return all(out.oid is not None and examiner.in_cache(out.oid, legacy=out.legacy) for out in entry.outs)


def remember(project: "Project", entry: LockEntry) -> str | None:
    """Write down a run; its outputs are in the cache.

    Returns:
        The absolute path of the new file; None when it was there, or a parameter has no JSON form.

    Raises:
        DeniedError, ExhaustedError, UnsafePathError: the cache cannot be written.
    """
    try:
        relpath = runcache.relpath(entry)
    except UncacheableRunError:
        return None
    path = os.path.join(project.cache_dir, relpath)
    if _read(path, relpath) is not None:
        return None
    return write_run(project.cache_dir, relpath, runcache.render(entry))
