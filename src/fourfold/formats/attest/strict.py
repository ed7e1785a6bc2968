"""JSON that two readers cannot read differently: no key twice, finite numbers, bounded; base64 likewise.

What is signed is read by programs of others too. A key that stands twice, or bits that decoding throws away,
would let one signature mean two things.
"""

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from fourfold.base.errors import InvalidFileError
from fourfold.formats.native.canonical import finite

#: No envelope or statement is larger, in bytes.
MOST = 16 * 1024 * 1024
#: Nor has more values, or deeper ones.
MOST_VALUES = 500_000
DEEPEST = 32


class BadAttestationError(InvalidFileError):
    """An envelope or a statement cannot be understood."""

    code = "bad-attestation"
    default_hint = "it proves nothing: ask whoever made it for another"


def read_object(data: bytes, source: str) -> dict[str, Any]:
    """A JSON object.

    Raises:
        BadAttestationError: it is none, has a key twice, or is larger than such documents are.
    """
    if len(data) > MOST:
        raise BadAttestationError(f"{source} is larger than {MOST} bytes")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise BadAttestationError(f"{source} says a key twice in one object")
        return found

    try:
        value = json.loads(data.decode(), object_pairs_hook=unique, parse_constant=finite, parse_float=finite)
    except (ValueError, RecursionError) as error:
        raise BadAttestationError(f"{source} is not JSON: {str(error)[:80]}") from error
    if not isinstance(value, dict):
        raise BadAttestationError(f"{source} is not a JSON object")
    _bounded(value, source)
    return value


def _bounded(value: Any, source: str) -> None:
    left, layer = MOST_VALUES, [value]
    for _depth in range(DEEPEST):
        left -= len(layer)
        if left < 0:
            raise BadAttestationError(f"{source} has more than {MOST_VALUES} values")
        layer = [inner for one in layer if isinstance(one, dict | list) for inner in _inside(one)]
        if not layer:
            return
    raise BadAttestationError(f"{source} is nested deeper than {DEEPEST}")


def _inside(value: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value


def unbase64(text: object, source: str) -> bytes:
    """Bytes of base64, in its plain or its URL-safe alphabet, padded; one spelling each.

    Raises:
        BadAttestationError: it is not that.
    """
    if isinstance(text, str) and text.isascii():
        plain = text.replace("-", "+").replace("_", "/") if not {"+", "/"} & set(text) else text
        try:
            data = base64.b64decode(plain, validate=True)
        except (binascii.Error, ValueError):
            data = b""
        if base64.b64encode(data).decode() == plain:
            return data
    raise BadAttestationError(f"{source} is not base64: {str(text)[:40]!r}")


_T = TypeVar("_T")


def take(mapping: Mapping[str, Any], key: str, kind: type[_T], source: str) -> _T | None:
    """The value of a key; None where it is not there, or null.

    Raises:
        BadAttestationError: it is of another type.
    """
    value = mapping.get(key)
    if value is None:
        return None
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise BadAttestationError(f"{source}: '{key}' is not what it must be: {str(value)[:80]!r}")
    return value


def need(mapping: Mapping[str, Any], key: str, kind: type[_T], source: str) -> _T:
    """The value of a key that must be there.

    Raises:
        BadAttestationError: it is not there, or of another type.
    """
    value = take(mapping, key, kind, source)
    if value is None:
        raise BadAttestationError(f"{source} lacks '{key}'")
    return value
