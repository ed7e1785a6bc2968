"""Move: rename tracked data, its pointer file and its line of ``.gitignore`` together."""

import os
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import ConflictError, NotFoundError
from fourfold.base.events import Sink, Warned, silent
from fourfold.base.fs.walk import refuse_not_utf8
from fourfold.base.ids import UnsafePathError
from fourfold.formats.dvc import pointer as pointers
from fourfold.formats.dvc.pointer import Dependency, Pointer, is_external
from fourfold.project.files import load_tracked, read_owner_file
from fourfold.project.gitignore import ignore
from fourfold.project.locks import project_lock
from fourfold.project.oplog import Operation, operation
from fourfold.project.outs import POINTER_SUFFIX, Owner, Tracked, check_overlaps, check_parents, place
from fourfold.project.remove import drop_from_gitignore
from fourfold.project.staging import Staged, stage_changes

if TYPE_CHECKING:
    from fourfold.project.project import Project


class NotAnOutputError(NotFoundError):
    """What was to be moved is not an output."""

    code = "not-an-output"


class MadeByStageError(ConflictError):
    """What was to be moved is made by a stage, whose definition names it."""

    code = "cannot-move-stage-output"


class TargetTakenError(ConflictError):
    """There is a pointer file, or a file of Git's, where the data was to go."""

    code = "target-taken"


class NoSuchFolderError(NotFoundError):
    """The folder that the data was to go to does not exist."""

    code = "no-such-folder"


class MoveResult(NamedTuple):
    """What `move` did.

    Attributes:
        source: Where the data was, absolute.
        target: Where it is, absolute.
        pointer: The pointer file that says so, absolute.
        staged: What belongs into the next commit.
    """

    source: str
    target: str
    pointer: str
    staged: Staged


class _Plan(NamedTuple):
    """What moves where: the output, the new paths, and whether the pointer file goes along."""

    out: Tracked
    target: str
    pointer: str
    wdir: str


def move(project: "Project", source: str, target: str, *, events: Sink = silent) -> MoveResult:
    """Rename a tracked file or directory; a pointer file that is called like it is renamed too.

    Nothing is read or saved: data that changed since it was tracked has changed after the move too. A
    file that Git does not track and that is in the way goes to the trash.

    Args:
        project: Whose.
        source: An output that was added or imported.
        target: Its new path, or an existing folder to put it into.
        events: Hears what takes long, and what went to the trash.

    Raises:
        NotAnOutputError: ``source`` is not an output.
        MadeByStageError: a stage makes it.
        TargetTakenError, NoSuchFolderError: it cannot go there.
        DuplicateOutputError, OverlappingOutputError: something tracked is there already.
        RepositoryLockedError: another process works on the project.
    """
    with project_lock(project), operation(project, "move", [source, target]) as op:
        plan = _plan(project, source, target)
        path = plan.out.path
        if os.path.lexists(path):
            if os.path.lexists(plan.target):
                op.discard(plan.target)
                shown = project.display(plan.target)
                events(
                    Warned("kept-in-trash", f"'{shown}' was in the way", hint="to get it back, run: ff undo")
                )
            op.move(path, plan.target)
        else:
            events(
                Warned("missing-data", f"'{project.display(path)}' is missing: only its pointer file moves")
            )
        changed = _rewrite(project, op, plan)
        if os.path.lexists(plan.target):
            _remember(project, path, plan.target)
    return MoveResult(path, plan.target, plan.pointer, stage_changes(project, changed))


def _plan(project: "Project", source: str, target: str) -> _Plan:
    tracking = load_tracked(project)
    path = project.absolute(source)
    out = next((out for out in tracking.outs if out.path == path), None)
    if out is None:
        raise NotAnOutputError(
            f"unable to find a pointer file with the output '{source}'",
            hint="only data that was added or imported as a whole can be moved",
        )
    if out.owner.pointer is None:
        raise MadeByStageError(
            f"'{source}' is made by the stage '{out.owner.addressing}'",
            hint=f"change its path in '{out.owner.relpath}' by hand, then move the file",
        )
    to = project.absolute(target)
    refuse_not_utf8(to)
    if not project.contains(to):
        raise UnsafePathError(
            f"'{target}' is outside of the project '{project.root}'",
            hint="tracked data stays inside of its project; to have it elsewhere: ff get",
        )
    if os.path.isdir(to):
        to = os.path.join(to, os.path.basename(path))
    folder = os.path.dirname(to)
    if not os.path.isdir(folder):
        raise NoSuchFolderError(
            f"the folder '{project.display(folder)}' does not exist",
            hint=f"make it first: mkdir -p {project.display(folder)}",
        )
    alone = len(out.owner.outs) == 1
    along = alone and os.path.basename(out.file)[: -len(POINTER_SUFFIX)] == os.path.basename(path)
    pointer = to + POINTER_SUFFIX if along else out.file
    plan = _Plan(out, to, pointer, folder if along else out.wdir)
    _refuse(project, plan, tracking.outs)
    return plan


