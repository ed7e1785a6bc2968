"""Checkout: make a path of the workspace be what an object says, without losing a byte on the way.

New files are made whole under a staging directory on the same file system, proven as they are made,
flushed together, and renamed into place; a directory that is new is renamed as one. Nothing is unlinked
to make room: a rename replaces. What stands in the way and is saved nowhere stops the checkout, or, with
force, is announced first to whoever keeps it. Files that are no data (ignored) are not touched.
"""

import os
import stat
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from fourfold.base.errors import ConflictError, from_os_error
from fourfold.base.events import Advanced, PhaseEnded, PhaseStarted, Sink, silent
from fourfold.base.fs.walk import WIDTH, Prune, Scan
from fourfold.base.ids import Oid
from fourfold.base.pool import chunks, map_batches
from fourfold.content.build import identify
from fourfold.content.identity import Built, look
from fourfold.content.links import Linker
from fourfold.content.objects import ObjectStore
from fourfold.content.placing import Placer
from fourfold.content.proofs import ProofBook
from fourfold.content.staging import Staging
from fourfold.content.statindex import StatIndex, settle
from fourfold.content.tree import Tree

_BATCH = 256


class UnsavedChangesError(ConflictError):
    """Bytes of the workspace that are saved nowhere stand in the way."""

    code = "unsaved-changes"


class CheckedOut(NamedTuple):
    """What a checkout did; paths are relative to its target, ``""`` for a file.

    Attributes:
        added: Files that were not there.
        modified: Files that had other content.
        deleted: Files that the new content does not have.
        relinked: Files that got another kind of link.
        missing: Files whose objects the store does not have, with the objects: they were left as they were.
        corrupt: Files whose objects are damaged in the store: likewise.
    """

    added: tuple[str, ...] = ()
    modified: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    relinked: int = 0
    missing: tuple[tuple[str, Oid], ...] = ()
    corrupt: tuple[tuple[str, Oid], ...] = ()

    @property
    def changed(self) -> bool:
        """Whether the workspace is not what it was."""
        return bool(self.added or self.modified or self.deleted or self.relinked)


class Before(NamedTuple):
    """One file that is about to be replaced or removed: what it is."""

    oid: Oid
    legacy: bool
    isexec: bool


class Plan(NamedTuple):
    """What a checkout is about to do; names are relative to ``path``, ``""`` for the path itself.

    Attributes:
        path: Its target, absolute.
        create: Names that do not exist; the path itself when all of it is new.
        replace: Names of files that go or get other content, which the store has.
        lost: Names of files that go or get other content, whose content the store does not have.
    """

    path: str
    create: tuple[str, ...]
    replace: Mapping[str, Before]
    lost: tuple[str, ...]


class Desk(NamedTuple):
    """What a checkout works with, the same for every output of a project.

    Attributes:
        store: Where the content comes from.
        stat_index: What is known of workspace files.
        proofs: What is known of the store's objects.
        root: The project's root; nothing outside it is written.
        staging: A directory for half-made files, on the project's file system.
        link_types: Kinds of link to try, in order.
        skip_file: Files that are not part of data.
        skip_directory: Directories likewise.
        announce: Hears each plan before it is carried out, and keeps the bytes of what would be lost.
    """

    store: ObjectStore
    stat_index: StatIndex
    proofs: ProofBook
    root: str
    staging: str
    link_types: tuple[str, ...] = ("reflink", "copy")
    skip_file: Prune | None = None
    skip_directory: Prune | None = None
    announce: Callable[[Plan], None] | None = None


def checkout(
    target: Oid | Tree | None,
    path: str,
    desk: Desk,
    *,
    legacy: bool = False,
    isexec: bool = False,
    force: bool = False,
    relink: bool = False,
    events: Sink = silent,
) -> CheckedOut:
    """Make ``path`` be ``target``.

    Args:
        target: A file's object, a directory's tree or its name, or None to remove what is tracked there.
        path: Absolute; below ``desk.root``.
        desk: What to work with.
        legacy: The objects lie in the 2.x layout.
        isexec: The single file is executable.
        force: Replace bytes that are saved nowhere, after handing them to the trash.
        relink: Make every file anew as the configured kind of link.
        events: Hears the phases.

    Raises:
        UnsavedChangesError: bytes that are saved nowhere stand in the way.
        ObjectMissingError: the tree itself is not in the store.
        CorruptObjectError: the tree itself is damaged.
        PathInTheWayError: a symbolic link leads out of the way to the path.
        FourfoldError: a full disk; nothing is lost.
    """
    job = Checkout(target, path, desk, legacy=legacy, isexec=isexec, force=force, events=events)
    job.prepare(relink=relink)
    return job.carry_out()


