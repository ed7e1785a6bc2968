"""Leases: who writes to an object store at this moment, and sweeping what the dead left.

A writer holds a kernel lock on a small file that bears the token of its hidden files. The file of a writer
that died is free: the next writer removes what bears its token. Nothing here knows objects.
"""

import os

from fourfold.base.fs.atomic import is_temp_name
from fourfold.base.fs.platform import CREATE, UPDATE, try_lock
from fourfold.content import gate
from fourfold.content.objects import OWN_DIRECTORY, PREFIXES, ObjectStore

#: What the name of a lease ends with until it is locked.
_NEW = ".new"


class Lease:
    """The right to write hidden files with one token; taken when made, with the litter of the dead swept.

    Raises:
        OSError: the store's folder cannot be written.
    """

    def __init__(self, store: ObjectStore, token: str) -> None:
        self._store = store
        self._own = f"{store.root}/{OWN_DIRECTORY}"
        self._token = token
        make_shared(store, store.root)
        self._gate = gate.enter(store.root)  # whoever removes objects finishes first
        try:
            sweep(store)
            fd: int | None = None
            while fd is None:
                fd = self._take()
        except BaseException:
            gate.leave(self._gate)
            raise
        self._fd = fd

    def _take(self) -> int | None:
        """A lease that bears its name only once it is locked, so that no sweep takes it for a dead one's.

        Returns:
            The open handle; None when another writer swept the folder or the new file at that moment.
        """
        make_shared(self._store, self._own)
        new = f"{self._own}/{self._token}{_NEW}"
        try:
            fd = os.open(new, UPDATE | CREATE, 0o666)
        except FileNotFoundError:
            return None
        try:
            try_lock(fd, wait=True)  # a sweep may be looking at it
            os.rename(new, f"{self._own}/{self._token}.lease")
        except FileNotFoundError:
            os.close(fd)
            return None
        except BaseException:
            os.close(fd)
            unlink_quietly(new)
            raise
        return fd

    def release(self, *, littered: bool) -> None:
        """Give the lease back; with ``littered``, its file stays for the next writer to sweep by."""
        lease = f"{self._own}/{self._token}.lease"
        if not littered and not unlink_quietly(lease):
            unlink_quietly(lease)  # once more, for what passes by itself; the next writer takes it else
        os.close(self._fd)
        gate.leave(self._gate)
        _rmdir_quietly(self._own)


def make_shared(store: ObjectStore, folder: str) -> None:
    """A folder in which everybody of its group may write; no more than a folder where nothing is shared."""
    if not os.path.isdir(folder):
        os.makedirs(folder, exist_ok=True)
        if store.shared:
            os.chmod(folder, store.folder_mode)


def live_leases(store: ObjectStore) -> list[str]:
    """The tokens of the writers that are at work in the store at this moment, this process included."""
    own = f"{store.root}/{OWN_DIRECTORY}"
    return [token for token in _leases(store) if not _is_dead(f"{own}/{token}.lease")]


def sweep(store: ObjectStore) -> int:
    """Remove what writers that died left: their hidden files and leases; returns how many files.

    Costs one look at a folder that is there only while somebody writes, or died writing. May be called at
    any time: the living hold locks.
    """
    own = f"{store.root}/{OWN_DIRECTORY}"
    names = _listdir_quietly(own)
    dead = [name for name in names if name.endswith((".lease", _NEW)) and _is_dead(f"{own}/{name}")]
    removed = 0
    if suffixes := tuple(f".{name[:-6]}.tmp" for name in dead if name.endswith(".lease")):
        for base in (store.base(), store.base(legacy=True)):
            for folder in (base, *(f"{base}/{prefix}" for prefix in PREFIXES)):
                for name in _listdir_quietly(folder):
                    if name.endswith(suffixes) and is_temp_name(name):
                        removed += unlink_quietly(f"{folder}/{name}")
    for name in dead:
        unlink_quietly(f"{own}/{name}")
    if len(dead) == len(names) and os.path.isdir(own):
        _rmdir_quietly(own)
    return removed


def _leases(store: ObjectStore) -> list[str]:
    return [
        name[:-6] for name in _listdir_quietly(f"{store.root}/{OWN_DIRECTORY}") if name.endswith(".lease")
    ]


def _is_dead(path: str) -> bool:
    """Whether the writer of a lease is gone: the kernel gave its lock to us."""
    try:
        fd = os.open(path, UPDATE)
    except OSError:
        return False
    try:
        return try_lock(fd)
    finally:
        os.close(fd)


def _listdir_quietly(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except OSError:
        return []


def unlink_quietly(path: str) -> bool:
    """Remove a file that the next sweep finds again; whether it is gone now by this call."""
    try:
        os.unlink(path)
    except OSError:
        return False
    return True


def _rmdir_quietly(path: str) -> None:
    try:
        os.rmdir(path)
    except OSError:
        return
