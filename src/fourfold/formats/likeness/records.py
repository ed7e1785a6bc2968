"""Tables that are written as text, column by column as they go by: rows of JSON, rows of cells.

Rows come in batches; a column keeps a running digest, and its numbers while all of it are numbers, never its
texts. The same rows give the same digests whatever text spelled them. No format is known here, nor any file.
"""

import json
import re
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

from blake3 import blake3

from fourfold.formats.likeness.model import Leaf
from fourfold.formats.likeness.source import Budget, little

#: Rows of a batch. Digests depend on it: a change of it is a new version of every canonicaliser that uses it.
ROWS = 4096
#: Largest whole number up to which all whole numbers are doubles.
EXACT = 1 << 53
_T = TypeVar("_T")
_NAN = float("nan")


#: Rows with more fields than this are told row by row, in one column.
MAX_COLUMNS = 10_000
#: So are those where all rows together have so many times the fields of any one.
_SPARSE = 50
#: Cells that say that there is no value.
NULLS = frozenset({"", "NA", "N/A", "n/a", "#N/A", "<NA>", "NULL", "null", "None"})


class _Absent:
    """Stands where a row does not have the field."""


ABSENT = _Absent()
_BLANK = frozenset({type(None), _Absent})
_NUMBER = frozenset({int, float})


class Column:
    """One column of JSON values.

    Whole numbers that a double holds and doubles are one kind of number, as RFC 8785 has it: 1 is 1.0.
    """

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._hasher = blake3()
        self._numbers: array[float] | None = array("d")
        self._kinds: set[str] = set()
        self._rows = 0

    def extend(self, values: Sequence[Any]) -> None:
        """The values of the next rows."""
        self._rows += len(values)
        types = set(map(type, values))
        if types <= _NUMBER | _BLANK and self._floats(values, types):
            return
        if not types <= _BLANK:
            self._numbers = None
        if types == {str}:
            self._kinds.add("str")
            self._hasher.update(b"s")
            _feed_texts(self._hasher, values)
            return
        self._kinds.add("bool" if types == {bool} else "mixed")
        self._hasher.update(b"j")
        _feed_texts(self._hasher, [encoded(value) for value in values])

    def absent(self, count: int) -> None:
        """The next rows do not have this field."""
        self._rows += count
        self._hasher.update(b"a%d" % count)
        if count:
            self._hold(array("d", (_NAN,)) * count)

    def _floats(self, values: Sequence[Any], types: set[type]) -> bool:
        blanks = b""
        if types & _BLANK:
            blanks = bytes(1 if v is None else 2 if v is ABSENT else 0 for v in values)
            values = [_NAN if v is None or v is ABSENT else v for v in values]
        if int in types and any(type(v) is int and not -EXACT <= v <= EXACT for v in values):
            return False
        numbers = array("d", values)
        self._hasher.update(b"n" + len(numbers).to_bytes(4, "little") + little(numbers))
        self._hasher.update(b"b" + blanks)
        if types & _NUMBER:
            self._kinds.add("float64")
        self._hold(numbers)
        return True

    def _hold(self, numbers: "array[float]") -> None:
        if self._numbers is not None and self._budget.hold(len(numbers)):
            self._numbers.extend(numbers)
        else:
            self._numbers = None

    def leaf(self) -> Leaf:
        """What the column is, now that all rows went by."""
        dtype = next(iter(self._kinds)) if len(self._kinds) == 1 else "mixed" if self._kinds else "null"
        held = self._numbers
        gives = (lambda: held) if held is not None and dtype == "float64" else None
        return Leaf("column", dtype, (self._rows,), self._hasher.hexdigest(), gives)


class Cells:
    """One column of cells of text: numbers where all cells are (or are empty), else texts as they stand.

    ``01234`` is text (a code, not a number); so are whole numbers that no double holds.
    """

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._texts = blake3()
        self._values: Any = blake3()
        self._numbers: array[float] | None = array("d")
        self._any = False
        self._rows = 0

    def extend(self, cells: Sequence[str]) -> None:
        """The cells of the next rows."""
        text = _feed_texts(self._texts, cells)
        if self._values is not None:
            numbers = _numbers_of(cells, text)
            if numbers is None:
                self._values, self._numbers = None, None
            else:
                self._take(cells, numbers)
        self._rows += len(cells)

    def _take(self, cells: Sequence[str], numbers: "array[float]") -> None:
        self._values.update(little(numbers))
        blanks = [] if NULLS.isdisjoint(cells) else [i for i, cell in enumerate(cells) if cell in NULLS]
        if blanks:
            told = repr([(self._rows + i, cells[i]) for i in blanks])
            self._values.update(told.encode())
        self._any = self._any or len(blanks) < len(cells)
        if self._numbers is not None and self._budget.hold(len(numbers)):
            self._numbers.extend(numbers)
        else:
            self._numbers = None

    def leaf(self) -> Leaf:
        """What the column is, now that all rows went by."""
        if self._values is None or not self._any:
            return Leaf("column", "str", (self._rows,), self._texts.hexdigest())
        held = self._numbers
        gives = None if held is None else lambda: held
        return Leaf("column", "float64", (self._rows,), self._values.hexdigest(), gives)


