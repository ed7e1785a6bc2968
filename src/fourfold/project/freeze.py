"""Freeze and unfreeze: whether an import or a stage takes its dependencies into account."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import ConflictError, FourfoldError, UsageError
from fourfold.base.events import Sink, silent
from fourfold.formats.dvc import pointer as pointers
from fourfold.project.files import read_owner_file
from fourfold.project.locks import project_lock
from fourfold.project.oplog import operation
from fourfold.project.outs import Owner
from fourfold.project.staging import Staged, stage_changes
from fourfold.project.targets import one_owner

if TYPE_CHECKING:
    from fourfold.project.project import Project


class TemplatedStageError(ConflictError):
    """A stage comes from a template: its entry cannot be changed on its own."""

    code = "templated-stage"


class OwnerGoneError(ConflictError):
    """A pointer file or ``dvc.yaml`` went away while it was worked on."""

    code = "pointer-file-gone"


class FreezeResult(NamedTuple):
    """What `freeze` or `unfreeze` did.

    Attributes:
        owners: The pointer files and stages, as they were addressed.
        staged: What belongs into the next commit.
        errors: Why other targets are as they were; in their order.
    """

    owners: tuple[Owner, ...]
    staged: Staged
    errors: tuple[FourfoldError, ...] = ()


def freeze(project: "Project", targets: Iterable[str], *, events: Sink = silent) -> FreezeResult:
    """Leave the dependencies of imports or stages out of account until `unfreeze`.

    What is wrong with one target stops no other one, as in DVC; it is among the errors of the result: the
    target is neither a pointer file nor a stage, or comes from a template, or its file cannot be understood.

    Raises:
        RepositoryLockedError: another process works on the project.
    """
    return _set(project, targets, frozen=True, events=events)


def unfreeze(project: "Project", targets: Iterable[str], *, events: Sink = silent) -> FreezeResult:
    """Take the dependencies of imports or stages into account again; errors as `freeze`."""
    return _set(project, targets, frozen=False, events=events)


def _set(project: "Project", targets: Iterable[str], *, frozen: bool, events: Sink) -> FreezeResult:
    del events  # nothing here takes long enough to tell of
    names = list(targets)
    command = "freeze" if frozen else "unfreeze"
    if not names:
        raise UsageError(f"nothing to {command} was named")
    owners = []
    changed = []
    errors = []
    with project_lock(project), operation(project, command, names) as op:
        for name in names:
            try:
                owner = one_owner(project, name)
                data = changed_bytes(project, owner, frozen=frozen)
            except FourfoldError as error:
                errors.append(error)
                continue
            op.write(owner.file, data)
            owners.append(owner)
            changed.append(owner.file)
    return FreezeResult(tuple(owners), stage_changes(project, changed), tuple(errors))


def changed_bytes(project: "Project", owner: Owner, *, frozen: bool) -> bytes:
    """The file of an owner with ``frozen`` changed for it, comments and order kept."""
    old = read_owner_file(project.root, owner.file)
    if old is None:
        raise OwnerGoneError(f"'{owner.relpath}' is not there any more")
    if owner.pointer is not None:
        return pointers.update(old, owner.pointer._replace(frozen=frozen), owner.relpath)
    from fourfold.formats.dvc import stages  # noqa: PLC0415 - only pipelines need it

    spec = stages.parse(old, owner.relpath).stages.get(owner.name or "")
    if spec is None or spec.templated:
        raise TemplatedStageError(
            f"stage '{owner.name}' of '{owner.relpath}' comes from a template",
            hint=f"write 'frozen: {str(frozen).lower()}' into the template by hand",
        )
    return stages.update(old, spec._replace(frozen=frozen), owner.relpath)
