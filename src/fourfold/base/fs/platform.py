"""What only some systems have, behind one seam with a portable fallback.

`syncfs`, `FICLONE` and `openat2` are Linux; everywhere else the same functions do the same thing
more slowly, and `capabilities` says which way is in use, so that ``ff doctor`` can tell. No other
module of Fourfold asks what system it runs on for these.
"""

import errno
import os
import sys
from typing import NamedTuple

_SYS_OPENAT2 = 437  # the same number on every Linux architecture since 5.6
_RESOLVE_NO_MAGICLINKS = 0x02
_RESOLVE_NO_SYMLINKS = 0x04
_RESOLVE_BENEATH = 0x08
_FICLONE = 0x40049409

_DIRECTORY = getattr(os, "O_DIRECTORY", 0)
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_CLOEXEC = getattr(os, "O_CLOEXEC", 0)


class Capabilities(NamedTuple):
    """What this machine offers at ``path``; each False means that the slower portable way is taken."""

    syncfs: bool
    reflink: bool
    openat2: bool
    dir_fd: bool


#: Whether system calls take a directory handle; Windows has none.
HAS_DIR_FD = os.open in os.supports_dir_fd and os.rename in os.supports_dir_fd


def _libc() -> "object | None":
    if not sys.platform.startswith("linux"):
        return None
    import ctypes  # noqa: PLC0415 - costs milliseconds that only writers pay

    try:
        return ctypes.CDLL(None, use_errno=True)
    except OSError:
        return None


def sync_filesystem(path: str) -> bool:
    """Make everything written so far on the file system of ``path`` durable, in one call.

    Returns:
        False when this system cannot; the caller then fsyncs each file.

    Raises:
        OSError: the flush failed; what was written may be lost and must not be trusted.
    """
    libc = _libc()
    syncfs = getattr(libc, "syncfs", None)
    if syncfs is None:
        return False
    fd = os.open(path, os.O_RDONLY | _CLOEXEC)
    try:
        if syncfs(fd) == 0:
            return True
        import ctypes  # noqa: PLC0415 - as above

        code = ctypes.get_errno()
        if code in {errno.ENOSYS, errno.EINVAL}:
            return False
        raise OSError(code, os.strerror(code), path)
    finally:
        os.close(fd)


def sync_directory(path: str) -> None:
    """Make the names in a directory durable; a no-op where directories cannot be opened."""
    if not _DIRECTORY:
        return
    fd = os.open(path, os.O_RDONLY | _DIRECTORY | _CLOEXEC)
    try:
        os.fsync(fd)
    except OSError as error:
        # Some network file systems have no fsync of a directory; their names are synchronous.
        if error.errno not in {errno.EINVAL, errno.ENOTSUP, errno.EBADF}:
            raise
    finally:
        os.close(fd)


def clone_file(source_fd: int, target_fd: int) -> bool:
    """Share the blocks of one open file with another, copy on write.

    Returns:
        False when the file system cannot; nothing was written then.
    """
    if not sys.platform.startswith("linux"):
        return False
    import fcntl  # noqa: PLC0415 - absent on Windows

    try:
        fcntl.ioctl(target_fd, _FICLONE, source_fd)
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EIO}:
            raise
        return False
    return True


def current_umask() -> int:
    """The process's umask: the system offers no reading of it, only setting."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


_openat2_state: list[bool] = []  # one entry once the kernel has been asked


def open_beneath(root_fd: int, relative: str, *, make: bool = False) -> int:
    """Open a directory below ``root_fd`` without ever following a symbolic link.

    Args:
        root_fd: A directory handle.
        relative: A relative POSIX path, ``""`` for the root itself.
        make: Create the directories that are missing.

    Raises:
        OSError: ELOOP or ENOTDIR where a component is a symbolic link or no directory.
    """
    if not make and sys.platform.startswith("linux") and _openat2_state != [False]:
        fd = _openat2(root_fd, relative or ".")
        if fd is not None:
            return fd
    current = os.dup(root_fd)
    try:
        for part in relative.split("/") if relative else ():
            try:
                deeper = os.open(part, os.O_RDONLY | _DIRECTORY | _NOFOLLOW | _CLOEXEC, dir_fd=current)
            except FileNotFoundError:
                if not make:
                    raise
                _make_directory(part, current)
                deeper = os.open(part, os.O_RDONLY | _DIRECTORY | _NOFOLLOW | _CLOEXEC, dir_fd=current)
            os.close(current)
            current = deeper
    except OSError:
        os.close(current)
        raise
    return current


def _make_directory(name: str, dir_fd: int) -> None:
    """Create one directory; that another process made it first is fine."""
    try:
        os.mkdir(name, dir_fd=dir_fd)
    except FileExistsError:
        return


def _openat2(root_fd: int, relative: str) -> int | None:
    """The kernel's own beneath-only open, or None where it has none."""
    import ctypes  # noqa: PLC0415 - costs milliseconds that only writers pay

    class How(ctypes.Structure):
        _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))

    libc = _libc()
    if libc is None:
        return None
    how = How(
        os.O_RDONLY | _DIRECTORY | _CLOEXEC,
        0,
        _RESOLVE_BENEATH | _RESOLVE_NO_SYMLINKS | _RESOLVE_NO_MAGICLINKS,
    )
    syscall = libc.syscall  # type: ignore[attr-defined]
    syscall.restype = ctypes.c_long
    fd = syscall(_SYS_OPENAT2, root_fd, os.fsencode(relative), ctypes.byref(how), ctypes.sizeof(how))
    if fd >= 0:
        _openat2_state[:] = [True]
        return int(fd)
    code = ctypes.get_errno()
    if code in {
        errno.ENOSYS,
        errno.EPERM,
        errno.EINVAL,
        errno.E2BIG,
    }:  # old kernel, or a sandbox that hides it
        _openat2_state[:] = [False]
        return None
    raise OSError(code, os.strerror(code), relative)


def capabilities(path: str) -> Capabilities:
    """Probe what the file system of directory ``path`` and this kernel offer.

    Makes and removes two empty files in ``path``.
    """
    import tempfile  # noqa: PLC0415 - only doctor asks

    with tempfile.TemporaryFile(dir=path) as source, tempfile.TemporaryFile(dir=path) as target:
        source.write(b"x" * 4096)
        source.flush()
        reflink = clone_file(source.fileno(), target.fileno())
    beneath = False
    if HAS_DIR_FD:
        fd = os.open(path, os.O_RDONLY | _DIRECTORY | _CLOEXEC)
        try:
            os.close(open_beneath(fd, ""))
            beneath = _openat2_state == [True]
        finally:
            os.close(fd)
    return Capabilities(
        syncfs=getattr(_libc(), "syncfs", None) is not None,
        reflink=reflink,
        openat2=beneath,
        dir_fd=HAS_DIR_FD,
    )


def try_flock(fd: int, *, wait: bool = False) -> bool:
    """Lock an open file or directory for this process until it is closed or its process dies.

    Args:
        fd: The open handle.
        wait: Wait while somebody else has it.

    Returns:
        False when somebody else has it, and where there are no such locks (Windows, some network mounts).
    """
    try:
        import fcntl  # noqa: PLC0415 - absent on Windows
    except ImportError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True