#: Among cells, each after a line end, one that float() takes and that is a code, or maybe not exact.
_ODD = re.compile(r"\n[ \t]*[+-]?(?:0[0-9]|[0-9]{16})")


def _numbers_of(cells: Sequence[str], text: str) -> "array[float] | None":
    """The numbers that all cells are, those without a value as NaN; None where one is something else."""
    if not text.isascii() or "_" in text or _ODD.search(f"\n{text}"):
        return None
    try:
        if NULLS.isdisjoint(cells):
            return array("d", map(float, cells))
        return array("d", [_NAN if cell in NULLS else float(cell) for cell in cells])
    except ValueError:
        return None


def _feed_texts(hasher: Any, texts: Sequence[str]) -> str:
    """Take texts into a digest, their lengths first; gives them, one a line."""
    text = "\n".join(texts)
    hasher.update(array("Q", map(len, texts)).tobytes())
    hasher.update(text.encode("utf-8", "surrogatepass"))
    return text


def encoded(value: Any) -> str:
    """One spelling of a JSON value: keys sorted, whole numbers as such."""
    if value is ABSENT:
        return ""
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _plain(value: Any) -> Any:
    if type(value) is float and value.is_integer() and abs(value) <= EXACT:
        return int(value)
    if type(value) is list:
        return [_plain(item) for item in value]
    if type(value) is dict:
        return {key: _plain(item) for key, item in value.items()}
    return value


def columns_of(rows: Callable[[], Iterable[Any]], budget: Budget, name: str, prefix: str) -> dict[str, Leaf]:
    """The columns of rows of JSON objects, by name of the field; objects within them by dotted names.

    Rows that are no objects are a column ``[]``; so are all rows where there are too many fields.

    Args:
        rows: Gives the rows; called again where there are too many fields.
        budget: Numbers are held, and columns counted, in it.
        name: Of the file, for messages.
        prefix: Before the names of columns.
    """
    columns: dict[str, Column] = {}
    for batch, done in batches(rows()):
        found = _transposed(batch)
        if found is None or len(columns.keys() | found.keys()) > MAX_COLUMNS:
            return {f"{prefix}[]": column_of(rows(), budget)}
        for field, values in found.items():
            column = columns.get(field)
            if column is None:
                budget.part(name)
                column = columns[field] = Column(budget)
                column.absent(done)
            column.extend(values)
        for field in columns.keys() - found.keys():
            columns[field].absent(len(batch))
    return {prefix + field: column.leaf() for field, column in columns.items()}


def column_of(values: Iterable[Any], budget: Budget) -> Leaf:
    """One column of any JSON values."""
    column = Column(budget)
    for batch, _ in batches(values):
        column.extend(batch)
    return column.leaf()


def batches(rows: Iterable[_T]) -> Iterator[tuple[list[_T], int]]:
    """Rows in batches, each with how many went before it."""
    done = 0
    rows = iter(rows)
    while batch := list(islice(rows, ROWS)):
        yield batch, done
        done += len(batch)


def _transposed(batch: list[Any]) -> dict[str, Sequence[Any]] | None:
    """The values of a batch by field; None where hardly any row has any field of another."""
    if set(map(type, batch)) == {dict}:
        fields = tuple(batch[0])
        if fields and all(tuple(row) == fields for row in batch):
            columns = list(zip(*(row.values() for row in batch), strict=True))
            if not any(dict in set(map(type, column)) for column in columns):
                return {quoted(field): column for field, column in zip(fields, columns, strict=True)}
    flat = [dict(_fields(row, "")) if type(row) is dict and row else {"[]": row} for row in batch]
    names = dict.fromkeys(field for row in flat for field in row)
    if len(names) > _SPARSE * max(map(len, flat)):
        return None
    return {field: [row.get(field, ABSENT) for row in flat] for field in names}


def _fields(row: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in row.items():
        field = f"{prefix}.{quoted(key)}" if prefix else quoted(key)
        if type(value) is dict and value:
            yield from _fields(value, field)
        else:
            yield field, value


_SIMPLE: Callable[[str], Any] = re.compile(r"[^\s.\[\]{}\"!]+").fullmatch


def quoted(key: str) -> str:
    """A key in the name of a leaf: as it is, or as a JSON string where it could be mistaken."""
    return key if _SIMPLE(key) else json.dumps(key, ensure_ascii=False)
