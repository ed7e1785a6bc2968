"""The remote half of status: what the cache has and a remote lacks, and the other way round.

Read-only on both sides, and by asking for every single file: a directory's manifest on the remote says
nothing about the directory's files. A manifest that the cache lacks is read on the remote and not kept.
"""

import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import CorruptError, FourfoldError, NotFoundError
from fourfold.base.events import Sink, silent
from fourfold.base.ids import Oid, is_tree
from fourfold.content.presence import whole_on
from fourfold.content.transfer import remote_tree
from fourfold.content.tree import Tree
from fourfold.project.collect import Group, collect, digests_below, groups
from fourfold.project.push import Opened, tell_skipped
from fourfold.project.remotes import Remote
from fourfold.project.scope import WORKSPACE, Scope

if TYPE_CHECKING:
    from fourfold.project.project import Project

#: In ascending order of what a path is called when several revisions say different things of it.
STATES = ("deleted", "new", "missing")


class RemoteStatus(NamedTuple):
    """How cache and remote differ.

    Attributes:
        states: Path from the project's root -> ``new`` (only here), ``deleted`` (only there) or ``missing``
            (nowhere).
        remotes: The names of the remotes that were compared with.
        total: How many objects were looked at.
    """

    states: dict[str, str]
    remotes: tuple[str, ...] = ()
    total: int = 0


def remote_status(
    project: "Project",
    targets: Iterable[str] = (),
    *,
    remote: str | None = None,
    jobs: int | None = None,
    scope: Scope = WORKSPACE,
    recursive: bool = False,
    with_deps: bool = False,
    events: Sink = silent,
) -> RemoteStatus:
    """Compare the cache with the remotes.

    Outputs that are never pushed, and imports from other repositories, are left out, as DVC does. An output
    with a remote of its own is compared with that one.

    Args:
        project: Whose.
        targets: As typed; none for everything.
        remote: The remote's name; by default each output's own, or the default one.
        jobs: Requests at once.
        scope: Revisions whose data is compared too.
        recursive: Folders stand for the owners below.
        with_deps: Also what the targets depend on.
        events: Hears "querying remote".

    Raises:
        NoRemoteError, RemoteNotFoundError: there is no such remote.
        TargetNotFoundError: a target names nothing.
        FourfoldError: a remote could not be asked; an error is never "in sync".
    """
    found = collect(
        project,
        targets,
        scope=scope,
        recursive=recursive,
        with_deps=with_deps,
        remote=remote,
        push=True,
    )
    tell_skipped(found, events)
    opened = Opened(project, jobs, events=events)
    if not found.wants:
        opened.get(remote)  # as DVC: the question needs a remote even when nothing is tracked
    for out in found.clouds:
        raise opened.get(out.output.remote or remote).unsupported("status --cloud")
    states: dict[str, str] = {}
    total = 0
    for group in groups(found.wants):
        there = opened.get(group.remote)
        if there.version_aware:
            from fourfold.project.versioned import compare_versions  # noqa: PLC0415 - few remotes keep versions

            compared = compare_versions(project, group.wants, there, events)
            total += len(compared)
            states.update((path, state) for path, state in compared.items() if state)
            continue
        total += _compare(project, group, there, states, events)
    return RemoteStatus(states, tuple(one.name for one in opened.opened()), total)


def _compare(project: "Project", group: Group, remote: Remote, states: dict[str, str], events: Sink) -> int:
    """Add the differences of one group; returns how many objects were looked at."""
    names: dict[Oid, list[str]] = {}
    for oid, path in _members(project, group, remote):
        names.setdefault(oid, []).append(path)
    oids = list(names)
    there = whole_on(remote.store, oids, project.store, legacy=group.legacy, events=events)
    absent = set(project.store.missing(oids, legacy=group.legacy))
    for oid, paths in names.items():
        if oid in absent:
            state = "deleted" if oid in there else "missing"
        elif oid not in there:
            state = "new"
        else:
            continue
        for path in paths:
            states[path] = max(state, states.get(path, state), key=STATES.index)
    return len(oids)


def _members(project: "Project", group: Group, remote: Remote) -> Iterator[tuple[Oid, str]]:
    """Every object of a group with its path."""
    for want in group.wants:
        path = want.out.relpath
        yield want.oid, path
        if not is_tree(want.oid):
            continue
        tree = _tree(project, want.oid, group, remote)
        if tree is None:
            continue
        wanted = set(digests_below(tree, [want.inner])) if want.inner else None
        for name, oid in tree.items():
            if wanted is None or oid in wanted:
                yield oid, f"{path}/{name}"


def _tree(project: "Project", oid: Oid, group: Group, remote: Remote) -> Tree | None:
    try:
        return project.store.read_tree(oid, legacy=group.legacy)
    except FourfoldError:
        try:
            return remote_tree(oid, remote.store, legacy=group.legacy)
        except (NotFoundError, CorruptError):
            return None


def as_dvc(project: "Project", result: RemoteStatus) -> dict[str, str]:
    """The result in the shape of ``dvc status --cloud --json``: paths as seen from where the user stands."""
    return {
        project.display(os.path.join(project.root, *path.split("/"))): state
        for path, state in sorted(result.states.items())
    }
