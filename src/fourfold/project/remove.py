"""Remove: stop tracking what pointer files or stages own, with or without the data itself."""

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import UsageError, from_os_error
from fourfold.base.events import Sink, silent
from fourfold.base.fs.atomic import write_atomic
from fourfold.project.files import read_owner_file
from fourfold.project.freeze import OwnerGoneError, TemplatedStageError
from fourfold.project.gitignore import unignore
from fourfold.project.locks import project_lock
from fourfold.project.oplog import Operation, operation
from fourfold.project.outs import LOCK_FILE, Owner, Tracked, check_parents, place
from fourfold.project.staging import Staged, stage_changes
from fourfold.project.targets import named_owners

if TYPE_CHECKING:
    from fourfold.project.project import Project


class RemoveResult(NamedTuple):
    """What `remove` did.

    Attributes:
        owners: The pointer files and stages that are gone.
        kept: Paths of the workspace that are not tracked any more, absolute.
        removed: Paths of the workspace that went into the trash, absolute.
        staged: What belongs into the next commit.
    """

    owners: tuple[Owner, ...]
    kept: tuple[str, ...]
    removed: tuple[str, ...]
    staged: Staged


def remove(
    project: "Project", targets: Iterable[str], *, outs: bool = False, events: Sink = silent
) -> RemoveResult:
    """Stop tracking: pointer files go, stages leave ``dvc.yaml`` and ``dvc.lock``, Git sees the data again.

    Data that stays becomes a private copy, so that nothing depends on the cache. Data that goes can be
    had back by ``undo``. Every target is looked at before the first is touched.

    Args:
        project: Whose.
        targets: Pointer files and stages.
        outs: Take the data out of the workspace too.
        events: Hears what takes long.

    Raises:
        OwnerFileNotFoundError, BadOwnerNameError, StageNotFoundError: a target names none.
        TemplatedStageError: a stage comes from a template.
        RepositoryLockedError: another process works on the project.
    """
    names = list(targets)
    if not names:
        raise UsageError("nothing to remove was named")
    with project_lock(project), operation(project, "remove", [*names, *(["--outs"] if outs else [])]) as op:
        found = {
            (owner.file, owner.name): owner
            for name in names
            for owner in named_owners(project, name, groups=False)
        }
        owners = list(found.values())
        _refuse_templates(project, owners)
        changed: list[str] = []
        kept: list[str] = []
        removed: list[str] = []
        for owner in owners:
            inside = [out for out in place(project.root, owner) if not out.external]
            check_parents(project.root, inside)
            for out in inside:
                if outs:
                    removed += _take_out(project, op, out)
                else:
                    kept += _let_go(project, out, events)
                changed += drop_from_gitignore(project, op, out)
            changed += drop_owner(project, op, owner)
    return RemoveResult(tuple(owners), tuple(kept), tuple(removed), stage_changes(project, changed))


def _refuse_templates(project: "Project", owners: Iterable[Owner]) -> None:
    for owner in owners:
        if owner.is_stage:
            from fourfold.formats.dvc import stages  # noqa: PLC0415 - only pipelines need it

            data = read_owner_file(project.root, owner.file) or b""
            spec = stages.parse(data, owner.relpath).stages.get(owner.name or "")
            if spec is None or spec.templated:
                raise TemplatedStageError(
                    f"stage '{owner.name}' of '{owner.relpath}' comes from a template",
                    hint="remove the template from the file by hand",
                )


def _take_out(project: "Project", op: Operation, out: Tracked) -> list[str]:
    if not os.path.lexists(out.path):
        return []
    op.discard(out.path)
    project.index.forget(out.path)
    return [out.path]


def _let_go(project: "Project", out: Tracked, events: Sink) -> list[str]:
    if not out.output.cache or not os.path.lexists(out.path):
        return []
    from fourfold.project.unprotect import detach  # noqa: PLC0415 - not when the data goes too

    detach(project, out.path, events=events)
    return [out.path]


def drop_from_gitignore(project: "Project", op: Operation, out: Tracked) -> list[str]:
    """Let Git see an output again; the ``.gitignore`` files that changed."""
    if project.git is None or not out.use_gitignore:
        return []
    file = os.path.join(os.path.dirname(out.path), ".gitignore")
    op.will_write(file)
    return [file] if unignore(project, out.path) else []


def drop_owner(project: "Project", op: Operation, owner: Owner) -> list[str]:
    """Remove a pointer file, or a stage from its ``dvc.yaml`` and lock files; the files that changed.

    Raises:
        OwnerGoneError: the file is not there any more.
        InvalidFileError: it cannot be understood any more.
    """
    if not owner.is_stage:
        op.will_write(owner.file)
        _write_or_unlink(owner.file, None)
        return [owner.file]
    from fourfold.formats.dvc import lock as locks  # noqa: PLC0415 - only pipelines need it
    from fourfold.formats.dvc import stages  # noqa: PLC0415 - likewise
    from fourfold.project.nativelock import change_lock, lock_path  # noqa: PLC0415 - likewise

    name = owner.name or ""
    changed = []
    lock_file = os.path.join(os.path.dirname(owner.file), LOCK_FILE)
    data = read_owner_file(project.root, lock_file)
    if data is not None and name in locks.parse(data, project.relpath(lock_file)).stages:
        op.will_write(lock_file)
        _write_or_unlink(lock_file, locks.remove(data, name, project.relpath(lock_file)))
        changed.append(lock_file)
    if os.path.lexists(lock_path(owner.file)):
        native = change_lock(project, op, owner.file, {name: None})
        changed += [native] if native is not None else []
    data = read_owner_file(project.root, owner.file)
    if data is None:
        raise OwnerGoneError(f"'{owner.relpath}' is not there any more")
    op.will_write(owner.file)
    _write_or_unlink(owner.file, stages.remove(data, name, owner.relpath))
    return [*changed, owner.file]


def _write_or_unlink(path: str, data: bytes | None) -> None:
    try:
        if data is None:
            os.unlink(path)
        else:
            write_atomic(path, data)
    except FileNotFoundError:
        return
    except OSError as error:
        raise from_os_error(error, f"writing {path}") from error
