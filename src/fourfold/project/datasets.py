"""Data sets: what ``ds://name`` in the dependencies of a stage stands for, and whether it moved.

Reads ``datasets:`` of every ``dvc.yaml`` and of the ``dvc.lock`` beside it, and asks nobody: what a data set
was when it was last looked at is all that a stage compares with. Looking again is `dataset_edit`; the entries
themselves are `fourfold.formats.dvc.datasets`.
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from fourfold.base.errors import ConflictError, NotFoundError
from fourfold.base.suggest import did_you_mean
from fourfold.formats.dvc import datasets as entries
from fourfold.formats.dvc import lock as locks
from fourfold.formats.dvc import stages
from fourfold.formats.dvc.datasets import DatasetLock, DatasetSpec
from fourfold.project.files import load_tracked, read_owner_file
from fourfold.project.outs import LOCK_FILE
from fourfold.project.stagefiles import pipeline_file

if TYPE_CHECKING:
    from fourfold.project.project import Project

#: A data set of which ``dvc.lock`` says nothing, or something about another place.
NOT_IN_SYNC = "not in sync"


class DatasetNotFoundError(NotFoundError):
    """No ``dvc.yaml`` declares a data set of that name."""

    code = "data-set-not-found"
    exit_code = 1


class DatasetNotInSyncError(ConflictError):
    """What ``dvc.lock`` says of a data set is missing, or is about another place than ``dvc.yaml`` names."""

    code = "data-set-not-in-sync"


class Dataset(NamedTuple):
    """One data set of a project.

    Attributes:
        file: Absolute path of the ``dvc.yaml`` that declares it.
        spec: What it says.
        lock: What that was; None when nothing is known, or ``stale``.
        stale: Whether ``dvc.lock`` has an entry of that name about something else.
    """

    file: str
    spec: DatasetSpec
    lock: DatasetLock | None = None
    stale: bool = False


class Datasets:
    """The data sets of a project; files are read when a name is looked for.

    Args:
        project: Whose.
    """

    def __init__(self, project: "Project") -> None:
        self._project = project
        self._files: dict[str, dict[str, Dataset]] = {}
        self._whole = False

    def all(self) -> dict[str, Dataset]:
        """Every data set, by name.

        Raises:
            InvalidFileError: a file cannot be understood.
        """
        if not self._whole:
            for relpath in load_tracked(self._project, strict=False).pipelines:
                self._load(os.path.join(self._project.root, relpath))
            self._whole = True
        return {name: found for file in self._files.values() for name, found in file.items()}

    def find(self, name: str, beside: str | None = None) -> Dataset | None:
        """A data set by its name; None when none is called so.

        Args:
            name: Without ``ds://``.
            beside: The ``dvc.yaml`` that asks: its own data sets come first.

        Raises:
            InvalidFileError: a file cannot be understood.
        """
        if beside is not None:
            own = self._load(beside).get(name)
            if own is not None:
                return own
        return self.all().get(name)

    def get(self, name: str, beside: str | None = None) -> Dataset:
        """As `find`.

        Raises:
            DatasetNotFoundError: none is called so.
            InvalidFileError: a file cannot be understood.
        """
        found = self.find(name, beside)
        if found is None:
            hint = did_you_mean(name, self.all(), f"declare it with: ff dataset add {name} --dvc <url>")
            raise DatasetNotFoundError(f"dataset not found: '{name}'", hint=hint)
        return found

    def lock_of(self, beside: str, name: str) -> dict[str, Any]:
        """What a stage that runs now records of a data set.

        Raises:
            DatasetNotFoundError: there is none.
            DatasetNotInSyncError: it has to be looked at first.
            InvalidFileError: a file cannot be understood.
        """
        found = self.get(name, beside)
        if found.lock is None:
            if found.stale:
                problem = f"what 'dvc.lock' says of data set '{name}' is not about what 'dvc.yaml' names"
            else:
                problem = f"'dvc.lock' says nothing of data set '{name}'"
            raise DatasetNotInSyncError(problem, hint=f"look at it with: ff dataset update {name}")
        return entries.lock_document(found.lock)

    def state(self, beside: str, name: str, recorded: Mapping[str, Any] | None) -> tuple[str, str, str]:
        """How a data set differs from what a stage recorded, what that was, and what it is now.

        The word is DVC's: ``new``, ``modified``, `NOT_IN_SYNC` where it has to be looked at first; empty
        when there is no difference.

        Raises:
            DatasetNotFoundError: there is none.
            InvalidFileError: a file cannot be understood.
        """
        found = self.get(name, beside)
        if found.lock is None:
            return NOT_IN_SYNC, "", ""
        then = entries.lock_of(recorded) if recorded else None
        now = entries.mark_of(found.lock)
        if then is None:
            return "new", "", now
        return "modified" if then != found.lock else "", entries.mark_of(then), now

    def _load(self, path: str) -> dict[str, Dataset]:
        if path not in self._files:
            self._files[path] = self._read(path)
        return self._files[path]

    def _read(self, path: str) -> dict[str, Dataset]:
        project = self._project
        data = read_owner_file(project.root, path)
        if data is None:
            return {}
        shown = project.relpath(path)
        value = _declared(project, path, data)
        specs = entries.parse_specs(value, data, shown)
        lock_path = os.path.join(os.path.dirname(path), LOCK_FILE)
        lock_data = read_owner_file(project.root, lock_path) if specs else None
        known: dict[str, DatasetLock] = {}
        if lock_data is not None:
            source = project.relpath(lock_path)
            value = locks.parse(lock_data, source).datasets
            known = {lock.spec.name: lock for lock in reversed(entries.parse_locks(value, lock_data, source))}
        found = {}
        for spec in specs:
            lock = known.get(spec.name)
            stale = lock is not None and lock.spec != spec
            found[spec.name] = Dataset(path, spec, None if stale else lock, stale)
        return found


def _declared(project: "Project", path: str, data: bytes) -> Any:
    """What stands under ``datasets`` of a ``dvc.yaml``, its templates resolved."""
    read = lambda name: read_owner_file(project.root, name)  # noqa: E731 - a name for a parameter
    file = stages.parse(data, project.relpath(path))
    if file.templated_lists:
        file = pipeline_file(project.root, path, data, read, project.config)
    return file.datasets
