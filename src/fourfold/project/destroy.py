"""Destroy: take everything of DVC out of a folder, and leave the data.

The one verb that cannot be taken back: the operation log and the cache go with the rest. So every
link into the cache becomes a file of its own before anything is removed, and ``.dvc`` itself goes last:
a process that is killed leaves a project, in which the same command goes on.
"""

import os
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import from_os_error
from fourfold.base.events import Sink, silent
from fourfold.project.files import load_tracked
from fourfold.project.locks import project_lock
from fourfold.project.nativelock import lock_path
from fourfold.project.outs import LOCK_FILE
from fourfold.project.unprotect import detach

if TYPE_CHECKING:
    from fourfold.project.project import Project


class DestroyResult(NamedTuple):
    """What `destroy` removed: absolute paths of files, and of ``.dvc``."""

    removed: tuple[str, ...]


def destroy(project: "Project", *, events: Sink = silent) -> DestroyResult:
    """Remove pointer files, pipelines, ``.dvcignore`` and ``.dvc`` with its cache; data stays.

    A cache that is configured to lie elsewhere stays where it is.

    Raises:
        InvalidFileError, UnsafePathError: a pointer file is broken; nothing was removed.
        RepositoryLockedError: another process works on the project.
        DeniedError, ExhaustedError: the file system refuses.
    """
    with project_lock(project):
        tracking = load_tracked(project)
        for out in tracking.outs:
            if out.output.cache:
                detach(project, out.path, events=events)
        files = {owner.file for owner in tracking.owners}
        for owner in tracking.owners:
            if owner.is_stage:
                files |= {os.path.join(os.path.dirname(owner.file), LOCK_FILE), lock_path(owner.file)}
        files.add(os.path.join(project.root, ".dvcignore"))
        removed = [path for path in sorted(files) if os.path.lexists(path)]
        try:
            for path in removed:
                with suppress(FileNotFoundError):
                    os.unlink(path)
            _empty(project.dvc_dir, but=os.path.basename(project.tmp_dir))
        except OSError as error:
            raise from_os_error(error, "removing the project") from error
    try:
        shutil.rmtree(project.dvc_dir)  # with the lock, which is free now
    except OSError as error:
        raise from_os_error(error, f"emptying {project.dvc_dir}") from error
    return DestroyResult((*removed, project.dvc_dir))


def _empty(folder: str, *, but: str) -> None:
    """Remove everything in a folder, but for one name; a symbolic link goes, what it leads to stays."""
    with os.scandir(folder) as entries:
        doomed = [entry for entry in entries if entry.name != but]
    for entry in doomed:
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            os.unlink(entry.path)
