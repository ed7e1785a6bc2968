"""Data of two runs, looked into: what changed in the tables of an input or output, and what of it harms.

Files are taken from where they are had (`holdings`); where they are not, or are too large, the records say
what the tables looked like from afar. What was found is kept by the two contents, so that nobody waits twice;
it may be lost. How much is looked at depends on sizes alone.
"""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import FourfoldError
from fourfold.base.fs.atomic import write_atomic
from fourfold.evidence.explaining.afar import compare_summaries
from fourfold.evidence.explaining.harms import Harm, document, harms, overlap_harm, restored, told
from fourfold.evidence.explaining.overlap import Overlap, key_of, overlap, pairs
from fourfold.evidence.explaining.rows import Rows, read_rows, stacked
from fourfold.evidence.explaining.tables import BUDGET, TableChange, compare_rows, cut
from fourfold.evidence.lineage import Lineage, Step
from fourfold.evidence.parting import reads_of
from fourfold.evidence.replaying.holdings import Held, Holdings
from fourfold.formats.native.canonical import canonical, digest
from fourfold.formats.native.record import RunRecord
from fourfold.formats.tabular import format_of
from fourfold.runs.changes import Part, mapping, opened, params_of, rows_of, value_of
from fourfold.runs.summaries import LABELS, forget

if TYPE_CHECKING:
    from fourfold.runs.place import Place

#: So many tables of one folder are looked into.
_MOST_TABLES = 8
_VERSION = 3
Make = Callable[[], TableChange | None]


class Looked(NamedTuple):
    """What changed in an input or output.

    Attributes:
        told: In words; "" where nothing is known.
        share: Of it, from 0 to 1; None where that is not known.
        harms: The worst first.
        tables: That changed in it.
        note: What was not looked into, and why; "" where all was.
        kind: ``order`` or ``writing`` where nothing else changed; "" else.
    """

    told: str = ""
    share: float | None = None
    harms: tuple[Harm, ...] = ()
    tables: tuple[TableChange, ...] = ()
    note: str = ""
    kind: str = ""


