"""The places of our own and of the cache inside a project, which a repository can plant links in.

Git carries symbolic links and archives carry anything: somebody's file to which ``.dvc/tmp/lock`` leads
would be overwritten, a folder to which ``.dvc/fourfold/trash`` leads would be emptied. A link that stays
in the project harms nobody; one that leads out of it is refused before anything is opened for writing.
"""

import os
import stat

from fourfold.base.errors import UnsafeError

#: Below ``.dvc``: whatever is opened for writing, or emptied, under a name that is known beforehand.
_PLACES = (
    *("", "/tmp", "/tmp/lock", "/tmp/rwlock", "/tmp/rwlock.lock"),  # noqa: S108 - below .dvc
    *("/fourfold", "/fourfold/index", "/fourfold/ops", "/fourfold/trash", "/fourfold/quarantine"),
)
_STORE_FOLDERS = ("", "/files", "/files/md5")


class PlantedLinkError(UnsafeError):
    """A symbolic link leads from a place of ours out of the project."""

    code = "planted-link"


def refuse_planted(root: str, dvc_dir: str) -> None:
    """Refuse links that would let us write outside of the project.

    Raises:
        PlantedLinkError: ``.dvc``, or a place of ours in it, leads out of ``root``.
    """
    for place in _PLACES:
        path = dvc_dir + place
        try:
            is_link = stat.S_ISLNK(os.lstat(path).st_mode)
        except OSError:
            continue  # not there, or a file where a folder should be: whoever needs it says so
        if is_link and not stays(path, root):
            raise _planted(path)


def refuse_links_in_store(store: str, root: str) -> None:
    """Refuse a store of objects inside the project in which a folder leads out of the store.

    Stores elsewhere are the user's own or were vetted; what links they hold is their owner's affair.

    Args:
        store: Absolute path of a cache, or of a remote that is a folder.
        root: The project's root.

    Raises:
        PlantedLinkError: something would be written or removed elsewhere.
    """
    if not stays(store, root):
        return
    for folder in _STORE_FOLDERS:
        try:
            entries = os.scandir(store + folder)
        except OSError:
            continue
        with entries:
            for entry in entries:
                if entry.is_symlink() and not stays(entry.path, store):
                    raise _planted(entry.path)


def stays(path: str, root: str) -> bool:
    """Whether a path, its links resolved, is a folder or lies in it."""
    real, home = os.path.realpath(path), os.path.realpath(root)
    return real == home or real.startswith(home.rstrip(os.sep) + os.sep)


def _planted(path: str) -> PlantedLinkError:
    return PlantedLinkError(
        f"'{path}' is a symbolic link to '{os.path.realpath(path)}'",
        hint="remove that link; to keep the cache elsewhere, run: ff cache dir --local <folder>",
    )
