"""Checkout: make the workspace be what the pointer files and ``dvc.lock`` say.

All outputs are looked at before the first is touched, so a refusal leaves everything as it was. What an
output lost since its pointer file went away is cleaned up as far as it is known and saved. How one
output is made is `fourfold.content.checkout`.
"""

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import CorruptError, FourfoldError, NotFoundError
from fourfold.base.events import Sink, Warned, silent
from fourfold.base.ids import Oid, RelPath, UnsafePathError, is_tree
from fourfold.content.checkout import CheckedOut, Checkout, UnsavedChangesError
from fourfold.content.objects import CorruptObjectError, ObjectMissingError
from fourfold.content.tree import Tree
from fourfold.content.vacate import vacate
from fourfold.formats.dvc.pointer import Output
from fourfold.project.desk import desk_for, journal
from fourfold.project.files import load_tracked
from fourfold.project.locks import project_lock
from fourfold.project.oplog import Operation, operation
from fourfold.project.outs import Tracked, check_parents, folders_above
from fourfold.project.placed import load_placed, note_placed
from fourfold.project.targets import Selected, select

if TYPE_CHECKING:
    from fourfold.project.project import Project

ADDED, MODIFIED, DELETED = "added", "modified", "deleted"


class CheckoutIncompleteError(NotFoundError):
    """Content of some outputs is not in the cache; the others were checked out.

    Attributes:
        result: What was done in spite of it.
    """

    code = "checkout-incomplete"
    result: "CheckoutResult"


class DamagedCacheError(CorruptError):
    """Content of some outputs is damaged in the cache; the others were checked out.

    Attributes:
        result: What was done in spite of it.
    """

    code = "damaged-in-cache"
    result: "CheckoutResult"


class Lack(NamedTuple):
    """One file that could not be made.

    Attributes:
        path: Absolute; of a whole directory when its manifest is what lacks.
        oid: The object that is missing or damaged.
        damaged: It is there, and does not hash to its name.
    """

    path: str
    oid: Oid
    damaged: bool


class OutputChange(NamedTuple):
    """What happened to one output.

    Attributes:
        path: Absolute.
        state: `ADDED`, `MODIFIED` or `DELETED`.
        is_dir: It is, or was, a directory.
    """

    path: str
    state: str
    is_dir: bool


class CheckoutResult(NamedTuple):
    """What `checkout` did.

    Attributes:
        changes: One entry an output that changed.
        counts: Files added, modified and deleted; of a vanished output, DVC counts one.
        relinked: Files that were made anew with the same content.
        lacking: Files whose content is not to be had.
        kept: Files of vanished outputs that stayed because they are saved nowhere, absolute.
    """

    changes: tuple[OutputChange, ...]
    counts: dict[str, int]
    relinked: int
    lacking: tuple[Lack, ...]
    kept: tuple[str, ...]


class _Job(NamedTuple):
    """One output that is about to be checked out."""

    path: str
    out: Tracked
    work: Checkout
    existed: bool


def checkout(
    project: "Project",
    targets: Iterable[str] = (),
    *,
    with_deps: bool = False,
    recursive: bool = False,
    force: bool = False,
    relink: bool = False,
    allow_missing: bool = False,
    events: Sink = silent,
) -> CheckoutResult:
    """Bring outputs to what is recorded.

    Args:
        project: Whose.
        targets: As typed; none stands for everything tracked, and for cleaning up what no longer is.
        with_deps: Also the outputs that the targets depend on.
        recursive: A target that is a folder stands for everything tracked below it.
        force: Replace content that is saved nowhere; it goes to the trash of the operation log.
        relink: Make every file anew as the configured kind of link.
        allow_missing: Content that is not in the cache is no failure.
        events: Hears the phases.

    Raises:
        UnsavedChangesError: content that is saved nowhere would be lost; nothing was touched.
        CheckoutIncompleteError: content is not in the cache; everything else was checked out.
        DamagedCacheError: content is damaged in the cache; everything else was checked out.
        TargetNotFoundError, StageNotFoundError: a target names nothing.
        RepositoryLockedError: another process works on the project.
    """
    names = list(targets)
    flags = ["--force"] * force + ["--relink"] * relink
    with project_lock(project), operation(project, "checkout", [*names, *flags]) as op:
        tracking = None if names else load_tracked(project)
        chosen = select(project, names, recursive=recursive, with_deps=with_deps, tracking=tracking)
        run = _Run(project, op, force=force, relink=relink, events=events)
        if tracking is not None:
            run.clean_up({out.path for out in tracking.outs})
        result = run.all(chosen)
    lacking = [lack for lack in result.lacking if lack.damaged or not allow_missing]
    if lacking:
        raise _lacking(project, lacking, result)
    return result


