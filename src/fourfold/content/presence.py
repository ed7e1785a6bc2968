"""Presence: which objects a remote has, by asking it and never by memory.

Many objects of a small remote are looked up by listing it, few objects of a large one by asking for
each; a sample of one folder in 256 decides. A local note of what was pushed before is no evidence
here, and a directory's manifest on the remote says nothing about the directory's files.
"""

import os
from collections.abc import Iterable, Sequence

from fourfold.base.errors import from_os_error
from fourfold.base.events import Advanced, PhaseEnded, PhaseStarted, Sink, silent
from fourfold.base.ids import Oid
from fourfold.base.pool import chunks, map_batches
from fourfold.content.objects import ObjectStore
from fourfold.storage.blob.protocol import BlobInfo, BlobStore, NoListingError

#: Up to this many objects are asked for one by one without thinking.
_FEW = 64
#: Keys that one page of a listing holds; so many questions cost what one page costs, in parallel.
_PAGE = 1000
_ASKERS = 16


def key_of(oid: str, *, legacy: bool = False) -> str:
    """The key of an object on a remote, in DVC's layout."""
    return f"{oid[:2]}/{oid[2:]}" if legacy else f"files/md5/{oid[:2]}/{oid[2:]}"


def sizes_on(
    remote: BlobStore, oids: Iterable[Oid], *, legacy: bool = False, events: Sink = silent
) -> dict[Oid, int]:
    """The objects of ``oids`` that the remote has, with their sizes there; see `found_on`."""
    return {oid: info.size for oid, info in found_on(remote, oids, legacy=legacy, events=events).items()}


def found_on(
    remote: BlobStore, oids: Iterable[Oid], *, legacy: bool = False, events: Sink = silent
) -> dict[Oid, BlobInfo]:
    """The objects of ``oids`` that the remote has, with what it tells of them.

    Raises:
        FourfoldError: the remote could not be asked; an error never reads as absence.
    """
    wanted = list(dict.fromkeys(oids))
    if not wanted:
        return {}
    if remote.local_root is not None:
        return _in_folder(ObjectStore(remote.local_root), wanted, legacy=legacy)
    events(PhaseStarted("querying remote", len(wanted), unit="objects"))
    try:
        if len(wanted) <= _FEW or not _worth_listing(remote, wanted, legacy=legacy):
            return _by_asking(remote, wanted, legacy=legacy, events=events)
        return _by_listing(remote, wanted, legacy=legacy, events=events)
    finally:
        events(PhaseEnded("querying remote"))


def whole_on(
    remote: BlobStore,
    oids: Iterable[Oid],
    store: ObjectStore,
    *,
    legacy: bool = False,
    events: Sink = silent,
) -> set[Oid]:
    """The objects of ``oids`` that the remote has, as long as ours where we have them.

    One that is shorter or longer than ours was cut off, and counts as absent.

    Raises:
        FourfoldError: the remote could not be asked.
    """
    found = sizes_on(remote, oids, legacy=legacy, events=events)
    return {oid for oid, size in found.items() if size < 0 or _size_of(oid, store, size, legacy) == size}


def _size_of(oid: Oid, store: ObjectStore, default: int, legacy: bool) -> int:
    try:
        return os.stat(store.path(oid, legacy=legacy)).st_size
    except OSError:
        return default


def _in_folder(store: ObjectStore, wanted: Sequence[Oid], *, legacy: bool) -> dict[Oid, BlobInfo]:
    present = {}
    for oid in wanted:
        try:
            found = os.stat(store.path(oid, legacy=legacy))
            present[oid] = BlobInfo(key_of(oid, legacy=legacy), found.st_size, mtime_ns=found.st_mtime_ns)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise from_os_error(error, "asking the remote") from error
    return present


def _worth_listing(remote: BlobStore, wanted: Sequence[Oid], *, legacy: bool) -> bool:
    """Whether a listing of everything costs less than a question for each."""
    sample = 0
    try:
        for page in remote.list("00" if legacy else "files/md5/00"):
            sample += len(page)
            if sample * 256 / _PAGE > len(wanted) / _ASKERS:
                return False
    except NoListingError:
        return False
    return True


def _by_asking(
    remote: BlobStore, wanted: Sequence[Oid], *, legacy: bool, events: Sink
) -> dict[Oid, BlobInfo]:
    def ask(rows: range) -> list[tuple[Oid, BlobInfo]]:
        found = []
        for at in rows:
            info = remote.head(key_of(wanted[at], legacy=legacy))
            if info is not None:
                found.append((wanted[at], info))
        return found

    present: dict[Oid, BlobInfo] = {}
    step = max(1, len(wanted) // (_ASKERS * 4))
    for found in map_batches(ask, chunks(len(wanted), step), jobs=_ASKERS):
        present.update(found)
        events(Advanced("querying remote", step))
    return present


def _by_listing(
    remote: BlobStore, wanted: Sequence[Oid], *, legacy: bool, events: Sink
) -> dict[Oid, BlobInfo]:
    by_key = {key_of(oid, legacy=legacy): oid for oid in wanted}
    present: dict[Oid, BlobInfo] = {}
    for page in remote.list("" if legacy else "files/md5"):
        before = len(present)
        for info in page:
            oid = by_key.get(info.key)
            if oid is not None:
                present[oid] = info
        events(Advanced("querying remote", len(present) - before))
    return present
