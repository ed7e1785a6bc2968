"""Gc: remove what nothing in the chosen scope needs, from the cache and, if asked, from remotes.

What must stay is known completely before anything goes: a revision that cannot be loaded, a manifest that is
nowhere to be had, a remote that cannot be listed to its end, each ends the collection with nothing removed.
Survivors are DVC's for the same options; what is safer here is in docs/design/004-gc.md.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import (
    CorruptError,
    FourfoldError,
    NotFoundError,
    UnavailableError,
    UsageError,
)
from fourfold.base.events import Sink, Warned, silent
from fourfold.base.ids import Oid, is_tree
from fourfold.content import gate
from fourfold.content import gc as garbage
from fourfold.content.presence import found_on
from fourfold.content.transfer import remote_tree
from fourfold.content.verify import prove_there
from fourfold.project.collect import Want, cloud_oids, wants_of
from fourfold.project.locks import PATIENCE, project_lock
from fourfold.project.push import Opened
from fourfold.project.remotes import Remote
from fourfold.project.scope import WORKSPACE, Scope, trackings
from fourfold.project.vetting import Access, vet_store

if TYPE_CHECKING:
    from fourfold.project.project import Project


class NoScopeError(UsageError):
    """Nothing says what must stay."""

    code = "gc-no-scope"


class BadScopeError(UsageError):
    """The options of a collection contradict each other."""

    code = "gc-bad-scope"


class UnknownFilesError(NotFoundError):
    """A directory's manifest is nowhere to be had, so nobody knows which objects it needs."""

    code = "gc-unknown-files"


class RemovalFailedError(UnavailableError):
    """Some objects could not be removed; the others were."""

    code = "gc-removal-failed"


class Swept(NamedTuple):
    """What was, or would be, removed from one place.

    Attributes:
        place: ``cache``, or the name of a remote.
        legacy: Of the 2.x layout.
        oids: The objects.
        size: Their bytes.
        spared: Objects that nobody needs and that were too young to go.
        failed: Objects that could not be removed, with the error.
    """

    place: str
    legacy: bool
    oids: tuple[Oid, ...]
    size: int
    spared: int = 0
    failed: tuple[tuple[Oid, FourfoldError], ...] = ()


class GcResult(NamedTuple):
    """What a collection did, or with ``dry`` would do.

    Attributes:
        swept: By place and layout.
        litter: Temporary files of writers that died.
        dry: Whether nothing was touched.
        skipped: Revisions that were left out on demand, with the error.
    """

    swept: tuple[Swept, ...]
    litter: int = 0
    dry: bool = False
    skipped: tuple[tuple[str, FourfoldError], ...] = ()

    @property
    def size(self) -> int:
        """Bytes of everything that went."""
        return sum(swept.size for swept in self.swept)

    @property
    def error(self) -> FourfoldError | None:
        """The error that this result amounts to; None when all that should go went."""
        failed = [(swept.place, oid, error) for swept in self.swept for oid, error in swept.failed]
        if not failed:
            return None
        return RemovalFailedError(
            f"{len(failed):,} objects could not be removed",
            hint="run the same command again",
            details=[f"{oid}  {place}: {error.message}" for place, oid, error in failed],
        )


def check_scope(scope: Scope, *, workspace: bool, num: int | None, cloud: bool, not_in_remote: bool) -> None:
    """Refuse options that say nothing or contradict each other, as DVC does.

    Raises:
        NoScopeError: nothing says what must stay.
        BadScopeError: ``--cloud`` with ``--not-in-remote``; ``--num`` without ``--rev`` or branches.
    """
    if not_in_remote and cloud:
        raise BadScopeError("--not-in-remote and --cloud exclude each other")
    if not workspace and scope.is_workspace:
        raise NoScopeError(
            "nothing says what to keep",
            hint="keep the workspace with -w; and branches with -a, tags with -T, commits with -A",
        )
    if num and not (scope.revs or scope.all_branches):
        raise BadScopeError("--num goes with --rev or --all-branches only")


