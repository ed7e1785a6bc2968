"""Checkout: make a path of the workspace be what an object says, without losing a byte on the way.

New files are made whole under a staging directory on the same file system, proven as they are made,
flushed together, and renamed into place; a directory that is new is renamed as one. Nothing is unlinked
to make room: a rename replaces. What stands in the way and is saved nowhere stops the checkout, or, with
force, is handed to ``trash`` first. Files that no tree names (untracked, ignored) are not touched.
"""

import os
import stat
from array import array
from collections.abc import Callable, Sequence
from typing import NamedTuple

from fourfold.base.errors import ConflictError, from_os_error
from fourfold.base.events import Advanced, PhaseEnded, PhaseStarted, Sink, silent
from fourfold.base.fs.walk import WIDTH, Prune
from fourfold.base.ids import Oid
from fourfold.base.pool import chunks, map_batches
from fourfold.content.build import Built, identify, look
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
        missing: Objects that the store does not have: their files were left as they were.
        corrupt: Objects that are damaged in the store: likewise.
    """

    added: tuple[str, ...] = ()
    modified: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    relinked: int = 0
    missing: tuple[Oid, ...] = ()
    corrupt: tuple[Oid, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether the workspace is not what it was."""
        return bool(self.added or self.modified or self.deleted or self.relinked)


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
        trash: Takes bytes away, safely, that are about to be replaced by force.
    """

    store: ObjectStore
    stat_index: StatIndex
    proofs: ProofBook
    root: str
    staging: str
    link_types: tuple[str, ...] = ("reflink", "copy")
    skip_file: Prune | None = None
    skip_directory: Prune | None = None
    trash: Callable[[str], None] | None = None


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
    job = _Checkout(target, path, desk, legacy=legacy, isexec=isexec, force=force, events=events)
    try:
        return job.run(relink=relink)
    except OSError as error:
        raise from_os_error(error, f"checking out {path}") from error


class _Checkout:
    """One checkout, step by step."""

    def __init__(
        self,
        target: Oid | Tree | None,
        path: str,
        desk: Desk,
        *,
        legacy: bool,
        isexec: bool,
        force: bool,
        events: Sink,
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

    @property
    def tree(self) -> Tree:
        """The target directory's manifest."""
        if self._tree is None:
            self._tree = self.desk.store.read_tree(Oid(str(self.oid)), legacy=self.legacy)
        return self._tree

    # -- the steps --------------------------------------------------------------------------------

    def run(self, *, relink: bool) -> CheckedOut:
        current = self._current()
        if current is not None and current.oid == self.oid and not relink:
            if not self.is_directory and self.isexec and not current.isexec:
                self._restore_exec_bit()
            return CheckedOut()
        have = {} if current is None else _columns(current)
        want = self._wanted()
        if current is not None and current.is_directory != self.is_directory:
            gone, have = have, {}  # a file where a directory must be, or the reverse: all of it goes
            if current.is_directory:
                self._refuse_to_lose_ignored(gone)
        else:
            gone = {name: packed for name, packed in have.items() if name not in want}
        make = [name for name, packed in want.items() if relink or have.get(name) != packed]
        replaced = [name for name in make if name in have]
        modified = [name for name in replaced if have[name] != want[name]]
        self._refuse_to_lose({**gone, **{name: have[name] for name in modified}})
        made, missing, corrupt = self._make(make, want, fresh=current is None)
        self._remove(list(gone), was_directory=current is not None and current.is_directory)
        self._record(want, made, current)
        done = made.keys()
        changed = set(modified)
        return CheckedOut(
            added=tuple(name for name in make if name in done and name not in have),
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

    def _refuse_to_lose(self, doomed: dict[str, bytes]) -> None:
        """Stop before bytes go that no store holds; with force, move them to the trash."""
        oids = {name: Oid(packed.hex()) for name, packed in doomed.items()}
        absent = set(self.desk.store.missing(list(oids.values()), legacy=self.legacy))
        if self.legacy:
            absent = set(self.desk.store.missing(sorted(absent)))
        lost = [name for name, oid in oids.items() if oid in absent]
        if not lost:
            return
        shown = [os.path.join(self.path, name) if name else self.path for name in lost]
        if not self.force:
            raise UnsavedChangesError(
                f"{len(lost)} file{'s' * (len(lost) != 1)} of {self.path} would be overwritten"
                " or removed, and their content is saved nowhere",
                hint="save them first with ff add or ff commit, or discard them with --force",
                details=shown,
            )
        if self.desk.trash is not None:
            for path in shown:
                self.desk.trash(path)

    def _refuse_to_lose_ignored(self, known: dict[str, bytes]) -> None:
        """Stop before a directory steps aside for a file while it holds files that are not data."""
        inside = [
            os.path.join(folder, name) for folder, _folders, names in os.walk(self.path) for name in names
        ]
        others = [
            path for path in inside if os.path.relpath(path, self.path).replace(os.sep, "/") not in known
        ]
        if others and not self.force:
            raise UnsavedChangesError(
                f"{self.path} must become a file, but the directory holds files that are not tracked",
                hint="move them away, or discard them with --force",
                details=others,
            )
        if self.desk.trash is not None:
            for path in others:
                self.desk.trash(path)

    def _make(
        self, names: Sequence[str], want: dict[str, bytes], *, fresh: bool
    ) -> tuple[dict[str, os.stat_result], list[Oid], list[Oid]]:
        """Make files in staging and put them in place; returns what was made, missing and corrupt."""
        made: dict[str, os.stat_result] = {}
        missing: list[Oid] = []
        corrupt: list[Oid] = []
        if not names and not (fresh and self.is_directory):
            return made, missing, corrupt
        desk = self.desk
        whole = fresh and self.is_directory
        with (
            Staging(desk.staging, os.path.dirname(self.path)) as staging,
            Placer(desk.root, self.path) as placer,
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
                        (missing if outcome == "missing" else corrupt).append(Oid(want[name].hex()))
                self.events(Advanced("checking out", len(rows), size))
            self.events(PhaseEnded("checking out"))
            linker.note_links()
            if whole:
                staging.flush(len(made))
                placer.place_tree(base)
            else:
                slots = {names[at]: staging.slot(at) for at in range(len(names)) if names[at] in made}
                staging.flush(len(slots))
                placer.place_files(slots)
        desk.proofs.flush()
        return made, missing, corrupt

    def _remove(self, names: Sequence[str], *, was_directory: bool) -> None:
        """Unlink what the target does not have, and the directories that this leaves empty."""
        if not names:
            return
        if not was_directory:
            if not self.is_directory:
                _unlink(self.path)
            return
        if self.oid is not None and not self.is_directory:
            return  # the placer moved the whole directory aside
        folders: set[str] = set()
        for name in names:
            _unlink(f"{self.path}/{name}")
            folder = name.rpartition("/")[0]
            while folder and folder not in folders:
                folders.add(folder)
                folder = folder.rpartition("/")[0]
        for folder in sorted(folders, reverse=True):
            _rmdir_if_empty(f"{self.path}/{folder}")
        if self.oid is None:
            _rmdir_if_empty(self.path)

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
                self.path, skip_file=desk.skip_file, skip_directory=desk.skip_directory
            )
        except OSError:
            return
        when = settle(scan.stats, desk.stat_index.clock)
        kept = _kept_rows(before)
        packed = bytearray(16 * len(scan.names))
        for at, name in enumerate(scan.names):
            numbers = scan.stats[at * WIDTH : at * WIDTH + WIDTH].tolist()
            info = made.get(name)
            if info is not None:
                same = (numbers[0], numbers[1], numbers[3]) == (info.st_size, info.st_mtime_ns, info.st_ino)
                digest = want[name] if same else None
            else:
                digest = kept.get((name, numbers[0], numbers[1], numbers[2], numbers[3]))
            if digest is None:
                scan.stats[at * WIDTH] = -1
            else:
                packed[at * 16 : at * 16 + 16] = digest
        complete = len(scan.names) == len(want) and all(size >= 0 for size in scan.stats[0::WIDTH])
        desk.stat_index.save(
            self.path,
            scan,
            bytes(packed),
            b"",
            oid=self.oid if complete else ("incomplete.dir" if self.is_directory else "incomplete"),
            when=when,
            legacy=self.legacy,
        )


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
