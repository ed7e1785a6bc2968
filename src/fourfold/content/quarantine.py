"""Quarantine: where damaged objects of a store go instead of being deleted.

They keep their bytes and lose their name, so nothing finds them by accident, DVC included, which believes
every read-only object. They lie in ``.fourfold/quarantine`` below the store, one file each, until somebody
removes them by hand.
"""

import os

from fourfold.base.errors import from_os_error
from fourfold.base.fs.platform import sync_directory
from fourfold.base.ids import Oid, UnsafePathError
from fourfold.content.objects import OWN_DIRECTORY, ObjectStore

FOLDER = "quarantine"


def set_aside(store: ObjectStore, oid: Oid, *, legacy: bool = False) -> str | None:
    """Move an object out of the way, durably; its new path, or None when it was not there.

    Raises:
        UnsafePathError: somebody planted a symbolic link where the quarantine goes.
        FourfoldError: the system refuses; the object is where it was.
    """
    folder = f"{store.root}/{OWN_DIRECTORY}/{FOLDER}"
    source = store.path(oid, legacy=legacy)
    # The token keeps two damaged versions of one object apart.
    target = f"{folder}/{oid}{'.legacy' if legacy else ''}.{os.urandom(4).hex()}"
    if os.path.islink(folder) or os.path.islink(os.path.dirname(folder)):
        raise UnsafePathError(f"'{folder}' is a symbolic link", hint="remove it; that folder is ours to make")
    try:
        os.makedirs(folder, exist_ok=True)
        os.rename(source, target)
        sync_directory(folder)
        sync_directory(os.path.dirname(source))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise from_os_error(error, "moving a damaged object to quarantine") from error
    return target


def listing(store: ObjectStore) -> list[str]:
    """The files in quarantine, sorted."""
    folder = f"{store.root}/{OWN_DIRECTORY}/{FOLDER}"
    try:
        return [f"{folder}/{name}" for name in sorted(os.listdir(folder))]
    except OSError:
        return []
