"""What targets and revisions mean in objects: which manifests and files, and which remote each belongs to.

The verbs that move or judge objects (push, fetch, remote status, gc, fsck) all start here, so that they agree
on what is theirs. Nothing is read but pointer files; what a directory holds is its manifest's to say.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import FourfoldError
from fourfold.base.ids import Oid, RelPath, is_tree, parse_oid
from fourfold.content.tree import Tree
from fourfold.project.outs import PIPELINE_FILE, Owner, Tracked
from fourfold.project.remotes import remote_for
from fourfold.project.scope import WORKSPACE, Scope, trackings
from fourfold.project.targets import Selected, select

if TYPE_CHECKING:
    from fourfold.content.objects import ObjectStore
    from fourfold.project.files import Tracking
    from fourfold.project.project import Project


class Want(NamedTuple):
    """One object that is wanted: a file, or a directory's manifest with what it names.

    Attributes:
        oid: Its name.
        legacy: It lies in the 2.x layout.
        remote: The name of its remote; None where nobody named one.
        out: The output that says so.
        inner: Only this path inside the directory is wanted; None for all of it.
        rev: The revision that says so; empty for the workspace.
    """

    oid: Oid
    legacy: bool
    remote: str | None
    out: Tracked
    inner: RelPath | None = None
    rev: str = ""

    @property
    def path(self) -> str:
        """Where it lies in the workspace, from the project's root."""
        return f"{self.out.relpath}/{self.inner}" if self.inner else self.out.relpath


class Collection(NamedTuple):
    """Everything that was meant.

    Attributes:
        wants: Each object once for each remote.
        unsaved: Outputs that have no content yet.
        imports: Imports from other repositories: their content comes from there.
        clouds: Outputs whose content is named by versions of a cloud and not by a hash of the whole.
        failed: Revisions that could not be loaded, with the error.
    """

    wants: tuple[Want, ...]
    unsaved: tuple[Tracked, ...] = ()
    imports: tuple[Tracked, ...] = ()
    clouds: tuple[Tracked, ...] = ()
    failed: tuple[tuple[str, FourfoldError], ...] = ()


#: Decides whether an output takes part at all.
Filter = Callable[[Tracked], bool]


def collect(
    project: "Project",
    targets: Iterable[str] = (),
    *,
    scope: Scope = WORKSPACE,
    recursive: bool = False,
    with_deps: bool = False,
    remote: str | None = None,
    push: bool = False,
    keep: Filter | None = None,
    forgiving: bool = False,
) -> Collection:
    """What the targets name in every revision of the scope.

    Args:
        project: Whose.
        targets: As typed; none for everything.
        scope: The revisions, besides the workspace.
        recursive: See `targets.select`.
        with_deps: See `targets.select`.
        remote: The remote of the command line: outputs that name another one are left out.
        push: Leave out what must not be pushed (``push: false``).
        keep: Leaves out further outputs.
        forgiving: A revision that cannot be loaded, or lacks the targets, is reported and skipped, unless
            all are.

    Raises:
        FourfoldError: as `targets.select` and `scope.trackings`; with ``forgiving`` only when nothing could
            be collected.
    """
    gathered = _Gathered(project, remote, push=push, keep=keep)
    failed: list[tuple[str, FourfoldError]] = []
    seen = 0
    on_error = (lambda rev, error: failed.append((rev, error))) if forgiving else None
    for rev, found in _selections(project, targets, scope, recursive, with_deps, on_error):
        gathered.take(found, rev)
        seen += 1
    if failed and not seen:
        raise failed[-1][1]
    return gathered.result(failed)


def _selections(
    project: "Project",
    targets: Iterable[str],
    scope: Scope,
    recursive: bool,
    with_deps: bool,
    on_error: Callable[[str, FourfoldError], None] | None,
) -> Iterator[tuple[str, Sequence[Selected]]]:
    names = list(targets)
    if scope.is_workspace:  # the targets alone may be all that has to be read
        yield "", select(project, names, recursive=recursive, with_deps=with_deps)
        return
    for rev, tracking in trackings(project, scope, on_error=on_error):
        try:
            found = select(project, names, recursive=recursive, with_deps=with_deps, tracking=tracking)
        except FourfoldError as error:
            if on_error is None:
                raise
            on_error(rev, error)
            continue
        yield rev, found


