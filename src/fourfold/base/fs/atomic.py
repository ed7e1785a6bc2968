"""Writing so that a reader, and a power cut, see the old bytes or the new ones, never a mixture.

A temporary name in the same directory, the bytes, one fsync, a rename over the old name, an fsync
of the directory. Nothing here ever opens an existing file for writing or removes it first. A temporary file
that was left is found by those who know what its writer was doing (`write_atomic`), or bears a lock, so that
anybody may sweep it once its writer is dead (`write_claimed`).
"""

import os
import re
from collections.abc import Sequence

from fourfold.base.fs.platform import CREATE_NEW, NO_FOLLOW, NO_WAIT, WRITE, sync_directory, try_lock

# ".<anything>.<token>.tmp": hidden, ours by its token, and refused by no file system.
_TEMP = re.compile(r"\..*\.ff[0-9a-f]{12}\.tmp", re.DOTALL)

#: What is not larger is written by one call.
_JOINED = 1 << 20


def temp_token() -> str:
    """A fresh suffix that marks a temporary file as ours: unguessable, 12 hex digits."""
    return "ff" + os.urandom(6).hex()


def temp_name(name: str, token: str | None = None) -> str:
    """The temporary name that stands in for ``name`` in the same directory until it is whole."""
    # A long name would overflow the 255 bytes that a file system allows once it is decorated.
    return f".{name[:60]}.{token or temp_token()}.tmp"


def is_temp_name(name: str) -> bool:
    """Whether a file name is one that `temp_name` made."""
    return name.endswith(".tmp") and _TEMP.fullmatch(name) is not None


def write_all(fd: int, data: bytes | bytearray | memoryview) -> None:
    """Write every byte: a short write is continued, as POSIX allows it to happen."""
    written = os.write(fd, data)
    if written == len(data):
        return
    view = memoryview(data)
    while written < len(data):
        written += os.write(fd, view[written:])


def write_atomic(path: str, data: bytes, *, mode: int | None = None, durable: bool = True) -> None:
    """Give ``path`` new bytes, all or nothing; a symbolic link there is replaced, never followed.

    Args:
        path: The file to make or replace; its directory exists.
        data: The whole new content.
        mode: Permission bits; by default those of the file that is replaced, else 0666 less the umask.
        durable: Wait until the bytes and the name would survive a power cut.

    Raises:
        OSError: nothing changed; the temporary file is gone.
    """
    directory, name = os.path.split(path)
    if mode is None:
        try:
            info = os.lstat(path)
            mode = info.st_mode & 0o777 if (info.st_mode & 0o170000) == 0o100000 else None
        except FileNotFoundError:
            mode = None
    temporary = os.path.join(directory, temp_name(name))
    fd = os.open(temporary, WRITE | CREATE_NEW, 0o666)
    try:
        try:
            write_all(fd, data)
            if mode is not None:
                os.chmod(temporary, mode)
            if durable:
                os.fsync(fd)
        finally:
            os.close(fd)
        os.replace(temporary, path)
    except BaseException:
        _remove(temporary)
        raise
    if durable:
        sync_directory(directory or ".")


def write_claimed(
    path: str, parts: Sequence[bytes | bytearray | memoryview], *, folder: str = "", durable: bool = False
) -> None:
    """Give ``path`` new bytes, all or nothing.

    Args:
        path: The file to make or replace; its directory exists.
        parts: The new content.
        folder: Where the temporary file lies until then, on the same file system; by default beside ``path``.
        durable: The bytes would survive a power cut before they get their name.

    Raises:
        OSError: the old bytes stand. FileNotFoundError also when a sweep came in a moment without a lock.
    """
    directory, name = os.path.split(path)
    temporary = f"{folder or directory}/{temp_name(name)}"
    fd = os.open(temporary, WRITE | CREATE_NEW, 0o666)
    try:
        try:
            try_lock(fd)
            for part in parts if sum(map(len, parts)) > _JOINED else (b"".join(parts),):
                write_all(fd, part)
            if durable:
                os.fsync(fd)
        finally:
            os.close(fd)
        os.replace(temporary, path)
    except BaseException:
        _remove(temporary)
        raise


def sweep_claimed(folder: str) -> int:
    """Remove the half-written files of a folder whose writers died; returns how many."""
    try:
        names = os.listdir(folder)
    except OSError:
        return 0
    return sum(_sweep_one(f"{folder}/{name}") for name in names if is_temp_name(name))


def _sweep_one(path: str) -> bool:
    """Remove a temporary file if the kernel gives its lock to us."""
    try:
        fd = os.open(path, WRITE | NO_FOLLOW | NO_WAIT)
    except OSError:
        return False
    try:
        if not try_lock(fd):
            return False
        os.unlink(path)
    except OSError:
        return False
    finally:
        os.close(fd)
    return True


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
