"""Commit: record what outputs are now, without asking whether that is what a stage would make.

Everything is judged before anything is read into the cache: what changed since it was recorded is refused
unless the caller insists. Stages also record their dependencies and parameters; how is the
pipeline's knowledge, so the caller brings it (`StageRecorder`).
"""

import os
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import ConflictError, NotFoundError, UnsupportedError, from_os_error
from fourfold.base.events import Sink, silent
from fourfold.content.intake import Stored
from fourfold.formats.dvc.pointer import Output, import_checksum
from fourfold.project.changes import Examiner
from fourfold.project.locks import project_lock
from fourfold.project.oplog import Operation, operation
from fourfold.project.outs import Owner, Tracked
from fourfold.project.placed import note_placed
from fourfold.project.recording import Added, Aim, record, refuse_tracked_by_git
from fourfold.project.saving import Saver
from fourfold.project.staging import Staged, stage_changes
from fourfold.project.targets import Selected, select

if TYPE_CHECKING:
    from fourfold.project.project import Project

#: Records one stage as it is now: (operation, stage, whether to relink) -> the files for the next commit.
StageRecorder = Callable[[Operation, Owner, bool], Sequence[str]]


class ChangedSinceRecordedError(ConflictError):
    """Something is not what its pointer file or lock entry says, and nobody insisted."""

    code = "changed-since-recorded"


class NothingToCommitError(NotFoundError):
    """An output that was to be recorded is not there."""

    code = "nothing-to-commit"


class StageNotRecordableError(UnsupportedError):
    """A stage was named, but the caller can record pointer files only."""

    code = "stage-not-recordable"


class CommitResult(NamedTuple):
    """What `commit` did.

    Attributes:
        recorded: The outputs of pointer files, in order.
        stages: How the stages are addressed that were recorded.
        stored: What went into the cache for the pointer files.
        staged: What belongs into the next commit.
    """

    recorded: tuple[Added, ...]
    stages: tuple[str, ...]
    stored: Stored
    staged: Staged


def commit(
    project: "Project",
    targets: Iterable[str] = (),
    *,
    force: bool = False,
    with_deps: bool = False,
    recursive: bool = False,
    relink: bool = True,
    record_stage: StageRecorder | None = None,
    events: Sink = silent,
) -> CommitResult:
    """Put the content of outputs into the cache and record it.

    A target inside a tracked directory records the whole directory, as with DVC.

    Args:
        project: Whose.
        targets: As typed; none stands for everything tracked.
        force: Record what changed since, too.
        with_deps: Also what the targets depend on.
        recursive: A target that is a folder stands for everything tracked below it.
        relink: Let the workspace share bytes with the cache, where that is configured.
        record_stage: Records stages.
        events: Hears the phases.

    Raises:
        ChangedSinceRecordedError: something changed, and ``force`` was not given; nothing was recorded.
        NothingToCommitError: an output is not there.
        TrackedByGitError: Git tracks an output.
        ChangedDuringReadError: a file changed while it was read.
        TargetNotFoundError, StageNotFoundError: a target names nothing.
        RepositoryLockedError: another process works on the project.
    """
    names = list(targets)
    flags = ["--force"] * force + ["--no-relink"] * (not relink)
    with project_lock(project), operation(project, "commit", [*names, *flags]) as op:
        chosen = select(project, names, recursive=recursive, with_deps=with_deps)
        if not force:
            _refuse_changed(project, chosen, events)
        owners = {(item.owner.file, item.owner.name): item.owner for item in chosen}
        stages = [owner for owner in owners.values() if owner.is_stage]
        if stages and record_stage is None:
            raise StageNotRecordableError(f"'{stages[0].addressing}' is a stage")
        aims = [aim for item in chosen if not item.owner.is_stage for aim in _aims(item)]
        aims = list({aim.path: aim for aim in aims}.values())
        _refuse_absent(project, aims)
        refuse_tracked_by_git(project, [aim.path for aim in aims if aim.output.cache])
        with Saver(project, relink=relink, events=events) as saver:
            outputs = {aim.path: _take(project, saver, aim) for aim in aims}
            stored = saver.settle()
            recorded, changed = record(project, op, aims, outputs, renew_checksums=True)
            saver.relink(op)
        note_placed(project, op, outputs)
        for owner in stages:
            if record_stage is not None:
                changed += record_stage(op, owner, relink)
    addressed = tuple(owner.addressing for owner in stages)
    return CommitResult(tuple(recorded), addressed, stored, stage_changes(project, changed))


def _take(project: "Project", saver: Saver, aim: Aim) -> Output:
    try:
        return saver.take(aim.path, aim.output)
    except OSError as error:
        raise from_os_error(error, f"reading {project.display(aim.path)}") from error


def _aims(item: Selected) -> Iterable[Aim]:
    owner = item.owner
    for out in item.outs:
        at = owner.outs.index(out.output)
        yield Aim(out.path, owner.file, at, out.output, out.path, None, owner, new=False)


def _refuse_absent(project: "Project", aims: Iterable[Aim]) -> None:
    absent = [project.display(aim.path) for aim in aims if not os.path.exists(aim.path)]
    if absent:
        raise NothingToCommitError(
            f"output '{absent[0]}' does not exist",
            hint=f"bring it back with: ff checkout {absent[0]}",
            details=absent[1:],
        )


# --- what changed -----------------------------------------------------------------------------------------


def _refuse_changed(project: "Project", chosen: Iterable[Selected], events: Sink) -> None:
    examiner = Examiner(project, events)
    found: dict[str, list[str]] = {}
    for item in chosen:
        reasons = list(_reasons(project, examiner, item.owner, item.outs))
        if reasons:
            found.setdefault(item.owner.addressing, []).extend(reasons)
    if not found:
        return
    first = next(iter(found))
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    raise ChangedSinceRecordedError(
        f"unable to commit changed '{first}'{more}",
        hint="look with: ff status; to record what is there now: ff commit --force",
        details=[f"{name}: {', '.join(reasons)}" for name, reasons in found.items()],
    )


def _reasons(project: "Project", examiner: Examiner, owner: Owner, outs: Iterable[Tracked]) -> Iterable[str]:
    """What of an owner is not what it records; whether the cache has it does not matter here."""
    for change in examiner.of_dependencies(owner):
        yield f"dependency '{change.path}' {change.state}"
    for change in examiner.of_parameters(owner):
        yield f"parameter '{change.key or change.path}' {change.state}"
    for out in outs:
        built = examiner.current(out.path, legacy=out.output.legacy)
        if built is None or built.oid != out.oid:
            state = "deleted" if built is None else "new" if out.oid is None else "modified"
            yield f"output '{project.display(out.path)}' {state}"
    if owner.is_stage and owner.locked and owner.locked_cmd != owner.cmd:
        yield "command changed"
    pointer = owner.pointer
    if pointer is not None and pointer.md5 and import_checksum(pointer) != pointer.md5:
        yield "checksum changed"
