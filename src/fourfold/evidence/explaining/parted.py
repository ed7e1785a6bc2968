"""Rows that two tables have, and those that only one of them has: as they are, and as what they mean.

Numbers that are written otherwise, and other words for a cell without a value, are no change. Pure.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import compress

from fourfold.evidence.explaining.rows import BETWEEN, Rows
from fourfold.formats.tabular import NULLS, is_number

#: Whole numbers below this are held exactly by a float.
_EXACT = 2.0**53
_TRUTHS = frozenset({"True", "TRUE", "False", "FALSE"})
#: With a larger share of rows that are copies, equal rows need not be the same ones.
_COPIES = 0.1
#: So many columns are tried for one that only got another name.
_MOST_COLUMNS = 300


class Parted:
    """Rows that both tables have, and those that only one of them has, in their columns in common."""

    def __init__(self, a: Rows, b: Rows) -> None:
        self.names = [name for name in a.names if name in set(b.names)]
        self._a, self._b = (a, b) if a.is_alike(b) else (a.only(self.names), b.only(self.names))
        # Of each side, which rows the other has not: copies count one by one.
        self._first = _lacking(self._a.texts, self._b.texts)
        self._second = _lacking(self._b.texts, self._a.texts)
        self.rewritten = self._same_in_meaning()
        self.sizes = (sum(self._first), sum(self._second))
        self.is_same = not any(self.sizes)
        self._common = [not lacks for lacks in self._first]
        self._known: dict[str, list[Sequence[str]]] = {}
        # Where rows are often equal by chance, those that differ are no sample of what came and went.
        self._coincide = any(
            len(set(rows.texts)) < (1 - _COPIES) * len(rows.texts) for rows in (self._a, self._b)
        )

    def _same_in_meaning(self) -> int:
        """Take out what is only written otherwise; how many rows that is."""
        places = [[at for at, lacks in enumerate(side) if lacks] for side in (self._first, self._second)]
        if not all(places):
            return 0
        columns = [
            [_meanings([column[at] for at in side]) for column in rows.columns]
            for rows, side in zip((self._a, self._b), places, strict=True)
        ]
        first, second = (list(map(BETWEEN.join, zip(*side, strict=True))) for side in columns)
        for found, side, texts, others in (
            (self._first, places[0], first, second),
            (self._second, places[1], second, first),
        ):
            for at, lacks in zip(side, _lacking(texts, others), strict=True):
                found[at] = lacks
        return len(places[0]) - sum(self._first)

    def samples(self, name: str) -> list[Sequence[str]]:
        """One column as samples that chance can be told of: as `of` gives it, or each table as a whole."""
        if not self._coincide:
            return self.of(name)
        return [(), self._a.column(name), self._b.column(name)]

    def of(self, name: str) -> list[Sequence[str]]:
        """One column: of what both have, of what the first has, of what the second has."""
        if name not in self._known:
            first, second = self._a.column(name), self._b.column(name)
            self._known[name] = [
                list(compress(first, self._common)) if self.sizes[0] else first,
                list(compress(first, self._first)) if self.sizes[0] else (),
                list(compress(second, self._second)) if self.sizes[1] else (),
            ]
        return self._known[name]


def _lacking(texts: Sequence[str], others: Sequence[str]) -> list[bool]:
    """Of each text, whether the others lack it."""
    there = set(others)
    if len(there) == len(others) and len(set(texts)) == len(texts):
        return [text not in there for text in texts]
    left = Counter(others)
    found = []
    for text in texts:
        has = left[text] > 0
        if has:
            left[text] -= 1
        found.append(not has)
    return found


def _meanings(cells: Sequence[str]) -> list[str]:
    """Cells as what they mean: numbers as numbers, whatever says that there is no value as one thing."""
    known = {cell: _meaning(cell) for cell in set(cells)}
    return [known[cell] for cell in cells]


def _meaning(cell: str) -> str:
    if cell in NULLS:
        return ""
    if cell in _TRUTHS:
        return cell.lower()
    digits = cell.strip().lstrip("+-")
    if not is_number(cell) or (digits[:1] == "0" and digits[1:2].isdigit()):
        return cell  # 007 is a name
    if digits.isdecimal():
        return ("-" if cell.strip()[0] == "-" and digits != "0" else "") + digits
    value = float(cell)
    return f"{value + 0.0:.0f}" if value.is_integer() and abs(value) < _EXACT else repr(value)


def order_only(a: Rows, b: Rows, parted: Parted) -> str:
    """What alone stands in another order, where two tables have the same rows."""
    if not parted.is_same or parted.rewritten or set(a.names) != set(b.names):
        return ""
    if a.names != b.names:
        return "columns"
    return "rows" if a.between == b.between and a.texts != b.texts else ""


def renamed(a: Rows, b: Rows) -> tuple[tuple[str, str], ...]:
    """Columns of which only the name changed, where the rows stand as they stood."""
    new = [name for name in b.names if name not in a.names][:_MOST_COLUMNS]
    gone = [name for name in a.names if name not in b.names][:_MOST_COLUMNS]
    if not new or not gone or len(a.texts) != len(b.texts):
        return ()
    known = {tuple(b.column(name)): name for name in reversed(new)} if a.texts else {}
    pairs = [(name, known.pop(tuple(a.column(name)), None)) for name in gone]
    return tuple((old, name) for old, name in pairs if name is not None)
