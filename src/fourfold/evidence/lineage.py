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
from fourfold.runs.changes import Part, by_path, mapping, opened, reference, rows_of, value_of
from fourfold.runs.codetree import is_written
from fourfold.runs.results import is_finite

if TYPE_CHECKING:
    from fourfold.runs.store import Records


#: What lies at a path in a folder: MD5 of the folder, path in it; its MD5, or None where that is not known.
Inside = Callable[[str, str], str | None]
#: What lay in a folder that a run read, which may be kept nowhere as one: files by path in it with their
#: MD5, given the record, the row of the folder, and rows of outputs that earlier runs wrote below it; None
#: where the digest of the folder does not prove it.
Listed = Callable[[RunRecord, Mapping[str, Any], Mapping[str, Mapping[str, Any]]], Mapping[str, str] | None]


class Filled(NamedTuple):
    """A folder that a run read, and that several earlier runs filled.

    Attributes:
        made_by: Path of an output below it -> the run that wrote it.
        left: Rows of its files that no run wrote, by path.
    """

    made_by: Mapping[str, RunId]
    left: Mapping[str, Mapping[str, Any]]


class Step(NamedTuple):
    """One run of a lineage.

    Attributes:
        run: Its id.
        record: What is known of it.
        made_by: Path of an input -> the run that wrote those bytes. Inputs that no run made are not in it.
        used_by: Path of a file that was read without being declared -> the run that wrote those bytes.
        filled: Inputs that are folders which several runs filled, by path.
    """

    run: RunId
    record: RunRecord
    made_by: Mapping[str, RunId]
    used_by: Mapping[str, RunId] = {}
    filled: Mapping[str, Filled] = {}

    @property
    def makers(self) -> tuple[RunId, ...]:
        """The runs that wrote what it was declared to read, each once."""
        filled = (run for each in self.filled.values() for run in each.made_by.values())
        return tuple(dict.fromkeys([*self.made_by.values(), *filled]))


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
        """Rows of inputs that no run made, by path; of folders that several filled, of what is left."""
        found: dict[str, Mapping[str, Any]] = {}
        for step in self.steps:
            for row in rows_of(step.record, "inputs"):
                if row["path"] not in step.made_by and row["path"] not in step.filled:
                    found[row["path"]] = row
            for filled in step.filled.values():
                found |= filled.left
        return found


class Makers:
    """Who made what: an index of the outputs of all runs that succeeded.

    Args:
        records: Where the runs are.
        inside: Gives the MD5 of what lies at a path in a folder, by the folder's own MD5; None where that is
            not known. With it, files of a folder that a run wrote have a maker, too.
        listed: Gives what lay in a folder. With it, one that several runs filled is followed to all of them.
    """

    def __init__(
        self, records: "Records", inside: Inside | None = None, listed: Listed | None = None
    ) -> None:
        self._records = records
        self._inside = inside
        self._listed = listed
        self._folders: dict[str, list[tuple[RunId, str]]] = {}
        self._known: dict[RunId, RunRecord] = {}
        self._makers: dict[tuple[str, str], list[RunId]] = {}
        summaries = records.summaries()
        # Of all runs: what failed, and what is a replay, made nothing, but stands on others itself.
        self._order = {summary.id: at for at, summary in enumerate(summaries)}
        for summary in summaries:
            if summary.state != "succeeded" or summary.kind == "replay":
                continue
            try:
                record = self.record(summary.id)
            except FourfoldError:  # one that is damaged made nothing that anybody can tell
                continue
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

    def _filled(self, record: RunRecord, row: Mapping[str, Any], before: RunId) -> Filled | None:
        """Who filled a folder that no run wrote as a whole; None where nobody did, or it is not known who."""
        if self._listed is None or row.get("nfiles") is None or not row.get("md5"):
            return None
        limit, below = self._order.get(before, len(self._order)), row["path"] + "/"
        newest: dict[str, RunId] = {}
        for (path, _), runs in self._makers.items():
            if path.startswith(below):
                for run in runs:
                    if self._order[run] < limit and self._order[run] >= self._order[newest.get(path, run)]:
                        newest[path] = run
        outputs = {path: _output(self.record(run), path) for path, run in newest.items()}
        files = self._listed(record, row, outputs) if outputs else None
        made: dict[str, RunId] = {}
        left = {below + name: md5 for name, md5 in (files or {}).items()}
        for path in outputs:
            lies = {name: md5 for name, md5 in left.items() if name == path or name.startswith(path + "/")}
            maker = self.maker({"path": path, "md5": _named(path, lies)}, before) if lies else None
            if maker is not None:
                made[path] = maker
                left = {name: md5 for name, md5 in left.items() if name not in lies}
        if not made:
            return None
        rows = {
            path: {"path": path, "role": row.get("role"), "md5": md5}
            for path, md5 in left.items()
            if not is_written(path)
        }
        return Filled(made, rows)

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
                stack.extend((maker, None) for maker in reversed(step.makers))
        return Lineage(tuple(done.values()))

    def wholes(self, *lineages: Lineage) -> tuple[str, ...]:
        """Folders that were read and count as raw data as a whole, though earlier runs wrote below them."""
        found: set[str] = set()
        for step in (step for lineage in lineages for step in lineage.steps):
            limit = self._order.get(step.run, len(self._order))
            for row in rows_of(step.record, "inputs"):
                path = row["path"]
                if row.get("nfiles") is None or path in {*step.made_by, *step.filled, *found}:
                    continue
                if any(
                    output.startswith(path + "/") and any(self._order[run] < limit for run in runs)
                    for (output, _), runs in self._makers.items()
                ):
                    found.add(path)
        return tuple(sorted(found))

    def _step(self, run: RunId) -> Step:
        record = self.record(run)
        inputs = [row for row in rows_of(record, "inputs") if row.get("role") != "params"]
        undeclared = by_path(mapping(value_of(record.trace, "undeclared_reads")).get("files"))
        made, used = (
            {row["path"]: maker for row in rows if (maker := self.maker(row, run)) is not None}
            for rows in (inputs, undeclared.values())
        )
        filled = {
            row["path"]: found
            for row in inputs
            if row["path"] not in made and (found := self._filled(record, row, run)) is not None
        }
        return Step(run, record, made, used, filled)


def _output(record: RunRecord, path: str) -> Mapping[str, Any]:
    return next(row for row in rows_of(record, "outputs") if row["path"] == path)


def _named(path: str, files: Mapping[str, str]) -> str:
    """The MD5 of a file, or of the folder that some files are."""
    from fourfold.content.tree import Tree  # noqa: PLC0415 - for folders that several runs filled

    below = path + "/"
    return files[path] if path in files else Tree.of((n.removeprefix(below), m) for n, m in files.items()).oid


def identity(row: Mapping[str, Any]) -> str:
    """What names the content of an input or output; "" where it is not known."""
    return str(row.get("md5") or row.get("blake3") or "")


def object_of(row: Mapping[str, Any]) -> Oid | None:
    """The object of the cache that an input or output is; None where it names none, or what is no name."""
    with suppress(FourfoldError):
        return parse_oid(row.get("md5"))
    return None


def metrics_of(record: RunRecord, part: Part) -> dict[str, float]:
    """The metrics of a run, as ``FILE:NAME`` to number; what is no finite number is none."""
    value = value_of(record.data, "metrics")
    found = mapping(opened(value, part))
    if reference(value) is not None:
        found = mapping(found.get("metrics"))
    return {
        f"{file}:{name}": number
        for file, names in found.items()
        for name, number in mapping(names).items()
        if is_finite(number)
    }
