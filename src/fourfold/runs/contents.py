"""What a path holds, by both digests: MD5 as DVC names it, BLAKE3 as proof; unread where nothing moved.

Content that was read before costs a look: the stat index and the book of proofs remember BLAKE3, taken in
the same reading as MD5. What neither knows is read once and remembered. What a record says of it is `data`.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from blake3 import blake3

from fourfold.base.errors import FourfoldError, from_os_error
from fourfold.base.fs.platform import READ
from fourfold.base.fs.walk import WIDTH, Prune, Scan
from fourfold.base.ids import Oid
from fourfold.content.build import identify
from fourfold.content.hashing import proof_of_stream
from fourfold.content.identity import Built, changed, look, match
from fourfold.content.proofs import ProofBook
from fourfold.content.statindex import StatIndex, settle
from fourfold.content.tree import unpack
from fourfold.formats.tabular import format_of
from fourfold.runs.place import FOLDER

if TYPE_CHECKING:
    from fourfold.runs.place import Place

#: Tables of one folder that are told apart.
MOST_TABLES = 20
_NO_PROOF = bytes(32)


class Table(NamedTuple):
    """A file in a folder whose name says that it is a table.

    Attributes:
        path: Relative to the folder.
        blake3: Of its bytes, 64 hex digits.
        size: Its bytes.
    """

    path: str
    blake3: str
    size: int


class Content(NamedTuple):
    """What a file or folder holds.

    Attributes:
        md5: As DVC names it; of a folder its manifest's, with ``.dir``.
        blake3: 64 hex digits: of the bytes of a file; of a folder, as `folder_digest` says.
        size: Bytes of all files.
        nfiles: Number of files of a folder; None for a file.
        tables: Of a folder, the first `MOST_TABLES` tables in it, by path.
    """

    md5: Oid
    blake3: str
    size: int
    nfiles: int | None
    tables: tuple[Table, ...] = ()


class Stamp(NamedTuple):
    """How a path looked, in a few bytes.

    Attributes:
        exact: Of every number of every file.
        bytes_only: Of names, sizes, times and inodes; modes and the times at which an inode changed say
            nothing about bytes, and linking moves them.
    """

    exact: bytes
    bytes_only: bytes


class Glimpse(NamedTuple):
    """How a path looked, without any reading.

    Attributes:
        scan: Its files and their numbers.
        is_directory: Whether it is a folder.
    """

    scan: Scan
    is_directory: bool

    def stamp(self) -> Stamp:
        """What is kept of it while a run goes."""
        stats = self.scan.stats
        names = blake3("\0".join(self.scan.names).encode())
        names.update(b"\0folder" if self.is_directory else b"\0file")
        exact, loose = names.copy(), names
        exact.update(stats.tobytes())
        for column in (0, 1, 3):
            loose.update(stats[column::WIDTH].tobytes())
        return Stamp(exact.digest(), loose.digest())


class Contents:
    """Tells what paths of one place hold.

    Args:
        place: Where; its index is the project's, or one of its own outside of projects.
    """

    def __init__(self, place: "Place") -> None:
        project = place.project
        self._proofs: ProofBook | None = None
        if project is not None:
            self._index = project.index
            self._proofs = ProofBook(project.index, project.store)
            self._pruning: Callable[[str], tuple[Prune, Prune]] = project.ignore.pruning
        else:
            self._index = StatIndex(os.path.join(place.own, "index"), place.clock)
            self._pruning = _plain_pruning
        self._place = place

    def glimpse(self, path: str) -> Glimpse | None:
        """How a path looks; None when there is nothing.

        Raises:
            FourfoldError: it is no data: a socket, a link to nothing, a name that is not UTF-8.
        """
        skip_file, skip_directory = self._pruning(path)
        try:
            return Glimpse(*look(path, skip_file=skip_file, skip_directory=skip_directory))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise from_os_error(error, f"looking at {self._place.shown(path)}") from error

    def recall(self, path: str, seen: Glimpse) -> Content | None:
        """What a path holds, when that is known without reading it; else None."""
        record = self._index.load(path, proofs=True)
        built = match(seen.scan, record, is_directory=seen.is_directory)
        if record is None or built is None:
            return None
        proofs = bytearray(record.proofs or bytes(32 * len(seen.scan.names)))
        return None if self._lacking(built, proofs) else _content(built, proofs)

    def read(self, path: str) -> Content:
        """What a path holds, read where that is not known, and remembered.

        Raises:
            FileNotFoundError: there is nothing.
            FourfoldError: it cannot be read, would not hold still, or is no data.
        """
        if self._place.project is None:
            with suppress(FourfoldError):  # then nothing is remembered
                self._place.make("index")
        skip_file, skip_directory = self._pruning(path)
        built = identify(path, self._index, skip_file=skip_file, skip_directory=skip_directory)
        record = self._index.load(path, proofs=True)
        proofs = bytearray(32 * len(built.scan.names))
        if record is not None and record.packed == built.packed and record.names == built.scan.names:
            proofs[: len(record.proofs)] = record.proofs
        lacking = self._lacking(built, proofs)
        if lacking:
            self._prove(path, built, proofs, lacking)
        return _content(built, proofs)

    def _lacking(self, built: Built, proofs: bytearray) -> list[int]:
        """The rows whose proof is neither there nor in the book; those of the book are filled in."""
        if proofs.find(_NO_PROOF) < 0:
            return []
        blank = [at for at in range(len(built.scan.names)) if proofs[at * 32 : at * 32 + 32] == _NO_PROOF]
        if not blank or self._proofs is None:
            return blank
        names = unpack(b"".join([built.packed[at * 16 : at * 16 + 16] for at in blank]))
        lacking = []
        for at, oid in zip(blank, names, strict=True):
            size, proof = self._proofs.known(oid)
            if size == built.scan.stats[at * WIDTH]:
                proofs[at * 32 : at * 32 + 32] = proof
            else:
                lacking.append(at)
        return lacking

    def _prove(self, path: str, built: Built, proofs: bytearray, rows: Iterable[int]) -> None:
        scan = built.scan
        when = settle(scan.stats, self._index.clock)
        for at in rows:
            name = f"{path}/{scan.names[at]}" if scan.names[at] else path
            try:
                fd = os.open(name, READ)
            except OSError as error:
                raise from_os_error(error, "reading") from error
            try:
                proofs[at * 32 : at * 32 + 32] = proof_of_stream(fd)
                info = os.fstat(fd)
            except OSError as error:
                raise from_os_error(error, f"reading {self._place.shown(name)}") from error
            finally:
                os.close(fd)
            if (info.st_size, info.st_mtime_ns) != tuple(scan.stats[at * WIDTH : at * WIDTH + 2]):
                raise changed(name)
        self._index.save(path, scan, built.packed, proofs, oid=built.oid, when=when)


def folder_digest(names: Sequence[str], proofs: bytes | bytearray, sizes: Sequence[int]) -> str:
    """BLAKE3 of a folder: of one line a file, in the order of the code points of their paths.

    A line is the file's BLAKE3 in hex, a blank, its size in decimal, a blank, its path in UTF-8, and a NUL,
    which no path can hold (docs/concepts/data-coordinate.md).

    Args:
        names: Paths relative to the folder, in any order.
        proofs: 32 bytes a path, in that order.
        sizes: Bytes of each file, likewise.
    """
    text = proofs.hex()
    order = sorted(range(len(names)), key=names.__getitem__)
    lines = [f"{text[at * 64 : at * 64 + 64]} {sizes[at]} {names[at]}\0" for at in order]
    return blake3("".join(lines).encode()).hexdigest()


def _content(built: Built, proofs: bytearray) -> Content:
    if not built.is_directory:
        return Content(built.oid, proofs.hex(), built.size, None)
    names, sizes = built.scan.names, built.scan.stats[0::WIDTH]
    tables = sorted((name, at) for at, name in enumerate(names) if format_of(name))[:MOST_TABLES]
    return Content(
        built.oid,
        folder_digest(names, proofs, sizes),
        built.size,
        built.nfiles,
        tuple(Table(name, proofs[at * 32 : at * 32 + 32].hex(), sizes[at]) for name, at in tables),
    )


def _plain_pruning(_path: str) -> tuple[Prune, Prune]:
    """Outside of projects: what Git and we keep for ourselves is no data."""

    def skip_file(name: str) -> bool:
        return name == ".git"

    def skip_directory(name: str) -> bool:
        return name.rpartition("/")[2] in {".git", FOLDER}

    return skip_file, skip_directory
