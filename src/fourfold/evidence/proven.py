"""The SHA-256 of bytes that are those of a record: what supply chains name content by, and DVC does not.

A copy may be damaged, or made to have the MD5 of another file; its SHA-256 is given to nobody then.
"""

import hashlib

from blake3 import blake3

_CHUNK = 1 << 20


def sha256_of(path: str, known: str) -> str | None:
    """The SHA-256 of a file, in one reading; None where its bytes are not the recorded ones.

    Args:
        path: The file.
        known: The BLAKE3 that the record has.

    Raises:
        OSError: it cannot be read.
    """
    first, second = hashlib.sha256(), blake3()
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            first.update(chunk)
            second.update(chunk)
    return first.hexdigest() if second.hexdigest() == known else None
