"""What the files ``fourfold.lock`` of the workspace, or of revisions, name: runs, and what is stated of them.

Who sends and brings these is `fourfold.runs.sharing`; one such file is `fourfold.project.nativelock`.
"""

import os
from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from fourfold.formats.native.lockfile import LOCK_NAME
from fourfold.formats.native.record import RunId

if TYPE_CHECKING:
    from fourfold.formats.native.lockfile import LockStage
    from fourfold.project.project import Project


class Locked(NamedTuple):
    """What files ``fourfold.lock`` name.

    Attributes:
        runs: Each once.
        statements: Runs, and the ids of what is stated of them.
    """

    runs: tuple[RunId, ...]
    statements: tuple[tuple[RunId, str], ...]


def locked(project: "Project", targets: Iterable[str] = (), revs: Iterable[str | None] = (None,)) -> Locked:
    """What the files ``fourfold.lock`` of the workspace, or of revisions, name.

    Args:
        project: Whose.
        targets: Names of stages, files ``dvc.yaml`` and outputs; none for everything.
        revs: Revisions; None is the workspace.

    Raises:
        UnknownRevisionError: there is no such revision.
        InvalidFileError: such a file cannot be understood.
    """
    wanted = set(targets)
    entries = [entry for rev in revs for entry in _entries(project, wanted, rev)]
    return Locked(
        tuple(dict.fromkeys(RunId(one.run) for one in entries)),
        tuple(dict.fromkeys((RunId(one.run), one.verdict.statement) for one in entries if one.verdict)),
    )


def _entries(project: "Project", wanted: Collection[str], rev: str | None) -> Iterator["LockStage"]:
    from fourfold.project.nativelock import locks_at, read_lock  # noqa: PLC0415 - where something has run

    if rev is None:
        pipelines = [os.path.join(os.path.dirname(file), "dvc.yaml") for file in _lock_files(project)]
        locks = {pipeline: read_lock(project, pipeline) for pipeline in pipelines}
    else:
        locks = locks_at(project, rev)
    outs = _outs(project, rev) if wanted and locks else {}
    for pipeline, document in sorted(locks.items()):
        shown = project.relpath(pipeline)
        for stage, entry in document.stages.items():
            names = {stage, shown, f"{shown}:{stage}", *outs.get((pipeline, stage), ())}
            if not wanted or names.intersection(wanted):
                yield entry


def _lock_files(project: "Project") -> list[str]:
    """Absolute paths of the files ``fourfold.lock``: the one in the root, and those that Git tracks."""
    found = {os.path.join(project.root, LOCK_NAME)}
    if project.git is not None:
        top = project.git.root
        found |= {os.path.join(top, name) for name in project.git.tracked_called(LOCK_NAME)}
    prefix = project.root.rstrip(os.sep) + os.sep
    return sorted(path for path in found if path.startswith(prefix) and os.path.lexists(path))


def _outs(project: "Project", rev: str | None) -> dict[tuple[str, str], set[str]]:
    """The outputs of each stage, by ``dvc.yaml`` and name."""
    from fourfold.project.files import load_tracked  # noqa: PLC0415 - only where targets are named

    found: dict[tuple[str, str], set[str]] = {}
    for out in load_tracked(project, rev, strict=False).outs:
        if out.stage:
            found.setdefault((out.file, out.stage), set()).add(out.relpath)
    return found
