"""Reading small files that somebody else may have put there: bounded, and only regular ones.

A repository can hold a link to a device without end where a configuration file should be, and an archive a
pipe that never answers. Data is not read here: that has no bound.
"""

import os
import stat

from fourfold.base.errors import InvalidFileError
from fourfold.base.fs.platform import NO_WAIT, READ

#: More than any configuration, rule or pointer file of an honest project holds.
LIMIT = 64 << 20


class NotAFileError(InvalidFileError):
    """Where a file should be there is a device, a pipe or a socket."""

    code = "not-a-file"


class FileTooLargeError(InvalidFileError):
    """A file that must be small is not."""

    code = "file-too-large"


def read_file(path: str, limit: int = LIMIT) -> bytes:
    """All bytes of a regular file; symbolic links are followed.

    Args:
        path: Which file.
        limit: How many bytes it may have.

    Raises:
        OSError: as `open` does; IsADirectoryError for a folder.
        NotAFileError: it is no regular file.
        FileTooLargeError: it is longer than ``limit``.
    """
    fd = os.open(path, READ | NO_WAIT)
    try:
        info = os.fstat(fd)
        if stat.S_ISDIR(info.st_mode):
            import errno  # noqa: PLC0415 - only a folder pays for it

            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        if not stat.S_ISREG(info.st_mode):
            raise NotAFileError(f"'{path}' is not a regular file", hint="remove it, or what it links to")
        if info.st_size > limit:
            raise _too_large(path, info.st_size, limit)
        parts = []
        left = limit + 1
        while left > 0 and (part := os.read(fd, min(left, max(info.st_size, 4096) + 1))):
            parts.append(part)
            left -= len(part)
    finally:
        os.close(fd)
    if left <= 0:
        raise _too_large(path, limit + 1, limit)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _too_large(path: str, size: int, limit: int) -> FileTooLargeError:
    return FileTooLargeError(f"'{path}' is too large: {size:,} bytes or more, where {limit:,} are allowed")


def read_start(path: str, limit: int) -> bytes:
    """The beginning of a file, at most ``limit`` bytes; no more memory is taken than the file is long.

    Raises:
        OSError: as `open` does.
    """
    with open(path, "rb") as file:
        return file.read(min(os.fstat(file.fileno()).st_size, limit))
