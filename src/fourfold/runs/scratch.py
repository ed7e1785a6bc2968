"""Folders of ours that serve one process: claimed under a lock of the kernel, swept once nobody holds it.

A process that is killed leaves its folder; the next that claims one beside it removes it. Whose process runs
elsewhere (in a container, on another machine) is seen by the lock alone; whether one of that id runs here
only keeps a folder that its maker is about to lock.
"""

import os
import shutil
from contextlib import suppress

from fourfold.base.clock import SYSTEM
from fourfold.base.errors import from_os_error
from fourfold.base.fs.atomic import temp_token
from fourfold.base.fs.platform import lock, open_folder, try_lock
from fourfold.project.locks import is_alive

#: In a folder that stays when its process is gone.
KEPT = "kept"
#: A folder without a lock is locked by now, or its maker is gone whoever has that id; in nanoseconds.
_SETTLED = 60 * 10**9
_held: dict[str, int] = {}


def claim(top: str) -> str:
    """Make a folder for this process, once what others left is removed.

    Args:
        top: Absolute; is there.

    Raises:
        FourfoldError: the file system refuses.
    """
    _sweep(top)
    path = os.path.join(top, f"{os.getpid()}-{temp_token()}")
    try:
        os.mkdir(path, 0o700)
        fd = open_folder(path)
    except OSError as error:
        raise from_os_error(error, f"creating {path}") from error
    if fd is not None:
        if try_lock(fd, wait=True):  # somebody who sweeps may look at it for a moment
            _held[path] = fd
        else:
            os.close(fd)
    return path


def release(path: str) -> None:
    """Give a claimed folder up, and let it stay if it is marked so; it is swept else."""
    fd = _held.pop(path, None)
    if fd is not None:
        os.close(fd)


def drop(path: str) -> None:
    """Remove a claimed folder, and all that is in it."""
    remove(path)
    release(path)


def remove(path: str) -> None:
    """Remove a file or a folder with all that is in it, also what nobody may write or look into."""
    if os.path.islink(path) or not os.path.isdir(path):
        with suppress(OSError):
            os.unlink(path)
        return
    shutil.rmtree(path, ignore_errors=True)
    if os.path.isdir(path):
        _open_up(path)
        for folder, folders, _files in os.walk(path):
            for name in folders:
                _open_up(os.path.join(folder, name))
        shutil.rmtree(path, ignore_errors=True)


def empty(folder: str) -> None:
    """Remove all that is in a folder."""
    with suppress(OSError):
        for name in os.listdir(folder):
            remove(os.path.join(folder, name))


def _open_up(folder: str) -> None:
    if not os.path.islink(folder):  # what it leads to is not ours
        with suppress(OSError):
            os.chmod(folder, 0o700)


def _sweep(top: str) -> None:
    """Remove what processes left that are gone."""
    try:
        names = os.listdir(top)
    except OSError:
        return
    for name in names:
        path = os.path.join(top, name)
        if path not in _held and not os.path.lexists(os.path.join(path, KEPT)) and _is_left(path, name):
            remove(path)


def _is_left(path: str, name: str) -> bool:
    try:
        fd = open_folder(path, follow=False)
    except OSError:
        return True  # a file, or a link
    if fd is None:
        return not _is_of_living(name)
    try:
        if not lock(fd):
            return False
    except OSError:  # no locks here: of its process is known what its name says
        return not _is_of_living(name)
    else:
        return not _is_of_living(name) or SYSTEM.now_ns() - os.fstat(fd).st_mtime_ns > _SETTLED
    finally:
        os.close(fd)


def _is_of_living(name: str) -> bool:
    pid = name.partition("-")[0]
    return pid.isascii() and pid.isdecimal() and is_alive(int(pid))
