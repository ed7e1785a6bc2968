"""The ``fourfold.lock`` beside a ``dvc.yaml``: read, and changed within an operation.

Here, and not in `fourfold.runs`, because stages leave a project without anything being run. What an entry
says is `fourfold.runs.lockfile`.
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from fourfold.base.errors import from_os_error
from fourfold.base.fs.atomic import write_atomic
from fourfold.formats.native.lockfile import LOCK_NAME, LockBook, LockDocument, LockStage, parse
from fourfold.project.files import read_owner_file

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
    op.will_write(path)
    try:
        if new is None:
            os.unlink(path)
        else:
            write_atomic(path, new)
    except OSError as error:
        raise from_os_error(error, f"writing {project.display(path)}") from error
    return path
