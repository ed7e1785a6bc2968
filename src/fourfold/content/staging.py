"""Staging: where files of the workspace are made before they get their names.

One directory a checkout, below the project's own temporary directory when that is on the same file
system, else hidden beside the target. The kernel holds a lock on it for as long as its maker lives: the
next maker sweeps what the dead left. Nothing here knows what the files are.
"""

import os
import shutil
from collections.abc import Iterable
from typing import Self

from fourfold.base.fs.atomic import is_temp_name, temp_name
from fourfold.base.fs.platform import READ, open_folder, sync_filesystem, try_lock

#: Up to this many files are fsynced one by one.
_FEW = 8


class Staging:
    """A private directory on the file system of ``beside``.

    Args:
        home: The preferred parent; made when missing.
        beside: The directory in which the files will end up, or the nearest that exists above it.
    """

    def __init__(self, home: str, beside: str) -> None:
        while not os.path.isdir(beside):
            beside = os.path.dirname(beside)
        os.makedirs(home, exist_ok=True)
        parent = home if os.stat(home).st_dev == os.stat(beside).st_dev else beside
        sweep(parent)
        self.path = f"{parent}/{temp_name('staging')}"
        self._fd: int | None = None

    def __enter__(self) -> Self:
        os.mkdir(self.path, 0o700)
        self._fd = open_folder(self.path)
        if self._fd is not None:
            try_lock(self._fd)
        return self

    def __exit__(self, *_: object) -> None:
        if self._fd is not None:
            os.close(self._fd)
        shutil.rmtree(self.path, ignore_errors=True)

    def slot(self, number: int) -> str:
        """The path of the ``number``-th file."""
        return f"{self.path}/{number}"

    def make_tree(self, names: Iterable[str]) -> str:
        """A directory with every sub-directory that ``names`` need; returns its path."""
        base = f"{self.path}/tree"
        os.mkdir(base)
        folders: set[str] = set()
        for name in names:
            folder = name.rpartition("/")[0]
            if folder and folder not in folders:
                os.makedirs(f"{base}/{folder}", exist_ok=True)
                folders.add(folder)
        return base

    def flush(self, count: int) -> None:
        """Make the ``count`` staged files durable."""
        if count > _FEW and sync_filesystem(self.path):
            return
        for folder, _folders, files in os.walk(self.path):
            for name in files:
                path = f"{folder}/{name}"
                if os.path.islink(path):
                    continue
                fd = os.open(path, READ)
                try:
                    os.fsync(fd)
                finally:
                    os.close(fd)


def sweep(parent: str) -> None:
    """Remove the staging directories below ``parent`` whose makers are dead."""
    try:
        names = os.listdir(parent)
    except FileNotFoundError:
        return
    for name in names:
        if not (name.startswith(".staging.") and is_temp_name(name)):
            continue
        path = f"{parent}/{name}"
        try:
            fd = open_folder(path, follow=False)
        except OSError:
            continue
        if fd is None:
            return  # nobody can tell whether its maker lives
        try:
            if try_lock(fd):
                shutil.rmtree(path, ignore_errors=True)
        finally:
            os.close(fd)
