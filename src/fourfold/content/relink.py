"""Relink: after content was saved, let the workspace share its bytes with the store, as configured.

Only files that are still what was saved are touched: each is made anew under staging and renamed over the
old name, which shows the content at every moment. With copies there is nothing to share and the
files stay as they are, but for symbolic links, which become regular files, as data must not depend on
what they lead to. An executable keeps an inode of its own: its mode must not become the object's.
"""

import os
import stat
from collections.abc import Sequence

from fourfold.base.errors import from_os_error
from fourfold.base.events import Advanced, PhaseEnded, PhaseStarted, Sink, silent
from fourfold.base.fs.platform import current_umask
from fourfold.base.fs.walk import WIDTH, Scan
from fourfold.base.ids import Oid
from fourfold.base.pool import chunks, map_batches
from fourfold.content.build import remember
from fourfold.content.checkout import Desk, Plan
from fourfold.content.identity import Built, look
from fourfold.content.links import Linker
from fourfold.content.placing import Placer
from fourfold.content.staging import Staging

_BATCH = 256
_WRITABLE = 0o222
_EXECUTABLE = 0o111
_COPIES = frozenset({"copy", "reflink"})


def relink(path: str, built: Built, desk: Desk, *, legacy: bool = False, events: Sink = silent) -> int:
    """Turn the files of ``path`` into the configured kind of link to their objects, and record them.

    Args:
        path: Absolute; what was saved.
        built: What it was then.
        desk: What to work with; it hears which symbolic links are about to be replaced.
        legacy: The objects lie in the 2.x layout.
        events: Hears the phase "linking".

    Returns:
        How many files were made anew.

    Raises:
        PathInTheWayError: a symbolic link stands where a folder of the data was.
        FourfoldError: a full disk, a missing permission; every file is what it was, or its link.
    """
    try:
        made = _Relinking(path, built, desk, legacy=legacy, events=events).run()
    except OSError as error:
        raise from_os_error(error, f"linking {path}") from error
    return len(made)