class _Gathered:
    """The wants of all revisions so far, each once."""

    def __init__(self, project: "Project", remote: str | None, *, push: bool, keep: Filter | None) -> None:
        self._project = project
        self._remote = remote
        self._push = push
        self._keep = keep
        self._wants: dict[tuple[Oid, bool, str | None, RelPath | None], Want] = {}
        self._unsaved: dict[str, Tracked] = {}
        self._imports: dict[tuple[str, str], Tracked] = {}
        self._clouds: list[Tracked] = []

    def take(self, found: Iterable[Selected], rev: str) -> None:
        for selected in found:
            for out in selected.outs:
                self._take(selected.owner, out, selected.inner, rev)

    def _take(self, owner: Owner, out: Tracked, inner: RelPath | None, rev: str) -> None:
        output = out.output
        if not output.cache or (self._push and not output.push):
            return
        if self._remote and output.remote and output.remote != self._remote:
            return
        if self._keep is not None and not self._keep(out):
            return
        if owner.is_repo_import:
            self._imports.setdefault((out.relpath, str(output.oid)), out)
            return
        if output.oid is None:
            if output.files or output.cloud or output.version_id:
                self._clouds.append(out)
            else:
                self._unsaved.setdefault(out.relpath, out)
        else:
            remote = remote_for(self._project, output.remote, self._remote)
            inner = inner if is_tree(output.oid) else None
            want = Want(output.oid, output.legacy, remote, out, inner, rev)
            self._wants.setdefault((*want[:3], inner), want)

    def result(self, failed: Sequence[tuple[str, FourfoldError]]) -> Collection:
        whole = {want[:3] for want in self._wants.values() if want.inner is None}
        wants = [want for want in self._wants.values() if want.inner is None or want[:3] not in whole]
        return Collection(
            tuple(wants),
            tuple(self._unsaved.values()),
            tuple(self._imports.values()),
            tuple(self._clouds),
            tuple(failed),
        )


# -- groups ---------------------------------------------------------------------------------------


class Group(NamedTuple):
    """The wants of one remote and one layout, which one transfer moves."""

    remote: str | None
    legacy: bool
    wants: tuple[Want, ...]

    @property
    def oids(self) -> list[Oid]:
        """The names, each once."""
        return list(dict.fromkeys(want.oid for want in self.wants))

    def picker(self) -> Callable[[Oid, Tree], list[Oid]]:
        """Tells the files of a manifest that are wanted: all, or those below the paths that were named."""
        parts: dict[Oid, list[RelPath]] = {}
        for want in self.wants:
            if want.inner is not None:
                parts.setdefault(want.oid, []).append(want.inner)

        def pick(oid: Oid, tree: Tree) -> list[Oid]:
            return digests_below(tree, parts[oid]) if oid in parts else tree.digests()

        return pick


def digests_below(tree: Tree, parts: Iterable[str]) -> list[Oid]:
    """The files of a tree that are one of ``parts`` or lie below one."""
    found: dict[Oid, None] = {}
    for part in parts:
        oid = tree.get(part)
        if oid is not None:
            found[oid] = None
        found.update((tree.digest(at), None) for at in tree.span(part))
    return list(found)


def groups(wants: Iterable[Want]) -> list[Group]:
    """The wants by remote and layout, in the order in which they were met."""
    found: dict[tuple[str | None, bool], list[Want]] = {}
    for want in wants:
        found.setdefault((want.remote, want.legacy), []).append(want)
    return [Group(remote, legacy, tuple(some)) for (remote, legacy), some in found.items()]


