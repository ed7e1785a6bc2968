"""Litter: hidden half-written files that a killed or failed command left behind, swept by the next one.

Objects and staged files are found by their leases (`content.intake`, `content.staging`). Metadata is
written beside the file that it replaces; which files those were is in the journal of the command that never
ended, so that no walk of the workspace is needed. Only names that are ours by their token are removed, and
only while the repository lock is held.
"""

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from fourfold.base.fs.atomic import is_temp_name
from fourfold.project.journal import newest

if TYPE_CHECKING:
    from fourfold.project.project import Project

#: Folders of our own in which files are replaced; the index may be written by readers at this moment.
_OWN = ("ops",)
_INDEX = "index"
#: A reader's half-written index file is older than this only when its writer is gone.
_READER_NS = 60_000_000_000
#: Every command sweeps, so what is older was swept before.
_LOOK_BACK = 3


def sweep(project: "Project") -> int:
    """Remove what commands that died left beside the files they were writing; returns how many.

    The repository lock is held. What cannot be removed now is left for the next time.
    """
    folders = {os.path.join(project.own_dir, name): 0 for name in _OWN}
    folders[os.path.join(project.own_dir, _INDEX)] = project.clock.now_ns() - _READER_NS
    for recorded in newest(project, _LOOK_BACK):
        if recorded.state not in {"done", "undone"}:
            for act in recorded.acts:
                path = os.path.join(project.root, act.path)
                folders.setdefault(os.path.dirname(path), 0)
    return sum(_sweep_folder(folder, before) for folder, before in folders.items())


def _sweep_folder(folder: str, before: int) -> int:
    removed = 0
    for path in _temporaries(folder):
        try:
            if before and os.lstat(path).st_mtime_ns > before:
                continue
            os.unlink(path)
        except OSError:
            continue
        removed += 1
    return removed


def _temporaries(folder: str) -> Iterable[str]:
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    return [f"{folder}/{name}" for name in names if is_temp_name(name)]
