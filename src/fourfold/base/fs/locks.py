"""Locks that the kernel drops when their process dies: no stale lock file, ever.

An advisory lock on an open file (``flock``; ``msvcrt`` on Windows). The file's text names the
holder for people; it is never used to decide anything.
"""

import os
import sys
from types import TracebackType
from typing import Self

from fourfold.base.clock import SYSTEM, Clock
from fourfold.base.errors import UnavailableError


class LockHeldError(UnavailableError):
    """Another process holds the lock; its name is in the message when it left one."""

    code = "lock-held"


class FileLock:
    """An exclusive or shared lock on ``path``, held between ``with`` and the end of its block.

    Args:
        path: The lock file; made when missing, never removed.
        shared: Several holders that all asked for a shared lock may hold it at once.
        wait: Seconds to wait for it before `LockHeldError`.
        note: What to write in the file for people who find it locked.
    """

    def __init__(
        self, path: str, *, shared: bool = False, wait: float = 0.0, note: str = "", clock: Clock = SYSTEM
    ) -> None:
        self.path = path
        self._shared = shared
        self._wait = wait
        self._note = note
        self._clock = clock
        self._fd: int | None = None

    def __enter__(self) -> Self:
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
        try:
            deadline = self._clock.monotonic() + self._wait
            while not _try_lock(fd, shared=self._shared):
                if self._clock.monotonic() >= deadline:
                    raise _held(self.path, fd)  # noqa: TRY301 - the handle is closed below in every case
                self._clock.sleep(0.05)
            if not self._shared:
                os.ftruncate(fd, 0)
                os.lseek(fd, 0, os.SEEK_SET)
                os.write(fd, self._note.encode() or b"%d" % os.getpid())
        except BaseException:
            os.close(fd)
            raise
        self._fd = fd
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._fd is not None:
            if not self._shared:
                os.ftruncate(self._fd, 0)
            os.close(self._fd)
            self._fd = None


def _note_of(fd: int) -> bytes:
    os.lseek(fd, 0, os.SEEK_SET)
    return os.read(fd, 200)


def _held(path: str, fd: int) -> LockHeldError:
    holder = _note_of(fd).decode("utf-8", "replace").strip()
    return LockHeldError(
        f"{path} is locked" + (f" by process {holder}" if holder else ""),
        hint="wait for it to finish, or pass --wait-for-lock",
    )


if sys.platform == "win32":

    def _try_lock(fd: int, *, shared: bool) -> bool:
        import msvcrt  # noqa: PLC0415 - Windows only

        os.lseek(fd, 1 << 30, os.SEEK_SET)  # a byte past any text, so that the note stays readable
        try:
            msvcrt.locking(fd, msvcrt.LK_NBRLCK if shared else msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:

    def _try_lock(fd: int, *, shared: bool) -> bool:
        import fcntl  # noqa: PLC0415 - absent on Windows

        try:
            fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
