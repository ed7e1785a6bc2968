"""Dying on purpose: a piece of work in a child process that is killed before its n-th touch of the disk.

The interpreter's audit events stand for the system calls, so nothing of the product is replaced and no
tracer is needed; `tests.faults` does the same from outside, for every system call, with strace.
"""

import os
import signal
import sys
import warnings
from collections.abc import Callable

#: Audit events that go before a change of the disk.
_TOUCHES = frozenset(
    {
        *("os.rename", "os.link", "os.symlink", "os.remove", "os.mkdir", "os.rmdir", "os.chmod"),
        *("os.utime", "os.truncate", "fcntl.flock", "fcntl.ioctl"),
    }
)


def killed_at(n: int, work: Callable[[], object]) -> bool:
    """Run ``work`` in a forked child that is killed before its n-th touch of the disk (from 1).

    Returns:
        Whether it was killed; else it ended by itself, be it with an error.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that a child of threads may not fork well
        child = os.fork()
    if child == 0:
        try:
            _doom(n)
            work()
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def _doom(n: int) -> None:
    left = n

    def hook(event: str, args: tuple[object, ...]) -> None:
        nonlocal left
        if event in _TOUCHES or (event == "open" and _writes(args)):
            left -= 1
            if left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def _writes(args: tuple[object, ...]) -> bool:
    return len(args) > 2 and isinstance(args[2], int) and bool(args[2] & (os.O_WRONLY | os.O_RDWR))
