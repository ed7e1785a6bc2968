"""Update: bring imports to what their sources have now, and record it.

All sources are asked before anything is changed, so a source that does not answer leaves every import as it
was. Then, for each: content into the cache (or onto a remote), the pointer file, the workspace. What is
there and saved nowhere goes to the trash of the operation log; the real DVC deletes it.
"""

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import UnsupportedError, UsageError
from fourfold.base.events import Sink, Warned, silent
from fourfold.base.ids import Oid
from fourfold.content.tree import Tree
from fourfold.formats.dvc.pointer import Dependency, Output, Pointer, import_checksum
from fourfold.project.changes import Examiner
from fourfold.project.import_ import SettingsConflictError, described, settle, shelf_of
from fourfold.project.import_url import bring
from fourfold.project.importsources import Sources
from fourfold.project.locks import project_lock
from fourfold.project.materialize import materialize
from fourfold.project.oplog import Operation, operation
from fourfold.project.outs import Owner, Tracked, check_parents, place
from fourfold.project.placed import note_placed
from fourfold.project.recording import Aim
from fourfold.project.saving import described_as
from fourfold.project.sourceview import View
from fourfold.project.staging import Staged, stage_changes
from fourfold.project.targets import select
from fourfold.project.urls import Place, content_of, locate, state_of

if TYPE_CHECKING:
    from fourfold.project.project import Project


class NotAnImportError(UsageError):
    """What was named does not come from elsewhere, so there is nothing to update it from."""

    code = "not-an-import"
    exit_code = 1


class DatabaseImportError(UnsupportedError):
    """An import comes from a database, which only DVC itself can ask."""

    code = "database-import"
    exit_code = 1


class Updated(NamedTuple):
    """One import that was brought up to date.

    Attributes:
        owner: The pointer file, as it was before.
        path: Absolute path of the data.
        source: What it comes from, for people.
        rev: The commit of the source; None for a URL.
        oid: The content; None when it was not brought.
        size: Bytes.
        nfiles: Files in a directory.
    """

    owner: Owner
    path: str
    source: str
    rev: str | None
    oid: Oid | None
    size: int | None
    nfiles: int | None


class UpdateResult(NamedTuple):
    """What `update` did.

    Attributes:
        updated: Imports that were brought up to date.
        unchanged: Imports that were so already.
        staged: What belongs into the next commit.
    """

    updated: tuple[Updated, ...]
    unchanged: tuple[Owner, ...]
    staged: Staged


class _Goal(NamedTuple):
    """How the content of imports is to be brought."""

    to_remote: bool
    remote: str | None
    download: bool
    jobs: int | None


class _Job(NamedTuple):
    """One import and what its source has now.

    Attributes:
        owner: The pointer file.
        out: Its output.
        dep: Its dependency, as it is to be recorded.
        origin: The repository, or the place behind the URL.
        shown: The source, for people.
        source_moved: The source is not what the pointer file records.
        changed: That, or the output is not what the pointer file records.
    """

    owner: Owner
    out: Tracked
    dep: Dependency
    origin: View | Place
    shown: str
    source_moved: bool
    changed: bool


def update(
    project: "Project",
    targets: Iterable[str],
    *,
    rev: str | None = None,
    recursive: bool = False,
    to_remote: bool = False,
    remote: str | None = None,
    no_download: bool = False,
    jobs: int | None = None,
    events: Sink = silent,
) -> UpdateResult:
    """Bring imports from repositories and from URLs to what their sources have now.

    Args:
        project: Whose.
        targets: Pointer files of imports, or their data.
        rev: The branch, tag or commit to follow from now on; only repositories have such.
        recursive: A target that is a folder stands for the imports below it.
        to_remote: Send the content of URLs to a remote, not into cache and workspace.
        remote: Which remote; by default the default one.
        no_download: Only record the state of the source; the old data leaves the workspace.
        jobs: Requests at once.
        events: Hears the phases.

    Raises:
        SettingsConflictError: options exclude each other, or ``to_remote`` is for URLs only.
        NotAnImportError: a target does not come from elsewhere.
        TargetNotFoundError, OwnerFileNotFoundError: a target names nothing.
        UnknownRevisionError: a source has no such revision.
        SourcePathError, SourceMissingError: a source does not have it any more; nothing was changed.
        FourfoldError: a source cannot be asked; as `materialize.materialize`, `import_url.bring`.
    """
    names = list(targets)
    if not names:
        raise UsageError("nothing to update was named", hint="name the pointer file of an import")
    if to_remote and no_download:
        raise SettingsConflictError("--to-remote can't be used with --no-download")
    if remote and not to_remote:
        raise SettingsConflictError("--remote can't be used without --to-remote")
    flags = [*(["--rev", rev] if rev else []), *["--to-remote"] * to_remote, *["--no-download"] * no_download]
    goal = _Goal(to_remote, remote, not no_download, jobs)
    with project_lock(project), operation(project, "update", [*names, *flags]) as op:
        owners = _imports(project, names, recursive=recursive)
        if to_remote:
            _refuse_repositories(owners)
        plan = _Planner(project, rev, jobs, events)
        work = [plan.job(owner) for owner in owners]
        changed: list[str] = []
        updated = [_carry_out(project, op, job, goal, changed, events) for job in work if job.changed]
    unchanged = tuple(job.owner for job in work if not job.changed)
    return UpdateResult(tuple(updated), unchanged, stage_changes(project, changed))


def _imports(project: "Project", names: Iterable[str], *, recursive: bool) -> list[Owner]:
    """The imports that the targets name, each once."""
    found: dict[str, Owner] = {}
    for name in names:
        is_folder = recursive and os.path.isdir(project.absolute(name))
        for selected in select(project, [name], recursive=recursive):
            owner = selected.owner
            if owner.is_import:
                found[owner.file] = owner
            elif not is_folder:
                raise _no_import(owner)
    return list(found.values())


