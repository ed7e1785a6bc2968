"""Lineage: the runs that a run stands on, found by content: who wrote the bytes that it read.

A stage's input was made by the run that has the same path and the same content among its outputs. So the runs
behind a result are known from records alone, without a pipeline file, a revision or a workspace.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from fourfold.base.errors import FourfoldError
from fourfold.base.ids import Oid, parse_oid
from fourfold.formats.native.record import RunId, RunRecord
from fourfold.runs.changes import Part, mapping, opened, reference, rows_of, value_of

if TYPE_CHECKING:
    from fourfold.runs.store import Records


#: What lies at a path in a folder: MD5 of the folder, path in it; its MD5, or None where that is not known.
Inside = Callable[[str, str], str | None]


class Step(NamedTuple):
    """One run of a lineage.

    Attributes:
        run: Its id.
        record: What is known of it.
        made_by: Path of an input -> the run that wrote those bytes. Inputs that no run made are not in it.
    """

    run: RunId
    record: RunRecord
    made_by: Mapping[str, RunId]


class Lineage(NamedTuple):
    """A run and all runs that it stands on.

    Attributes:
        steps: Each once, in an order in which each stands after those that it needs; the run itself is last.
    """

    steps: tuple[Step, ...]

    @property
    def last(self) -> Step:
        """The run itself."""
        return self.steps[-1]

    def of_stage(self, stage: str) -> Step | None:
        """The step that ran a stage; None when it is none of them."""
        return next((step for step in self.steps if step.record.stage == stage), None)

    def raw_inputs(self) -> dict[str, Mapping[str, Any]]:
        """Rows of inputs that no run of the lineage made, by path."""
        return {
            row["path"]: row
            for step in self.steps
            for row in rows_of(step.record, "inputs")
            if row["path"] not in step.made_by
        }


class Makers:
    """Who made what: an index of the outputs of all runs that succeeded.

    Args:
        records: Where the runs are.
        inside: Gives the MD5 of what lies at a path in a folder, by the folder's own MD5; None where that is
            not known. With it, files of a folder that a run wrote have a maker, too.
    """

    def __init__(self, records: "Records", inside: Inside | None = None) -> None:
        self._records = records
        self._inside = inside
        self._folders: dict[str, list[tuple[RunId, str]]] = {}
        self._known: dict[RunId, RunRecord] = {}
        self._makers: dict[tuple[str, str], list[RunId]] = {}
        summaries = records.summaries()
        # Of all runs: what failed, and what is a replay, made nothing, but stands on others itself.
        self._order = {summary.id: at for at, summary in enumerate(summaries)}
        for summary in summaries:
            if summary.state != "succeeded" or summary.kind == "replay":
                continue
            record = self.record(summary.id)
            for row in rows_of(record, "outputs"):
                if name := identity(row):
                    self._makers.setdefault((row["path"], name), []).append(summary.id)
                if row.get("nfiles") is not None and row.get("md5"):
                    self._folders.setdefault(row["path"], []).append((summary.id, str(row["md5"])))

    def record(self, run: RunId) -> RunRecord:
        """A record, read once.

        Raises:
            RunNotFoundError, RecordCorruptError: it is not here, or damaged.
        """
        found = self._known.get(run)
        if found is None:
            found = self._known[run] = self._records.get(run)
        return found

    def maker(self, row: Mapping[str, Any], before: RunId) -> RunId | None:
        """The run that wrote the bytes of an input: of several, the newest of those before the run."""
        name = identity(row)
        made = self._makers.get((row["path"], name), ()) if name else ()
        limit = self._order.get(before, len(self._order))
        earlier = next((run for run in reversed(made) if self._order[run] < limit), None)
        return earlier or self._maker_of_folder(row, limit)

    def _maker_of_folder(self, row: Mapping[str, Any], limit: int) -> RunId | None:
        """The newest run that wrote a folder in which the bytes of an input lie."""
        folder, _, name = row["path"].rpartition("/")
        while folder and self._inside is not None and row.get("md5"):
            for run, tree in reversed(self._folders.get(folder, ())):
                if self._order[run] < limit and self._inside(tree, name) == row["md5"]:
                    return run
            folder, _, last = folder.rpartition("/")
            name = f"{last}/{name}"
        return None

    def lineage(self, run: RunId) -> Lineage:
        """A run and all runs that it stands on.

        Raises:
            RunNotFoundError, RecordCorruptError: a record is not here, or damaged.
        """
        done: dict[RunId, Step] = {}
        seen: set[RunId] = set()
        # No recursion: a run that goes on from the result of the one before may stand on a thousand.
        stack: list[tuple[RunId, Step | None]] = [(run, None)]
        while stack:
            name, step = stack.pop()
            if step is not None:
                done[name] = step
            elif name not in seen:
                seen.add(name)
                step = self._step(name)
                stack.append((name, step))
                makers = dict.fromkeys(step.made_by.values())
                stack.extend((maker, None) for maker in reversed(makers))
        return Lineage(tuple(done.values()))

    def _step(self, run: RunId) -> Step:
        record = self.record(run)
        made = {
            row["path"]: maker
            for row in rows_of(record, "inputs")
            if row.get("role") != "params" and (maker := self.maker(row, run)) is not None
        }
        return Step(run, record, made)


def identity(row: Mapping[str, Any]) -> str:
    """What names the content of an input or output; "" where it is not known."""
    return str(row.get("md5") or row.get("blake3") or "")


def object_of(row: Mapping[str, Any]) -> Oid | None:
    """The object of the cache that an input or output is; None where it names none, or what is no name."""
    with suppress(FourfoldError):
        return parse_oid(row.get("md5"))
    return None


def metrics_of(record: RunRecord, part: Part) -> dict[str, float]:
    """The metrics of a run, as ``FILE:NAME`` to number."""
    value = value_of(record.data, "metrics")
    found = mapping(opened(value, part))
    if reference(value) is not None:
        found = mapping(found.get("metrics"))
    return {
        f"{file}:{name}": number
        for file, names in found.items()
        for name, number in mapping(names).items()
        if isinstance(number, int | float) and not isinstance(number, bool)
    }