def gc(
    project: "Project",
    scope: Scope = WORKSPACE,
    *,
    remote: str | None = None,
    cloud: bool = False,
    not_in_remote: bool = False,
    others: Sequence["Project"] = (),
    jobs: int | None = None,
    dry: bool = False,
    keep_young: bool = False,
    skip_failed: bool = False,
    events: Sink = silent,
) -> GcResult:
    """Remove the objects that neither the workspace nor the revisions of the scope need.

    Args:
        project: Whose cache and remotes.
        scope: What to keep besides what the workspace needs.
        remote: With ``cloud`` or ``not_in_remote``: which remote, instead of the default one.
        cloud: Remotes as well.
        not_in_remote: Of what is needed, keep only what the remote does not hold; its copy is proven first.
        others: Projects that share the cache: what they need stays too. Their locks are held to the end.
        jobs: Requests at once.
        dry: Only tell.
        keep_young: Spare objects of a remote, or of a cache outside the project, that are not a day old.
        skip_failed: Leave out revisions that cannot be loaded: what only they need goes.
        events: Hears the phases.

    Raises:
        UnknownFilesError: a manifest is nowhere to be had; nothing was removed.
        RepositoryLockedError, StoreBusyError: somebody else is at work; nothing was removed.
        FourfoldError: a revision cannot be loaded, a remote cannot be asked; nothing was removed.
    """
    with ExitStack() as locks:
        for one in (project, *others):
            locks.enter_context(project_lock(one))
        job = _Job(project, remote, jobs, events, "delete" if cloud else "read")
        if not dry:
            vet_store(project, "delete")
        for one in (*others, project):
            job.keep(one, scope, skip_failed=skip_failed)
        return job.run(cloud=cloud, not_in_remote=not_in_remote, dry=dry, keep_young=keep_young)


class _Kept:
    """The names of everything that must stay in one place, by layout."""

    def __init__(self) -> None:
        self.names: tuple[set[str], set[str]] = (set(), set())

    def add(self, oids: Iterable[str], legacy: bool) -> None:
        self.names[legacy].update(oids)