def names_of(
    wants: Iterable[Want],
    oids: Iterable[Oid],
    store: "ObjectStore",
    *,
    legacy: bool = False,
    known: Mapping[Oid, Tree] | None = None,
) -> dict[Oid, str]:
    """What objects are, for messages: the path of one place where each belongs, from the project's root.

    Args:
        wants: What the places are known from.
        oids: The objects.
        store: Has the manifests.
        legacy: Of the 2.x layout.
        known: Manifests that the store lacks. An object that only an unknown manifest names gets no entry.
    """
    left = set(oids)
    found: dict[Oid, str] = {}
    for want in wants:
        if not left:
            break
        if want.oid in left:
            left.discard(want.oid)
            found[want.oid] = want.out.relpath
        if not is_tree(want.oid) or not left:
            continue
        tree = (known or {}).get(want.oid)
        try:
            tree = tree or store.read_tree(want.oid, legacy=legacy)
        except FourfoldError:
            continue
        for path, oid in tree.items():
            if oid in left:
                left.discard(oid)
                found[oid] = f"{want.out.relpath}/{path}"
    return found


# -- filters --------------------------------------------------------------------------------------


def smaller_than(size: int) -> Filter:
    """Outputs that are known to be at least that large are left out, as DVC does."""
    return lambda out: out.output.size is None or out.output.size < size


def of_types(project: "Project", types: Iterable[str]) -> Filter:
    """Outputs that are, hold, or lie in a metric or a plot.

    Args:
        project: Whose; its ``dvc.yaml`` files may name metrics and plots apart from any stage.
        types: ``metrics`` and ``plots``.
    """
    wanted = set(types)
    declared = list(_declared(project, wanted))

    def keep(out: Tracked) -> bool:
        if ("metrics" in wanted and out.output.metric) or ("plots" in wanted and out.output.plot):
            return True
        return any(_related(path, out.path) for path in declared)

    return keep


def _related(one: str, other: str) -> bool:
    return one == other or one.startswith(other + os.sep) or other.startswith(one + os.sep)


def _declared(project: "Project", types: set[str]) -> Iterator[str]:
    """Absolute paths that the top level of the ``dvc.yaml`` files calls metrics or plots."""
    from fourfold.project.files import load_tracked, read_owner_file  # noqa: PLC0415 - only --type needs it
    from fourfold.project.stagefiles import pipeline_file  # noqa: PLC0415 - likewise

    def read(path: str) -> bytes | None:
        return read_owner_file(project.root, path)

    files = {owner.file for owner in load_tracked(project).owners if owner.is_stage}
    files.add(os.path.join(project.root, PIPELINE_FILE))
    for file in sorted(files):
        data = read(file)
        if data is None:
            continue
        parsed = pipeline_file(project.root, file, data, read, project.config)
        folder = os.path.dirname(file)
        if "metrics" in types:
            yield from (os.path.normpath(os.path.join(folder, path)) for path in parsed.metrics)
        if "plots" in types:
            yield from (os.path.normpath(os.path.join(folder, path)) for path in _plot_sources(parsed.plots))


def _plot_sources(plots: object) -> Iterator[str]:
    """The files of top-level plots: the sources of ``y``, or the name of the plot itself."""
    for plot in plots if isinstance(plots, list | tuple) else [plots]:
        if isinstance(plot, str):
            yield plot
        elif isinstance(plot, Mapping):
            for name, settings in plot.items():
                y = settings.get("y") if isinstance(settings, Mapping) else None
                if isinstance(y, Mapping):
                    yield from (str(path) for path in y)
                else:
                    yield str(name)


def wants_of(project: "Project", tracking: "Tracking") -> tuple[Want, ...]:
    """Everything that one loaded workspace or revision wants."""
    gathered = _Gathered(project, None, push=False, keep=None)
    gathered.take(select(project, tracking=tracking), "")
    return gathered.result(()).wants


def cloud_oids(out: Tracked) -> list[Oid]:
    """The objects that an output names whose versions a cloud keeps; none for any other output."""
    output = out.output
    if output.files is None and not output.cloud:
        return []
    found = [parse_oid(entry["md5"], out.owner.relpath) for entry in output.files or () if entry.get("md5")]
    return [*found, output.oid] if output.oid is not None else found