class Checkout:
    """One checkout in two steps: `prepare` only looks and refuses, `carry_out` acts. See `checkout`."""

    def __init__(
        self,
        target: Oid | Tree | None,
        path: str,
        desk: Desk,
        *,
        legacy: bool = False,
        isexec: bool = False,
        force: bool = False,
        events: Sink = silent,
    ) -> None:
        self.path = path
        self.desk = desk
        self.legacy = legacy
        self.isexec = isexec
        self.force = force
        self.events = events
        if isinstance(target, str) and target.endswith(".dir"):
            current = desk.stat_index.load(path, legacy=legacy)
            unread = current is not None and current.oid == target  # nothing to read if nothing moved
            self.oid: Oid | None = target
            self._tree: Tree | None = None if unread else desk.store.read_tree(target, legacy=legacy)
        else:
            self._tree = target if isinstance(target, Tree) else None
            self.oid = target.oid if isinstance(target, Tree) else target
        self.is_directory = self.oid is not None and self.oid.endswith(".dir")
        self._before: Built | None = None
        self._idle = False
        self._want: dict[str, bytes] = {}
        self._have: dict[str, bytes] = {}
        self._gone: dict[str, bytes] = {}
        self._names: list[str] = []
        self._cleared: set[str] = set()
        self._kind_changes = False
        self.plan = Plan(path, (), {}, ())

    @property
    def tree(self) -> Tree:
        """The target directory's manifest."""
        if self._tree is None:
            self._tree = self.desk.store.read_tree(Oid(str(self.oid)), legacy=self.legacy)
        return self._tree

    def wanted(self, name: str) -> Oid | None:
        """The object that a name of the target shall have."""
        packed = self._want.get(name)
        return None if packed is None else Oid(packed.hex())

    # --- looking -----------------------------------------------------------------------------------------

    def prepare(self, *, relink: bool = False) -> Plan:
        """Find out what is to be done; nothing is touched.

        Raises:
            UnsavedChangesError: bytes that are saved nowhere stand in the way, and ``force`` was not given.
            FourfoldError: as `checkout`.
        """
        try:
            return self._prepare(relink=relink)
        except OSError as error:
            raise from_os_error(error, f"looking at {self.path}") from error

    def _prepare(self, *, relink: bool) -> Plan:
        current = self._before = self._current()
        if current is not None and current.oid == self.oid and not relink:
            self._idle = True
            return self.plan
        self._have = {} if current is None else _columns(current)
        self._want = self._wanted()
        have, want = self._have, self._want
        self._kind_changes = (
            self.oid is not None and current is not None and current.is_directory != self.is_directory
        )
        if self._kind_changes:
            self._gone, have = have, {}  # a file where a directory must be, or the reverse: all of it goes
            self._have = have
        else:
            self._gone = {name: packed for name, packed in have.items() if name not in want}
        self._names = [name for name, packed in want.items() if relink or have.get(name) != packed]
        doomed = {
            **self._gone,
            **{name: have[name] for name in self._names if have.get(name, want[name]) != want[name]},
        }
        others = self._others() if current is not None else {}
        replace, lost = self._sort_out({**doomed, **others})
        self.plan = Plan(self.path, self._created(others), replace, tuple(lost))
        if lost and not self.force:
            raise self._unsaved(lost)
        return self.plan

    def _created(self, others: dict[str, bytes]) -> tuple[str, ...]:
        if (self._names or self.is_directory) and (self._before is None or self._kind_changes):
            return ("",)
        return tuple(name for name in self._names if name not in self._have and name not in others)

    def _others(self) -> dict[str, bytes]:
        """Files that are no data (they are ignored) and stand where files of the target must be."""
        found: dict[str, bytes] = {}
        if self._kind_changes:
            if self._before is not None and self._before.is_directory:
                known = self._gone
                for folder, _folders, files in os.walk(self.path):
                    inside = os.path.relpath(folder, self.path).replace(os.sep, "/")
                    names = (name if inside == "." else f"{inside}/{name}" for name in files)
                    found.update((name, b"") for name in names if name not in known)
            return found
        for name in self._names:
            if name not in self._have and os.path.lexists(f"{self.path}/{name}"):
                full = f"{self.path}/{name}"
                if os.path.isfile(full):
                    found[name] = identify(full, StatIndex(None), legacy=self.legacy).packed
        return found

    def _sort_out(self, doomed: dict[str, bytes]) -> tuple[dict[str, Before], list[str]]:
        """Which of the files that go are in a store, and which are nowhere."""
        if not doomed:
            return {}, []
        oids = {name: Oid(packed.hex()) for name, packed in doomed.items()}
        absent = set(self.desk.store.missing(list(oids.values()), legacy=self.legacy))
        modes = self._modes()
        saved = {
            name: Before(oid, self.legacy, bool(modes.get(name, 0) & 0o100))
            for name, oid in oids.items()
            if oid and oid not in absent
        }
        return saved, [name for name in oids if name not in saved]

    def _modes(self) -> dict[str, int]:
        if self._before is None:
            return {}
        return dict(zip(self._before.scan.names, self._before.scan.stats[4::WIDTH], strict=True))

    def _unsaved(self, lost: list[str]) -> UnsavedChangesError:
        shown = [os.path.join(self.path, name) if name else self.path for name in lost]
        count = f"{len(lost)} file{'s' * (len(lost) != 1)}"
        what = count if shown == [self.path] else f"{count} of {self.path}"
        return UnsavedChangesError(
            f"{what} would be overwritten or removed, and the content is saved nowhere",
            hint="save it first with ff add or ff commit, or give it up with --force",
            details=shown,
        )

    # --- acting ------------------------------------------------------------------------------------------

    def carry_out(self) -> CheckedOut:
        """Do what `prepare` found.

        Raises:
            FourfoldError: as `checkout`.
        """
        try:
            return self._carry_out()
        except OSError as error:
            raise from_os_error(error, f"checking out {self.path}") from error

    def _carry_out(self) -> CheckedOut:
        current, want, have = self._before, self._want, self._have
        if self._idle:
            if current is not None and not self.is_directory and self.isexec and not current.isexec:
                self._restore_exec_bit()
            return CheckedOut()
        if self.desk.announce is not None:
            self.desk.announce(self.plan)
        modified = [name for name in self._names if name in have and have[name] != want[name]]
        made, missing, corrupt = self._make()
        gone = self._remove(made)
        self._record(want, made, current)
        done = made.keys()
        changed = set(modified)
        return CheckedOut(
            added=tuple(name for name in self._names if name in done and name not in have),
            modified=tuple(name for name in modified if name in done),
            deleted=tuple(gone),
            relinked=sum(name in have and name not in changed for name in done),
            missing=tuple(missing),
            corrupt=tuple(corrupt),
        )

    def _current(self) -> Built | None:
        desk = self.desk
        try:
            return identify(
                self.path,
                desk.stat_index,
                legacy=self.legacy,
                skip_file=desk.skip_file,
                skip_directory=desk.skip_directory,
                events=self.events,
            )
        except FileNotFoundError:
            return None

    def _wanted(self) -> dict[str, bytes]:
        if self.oid is None:
            return {}
        if not self.is_directory:
            return {"": bytes.fromhex(self.oid)}
        packed = self.tree.packed
        return {name: packed[at * 16 : at * 16 + 16] for at, name in enumerate(self.tree.paths)}

    def _make(
        self,
    ) -> tuple[dict[str, os.stat_result], list[tuple[str, Oid]], list[tuple[str, Oid]]]:
        """Make files in staging and put them in place; returns what was made, missing and corrupt."""
        made: dict[str, os.stat_result] = {}
        missing: list[tuple[str, Oid]] = []
        corrupt: list[tuple[str, Oid]] = []
        names, want, desk = self._names, self._want, self.desk
        whole = self._whole
        if not names and not whole:
            return made, missing, corrupt
        with (
            Staging(desk.staging, os.path.dirname(self.path)) as staging,
            Placer(desk.root, self.path, replaces_folder=self._kind_changes) as placer,
        ):
            base = staging.make_tree(names) if whole else ""
            linker = Linker(
                desk.store, desk.proofs, desk.link_types, legacy=self.legacy, executable=self.isexec
            )

            def work(rows: range) -> list[tuple[str, str, os.stat_result | None]]:
                result = []
                for at in rows:
                    name = names[at]
                    place = f"{base}/{name}" if whole else staging.slot(at)
                    outcome, info = linker.make(Oid(want[name].hex()), place)
                    result.append((name, outcome, info))
                return result

            self.events(PhaseStarted("checking out", len(names)))
            for rows in map_batches(work, chunks(len(names), _BATCH)):
                size = 0
                for name, outcome, info in rows:
                    if info is not None:
                        made[name] = info
                        size += info.st_size
                    else:
                        (missing if outcome == "missing" else corrupt).append((name, Oid(want[name].hex())))
                self.events(Advanced("checking out", len(rows), size))
            self.events(PhaseEnded("checking out"))
            if whole:
                for name, info in made.items():
                    # A later link to the same object moved the times of this name too.
                    made[name] = linker.look(Oid(want[name].hex())) or info
                if made or not names:
                    staging.flush(len(made))
                    placer.place_tree(base)
            else:
                slots = {names[at]: staging.slot(at) for at in range(len(names)) if names[at] in made}
                staging.flush(len(slots))
                self._clear_the_way(made)
                placer.place_files(slots)
            linker.note_links(renamed=not whole)
        desk.proofs.flush()
        return made, missing, corrupt

    @property
    def _whole(self) -> bool:
        """Whether a new directory is made and named as one."""
        return self.is_directory and (self._before is None or self._kind_changes)

    def _clear_the_way(self, made: Mapping[str, os.stat_result]) -> None:
        """Unlink the files that go and stand where new files need folders, or the reverse."""
        if not self._gone or self._kind_changes:
            return
        needed = {folder for name in made for folder in _folders_of(name)}
        in_the_way = [
            name
            for name in self._gone
            if name in needed or any(folder in made for folder in _folders_of(name))
        ]
        self._unlink_all(in_the_way)
        self._cleared.update(in_the_way)

    def _remove(self, made: Mapping[str, os.stat_result]) -> list[str]:
        """Unlink what the target does not have, and the folders that this leaves empty; what went."""
        names = list(self._gone)
        if self._kind_changes:
            return names if made or not self._names else []  # the placer moved it aside
        self._unlink_all([name for name in names if name not in self._cleared])
        if names and self.oid is None and self._before is not None and self._before.is_directory:
            _rmdir_if_empty(self.path)
        return names

    def _unlink_all(self, names: Sequence[str]) -> None:
        folders: set[str] = set()
        for name in names:
            _unlink(f"{self.path}/{name}" if name else self.path)
            folders.update(_folders_of(name))
        for folder in sorted(folders, reverse=True):
            _rmdir_if_empty(f"{self.path}/{folder}")

    def _restore_exec_bit(self) -> None:
        info = os.lstat(self.path)
        if stat.S_ISREG(info.st_mode) and info.st_nlink == 1:
            os.chmod(self.path, stat.S_IMODE(info.st_mode) | stat.S_IXUSR)

    def _record(self, want: dict[str, bytes], made: dict[str, os.stat_result], before: Built | None) -> None:
        """Tell the index what is there now; rows that were not made by us, or moved since, stay unknown."""
        desk = self.desk
        if self.oid is None:
            desk.stat_index.forget(self.path)
            return
        try:
            scan, _is_directory = look(
                self.path,
                skip_file=desk.skip_file,
                skip_directory=desk.skip_directory,
                seen=made if self._whole else None,
            )
        except OSError:
            return
        when = settle(scan.stats, desk.stat_index.clock)
        kept = _kept_rows(before)
        packed = bytearray(16 * len(scan.names))
        stats = scan.stats
        for at, name in enumerate(scan.names):
            start = at * WIDTH
            info = made.get(name)
            if info is not None:
                same = (
                    stats[start] == info.st_size
                    and stats[start + 1] == info.st_mtime_ns
                    and stats[start + 3] == info.st_ino
                )
                digest = want[name] if same else None
            else:
                digest = kept.get((name, stats[start], stats[start + 1], stats[start + 2], stats[start + 3]))
            if digest is None:
                stats[start] = -1
            else:
                packed[at * 16 : at * 16 + 16] = digest
        desk.stat_index.save(
            self.path,
            scan,
            bytes(packed),
            b"",
            oid=self._identity(scan, bytes(packed), want),
            when=when,
            legacy=self.legacy,
        )

    def _identity(self, scan: Scan, packed: bytes, want: dict[str, bytes]) -> str:
        """What is there now: the target, or what it was before where objects were missing or damaged."""
        if any(size < 0 for size in scan.stats[0::WIDTH]):
            return "unknown.dir" if self.is_directory else "unknown"  # such a record matches nothing
        rows = (packed[at : at + 16] for at in range(0, len(packed), 16))
        if dict(zip(scan.names, rows, strict=True)) == want:
            return str(self.oid)
        return Built(scan, packed, is_directory=self.is_directory).oid


def _columns(built: Built) -> dict[str, bytes]:
    packed = built.packed
    return {name: packed[at * 16 : at * 16 + 16] for at, name in enumerate(built.scan.names)}


def _kept_rows(before: Built | None) -> dict[tuple[str, int, int, int, int], bytes]:
    if before is None:
        return {}
    stats: array[int] = before.scan.stats
    return {
        (name, stats[at * WIDTH], stats[at * WIDTH + 1], stats[at * WIDTH + 2], stats[at * WIDTH + 3]): (
            before.packed[at * 16 : at * 16 + 16]
        )
        for at, name in enumerate(before.scan.names)
    }


def _folders_of(name: str) -> Iterator[str]:
    """The folders above a relative name, nearest first."""
    folder = name.rpartition("/")[0]
    while folder:
        yield folder
        folder = folder.rpartition("/")[0]


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return


def _rmdir_if_empty(path: str) -> None:
    try:
        os.rmdir(path)
    except OSError:
        return
