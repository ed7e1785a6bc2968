"""Rows of a table as texts that can be counted, and their cells: CSV, TSV, JSON lines, JSON, Parquet.

Two rows are the same when their texts are. Cells are texts as the file writes them; of JSON and Parquet, as
JSON would. The whole of a file or nothing: half a table compared with half of another one says nothing. What
a table looks like from afar is `fourfold.formats.tabular`; what two of them differ in is `tables`.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from fourfold.formats.tabular import MAX_COLUMNS, delimiter_of, format_of, is_number

#: Stands between cells where a row has no text of its own.
BETWEEN = "\x1f"
#: Parquet that is larger unpacked, in bytes, or has more cells, is not read.
_UNPACKED, _CELLS = 256 << 20, 6_000_000
Column = Sequence[str]


class Rows:
    """The rows of one table, in its order.

    Args:
        names: Of the columns.
        texts: Of the rows.
        read: Gives the cells by column; called once, when they are needed.
        between: What stands between cells in the texts: those of tables that differ in it are not compared.
    """

    __slots__ = ("_columns", "_read", "between", "names", "texts")

    def __init__(
        self,
        names: Sequence[str],
        texts: list[str],
        read: Callable[[], list[Column]],
        between: str = BETWEEN,
    ) -> None:
        self.names = tuple(names)
        self.texts = texts
        self.between = between
        self._read = read
        self._columns: list[Column] | None = None

    @property
    def columns(self) -> list[Column]:
        """The cells of each column, as many as there are rows."""
        if self._columns is None:
            self._columns = self._read() if self.texts else [() for _ in self.names]
        return self._columns

    def column(self, name: str) -> Column:
        """The cells of one column."""
        return self.columns[self.names.index(name)]

    def only(self, names: Sequence[str]) -> "Rows":
        """The same rows with some of the columns, in the order of these names."""
        return _joined(names, [self.column(name) for name in names])

    def is_alike(self, other: "Rows") -> bool:
        """Whether equal rows of both have equal texts."""
        return self.names == other.names and self.between == other.between


def stacked(tables: Sequence[Rows]) -> Rows | None:
    """Tables of the same columns as one; None where they are not."""
    if not tables or any(table.names != tables[0].names for table in tables):
        return None
    if any(table.between != tables[0].between for table in tables):
        tables = [table.only(tables[0].names) for table in tables]
    texts = [text for table in tables for text in table.texts]

    def columns() -> list[Column]:
        parts = zip(*(table.columns for table in tables), strict=True)
        return [[cell for part in column for cell in part] for column in parts]

    return Rows(tables[0].names, texts, columns, tables[0].between)


def read_rows(data: bytes, name: str) -> Rows | None:
    """The rows of a file; None when it is no table that we understand as a whole.

    Args:
        data: All bytes of the file.
        name: Its end tells the format.
    """
    kind = format_of(name)
    if kind == "parquet":
        return _parquet(data)
    if kind is None or b"\0" in data[:8192]:
        return None
    text = _decoded(data.removeprefix(b"\xef\xbb\xbf")).replace("\r\n", "\n")
    if kind in {"csv", "tsv"}:
        return _separated(text, kind)
    return _objects(text, kind)


def _decoded(data: bytes) -> str:
    """Bytes as text; where they are no UTF-8, each as a character of its own, so that none are confused."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _joined(names: Sequence[str], columns: list[Column]) -> Rows:
    """Columns as rows with texts."""
    texts = list(map(BETWEEN.join, zip(*columns, strict=True)))
    return Rows(names, texts, lambda: columns)


def _separated(text: str, kind: str) -> Rows | None:
    lines = [line for line in text.split("\n") if line]
    if not lines:
        return Rows((), [], list)
    delimiter = delimiter_of(lines[0]) if kind == "csv" else "\t"
    try:
        if '"' in text:
            return _quoted(text, delimiter)
        head = next(csv.reader(lines[:1], delimiter=delimiter))
    except csv.Error:
        return None
    names, lines = (head, lines[1:]) if _is_head(head) else (_numbered(head), lines)
    names = _widened(names, max((line.count(delimiter) + 1 for line in lines), default=0))
    width = len(names)
    if not 0 < width <= MAX_COLUMNS:
        return None
    return Rows(names, lines, lambda: _split(lines, delimiter, width), delimiter)


