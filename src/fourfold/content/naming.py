"""Names: the MD5 by which DVC's formats call an object, and DVC 2's text-folding MD5.

Apart from `fourfold.content.hashing` because whoever only checks a name need not load BLAKE3.
"""

import hashlib

from fourfold.base.ids import Oid

#: What one read asks for; also the unit in which DVC 2 folds line ends.
CHUNK = 1 << 20

_md5 = hashlib.md5
_TEXT = frozenset(bytes(range(32, 127)) + b"\n\r\t\f\b")
_SNIFF = 512


def name_of(data: bytes) -> Oid:
    """The object name of ``data``."""
    return Oid(_md5(data, usedforsecurity=False).hexdigest())


def folded_chunk(chunk: bytes) -> bytes:
    """One chunk as DVC 2 hashed it: CRLF becomes LF where the chunk looks like text.

    Text is: no NUL among the first 512 bytes and at most 30 % of them outside printable ASCII.
    """
    head = chunk[:_SNIFF]
    if b"\0" in head or sum(byte not in _TEXT for byte in head) > 0.30 * len(head):
        return chunk
    return chunk.replace(b"\r\n", b"\n")


def folded_bytes_digest(data: bytes) -> bytes:
    """DVC 2's ``md5-dos2unix`` of bytes in memory."""
    name = _md5(usedforsecurity=False)
    for start in range(0, len(data), CHUNK):
        name.update(folded_chunk(data[start : start + CHUNK]))
    return name.digest()
