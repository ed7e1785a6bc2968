"""Migrating a 2.x cache: every old object gets its 3.x name too, as one inode, and nothing is copied twice.

An old object is named by the MD5 of its text-folded bytes. Its true bytes are hashed, and the object is
linked into the 3.x layout under that name; an old manifest becomes a new one that names the new objects. The
old layout stays, for DVC 2 and for old commits. With ``pointers`` the metadata of the workspace follows.
"""

import os
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import FourfoldError, from_os_error
from fourfold.base.events import Advanced, PhaseEnded, PhaseStarted, Sink, Warned, silent
from fourfold.base.fs.atomic import write_all
from fourfold.base.ids import Oid, is_tree
from fourfold.content.build import save_tree
from fourfold.content.hashing import digest_stream
from fourfold.content.intake import Intake
from fourfold.content.joining import as_read
from fourfold.content.tree import Tree
from fourfold.formats.dvc import lock
from fourfold.formats.dvc.pointer import Output
from fourfold.project.desk import intake_of
from fourfold.project.files import load_tracked, read_owner_file
from fourfold.project.locks import project_lock
from fourfold.project.oplog import Operation, operation
from fourfold.project.outs import LOCK_FILE, Owner
from fourfold.project.pointerfiles import write_pointer

if TYPE_CHECKING:
    from fourfold.project.project import Project


class Migrated(NamedTuple):
    """What was, or with ``dry`` would be, done.

    Attributes:
        objects: Old objects that got a 3.x name.
        files: Pointer and lock files that name 3.x objects now.
        damaged: Old objects that do not hash to their names; they were left alone.
    """

    objects: int
    files: tuple[str, ...]
    damaged: tuple[Oid, ...]


def migrate(
    project: "Project", *, pointers: bool = False, dry: bool = False, events: Sink = silent
) -> Migrated:
    """Give every 2.x object of the cache its 3.x name.

    Args:
        project: Whose cache.
        pointers: Also rewrite the pointer and lock files of the workspace.
        dry: Only count.
        events: Hears "migrating".

    Raises:
        RepositoryLockedError: another process works on the project.
        FourfoldError: the cache cannot be written; what was named is whole.
    """
    old = list(project.store.listing(legacy=True))
    owners = [owner for owner in load_tracked(project).owners if any(out.legacy for out in owner.outs)]
    if dry:
        files = tuple(owner.relpath for owner in owners) if pointers else ()
        return Migrated(len(old), files, ())
    with project_lock(project), operation(project, "cache migrate") as op:
        job = _Job(project, events)
        job.run(old)
        written = tuple(job.rewrite(owners, op)) if pointers else ()
        return Migrated(job.count, written, tuple(job.damaged))


class _Job:
    """One migration: old names and the new ones, found by hashing."""

    def __init__(self, project: "Project", events: Sink) -> None:
        self._project = project
        self._events = events
        self._new: dict[Oid, Oid] = {}
        self.damaged: list[Oid] = []
        self.count = 0

    def run(self, old: list[Oid]) -> None:
        self._events(PhaseStarted("migrating", len(old), unit="objects"))
        with intake_of(self._project) as intake:
            for oid in sorted(old, key=is_tree):  # files first: manifests name them
                new = self._tree(oid, intake) if is_tree(oid) else self._file(oid, intake)
                if new is None:
                    self.damaged.append(oid)
                    self._events(Warned("corrupt-object", f"2.x object {oid} is damaged; it was left alone"))
                else:
                    self._new[oid] = new
                self._events(Advanced("migrating", 1))
            self.count = intake.commit().added
            intake.proofs.flush()
        self._events(PhaseEnded("migrating"))

    def _file(self, oid: Oid, intake: Intake) -> Oid | None:
        path = self._project.store.path(oid, legacy=True)
        try:
            self._project.store.read(oid, legacy=True)  # proves the old name
            with open(path, "rb", buffering=0) as file:
                digests = digest_stream(file.fileno())
                new = Oid(digests.name.hex())
                if not intake.link(new, as_read(path, os.fstat(file.fileno())), digests.proof):
                    fd, temporary = intake.open_stream()
                    file.seek(0)
                    digest_stream(file.fileno(), lambda part: write_all(fd, part))
                    intake.add_stream(fd, temporary, new, digests.proof, digests.size)
        except FourfoldError:
            return None
        except OSError as error:
            raise from_os_error(error, "migrating the cache") from error
        return new

    def _tree(self, oid: Oid, intake: Intake) -> Oid | None:
        try:
            tree = self._project.store.read_tree(oid, legacy=True)
        except FourfoldError:
            return None
        pairs = [(path, self._new.get(child)) for path, child in tree.items()]
        known = [(path, child) for path, child in pairs if child is not None]
        if len(known) != len(pairs):
            return None
        fresh = Tree.of(known)
        save_tree(fresh, intake)
        return fresh.oid

    # -- metadata ---------------------------------------------------------------------------------

    def rewrite(self, owners: list[Owner], op: Operation) -> list[str]:
        """Name the new objects in pointer files and lock files; returns the files that changed."""
        written = []
        by_lock: dict[str, list[Owner]] = {}
        for owner in owners:
            if owner.pointer is None:
                path = os.path.join(os.path.dirname(owner.file), LOCK_FILE)
                by_lock.setdefault(path, []).append(owner)
                continue
            outs = tuple(self._renamed(out) for out in owner.pointer.outs)
            pointer = owner.pointer._replace(outs=outs)
            if write_pointer(self._project, op, owner.file, pointer, owner.source):
                written.append(owner.relpath)
        for path, stages in by_lock.items():
            if self._rewrite_lock(path, stages, op):
                written.append(self._project.relpath(path))
        return written

    def _rewrite_lock(self, path: str, stages: list[Owner], op: Operation) -> bool:
        old = read_owner_file(self._project.root, path)
        if old is None:
            return False
        name = self._project.relpath(path)
        entries = lock.parse(old, name).stages
        fresh = {
            owner.name: entry._replace(outs=tuple(self._renamed(out) for out in entry.outs))
            for owner in stages
            if owner.name is not None and (entry := entries.get(owner.name)) is not None
        }
        op.write(path, lock.update_many(old, fresh, name))
        return True

    def _renamed(self, out: Output) -> Output:
        new = self._new.get(out.oid) if out.legacy and out.oid is not None else None
        return out if new is None else out._replace(oid=new, legacy=False)
