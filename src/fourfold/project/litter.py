"""Litter: hidden half-written files that a killed or failed command left behind, swept by the next one.

Objects and staged files are found by their leases (`content.leases`, `content.staging`), index files by
their locks. Metadata is written beside the file that it replaces; which files those were is in the journal
of the command that never ended, so that no walk of the workspace is needed. Only names that are ours by
their token are removed.
"""

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from fourfold.base.fs.atomic import is_temp_name, sweep_claimed
from fourfold.content import leases, staging
from fourfold.content.objects import ObjectStore
from fourfold.project.journal import newest
from fourfold.project.locks import RWLOCK_GUARD, guard
from fourfold.project.runfiles import sweep_runs

if TYPE_CHECKING:
    from fourfold.project.project import Project

#: The folder of our own in which files are replaced under the repository lock.
_OWN = "ops"
#: The one in which run records get their bytes (`fourfold.runs.store`).
_RECORDS = "runs"
#: Every command sweeps, so what is older was swept before.
_LOOK_BACK = 3


def sweep(project: "Project") -> int:
    """Remove what commands that died left in the cache and beside the files they were writing; how many.

    The repository lock is held. What cannot be removed now is left for the next time.
    """
    folders = {os.path.join(project.own_dir, _OWN): None}
    for recorded in newest(project, _LOOK_BACK):
        if recorded.state not in {"done", "undone"}:
            for act in recorded.acts:
                folders[os.path.dirname(os.path.join(project.root, act.path))] = None
    staging.sweep(os.path.join(project.own_dir, "staging"))
    swept = sweep_transfer(project) + sum(map(_sweep_folder, folders)) + _sweep_locks(project)
    return swept + sweep_runs(project.cache_dir) + sweep_claimed(os.path.join(project.own_dir, _RECORDS))


def sweep_transfer(project: "Project", remote: str | None = None) -> int:
    """The same for verbs that hold no lock: the cache, the index, and a remote that is a folder, if named."""
    removed = project.index.sweep() + leases.sweep(project.store) + _sweep_folder(project.own_dir)
    return removed + (leases.sweep(ObjectStore(remote)) if remote else 0)


def _sweep_locks(project: "Project") -> int:
    """The half-written lists of what running stages use; those are written under a lock of their own."""
    found = [path for path in _temporaries(project.tmp_dir) if os.path.basename(path).startswith(".rwlock.")]
    if not found:
        return 0
    with guard(project, RWLOCK_GUARD):
        return sum(map(leases.unlink_quietly, found))


def _sweep_folder(folder: str) -> int:
    return sum(map(leases.unlink_quietly, _temporaries(folder)))


def _temporaries(folder: str) -> Iterable[str]:
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    return [f"{folder}/{name}" for name in names if is_temp_name(name)]
