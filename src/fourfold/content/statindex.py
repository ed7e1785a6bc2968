"""The stat index: what each file hashed to when it was last read, and the proof that it still does.

The proof is (size, device, inode, mtime_ns, ctime_ns) and when it was taken; any mismatch voids it.
A file that changed within one tick of the clock before it was read is *racy* (a second change could
leave the same times): its row is written so that it matches nothing, and it is read again.

One self-checking file a root (a tracked output, or one folder of the cache) under the index
directory: columns, as `base.fs.walk` makes them, so that a tree in which nothing moved is recognised
by comparing two blobs. The index is a cache. Torn, foreign, unreadable or missing, it is as if it
were empty; no failure of it is ever the caller's.
"""

import hashlib
import os
import struct
import zlib
from array import array
from collections.abc import Iterable
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.clock import SYSTEM, Clock
from fourfold.base.fs.atomic import sweep_claimed, write_atomic, write_claimed
from fourfold.base.fs.walk import WIDTH, Scan
from fourfold.base.ids import Oid

if TYPE_CHECKING:
    from io import FileIO

# magic and version, device, when, rows; lengths of root, identity and names; flags; CRC-32 of all but the
# proofs, and of the proofs
_HEAD = struct.Struct("<8sqqQIIQIII")
_MAGIC = b"FFINDEX1"
_LEGACY = 1
_MAX_ROWS = 100_000_000

#: How finely file systems stamp times; twice the slowest kernel tick.
_TICK_NS = 20_000_000
#: FAT and some network file systems stamp whole (even) seconds.
_COARSE_NS = 2_000_000_000


class Record(NamedTuple):
    """What is known of the files below one root.

    Attributes:
        root: The absolute path that the record speaks of.
        oid: The identity of the whole (a tree or a file), or "" for a folder of the cache.
        blob: Names joined by NUL, in the order of the rows.
        stats: `WIDTH` numbers a row.
        packed: MD5 digests, 16 bytes a row.
        device: ``st_dev`` of the root.
        legacy: Digests are DVC 2's text-folding ones.
        proofs: BLAKE3 digests, 32 bytes a row; empty when they were not asked for.
    """

    root: str
    oid: str
    blob: str
    stats: "array[int]"
    packed: bytes
    device: int
    legacy: bool
    proofs: bytes

    @property
    def names(self) -> list[str]:
        """The names, in the order of the rows."""
        return self.blob.split("\0") if len(self.packed) else []

    def matches(self, scan: Scan) -> bool:
        """Whether nothing at all moved since: same names in the same order, same numbers."""
        return (
            scan.device == self.device
            and len(scan.stats) == len(self.stats)
            and scan.stats == self.stats
            and "\0".join(scan.names) == self.blob
        )


def is_racy(stats: "array[int]", at: int, when: int) -> bool:
    """Whether the file of a row could change once more without its times showing it.

    Args:
        stats: Columns of a scan.
        at: The row.
        when: ``now_ns`` before the content was read.
    """
    newest = max(stats[at * WIDTH + 1], stats[at * WIDTH + 2])
    return newest + (_TICK_NS if newest % 1_000_000_000 else _COARSE_NS) > when


class StatIndex:
    """The index files below one directory, or in memory only when there is nowhere to write.

    Args:
        directory: Where the files live; None keeps nothing.
        clock: Tells the time against which rows are racy.
    """

    def __init__(self, directory: str | None, clock: Clock = SYSTEM) -> None:
        self.directory = directory
        self.clock = clock

    def _path(self, root: str, *, legacy: bool) -> str:
        key = hashlib.blake2b(
            os.fsencode(root), digest_size=16, person=b"legacy" if legacy else b""
        ).hexdigest()
        return f"{self.directory}/{key}"

    def load(self, root: str, *, legacy: bool = False, proofs: bool = False) -> Record | None:
        """The record of ``root``, or None; damage reads as None."""
        if self.directory is None:
            return None
        try:
            with open(self._path(root, legacy=legacy), "rb", buffering=0) as file:
                record = _read(file, proofs=proofs)
        except (OSError, struct.error, ValueError):
            return None
        return record if record is not None and record.root == root and record.legacy == legacy else None

    def save(
        self,
        root: str,
        scan: Scan,
        packed: bytes,
        proofs: bytes | bytearray,
        *,
        oid: Oid | str,
        when: int,
        blank: Iterable[int] = (),
        legacy: bool = False,
    ) -> None:
        """Record what ``root`` hashed to; failing to is no failure.

        Args:
            root: The absolute path.
            scan: What was seen; racy rows are blanked in the record, not in the scan.
            packed: MD5 digests in the order of the scan.
            proofs: BLAKE3 digests likewise, or empty.
            oid: The identity of the whole.
            when: ``now_ns`` before the first byte was read.
            blank: Rows that are racy whatever ``when`` says of them now.
            legacy: Digests are DVC 2's.
        """
        if self.directory is None:
            return
        stats = _with_blanks(scan.stats, chain(racy_rows(scan.stats, when), blank))
        blob = "\0".join(scan.names).encode("utf-8", "surrogateescape")
        name = oid.encode()
        where = os.fsencode(root)
        numbers = memoryview(stats).cast("B") if stats else b""
        body = (where, name, blob, numbers, packed)  # not joined: there may be millions of rows
        checksum = 0
        for part in body:
            checksum = zlib.crc32(part, checksum)
        head = _HEAD.pack(
            _MAGIC,
            _signed(scan.device),
            when,
            len(scan.names),
            len(where),
            len(name),
            len(blob),
            _LEGACY if legacy else 0,
            checksum,
            zlib.crc32(proofs),
        )
        path = self._path(root, legacy=legacy)
        try:
            try:
                write_claimed(path, (head, *body, proofs))
            except FileNotFoundError:
                _make_index_directory(self.directory)
                write_claimed(path, (head, *body, proofs))
        except OSError:
            return

    def forget(self, root: str) -> None:
        """Drop what is known of ``root``."""
        if self.directory is None:
            return
        for legacy in (False, True):
            try:
                os.unlink(self._path(root, legacy=legacy))
            except OSError:
                continue

    def sweep(self) -> int:
        """Remove half-written files whose writers died; returns how many. The living hold locks on theirs."""
        return sweep_claimed(self.directory) if self.directory is not None else 0

    def roots(self) -> list[tuple[str, str]]:
        """Every (root, oid) on record, the folders of the cache left out; in no order."""
        found = []
        try:
            names = os.listdir(self.directory) if self.directory is not None else []
        except OSError:
            return []
        for name in names:
            if name.startswith("."):
                continue
            try:
                with open(f"{self.directory}/{name}", "rb") as file:
                    head = _HEAD.unpack(file.read(_HEAD.size))
                    text = file.read(head[4] + head[5])
            except (OSError, struct.error):
                continue
            if head[0] == _MAGIC and head[5]:
                found.append((os.fsdecode(text[: head[4]]), text[head[4] :].decode("ascii", "replace")))
        return found


