"""Documents of values: JSON, YAML, TOML, INI.

A leaf a value, by its place: ``metrics.auc``, ``layers[2].units``. The order of keys is not part of the
meaning, the order of lists is. A list of numbers is one leaf, a long list too; a long list of objects is a
leaf a field, as rows of JSON lines are.
"""

import configparser
import json
import re
import tomllib
from array import array
from collections.abc import Callable, Iterator
from datetime import date, datetime, time
from typing import Any

from fourfold.formats.dvc import yamlio
from fourfold.formats.likeness.model import Content, Leaf
from fourfold.formats.likeness.records import EXACT, column_of, columns_of, encoded, quoted
from fourfold.formats.likeness.source import ContentTooLargeError, Source, floats_leaf, leaf, number_leaf
from fourfold.formats.likeness.text import text_leaf

#: Deeper documents are refused.
DEPTH = 200
#: Lists and objects of one document of JSON, each of which takes a multiple of its bytes in memory.
_MAX_NESTS = 8_000_000
#: A larger document of TOML is refused, and one with a key of so many steps, which takes the square of them.
_MAX_TOML = 16 << 20
_LONG_KEY = re.compile(r"""(?<![\w"'-])(?:[\w"'-]++[ \t]*+\.[ \t]*+){200}""")
#: What is larger, or has such gaps within a line, is not read as INI: `configparser` takes their square.
_MAX_INI, _WIDE = 4 << 20, re.compile(r"[^\S\n]{64}")
#: A longer list is told by columns, not item by item.
LONG = 1000
#: A longer text is not shown.
_SHOWN = 60
_SPELLING = {"order of keys": True, "spelling": True}


def read_json(source: Source) -> Content:
    """JSON (RFC 8259). Numbers are doubles, 1 is 1.0 (RFC 8785); of equal keys the last counts."""
    return Content("json", leaves_of(json_of(source), source), "json/1", _SPELLING)


def read_yaml(source: Source) -> Content:
    """YAML 1.2. 1 and 1.0 are of two types, anchors and styles are spelling; several documents are a list."""
    text = text_of(source)
    try:
        value = _yaml(source, text)
    except yamlio.BadYamlError as error:
        parts = [part for part in _DOCUMENTS.split(text) if _says(part)]
        if len(parts) < 2:
            raise source.damaged(f"not YAML that we read: {error}") from None
        try:
            value = [_yaml(source, part) for part in parts]
        except yamlio.BadYamlError as inner:
            raise source.damaged(f"not YAML that we read: {inner}") from None
    leaves = leaves_of(value, source, typed_scalar)
    return Content("yaml", leaves, "yaml/1", {**_SPELLING, "comments": True})


#: Where a document of several starts or ends.
_DOCUMENTS = re.compile(r"^(?:---(?=\s)|\.\.\.\s*$)", re.MULTILINE)


def _says(part: str) -> bool:
    """Whether there is more in it than comments and directives."""
    return any(line.lstrip() and line.lstrip()[0] not in "#%" for line in part.split("\n"))


def _yaml(source: Source, text: str) -> Any:
    return yamlio.load(text.encode("utf-8", "surrogatepass"), source.name)


def read_toml(source: Source) -> Content:
    """TOML 1.0. 1 and 1.0 are of two types there."""
    text = text_of(source)
    if source.size > _MAX_TOML or _LONG_KEY.search(text):
        raise ContentTooLargeError(f"{source.name}: larger, or with longer keys, than is read of TOML")
    try:
        value = tomllib.loads(text)
    except RecursionError:
        raise source.damaged("nested too deep") from None
    except ValueError as error:
        raise source.damaged(f"not TOML: {error}") from None
    leaves = leaves_of(value, source, typed_scalar)
    return Content("toml", leaves, "toml/1", {**_SPELLING, "comments": True})


