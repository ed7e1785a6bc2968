"""The quick writer: documents of the plain shape, byte for byte as ruamel.yaml writes them, without it.

Block style throughout, two columns a level, list dashes under their key, 80 columns: long plain text folds at
spaces, each fold leaving its space at the end of the line, and a word that does not fit goes to a line of its
own. Whatever needs more (text to be quoted over several lines, odd characters, shared values, which become
anchors) is refused with None, and the caller takes ruamel.
"""

import re
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any

from fourfold.formats.dvc.yaml_faults import SlowWayError
from fourfold.formats.dvc.yaml_scalars import EASY, is_odd, is_text

_WIDTH = 80
_MAX_KEY = 128
_MAX_DEPTH = 64

#: Text that may not stand unquoted in a block, whatever it means.
_NOT_PLAIN = re.compile(r"[#,\[\]{}&*!|>'\"%@` ]|[?:-](?: |$)|---|\.\.\.|.*?(?::(?: |$)| #|\n| $)", re.DOTALL)
_ESCAPES = {"\n": "\\n", '"': '\\"', "\\": "\\\\"}
_TO_ESCAPE = '[\n"\\\\]'


def emit(document: Any) -> bytes | None:
    """The bytes of ``document``; None when only ruamel can tell."""
    if type(document) is not dict or not document:
        return None
    out: list[str] = []
    try:
        _mapping(out, document, "", "", {id(document)}, 1)
        return "".join(out).encode()
    except (SlowWayError, UnicodeEncodeError):
        return None


def _enter(value: Any, seen: set[int], depth: int) -> None:
    if id(value) in seen or depth > _MAX_DEPTH:
        raise SlowWayError
    seen.add(id(value))


def _mapping(
    out: list[str], value: Mapping[Any, Any], lead: str, pad: str, seen: set[int], depth: int
) -> None:
    """Write a mapping: its first line starts with ``lead``, the others with ``pad``."""
    for key, item in value.items():
        name = lead + _key(key, len(pad)) + ":"
        lead = pad
        kind = type(item)
        if kind is dict and item:
            _enter(item, seen, depth)
            out.append(name + "\n")
            inner = pad + "  "
            _mapping(out, item, inner, inner, seen, depth + 1)
        elif kind is list and item:
            _enter(item, seen, depth)
            out.append(name + "\n")
            _sequence(out, item, pad, pad, seen, depth + 1)
        else:
            if kind is dict or kind is list:
                _enter(item, seen, depth)
            text = _scalar(item, len(name), pad + "  ")
            out.append(f"{name} {text}\n" if text or item is not None else name + "\n")


def _sequence(out: list[str], value: list[Any], lead: str, pad: str, seen: set[int], depth: int) -> None:
    """Write a list: its first line starts with ``lead``, the others with ``pad``."""
    for item in value:
        start = lead + "-"
        lead = pad
        kind = type(item)
        inner = pad + "  "
        if kind is dict and item:
            _enter(item, seen, depth)
            _mapping(out, item, start + " ", inner, seen, depth + 1)
        elif kind is list and item:
            _enter(item, seen, depth)
            _sequence(out, item, start + " ", inner, seen, depth + 1)
        else:
            if kind is dict or kind is list:
                _enter(item, seen, depth)
            text = _scalar(item, len(pad) + 1, inner)
            out.append(f"{start} {text}\n")


def _key(key: Any, column: int) -> str:
    if type(key) is int:
        return str(key)
    if type(key) is not str or not key or len(key) >= _MAX_KEY or is_odd(key) or "\n" in key:
        raise SlowWayError
    text = key if EASY.fullmatch(key) and is_text(key) else _text(key, column - 1, None)
    if column + len(text) > _WIDTH:
        raise SlowWayError
    return text


def _scalar(value: Any, column: int, pad: str) -> str:
    """The text of a scalar or of an empty container after ``column`` columns and a space."""
    kind = type(value)
    if kind is str:
        if column + len(value) < _WIDTH and EASY.fullmatch(value) and is_text(value):
            return str(value)
        return _text(value, column, pad)
    if value is None:
        return ""
    write = _WRITERS.get(kind)
    if write is None:
        raise SlowWayError
    text = write(value)
    return text if column + len(text) < _WIDTH or value in ([], {}) else _folded(text, column, pad)


def _float(value: float) -> str:
    return repr(value) if isfinite(value) else _not_finite(value)


def _not_finite(value: float) -> str:
    if value != value:  # noqa: PLR0124 - only NaN differs from itself
        return ".nan"
    return ".inf" if value > 0 else "-.inf"


_WRITERS: dict[type, Callable[[Any], str]] = {
    bool: lambda value: "true" if value else "false",
    int: str,
    float: _float,
    dict: lambda _empty: "{}",
    list: lambda _empty: "[]",
}


def _text(value: str, column: int, pad: str | None) -> str:
    """Text after ``column`` columns and a space; folded to lines that start with ``pad``, if it may fold."""
    if not value:
        return "''"
    if is_odd(value):
        raise SlowWayError
    if is_text(value) and not _NOT_PLAIN.match(value):
        return value if pad is None or column + len(value) < _WIDTH else _folded(value, column, pad)
    if "'" in value or "\n" in value:
        quoted = '"' + re.sub(_TO_ESCAPE, lambda found: _ESCAPES[found[0]], value) + '"'
        if "\xa0" in value:
            raise SlowWayError
    else:
        quoted = f"'{value}'"
    if column + len(quoted) >= _WIDTH:
        raise SlowWayError
    return quoted


def _folded(value: str, column: int, pad: str) -> str:
    """Plain text over several lines."""
    indent = len(pad)
    column += 1
    out: list[str] = []
    for piece in re.findall(" +|[^ ]+", value):
        if piece[0] == " ":
            if len(piece) == 1 and column >= _WIDTH:
                out.append("\n" + pad)
                column = indent
                continue
        elif column + len(piece) > _WIDTH and column > indent:
            out.append("\n" + pad)
            column = indent
        out.append(piece)
        column += len(piece)
    return "".join(out)
