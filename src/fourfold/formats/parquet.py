"""The footer of a Parquet file: rows, columns with their kinds, nulls; no page of data is read.

The footer is one Thrift structure in the compact protocol, its length and the mark ``PAR1`` at the very end.
Formats: the Parquet format (``parquet.thrift``), the Thrift compact protocol. Everything is bounded before it
is believed. Values, for which pages have to be unpacked, are not this module's affair.
"""

import os
from typing import Any, BinaryIO, NamedTuple

MARK = b"PAR1"
#: A longer footer is not read.
MAX_FOOTER = 16 << 20
#: Values, and levels, of a footer.
_MAX_VALUES, _MAX_DEPTH = 2_000_000, 24

# The types of the compact protocol.
_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)

#: Kinds by the logical type (field of its union), by the converted type, and by the physical one.
_LOGICAL = {
    1: "text",
    4: "text",
    5: "number",
    6: "date",
    7: "date",
    8: "date",
    10: "integer",
    11: "empty",
    12: "text",
    14: "text",
    15: "number",
}
_CONVERTED = {0: "text", 4: "text", 5: "number", **dict.fromkeys(range(6, 11), "date")}
_PHYSICAL = {
    0: "boolean",
    1: "integer",
    2: "integer",
    3: "date",
    4: "number",
    5: "number",
    6: "text",
    7: "text",
}
_REQUIRED, _REPEATED = 0, 2


class Field(NamedTuple):
    """One top-level column: its name, its kind as `tabular` calls it, its nulls (None when not recorded)."""

    name: str
    kind: str
    nulls: int | None


class Footer(NamedTuple):
    """What the footer tells.

    Attributes:
        rows: Of the whole file.
        fields: Its columns.
        size: Bytes of all columns, unpacked, as the file says.
    """

    rows: int
    fields: tuple[Field, ...]
    size: int


class _BrokenError(Exception):
    """The footer cannot be understood."""


def read_footer(file: BinaryIO) -> Footer | None:
    """Read the footer of an open file; None when it is no Parquet file, or a broken one.

    Raises:
        OSError: the file cannot be read.
    """
    size = file.seek(0, os.SEEK_END)
    if size < 12:
        return None
    file.seek(size - 8)
    tail = file.read(8)
    length = int.from_bytes(tail[:4], "little")
    if tail[4:] != MARK or not 0 < length <= min(size - 12, MAX_FOOTER):
        return None
    file.seek(size - 8 - length)
    try:
        return _footer(_Compact(file.read(length)).struct())
    except (_BrokenError, UnicodeDecodeError):
        return None


class _Compact:
    """Thrift's compact protocol, read into dictionaries by the numbers of the fields."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._left = _MAX_VALUES

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """One structure."""
        if depth > _MAX_DEPTH:
            raise _BrokenError
        found: dict[int, Any] = {}
        number = 0
        while True:
            head = self._byte()
            if not head:
                return found
            kind, step = head & 15, head >> 4
            number = number + step if step else self._zigzag()
            found[number] = kind == _TRUE if kind in {_TRUE, _FALSE} else self._value(kind, depth + 1)

    def _byte(self) -> int:
        self._left -= 1
        if self._at >= len(self._data) or self._left < 0:
            raise _BrokenError
        self._at += 1
        return self._data[self._at - 1]

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7
            if shift > 63:
                raise _BrokenError

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)

    def _take(self, size: int) -> bytes:
        if size > len(self._data) - self._at:
            raise _BrokenError
        self._at += size
        return self._data[self._at - size : self._at]

    def _value(self, kind: int, depth: int) -> Any:
        value: Any = None
        if kind in {_I16, _I32, _I64}:
            value = self._zigzag()
        elif kind == _BINARY:
            value = self._take(self._varint())
        elif kind == _STRUCT:
            value = self.struct(depth)
        elif kind in {_LIST, _SET}:
            value = self._list(depth)
        elif kind == _DOUBLE:
            value = self._take(8)
        elif kind in {_TRUE, _FALSE, _BYTE}:
            value = self._byte()
        elif kind == _MAP:
            self._pass_map(depth)
        else:
            raise _BrokenError
        return value

    def _pass_map(self, depth: int) -> None:
        """A map; the footer has none that we ask for."""
        size = self._varint()
        kinds = self._byte() if size else 0
        if depth > _MAX_DEPTH or size > self._left:
            raise _BrokenError
        for _ in range(size):
            self._value(kinds >> 4, depth + 1)
            self._value(kinds & 15, depth + 1)

    def _list(self, depth: int) -> list[Any]:
        head = self._byte()
        size = head >> 4 if head >> 4 < 15 else self._varint()
        if size > self._left or depth > _MAX_DEPTH:
            raise _BrokenError
        return [self._value(head & 15, depth + 1) for _ in range(size)]


def _footer(meta: dict[int, Any]) -> Footer:
    schema, rows = _structs(meta.get(2)), meta.get(3)
    if not schema or not isinstance(rows, int) or rows < 0:
        raise _BrokenError
    groups = [_structs(group.get(1)) for group in _structs(meta.get(4))]
    nulls = _nulls([chunk for group in groups for chunk in group], len(groups))
    size = sum(number for group in _structs(meta.get(4)) if isinstance(number := group.get(2), int))
    fields, at = [], 1
    for _ in range(_count(schema[0])):
        if at >= len(schema):
            raise _BrokenError
        element, end = schema[at], _end(schema, at)
        name = _text(element.get(4))
        if end == at + 1 and element.get(3) != _REPEATED:
            known = 0 if element.get(3) == _REQUIRED else nulls.get(name)
            fields.append(Field(name, _kind(element), known if groups else 0))
        else:
            fields.append(Field(name, "nested", None))
        at = end
    return Footer(rows, tuple(fields), size)


def _structs(value: Any) -> list[dict[int, Any]]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise _BrokenError
    return value


def _count(element: dict[int, Any]) -> int:
    children = element.get(5, 0)
    if not isinstance(children, int) or not 0 <= children <= _MAX_VALUES:
        raise _BrokenError
    return children


def _end(schema: list[dict[int, Any]], at: int) -> int:
    """Where the element after this one, and all below it, begins."""
    open_children = 1
    while open_children:
        if at >= len(schema):
            raise _BrokenError
        open_children += _count(schema[at]) - 1
        at += 1
    return at


def _text(value: Any) -> str:
    if not isinstance(value, bytes):
        raise _BrokenError
    return value.decode()


def _kind(element: dict[int, Any]) -> str:
    logical = element.get(10)
    if isinstance(logical, dict) and logical:
        known = _LOGICAL.get(next(iter(logical)))
        if known is not None:
            return known
    return _CONVERTED.get(element.get(6, -1)) or _PHYSICAL.get(element.get(1, -1), "text")


def _nulls(chunks: list[dict[int, Any]], groups: int) -> dict[str, int | None]:
    """The nulls of each top-level column that has no inner ones; None where a group does not record them."""
    counted: dict[str, list[int]] = {}
    for chunk in chunks:
        meta = chunk.get(3)
        path = meta.get(3) if isinstance(meta, dict) else None
        if not isinstance(meta, dict) or not isinstance(path, list) or len(path) != 1:
            continue
        statistics = meta.get(12)
        number = statistics.get(3) if isinstance(statistics, dict) else None
        if isinstance(number, int) and number >= 0:
            counted.setdefault(_text(path[0]), []).append(number)
    return {name: sum(numbers) if len(numbers) == groups else None for name, numbers in counted.items()}
