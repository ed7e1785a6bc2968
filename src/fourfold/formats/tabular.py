"""What a table looks like from afar: rows, columns and their kinds, nulls, and how labels are balanced.

Reads CSV, TSV, JSON lines, JSON arrays of objects, and Parquet, from an open file and nothing else, once,
from front to back, in bounded memory; of Parquet the end, and the values where pyarrow is installed. A table
never fails: what is no table is None, and where a cap or a broken line ended the reading, the summary says
that it is partial. The first row of CSV and TSV names the columns, unless all its cells are numbers.
Facts: docs/formats/tables.md.
"""

import csv
import json
import math
import re
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple

from fourfold.formats.parquet import read_footer

#: Bytes that are read of a file; what follows is left out, and the summary is partial.
MAX_BYTES = 256 << 20
#: A longer line ends the reading.
MAX_LINE = 4 << 20
#: JSON arrays are read whole, and only to this size.
MAX_DOCUMENT = 16 << 20
#: Columns that are looked at.
MAX_COLUMNS = 2000
#: A column with more distinct values has no counts.
MAX_VALUES = 20
#: A longer cell is no label.
MAX_LABEL = 120
#: Rows, and characters, that are looked at together.
_BATCH_ROWS, _BATCH_CHARS = 4096, 1 << 20
#: Where `Column.quantiles` are taken.
QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)

#: Cells of text files that say that there is no value.
NULLS = frozenset({"", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "null", "None"})
_NUMERIC = frozenset({"integer", "number"})
_BOOLEANS = frozenset({"true", "false", "True", "False", "TRUE", "FALSE"})
_DATE = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?)?", re.ASCII
)
#: What `summarize` reads, by the end of the name.
FORMATS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".parquet": "parquet",
    ".pq": "parquet",
}


class Column(NamedTuple):
    """One column.

    Attributes:
        name: As the file names it; its number, from 1, where it does not.
        kind: ``integer``, ``number``, ``text``, ``boolean``, ``date``, ``nested`` or ``mixed``; ``empty``
            without values.
        nulls: Rows without a value; None where the file does not tell.
        values: How often each value stands there, the most frequent first; None with more than
            `MAX_VALUES` of them, and of Parquet where pyarrow is not installed.
        quantiles: Numbers that stand there, each at its rank by `QUANTILES`; None where they were not asked
            for, are not all finite numbers, or in Parquet.
    """

    name: str
    kind: str
    nulls: int | None = 0
    values: dict[str, int] | None = None
    quantiles: tuple[float, ...] | None = None


class TableSummary(NamedTuple):
    """One table.

    Attributes:
        format: ``csv``, ``tsv``, ``jsonl``, ``json`` or ``parquet``.
        rows: How many there are; None where it cannot be told (a JSON array over the cap).
        columns: In the order of the file; None likewise.
        partial: Not all of the file was looked at, or not all of it could be understood.
    """

    format: str
    rows: int | None
    columns: tuple[Column, ...] | None
    partial: bool = False


def format_of(name: str) -> str | None:
    """The format that the end of a file's name tells; None when it tells of no table."""
    dot = name.rfind(".")
    return FORMATS.get(name[dot:].lower()) if dot >= 0 else None


def summarize(
    file: BinaryIO,
    name: str,
    *,
    max_bytes: int = MAX_BYTES,
    quantiles: bool = False,
    unpack: bool = True,
) -> TableSummary | None:
    """Look at a table once; None when it is none.

    Args:
        file: Open for reading, at its start; Parquet needs one that can seek.
        name: Its end tells the format.
        max_bytes: So much is read at most.
        quantiles: Whether they are wanted; they take the memory of all numbers.
        unpack: Whether values of Parquet are wanted, which takes loading pyarrow.

    Raises:
        OSError: the file cannot be read.
    """
    kind = format_of(name)
    if kind is None:
        return None
    if kind == "parquet":
        return _parquet(file, unpack=unpack)
    if kind == "json":
        return _document(file, min(max_bytes, MAX_DOCUMENT), quantiles=quantiles)
    reading = _Reading(file, max_bytes)
    if reading.binary:
        return None
    if kind == "jsonl":
        return _json_lines(reading, quantiles=quantiles)
    return _separated(reading, kind, quantiles=quantiles)


class _Reading:
    """The lines of a file, each of bounded length, up to a number of bytes."""

    def __init__(self, file: BinaryIO, limit: int) -> None:
        self._file = file
        self._left = limit
        self._first = self._next()
        self.binary = b"\0" in self._first
        self.partial = False
        self.read = 0

    def _next(self) -> bytes:
        return self._file.readline(min(self._left, MAX_LINE) + 1)

    def __iter__(self) -> Iterator[str]:
        line = self._first.removeprefix(b"\xef\xbb\xbf")
        while line:
            if len(line) > min(self._left, MAX_LINE):
                self.partial = True
                return
            self._left -= len(line)
            self.read += len(line)
            yield line.decode("utf-8", "replace")
            line = self._next()