class Examiner:
    """Looks into data; what it read once it does not read again.

    Args:
        holdings: Finds contents.
        place: Keeps what was found; None to keep nothing.
        part: Reads a part.
        key: The column that names a row, in every table that has it; else found.
        label: The column of labels; else the one that a parameter of the runs names.
        examples: Whether rows are given as examples.
        budget: So many bytes are read of a table, and four times as many of all.
    """

    def __init__(
        self,
        holdings: Holdings,
        place: "Place | None",
        part: Part,
        *,
        key: str | None = None,
        label: str | None = None,
        examples: bool = True,
        budget: int = BUDGET,
    ) -> None:
        self._holdings = holdings
        self._place = place
        self._part = part
        self._key = key
        self._asked = self._label = label
        self._examples = examples
        self._budget = budget
        self._left = 4 * budget
        self._rows: dict[str, Rows | None] = {}
        self._compared = self._labelled = False
        self._apart: list[str] = []

    @property
    def unknown(self) -> list[str]:
        """What could not be found out, in sentences."""
        found = list(self._apart)
        if self._asked and self._compared and not self._labelled:
            found.append(f"labels were not compared: no table has a column {cut(self._asked)} of labels")
        return found

    def learn(self, *lineages: Lineage) -> None:
        """Hear from the parameters of runs which column has the labels."""
        if self._label is not None:
            return
        for lineage in lineages:
            for step in reversed(lineage.steps):
                for _file, values in sorted(params_of(step.record, self._part).items()):
                    for key, value in sorted(values.items()):
                        if key.rpartition(".")[2] in LABELS and isinstance(value, str):
                            self._label = value
                            return

    # -- one input or output -------------------------------------------------------------------------

    def look(self, a: Step, b: Step, path: str) -> Looked:
        """What changed in an input, output or undeclared file that both runs name."""
        first, second = (self._files(step, path) for step in (a, b))
        if not first or not second:
            return self._from_afar(a.record, b.record, path)
        changed = sorted(
            name for name in first.keys() & second.keys() if first[name].name != second[name].name
        )
        new, gone = sorted(second.keys() - first.keys()), sorted(first.keys() - second.keys())
        if not changed and not new and not gone:
            return Looked()
        found = self._tables(path, first, second, changed, whole=bool(new or gone))
        afar = Looked() if found else self._from_afar(a.record, b.record, path)
        found = found or list(afar.tables)
        said = [] if "" in second else [_files_told(len(second), changed, new, gone)]
        worst = max(found, key=lambda change: change.share or 0.0, default=None)
        if worst is not None and (words := _told(path, found, worst)):
            said.append(words)
        shares = [change.share for change in found if change.share is not None]
        if not shares and "" not in second:
            shares = [(len(changed) + len(new) + len(gone)) / max(len(first), len(second))]
        compared = [change for change in found if change.source == "rows"]
        readable = [name for name in changed if format_of(name or path)]
        notes = [afar.note, *(f"{change.path}: {change.why}" for change in compared if change.why)]
        if len(readable) > len(compared) and not new and not gone and compared:
            notes.append(f"of {len(readable)} tables that changed {len(compared)} were looked into")
        kind = _kind_of(compared) if len(compared) == len(changed) and not new and not gone else ""
        return Looked(
            "; ".join(said),
            max(shares, default=None),
            _harms(path, found),
            tuple(found),
            "; ".join(note for note in notes if note),
            kind,
        )

    def _files(self, step: Step, path: str) -> dict[str, Held]:
        """The files at a path that a run names, or that lies in a folder that it names."""
        record, reads = step.record, reads_of(step.record, self._part).undeclared
        left = [row for filled in step.filled.values() for row in filled.left.values()]
        rows = [*rows_of(record, "inputs"), *rows_of(record, "outputs"), *reads.values(), *left]
        row = next((row for row in rows if row["path"] == path), None)
        if row is not None:
            return self._holdings.files(record, row)
        for row in rows:
            inner = path.removeprefix(row["path"] + "/")
            if inner != path and (held := self._holdings.files(record, row).get(inner)) is not None:
                return {"": held}
        return {}

    def _tables(
        self,
        path: str,
        first: Mapping[str, Held],
        second: Mapping[str, Held],
        changed: Sequence[str],
        *,
        whole: bool,
    ) -> list[TableChange]:
        """The tables that changed; those of a folder that got or lost files as one, where they are alike."""
        if whole:
            sides = [{n: held for n, held in side.items() if format_of(n)} for side in (first, second)]
            if all(sides):
                one, two = (_name_of(side) for side in sides)
                change = self._kept(path, one, two, lambda: self._stacked(path, sides[0], sides[1]))
                if change is not None:
                    return [change]
        found = []
        for name in [name for name in changed if format_of(name or path)][:_MOST_TABLES]:
            shown = f"{path}/{name}" if name else path
            held = first[name], second[name]
            change = self._kept(shown, held[0].name, held[1].name, partial(self._pair, shown, *held))
            if change is not None:
                found.append(change)
        return found

    def _pair(self, path: str, first: Held, second: Held) -> TableChange | None:
        one, two = self._read(first, path), self._read(second, path)
        if one is None or two is None:
            return None
        return compare_rows(one, two, path, key=self._key, label=self._label)

    def _stacked(
        self, path: str, first: Mapping[str, Held], second: Mapping[str, Held]
    ) -> TableChange | None:
        sides = []
        for side in (first, second):
            tables = [self._read(held, name) for name, held in sorted(side.items())]
            known = [table for table in tables if table is not None]
            sides.append(stacked(known) if len(known) == len(tables) else None)
        if sides[0] is None or sides[1] is None:
            return None
        return compare_rows(sides[0], sides[1], path, key=self._key, label=self._label)

    def _read(self, held: Held, name: str) -> Rows | None:
        """The rows of a file, within what may be read."""
        if held.name not in self._rows:
            data = held.read(min(self._budget, self._left))
            self._left -= len(data or b"")
            self._rows[held.name] = read_rows(data, name) if data is not None else None
        return self._rows[held.name]

    def _from_afar(self, a: RunRecord, b: RunRecord, path: str) -> Looked:
        """What the summaries of both records say."""
        first, second = (
            mapping(mapping(opened(value_of(record.data, "summaries"), self._part)).get("tables"))
            for record in (a, b)
        )
        below = path + "/"
        found = []
        for name in sorted(first.keys() & second.keys()):
            if (name == path or name.startswith(below)) and first[name] != second[name]:
                one, two = mapping(first[name]), mapping(second[name])
                label = self._label or str(two.get("label") or one.get("label") or "")
                change = compare_summaries(one, two, name, label=label or None)
                if change is not None:
                    found.append(change)
        worst = max(found, key=lambda change: change.share or 0.0, default=None)
        return Looked(
            _told(path, found, worst) if worst is not None else "",
            worst.share if worst is not None else None,
            _harms(path, found),
            tuple(found),
            self._why_afar(a, b, path, summarized=bool(found)),
        )

    def _why_afar(self, a: RunRecord, b: RunRecord, path: str, *, summarized: bool) -> str:
        """Why rows were not compared; "" where there is no sign of any on both sides."""
        sides = [
            [row for name in ("inputs", "outputs") for row in rows_of(record, name) if row["path"] == path]
            for record in (a, b)
        ]
        if not summarized and not (all(sides) and format_of(path)):
            return ""
        sizes = [row["size"] for row in (*sides[0], *sides[1]) if row.get("nfiles") is None and "size" in row]
        large = any(isinstance(size, int) and size > self._budget for size in sizes)
        why = f"larger than {self._budget >> 20} MB" if large else "not all of them are at hand"
        instead = (
            "this is what the summaries in the records say" if summarized else "nor do the records say more"
        )
        return f"rows were not compared ({why}): {instead}"

    # -- train and test ------------------------------------------------------------------------------

    def overlaps(self, a: Lineage, b: Lineage) -> dict[str, list[Harm]]:
        """Harms of rows that stand in train and test now, by the input or output that changed so."""
        sides = [self._every_table(lineage) for lineage in (a, b)]
        found: dict[str, list[Harm]] = {}
        for names in pairs(sides[1]):
            here = [[side.get(path) for path in names] for side in sides]
            changed = [
                path
                for path, before, after in zip(names, *here, strict=True)
                if after is not None and (before is None or before[1].name != after[1].name)
            ]
            if not changed:
                continue
            before, after = self._overlaps(names, here)
            if after is None:
                self._apart.append(
                    f"whether {names[1]} has rows of {names[0]} is not known: they were not read"
                )
            harm = overlap_harm(before, after) if after is not None else None
            if harm is not None:
                # Of two that changed it is the test that is not one any more.
                found.setdefault(sides[1][changed[-1]][0], []).append(harm)
        return found

    def _every_table(self, lineage: Lineage) -> dict[str, tuple[str, Held]]:
        """Every table of a lineage by its path, with that of the input or output that it is in."""
        raw = lineage.raw_inputs()
        rows = [(step.record, row) for step in lineage.steps for row in rows_of(step.record, "outputs")]
        rows += [
            (step.record, row)
            for step in lineage.steps
            for row in rows_of(step.record, "inputs")
            if row["path"] in raw
        ]
        found = {}
        for record, row in rows:
            for name, held in self._holdings.files(record, row).items():
                path = f"{row['path']}/{name}" if name else row["path"]
                if format_of(path):
                    found[path] = (row["path"], held)
        return found

    def _overlaps(
        self, names: tuple[str, str], sides: Sequence[Sequence[tuple[str, Held] | None]]
    ) -> list[Overlap | None]:
        """What train and test had and have in common; in the columns that they had at both times."""
        rows = [
            [
                None if table is None else self._read(table[1], name)
                for table, name in zip(side, names, strict=True)
            ]
            for side in sides
        ]
        known = [each for each in (*rows[0], *rows[1]) if each is not None]
        among = set(known[0].names).intersection(*(each.names for each in known)) if len(known) == 4 else None
        found: list[Overlap | None] = []
        for one, two in rows:
            if one is None or two is None:
                found.append(None)
            else:
                found.append(overlap(one, two, names, self._key or key_of(one, two), among))
        return found

    # -- what is kept --------------------------------------------------------------------------------

    def _kept(self, path: str, first: str, second: str, make: Make) -> TableChange | None:
        """A comparison from the cache, or made."""
        change = self._remembered(path, first, second, make)
        if change is not None:
            self._compared = True
            self._labelled = self._labelled or change.label is not None or not change.share
        if change is None or self._examples:
            return change
        return change._replace(examples=())

    def _remembered(self, path: str, first: str, second: str, make: Make) -> TableChange | None:
        if self._place is None:
            return make()
        asked = [_VERSION, format_of(path), path, first, second, self._key, self._label, self._budget]
        file = os.path.join(self._place.own, "runs", "facts", f"change-{digest(canonical(asked))}.json")
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            with open(file, "rb") as stored:
                known = json.loads(stored.read(16 << 20))
            if known["check"] == digest(canonical({"found": known["found"]})):
                return restored(known["found"])
        change = make()
        if change is not None:
            with suppress(OSError, FourfoldError):
                folder = self._place.make("runs", "facts")
                found = document(change)
                # Columns of examples stay in their order.
                kept = {"check": digest(canonical({"found": found})), "found": found}
                write_atomic(file, json.dumps(kept).encode(), durable=False)
                forget(folder, "change-")
        return change


