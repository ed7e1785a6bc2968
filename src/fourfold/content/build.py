"""Build: from a file or directory of the workspace to its identity, by hashing only what moved.

`identify` answers what is there now; `ingest` answers the same and saves the content in the same
read, into an `Intake` that the caller commits. Both ask the stat index first and tell it afterwards.
What lies under a name is read through the name once, and must look the same before and after.
"""

import os
from array import array
from collections.abc import Mapping, Sequence

from fourfold.base.errors import from_os_error
from fourfold.base.events import Advanced, PhaseEnded, PhaseStarted, Sink, silent
from fourfold.base.fs.atomic import write_all
from fourfold.base.fs.platform import READ
from fourfold.base.fs.walk import WIDTH, Prune, Scan, identity, row
from fourfold.base.ids import Oid
from fourfold.base.pool import map_batches
from fourfold.content.hashing import Digests, digest_bytes, digest_stream, folded_digest
from fourfold.content.identity import Built, ChangedDuringReadError, changed, look, match
from fourfold.content.intake import Intake
from fourfold.content.joining import Joined
from fourfold.content.naming import folded_bytes_digest
from fourfold.content.statindex import Record, StatIndex, is_racy, racy_rows, settle
from fourfold.content.tree import Tree

#: Files up to this size are read whole; larger ones are streamed.
SMALL = 1 << 20
#: A batch is this many files, or this many bytes, whichever comes first.
_BATCH_FILES = 256
#: Reading so many bytes takes longer than the tick of the clock that makes fresh files provable.
_WORTH_A_TICK = 8 << 20
_BATCH_BYTES = 16 << 20
#: From this size on, sharing blocks with the source is tried before copying.
_CLONE_FROM = 1 << 16
#: Manifests of up to this many rows are made in memory.
_SMALL_TREE = 1 << 14

_Row = tuple[int, bytes, bytes]


def identify(
    path: str,
    index: StatIndex,
    *,
    legacy: bool = False,
    skip_file: Prune | None = None,
    skip_directory: Prune | None = None,
    events: Sink = silent,
) -> Built:
    """What ``path`` is now.

    Args:
        path: An absolute path that exists.
        index: Asked first, told afterwards.
        legacy: Hash as DVC 2 did.
        skip_file: Files that are not part of the data.
        skip_directory: Directories likewise.
        events: Hears the phase "hashing".

    Raises:
        FileNotFoundError: there is nothing at ``path``.
        ChangedDuringReadError: a file would not hold still for three readings.
        FourfoldError: what `base.fs.walk` refuses; a file that cannot be read.
    """
    for attempt in (1, 2, 3):
        scan, is_directory = look(path, skip_file=skip_file, skip_directory=skip_directory)
        known = match(scan, index.load(path, legacy=legacy), is_directory=is_directory)
        if known is not None:
            return known
        job = _Job(path, scan, legacy=legacy, intake=None, link_types=())
        try:
            return job.run(index, is_directory=is_directory, events=events)
        except (ChangedDuringReadError, FileNotFoundError):
            if attempt == 3 or not os.path.lexists(path):
                raise
    raise AssertionError  # pragma: no cover - the loop returns or raises


def ingest(
    path: str,
    index: StatIndex,
    intake: Intake,
    *,
    legacy: bool = False,
    link_types: Sequence[str] = ("copy",),
    skip_file: Prune | None = None,
    skip_directory: Prune | None = None,
    events: Sink = silent,
) -> Built:
    """What ``path`` is now, with its content, and its tree when it is a directory, handed to ``intake``.

    The workspace is not touched, but that a file may become one inode with its object, in the commit of the
    intake, when the first of ``link_types`` that works is ``hardlink``. The caller commits the intake, then
    calls `remember_joined`. With ``legacy``, names are DVC 2's and ``intake`` is one for the 2.x layout.

    Raises:
        FileNotFoundError: there is nothing at ``path``.
        ChangedDuringReadError: a file changed while it was read; nothing was named.
        FourfoldError: what `base.fs.walk` refuses; a file that cannot be read; a full disk.
    """
    scan, is_directory = look(path, skip_file=skip_file, skip_directory=skip_directory)
    job = _Job(path, scan, legacy=legacy, intake=intake, link_types=link_types)
    built = job.run(index, is_directory=is_directory, events=events)
    if is_directory:
        save_tree(built.tree, intake)
    return built


