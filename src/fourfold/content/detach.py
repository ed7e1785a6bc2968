"""Detach: give workspace files that share their bytes with the cache bytes of their own.

A hard link or a symbolic link into the store is replaced by a private, writable copy: made in staging,
flushed, then renamed over the link, so that the path always holds the content and a process that is killed
leaves nothing among the data. Links that the user
made to other places, and files that are private already, are left alone (a private file becomes
writable). Nothing is hashed: the bytes are those that the workspace shows now.
"""

import os
import shutil
import stat

from fourfold.base.errors import from_os_error
from fourfold.base.events import Advanced, PhaseEnded, PhaseStarted, Sink, silent
from fourfold.base.fs.platform import CREATE_NEW, READ, UPDATE, clone_file
from fourfold.content.staging import Staging

_BATCH = 256


def detach_files(path: str, store_root: str, staging: str, *, events: Sink = silent) -> int:
    """Make the file at ``path``, or every file below it, private and writable.

    Args:
        path: Absolute path in the workspace; what is not there needs nothing.
        store_root: The folder of the store: only symbolic links that lead into it are replaced.
        staging: Where copies are made when it is on the same file system: `Staging`.
        events: Hears the phase "unlinking".

    Returns:
        How many files were copied.

    Raises:
        ExhaustedError, DeniedError: a file could not be copied; it is what it was.
    """
    home = os.path.realpath(store_root)
    try:
        shared = [file for file in _files(path) if _settle(file, home)]
        if not shared:
            return 0
        events(PhaseStarted("unlinking", len(shared)))
        with Staging(staging, os.path.dirname(path)) as place:
            for start in range(0, len(shared), _BATCH):
                _replace(shared[start : start + _BATCH], place)
                events(Advanced("unlinking", min(_BATCH, len(shared) - start)))
        events(PhaseEnded("unlinking"))
    except OSError as error:
        raise from_os_error(error, f"making {path} private") from error
    return len(shared)


def _files(path: str) -> list[str]:
    if os.path.islink(path) or not os.path.isdir(path):
        return [path] if os.path.lexists(path) else []
    return [os.path.join(folder, name) for folder, _folders, names in os.walk(path) for name in names]


def _settle(path: str, home: str) -> bool:
    """Whether the file must be copied; makes one that need not be copied writable."""
    info = os.lstat(path)
    if stat.S_ISLNK(info.st_mode):
        target = os.path.realpath(path)
        return target.startswith(home + os.sep) and os.path.isfile(target)
    if not stat.S_ISREG(info.st_mode):
        return False
    if info.st_nlink > 1:
        return True
    if not info.st_mode & stat.S_IWUSR:
        os.chmod(path, stat.S_IMODE(info.st_mode) | stat.S_IWUSR)
    return False


def _replace(paths: list[str], staging: Staging) -> None:
    """Copy a batch of files, make the copies durable together, rename them into place."""
    for number, path in enumerate(paths):
        _copy(path, staging.slot(number))
    staging.flush(len(paths))
    for number, path in enumerate(paths):
        os.replace(staging.slot(number), path)


def _copy(source: str, target: str) -> None:
    fd = os.open(source, READ)
    try:
        out = os.open(target, UPDATE | CREATE_NEW, 0o666)
        with os.fdopen(out, "wb") as file, os.fdopen(os.dup(fd), "rb") as content:
            if not clone_file(fd, out):
                shutil.copyfileobj(content, file, 1 << 20)
            if os.fstat(fd).st_mode & stat.S_IXUSR:
                file.flush()
                os.chmod(target, stat.S_IMODE(os.fstat(out).st_mode) | stat.S_IXUSR)
    finally:
        os.close(fd)