def settle(stats: "array[int]", clock: Clock) -> int:
    """Wait, a tick at most, until fresh files can be told from ones changed after now.

    Returns:
        The ``when`` to record with.
    """
    newest = max(stats[1::WIDTH], default=0), max(stats[2::WIDTH], default=0)
    now = clock.now_ns()
    gap = max(newest) + _TICK_NS + 1 - now
    if 0 < gap <= 2 * _TICK_NS:
        clock.sleep(gap / 1e9)
        now = clock.now_ns()
    return now


def _make_index_directory(path: str) -> None:
    """The index directory inside our own directory, which hides itself from Git."""
    os.makedirs(path, exist_ok=True)
    own = os.path.dirname(path)
    ignore = f"{own}/.gitignore"
    if os.path.basename(own) == "fourfold" and not os.path.exists(ignore):
        write_atomic(ignore, b"*\n", durable=False)


def racy_rows(stats: "array[int]", when: int) -> list[int]:
    """The rows whose files could change once more without their times showing it, as `is_racy` says."""
    modified, changed = stats[1::WIDTH], stats[2::WIDTH]
    if max(max(modified, default=0), max(changed, default=0)) <= when - _COARSE_NS:
        return []
    edge = when - _TICK_NS
    return [
        at
        for at, moment in enumerate(map(max, modified, changed))
        if (moment > edge or not moment % 1_000_000_000) and is_racy(stats, at, when)
    ]


def _with_blanks(stats: "array[int]", rows: Iterable[int]) -> "array[int]":
    """The same numbers, but that the given rows match nothing; the same array where there are none."""
    blank = list(rows)
    if not blank:
        return stats
    copy = array("q", stats)
    for at in blank:
        copy[at * WIDTH] = -1  # no file has this size
    return copy


def _signed(number: int) -> int:
    return number - (1 << 64) if number >= 1 << 63 else number


def _read(file: "FileIO", *, proofs: bool) -> Record | None:
    """Read a record, column by column, so that none of a million rows is in memory twice.

    Raises:
        OSError: it cannot be read.
        ValueError, struct.error: it ends too early.
    """
    head = _HEAD.unpack(file.read(_HEAD.size))
    magic, device, _when, rows, root_size, oid_size, blob_size, flags, checksum, proofs_checksum = head
    text_size = root_size + oid_size + blob_size
    left = file.seek(0, os.SEEK_END) - file.seek(_HEAD.size)
    if magic != _MAGIC or not 0 <= rows <= _MAX_ROWS or text_size + rows * (WIDTH * 8 + 16) > left:
        return None
    text = _exactly(file, text_size)
    stats: array[int] = array("q", (0,)) * (rows * WIDTH)
    if rows and file.readinto(numbers := memoryview(stats).cast("B")) != len(numbers):
        raise ValueError("the record ends too early")
    packed = _exactly(file, rows * 16)
    if zlib.crc32(packed, zlib.crc32(stats, zlib.crc32(text))) != checksum:
        return None
    tail = file.read(rows * 32) if proofs else b""
    if len(tail) != rows * 32 or zlib.crc32(tail) != proofs_checksum:
        tail = b""
    view = memoryview(text)
    return Record(
        os.fsdecode(bytes(view[:root_size])),
        str(view[root_size : root_size + oid_size], "ascii"),
        str(view[root_size + oid_size :], "utf-8", "surrogateescape"),
        stats,
        packed,
        device if device >= 0 else device + (1 << 64),
        bool(flags & _LEGACY),
        tail,
    )


def _exactly(file: "FileIO", size: int) -> bytes:
    data: bytes = file.read(size)
    if len(data) != size:
        raise ValueError("the record ends too early")
    return data