def _no_import(owner: Owner) -> NotAnImportError:
    if owner.is_stage:
        hint = f"run the stage again with: ff repro {owner.addressing}"
    else:
        hint = f"record what it is now with: ff commit {owner.relpath}"
    return NotAnImportError(f"'{owner.addressing}' is no import: it has no source", hint=hint)


def _refuse_repositories(owners: Iterable[Owner]) -> None:
    for owner in owners:
        if owner.is_repo_import:
            raise SettingsConflictError(
                f"'{owner.addressing}' comes from a repository: it can't be updated with --to-remote",
                hint=f"update it here, then push: ff update {owner.addressing}",
            )


class _Planner:
    """Asks the sources of imports what they have now; changes nothing."""

    def __init__(self, project: "Project", rev: str | None, jobs: int | None, events: Sink) -> None:
        self._project = project
        self._rev = rev
        self._jobs = jobs
        self._events = events
        self._sources = Sources(project, jobs)
        self._examiner = Examiner(project, events)

    def job(self, owner: Owner) -> _Job:
        """What is to be done for one import."""
        old = owner.deps[0]
        (out,) = place(self._project.root, owner)
        if out.external:
            raise UnsupportedError(
                f"'{out.relpath}' of '{owner.relpath}' lies outside of the project",
                hint="import it anew to a place in the project",
            )
        check_parents(self._project.root, [out])
        if old.db is not None:
            raise DatabaseImportError(
                f"'{owner.relpath}' comes from a database",
                hint=f"update it with DVC: dvc update {owner.relpath}",
            )
        origin: View | Place
        if old.repo is not None:
            origin, dep = self._repository(owner, old)
            shown = f"{old.path} ({origin.source.shown})"
        else:
            origin, dep = self._url(owner, old)
            shown = origin.url
        pointer = _pointer(owner)._replace(deps=(dep,))
        moved = content_of(dep) != content_of(old) or import_checksum(pointer) != pointer.md5
        changed = moved or any(self._examiner.of_output(out))
        return _Job(owner, out, dep, origin, shown, moved, changed)

    def _repository(self, owner: Owner, old: Dependency) -> tuple[View, Dependency]:
        repo = old.repo
        assert repo is not None  # noqa: S101 - the caller has looked
        wanted = self._rev or repo.rev
        view = self._sources.view(owner, repo, wanted)
        view.node(old.path)
        return view, old._replace(repo=repo._replace(rev=wanted, rev_lock=view.source.rev))

    def _url(self, owner: Owner, old: Dependency) -> tuple[Place, Dependency]:
        if self._rev:
            told = f"'{owner.addressing}' comes from a URL, which has no revisions: --rev is not for it"
            self._events(Warned("rev-not-used", told))
        found = locate(
            self._project,
            old.path,
            jobs=self._jobs,
            options=old.fs_config,
            base=owner.wdir,
            committed=owner.relpath,
        )
        return found, state_of(old, found, self._project.index)


def _pointer(owner: Owner) -> Pointer:
    return owner.pointer or Pointer(outs=owner.outs, deps=owner.deps, frozen=owner.frozen)


def _carry_out(
    project: "Project", op: Operation, job: _Job, goal: _Goal, changed: list[str], events: Sink
) -> Updated:
    """Bring one import up to date; its changed files are added to ``changed``."""
    old = job.out.output
    content: Oid | Tree | None = None
    if goal.to_remote:
        output = _brought(project, job, goal, events)
    elif not goal.download:
        output = _emptied(old)
    else:
        output, content = _fetched(project, job, goal, events)
    pointer = _pointer(job.owner)._replace(deps=(job.dep,), outs=(output,))
    pointer = pointer._replace(md5=import_checksum(pointer))
    path = job.out.path
    aim = Aim(path, job.owner.file, 0, output, path, None, job.owner, new=False)
    changed += settle(project, op, aim, pointer, content, force=True, events=events, old=job.owner.source)
    if not goal.download and os.path.lexists(path):
        op.discard(path)
        project.index.forget(path)
        note_placed(project, op, {}, gone=[path])
    rev = None if job.dep.repo is None else job.dep.repo.rev_lock
    return Updated(job.owner, path, job.shown, rev, output.oid, output.size, output.nfiles)


def _brought(project: "Project", job: _Job, goal: _Goal, events: Sink) -> Output:
    """The output with what the URL has, which is in the cache, or on the remote, now."""
    assert isinstance(job.origin, Place)  # noqa: S101 - repositories were refused, or are materialized
    found = bring(
        project, job.dep, job.origin, goal.remote, goal.jobs, to_remote=goal.to_remote, events=events
    )
    return described_as(job.out.output, found.oid, found.size, found.nfiles)


def _fetched(project: "Project", job: _Job, goal: _Goal, events: Sink) -> tuple[Output, Oid | Tree | None]:
    """The output as it is to be, with its content in the cache."""
    old = job.out.output
    known = None if job.source_moved or old.legacy else old.oid
    if known is not None and Examiner(project, events).in_cache(known):
        return old, known
    if isinstance(job.origin, View):
        got = materialize(job.origin, job.dep.path, shelf_of(project), events=events)
        return described(old, got), got.tree or got.oid
    output = _brought(project, job, goal, events)
    return output, output.oid


def _emptied(output: Output) -> Output:
    """An output of which nothing is known yet; its options stay."""
    bare = output._replace(oid=None, legacy=False, size=None, nfiles=None, isexec=False)
    return bare._replace(files=None, cloud=None, version_id=None, etag=None, checksum=None)