def save_tree(tree: Tree, intake: Intake) -> None:
    """Hand a directory manifest to an intake; after the files that it names."""
    if len(tree) <= _SMALL_TREE:
        data = tree.to_bytes()
        intake.add_bytes(tree.oid, data, digest_bytes(data)[1])
        return
    out, temporary = intake.open_stream()
    digests = Digests()
    try:
        for part in tree.chunks():
            digests.update(part)
            write_all(out, part)
    except BaseException:
        intake.drop_stream(out, temporary)
        raise
    intake.add_stream(out, temporary, tree.oid, digests.proof, digests.size)


def remember_joined(path: str, built: Built, index: StatIndex, *, legacy: bool = False) -> None:
    """Record ``built`` after a commit that made files of it one inode with their objects.

    That moved their change times, and the commit has told ``built`` so; nothing is looked at again.

    Args:
        path: Absolute.
        built: What `ingest` returned.
        index: Where to record it.
        legacy: Digests are DVC 2's.
    """
    if built.unsaved is None:
        return
    read_at, proofs = built.unsaved
    built.unsaved = None
    stats = built.scan.stats
    # Rows of files that were written just before they were read stay blank, whatever moved since.
    racy = racy_rows(stats, read_at)
    moves = iter(built.moves)
    for at, ctime_ns, mode in zip(moves, moves, moves, strict=True):
        stats[at * WIDTH + 2], stats[at * WIDTH + 4] = ctime_ns, mode
    when = settle(stats, index.clock)
    index.save(path, built.scan, built.packed, proofs, oid=built.oid, when=when, blank=racy, legacy=legacy)


def remember(
    path: str,
    built: Built,
    index: StatIndex,
    *,
    skip_file: Prune | None = None,
    skip_directory: Prune | None = None,
    made: Mapping[str, os.stat_result] | None = None,
    legacy: bool = False,
) -> None:
    """Record ``built`` again after its files were linked, which moved their change times.

    Only rows whose size, content time and inode are what they were are recorded.

    Args:
        path: Absolute.
        built: What it is.
        index: Where to record it.
        skip_file: Files that are not part of the data.
        skip_directory: Directories likewise.
        made: Files that were made anew since, from proven objects, and how they looked then.
        legacy: Digests are DVC 2's.
    """
    try:
        scan, _is_directory = look(path, skip_file=skip_file, skip_directory=skip_directory)
    except OSError:
        return
    if scan.names == built.scan.names:
        when = settle(scan.stats, index.clock)
        renewed = made or {}
        for at, name in enumerate(scan.names):
            info = renewed.get(name)
            before = (
                built.scan.stats[at * WIDTH : at * WIDTH + WIDTH] if info is None else row(info, scan.device)
            )
            now = scan.stats[at * WIDTH : at * WIDTH + WIDTH]
            if (before[0], before[1], before[3]) != (now[0], now[1], now[3]):
                scan.stats[at * WIDTH] = -1
        index.save(path, scan, built.packed, b"", oid=built.oid, when=when, legacy=legacy)


