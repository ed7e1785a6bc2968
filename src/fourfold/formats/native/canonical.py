"""One way to write a value as JSON bytes, so that equal values have equal bytes and a digest names them.

Keys in the order of their code points, no blanks, UTF-8, no infinities: RFC 8785 for every value whose keys
have no characters beyond the basic plane and whose numbers are integers. What is verified is always the
digest of stored bytes; nothing has to be written again to be checked.
"""

import json
import math
from collections.abc import Mapping
from typing import Any

from blake3 import blake3

from fourfold.base.errors import InvalidFileError

#: No document of ours is larger, in bytes.
MOST = 256 * 1024 * 1024


class BadDocumentError(InvalidFileError):
    """Bytes that should be a document of ours are not one."""

    code = "bad-document"


def canonical(value: Any) -> bytes:
    """The bytes of a value. What JSON has no word for (a date, an infinity) stands there as text."""
    try:
        text = _text(value, ensure_ascii=False)
    except (ValueError, TypeError):
        value = _speakable(value)
        text = _text(value, ensure_ascii=False)
    # A name that is not UTF-8 (a path of a file) keeps its bytes as lone surrogates, which JSON escapes.
    try:
        return text.encode()
    except UnicodeEncodeError:
        return _text(value, ensure_ascii=True).encode()


def _text(value: Any, *, ensure_ascii: bool) -> str:
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=ensure_ascii, allow_nan=False
    )


def _speakable(value: Any) -> Any:
    """A value of YAML as one of JSON: keys are text, and so is what JSON cannot hold."""
    if isinstance(value, Mapping):
        return {str(key): _speakable(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        items = [_speakable(item) for item in value]
        return sorted(items, key=repr) if isinstance(value, set | frozenset) else items
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return str(value)


def digest(data: bytes) -> str:
    """BLAKE3 of bytes, 64 hex digits."""
    return blake3(data).hexdigest()


def parse(data: bytes, source: str) -> dict[str, Any]:
    """Read a document.

    Raises:
        BadDocumentError: it is no JSON object, or too large.
    """
    if len(data) > MOST:
        raise BadDocumentError(f"{source} is larger than {MOST} bytes")
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadDocumentError(f"{source} is not JSON: {str(error)[:80]}") from error
    if not isinstance(value, dict):
        raise BadDocumentError(f"{source} is not a JSON object")
    return value
