"""Joining: a file of the workspace and its object become one inode, by one link and no hidden name.

What a hidden name is for, flushing before naming, holds without one: the bytes are the user's own, flushed
before the round that names them begins, and link(2) gives a whole file its name in one step and never
replaces anything. What the link leads to is looked at right afterwards: a file that was changed or exchanged
since it was read loses its new name again.
"""

import os
from collections.abc import Callable
from typing import NamedTuple

from fourfold.content.identity import changed


class Joined(NamedTuple):
    """A file that was read and waits for its link.

    Attributes:
        path: Where it is, absolute.
        at: The row that it has for whoever read it.
        size: Bytes, as seen before it was read.
        mtime_ns: Likewise.
        inode: Likewise.
        mode: Likewise.
        sure: The times prove that it was not written since; not so when it was written just before.
        moved: Hears the row and how the file looks once it is linked.
    """

    path: str
    at: int
    size: int
    mtime_ns: int
    inode: int
    mode: int
    sure: bool
    moved: Callable[[int, os.stat_result], None]


def as_read(path: str, info: os.stat_result) -> Joined:
    """A file that was read while it looked like ``info``, of which nobody keeps a row."""
    size, mtime_ns, inode, mode = info.st_size, info.st_mtime_ns, info.st_ino, info.st_mode
    return Joined(path, 0, size, mtime_ns, inode, mode, sure=True, moved=_unheard)


def _unheard(_at: int, _info: os.stat_result) -> None:
    """Nobody keeps a record of the file."""


def join(file: Joined, place: str, mode: int) -> os.stat_result:
    """Give the file's inode the name ``place`` and the permission bits ``mode``; how it looks then.

    Raises:
        FileExistsError: the name is taken; nothing was done.
        ChangedDuringReadError: the file is not what was read; ``place`` is free again.
        OSError: this file cannot be linked.
    """
    try:
        os.link(file.path, place, follow_symlinks=False)
    except FileNotFoundError:
        raise changed(file.path) from None
    if file.mode & 0o7777 != mode:
        os.chmod(place, mode)
    info = os.stat(place, follow_symlinks=False)
    if not is_still(file, info):
        os.chmod(place, file.mode & 0o7777)
        os.unlink(place)
        raise changed(file.path)
    return info


def is_still(file: Joined, info: os.stat_result) -> bool:
    """Whether a look at the file shows what was read."""
    return info.st_ino == file.inode and info.st_mtime_ns == file.mtime_ns and info.st_size == file.size


def refuse_unless(held_still: object, path: str) -> None:
    """Raise ChangedDuringReadError unless the file is what was read."""
    if not held_still:
        raise changed(path)
