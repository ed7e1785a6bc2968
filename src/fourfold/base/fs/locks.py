"""Locks that the kernel drops when their process dies: no stale lock file, ever.

An advisory lock on an open file. The file's text names the
holder for people; it is never used to decide anything.
"""

import os
from typing import Self

from fourfold.base.clock import SYSTEM, Clock
from fourfold.base.errors import UnavailableError
from fourfold.base.fs.platform import CREATE, UPDATE, lock


class LockHeldError(UnavailableError):
    """Another process holds the lock; its name is in the message when it left one."""

    code = "lock-held"


class FileLock:
    """An exclusive lock on ``path``, held between ``with`` and the end of its block.

    Args:
        path: The lock file; made when missing, never removed.
        wait: Seconds to wait for it before `LockHeldError`.
    """

    def __init__(self, path: str, *, wait: float = 0.0, clock: Clock = SYSTEM) -> None:
        self.path = path
        self._wait = wait
        self._clock = clock
        self._fd: int | None = None

    def __enter__(self) -> Self:
        fd = os.open(self.path, UPDATE | CREATE, 0o666)
        try:
            deadline = self._clock.monotonic() + self._wait
            while not lock(fd):
                if self._clock.monotonic() >= deadline:
                    raise _held(self.path, fd)  # noqa: TRY301 - the handle is closed below in every case
                self._clock.sleep(0.05)
            os.ftruncate(fd, 0)
            os.lseek(fd, 0, os.SEEK_SET)
            os.write(fd, b"%d" % os.getpid())
        except BaseException:
            os.close(fd)
            raise
        self._fd = fd
        return self

    def __exit__(self, *_: object) -> None:
        if self._fd is not None:
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