def read_ini(source: Source) -> Content:
    """INI, as `configparser` reads it, nothing put in; what it cannot read so is lines of text."""
    parser = configparser.RawConfigParser(
        allow_no_value=True, default_section="\0", empty_lines_in_values=False
    )
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    text = text_of(source)
    if source.size > _MAX_INI or _WIDE.search(text):
        why = {"not read as INI": f"larger than {_MAX_INI} bytes, or with very wide gaps in a line"}
        return Content("ini", {"": text_leaf(source)}, "ini/1", why)
    try:
        parser.read_string(text)
    except (configparser.Error, AttributeError) as error:  # it trips over values without a key
        why = {"not read as INI": str(error).partition("\n")[0]}
        return Content("ini", {"": text_leaf(source)}, "ini/1", why)
    leaves = leaves_of({name: dict(parser.items(name)) for name in parser.sections()}, source)
    return Content("ini", leaves, "ini/1", {**_SPELLING, "comments": True})


def json_of(source: Source) -> Any:
    """The value of a file of JSON.

    Raises:
        UnreadableContentError: it is none, or nested too deep.
    """
    return _json(source, text_of(source))


def _json(source: Source, text: str) -> Any:
    if text.count("[") + text.count("{") > _MAX_NESTS:
        raise ContentTooLargeError(f"{source.name}: more than {_MAX_NESTS} lists and objects")
    try:
        return json.loads(text)
    except RecursionError:
        raise source.damaged("nested too deep") from None
    except ValueError as error:
        raise source.damaged(f"not JSON: {error}") from None


def text_of(source: Source) -> str:
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
    try:
        for name, found in _walk(value, "", 0, source, scalar or json_scalar):
            source.budget.part(source.name)
            leaves[name] = found
    except ValueError as error:  # a key of more digits than Python writes down
        raise source.damaged(str(error)) from None
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
    numbers = _numbers(value, types, typed=scalar is typed_scalar)
    if numbers is not None:
        yield name, numbers
        return
    if len(value) > LONG and scalar is json_scalar:
        if types == {dict}:
            yield from columns_of(lambda: value, source.budget, source.name, f"{name}[].").items()
        else:
            yield name, column_of(value, source.budget)
        return
    for index, item in enumerate(value):
        yield from _walk(item, f"{name}[{index}]", depth + 1, source, scalar)


def _numbers(value: list[Any], types: set[type], *, typed: bool) -> Leaf | None:
    """One leaf for a list of numbers that doubles hold; of one type where types count."""
    if not types <= {int, float} or (typed and len(types) > 1):
        return None
    if int in types and any(type(item) is int and not -EXACT <= item <= EXACT for item in value):
        return None
    return floats_leaf(array("d", value), dtype="int64" if typed and int in types else "float64")


def json_scalar(value: Any) -> Leaf:
    """The leaf of a scalar of JSON."""
    if type(value) is int and not -EXACT <= value <= EXACT:
        digits = str(value) if value.bit_length() < _SHOWN * 3 else ""
        return leaf("value", "integer", b"%x" % value)._replace(shown=digits)
    shown = encoded(value) if not isinstance(value, str) or len(value) <= _SHOWN else ""
    if isinstance(value, str):
        found = leaf("text", "str", value.encode("utf-8", "surrogatepass"))
        return found._replace(shown=shown if value.isprintable() else "")
    if value is None or isinstance(value, bool):
        return leaf("value", "null" if value is None else "bool", shown.encode())._replace(shown=shown)
    return number_leaf(float(value))._replace(shown=repr(value))


def typed_scalar(value: Any) -> Leaf:
    """The leaf of a scalar of a language where whole numbers are a type, and times may be."""
    if isinstance(value, (datetime, date, time)):
        told = value.isoformat()
        return leaf("value", type(value).__name__, told.encode())._replace(shown=told)
    if isinstance(value, bytes):
        return leaf("bytes", "bytes", value, (len(value),))
    if isinstance(value, (set, frozenset)):
        return leaf("value", "set", repr(sorted(map(repr, value))).encode())
    if value is None or isinstance(value, (str, bool, int, float)):
        found = json_scalar(value)
        return found._replace(dtype="int64") if type(value) is int and found.kind == "number" else found
    return leaf("value", type(value).__name__, repr(value).encode())