def _split(lines: list[str], delimiter: str, width: int) -> list[Column]:
    """The cells of lines by column; a line with fewer has empty ones."""
    if any(line.count(delimiter) != width - 1 for line in lines):
        return [*zip(*(_fitting(line.split(delimiter), width) for line in lines), strict=True)]
    # All at once: as fast as it gets without another language.
    cells = delimiter.join(lines).split(delimiter)
    return [cells[at::width] for at in range(width)]


def _fitting(row: list[str], width: int) -> list[str]:
    return row if len(row) == width else row + [""] * (width - len(row))


def _quoted(text: str, delimiter: str) -> Rows | None:
    """Where cells are quoted, and may have separators and ends of lines in them."""
    rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row]
    head = rows[0]
    names, rows = (head, rows[1:]) if _is_head(head) else (_numbered(head), rows)
    names = _widened(names, max(map(len, rows), default=0))
    width = len(names)
    if not 0 < width <= MAX_COLUMNS:
        return None
    return _of_rows(names, (_fitting(row, width) for row in rows))


def _of_rows(names: Sequence[str], rows: Iterable[Sequence[str]]) -> Rows:
    columns: list[Column] = [*zip(*rows, strict=True)]
    return _joined(names, columns or [() for _ in names])


def _numbered(row: list[str]) -> list[str]:
    return [str(at) for at in range(1, len(row) + 1)]


def _widened(names: list[str], width: int) -> list[str]:
    """Names for all cells that rows have, as a head may name fewer of them; none where two are the same."""
    if width <= MAX_COLUMNS:
        names = [*names, *(f"column {at}" for at in range(len(names) + 1, width + 1))]
    return names if width <= MAX_COLUMNS and len(set(names)) == len(names) else []


def _is_head(row: list[str]) -> bool:
    """Whether a first row names the columns."""
    return not all(is_number(cell) for cell in row)


def _objects(text: str, kind: str) -> Rows | None:
    try:
        if kind == "json":
            objects = json.loads(text) if text.lstrip().startswith("[") else None
        else:
            objects = [json.loads(line) for line in text.split("\n") if line.strip()]
    except (ValueError, RecursionError):
        return None
    if not isinstance(objects, list) or not all(isinstance(row, dict) for row in objects):
        return None
    names = list(dict.fromkeys(name for row in objects for name in row))
    if len(names) > MAX_COLUMNS:
        return None
    return _of_rows(names, ([_text(row.get(name)) for name in names] for row in objects))


def _text(value: Any) -> str:
    """A value as a cell."""
    if isinstance(value, str):
        return value
    if value is None or value != value:  # noqa: PLR0124 - NaN, the only value that is not itself
        return ""
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    if isinstance(value, dict | list):
        return json.dumps(value, sort_keys=True, default=str)
    return str(value)


def _parquet(data: bytes) -> Rows | None:
    """Where pyarrow is installed."""
    try:
        import pyarrow as pa  # noqa: PLC0415 - an optional reader
        from pyarrow import parquet  # noqa: PLC0415 - likewise
    except ImportError:
        return None
    try:
        file = parquet.ParquetFile(
            io.BytesIO(data), thrift_string_size_limit=1 << 24, thrift_container_size_limit=1 << 20
        )
        about = file.metadata
        size = sum(about.row_group(at).total_byte_size for at in range(about.num_row_groups))
        if size > _UNPACKED or about.num_rows * about.num_columns > _CELLS:
            return None
        table = file.read()
        columns = [[_text(value) for value in column.to_pylist()] for column in table.columns]
    except (pa.ArrowException, OSError, ValueError, OverflowError):
        return None
    names = [str(name) for name in table.column_names]
    if len(names) > MAX_COLUMNS or len(set(names)) < len(names):
        return None
    return _joined(names, [*columns])
