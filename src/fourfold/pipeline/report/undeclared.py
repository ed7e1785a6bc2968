"""What stages use without declaring it, for a report: by the runs that ``fourfold.lock`` of a moment names.

A record that is not here says nothing, and its stage is left out: the report is the same wherever the same
records are. Files outside of the repository are counted, not named: their paths are those of a machine.
"""

import os
import posixpath
from collections.abc import Iterable
from typing import TYPE_CHECKING

from fourfold.base.errors import FourfoldError
from fourfold.formats.native.lockfile import LOCK_NAME, LockDocument, parse
from fourfold.formats.native.record import RunId
from fourfold.pipeline.report.value import Undeclared
from fourfold.project.outs import Owner

if TYPE_CHECKING:
    from fourfold.pipeline.moments import Moment
    from fourfold.project.project import Project

#: Findings of these kinds have a path that is the same on every machine.
_NAMED = ("tracked", "code", "untracked")


def undeclared_of(project: "Project", moment: "Moment", owners: Iterable[Owner]) -> tuple[Undeclared, ...]:
    """The stages that used what they do not declare.

    Args:
        project: Whose.
        moment: When.
        owners: The stages of that moment, in the order in which to tell of them.
    """
    if not os.path.isdir(os.path.join(project.own_dir, "runs")):
        return ()
    from fourfold.pipeline.undeclared import Memory  # noqa: PLC0415 - where nothing ran, not loaded

    memory = Memory(project)
    documents: dict[str, LockDocument | None] = {}
    found = []
    for owner in owners:
        path = posixpath.join(posixpath.dirname(owner.relpath), LOCK_NAME)
        if path not in documents:
            documents[path] = lock_at(moment, path)
        document = documents[path]
        entry = document.stages.get(owner.name or "") if document is not None else None
        used = memory.told_by(owner, RunId(entry.run)) if entry is not None else None
        if used is None or not used.findings.undeclared:
            continue
        findings = used.findings
        found.append(
            Undeclared(
                owner.addressing,
                tuple(each.path for each in findings.reads if each.kind in _NAMED),
                tuple(each.path for each in findings.writes if each.kind in _NAMED),
                sum(each.kind not in _NAMED for each in findings.undeclared),
            )
        )
    return tuple(found)


def lock_at(moment: "Moment", path: str) -> LockDocument | None:
    """The ``fourfold.lock`` of a moment; None where there is none that can be read."""
    try:
        return parse(moment.read(path), path)
    except FourfoldError:
        return None
