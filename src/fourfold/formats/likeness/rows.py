"""Tables that are text, read as they stream by: JSON lines, and CSV with any of its separators.

The order of rows counts; the order of named columns, quotes, and the spelling of numbers do not. A table
whose first row is numbers has columns without names, by their place.
"""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from typing import Any

from fourfold.formats.likeness.model import Content, Leaf
from fourfold.formats.likeness.records import Cells, batches, columns_of
from fourfold.formats.likeness.source import ContentTooLargeError, Source
from fourfold.formats.likeness.text import text_leaf

#: A longer line of JSON is refused, in bytes.
MAX_LINE = 64 << 20
#: What RFC 8259 calls white space.
_BLANK = " \t\r\n"
_SPELLING = {"order of columns": True, "spelling": True}


def read_json_lines(source: Source) -> Content:
    """JSON lines: a leaf a field."""
    leaves = columns_of(lambda: _values(source), source.budget, source.name, "column:")
    return Content("json lines", leaves, "json-lines/1", _SPELLING)


def _values(source: Source) -> Iterator[Any]:
    source.file.seek(0)
    number = 0
    decode = json.JSONDecoder().raw_decode
    while line := source.file.readline(MAX_LINE + 1):
        number += 1
        if len(line) > MAX_LINE:
            raise ContentTooLargeError(f"{source.name}:{number}: a line of more than {MAX_LINE} bytes")
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip(_BLANK)
            if not text:
                continue
            value, end = decode(text)
            if end != len(text):
                raise source.damaged(f"line {number}: more than one value")
            yield value
        except RecursionError:
            raise source.damaged(f"line {number}: nested too deep") from None
        except ValueError as error:
            raise source.damaged(f"line {number}: not JSON: {error}") from None


class _NoTableError(Exception):
    """These cells are no table; says why."""


def read_csv(source: Source) -> Content:
    """CSV and TSV: a leaf a column. What is no table (rows of unlike lengths) is text, and says so."""
    try:
        return Content("csv", _columns(source), "csv/1", _SPELLING)
    except (_NoTableError, csv.Error, UnicodeError) as error:
        return Content("csv", {"": text_leaf(source)}, "csv/1", {"not read as a table": str(error)})


def _columns(source: Source) -> dict[str, Leaf]:
    head = source.head()
    encoding = "utf-16" if head[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"
    text = io.TextIOWrapper(source.file, encoding=encoding, errors="surrogateescape", newline="")
    try:
        rows = csv.reader(text, delimiter=_separator(source.suffix, head), strict=True)
        first = next((row for row in rows if row), None)
        if first is None:
            raise _NoTableError("no rows")
        named = not all(map(_is_number, first))
        width = len(first)
        source.budget.part(source.name, width)
        columns = [Cells(source.budget) for _ in first]
        if not named:
            _extend(columns, [first])
        for batch, done in batches(row for row in rows if row):
            if set(map(len, batch)) != {width}:
                at = next(i for i, row in enumerate(batch) if len(row) != width)
                raise _NoTableError(f"row {done + at + 2} has {len(batch[at])} cells, not {width}")
            _extend(columns, batch)
    finally:
        text.detach()
    names = _names(first) if named else [f"column:{place}" for place in range(1, width + 1)]
    return {name: column.leaf() for name, column in zip(names, columns, strict=True)}


def _extend(columns: Sequence[Cells], rows: Sequence[Sequence[str]]) -> None:
    for column, cells in zip(columns, zip(*rows, strict=True), strict=True):
        column.extend(cells)


def _names(header: Sequence[str]) -> list[str]:
    """Names of columns; of equal ones the second is ``age#2``."""
    seen: dict[str, int] = {}
    names = []
    for cell in header:
        seen[cell] = seen.get(cell, 0) + 1
        names.append(f"column:{cell}" if seen[cell] == 1 else f"column:{cell}#{seen[cell]}")
    if len(set(names)) < len(names):
        raise _NoTableError("its columns have one name")
    return names


def _separator(suffix: str, head: bytes) -> str:
    if suffix in {".tsv", ".tab"}:
        return "\t"
    line = head.partition(b"\n")[0]
    return max(",;\t|", key=lambda mark: line.count(mark.encode()))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
