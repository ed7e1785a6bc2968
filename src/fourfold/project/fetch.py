"""Fetch: bring tracked data from its remotes into the cache, every byte proven before it gets its name.

Takes no lock: objects only ever arrive. What could not be had is told object by object; everything else
arrives all the same. Imports from other repositories come from there, not from a remote of this project.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import AuthError, FourfoldError, NotFoundError, UnavailableError
from fourfold.base.events import Sink, Warned, silent
from fourfold.base.ids import Oid, is_tree
from fourfold.content import transfer
from fourfold.project.collect import Filter, Group, cloud_oids, collect, groups, of_types, smaller_than
from fourfold.project.litter import sweep_transfer
from fourfold.project.outs import Tracked
from fourfold.project.push import Opened, tell_skipped
from fourfold.project.remotes import Remote
from fourfold.project.runs import RunsUnsupportedError, pull_runs
from fourfold.project.scope import WORKSPACE, Scope
from fourfold.project.troubles import Trouble, fetch_error, troubles_of
from fourfold.project.vetting import vet_store

if TYPE_CHECKING:
    from fourfold.project.project import Project


class FetchResult(NamedTuple):
    """What a fetch did.

    Attributes:
        fetched: Objects that came.
        size: Their bytes.
        present: Objects that were in the cache already.
        runs: Entries of the run cache that came.
        troubles: Objects that are not in the cache now.
        imported: Imports from other repositories that came from there.
        imports: Those whose content is still not in the cache, with the reason.
        failed: Revisions that could not be loaded.
        remoteless: Whether there was no remote to ask; nothing was missing, or it is a trouble.
    """

    fetched: int = 0
    size: int = 0
    present: int = 0
    runs: int = 0
    troubles: tuple[Trouble, ...] = ()
    imported: tuple[Tracked, ...] = ()
    imports: tuple[tuple[Tracked, FourfoldError], ...] = ()
    failed: tuple[tuple[str, FourfoldError], ...] = ()
    remoteless: bool = False

    @property
    def asked(self) -> int:
        """How many objects were looked at."""
        return self.fetched + self.present + len(self.troubles)

    @property
    def error(self) -> FourfoldError | None:
        """The error that this result amounts to; None when everything is in the cache."""
        error = fetch_error(self.troubles, self.asked)
        if error is not None or not self.imports:
            return error
        from fourfold.project.bring_imports import left_error  # noqa: PLC0415 - most projects have no imports

        return left_error(self.imports)


def fetch(
    project: "Project",
    targets: Iterable[str] = (),
    *,
    remote: str | None = None,
    jobs: int | None = None,
    scope: Scope = WORKSPACE,
    recursive: bool = False,
    with_deps: bool = False,
    run_cache: bool = False,
    max_size: int | None = None,
    types: Iterable[str] = (),
    again: Mapping[bool, Iterable[Oid]] | None = None,
    events: Sink = silent,
) -> FetchResult:
    """Bring the content of outputs into the cache.

    Durable when it returns. What the cache has is not asked for; what it has damaged is healed when it
    is a manifest, or named by ``again``.

    Args:
        project: Whose.
        targets: As typed; none for everything.
        remote: The remote's name; by default each output's own, or the default one.
        jobs: Requests at once.
        scope: Revisions whose data comes too.
        recursive: Folders stand for the owners below.
        with_deps: Also what the targets depend on.
        run_cache: Also the remembered runs.
        max_size: Leave out outputs of this many bytes or more.
        types: Only ``metrics``, only ``plots``, or both.
        again: Damaged objects of the cache to replace, by whether they are of the 2.x layout.
        events: Hears the phases.

    Raises:
        NoRemoteError: something is missing, and there is no remote to ask.
        RemoteNotFoundError: there is no remote of that name.
        TargetNotFoundError: a target names nothing.
        FourfoldError: a remote cannot be asked at all, or the cache cannot be written.
    """
    found = collect(
        project,
        targets,
        scope=scope,
        recursive=recursive,
        with_deps=with_deps,
        remote=remote,
        keep=_filter(project, max_size, list(types)),
        forgiving=True,
    )
    tell_skipped(found, events)
    vet_store(project, "write")
    sweep_transfer(project)
    opened = Opened(project, jobs, events=events)
    if remote is not None:
        opened.get(remote)  # a name that does not exist is an error even when nothing is missing
    result = FetchResult(failed=found.failed)
    if run_cache:
        result = result._replace(runs=_pull_runs(project, opened, remote, events))
    for out in found.clouds:
        if project.store.missing(cloud_oids(out), legacy=out.output.legacy) or not cloud_oids(out):
            raise opened.get(out.output.remote or remote).unsupported("fetch")
    if any(want.out.output.files for want in found.wants):
        from fourfold.project.versioned import save_listed  # noqa: PLC0415 - few pointer files list files

        save_listed(project, found.wants)
    wanted = list(groups(found.wants))
    for group in wanted:
        heal = list((again or {}).get(group.legacy, ()))
        try:
            result = _fetch_group(project, group, opened, heal, result, events)
        except (NotFoundError, UnavailableError, AuthError) as error:
            if len(wanted) == 1:
                raise
            result = _unreachable(project, group, error, result)  # the other remotes are asked all the same
    return _bring(project, found.imports, jobs, result, events)


def _unreachable(project: "Project", group: Group, error: FourfoldError, before: FetchResult) -> FetchResult:
    """A remote that cannot be asked fails what only it could have given."""
    oids, unread = _known(project, group)
    absent = dict.fromkeys([*project.store.missing(oids, legacy=group.legacy), *unread])
    failed = transfer.Transferred(failed=tuple((oid, error) for oid in absent))
    troubles = troubles_of(failed, group, project.store, group.remote or "the default remote")
    return before._replace(troubles=before.troubles + tuple(troubles))


def _filter(project: "Project", max_size: int | None, types: list[str]) -> Filter | None:
    tests: list[Filter] = []
    if max_size:
        tests.append(smaller_than(max_size))
    if types:
        tests.append(of_types(project, types))
    return (lambda out: all(test(out) for test in tests)) if tests else None


def _bring(
    project: "Project", found: Iterable[Tracked], jobs: int | None, before: FetchResult, events: Sink
) -> FetchResult:
    """Bring the imports that the cache lacks; most projects have none, and pay nothing."""
    imports = list(found)
    if not imports:
        return before
    from fourfold.project.bring_imports import bring_imports, lacks_content  # noqa: PLC0415 - see above

    brought = bring_imports(
        project, [out for out in imports if lacks_content(project, out)], jobs=jobs, events=events
    )
    return before._replace(
        imported=tuple(brought.done), size=before.size + brought.size, imports=brought.left
    )


def _pull_runs(project: "Project", opened: Opened, remote: str | None, events: Sink) -> int:
    try:
        return pull_runs(project, opened.get(remote), events=events)
    except RunsUnsupportedError as error:
        events(Warned(error.code, error.message, error.hint))
        return 0


def _fetch_group(
    project: "Project", group: Group, opened: Opened, heal: list[Oid], before: FetchResult, events: Sink
) -> FetchResult:
    if group.remote is None and not heal:
        count = _complete(project, group)
        if count is not None:
            return before._replace(present=before.present + count, remoteless=True)
    source: Remote = opened.get(group.remote)
    if source.version_aware:
        return _fetch_versions(project, group, source, heal, before, events)
    done = transfer.fetch(
        group.oids,
        project.store,
        source.store,
        project.index,
        legacy=group.legacy,
        again=heal,
        pick=group.picker(),
        events=events,
    )
    troubles = troubles_of(done, group, project.store, source.name)
    return before._replace(
        fetched=before.fetched + len(done.done),
        size=before.size + done.size,
        present=before.present + done.present,
        troubles=before.troubles + tuple(troubles),
    )


def _fetch_versions(
    project: "Project", group: Group, remote: Remote, heal: list[Oid], before: FetchResult, events: Sink
) -> FetchResult:
    from fourfold.project.versioned import fetch_versions  # noqa: PLC0415 - few remotes keep versions

    if group.legacy:
        raise remote.unsupported("fetch of DVC 2's hashes")
    done = fetch_versions(project, group.wants, remote, heal=heal, events=events)
    return before._replace(
        fetched=before.fetched + done.done,
        size=before.size + done.size,
        present=before.present + done.present,
        troubles=before.troubles + done.troubles,
    )


def _complete(project: "Project", group: Group) -> int | None:
    """How many objects a group has, when the cache has all of them; None when it lacks one."""
    oids, unread = _known(project, group)
    return None if unread or project.store.missing(oids, legacy=group.legacy) else len(oids)


def _known(project: "Project", group: Group) -> tuple[list[Oid], list[Oid]]:
    """Every object of a group as far as the cache tells, and the manifests that it cannot read."""
    pick = group.picker()
    oids = dict.fromkeys(group.oids)
    unread = []
    for oid in group.oids:
        if is_tree(oid):
            try:
                tree = project.store.read_tree(oid, legacy=group.legacy)
            except FourfoldError:
                unread.append(oid)
                continue
            oids.update(dict.fromkeys(pick(oid, tree)))
    return list(oids), unread
