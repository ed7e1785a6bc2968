"""What only some systems have, behind one seam with a portable fallback.

`syncfs`, `FICLONE` and `openat2` are Linux; everywhere else the same functions do the same thing
more slowly, and `capabilities` says which way is in use, so that ``ff doctor`` can tell. No other
module of Fourfold asks what system it runs on for these.
"""

import errno
import os
import sys
from typing import NamedTuple

from fourfold.base.clock import SYSTEM

_SYS_OPENAT2 = 437  # the same number on every Linux architecture since 5.6
_RESOLVE_NO_MAGICLINKS = 0x02
_RESOLVE_NO_SYMLINKS = 0x04
_RESOLVE_BENEATH = 0x08
_FICLONE = 0x40049409

# Flags of `os.open`; what a system lacks is 0. Every file is opened for bytes: Windows would translate line
# ends otherwise. That no child inherits a handle is Python's own doing.
_BINARY = getattr(os, "O_BINARY", 0)
READ = os.O_RDONLY | _BINARY
WRITE = os.O_WRONLY | _BINARY
UPDATE = os.O_RDWR | _BINARY
#: Added to one of the above: make the file, if need be; make it, or fail when there is one.
CREATE = os.O_CREAT
CREATE_NEW = os.O_CREAT | os.O_EXCL
#: Added: fail at a symbolic link; do not wait for whoever is at the other end of a pipe.
NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
NO_WAIT = getattr(os, "O_NONBLOCK", 0)
#: For directories alone; 0 where they cannot be opened (`open_folder`).
_DIRECTORY = getattr(os, "O_DIRECTORY", 0)


class Capabilities(NamedTuple):
    """What this machine offers at ``path``; each False means that the slower portable way is taken."""

    syncfs: bool
    reflink: bool
    openat2: bool
    dir_fd: bool


#: Where a lock of a byte is taken: past any text that people might want to read.
_FAR = 1 << 30
#: Seconds between two tries for a lock that the system cannot wait for.
_PAUSE = 0.05

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
    fd = os.open(path, READ)
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


def open_folder(path: str, *, follow: bool = True) -> int | None:
    """A handle of a directory, to lock it or to flush its names; None where directories cannot be opened.

    Args:
        path: The directory.
        follow: Also through a symbolic link as the last component.

    Raises:
        OSError: it is not there, or no directory.
    """
    if not _DIRECTORY:
        return None
    return os.open(path, READ | _DIRECTORY | (0 if follow else NO_FOLLOW))


def sync_directory(path: str) -> None:
    """Make the names in a directory durable; a no-op where directories cannot be opened."""
    fd = open_folder(path)
    if fd is None:
        return
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
                deeper = os.open(part, READ | _DIRECTORY | NO_FOLLOW, dir_fd=current)
            except FileNotFoundError:
                if not make:
                    raise
                _make_directory(part, current)
                deeper = os.open(part, READ | _DIRECTORY | NO_FOLLOW, dir_fd=current)
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
        os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC,
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
        fd = os.open(path, READ | _DIRECTORY)
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


def lock(fd: int, *, shared: bool = False, wait: bool = False, byte: int = _FAR) -> bool:
    """Lock an open file or directory for this process, until `unlock`, its closing, or the process's death.

    Args:
        fd: The open handle.
        shared: Together with others that ask for a shared lock.
        wait: Wait while somebody else has it.
        byte: Which byte of the file stands for it on Windows, where others cannot read what is locked.

    Returns:
        False when somebody else has it.

    Raises:
        OSError: the file system has no locks.
    """
    try:
        import fcntl  # noqa: PLC0415 - absent on Windows
    except ImportError:
        return _lock_byte(fd, byte, shared=shared, wait=wait)
    try:
        fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True


def unlock(fd: int, *, byte: int = _FAR) -> None:
    """Give back what `lock` took."""
    try:
        import fcntl  # noqa: PLC0415 - absent on Windows
    except ImportError:
        import msvcrt  # noqa: PLC0415 - Windows alone

        _at_byte(fd, byte, msvcrt.LK_UNLCK)  # type: ignore[attr-defined]
        return
    fcntl.flock(fd, fcntl.LOCK_UN)


def unread(fd: int) -> int:
    """How many bytes wait to be read from a pipe or a terminal; 0 where the system does not say."""
    try:
        import fcntl  # noqa: PLC0415 - absent on Windows
        import termios  # noqa: PLC0415 - likewise
    except ImportError:
        return 0
    try:
        return int.from_bytes(fcntl.ioctl(fd, termios.FIONREAD, bytes(4)), sys.byteorder)
    except OSError:
        return 0


def try_lock(fd: int, *, wait: bool = False) -> bool:
    """`lock` for whoever can do without: also False where the file system has no locks."""
    try:
        return lock(fd, wait=wait)
    except OSError:
        return False


def _lock_byte(fd: int, byte: int, *, shared: bool, wait: bool) -> bool:
    import msvcrt  # noqa: PLC0415 - Windows alone

    while True:
        try:
            _at_byte(fd, byte, msvcrt.LK_NBRLCK if shared else msvcrt.LK_NBLCK)  # type: ignore[attr-defined]
        except OSError:
            if not wait:
                return False
            SYSTEM.sleep(_PAUSE)
        else:
            return True


def _at_byte(fd: int, byte: int, mode: int) -> None:
    """Windows locks from where the file stands; it stands there again afterwards."""
    import msvcrt  # noqa: PLC0415 - Windows alone

    before = os.lseek(fd, 0, os.SEEK_CUR)
    os.lseek(fd, byte, os.SEEK_SET)
    try:
        msvcrt.locking(fd, mode, 1)  # type: ignore[attr-defined]
    finally:
        os.lseek(fd, before, os.SEEK_SET)
