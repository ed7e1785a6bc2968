"""One way to write a value as JSON bytes, so that equal values have equal bytes and a digest names them.

Keys in the order of their code points, no blanks, UTF-8, no infinities: RFC 8785 for every value whose keys
have no characters beyond the basic plane and whose numbers are integers. What is verified is always the
digest of stored bytes; nothing has to be written again to be checked.
"""

import json
from typing import Any

from blake3 import blake3

from fourfold.base.errors import InvalidFileError

#: No document of ours is larger, in bytes.
MOST = 256 * 1024 * 1024


class BadDocumentError(InvalidFileError):
    """Bytes that should be a document of ours are not one."""

    code = "bad-document"


def canonical(value: Any) -> bytes:
    """The bytes of a value.

    Raises:
        ValueError, TypeError: JSON cannot hold it.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    # A name that is not UTF-8 (a path of a file) keeps its bytes as lone surrogates, which JSON escapes.
    try:
        return text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


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