class _Relinking:
    """One relinking: which files, then making and placing them."""

    def __init__(self, path: str, built: Built, desk: Desk, *, legacy: bool, events: Sink) -> None:
        self.path = path
        self.built = built
        self.desk = desk
        self.legacy = legacy
        self.events = events
        self.kind = (desk.link_types or ("copy",))[0]

    def run(self) -> dict[str, os.stat_result]:
        desk = self.desk
        if self.built.is_directory and not self._shares and not self.built.scan.links:
            return {}  # nothing to share and no link to follow: no need to look again
        if self._is_done:
            return {}
        try:
            scan, _ = look(self.path, skip_file=desk.skip_file, skip_directory=desk.skip_directory)
        except FileNotFoundError:
            return {}
        rows = self._rows(scan)
        links = set(scan.links)
        if desk.announce is not None and links:
            replaced = tuple(scan.names[at] for at in rows if at in links)
            desk.announce(Plan(self.path, (), {}, replaced))
        made = self._make(scan, rows) if rows else {}
        tidied = not self.built.is_directory and not made and self._tidy_mode(scan)
        if made or tidied or self.kind == "hardlink":
            remember(
                self.path,
                self.built,
                desk.stat_index,
                skip_file=desk.skip_file,
                skip_directory=desk.skip_directory,
                made=made,
                legacy=self.legacy,
            )
        return made

    @property
    def _is_done(self) -> bool:
        """Whether saving has made every file that can be linked one with its object."""
        scan = self.built.scan
        if self.kind != "hardlink" or not self.built.is_directory or scan.links:
            return False
        return not any(
            size and mode & _WRITABLE and not mode & _EXECUTABLE
            for size, mode in zip(scan.stats[0::WIDTH], scan.stats[4::WIDTH], strict=True)
        )

    def _rows(self, scan: Scan) -> list[int]:
        """Rows of the scan of now that are still what was saved, and not linked as they should be."""
        linked = set(scan.links)
        share = self._shares
        if not share and not linked and (self.built.is_directory or not self._shares_an_object(scan)):
            return []
        same_order = scan.names == self.built.scan.names
        where = {} if same_order else {name: at for at, name in enumerate(self.built.scan.names)}
        stats, old = scan.stats, self.built.scan.stats
        rows = []
        for at, name in enumerate(scan.names):
            was = at if same_order else where.get(name, -1)
            start, before = at * WIDTH, was * WIDTH
            if was < 0 or stats[start : start + 2] != old[before : before + 2]:
                continue
            is_link = at in linked
            if (share or is_link or not self.built.is_directory) and stats[start + 3] == old[before + 3]:
                rows += [at] if self._wants_link(scan, at, was, is_link=is_link) else []
        return rows

    @property
    def _shares(self) -> bool:
        """Whether files are to become one with their objects."""
        if self.built.is_directory and not _COPIES.isdisjoint(self.desk.link_types):
            return False  # a copy is as good as any: the files of a directory may stay what they are
        return self.kind in {"hardlink", "symlink"}

    def _wants_link(self, scan: Scan, at: int, was: int, *, is_link: bool) -> bool:
        mode = scan.stats[at * WIDTH + 4]
        if is_link:
            return self.kind != "symlink" or os.readlink(self._full(scan.names[at])) != self._object(was)
        if mode & _EXECUTABLE or self.kind not in {"hardlink", "symlink"}:
            return not self.built.is_directory and self._shares_an_object(scan)
        if self.kind == "symlink":
            return True
        if not scan.stats[at * WIDTH]:
            return False  # empty files are not linked
        return bool(mode & _WRITABLE)  # a hard link to an object carries the object's mode

    def _shares_an_object(self, scan: Scan) -> bool:
        """Whether a single file is one inode with its object."""
        try:
            return bool(scan.names) and os.path.samefile(self.path, self._object(0))
        except OSError:
            return False

    def _full(self, name: str) -> str:
        return f"{self.path}/{name}" if name else self.path

    def _oid(self, row: int) -> Oid:
        return Oid(self.built.packed[row * 16 : row * 16 + 16].hex())

    def _object(self, row: int) -> str:
        return self.desk.store.path(self._oid(row), legacy=self.legacy)

    def _make(self, scan: Scan, rows: Sequence[int]) -> dict[str, os.stat_result]:
        desk = self.desk
        where = {name: at for at, name in enumerate(self.built.scan.names)}
        oids = {at: self._oid(where[scan.names[at]]) for at in rows}
        made: dict[str, os.stat_result] = {}
        self.events(PhaseStarted("linking", len(rows)))
        with (
            Staging(desk.staging, os.path.dirname(self.path)) as staging,
            Placer(desk.root, self.path) as placer,
        ):
            linker = Linker(
                desk.store, desk.proofs, desk.link_types, legacy=self.legacy, executable=self.built.isexec
            )

            def work(batch: range) -> list[tuple[int, os.stat_result | None]]:
                return [(rows[n], linker.make(oids[rows[n]], staging.slot(rows[n]))[1]) for n in batch]

            for batch in map_batches(work, chunks(len(rows), _BATCH)):
                for at, info in batch:
                    if info is not None and self._is_still(scan, at):
                        made[scan.names[at]] = info
                self.events(Advanced("linking", len(batch)))
            slots = {scan.names[at]: staging.slot(at) for at in rows if scan.names[at] in made}
            staging.flush(len(slots))
            placer.place_files(slots)
            linker.note_links(renamed=True)
        self.events(PhaseEnded("linking"))
        desk.proofs.flush()
        return made

    def _is_still(self, scan: Scan, at: int) -> bool:
        """Whether the file is what the scan saw, right before it is replaced."""
        try:
            info = os.stat(self._full(scan.names[at]))
        except OSError:
            return False
        start = at * WIDTH
        return (info.st_size, info.st_mtime_ns) == tuple(scan.stats[start : start + 2])

    def _tidy_mode(self, scan: Scan) -> bool:
        """Give a single private file the mode that a checkout would give it, but no rights to anybody new."""
        info = os.lstat(self.path)
        if not stat.S_ISREG(info.st_mode) or info.st_nlink != 1 or not self._is_still(scan, 0):
            return False
        mode = stat.S_IMODE(info.st_mode)
        usual = 0o666 & ~current_umask() | (0o100 if mode & _EXECUTABLE else 0)
        wanted = usual & (mode | 0o700)
        if wanted == mode:
            return False
        os.chmod(self.path, wanted)
        return True
