"""Declaring data sets and looking at them again: the only part of `datasets` that asks their sources.

``dvc.yaml`` gets what is meant, ``dvc.lock`` the commit, or the tags and versions, that were found; no data
is brought. The verbs are `add_dataset` and `update_dataset`.
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import ConflictError, NotFoundError, UnsupportedError, UsageError
from fourfold.formats.dvc import datasets as entries
from fourfold.formats.dvc.datasets import DatasetLock, DatasetSpec
from fourfold.formats.dvc.pointer import RepoSource
from fourfold.project.datasets import Dataset, Datasets
from fourfold.project.files import read_owner_file
from fourfold.project.importsources import reopen
from fourfold.project.locks import project_lock
from fourfold.project.oplog import Operation, operation
from fourfold.project.outs import LOCK_FILE, PIPELINE_FILE
from fourfold.project.staging import Staged, stage_changes
from fourfold.project.urls import contents, heads_of, locate, tag_of

if TYPE_CHECKING:
    from fourfold.project.project import Project

#: Kinds of URL whose objects DVC knows by tag and version.
_VERSIONED = frozenset({"s3", "s3a", "gs", "gcs", "azure"})


class DatasetExistsError(ConflictError):
    """There is a data set of that name already."""

    code = "data-set-exists"


class DatachainError(UnsupportedError):
    """A DataChain data set can only be looked at by DataChain itself."""

    code = "datachain-data-set"


class UnversionedDatasetError(UnsupportedError):
    """A data set cannot be at a URL of that kind: it has neither tags nor versions."""

    code = "data-set-without-versions"


class UnversionedRepositoryError(NotFoundError):
    """A data set is to follow a repository that has no commits."""

    code = "source-without-commits"


class DatasetOptionError(UsageError):
    """An option does not go with that kind of data set."""

    code = "data-set-option"
    exit_code = 255


class DatasetChange(NamedTuple):
    """What was declared, or found anew.

    Attributes:
        old: What was known before; None of a new data set.
        new: What is known now.
        staged: What belongs into the next commit.
    """

    old: Dataset | None
    new: Dataset
    staged: Staged

    @property
    def changed(self) -> bool:
        """Whether anything is other than before."""
        return self.old is None or (self.old.spec, self.old.lock) != (self.new.spec, self.new.lock)

    @property
    def files(self) -> dict[str, str]:
        """Objects of a URL that are other than before, each with ``added``, ``modified`` or ``deleted``."""
        old = _rows(self.old.lock if self.old else None)
        new = _rows(self.new.lock)
        found = {name: "added" for name in new if name not in old}
        found |= {name: "deleted" for name in old if name not in new}
        return found | {name: "modified" for name in new if name in old and old[name] != new[name]}


def _rows(lock: DatasetLock | None) -> dict[str, Mapping[str, object]]:
    return {row["relpath"]: row["meta"] for row in lock.files} if lock else {}


def add_dataset(project: "Project", spec: DatasetSpec, *, force: bool = False) -> DatasetChange:
    """Declare a data set in the ``dvc.yaml`` where the user stands, and note what it is now.

    Args:
        project: Whose.
        spec: What to declare.
        force: Replace the data set of that name.

    Raises:
        DatasetExistsError: there is one of that name, and ``force`` was not given.
        DatasetOptionError: the name is empty.
        DatachainError, UnversionedDatasetError: it cannot be looked at.
        FourfoldError: its source cannot be asked, or a file cannot be understood; nothing was changed.
    """
    if not spec.name or "\0" in spec.name or "\n" in spec.name:
        raise DatasetOptionError(
            f"{spec.name!r} is no name of a data set", hint="use letters, digits and '-'"
        )
    with project_lock(project), operation(project, "dataset add", [spec.name]) as op:
        known = Datasets(project).find(spec.name)
        if known is not None and not force:
            where = project.display(known.file)
            raise DatasetExistsError(
                f"{spec.name} already exists in {where}", hint="replace it with the option --force"
            )
        file = os.path.join(project.cwd, PIPELINE_FILE)
        new = Dataset(file, spec, _look(project, spec, file))
        return DatasetChange(None, new, _write(project, op, None, new))


def update_dataset(project: "Project", name: str, *, rev: str | None = None) -> DatasetChange:
    """Note what a data set is now.

    Args:
        project: Whose.
        name: Without ``ds://``.
        rev: The branch, tag or commit to follow from now on.

    Raises:
        DatasetNotFoundError: there is none of that name.
        DatasetOptionError: ``rev`` is not for that kind of data set.
        DatachainError, UnversionedDatasetError: it cannot be looked at.
        FourfoldError: its source cannot be asked, or a file cannot be understood; nothing was changed.
    """
    words = [name, *(["--rev", rev] if rev else [])]
    with project_lock(project), operation(project, "dataset update", words) as op:
        old = Datasets(project).get(name)
        if rev and old.spec.type == "url":
            raise DatasetOptionError(
                f"data set '{name}' is at a URL, which has no revisions", hint="leave out --rev"
            )
        spec = old.spec._replace(rev=rev) if rev and old.spec.type == "dvc" else old.spec
        new = Dataset(old.file, spec, _look(project, spec, old.file))
        return DatasetChange(old, new, _write(project, op, old, new))


def _look(project: "Project", spec: DatasetSpec, file: str) -> DatasetLock:
    """What a data set is now."""
    if spec.type == "dc":
        raise DatachainError(
            f"data set '{spec.name}' is one of DataChain, which is asked by DataChain itself",
            hint="what 'dvc.lock' says of it is read; to look at it anew, use DVC with 'datachain' installed",
        )
    if spec.type == "dvc":
        repo = RepoSource(spec.url, rev=spec.rev)
        folders = [project.cwd, os.path.dirname(file), project.root]
        commit = reopen(project, repo, folders, rev=spec.rev).rev
        if commit is None:
            raise UnversionedRepositoryError(f"the repository at '{spec.url}' has no commits")
        return DatasetLock(spec, rev_lock=commit)
    return _look_at_url(project, spec, file)


def _look_at_url(project: "Project", spec: DatasetSpec, file: str) -> DatasetLock:
    place = locate(project, spec.url, base=os.path.dirname(file), committed=project.relpath(file))
    if place.path is not None or place.scheme not in _VERSIONED:
        raise UnversionedDatasetError(
            f"'{place.url}' keeps neither tags nor versions: it cannot be a data set",
            hint="name it in the 'deps' of the stage instead; data sets are at s3://, gs:// and azure://",
        )
    infos, is_dir = contents(place)
    heads = heads_of(place, infos)
    if not is_dir:
        (head,) = heads
        meta = entries.meta_document(size=head.size, version_id=head.version, etag=tag_of(place.scheme, head))
        return DatasetLock(spec, meta=meta)
    cut = len(place.key) + 1 if place.key else 0
    rows = tuple(
        {
            "relpath": head.key[cut:],
            "meta": entries.meta_document(
                size=head.size, version_id=head.version, etag=tag_of(place.scheme, head)
            ),
        }
        for head in heads
    )
    meta = entries.meta_document(isdir=True, size=sum(head.size for head in heads), nfiles=len(heads))
    return DatasetLock(spec, meta=meta, files=tuple(sorted(rows, key=lambda row: str(row["relpath"]))))


def _write(project: "Project", op: Operation, old: Dataset | None, new: Dataset) -> Staged:
    """Write what is other than before into ``dvc.yaml`` and ``dvc.lock``."""
    changed = []
    if old is None or old.spec != new.spec:
        changed.append((new.file, True))
    if old is None or old.lock != new.lock:
        changed.append((os.path.join(os.path.dirname(new.file), LOCK_FILE), False))
    todo = []
    for path, is_spec in changed:
        before = read_owner_file(project.root, path) or b""
        source = project.relpath(path)
        if is_spec:
            after = entries.put_spec(before, new.spec, source)
        elif new.lock is not None:
            after = entries.put_lock(before, new.lock, source)
        todo.append((path, after))
    for path, after in todo:
        op.write(path, after)
    return stage_changes(project, [path for path, _after in todo])