class _Job:
    """One collection: first everything that must stay, then what may go, then the removal."""

    def __init__(
        self, project: "Project", remote: str | None, jobs: int | None, events: Sink, access: Access
    ) -> None:
        self.project = project
        self.remote = remote
        self.events = events
        self.opened = Opened(project, jobs, access, events)
        self.kept = _Kept()
        self.by_remote: dict[str | None, _Kept] = {}
        self.skipped: list[tuple[str, FourfoldError]] = []
        self.files: dict[tuple[Oid, bool], list[Oid]] = {}

    # -- what must stay ---------------------------------------------------------------------------

    def keep(self, owner: "Project", scope: Scope, *, skip_failed: bool) -> None:
        """Add everything that one project needs in a scope."""
        on_error = self._skip if skip_failed else None
        for _rev, tracking in trackings(owner, scope, on_error=on_error):
            for want in wants_of(owner, tracking):
                self._keep_want(owner, want)
            for out in tracking.outs:
                self._add(out.output.remote, cloud_oids(out), out.output.legacy)

    def _skip(self, rev: str, error: FourfoldError) -> None:
        self.skipped.append((rev, error))
        name = rev or "the workspace"
        self.events(Warned("revision-skipped", f"{name} was skipped: {error.message}", error.hint))

    def _keep_want(self, owner: "Project", want: Want) -> None:
        key = (want.oid, want.legacy)
        if is_tree(want.oid) and key not in self.files:
            self.files[key] = self._files_of(owner, want)
        self._add(want.out.output.remote, (want.oid, *self.files.get(key, ())), want.legacy)

    def _add(self, remote: str | None, oids: Iterable[Oid], legacy: bool) -> None:
        names = list(oids)
        self.kept.add(names, legacy)
        self.by_remote.setdefault(remote, _Kept()).add(names, legacy)

    def _files_of(self, owner: "Project", want: Want) -> list[Oid]:
        """What a manifest names: as its pointer file lists it, else from cache, index or remote.

        Raises:
            UnknownFilesError: it is nowhere to be had.
        """
        if want.out.output.files:
            return [oid for oid in cloud_oids(want.out) if oid != want.oid]
        for store in dict.fromkeys((self.project.store, owner.store)):
            try:
                return store.read_tree(want.oid, legacy=want.legacy).digests()
            except (NotFoundError, CorruptError):
                continue
        record = owner.index.load(want.out.path, legacy=want.legacy)
        if record is not None and record.oid == want.oid:
            packed = record.packed.hex()
            return [Oid(packed[at : at + 32]) for at in range(0, len(packed), 32)]
        trouble = "it has no remote"
        if want.remote is not None or owner.config.default_remote:
            try:
                place = Opened(owner, None).get(want.remote)
                return remote_tree(want.oid, place.store, legacy=want.legacy).digests()
            except FourfoldError as error:
                trouble = error.message
        where = f" of {want.rev}" if want.rev else ""
        raise UnknownFilesError(
            f"nobody knows the files of '{want.out.relpath}'{where}: its manifest {want.oid}"
            f" is not in the cache, and {trouble}",
            hint=f"get it with: ff fetch {want.out.relpath}; until then nothing is removed",
        )

    # -- what may go ------------------------------------------------------------------------------

    def run(self, *, cloud: bool, not_in_remote: bool, dry: bool, keep_young: bool) -> GcResult:
        kept = self._without_remote() if not_in_remote else self.kept
        now = self.project.clock.now_ns()
        since = now - garbage.GRACE_NS if keep_young else None
        remotes = self._remotes() if cloud else {}
        # Everything is listed before anything is removed: a listing that fails costs nothing.
        there = [
            (remote, legacy, found)
            for remote, keep in remotes.items()
            for legacy, found in enumerate(
                garbage.find_remote_garbage(
                    self.opened.get(remote).store, *keep.names, since_ns=since, events=self.events
                )
            )
        ]
        store = self.project.store
        patience = None if self.project.wait_for_lock else PATIENCE
        swept: list[Swept] = []
        with gate.alone(store.root, self.project.clock, patience=patience) as alone:
            spare = since if self._is_shared() else None
            writing = None if alone else garbage.writing_since_ns(store)
            edges = [edge for edge in (spare, writing) if edge is not None]
            for legacy in (False, True):
                found = garbage.find_garbage(
                    store, kept.names[legacy], legacy=legacy, since_ns=min(edges, default=None)
                )
                gone = (
                    _told(found)
                    if dry
                    else garbage.remove(store, found.oids, legacy=legacy, events=self.events)
                )
                swept.append(Swept("cache", legacy, gone.oids, found.size, found.spared, gone.failed))
            litter = len(garbage.find_litter(store, now)) if dry else garbage.remove_litter(store, now)
        for name, layout, found in there:
            place = self.opened.get(name)
            gone = (
                _told(found)
                if dry
                else garbage.remove_remote(place.store, found.oids, legacy=bool(layout), events=self.events)
            )
            swept.append(Swept(place.name, bool(layout), gone.oids, found.size, found.spared, gone.failed))
        return GcResult(tuple(swept), litter, dry, tuple(self.skipped))

    def _is_shared(self) -> bool:
        """Whether the cache lies outside of the project, where others may use it too."""
        return not self.project.contains(os.path.normpath(self.project.store.root))

    def _remotes(self) -> Mapping[str | None, _Kept]:
        """What must stay on each remote: on the default or named one, and on those of single outputs."""
        main = self.remote
        default = self.opened.get(main).name
        kept: dict[str | None, _Kept] = {main: _Kept()}
        for remote, some in self.by_remote.items():
            name = main if remote in {None, default} else remote
            target = kept.setdefault(name, _Kept())
            for legacy in (False, True):
                target.add(some.names[legacy], legacy)
        for name in kept:
            if self.opened.get(name).version_aware:
                raise self.opened.get(name).unsupported("gc --cloud")
        return kept

    def _without_remote(self) -> _Kept:
        """What must stay when a proven copy on a remote is enough."""
        kept = _Kept()
        for name, some in self._remotes().items():
            for legacy in (False, True):
                held = _held(
                    self.opened.get(name), some.names[legacy], self.project, bool(legacy), self.events
                )
                kept.add(some.names[legacy] - held, bool(legacy))
        return kept


def _told(found: garbage.Garbage) -> garbage.Removed:
    return garbage.Removed(found.oids)


def _held(remote: Remote, names: set[str], project: "Project", legacy: bool, events: Sink) -> set[str]:
    """The objects that are here and of which the remote has a proven copy."""
    store = project.store
    absent = set(store.missing([Oid(name) for name in names], legacy=legacy))
    here = sorted(Oid(name) for name in names if name not in absent)
    found = found_on(remote.store, here, legacy=legacy, events=events)
    return set(prove_there(found, remote.store, legacy=legacy, events=events))
