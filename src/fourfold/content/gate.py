"""The gate of an object store: many writers at once, or one collector, never both.

A writer that finds an object already there counts on it without touching it, so nothing may be removed
while anybody writes. The gate is a kernel lock on the store's own folder: shared for writers, exclusive
for whoever removes. It leaves no file behind and dies with its process. Where folders cannot be locked
(Windows, some network file systems) the gate stands open, and collectors count on leases and age.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from fourfold.base.clock import Clock
from fourfold.base.errors import UnavailableError
from fourfold.base.fs.platform import lock, open_folder

_PAUSE = 0.05


class StoreBusyError(UnavailableError):
    """Somebody is writing to the object store from which something was to be removed."""

    code = "store-busy"


def enter(root: str) -> int | None:
    """Pass the gate as a writer, after whoever removes has finished.

    Args:
        root: The store's folder, which exists.

    Returns:
        What `leave` takes; None where there is no gate.
    """
    fd = _open(root)
    if fd is None:
        return None
    try:
        lock(fd, shared=True, wait=True)
    except OSError:
        os.close(fd)
        return None
    return fd


def leave(held: int | None) -> None:
    """Give the gate back."""
    if held is not None:
        os.close(held)


@contextmanager
def alone(root: str, clock: Clock, *, patience: float | None) -> Iterator[bool]:
    """Keep every writer out for the block.

    Args:
        root: The store's folder; one that does not exist has no writers.
        clock: Measures the waiting.
        patience: Seconds to wait for writers to finish; None for as long as it takes.

    Yields:
        Whether writers are really kept out: False where there is no gate.

    Raises:
        StoreBusyError: somebody was still writing when patience ran out.
    """
    fd = _open(root)
    if fd is None:
        yield False
        return
    try:
        yield _take(fd, root, clock, patience)
    finally:
        os.close(fd)


def _take(fd: int, root: str, clock: Clock, patience: float | None) -> bool:
    deadline = None if patience is None else clock.monotonic() + patience
    try:
        while not lock(fd):
            if deadline is not None and clock.monotonic() >= deadline:
                raise StoreBusyError(
                    f"another process is writing to {root}",
                    hint="let it finish, or run again with --wait-for-lock; nothing was removed",
                )
            clock.sleep(_PAUSE)
    except OSError:
        return False  # this file system has no such locks
    return True


def _open(root: str) -> int | None:
    try:
        return open_folder(root)
    except OSError:
        return None
