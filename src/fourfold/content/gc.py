"""Garbage: the objects of a store or a remote that nobody keeps, found first and removed afterwards.

Finding never removes: a listing that fails part way has cost nothing. Only files that bear the name of an
object are garbage, and hidden temporary files that are a day old; whatever else lies in a store is not
ours to judge. Manifests go before files, so that an interruption leaves no manifest without its files.
Who may remove while others write is `gate`; what must be kept is the caller's to know. Why and how far
this follows DVC: docs/design/004-gc.md.
"""

import os
from collections.abc import Container, Iterable, Sequence
from typing import NamedTuple

from fourfold.base.errors import FourfoldError, from_os_error
from fourfold.base.events import Advanced, PhaseEnded, PhaseStarted, Sink, silent
from fourfold.base.fs.atomic import is_temp_name
from fourfold.base.ids import Oid, is_tree
from fourfold.content.leases import live_leases, sweep
from fourfold.content.objects import OWN_DIRECTORY, PREFIXES, ObjectStore, is_object_name
from fourfold.content.presence import key_of
from fourfold.storage.blob.protocol import BlobInfo, BlobStore

#: How long somebody else's temporary file, or a young object where there is a grace, is left alone.
GRACE_NS = 24 * 3600 * 1_000_000_000
_PAGE = 1000


class Garbage(NamedTuple):
    """Objects of one layout that nobody keeps.

    Attributes:
        oids: Their names, manifests first.
        size: Their bytes.
        spared: Objects that nobody keeps either, but that are too young to go.
    """

    oids: tuple[Oid, ...] = ()
    size: int = 0
    spared: int = 0


class Removed(NamedTuple):
    """What a removal did.

    Attributes:
        oids: Objects that are gone.
        failed: Those that are not, with the error.
    """

    oids: tuple[Oid, ...] = ()
    failed: tuple[tuple[Oid, FourfoldError], ...] = ()


def find_garbage(
    store: ObjectStore, keep: Container[str], *, legacy: bool = False, since_ns: int | None = None
) -> Garbage:
    """The objects of a store that are not in ``keep``.

    Args:
        store: Where.
        keep: The names of all objects that must stay.
        legacy: Of the 2.x layout.
        since_ns: Objects that came at this moment (nanoseconds since the epoch) or later are spared.

    Raises:
        FourfoldError: a folder could not be listed.
    """
    trees: list[Oid] = []
    files: list[Oid] = []
    size = spared = 0
    base = store.base(legacy=legacy)
    for prefix in PREFIXES:
        try:
            with os.scandir(f"{base}/{prefix}") as entries:
                for entry in entries:
                    name = prefix + entry.name
                    if name in keep or not is_object_name(name):
                        continue
                    info = entry.stat(follow_symlinks=False)
                    # A hard link keeps the user's mtime; arriving under this name always moves ctime.
                    if since_ns is not None and max(info.st_ctime_ns, info.st_mtime_ns) >= since_ns:
                        spared += 1
                        continue
                    (trees if name.endswith(".dir") else files).append(Oid(name))
                    size += info.st_size
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise from_os_error(error, "listing the cache") from error
    return Garbage((*sorted(trees), *sorted(files)), size, spared)


def writing_since_ns(store: ObjectStore) -> int | None:
    """When the oldest writer that is at work now began, nanoseconds since the epoch; None without any."""
    began = []
    for token in live_leases(store):
        try:
            began.append(os.stat(f"{store.root}/{OWN_DIRECTORY}/{token}.lease").st_mtime_ns)
        except OSError:
            continue  # it has just finished
    return min(began, default=None)


def remove(
    store: ObjectStore, oids: Sequence[Oid], *, legacy: bool = False, events: Sink = silent
) -> Removed:
    """Unlink objects of a store, in the order given; one that cannot be unlinked is told and passed over."""
    done: list[Oid] = []
    failed: list[tuple[Oid, FourfoldError]] = []
    events(PhaseStarted("removing", len(oids), unit="objects"))
    for oid in oids:
        try:
            os.unlink(store.path(oid, legacy=legacy))
        except FileNotFoundError:
            continue
        except OSError as error:
            failed.append((oid, from_os_error(error, "removing an object")))
        else:
            done.append(oid)
        events(Advanced("removing", 1))
    events(PhaseEnded("removing"))
    return Removed(tuple(done), tuple(failed))