class _Tally:
    """What is known of one column so far."""

    __slots__ = ("kinds", "name", "numbers", "seen", "values")

    def __init__(self, name: str, *, quantiles: bool = False) -> None:
        self.name = name
        self.seen = 0
        self.kinds: set[str] = set()
        self.values: Counter[str] | None = Counter()
        self.numbers: array[float] | None = array("d") if quantiles else None

    def add(self, cells: Iterable[str]) -> None:
        """Count cells of text."""
        counts = Counter(cells)
        for null in NULLS & counts.keys():
            del counts[null]
        self.seen += counts.total()
        kinds = _kinds_of(counts)
        self.kinds |= kinds
        if self.numbers is not None:
            if kinds <= _NUMERIC:
                self.numbers.extend(map(float, counts.elements()))
            else:
                self.numbers = None
        self.count(counts)

    def note(self, number: float | None) -> None:
        """Keep a number for the quantiles; what is none, or too large for one, ends that."""
        try:
            if number is not None and self.numbers is not None:
                self.numbers.append(number)
                return
        except OverflowError:
            pass
        self.numbers = None

    def count(self, counts: Counter[str]) -> None:
        """Count values by their text."""
        if self.values is None:
            return
        if len(counts) > MAX_VALUES or any(len(value) > MAX_LABEL for value in counts):
            self.values = None
            return
        self.values.update(counts)
        if len(self.values) > MAX_VALUES:
            self.values = None

    def column(self, rows: int) -> Column:
        """What came of it."""
        values = None
        if self.values is not None:
            values = dict(sorted(self.values.items(), key=lambda item: (-item[1], item[0])))
        return Column(self.name, _joined(self.kinds), rows - self.seen, values, _quantiles(self.numbers))


def _quantiles(numbers: "array[float] | None") -> tuple[float, ...] | None:
    """The numbers at the ranks: such as stand there, none between them."""
    if not numbers or not math.isfinite(sum(numbers)):
        return None
    order = sorted(numbers)
    return tuple(order[max(math.ceil(at * len(order)) - 1, 0)] for at in QUANTILES)


def _joined(kinds: set[str]) -> str:
    if not kinds:
        return "empty"
    if kinds == {"integer", "number"}:
        return "number"
    return next(iter(kinds)) if len(kinds) == 1 else "mixed"


def _kinds_of(values: Iterable[str]) -> set[str]:
    """The kinds among distinct cells; all at once where all are numbers, else one by one."""
    cells = [value.strip() for value in values]
    if not cells:
        return set()
    if not any("_" in cell for cell in cells):  # a blank of Python's numbers that no file means
        for kind, read in (("integer", int), ("number", float)):
            try:
                for cell in cells:
                    read(cell)
            except ValueError:
                continue
            return {kind}
    return {_kind_of(cell) for cell in cells}


def _kind_of(cell: str) -> str:
    if cell in _BOOLEANS:
        return "boolean"
    if _DATE.fullmatch(cell):
        return "date"
    if is_number(cell):
        try:
            int(cell)
        except ValueError:
            return "number"
        return "integer"
    return "text"


def is_number(cell: str) -> bool:
    """Whether a cell reads as a number."""
    if "_" in cell:
        return False
    try:
        float(cell)
    except ValueError:
        return False
    return True


# --- text with separators ---


def _separated(reading: _Reading, kind: str, *, quantiles: bool) -> TableSummary | None:
    lines, delimiter = iter(reading), "\t"
    if kind == "csv":
        lines, delimiter = _with_delimiter(lines)
    rows = csv.reader(lines, delimiter=delimiter)
    try:
        first = next((row for row in rows if row), [])
    except csv.Error:  # a cell over the limit of the module: the first row already is too much
        return TableSummary(kind, None, None, partial=True)
    if not first:
        return TableSummary(kind, 0, (), reading.partial)
    headed = not all(is_number(cell) for cell in first)
    names = first if headed else [str(at) for at in range(1, len(first) + 1)]
    tallies = [_Tally(name, quantiles=quantiles) for name in names[:MAX_COLUMNS]]
    total = read = 0
    partial = False
    batch = [] if headed else [first]
    try:
        for row in rows:
            if row:
                batch.append(row)
            if len(batch) >= _BATCH_ROWS or reading.read - read > _BATCH_CHARS:
                total += _count(batch, tallies)
                batch, read = [], reading.read
    except csv.Error:
        partial = True
    total += _count(batch, tallies)
    partial = partial or reading.partial or len(names) > MAX_COLUMNS
    return TableSummary(kind, total, tuple(tally.column(total) for tally in tallies), partial)


def _with_delimiter(lines: Iterator[str]) -> tuple[Iterator[str], str]:
    """The lines, and what separates their cells: in some countries a CSV has semicolons."""
    first = next(lines, "")

    def again() -> Iterator[str]:
        yield first
        yield from lines

    return again(), delimiter_of(first)


