"""What a stage ran with, as its entry in ``dvc.lock``: made from the workspace, written in DVC's bytes."""

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from fourfold.base.errors import NotFoundError, UnsupportedError, from_os_error
from fourfold.base.fs.atomic import write_atomic
from fourfold.formats.dvc import lock as locks
from fourfold.formats.dvc.lock import LockEntry
from fourfold.formats.dvc.pointer import Dependency, Output, is_external
from fourfold.project.changes import Examiner, lookup, plain
from fourfold.project.files import read_owner_file
from fourfold.project.outs import LOCK_FILE, Owner

if TYPE_CHECKING:
    from fourfold.project.oplog import Operation
    from fourfold.project.project import Project

_ABSENT = object()


class DependencyMissingError(NotFoundError):
    """What a stage depends on is not there."""

    code = "dependency-missing"


class ParameterMissingError(NotFoundError):
    """A parameter that a stage depends on is not in its file."""

    code = "parameter-missing"


class ExternalDependencyError(UnsupportedError):
    """A stage depends on something that is no file of this machine."""

    code = "external-dependency"


def current_dependencies(project: "Project", owner: Owner, examiner: Examiner) -> tuple[Dependency, ...]:
    """The dependencies of a stage with their content of now.

    Raises:
        DependencyMissingError: one is not there.
        ExternalDependencyError: one is a URL.
    """
    found = []
    for dep in owner.deps:
        if is_external(dep.path):
            raise ExternalDependencyError(
                f"stage '{owner.addressing}' depends on '{dep.path}', which is not a file of this machine; "
                "such dependencies are not supported yet",
                hint=f"import it with: ff import-url {dep.path}",
            )
        path = os.path.normpath(os.path.join(owner.wdir, dep.path))
        legacy = dep.legacy and dep.oid is not None
        built = examiner.current(path, legacy=legacy)
        if built is not None and legacy and built.oid != dep.oid:
            legacy = False  # content of DVC 2 that changed gets DVC 3's hash
            built = examiner.current(path)
        if built is None:
            raise DependencyMissingError(
                f"dependency '{project.display(path)}' of stage '{owner.addressing}' does not exist",
                hint="bring tracked data with: ff pull",
            )
        found.append(
            Dependency(
                dep.path,
                built.oid,
                legacy,
                built.size,
                built.nfiles if built.is_directory else None,
                built.isexec,
            )
        )
    return tuple(found)


def current_parameters(project: "Project", owner: Owner, examiner: Examiner) -> dict[str, dict[str, Any]]:
    """The values of now of the parameters that a stage declares, by file, then by key.

    Raises:
        ParameterMissingError: a file or a key is not there.
        InvalidFileError: a file cannot be read.
    """
    found: dict[str, dict[str, Any]] = {}
    for spec in owner.params_wanted:
        file = spec.file or locks.DEFAULT_PARAMS
        path = os.path.normpath(os.path.join(owner.wdir, file))
        shown = project.display(path)
        if not os.path.isfile(path):
            raise ParameterMissingError(
                f"parameters file '{shown}' of stage '{owner.addressing}' does not exist"
            )
        values = examiner.parameters(path)
        keys = spec.keys if spec.keys is not None else tuple(values)
        missing = [key for key in keys if lookup(values, key, _ABSENT) is _ABSENT]
        if missing:
            raise ParameterMissingError(
                f"parameters {', '.join(map(repr, missing))} of stage '{owner.addressing}' "
                f"are missing from '{shown}'"
            )
        found[file] = {key: plain(lookup(values, key)) for key in keys}
    return found


def entry_of(
    owner: Owner,
    deps: Iterable[Dependency],
    params: Mapping[str, Mapping[str, Any]],
    outs: Iterable[Output],
) -> LockEntry:
    """The lock entry of a stage."""
    return LockEntry(owner.cmd or "", tuple(deps), params, tuple(outs))


def write_entry(project: "Project", op: "Operation", owner: Owner, entry: LockEntry) -> str | None:
    """Write a stage's entry into the ``dvc.lock`` beside its ``dvc.yaml``, durably.

    Returns:
        The absolute path of the file; None when its bytes are what they were.

    Raises:
        InvalidFileError: the file that is there cannot be understood.
        DeniedError, ExhaustedError: it cannot be written; it is as it was.
    """
    path = os.path.join(os.path.dirname(owner.file), LOCK_FILE)
    old = read_owner_file(project.root, path) or b""
    new = locks.update(old, owner.name or "", entry, project.relpath(path))
    if new == old:
        return None
    op.will_write(path)
    try:
        write_atomic(path, new)
    except OSError as error:
        raise from_os_error(error, f"writing {project.display(path)}") from error
    return path
