"""Placing: staged files get their names in the workspace, never through a symbolic link.

Each directory on the way is opened below the project's root without following links; a rename into
that handle replaces what was there in one step. What cannot be replaced by a rename (a directory where a
file must be) is moved aside first and removed when its successor stands.
"""

import errno
import os
import shutil
from typing import Self

from fourfold.base.errors import UnsafeError
from fourfold.base.fs.atomic import temp_name
from fourfold.base.fs.platform import HAS_DIR_FD, READ, open_beneath, sync_directory, sync_filesystem

_FEW = 8


class PathInTheWayError(UnsafeError):
    """A symbolic link, a file or a directory with files in it stands where the data must be."""

    code = "path-in-the-way"


class Placer:
    """Names for staged files at or below ``target``.

    Args:
        root: The project's root; nothing outside it is named.
        target: The absolute path of the file or directory that is checked out.
        replaces_folder: A file takes the place of the whole directory ``target``, whatever is in it; the
            caller has seen to everything that must not be lost. No other folder with files in it goes.
    """

    def __init__(self, root: str, target: str, *, replaces_folder: bool = False) -> None:
        self._replaces_folder = replaces_folder
        self._root = root
        self._target = target
        self._relative = os.path.relpath(target, root).replace(os.sep, "/")
        self._root_fd = -1
        self._folders: dict[str, int] = {}

    def __enter__(self) -> Self:
        if HAS_DIR_FD:
            self._root_fd = os.open(self._root, READ)
        return self

    def __exit__(self, *_: object) -> None:
        self._close_folders()
        if self._root_fd >= 0:
            os.close(self._root_fd)

    def place_tree(self, staged: str) -> None:
        """Give a whole staged directory the target's name; the target does not exist."""
        self._rename(staged, self._relative)
        sync_directory(os.path.dirname(self._target))

    def place_files(self, staged: dict[str, str]) -> None:
        """Give staged files their names.

        Args:
            staged: Name relative to the target (``""`` for the target itself) -> staged path.
        """
        if not staged:
            return
        for name in sorted(staged):
            self._rename(staged[name], f"{self._relative}/{name}" if name else self._relative)
        parent = os.path.dirname(self._target)
        if len(staged) > _FEW and sync_filesystem(parent):
            return
        for folder in {
            os.path.dirname(f"{self._target}/{name}" if name else self._target) for name in staged
        }:
            sync_directory(folder)

    def _rename(self, staged: str, relative: str) -> None:
        folder, _, name = relative.rpartition("/")
        try:
            self._replace(staged, folder, name)
        except (IsADirectoryError, NotADirectoryError, FileExistsError):
            self._replace_unlike(staged, folder, name)
        except OSError as error:
            if error.errno not in {errno.ENOTEMPTY, errno.EISDIR, errno.EEXIST}:
                raise
            self._replace_unlike(staged, folder, name)

    def _replace(self, staged: str, folder: str, name: str) -> None:
        if HAS_DIR_FD:
            os.replace(staged, name, dst_dir_fd=self._folder(folder))
            return
        path = f"{self._root}/{folder}" if folder else self._root
        self._refuse_links(folder)
        os.makedirs(path, exist_ok=True)
        os.replace(staged, f"{path}/{name}")

    def _replace_unlike(self, staged: str, folder: str, name: str) -> None:
        """Put a file where a directory is, or the reverse: what is there steps aside and then goes."""
        path = f"{self._root}/{folder}/{name}" if folder else f"{self._root}/{name}"
        if os.path.isdir(path) and not os.path.islink(path) and not self._replaces_folder:
            try:
                os.rmdir(path)  # empty folders are no data
            except OSError:
                raise _in_the_way(path) from None
            self._replace(staged, folder, name)
            return
        aside = f"{os.path.dirname(path)}/{temp_name(name)}"
        os.rename(path, aside)
        try:
            self._replace(staged, folder, name)
        except OSError:
            os.rename(aside, path)
            raise
        if os.path.isdir(aside) and not os.path.islink(aside):
            shutil.rmtree(aside)
        else:
            os.unlink(aside)

    def _folder(self, relative: str) -> int:
        fd = self._folders.get(relative)
        if fd is None:
            if len(self._folders) >= 64:  # handles are scarce where ulimit -n is low
                self._close_folders()
            try:
                fd = open_beneath(self._root_fd, relative, make=True)
            except OSError as error:
                if error.errno in {errno.ELOOP, errno.ENOTDIR, errno.EXDEV}:
                    raise _in_the_way(f"{self._root}/{relative}") from None
                raise
            self._folders[relative] = fd
        return fd

    def _close_folders(self) -> None:
        for fd in self._folders.values():
            os.close(fd)
        self._folders.clear()

    def _refuse_links(self, folder: str) -> None:
        """The portable way to the same promise, with a window that a handle would not leave."""
        path = self._root
        for part in folder.split("/") if folder else ():
            path = f"{path}/{part}"
            if os.path.islink(path):
                raise _in_the_way(path)


def _in_the_way(path: str) -> PathInTheWayError:
    return PathInTheWayError(
        f"something that is not tracked stands in the way: {path}",
        hint="remove it, then run the same command again",
    )