def delimiter_of(first: str) -> str:
    """What separates the cells of a CSV, by its first line."""
    if "," in first or not first:
        return ","
    found = max(";\t|", key=first.count)
    return found if found in first else ","


def _count(batch: Sequence[list[str]], tallies: Sequence[_Tally]) -> int:
    width = len(tallies)
    square = [row if len(row) >= width else row + [""] * (width - len(row)) for row in batch]
    for tally, cells in zip(tallies, zip(*square, strict=False), strict=False):
        tally.add(cells)
    return len(batch)


# --- JSON ---


class _Objects:
    """Counts objects whose keys are columns; a key that an object lacks is a null."""

    def __init__(self, *, quantiles: bool) -> None:
        self.tallies: dict[str, _Tally] = {}
        self.quantiles = quantiles
        self.rows = 0
        self.partial = False

    def add(self, row: dict[str, Any]) -> None:
        self.rows += 1
        for key, value in row.items():
            tally = self.tallies.get(key)
            if tally is None:
                if len(self.tallies) >= MAX_COLUMNS:
                    self.partial = True
                    continue
                tally = self.tallies[key] = _Tally(key, quantiles=self.quantiles)
            if value is None or value != value:  # noqa: PLR0124 - NaN, the only value that is not itself
                continue
            tally.seen += 1
            kind, text = _of_json(value)
            tally.kinds.add(kind)
            if tally.numbers is not None:
                tally.note(value if kind in _NUMERIC else None)
            if text is None:
                tally.values = None
            elif tally.values is not None:
                tally.count(Counter((text,)))

    def summary(self, name: str, *, partial: bool) -> TableSummary:
        columns = tuple(tally.column(self.rows) for tally in self.tallies.values())
        return TableSummary(name, self.rows, columns, partial or self.partial)


def _of_json(value: Any) -> tuple[str, str | None]:
    if isinstance(value, bool):
        return "boolean", "true" if value else "false"
    if isinstance(value, int | float):
        return "integer" if isinstance(value, int) else "number", repr(value)
    if isinstance(value, str):
        return "date" if _DATE.fullmatch(value) else "text", value
    return "nested", None


def _json_lines(reading: _Reading, *, quantiles: bool) -> TableSummary | None:
    objects = _Objects(quantiles=quantiles)
    broken = False
    for line in reading:
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if isinstance(row, dict):
            objects.add(row)
        else:
            broken = True
    if broken and not objects.rows:
        return None
    return objects.summary("jsonl", partial=reading.partial or broken)


def _document(file: BinaryIO, limit: int, *, quantiles: bool) -> TableSummary | None:
    data = file.read(limit + 1)
    if not data.lstrip().startswith(b"["):
        return None
    if len(data) > limit:
        return TableSummary("json", None, None, partial=True)
    try:
        rows = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        return None
    objects = _Objects(quantiles=quantiles)
    for row in rows:
        objects.add(row)
    return objects.summary("json", partial=False)


# --- Parquet ---


def _parquet(file: BinaryIO, *, unpack: bool) -> TableSummary | None:
    footer = read_footer(file)
    if footer is None:
        return None
    columns = [Column(field.name, field.kind, field.nulls) for field in footer.fields[:MAX_COLUMNS]]
    if unpack and footer.size <= MAX_BYTES:
        file.seek(0)
        values = _arrow_values(file, {c.name for c in columns if c.kind not in {"nested", "empty"}})
        columns = [column._replace(values=values.get(column.name)) for column in columns]
    return TableSummary("parquet", footer.rows, tuple(columns), len(footer.fields) > MAX_COLUMNS)


def _arrow_values(file: BinaryIO, names: set[str]) -> dict[str, dict[str, int] | None]:
    """How often each value stands in some columns; nothing where pyarrow is missing, or refuses the file."""
    try:
        import pyarrow as pa  # noqa: PLC0415 - an optional reader, loaded for a file of its own
        from pyarrow import parquet  # noqa: PLC0415 - likewise
    except ImportError:
        return {}
    found = {name: _Tally(name) for name in names}
    rows = 0
    try:
        table = parquet.ParquetFile(
            file, thrift_string_size_limit=MAX_DOCUMENT, thrift_container_size_limit=1 << 20
        )
        for batch in table.iter_batches(batch_size=_BATCH_ROWS):
            rows += batch.num_rows
            for name, cells in zip(batch.schema.names, batch.columns, strict=True):
                tally = found.get(name)
                if tally is None or tally.values is None:
                    continue
                texts = (_of_json(value)[1] or str(value) for value in cells.to_pylist() if value is not None)
                tally.count(Counter(texts))
    except (pa.ArrowException, OSError, ValueError, OverflowError):
        return {}
    return {name: tally.column(rows).values for name, tally in found.items()}
