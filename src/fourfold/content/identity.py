"""Identity: what a path of the workspace is, by the stat index where nothing moved.

The light half of building: looks and compares, and hashes nothing (`fourfold.content.build` does), so that
commands which find nothing moved need not load what hashes.
"""

import os
from array import array
from collections.abc import Mapping

from fourfold.base.errors import ConflictError
from fourfold.base.fs.walk import Prune, Scan, scan_directory, scan_file
from fourfold.base.ids import Oid
from fourfold.content.statindex import Record, StatIndex
from fourfold.content.tree import Tree


class ChangedDuringReadError(ConflictError):
    """A file changed between the start and the end of its reading."""

    code = "changed-during-read"


def changed(path: str) -> ChangedDuringReadError:
    """The error for a file that would not hold still."""
    return ChangedDuringReadError(
        f"{path} changed while it was read", hint="let its writer finish, then run the same command again"
    )


class Built:
    """What a path is: its identity, and the columns from which it follows.

    Attributes:
        oid: A file's object, or a directory's tree.
        scan: What was seen.
        packed: MD5 digests in the order of the scan.
        is_directory: Whether the path is a directory.
        moves: Row, change time and mode, three numbers for each file that became one with its object since.
        unsaved: When its files were read, and their BLAKE3 digests: what is recorded once they have moved.
    """

    __slots__ = ("_tree", "is_directory", "moves", "oid", "packed", "scan", "unsaved")

    def __init__(self, scan: Scan, packed: bytes, *, is_directory: bool, oid: Oid | None = None) -> None:
        self.scan = scan
        self.packed = packed
        self.is_directory = is_directory
        self.moves: array[int] = array("q")
        self.unsaved: tuple[int, bytearray] | None = None
        self._tree: Tree | None = None
        if oid is None:
            oid = self.tree.oid if is_directory else Oid(packed.hex())
        self.oid = oid

    @property
    def tree(self) -> Tree:
        """The directory's manifest; built when first asked for."""
        if self._tree is None:
            self._tree = Tree.from_unsorted(self.scan.names, self.packed)
        return self._tree

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return self.scan.size

    @property
    def nfiles(self) -> int:
        """How many files."""
        return len(self.scan.names)

    @property
    def isexec(self) -> bool:
        """Whether it is a file that somebody may execute."""
        return not self.is_directory and bool(self.scan.stats[4] & 0o111)


def look(
    path: str,
    *,
    skip_file: Prune | None = None,
    skip_directory: Prune | None = None,
    seen: Mapping[str, os.stat_result] | None = None,
) -> tuple[Scan, bool]:
    """Scan a path, whichever it is, as `base.fs.walk` does; also says whether it is a directory.

    Raises:
        FileNotFoundError: there is nothing.
        FourfoldError: what `base.fs.walk` refuses.
    """
    if os.path.isdir(path):
        scan = scan_directory(path, skip_file=skip_file, skip_directory=skip_directory, seen=seen)
        return scan, True
    return scan_file(path), False


def recall(
    path: str,
    index: StatIndex,
    *,
    legacy: bool = False,
    skip_file: Prune | None = None,
    skip_directory: Prune | None = None,
) -> Built | None:
    """What ``path`` is, if nothing about it moved since it was recorded; else None: it has to be read.

    Args:
        path: An absolute path that exists.
        index: What is known.
        legacy: As DVC 2 hashed.
        skip_file: Files that are not part of the data.
        skip_directory: Directories likewise.

    Raises:
        FileNotFoundError: there is nothing at ``path``.
        FourfoldError: what `base.fs.walk` refuses.
    """
    scan, is_directory = look(path, skip_file=skip_file, skip_directory=skip_directory)
    return match(scan, index.load(path, legacy=legacy), is_directory=is_directory)


def match(scan: Scan, record: Record | None, *, is_directory: bool) -> Built | None:
    """What a scan is, if it is to the last number what the record saw."""
    if record is None or record.oid.endswith(".dir") != is_directory or not record.matches(scan):
        return None
    return Built(scan, record.packed, is_directory=is_directory, oid=Oid(record.oid))
