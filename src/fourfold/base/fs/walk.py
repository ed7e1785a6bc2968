"""Walking a directory into columns: names in one list, numbers in one array, no object a file.

The stat index compares what was with what is; both are columns of the same shape, so a tree in
which nothing moved is recognised by comparing two blobs. This module follows no symbolic link to
a directory (as DVC), and knows nothing of ignore files: the caller passes the two predicates.
"""

import os
import stat
from array import array
from collections.abc import Callable, Mapping
from typing import NamedTuple

from fourfold.base.errors import InvalidFileError, NotFoundError, UnsupportedError, from_os_error

#: Numbers a file: size, mtime_ns, ctime_ns, identity (inode, mixed with a foreign device), mode.
WIDTH = 5
#: What fits into a signed number of a row.
POSITIVE = 0x7FFF_FFFF_FFFF_FFFF


class BadFileNameError(InvalidFileError):
    """A file name is not UTF-8: the formats of DVC cannot name it."""

    code = "file-name-not-utf8"


def refuse_not_utf8(path: str) -> None:
    """Refuse a path that no file of DVC's formats can name.

    Raises:
        BadFileNameError: it is not UTF-8.
    """
    try:
        path.encode()
    except UnicodeEncodeError:
        raise BadFileNameError(
            f"the file name {os.fsencode(os.path.basename(path) or path)!r} is not UTF-8",
            hint="rename it; DVC's formats hold only UTF-8 names",
        ) from None


class SpecialFileError(UnsupportedError):
    """A socket, pipe or device stands among the data."""

    code = "special-file"


class DanglingLinkError(NotFoundError):
    """A symbolic link among the data points to nothing."""

    code = "dangling-symlink"


class Scan(NamedTuple):
    """The regular files below one root, in the order in which the directories gave them.

    Attributes:
        names: Relative POSIX paths; the root itself, when it is a file, is ``""``.
        stats: `WIDTH` signed 64-bit numbers a file.
        device: ``st_dev`` of the root.
        links: Positions of files that were reached through a symbolic link.
    """

    names: list[str]
    stats: "array[int]"
    device: int
    links: list[int]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(self.stats[0::WIDTH])


Prune = Callable[[str], bool]


def identity(info: os.stat_result, device: int) -> int:
    """The inode number, mixed with the device where a file lives on another one than its root."""
    if info.st_dev == device:
        return info.st_ino & POSITIVE
    return (info.st_ino ^ (info.st_dev * 0x9E37_79B9_7F4A_7C15)) & POSITIVE


def row(info: os.stat_result, device: int) -> tuple[int, int, int, int, int]:
    """The `WIDTH` numbers of one file."""
    return info.st_size, info.st_mtime_ns, info.st_ctime_ns, identity(info, device), info.st_mode


def scan_file(path: str) -> Scan:
    """The scan of a single file.

    Raises:
        OSError: it cannot be looked at.
        SpecialFileError: it is not a regular file.
    """
    info = os.stat(path)
    if not stat.S_ISREG(info.st_mode):
        raise SpecialFileError(f"{path} is not a regular file", hint="only regular files can be tracked")
    linked = stat.S_ISLNK(os.lstat(path).st_mode)
    return Scan([""], array("q", row(info, info.st_dev)), info.st_dev, [0] if linked else [])


def scan_directory(
    root: str,
    *,
    skip_file: Prune | None = None,
    skip_directory: Prune | None = None,
    seen: Mapping[str, os.stat_result] | None = None,
) -> Scan:
    """List every regular file below ``root``.

    Args:
        root: An existing directory.
        skip_file: Given a relative path, says that the file is not part of the tree.
        skip_directory: Likewise for a directory, which is then not entered.
        seen: How files looked when the caller made them: where the same inode still bears the name, that is
            the row, and it is not looked at again. What was done to it since, the next scan tells.

    Raises:
        BadFileNameError: a name is not UTF-8.
        SpecialFileError: a socket, pipe or device stands in the tree.
        DanglingLinkError: a symbolic link points to nothing.
        OSError: the root cannot be read.
    """
    device = os.stat(root).st_dev
    names: list[str] = []
    stats: array[int] = array("q")
    links: list[int] = []
    add_name, add_stats = names.append, stats.extend
    pending = [""]
    while pending:
        prefix = pending.pop()
        below: list[str] = []
        with os.scandir(f"{root}/{prefix}" if prefix else root) as entries:
            for entry in entries:
                name = prefix + entry.name
                if entry.is_dir(follow_symlinks=False):
                    if skip_directory is None or not skip_directory(name):
                        below.append(name + "/")
                    continue
                if skip_file is not None and skip_file(name):
                    continue
                if entry.is_symlink():
                    info = _follow(entry, name)
                    if info is None:
                        continue
                    links.append(len(names))
                else:
                    info = None if seen is None else seen.get(name)
                    if info is None or info.st_ino != entry.inode():
                        info = entry.stat(follow_symlinks=False)
                if info.st_mode & 0o170000 != 0o100000:
                    raise SpecialFileError(
                        f"{root}/{name} is not a regular file", hint="remove it, or list it in .dvcignore"
                    )
                ino = info.st_ino & POSITIVE if info.st_dev == device else identity(info, device)
                add_name(name)
                add_stats((info.st_size, info.st_mtime_ns, info.st_ctime_ns, ino, info.st_mode))
        below.sort(reverse=True)  # a stack: directories are entered in ascending order
        pending += below
    _check_names(root, names)
    return Scan(names, stats, device, links)


def _follow(entry: "os.DirEntry[str]", name: str) -> os.stat_result | None:
    """What a symbolic link leads to; None for a directory, which DVC's walk does not enter."""
    try:
        info = entry.stat()
    except FileNotFoundError:
        raise DanglingLinkError(
            f"{entry.path} is a symbolic link to nothing", hint="remove it, or list it in .dvcignore"
        ) from None
    except OSError as error:
        raise from_os_error(error, f"following {name}") from error
    return None if stat.S_ISDIR(info.st_mode) else info


def _check_names(root: str, names: list[str]) -> None:
    """Refuse names that the operating system gave as bytes that are not UTF-8."""
    try:
        "\0".join(names).encode()
    except UnicodeEncodeError:
        for name in names:
            try:
                name.encode()
            except UnicodeEncodeError:
                shown = os.fsencode(f"{root}/{name}")
                raise BadFileNameError(
                    f"the file name {shown!r} is not UTF-8",
                    hint="rename it, or list it in .dvcignore; DVC's formats hold only UTF-8 names",
                ) from None
