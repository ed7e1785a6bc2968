"""Promote: copy the data of revisions from one remote to another, without touching the workspace.

What the target lacks, and the cache too, is brought from the other remote into the cache, every byte proven
on its way; then it is pushed as any data is, files first and manifests last. So a promotion that was cut off
goes on where it ended, and what reached the target was proven twice.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import FourfoldError
from fourfold.base.events import Sink, silent
from fourfold.base.ids import Oid, is_tree
from fourfold.content import transfer
from fourfold.content.presence import sizes_on
from fourfold.project.collect import Group, Want, collect, groups
from fourfold.project.litter import sweep_transfer
from fourfold.project.push import Opened, PushResult, tell_skipped
from fourfold.project.remotes import Remote
from fourfold.project.scope import Scope
from fourfold.project.targets import expand_globs
from fourfold.project.troubles import fetch_error, troubles_of
from fourfold.project.vetting import vet_store

if TYPE_CHECKING:
    from fourfold.project.project import Project


class PromoteResult(NamedTuple):
    """What a promotion did.

    Attributes:
        pushed: What went to the target, and what could not.
        brought: Objects that came from the other remote first.
        size: Their bytes.
        target: The name of the remote that they went to.
        wants: The outputs that were meant, each with its revision.
    """

    pushed: PushResult
    brought: int
    size: int
    target: str
    wants: tuple[Want, ...]

    @property
    def error(self) -> FourfoldError | None:
        """The error that this result amounts to; None when everything is on the target."""
        lost = [trouble for trouble in self.pushed.troubles if trouble.remote != self.target]
        return fetch_error(lost, self.pushed.asked) or self.pushed.error


def promote(
    project: "Project",
    targets: Iterable[str] = (),
    *,
    to: str | None = None,
    source: str | None = None,
    scope: Scope,
    jobs: int | None = None,
    recursive: bool = False,
    with_deps: bool = False,
    glob: bool = False,
    events: Sink = silent,
) -> PromoteResult:
    """Copy the content of outputs to a remote, from the cache or from another remote.

    Durable on the remote when it returns. An output that names a remote of its own goes to the target too;
    what must not be pushed (``push: false``), and imports from other repositories, stay behind.

    Args:
        project: Whose.
        targets: As typed; none for everything.
        to: The name of the remote to copy to; the default one otherwise.
        source: The name of the remote that has what the cache lacks; by default each output's own, or the
            default one.
        scope: The revisions.
        jobs: Requests at once.
        recursive: Folders stand for the owners below.
        with_deps: Also what the targets depend on.
        glob: Targets are patterns.
        events: Hears the phases.

    Raises:
        NoRemoteError, RemoteNotFoundError: there is no such remote.
        UnknownRevisionError: there is no such revision.
        TargetNotFoundError: a target names nothing in any revision.
        UnsupportedError: one of the remotes keeps versions instead of objects.
        FourfoldError: a remote cannot be asked at all.
    """
    names = list(targets)
    if glob and names:
        names = expand_globs(project, names)
    found = collect(
        project, names, scope=scope, recursive=recursive, with_deps=with_deps, push=True, forgiving=True
    )
    tell_skipped(found, events)
    target = Opened(project, jobs, "write", events).get(to)
    if target.version_aware or found.clouds:
        raise target.unsupported("promotion")
    sources = Opened(project, jobs, "read", events)
    vet_store(project, "write")
    sweep_transfer(project, target.store.local_root)
    pushed = PushResult(failed=found.failed)
    brought, size = 0, 0
    for group in groups(found.wants):
        name = source or group.remote
        origin = None if name is None or name == target.name else sources.get(name)
        if origin is not None and origin.version_aware:
            raise origin.unsupported("promotion from it")
        got = _bring(project, group, origin, target, events) if origin is not None else transfer.Transferred()
        brought, size = brought + len(got.done), size + got.size
        pushed = _push(project, group, origin, got, target, pushed, events)
    return PromoteResult(pushed, brought, size, target.name, found.wants)


def _bring(
    project: "Project", group: Group, origin: Remote, target: Remote, events: Sink
) -> transfer.Transferred:
    """Bring what cache and target lack from the other remote into the cache: manifests, then files."""
    store, pick, legacy = project.store, group.picker(), group.legacy
    trees = [oid for oid in group.oids if is_tree(oid)]
    first = transfer.fetch(
        trees,
        store,
        origin.store,
        project.index,
        legacy=legacy,
        pick=lambda _oid, _tree: (),
        events=events,
    )
    files = dict.fromkeys(oid for oid in group.oids if not is_tree(oid))
    lost = {*first.missing, *first.corrupt, *(oid for oid, _error in first.failed)}
    for oid in trees:
        if oid not in lost:
            files.update(dict.fromkeys(pick(oid, store.read_tree(oid, legacy=legacy))))
    wanted = _lacking(store.missing(list(files), legacy=legacy), origin, target, legacy=legacy, events=events)
    second = transfer.fetch(wanted, store, origin.store, project.index, legacy=legacy, events=events)
    return transfer.Transferred(
        first.done + second.done,
        first.size + second.size,
        corrupt=first.corrupt + second.corrupt,
        failed=first.failed + second.failed,
    )


def _lacking(oids: list[Oid], origin: Remote, target: Remote, *, legacy: bool, events: Sink) -> list[Oid]:
    """Those that the target has not, or not as long as the other remote has them."""
    there = sizes_on(target.store, oids, legacy=legacy, events=events)
    here = sizes_on(origin.store, list(there), legacy=legacy, events=events)
    return [oid for oid in oids if oid not in there or 0 <= there[oid] != here.get(oid, there[oid])]


def _push(
    project: "Project",
    group: Group,
    origin: Remote | None,
    got: transfer.Transferred,
    target: Remote,
    before: PushResult,
    events: Sink,
) -> PushResult:
    done = transfer.push(
        group.oids,
        project.store,
        target.store,
        project.index,
        legacy=group.legacy,
        pick=group.picker(),
        events=events,
    )
    troubles = troubles_of(done, group, project.store, target.name)
    failed = dict(got.failed)
    for at, trouble in enumerate(troubles):  # why the cache lacks it says more than that it does
        if trouble.kind == "missing" and origin is not None:
            error = failed.get(trouble.oid)
            kind = "failed" if error else "corrupt" if trouble.oid in got.corrupt else "missing"
            troubles[at] = trouble._replace(kind=kind, remote=origin.name, error=error)
    return before._replace(
        pushed=before.pushed + len(done.done),
        size=before.size + done.size,
        present=before.present + done.present,
        troubles=before.troubles + tuple(troubles),
    )
