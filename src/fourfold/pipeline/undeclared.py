"""What the stages of a project were found to use without declaring it: from their newest records.

A finding counts for as long as the stage does not declare the path. How findings are made is
`fourfold.runs.classify`; what is done about them is `deps_fix`.
"""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import FourfoldError
from fourfold.formats.dvc.lock import DEFAULT_PARAMS
from fourfold.formats.dvc.pointer import is_external
from fourfold.formats.native.record import RunId, RunRecord
from fourfold.project.outs import Owner
from fourfold.runs.changes import mapping, rows_of, value_of
from fourfold.runs.findings import Finding, Findings, parsed, restored
from fourfold.runs.order import Summary
from fourfold.runs.place import place_of
from fourfold.runs.store import Records, records_of
from fourfold.runs.zones import below

if TYPE_CHECKING:
    from fourfold.project.project import Project

#: So many records of one stage are looked at for one that was traced.
_MOST = 20


class Used(NamedTuple):
    """What a stage was found to use.

    Attributes:
        owner: The stage.
        run: The run that tells.
        record: Its record.
        findings: What is still undeclared.
    """

    owner: Owner
    run: RunId
    record: RunRecord
    findings: Findings


class Memory:
    """The records of a project, read as far as somebody asks.

    Args:
        project: Whose.
    """

    def __init__(self, project: "Project") -> None:
        self._project = project
        self._records: Records = records_of(place_of(project))
        self._by_stage: dict[str, list[Summary]] | None = None

    @property
    def records(self) -> Records:
        """Where they lie."""
        return self._records

    def used(self, owner: Owner) -> Used | None:
        """What a stage was found to use, by the newest of its records that was traced; None without one.

        A run that got to its end tells more than one that failed on its way.
        """
        candidates = self._of(owner)
        whole = [one for one in candidates if one.state in {"succeeded", "not-recorded"}]
        for summary in reversed((whole or candidates)[-_MOST:]):
            used = self.told_by(owner, summary.id)
            if used is not None:
                return used
        return None

    def told_by(self, owner: Owner, run: RunId) -> Used | None:
        """What one run tells of a stage; None where its record is not here, is damaged, or was not traced."""
        try:
            record = self._records.get(run)
            findings = restored(record.trace, self._records.part)
        except FourfoldError:
            return None
        if findings is None:
            return None
        return Used(owner, run, record, self._now(owner, record, findings))

    def _of(self, owner: Owner) -> list[Summary]:
        if self._by_stage is None:
            self._by_stage = {}
            for summary in self._records.summaries():
                self._by_stage.setdefault(summary.stage, []).append(summary)
        return self._by_stage.get(owner.addressing, [])

    def _now(self, owner: Owner, record: RunRecord, findings: Findings) -> Findings:
        """What the stage does not declare now: findings, and what was declared then and is no more."""
        inputs, outputs = declared_paths(owner)
        reads = [
            each
            for each in (*findings.reads, *self._declared(record))
            if not self._is_below(each, (*inputs, *outputs))
        ]
        return findings._replace(
            reads=tuple(sorted(reads, key=lambda each: each.path)),
            writes=tuple(each for each in findings.writes if not self._is_below(each, outputs)),
        )

    def _declared(self, record: RunRecord) -> Iterator[Finding]:
        """What a run declared to read, and read."""
        rows = [row for row in rows_of(record, "inputs") if "://" not in row["path"]]
        listing = mapping(mapping(value_of(record.trace, "paths")).get("listing")).get("part")
        try:
            used = mapping(self._records.part(str(listing)).get("classes")).get("input") if rows else None
        except FourfoldError:
            return
        names = [name for name in used if isinstance(name, str)] if isinstance(used, list) else []
        for row in rows:
            if any(below(name, row["path"]) for name in names):
                content = {} if "nfiles" in row else {key: row[key] for key in ("md5", "size") if key in row}
                yield from parsed([{"path": row["path"], "kind": "tracked", "how": "read", **content}])

    def _is_below(self, finding: Finding, folders: tuple[str, ...]) -> bool:
        path = absolute(self._project, finding.path)
        return any(below(path, folder) for folder in folders)


def declared_paths(owner: Owner) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What a stage says that it reads, parameter files among it, and writes: absolute paths."""
    reads = [dep.path for dep in owner.deps if not is_external(dep.path) or os.path.isabs(dep.path)]
    reads += [spec.file or DEFAULT_PARAMS for spec in owner.params_wanted]
    writes = [out.path for out in owner.outs if not is_external(out.path) or os.path.isabs(out.path)]
    return tuple(_placed(owner, path) for path in reads), tuple(_placed(owner, path) for path in writes)


def _placed(owner: Owner, path: str) -> str:
    return os.path.normpath(os.path.join(owner.wdir, path))


def absolute(project: "Project", shown: str) -> str:
    """The path of this machine behind a name in a record."""
    if shown.startswith("~/"):
        home = project.environ.get("HOME", "~")
        return os.path.normpath(os.path.join(home, shown[2:]))
    return os.path.normpath(os.path.join(project.root, shown))