class _Job:
    """One build: which rows are known, reading the others in batches on a few threads."""

    def __init__(
        self, path: str, scan: Scan, *, legacy: bool, intake: Intake | None, link_types: Sequence[str]
    ) -> None:
        self.path = path
        self.scan = scan
        self.legacy = legacy
        self.intake = intake
        self.link_first = bool(link_types) and link_types[0] == "hardlink"
        self.clone = "reflink" in link_types
        self.when = 0
        self.joins = False
        self.moves: array[int] = array("q")

    def run(self, index: StatIndex, *, is_directory: bool, events: Sink) -> Built:
        scan = self.scan
        total = len(scan.names)
        record = index.load(self.path, legacy=self.legacy, proofs=True)
        packed = bytearray(16 * total)
        proofs = bytearray(32 * total)
        unknown = self._recall(record, packed, proofs) if record is not None else range(total)
        when = self.when = index.clock.now_ns()
        if len(unknown):
            sizes = scan.stats[0::WIDTH]
            size = sum(map(sizes.__getitem__, unknown))
            if size >= _WORTH_A_TICK:  # what was written just now would have to be read again next time
                when = self.when = settle(scan.stats, index.clock)
            events(PhaseStarted("hashing", len(unknown), size))
            for rows in map_batches(self._read, _batches(unknown, sizes)):
                done = 0
                for at, name, proof in rows:
                    packed[at * 16 : at * 16 + 16] = name
                    proofs[at * 32 : at * 32 + 32] = proof
                    done += sizes[at]
                events(Advanced("hashing", len(rows), done))
                if self.intake is not None:
                    self.intake.relieve()
            events(PhaseEnded("hashing"))
        built = Built(scan, bytes(packed), is_directory=is_directory)
        built.moves = self.moves  # grows until the intake is committed
        if self.joins:
            built.unsaved = when, proofs
        elif len(unknown) or record is None or not record.matches(scan) or record.oid != built.oid:
            index.save(self.path, scan, built.packed, proofs, oid=built.oid, when=when, legacy=self.legacy)
        return built

    def _recall(self, record: Record, packed: bytearray, proofs: bytearray) -> Sequence[int]:
        """Fill in the rows that are on record and unmoved; returns the others."""
        scan = self.scan
        with_proofs = len(record.proofs) == 2 * len(record.packed)
        if record.matches(scan):
            packed[:] = record.packed
            if with_proofs:
                proofs[:] = record.proofs
            return self._unsaved(range(len(scan.names)), packed)
        where = {name: at for at, name in enumerate(record.names)}
        same_device = record.device == scan.device
        unknown = []
        candidates = []
        for at, name in enumerate(scan.names):
            old = where.get(name, -1)
            start = at * WIDTH
            if (
                old >= 0
                and same_device
                and scan.stats[start : start + WIDTH] == record.stats[old * WIDTH : old * WIDTH + WIDTH]
            ):
                packed[at * 16 : at * 16 + 16] = record.packed[old * 16 : old * 16 + 16]
                if with_proofs:
                    proofs[at * 32 : at * 32 + 32] = record.proofs[old * 32 : old * 32 + 32]
                candidates.append(at)
            else:
                unknown.append(at)
        return sorted([*unknown, *self._unsaved(candidates, packed)])

    def _unsaved(self, rows: Sequence[int], packed: bytearray) -> list[int]:
        """Those rows whose object is not in the store, or is there without proof."""
        if self.intake is None:
            return []
        text = packed.hex()
        oids = [Oid(text[at * 32 : at * 32 + 32]) for at in rows]
        return [rows[at] for at in self.intake.unsettled(oids)]

    def _read(self, rows: Sequence[int]) -> list[_Row]:
        """Hash (and save) one batch."""
        names, stats, root = self.scan.names, self.scan.stats, self.path
        result = []
        for at in rows:
            name = names[at]
            path = f"{root}/{name}" if name else root
            try:
                fd = os.open(path, READ)
            except FileNotFoundError:
                raise  # it was there a moment ago: the caller looks again
            except OSError as error:
                raise from_os_error(error, "reading") from error
            try:
                if stats[at * WIDTH] > SMALL:
                    digests = self._large(fd, path, at)
                else:
                    digests = self._small(fd, path, at)
            except OSError as error:
                raise from_os_error(error, f"saving {path}" if self.intake else f"reading {path}") from error
            finally:
                os.close(fd)
            result.append((at, *digests))
        return result

    def _small(self, fd: int, path: str, at: int) -> tuple[bytes, bytes]:
        size = self.scan.stats[at * WIDTH]
        data = os.read(fd, size + 1)
        while 0 < len(data) < size and (more := os.read(fd, size + 1 - len(data))):
            data += more
        self._check_still(fd, path, at, len(data))
        name, proof = digest_bytes(data)
        if self.legacy:
            name = folded_bytes_digest(data)
        if self.intake is not None:
            oid = Oid(name.hex())
            if not (self._may_link(at) and self._link(oid, path, at, proof)):
                self.intake.add_bytes(oid, data, proof)
        return name, proof

    def _large(self, fd: int, path: str, at: int) -> tuple[bytes, bytes]:
        if self.legacy:
            return self._large_legacy(fd, path, at)
        if self.intake is None or self._may_link(at):
            digests = digest_stream(fd)
            self._check_still(fd, path, at, digests.size)
            if self.intake is None or self._link(Oid(digests.name.hex()), path, at, digests.proof):
                return digests.name, digests.proof
            os.lseek(fd, 0, os.SEEK_SET)
        return self._stream(self.intake, fd, path, at)

    def _large_legacy(self, fd: int, path: str, at: int) -> tuple[bytes, bytes]:
        """DVC 2's name of a large file; saving it takes a second reading, which must show the same bytes."""
        name, proof, size = folded_digest(fd)
        self._check_still(fd, path, at, size)
        if self.intake is not None and not self.intake.settled(Oid(name.hex())):
            os.lseek(fd, 0, os.SEEK_SET)
            if self._stream(self.intake, fd, path, at, Oid(name.hex()))[1] != proof:
                raise changed(path)
        return name, proof

    def _stream(
        self, intake: Intake, fd: int, path: str, at: int, oid: Oid | None = None
    ) -> tuple[bytes, bytes]:
        """Save a large file in one reading: a clone is hashed itself, a copy is hashed as it is made."""
        cloned = (
            intake.clone_stream(fd) if self.clone and self.scan.stats[at * WIDTH] >= _CLONE_FROM else None
        )
        out, temporary = cloned or intake.open_stream()
        try:
            digests = digest_stream(out) if cloned else digest_stream(fd, lambda part: write_all(out, part))
            self._check_still(fd, path, at, digests.size)
        except BaseException:
            intake.drop_stream(out, temporary)
            raise
        intake.add_stream(out, temporary, oid or Oid(digests.name.hex()), digests.proof, digests.size)
        return digests.name, digests.proof

    def _may_link(self, at: int) -> bool:
        # An executable keeps an inode of its own: its mode must not become the object's. So do empty files.
        stats, start = self.scan.stats, at * WIDTH
        return (
            self.link_first
            and stats[start] > 0
            and not stats[start + 4] & 0o111
            and at not in self.scan.links
        )

    def _link(self, oid: Oid, path: str, at: int, proof: bytes) -> bool:
        """Let a file become one with its object; False where it must be copied."""
        size, mtime_ns, _ctime_ns, inode, mode = self.scan.stats[at * WIDTH : at * WIDTH + WIDTH]
        sure = not is_racy(self.scan.stats, at, self.when)
        file = Joined(path, at, size, mtime_ns, inode, mode, sure, self._note_moved)
        if self.intake is None or not self.intake.link(oid, file, proof):
            return False
        self.joins = True
        return True

    def _note_moved(self, at: int, info: os.stat_result) -> None:
        self.moves.extend((at, info.st_ctime_ns, info.st_mode))

    def _check_still(self, fd: int, path: str, at: int, size: int) -> None:
        info, start, stats = os.fstat(fd), at * WIDTH, self.scan.stats
        # Linking one name of an inode moves the change time of all its names.
        if (
            size != stats[start]
            or info.st_size != size
            or info.st_mtime_ns != stats[start + 1]
            or (info.st_ctime_ns != stats[start + 2] and not self.link_first)
            or identity(info, self.scan.device) != stats[start + 3]
        ):
            raise changed(path)


def _batches(rows: Sequence[int], sizes: "array[int]") -> list[Sequence[int]]:
    """Cut rows into batches of a few hundred files or a few megabytes, a large file by itself."""
    batches: list[Sequence[int]] = []
    current: array[int] = array("q")  # and no list: there may be a million rows
    weight = 0
    for at in rows:
        size = sizes[at]
        if size > SMALL:
            batches.append((at,))
            continue
        current.append(at)
        weight += size
        if len(current) >= _BATCH_FILES or weight >= _BATCH_BYTES:
            batches.append(current)
            current, weight = array("q"), 0
    if current:
        batches.append(current)
    return batches
