"""The file of this machine that a store is given: opened and read with failures that name it.

A failure here is the machine's, never the remote's, and must not pass for one.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from fourfold.base.errors import from_os_error
from fourfold.storage.blob.protocol import CHUNK


@contextmanager
def reading(path: str) -> Iterator[BinaryIO]:
    """The open file.

    Raises:
        FourfoldError: it cannot be opened.
    """
    try:
        source = open(path, "rb", buffering=0)  # noqa: SIM115 - closed by the with below; only the opening may fail here
    except OSError as error:
        raise from_os_error(error, "reading the file to store") from error
    with source:
        yield source


def size_of(source: BinaryIO) -> int:
    """Its bytes now."""
    return os.fstat(source.fileno()).st_size


def parts(source: BinaryIO) -> Iterator[bytes]:
    """Its bytes from the start, in pieces; may be asked for again.

    Raises:
        FourfoldError: it cannot be read.
    """
    try:
        source.seek(0)
        while part := source.read(CHUNK):
            yield part
    except OSError as error:
        raise from_os_error(error, "reading the file to store") from error