def _kind_of(found: Sequence[TableChange]) -> str:
    """What alone changed in all of some tables: their order, or how they are written; "" where more did."""
    if not found or any(change.share or change.duplicates[0] != change.duplicates[1] for change in found):
        return ""
    if all(change.order_only or change.rewritten for change in found):
        return "order" if any(change.order_only for change in found) else "writing"
    return ""


def _told(path: str, found: Sequence[TableChange], worst: TableChange) -> str:
    """What happened to the table that changed most, with its name where it is one of several."""
    words = told(worst)
    several = len(found) > 1 or worst.path != path
    return f"{worst.path.removeprefix(path + '/')}: {words}" if several and words else words


def _name_of(side: Mapping[str, Held]) -> str:
    """What names the content of several files."""
    return digest(canonical({name: held.name for name, held in side.items()}))


def _files_told(count: int, changed: Sequence[str], new: Sequence[str], gone: Sequence[str]) -> str:
    said = [
        f"{len(names)} {word}"
        for names, word in ((changed, "changed"), (new, "new"), (gone, "gone"))
        if names
    ]
    return f"of {count} file{'' if count == 1 else 's'} {', '.join(said)}"


_ORDER = ("label", "overlap", "leak", "nulls", "copies")


def _harms(path: str, found: Sequence[TableChange]) -> tuple[Harm, ...]:
    """The harms of all tables of an input or output, each once, the worst first."""
    once: dict[tuple[str, str], Harm] = {}
    for change in found:
        where = f", in {change.path.removeprefix(path + '/')}" if change.path != path else ""
        for harm in harms(change):
            key = (harm.kind, harm.about)
            if key not in once or once[key].share < harm.share:
                once[key] = harm._replace(told=harm.told + where)
    return tuple(sorted(once.values(), key=lambda harm: (_ORDER.index(harm.kind), -harm.share, harm.about)))
