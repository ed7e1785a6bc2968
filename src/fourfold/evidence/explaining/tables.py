"""Two states of one table: rows added, removed, changed; schema, empty cells, duplicates, labels, drift.

Rows are matched by a key where one is given or found, else as they are. Tests of many columns are corrected
(Holm), and a drift is told only when it is as wide as it is certain. What is known to harm a model is told as
such (`TableChange.harms`). Where the rows are not at hand, or too many, what the record of a run says of the
table from afar has to do, and is told as that. Rows of a file are `rows`, one column is `columns`.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from operator import ne
from typing import NamedTuple

from fourfold.evidence.explaining.columns import (
    SAMPLE,
    Drift,
    drift_of,
    is_measured,
    kind_of,
    nulls_of,
    tells,
    thin,
)
from fourfold.evidence.explaining.parted import Parted, order_only, renamed
from fourfold.evidence.explaining.rows import Rows
from fourfold.evidence.statistics.inference import chi_squared, holm
from fourfold.storage.redact import HIDDEN
from fourfold.storage.secrecy import is_secret_value
from fourfold.storage.secrets import strike

#: Tables of more bytes are not read for a comparison.
BUDGET = 24 << 20
#: A drift is told from this p value on, corrected, and this effect.
CERTAIN, WIDE = 0.01, 0.05
#: A column that tells more of the label than this leaks it.
LEAK = 0.9
#: So many columns are looked at.
_MOST_COLUMNS = 300
#: Of each kind, so many rows are examples; so much of a cell, and so many cells, are shown.
_EXAMPLES, _CELL, _CELLS = 3, 40, 12
#: So much of a cell is searched for secrets.
_STRUCK = 400
#: Names of columns that may name rows.
KEY = re.compile(r"(?:.*[_ -])?(?:id|key|uuid|guid|index|no)|.*Id", re.IGNORECASE)


class ColumnChange(NamedTuple):
    """A column of which there is something to tell.

    Attributes:
        name: Of the column.
        nulls: Empty cells before and after.
        changed: Cells that are others in rows matched by key; 0 where there is no key.
        drift: How its values moved, its p value corrected for the number of columns; None where that was
            not tested.
        drifted: Whether that is certain and wide enough to be told.
    """

    name: str
    nulls: tuple[int, int] = (0, 0)
    changed: int = 0
    drift: Drift | None = None
    drifted: bool = False


class LabelChange(NamedTuple):
    """The column of labels.

    Attributes:
        name: Of the column.
        before: Share of each label, the most frequent first.
        after: Likewise.
        p: That rows which went or came have labels like those that stayed; 1 where nothing moved.
        changed: Labels that are others in rows matched by key.
    """

    name: str
    before: Mapping[str, float]
    after: Mapping[str, float]
    p: float = 1.0
    changed: int = 0

    @property
    def shift(self) -> tuple[str, float, float] | None:
        """The label whose share moved most, with both shares."""
        values = sorted({*self.before, *self.after})
        found = [(value, self.before.get(value, 0.0), self.after.get(value, 0.0)) for value in values]
        return max(found, key=lambda row: (abs(row[2] - row[1]), row[0]), default=None)


class Leak(NamedTuple):
    """A column that tells the label.

    Attributes:
        name: Of the column.
        before: How well it told it, from 0 to 1; None where the first table has no such column.
        after: How well it tells it now.
    """

    name: str
    before: float | None
    after: float


class Example(NamedTuple):
    """A row that tells what happened: ``added``, ``removed``, or ``changed``, its cells by column."""

    kind: str
    before: Mapping[str, str]
    after: Mapping[str, str]


class TableChange(NamedTuple):
    """How a table changed.

    Attributes:
        path: Of the table.
        rows: How many there were and are; None where that is not known.
        added: Rows that are new; None where rows were not compared.
        removed: Rows that are gone.
        changed: Rows that are others, by key.
        key: The column by which rows were matched; "" where they are matched as they are.
        order_only: What alone stands in another order: ``rows``, ``columns``; "" where more is otherwise.
        rewritten: Rows whose cells are written otherwise and mean the same: ``1.0`` and ``1.00``, ``NA`` and
            nothing; they are none of those that changed.
        renamed: Columns that have another name, their cells as they were: the old name, the new one.
        new_columns: Columns that only the second has.
        gone_columns: Columns that only the first has.
        retyped: Columns with other kinds of values: name, before, after.
        columns: Of which there is something to tell, the widest drift first.
        label: The column of labels; None where nobody says which it is.
        duplicates: Rows that are copies of another one, before and after.
        leaks: Columns that tell the label now and did not.
        examples: Rows that tell what happened.
        sample: Of so many rows, the first ones of each, labels are known; None where they are of all. What is
            known of the beginning of a table is told, and is no known harm: rows may only stand elsewhere.
        source: ``rows``, or ``summary`` for what the record says of the table from afar.
        why: What was not compared, and why; "" where all was.
    """

    path: str
    rows: tuple[int | None, int | None]
    added: int | None = None
    removed: int | None = None
    changed: int | None = None
    key: str = ""
    order_only: str = ""
    rewritten: int = 0
    renamed: tuple[tuple[str, str], ...] = ()
    new_columns: tuple[str, ...] = ()
    gone_columns: tuple[str, ...] = ()
    retyped: tuple[tuple[str, str, str], ...] = ()
    columns: tuple[ColumnChange, ...] = ()
    label: LabelChange | None = None
    duplicates: tuple[int, int] = (0, 0)
    leaks: tuple[Leak, ...] = ()
    examples: tuple[Example, ...] = ()
    sample: tuple[int, int] | None = None
    source: str = "rows"
    why: str = ""

    @property
    def share(self) -> float | None:
        """The share of rows that are others; None where that is not known."""
        before, after = self.rows
        if before is None or after is None:
            return None
        most = max(before, after, 1)
        if self.added is None:
            return abs(after - before) / most
        if self.new_columns or self.gone_columns:
            return 1.0
        return min(1.0, max(self.added, self.removed or 0, self.changed or 0) / most)


def compare_rows(
    a: Rows, b: Rows, name: str, *, key: str | None = None, label: str | None = None
) -> TableChange:
    """Compare two states of a table, of which the files are not the same.

    Args:
        a: Rows of the one.
        b: Rows of the other.
        name: What the table is called.
        key: The column that names a row; found where one does.
        label: The column of labels.
    """
    parted = Parted(a, b)
    counts, order = (len(a.texts), len(b.texts)), order_only(a, b, parted)
    same = parted.is_same and not order and set(a.names) == set(b.names)
    found = TableChange(
        name,
        counts,
        parted.sizes[1],
        parted.sizes[0],
        0,
        order_only=order,
        rewritten=counts[1] if same else parted.rewritten,  # the files differ: in marks, or ends of lines
        renamed=renamed(a, b),
        new_columns=tuple(each for each in b.names if each not in a.names),
        gone_columns=tuple(each for each in a.names if each not in b.names),
        duplicates=(counts[0] - len(set(a.texts)), counts[1] - len(set(b.texts))),
    )
    if parted.is_same and set(a.names) == set(b.names):
        return found
    found = _matched(found, parted, key)
    found = _by_column(found, parted)
    chosen = label if label is not None and label in b.names else None
    if chosen is not None:
        found = found._replace(label=_label(parted, chosen, found), leaks=_leaks(a, b, chosen, found))
    return found


# --- rows -------------------------------------------------------------------------------------------------


def _matched(found: TableChange, parted: Parted, key: str | None) -> TableChange:
    """Which of the rows that differ are the same row with other cells; and examples."""
    asked = key if key in parted.names and key is not None else None
    chosen = asked if asked is not None and _names_rows(parted, asked) else _key(parted)
    if asked is not None and chosen != asked:
        found = found._replace(why=f"column {cut(asked)} does not name rows: some have the same")
    columns = {name: parted.of(name)[1:] for name in parted.names}
    places: list[tuple[int, int]] = []
    if chosen is not None:
        before = {cell: at for at, cell in enumerate(columns[chosen][0])}
        ats = map(before.get, columns[chosen][1])
        places = [(there, at) for at, there in enumerate(ats) if there is not None]
    first, second = [at for at, _ in places], [at for _, at in places]
    changed = {}
    as_they_are = first == second == [*range(parted.sizes[0])]
    for name, (old, new) in columns.items():
        aligned = (old, new) if as_they_are else (map(old.__getitem__, first), map(new.__getitem__, second))
        count = sum(map(ne, *aligned)) if places else 0
        if count:
            changed[name] = ColumnChange(name, changed=count)
    gone = sorted(set(range(parted.sizes[0])) - set(first))
    new_ones = sorted(set(range(parted.sizes[1])) - set(second))
    examples = [_example(columns, chosen, *place) for place in places[:_EXAMPLES]]
    examples += [Example("removed", _shown(columns, 0, at), {}) for at in gone[:_EXAMPLES]]
    examples += [Example("added", {}, _shown(columns, 1, at)) for at in new_ones[:_EXAMPLES]]
    return found._replace(
        added=len(new_ones),
        removed=len(gone),
        changed=len(places),
        key=chosen or "",
        columns=tuple(changed.values()),
        examples=tuple(examples),
    )


def _key(parted: Parted) -> str | None:
    """A column whose cells name the rows of both tables: one that is called so, or the first."""
    likely = [name for name in parted.names if KEY.fullmatch(name)]
    for name in dict.fromkeys([*likely, *parted.names[:1]]):
        if _names_rows(parted, name):
            return name
    return None


def _names_rows(parted: Parted, name: str) -> bool:
    """Whether the cells of a column name the rows of both tables."""
    common, first, second = parted.of(name)
    known = set(common)
    return len(known) == len(common) and all(
        len(set(part)) == len(part) and known.isdisjoint(part) for part in (first, second)
    )


_Columns = Mapping[str, Sequence[Sequence[str]]]


def _example(columns: _Columns, key: str | None, first: int, second: int) -> Example:
    """A row that changed: its key, and the cells that are others."""
    names = [name for name, (old, new) in columns.items() if name == key or old[first] != new[second]]
    only = {name: columns[name] for name in names}
    return Example("changed", _shown(only, 0, first), _shown(only, 1, second))


def _shown(columns: _Columns, side: int, at: int) -> dict[str, str]:
    """Cells of a row for people."""
    cells = ((name, both[side][at]) for name, both in islice(columns.items(), _CELLS))
    return {cut(name): shown(name, cell) for name, cell in cells}


def shown(name: str, cell: str) -> str:
    """A cell for people: cut, and without what is or looks like a secret."""
    return HIDDEN if is_secret_value(name, cell) else cut(strike(cell[:_STRUCK]))


def cut(text: str) -> str:
    """A text that is no longer than a cell is shown."""
    return text if len(text) <= _CELL else text[: _CELL - 3] + "..."


# --- columns ----------------------------------------------------------------------------------------------


def _by_column(found: TableChange, parted: Parted) -> TableChange:
    changed = {column.name: column.changed for column in found.columns}
    columns = []
    retyped = []
    names = parted.names
    if found.key and not found.added and not found.removed:  # rows stayed: only cells of these are others
        names = list(changed)
    for name in names[:_MOST_COLUMNS]:
        common, first, second = parted.of(name)
        shared = nulls_of(common)
        nulls = shared + nulls_of(first), shared + nulls_of(second)
        kinds = [kind_of([*common[:2000], *part[:2000]]) for part in (first, second)]
        if kinds[0] != kinds[1] and "empty" not in kinds:
            retyped.append((name, kinds[0], kinds[1]))
        drift = None
        if name != found.key or is_measured([*first, *second]):
            drift = drift_of(*parted.samples(name))
        columns.append(ColumnChange(name, nulls, changed.get(name, 0), drift))
    tested = [column.drift.p for column in columns if column.drift is not None]
    corrected = iter(holm(tested))
    told = []
    for column in columns:
        drift = column.drift
        if drift is not None:
            drift = _fit_to_be_shown(column.name, drift)._replace(p=next(corrected))
            column = column._replace(  # noqa: PLW2901 - the same column, corrected
                drift=drift, drifted=drift.p < CERTAIN and drift.effect >= WIDE
            )
        if column.drifted or column.changed or column.nulls[0] != column.nulls[1] or _unseen(drift):
            told.append(column)
    told.sort(key=lambda each: (-(each.drift.effect if each.drifted and each.drift else 0.0), each.name))
    return found._replace(columns=tuple(told), retyped=tuple(retyped))


def _fit_to_be_shown(name: str, drift: Drift) -> Drift:
    """The same, its values as cells are shown."""
    return drift._replace(
        new=tuple(shown(name, value) for value in drift.new),
        gone=tuple(shown(name, value) for value in drift.gone),
        shares=tuple((shown(name, value), before, after) for value, before, after in drift.shares),
    )


def _unseen(drift: Drift | None) -> bool:
    return drift is not None and bool(drift.new or drift.gone)


def _label(parted: Parted, name: str, found: TableChange) -> LabelChange | None:
    if name not in parted.names:
        return None
    samples = [Counter(column) for column in parted.samples(name)]
    values = sorted(set().union(*samples))
    before, after = samples[0] + samples[1], samples[0] + samples[2]
    if len(values) > 2 * 10 or not before or not after:
        return None
    filled = [each for each in samples if each] if samples[0] else samples[1:]
    p = chi_squared([[each[value] for value in values] for each in filled]).p if len(filled) > 1 else 1.0
    changed = next((column.changed for column in found.columns if column.name == name), 0)
    return LabelChange(name, shares_of(name, before), shares_of(name, after), p, changed)


def shares_of(name: str, counts: Counter[str]) -> dict[str, float]:
    """The share of each value of a column as it is shown, the most frequent first."""
    total, told = counts.total(), Counter[str]()
    for value, count in counts.items():
        told[shown(name, value)] += count
    order = sorted(told.items(), key=lambda item: (-item[1], item[0]))
    return {value: round(count / total, 4) for value, count in order}


def _leaks(a: Rows, b: Rows, label: str, change: TableChange) -> tuple[Leak, ...]:
    """Columns that tell the label in the second table and did not in the first."""
    found = []
    after = _thinned(b)
    old = {new: was for was, new in change.renamed}
    before = _thinned(a) if old.get(label, label) in a.names else {}
    if label in old and before:
        before[label] = before[old[label]]
    for name in _written_anew(after, label, change):
        now = tells(after[name], after[label])
        if now < LEAK:
            continue
        then = tells(before[was], before[label]) if (was := old.get(name, name)) in before else None
        if then is None or then < now - (1 - LEAK):
            found.append(Leak(name, None if then is None else round(then, 4), round(now, 4)))
    return tuple(found)


def _written_anew(names: Iterable[str], label: str, change: TableChange) -> list[str]:
    """Columns that may tell more than they did: all but those whose cells stayed as they were."""
    cells = {column.name for column in change.columns if column.changed}
    rows = max(change.added or 0, change.removed or 0)
    stayed = bool(change.key) and label not in cells and rows <= max(change.rows[1] or 0, 1) / 2
    others = [name for name in names if name != label]
    return [name for name in others if name in cells or name in change.new_columns] if stayed else others


def _thinned(rows: Rows) -> dict[str, Sequence[str]]:
    """Some columns of some rows, the same rows of each."""
    columns = islice(zip(rows.names, rows.columns, strict=True), _MOST_COLUMNS)
    return {name: thin(column, SAMPLE) for name, column in columns}