def _lacking(project: "Project", lacking: Sequence[Lack], result: CheckoutResult) -> FourfoldError:
    damaged = [lack for lack in lacking if lack.damaged]
    shown = [
        f"{project.display(lack.path)}: {lack.oid}{' is damaged' if lack.damaged else ''}" for lack in lacking
    ]
    count = f"{len(lacking)} object{'s' * (len(lacking) != 1)}"
    if damaged:
        error: CheckoutIncompleteError | DamagedCacheError = DamagedCacheError(
            f"{count} could not be checked out: {len(damaged)} damaged in the cache",
            hint="heal them from any good copy with: ff repair  (or get them from a remote: ff fetch)",
            details=shown,
        )
    else:
        error = CheckoutIncompleteError(
            f"checkout is incomplete: {count} {'is' if len(lacking) == 1 else 'are'} not in the cache",
            hint="get what is missing from a remote with: ff fetch",
            details=shown,
        )
    error.result = result
    return error


class _Run:
    """One checkout of several outputs."""

    def __init__(self, project: "Project", op: Operation, *, force: bool, relink: bool, events: Sink) -> None:
        self.project = project
        self.op = op
        self.force = force
        self.relink = relink
        self.events = events
        self.changes: list[OutputChange] = []
        self.counts = {MODIFIED: 0, ADDED: 0, DELETED: 0}
        self.relinked = 0
        self.lacking: list[Lack] = []
        self.kept: list[str] = []
        self.now: dict[str, Output] = {}
        self.gone: list[str] = []

    def all(self, chosen: Sequence[Selected]) -> CheckoutResult:
        jobs = self._prepare(chosen)
        for job in jobs:
            self._carry_out(job)
        note_placed(self.project, self.op, self.now, gone=self.gone)
        ordered = sorted(self.changes, key=lambda change: (not change.is_dir, change.path))
        return CheckoutResult(
            tuple(ordered), self.counts, self.relinked, tuple(self.lacking), tuple(self.kept)
        )

    # --- looking -----------------------------------------------------------------------------------------

    def _prepare(self, chosen: Sequence[Selected]) -> list[_Job]:
        """Look at every output before one is touched; all refusals become one."""
        jobs: list[_Job] = []
        unsaved: list[UnsavedChangesError] = []
        for selected in chosen:
            check_parents(self.project.root, selected.outs)
            for out in selected.outs:
                if not out.output.cache or out.oid is None:
                    continue
                path = os.path.join(out.path, *selected.inner.split("/")) if selected.inner else out.path
                try:
                    jobs.append(self._look(out, path, selected.inner))
                except UnsavedChangesError as error:
                    unsaved.append(error)
                except (ObjectMissingError, CorruptObjectError) as error:
                    self.lacking.append(Lack(path, out.oid, isinstance(error, CorruptObjectError)))
        if unsaved:
            raise _together(unsaved)
        return jobs

    def _look(self, out: Tracked, path: str, inner: RelPath | None) -> _Job:
        existed = os.path.lexists(path)
        work = Checkout(
            self._target(out, inner),
            path,
            desk_for(self.project, path, announce=journal(self.op)),
            legacy=out.output.legacy,
            isexec=out.output.isexec and inner is None,
            force=self.force,
            events=self.events,
        )
        work.prepare(relink=self.relink)
        return _Job(path, out, work, existed)

    def _target(self, out: Tracked, inner: RelPath | None) -> Oid | Tree | None:
        oid = Oid(str(out.oid))
        if inner is None or not is_tree(oid):
            return oid
        tree = self.project.store.read_tree(oid, legacy=out.output.legacy)
        file = tree.get(inner)
        if file is not None:
            return file
        return tree.subtree(inner) if tree.span(inner) else None

    # --- acting ------------------------------------------------------------------------------------------

    def _carry_out(self, job: _Job) -> None:
        done = job.work.carry_out()
        whole = job.path == job.out.path
        for names, is_damaged in ((done.missing, False), (done.corrupt, True)):
            self.lacking += [Lack(_join(job.path, name), oid, is_damaged) for name, oid in names]
        self._tell(job, done)
        if not done.changed:
            if whole and job.existed:
                self.now[job.out.path] = job.out.output
            return
        self.counts[ADDED] += len(done.added)
        self.counts[MODIFIED] += len(done.modified)
        self.counts[DELETED] += len(done.deleted)
        self.relinked += done.relinked
        if whole:
            self.now[job.out.path] = job.out.output
        else:
            # A part of a directory has no record of its own: the directory's own is looked up by file.
            self.project.index.forget(job.path)
        if not (done.added or done.modified or done.deleted):
            return
        state = MODIFIED if job.existed or not whole else ADDED
        self.changes.append(OutputChange(job.out.path, state, job.out.is_dir))

    def _tell(self, job: _Job, done: CheckedOut) -> None:
        """Tell the operation log what is there now, so that undo sees whether it changed since."""
        plan = job.work.plan
        if "" in plan.create:
            complete = job.work.oid if not (done.missing or done.corrupt) else None
            self.op.became(job.path, complete)
            return
        made = {*done.added, *done.modified}
        for name in (*plan.create, *plan.replace, *plan.lost):
            self.op.became(_join(job.path, name), job.work.wanted(name) if name in made else None)

    def clean_up(self, tracked: set[str]) -> None:
        """Take away what outputs left behind that are not tracked any more."""
        for relpath, placed in load_placed(self.project).items():
            path = os.path.join(self.project.root, *relpath.split("/"))
            if path in tracked:
                continue
            above = {path, *folders_above(path)}
            below = path + os.sep
            if above & tracked or any(other.startswith(below) for other in tracked):
                self.gone.append(path)  # part of another output now, or the reverse: that one decides
                continue
            self._vacate(path, placed.oid, legacy=placed.legacy)

    def _vacate(self, path: str, oid: Oid, *, legacy: bool) -> None:
        try:
            desk = desk_for(self.project, path, announce=journal(self.op))
            done = vacate(oid, path, desk, legacy=legacy, events=self.events)
        except UnsafePathError:
            return
        self.gone.append(path)
        if done.kept:
            self.kept += [_join(path, name) for name in done.kept]
            shown = self.project.display(path)
            count = f"{len(done.kept)} file{'s' * (len(done.kept) != 1)}"
            self.events(
                Warned("kept-unsaved", f"'{shown}' is not tracked any more; {count} of it stay: not saved")
            )
        if done.removed:
            self.changes.append(OutputChange(path, DELETED, is_tree(oid)))
            self.counts[DELETED] += 1


def _join(path: str, name: str) -> str:
    return os.path.join(path, *name.split("/")) if name else path


def _together(errors: Sequence[UnsavedChangesError]) -> UnsavedChangesError:
    if len(errors) == 1:
        return errors[0]
    details = [line for error in errors for line in error.details]
    return UnsavedChangesError(
        f"{len(details)} files of {len(errors)} outputs would be overwritten or removed,"
        " and the content is saved nowhere",
        hint=errors[0].hint,
        details=details,
    )