def find_litter(store: ObjectStore, now_ns: int) -> list[str]:
    """Hidden temporary files, of any writer, that have not changed for a day and belong to no live one."""
    alive = tuple(f".{token}.tmp" for token in live_leases(store))
    found = []
    for base in (store.base(), store.base(legacy=True)):
        for folder in (base, *(f"{base}/{prefix}" for prefix in PREFIXES)):
            for name in _names(folder):
                if not name.startswith(".") or not name.endswith(".tmp"):
                    continue
                if is_temp_name(name) and alive and name.endswith(alive):
                    continue
                path = f"{folder}/{name}"
                try:
                    info = os.lstat(path)
                except OSError:
                    continue
                if max(info.st_mtime_ns, info.st_ctime_ns) <= now_ns - GRACE_NS:
                    found.append(path)
    return found


def remove_litter(store: ObjectStore, now_ns: int) -> int:
    """Remove what writers that died left behind; how many files."""
    removed = sweep(store)
    for path in find_litter(store, now_ns):
        try:
            os.unlink(path)
        except OSError:
            continue  # litter is no reason to fail
        removed += 1
    return removed


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


# -- remotes --------------------------------------------------------------------------------------


def find_remote_garbage(
    remote: BlobStore,
    keep: Container[str],
    keep_legacy: Container[str],
    *,
    since_ns: int | None = None,
    events: Sink = silent,
) -> tuple[Garbage, Garbage]:
    """The objects of a remote that nobody keeps: of the 3.x and of the 2.x layout.

    The whole remote is listed before the answer: a listing that fails gives none.

    Raises:
        FourfoldError: the remote could not be listed to its end.
    """
    found: dict[bool, list[BlobInfo]] = {False: [], True: []}
    spared = {False: 0, True: 0}
    events(PhaseStarted("listing remote", unit="objects"))
    for page in remote.list():
        for info in page:
            oid, legacy = oid_of(info.key)
            if oid is None or oid in (keep_legacy if legacy else keep):
                continue
            if since_ns is not None and (info.mtime_ns is None or info.mtime_ns >= since_ns):
                spared[legacy] += 1
            else:
                found[legacy].append(info)
        events(Advanced("listing remote", len(page)))
    events(PhaseEnded("listing remote"))
    return _garbage(found[False], spared[False]), _garbage(found[True], spared[True])


def _garbage(infos: Iterable[BlobInfo], spared: int) -> Garbage:
    size = 0
    oids: list[Oid] = []
    for info in infos:
        size += max(info.size, 0)
        oid = oid_of(info.key)[0]
        if oid is not None:
            oids.append(oid)
    oids.sort(key=lambda oid: (not is_tree(oid), oid))
    return Garbage(tuple(oids), size, spared)


def oid_of(key: str) -> tuple[Oid | None, bool]:
    """What object a key of a remote names, and whether in the 2.x layout; (None, False) for other keys."""
    legacy = not key.startswith("files/md5/")
    parts = (key if legacy else key[10:]).split("/")
    if len(parts) == 2 and len(parts[0]) == 2 and is_object_name(parts[0] + parts[1]):
        return Oid(parts[0] + parts[1]), legacy
    return None, False


def remove_remote(
    remote: BlobStore, oids: Sequence[Oid], *, legacy: bool = False, events: Sink = silent
) -> Removed:
    """Delete objects of a remote, in the order given; stops at the first failure, which is told."""
    done: list[Oid] = []
    events(PhaseStarted("removing", len(oids), unit="objects"))
    for start in range(0, len(oids), _PAGE):
        page = oids[start : start + _PAGE]
        try:
            remote.delete([key_of(oid, legacy=legacy) for oid in page])
        except FourfoldError as error:
            return Removed(tuple(done), tuple((oid, error) for oid in oids[start:]))
        done += page
        events(Advanced("removing", len(page)))
    events(PhaseEnded("removing"))
    return Removed(tuple(done))