def _refuse(project: "Project", plan: _Plan, outs: tuple[Tracked, ...]) -> None:
    """Refuse a move that would overwrite a pointer file, or put data where other data is tracked."""
    if plan.pointer != plan.out.file and os.path.lexists(plan.pointer):
        raise TargetTakenError(
            f"'{project.display(plan.pointer)}' already exists",
            hint="choose another name, or remove it first",
        )
    if plan.target == plan.out.path:
        raise TargetTakenError(
            f"'{project.display(plan.target)}' is where it is already", hint="name another place"
        )
    owner = plan.out.owner._replace(
        file=plan.pointer,
        relpath=project.relpath(plan.pointer),
        wdir=plan.wdir,
        outs=(plan.out.output._replace(path=_written(plan)),),
    )
    moved = place(project.root, owner)
    check_parents(project.root, moved)
    check_overlaps([*(out for out in outs if out is not plan.out), *moved], [owner])
    if project.git is not None and project.git.tracked([plan.target]):
        raise TargetTakenError(
            f"'{project.display(plan.target)}' is tracked by Git",
            hint=f"take it out of Git first: git rm -r --cached {project.display(plan.target)}",
        )


def _written(plan: _Plan) -> str:
    """The output's new path as the pointer file writes it."""
    return os.path.relpath(plan.target, plan.wdir).replace(os.sep, "/")


def _remember(project: "Project", source: str, target: str) -> None:
    """What is known of the files stays known under their new name: a rename moves no content."""
    from fourfold.content.build import remember  # noqa: PLC0415 - not when only the pointer moves
    from fourfold.content.identity import Built, look  # noqa: PLC0415 - not when only the pointer moves

    record = project.index.load(source)
    project.index.forget(source)
    if record is None or not record.oid:
        return
    skip_file, skip_directory = project.ignore.pruning(target)
    try:
        scan, is_directory = look(target, skip_file=skip_file, skip_directory=skip_directory)
    except OSError:
        return
    if scan.names != record.names or is_directory != record.oid.endswith(".dir"):
        return
    built = Built(scan._replace(stats=record.stats), record.packed, is_directory=is_directory)
    remember(target, built, project.index, skip_file=skip_file, skip_directory=skip_directory)


def _rewrite(project: "Project", op: Operation, plan: _Plan) -> list[str]:
    """Write the pointer file and ``.gitignore`` for the new place; the files that changed."""
    old = plan.out.owner
    if old.pointer is None:
        return []
    deps = tuple(_seen_from(dep, old, plan.wdir) for dep in old.pointer.deps)
    moved = plan.out.output._replace(path=_written(plan))
    outs = tuple(moved if entry == plan.out.output else entry for entry in old.pointer.outs)
    pointer = old.pointer._replace(outs=outs, deps=deps)
    along = plan.pointer != old.file
    if along:
        pointer = pointer._replace(wdir=None)
    pointer = pointer._replace(md5=pointers.import_checksum(pointer) if old.is_import else None)
    changed = drop_from_gitignore(project, op, plan.out)
    if plan.out.use_gitignore and project.git is not None:
        file = os.path.join(os.path.dirname(plan.target), ".gitignore")
        op.will_write(file)
        changed += [file] if ignore(project, plan.target) else []
    op.write(plan.pointer, _bytes(project, pointer, old, along=along))
    if along:
        op.write(old.file, None)
        changed.append(old.file)
    return [*changed, plan.pointer]


def _bytes(project: "Project", pointer: Pointer, old: Owner, *, along: bool) -> bytes:
    if along:
        return pointers.render(pointer)
    return pointers.update(read_owner_file(project.root, old.file) or b"", pointer, old.relpath)


def _seen_from(dep: Dependency, owner: Owner, wdir: str) -> Dependency:
    """A dependency on a file of the project, written for another folder."""
    if not dep.path or dep.repo is not None or dep.db is not None or is_external(dep.path):
        return dep
    path = os.path.normpath(os.path.join(owner.wdir, dep.path))
    return dep._replace(path=os.path.relpath(path, wdir).replace(os.sep, "/"))
