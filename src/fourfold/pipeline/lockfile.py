"""What a stage ran with, as its entry in ``dvc.lock``: made from the workspace, written in DVC's bytes."""

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from fourfold.base.errors import NotFoundError
from fourfold.formats.dvc import lock as locks
from fourfold.formats.dvc.lock import LockEntry
from fourfold.formats.dvc.lock_text import LockText, cut
from fourfold.formats.dvc.pointer import Dependency, Output
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


def current_dependencies(project: "Project", owner: Owner, examiner: Examiner) -> tuple[Dependency, ...]:
    """The dependencies of a stage with their content of now.

    Raises:
        DependencyMissingError: one is not there.
        ExternalUnknownError: what is at a URL cannot be told.
        DatasetNotFoundError, DatasetNotInSyncError: a data set is not declared, or not locked.
    """
    found = []
    for dep in owner.deps:
        if "://" in dep.path:
            current = examiner.elsewhere.now(owner, dep)
            if current is None:
                raise _missing(owner, dep.path, "has it moved? the stage names it in 'deps'")
            found.append(current)
            continue
        path = os.path.normpath(os.path.join(owner.wdir, dep.path))
        legacy = dep.legacy and dep.oid is not None
        built = examiner.current(path, legacy=legacy)
        if built is not None and legacy and built.oid != dep.oid:
            legacy = False  # content of DVC 2 that changed gets DVC 3's hash
            built = examiner.current(path)
        if built is None:
            raise _missing(owner, project.display(path), "bring tracked data with: ff pull")
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


def _missing(owner: Owner, shown: str, hint: str) -> DependencyMissingError:
    return DependencyMissingError(
        f"dependency '{shown}' of stage '{owner.addressing}' does not exist", hint=hint
    )


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


class LockBook:
    """The lock files that one run writes again and again: their text is cut once, not once a stage.

    Args:
        rank: The place of each stage in the run, by file of the pipeline, then by name; see
            `fourfold.formats.dvc.lock.update_many`.
    """

    def __init__(self, rank: Mapping[str, Mapping[str, int]] | None = None) -> None:
        self._rank = rank or {}
        self._texts: dict[str, tuple[bytes, LockText | None]] = {}

    def updated(self, path: str, old: bytes, owner: Owner, entry: LockEntry, source: str) -> bytes:
        """The bytes of the lock file at ``path``, which said ``old``, once a stage has run.

        Raises:
            InvalidFileError: ``old`` cannot be understood.
        """
        name, rank = owner.name or "", self._rank.get(owner.file)
        known, text = self._texts.get(path, (b"", None))
        if text is None or known != old:
            text = cut(old)
        if text is None:
            return locks.update_many(old, {name: entry}, source, rank)
        text.put(name, locks.entry_document(entry), rank)
        new = text.render()
        self._texts[path] = new, text
        return new


def write_entry(
    project: "Project", op: "Operation", owner: Owner, entry: LockEntry, book: LockBook | None = None
) -> str | None:
    """Write a stage's entry into the ``dvc.lock`` beside its ``dvc.yaml``, durably.

    Args:
        project: Whose.
        op: The running operation.
        owner: The stage.
        entry: What it ran with.
        book: Of the run, which spares reading the file as YAML for each of many stages.

    Returns:
        The absolute path of the file; None when its bytes are what they were.

    Raises:
        InvalidFileError: the file that is there cannot be understood.
        DeniedError, ExhaustedError: it cannot be written; it is as it was.
    """
    path = os.path.join(os.path.dirname(owner.file), LOCK_FILE)
    old = read_owner_file(project.root, path) or b""
    new = (book or LockBook()).updated(path, old, owner, entry, project.relpath(path))
    if new == old:
        return None
    op.write(path, new)
    return path
