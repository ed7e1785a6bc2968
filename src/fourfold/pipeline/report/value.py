"""What a report says, as values: no text for people, no time, no path of this machine.

The same two moments of the same history give the same value everywhere: on a laptop and in a pipeline. What
depends on the machine (which objects its cache holds) only ever leaves something out, and says so.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from fourfold.base.ids import CommitId
from fourfold.formats.tabular import TableSummary
from fourfold.pipeline.drawing import Picture

if TYPE_CHECKING:
    from fourfold.pipeline.plots.collect import Plot

ADDED, REMOVED, CHANGED = "added", "removed", "changed"


class Side(NamedTuple):
    """One of the two moments.

    Attributes:
        commit: Its commit; None for the workspace.
        name: What a reader calls it: the revision as typed, or ``workspace``.
    """

    commit: CommitId | None
    name: str


class Reason(NamedTuple):
    """One thing in which two recorded runs of a stage differ.

    Attributes:
        kind: ``command``, ``dependency``, ``parameter``, ``output``, ``always``, or ``never`` when no run is
            recorded.
        path: The file or folder, from the project's root; of a parameter, its file.
        key: The parameter.
        old: The command, value or content (an object's name) before; None where there was none.
        new: Likewise, after.
    """

    kind: str
    path: str = ""
    key: str = ""
    old: Any = None
    new: Any = None


class StageChange(NamedTuple):
    """A stage whose recorded run differs.

    Attributes:
        name: As it is addressed from the root.
        state: `ADDED`, `REMOVED` or `CHANGED`.
        reasons: What differs in what it is made from; when nothing does, outputs that differ all the same.
    """

    name: str
    state: str
    reasons: tuple[Reason, ...] = ()


class Due(NamedTuple):
    """A stage of the new side whose recorded run is not of what it says now: it has to run again."""

    name: str
    reasons: tuple[Reason, ...]


class ValueChange(NamedTuple):
    """One parameter or metric.

    Attributes:
        path: Its file.
        key: Its dotted key; empty when the file is one value.
        old: Before; None where there was none.
        new: After.
        difference: By how much a number differs; None for what is no number.
        verdict: ``better`` or ``worse``, where a goal is known.
    """

    path: str
    key: str
    old: Any
    new: Any
    difference: float | None = None
    verdict: str = ""


class TableChange(NamedTuple):
    """A table among the changed data; a side is None where it was not, or its content is not here."""

    path: str
    old: TableSummary | None
    new: TableSummary | None


class DataChange(NamedTuple):
    """Tracked data that differs.

    Attributes:
        path: The output.
        state: `ADDED`, `REMOVED` or `CHANGED`.
        files: How many files it has, before and after; None where that is not recorded.
        size: Bytes, likewise.
        added: Paths inside of a directory, from the root.
        removed: Likewise.
        changed: Likewise.
        blind: Whether the content of the directory is not known here, so that its files cannot be told.
    """

    path: str
    state: str
    files: tuple[int | None, int | None]
    size: tuple[int | None, int | None]
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    blind: bool = False

    def size_now(self) -> tuple[int | None, int | None]:
        """Bytes before and after, nothing for what was not there."""
        old, new = self.size
        return (0 if self.state == ADDED else old), (0 if self.state == REMOVED else new)


class OnRemote(NamedTuple):
    """What the remote lacks of the new side.

    Attributes:
        remotes: Their names.
        total: How many objects were asked for.
        absent: Paths whose content is on no remote, whether it is in the cache here or not.
        problem: Why that is not known; empty when it is.
    """

    remotes: tuple[str, ...] = ()
    total: int = 0
    absent: tuple[str, ...] = ()
    problem: str = ""


class Undeclared(NamedTuple):
    """A stage that used what it does not declare.

    Attributes:
        name: As it is addressed from the root.
        reads: Paths from the root.
        writes: Likewise.
        elsewhere: How many more lie outside of the repository.
    """

    name: str
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    elsewhere: int = 0


class Verified(NamedTuple):
    """A stage whose run was repeated.

    Attributes:
        name: As it is addressed from the root.
        level: How alike the results were: ``bitwise``, ``canonical``, ``numeric``, ``statistical``.
        statement: The id of the statement that says so.
    """

    name: str
    level: str
    statement: str


class GateResult(NamedTuple):
    """One condition of ``--fail-on``: whether it was met, and what was found."""

    condition: str
    tripped: bool
    finding: str


class Report(NamedTuple):
    """How two moments of a project differ.

    Attributes:
        old: Before.
        new: After.
        stages: The stages whose recorded runs differ, in the order of the pipeline.
        same_stages: How many do not.
        due: The stages that have to run again.
        params: Parameters that differ.
        metrics: All metrics, also those that are the same.
        data: Outputs that differ.
        tables: The tables among them.
        tables_left: How many further tables were not looked at.
        absent_tables: Tables of which neither content is in the cache here.
        graph: The pipeline of the new side.
        plots: Its plots, with the rows of both sides.
        remote: What the remote lacks; None when nobody asked.
        gates: The conditions that were asked for.
        problems: What could not be read, one line each.
        undeclared: The stages of the new side whose runs used what they do not declare.
        verified: Those whose runs were verified.
    """

    old: Side
    new: Side
    stages: tuple[StageChange, ...] = ()
    same_stages: int = 0
    due: tuple[Due, ...] = ()
    params: tuple[ValueChange, ...] = ()
    metrics: tuple[ValueChange, ...] = ()
    data: tuple[DataChange, ...] = ()
    tables: tuple[TableChange, ...] = ()
    tables_left: int = 0
    absent_tables: int = 0
    graph: Picture = Picture((), ())
    plots: "tuple[Plot, ...]" = ()
    remote: OnRemote | None = None
    gates: tuple[GateResult, ...] = ()
    problems: tuple[str, ...] = ()
    undeclared: tuple[Undeclared, ...] = ()
    verified: tuple[Verified, ...] = ()


def as_json(report: Report) -> dict[str, Any]:
    """The report as plain values, for ``--json``; plots by their names only."""
    data = {key: _plain(value) for key, value in report._asdict().items() if key != "plots"}
    data["plots"] = [plot.id for plot in report.plots]
    return data


def _plain(value: Any) -> Any:
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {key: _plain(item) for key, item in value._asdict().items()}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
