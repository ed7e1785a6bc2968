"""Digests: MD5 names, BLAKE3 proves, both from one read; and DVC 2's text-folding MD5.

Everything that turns bytes into digests is here and nothing else: no cache, no index.
"""

import hashlib
import os
from collections.abc import Callable
from io import FileIO

from blake3 import blake3

from fourfold.content.naming import CHUNK, folded_chunk

_md5 = hashlib.md5


class Digests:
    """MD5 and BLAKE3 of a stream of bytes."""

    __slots__ = ("_blake3", "_md5", "size")

    def __init__(self) -> None:
        self._md5 = _md5(usedforsecurity=False)
        self._blake3 = blake3()
        self.size = 0

    def update(self, data: bytes | memoryview) -> None:
        """Take in the next bytes."""
        self._md5.update(data)
        self._blake3.update(data)
        self.size += len(data)

    @property
    def name(self) -> bytes:
        """The MD5 digest, 16 bytes."""
        return self._md5.digest()

    @property
    def proof(self) -> bytes:
        """The BLAKE3 digest, 32 bytes."""
        return self._blake3.digest()


def digest_bytes(data: bytes) -> tuple[bytes, bytes]:
    """MD5 (16 bytes) and BLAKE3 (32 bytes) of ``data``."""
    return _md5(data, usedforsecurity=False).digest(), blake3(data).digest()


def proof_of(data: bytes) -> bytes:
    """BLAKE3 (32 bytes) of ``data``, for bytes whose right proof is known."""
    return blake3(data).digest()


def proof_of_stream(fd: int) -> bytes:
    """BLAKE3 (32 bytes) of an open file from where it stands to its end."""
    proof = blake3()
    buffer = bytearray(CHUNK)
    view = memoryview(buffer)
    read = FileIO(fd, closefd=False).readinto
    while count := read(buffer):
        proof.update(view[:count])
    return proof.digest()


def digest_stream(fd: int, each: Callable[[memoryview], None] | None = None) -> Digests:
    """Digest an open file from where it stands to its end, handing each chunk to ``each`` as well.

    The chunk is a view of a buffer that the next read overwrites.
    """
    digests = Digests()
    buffer = bytearray(CHUNK)
    view = memoryview(buffer)
    read = FileIO(fd, closefd=False).readinto
    while count := read(buffer):
        part = view[:count]
        digests.update(part)
        if each is not None:
            each(part)
    return digests


def folded_digest(fd: int) -> tuple[bytes, bytes, int]:
    """DVC 2's ``md5-dos2unix`` of an open file, the BLAKE3 of its true bytes, and its size.

    Each MiB is folded by itself; a CRLF that a chunk border splits is not folded, as in DVC 2.
    """
    name = _md5(usedforsecurity=False)
    proof = blake3()
    size = 0
    while chunk := _read_full(fd, CHUNK):
        name.update(folded_chunk(chunk))
        proof.update(chunk)
        size += len(chunk)
    return name.digest(), proof.digest(), size


def _read_full(fd: int, size: int) -> bytes:
    """Read ``size`` bytes unless the file ends: a short read must not move a chunk's border."""
    data = os.read(fd, size)
    while 0 < len(data) < size:
        more = os.read(fd, size - len(data))
        if not more:
            break
        data += more
    return data
