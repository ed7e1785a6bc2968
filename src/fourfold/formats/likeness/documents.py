"""Documents of values: JSON, JSON lines, YAML, TOML, notebooks, INI, and CSV.

A leaf a value, by its place: ``metrics.auc``, ``layers[2].units``. The order of keys is not part of the
meaning, the order of lists is. A list of numbers is one leaf, a long list too; a long list of objects is a
leaf a field, as JSON lines are, and as a column of CSV is.
"""

import json
from array import array
from collections.abc import Callable, Iterator
from typing import Any

from fourfold.formats.likeness.model import Content, Leaf
from fourfold.formats.likeness.records import EXACT, Column, columns_of, encoded, quoted
from fourfold.formats.likeness.source import Source, floats_leaf, leaf, number_leaf

#: Deeper documents are refused.
DEPTH = 200
#: A longer list is told by columns, not item by item.
LONG = 1000


def read_json(source: Source) -> Content:
    """JSON (RFC 8259). Numbers are doubles, 1 is 1.0 (RFC 8785); of equal keys the last counts."""
    value = _json(source, _text(source))
    return Content("json", leaves_of(value, source), "json/1", {"order of keys": True, "spelling": True})


def _json(source: Source, text: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        raise source.damaged("nested too deep") from None
    except ValueError as error:
        raise source.damaged(f"not JSON: {error}") from None


def _text(source: Source) -> str:
    """The document as text: UTF-8, or what its byte order mark says; without the mark."""
    data = source.data()
    encoding = "utf-16" if data[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise source.damaged(f"not UTF-8 at byte {error.start}") from None


def leaves_of(value: Any, source: Source, scalar: Callable[[Any], Leaf] | None = None) -> dict[str, Leaf]:
    """The leaves of a document.

    Args:
        value: Mappings, lists and scalars.
        source: Whose document it is.
        scalar: Makes a leaf of a scalar; numbers as in JSON if it is not given.

    Raises:
        UnreadableContentError: it is too deep.
        ContentTooLargeError: it has too many parts.
    """
    leaves: dict[str, Leaf] = {}
    for name, found in _walk(value, "", 0, source, scalar or json_scalar):
        source.budget.part(source.name)
        leaves[name] = found
    return leaves


def _walk(
    value: Any, name: str, depth: int, source: Source, scalar: Callable[[Any], Leaf]
) -> Iterator[tuple[str, Leaf]]:
    if depth > DEPTH:
        raise source.damaged(f"nested deeper than {DEPTH}")
    if isinstance(value, dict):
        if not value:
            yield name, leaf("value", "object", b"{}")
        for key, item in value.items():
            step = quoted(key) if isinstance(key, str) else f"{{{key!r}}}"
            yield from _walk(item, f"{name}.{step}" if name else step, depth + 1, source, scalar)
    elif isinstance(value, list):
        yield from _list(value, name, depth, source, scalar)
    else:
        yield name, scalar(value)


def _list(
    value: list[Any], name: str, depth: int, source: Source, scalar: Callable[[Any], Leaf]
) -> Iterator[tuple[str, Leaf]]:
    if not value:
        yield name, leaf("value", "list", b"[]")
        return
    types = set(map(type, value))
    if scalar is json_scalar:
        numbers = _numbers(value, types)
        if numbers is not None:
            yield name, numbers
            return
        if len(value) > LONG:
            if types == {dict}:
                yield from columns_of(value, source.budget, source.name, f"{name}[].").items()
                return
            column = Column(source.budget)
            column.extend(value)
            yield name, column.leaf()
            return
    for index, item in enumerate(value):
        yield from _walk(item, f"{name}[{index}]", depth + 1, source, scalar)


def _numbers(value: list[Any], types: set[type]) -> Leaf | None:
    """One leaf for a list of numbers that doubles hold."""
    if not types <= {int, float}:
        return None
    if int in types and any(type(item) is int and not -EXACT <= item <= EXACT for item in value):
        return None
    return floats_leaf(array("d", value))


def json_scalar(value: Any) -> Leaf:
    """The leaf of a scalar of JSON."""
    if isinstance(value, str):
        return leaf("text", "str", value.encode("utf-8", "surrogatepass"))
    if value is None or isinstance(value, bool):
        return leaf("value", "null" if value is None else "bool", encoded(value).encode())
    if isinstance(value, int) and not -EXACT <= value <= EXACT:
        return leaf("value", "integer", str(value).encode())
    return number_leaf(float(value))
