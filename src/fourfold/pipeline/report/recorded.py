"""What runs tell of the stages of a moment, for a report: the runs that its ``fourfold.lock`` names.

*Undeclared* comes from the records; one that is not here says nothing, and its stage is left out: the report
is the same wherever the same records are. Files outside of the repository are counted, not named: their paths
are those of a machine. *Verified* is what the lock file says, unless the record that it names wrote other
results than ``dvc.lock`` has; whether the statement is here, and who signed it, ``ff audit verify`` asks.
"""

import os
import posixpath
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from fourfold.base.errors import FourfoldError
from fourfold.formats.dvc.pointer import is_external
from fourfold.formats.native.lockfile import LEVELS, LOCK_NAME, LockDocument, LockStage, parse
from fourfold.formats.native.record import RunId
from fourfold.pipeline.report.value import Undeclared, Verified
from fourfold.project.outs import Owner
from fourfold.runs.changes import rows_of

if TYPE_CHECKING:
    from fourfold.pipeline.moments import Moment
    from fourfold.project.project import Project
    from fourfold.runs.store import Records

#: Findings of these kinds have a path that is the same on every machine.
_NAMED = ("tracked", "code", "untracked")
Locked = Iterable[tuple[Owner, LockStage]]


def locked(moment: "Moment", owners: Iterable[Owner]) -> Iterator[tuple[Owner, LockStage]]:
    """The stages of which ``fourfold.lock`` names a run, with what it says; what cannot be read says nothing.

    Args:
        moment: When.
        owners: The stages of that moment, in the order in which to tell of them.
    """
    documents: dict[str, LockDocument | None] = {}
    for owner in owners:
        path = posixpath.join(posixpath.dirname(owner.relpath), LOCK_NAME)
        if path not in documents:
            documents[path] = _document(moment, path)
        document = documents[path]
        entry = document.stages.get(owner.name or "") if document is not None else None
        if entry is not None:
            yield owner, entry


def _document(moment: "Moment", path: str) -> LockDocument | None:
    try:
        return parse(moment.read(path), path)
    except FourfoldError:
        return None


def undeclared_of(project: "Project", stages: Locked) -> tuple[Undeclared, ...]:
    """Those of the stages that used what they do not declare.

    Args:
        project: Whose.
        stages: See `locked`.
    """
    if not os.path.isdir(os.path.join(project.own_dir, "runs")):
        return ()
    from fourfold.pipeline.undeclared import Memory  # noqa: PLC0415 - where nothing ran, not loaded

    memory = Memory(project)
    found = []
    for owner, entry in stages:
        used = memory.told_by(owner, RunId(entry.run))
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


def verified_of(project: "Project", stages: Locked) -> tuple[Verified, ...]:
    """Those of the stages whose runs were repeated, with a result that holds at some level.

    Args:
        project: Whose.
        stages: See `locked`.
    """
    chosen = [
        (owner, entry.run, entry.verdict)
        for owner, entry in stages
        if entry.verdict is not None and entry.verdict.level in LEVELS
    ]
    if not chosen:
        return ()
    from fourfold.runs.place import place_of  # noqa: PLC0415 - few stages are verified
    from fourfold.runs.store import records_of  # noqa: PLC0415 - likewise

    records = records_of(place_of(project))
    return tuple(
        Verified(owner.addressing, verdict.level, verdict.statement)
        for owner, run, verdict in chosen
        if _made(records, owner, RunId(run))
    )


def _made(records: "Records", owner: Owner, run: RunId) -> bool:
    """Whether a run wrote what ``dvc.lock`` has of a stage, as far as we know: DVC may have run since."""
    try:
        record = records.get(run)
    except FourfoldError:
        return True
    written = {row.get("md5") for row in rows_of(record, "outputs")}
    return all(out.oid is None or out.oid in written for out in owner.outs if not is_external(out.path))
