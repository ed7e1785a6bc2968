"""The ``fourfold.lock`` beside a ``dvc.yaml``: read, and changed within an operation.

Here, and not in `fourfold.runs`, because stages leave a project without anything being run. What an entry
says is `fourfold.runs.lockfile`.
"""

import os
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from fourfold.formats.native.lockfile import LOCK_NAME, LockBook, LockDocument, LockStage, parse
from fourfold.project.files import read_owner_file
from fourfold.project.outs import PIPELINE_FILE, folders_above
from fourfold.project.project import DVC_DIR

if TYPE_CHECKING:
    from fourfold.project.oplog import Operation
    from fourfold.project.project import Project


def lock_path(pipeline_file: str) -> str:
    """The ``fourfold.lock`` of a ``dvc.yaml``."""
    return os.path.join(os.path.dirname(pipeline_file), LOCK_NAME)


def read_lock(project: "Project", pipeline_file: str) -> LockDocument:
    """What the ``fourfold.lock`` of a ``dvc.yaml`` says; where there is none, it has no stages.

    Raises:
        InvalidFileError: it cannot be understood.
    """
    path = lock_path(pipeline_file)
    data = read_owner_file(project.root, path)
    return parse(data, project.relpath(path)) if data else LockDocument({})


def files_at(
    project: "Project", commit: str, names: Collection[str], known: dict[str, bytes]
) -> dict[str, bytes]:
    """The files of some names that a commit has in the project, by their paths from its root.

    Links are none, and neither is what lies in a project within it.

    Args:
        project: Whose; it has a Git repository.
        commit: Full id.
        names: As their folders call them.
        known: What earlier calls read, by Git's id; this call adds to it.

    Raises:
        FourfoldError: Git cannot read one.
    """
    git = project.git
    if git is None:
        return {}
    top = os.path.relpath(project.root, git.root).replace(os.sep, "/")
    prefix = "" if top == "." else f"{top}/"
    tree = git.ls_tree(commit, prefix)
    mark = f"/{DVC_DIR}/"
    others = {one.path.partition(mark)[0] for one in tree if mark in one.path[len(prefix) :]}
    listed = [
        one
        for one in tree
        if one.path.rpartition("/")[2] in names
        and one.mode.startswith("100")
        and others.isdisjoint(folders_above(one.path))
    ]
    new = {one.path: one.oid for one in listed if one.oid not in known}
    for path, data in git.read_many(commit, new).items():
        known[new[path]] = data
    return {one.path.removeprefix(prefix): known[one.oid] for one in listed if one.oid in known}


def locks_at(project: "Project", rev: str) -> dict[str, LockDocument]:
    """Every ``fourfold.lock`` of a revision, by the ``dvc.yaml`` beside it (absolute).

    Raises:
        UnknownRevisionError: there is no such revision.
        InvalidFileError: one cannot be understood.
    """
    if project.git is None:
        return {}
    files = files_at(project, project.git.resolve(rev), (LOCK_NAME,), {})
    return {
        os.path.join(project.root, os.path.dirname(path), PIPELINE_FILE): parse(data, f"{path} of {rev}")
        for path, data in files.items()
    }


def change_lock(
    project: "Project",
    op: "Operation",
    pipeline_file: str,
    changes: Mapping[str, LockStage | None],
    book: LockBook | None = None,
) -> str | None:
    """Say stages of a ``dvc.yaml`` anew, or with None let them go: durable, whole or not at all, undoable.

    Args:
        project: Whose.
        op: The running operation.
        pipeline_file: The ``dvc.yaml``, absolute.
        changes: By name of the stage, as that file calls it.
        book: Of the run, which spares reading the file as YAML for each of many stages.

    Returns:
        The absolute path of the ``fourfold.lock``; None when its bytes are what they were.

    Raises:
        InvalidFileError: the file that is there cannot be understood; it is as it was.
        DeniedError, ExhaustedError: it cannot be written; it is as it was.
    """
    path = lock_path(pipeline_file)
    old = read_owner_file(project.root, path)
    if old is None and not any(changes.values()):
        return None
    new = (book or LockBook()).updated(path, old or b"", changes, project.relpath(path))
    if new == old:
        return None
    op.write(path, new)
    return path
