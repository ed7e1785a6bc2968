"""Transfer: objects between the store of this machine and a remote, each byte proven on its way.

Pushing sends files first and manifests last, and a manifest only when every file it names was seen or
put there; fetching hashes while it downloads and names nothing that does not match. A folder of
this machine is written with the same durable batches as the cache; anything else through the bulk
calls of the blob seam. Each object's outcome is told: done, there already, missing, damaged, failed.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from fourfold.base.errors import FourfoldError, from_os_error
from fourfold.base.events import Advanced, PhaseEnded, PhaseStarted, Sink, silent
from fourfold.base.fs.atomic import write_all
from fourfold.base.fs.platform import READ
from fourfold.base.ids import Oid, is_tree
from fourfold.base.pool import chunks, map_batches
from fourfold.content.build import SMALL
from fourfold.content.hashing import digest_bytes, digest_stream, folded_digest
from fourfold.content.intake import Intake
from fourfold.content.naming import folded_bytes_digest
from fourfold.content.objects import CorruptObjectError, ObjectMissingError, ObjectStore
from fourfold.content.presence import key_of, whole_on
from fourfold.content.proofs import ProofBook
from fourfold.content.statindex import StatIndex
from fourfold.content.tree import Tree
from fourfold.formats.dvc import manifest
from fourfold.storage.blob.protocol import (
    BlobNotFoundError,
    BlobStore,
    BlobTooLargeError,
    BucketNotFoundError,
)

_BATCH = 256
#: Downloads get their names in rounds of so many, so that an interruption costs one round.
_ROUND = 4096


class Transferred(NamedTuple):
    """What a transfer did.

    Attributes:
        done: Objects that were sent or fetched.
        size: Their bytes.
        present: Objects that were there already.
        missing: Objects that the source does not have.
        corrupt: Objects whose bytes at the source are not what their name says; not passed on.
        failed: Objects whose transfer failed, with the error.
        withheld: Manifests that were not sent because a file that they name could not be.
    """

    done: tuple[Oid, ...] = ()
    size: int = 0
    present: int = 0
    missing: tuple[Oid, ...] = ()
    corrupt: tuple[Oid, ...] = ()
    failed: tuple[tuple[Oid, FourfoldError], ...] = ()
    withheld: tuple[Oid, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether everything that was asked for is now there."""
        return not (self.missing or self.corrupt or self.failed or self.withheld)


class _Tally:
    """The counts of a transfer while it runs; one thread writes."""

    def __init__(self) -> None:
        self.done: list[Oid] = []
        self.size = 0
        self.present = 0
        self.missing: list[Oid] = []
        self.corrupt: list[Oid] = []
        self.failed: list[tuple[Oid, FourfoldError]] = []
        self.withheld: list[Oid] = []

    def bad(self) -> set[Oid]:
        return {*self.missing, *self.corrupt, *(oid for oid, _error in self.failed)}

    def result(self) -> Transferred:
        return Transferred(
            tuple(self.done),
            self.size,
            self.present,
            tuple(self.missing),
            tuple(self.corrupt),
            tuple(self.failed),
            tuple(self.withheld),
        )


# -- push -----------------------------------------------------------------------------------------


Pick = Callable[[Oid, Tree], Iterable[Oid]]


def push(
    oids: Iterable[Oid],
    store: ObjectStore,
    remote: BlobStore,
    index: StatIndex,
    *,
    legacy: bool = False,
    again: Iterable[Oid] = (),
    pick: Pick | None = None,
    events: Sink = silent,
) -> Transferred:
    """Put objects, and the files of those that are trees, on a remote.

    Every file is asked for; that a tree is there says nothing of its files. A tree that this machine lacks
    and the remote has is read there, for the same proof.

    Args:
        oids: Files and trees.
        store: The cache.
        remote: Where they go.
        index: Keeps the proofs when the remote is a folder of this machine.
        legacy: Objects of the 2.x layout.
        again: Objects to send although the remote has them: damaged ones, to heal them.
        pick: Chooses the files of a tree that are wanted; all by default. The tree itself follows them.
        events: Hears "querying remote" and "pushing".

    Raises:
        FourfoldError: the remote could not be asked at all. What befalls one object is in the result.
    """
    tally = _Tally()
    trees: dict[Oid, list[Oid]] = {}
    files: dict[Oid, None] = {}
    for oid in dict.fromkeys(oids):
        if not is_tree(oid):
            files[oid] = None
            continue
        tree = _tree_to_push(oid, store, remote, tally, legacy=legacy)
        if tree is not None:
            trees[oid] = list(tree.digests() if pick is None else pick(oid, tree))
            files.update(dict.fromkeys(trees[oid]))
    there = whole_on(remote, [*files, *trees], store, legacy=legacy, events=events) - set(again)
    pending = [oid for oid in files if oid not in there]
    tally.present = len(files) - len(pending)
    send = _folder_sender(store, remote, index) if remote.local_root else _network_sender(store, remote)
    send(pending, tally, legacy, events)
    bad = tally.bad()
    ready = []
    for oid, children in trees.items():
        if oid in there:
            tally.present += 1
        elif not bad.isdisjoint(children):
            tally.withheld.append(oid)
        else:
            ready.append(oid)
    send(ready, tally, legacy, events)
    return tally.result()


def _tree_to_push(
    oid: Oid, store: ObjectStore, remote: BlobStore, tally: _Tally, *, legacy: bool
) -> Tree | None:
    """A manifest of ours, or, where we have none that is whole, of the remote; None is noted."""
    try:
        return store.read_tree(oid, legacy=legacy)
    except (ObjectMissingError, CorruptObjectError) as error:
        trouble = error
    try:
        return remote_tree(oid, remote, legacy=legacy)
    except (BlobNotFoundError, CorruptObjectError):
        (tally.missing if isinstance(trouble, ObjectMissingError) else tally.corrupt).append(oid)
        return None


def remote_tree(oid: Oid, remote: BlobStore, *, legacy: bool = False) -> Tree:
    """A manifest as a remote has it, proven; nothing is stored.

    Raises:
        BlobNotFoundError: the remote does not have it.
        CorruptObjectError: the remote's copy does not hash to its name.
        BadManifestError, UnsafePathError: its bytes are no manifest, or a hostile one.
        FourfoldError: the remote could not be asked.
    """
    try:
        data = remote.get(key_of(oid, legacy=legacy), max_size=manifest.MAX_BYTES)
    except BucketNotFoundError as error:
        raise BlobNotFoundError(error.message) from error
    if digest_bytes(data)[0].hex() != oid[:32]:
        raise CorruptObjectError(
            f"object {oid} is damaged on {remote.url}", hint="heal it from a good copy with: ff repair -r"
        )
    return Tree.parse(data, f"object {oid} of {remote.url}", oid)


_Send = Callable[[Sequence[Oid], _Tally, bool, Sink], None]


def _network_sender(store: ObjectStore, remote: BlobStore) -> _Send:
    def send(oids: Sequence[Oid], tally: _Tally, legacy: bool, events: Sink) -> None:
        if not oids:
            return
        by_key = {key_of(oid, legacy=legacy): oid for oid in oids}
        large: list[tuple[str, Oid, int]] = []
        sizes: dict[str, int] = {}

        def small() -> Iterator[tuple[str, bytes]]:
            for key, oid in by_key.items():
                data = _read_proven(store, oid, legacy, tally, large, key)
                if data is not None:
                    sizes[key] = len(data)
                    yield key, data

        def account(key: str, error: FourfoldError | None, size: int) -> None:
            oid = by_key[key]
            if error is None:
                tally.done.append(oid)
                tally.size += size
            else:
                tally.failed.append((oid, error))
            events(Advanced("pushing", 1, size))

        events(PhaseStarted("pushing", len(oids), unit="objects"))
        for key, error in remote.put_many(small()):
            account(key, error, sizes.pop(key, 0))
        for key, _oid, size in large:
            try:
                remote.put_file(key, store.path(by_key[key], legacy=legacy))
            except FourfoldError as error:
                account(key, error, 0)
            else:
                account(key, None, size)
        events(PhaseEnded("pushing"))

    return send


def _read_proven(
    store: ObjectStore,
    oid: Oid,
    legacy: bool,
    tally: _Tally,
    large: list[tuple[str, Oid, int]],
    key: str,
) -> bytes | None:
    """The bytes of a small object that hash to its name; a large one is proven and set aside."""
    path = store.path(oid, legacy=legacy)
    try:
        with open(path, "rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            if size <= SMALL:
                data = file.read()
                folded = legacy and not is_tree(oid)
                name = folded_bytes_digest(data) if folded else digest_bytes(data)[0]
            else:
                data = None
                name = folded_digest(file.fileno())[0] if legacy else digest_stream(file.fileno()).name
    except FileNotFoundError:
        tally.missing.append(oid)
        return None
    except OSError as error:
        tally.failed.append((oid, from_os_error(error, "reading the cache")))
        return None
    if name.hex() != oid[:32]:
        tally.corrupt.append(oid)
        return None
    if data is None:
        large.append((key, oid, size))
    return data


def _folder_sender(store: ObjectStore, remote: BlobStore, index: StatIndex) -> _Send:
    target = ObjectStore(str(remote.local_root))
    proofs = ProofBook(index, target)

    def send(oids: Sequence[Oid], tally: _Tally, legacy: bool, events: Sink) -> None:
        _copy(oids, store, target, proofs, tally, legacy=legacy, phase="pushing", events=events)

    return send


# -- fetch ----------------------------------------------------------------------------------------


def fetch(
    oids: Iterable[Oid],
    store: ObjectStore,
    remote: BlobStore,
    index: StatIndex,
    *,
    legacy: bool = False,
    again: Iterable[Oid] = (),
    pick: Pick | None = None,
    events: Sink = silent,
) -> Transferred:
    """Bring objects, and all the files of those that are trees, from a remote into the store.

    Args:
        oids: Files and trees.
        store: The cache.
        remote: Where they come from.
        index: Keeps the proofs.
        legacy: Objects of the 2.x layout.
        again: Objects to fetch although the store has them: damaged ones, to heal them.
        pick: Chooses the files of a tree that are wanted; all by default.
        events: Hears "fetching".

    Raises:
        FourfoldError: the store could not be written. What befalls one object is in the result.
    """
    tally = _Tally()
    heal = set(again)
    proofs = ProofBook(index, store)
    for oid in heal:
        proofs.forget(oid, legacy=legacy)  # what is known of it is what is in doubt
    receive = (_folder_receiver if remote.local_root else _network_receiver)(store, remote, proofs)
    wanted = list(dict.fromkeys(oids))
    trees = [oid for oid in wanted if is_tree(oid)]
    absent = set(store.missing(trees, legacy=legacy)) | (heal & set(trees))
    receive([oid for oid in trees if oid in absent], tally, legacy, events)
    files = dict.fromkeys(oid for oid in wanted if not is_tree(oid))
    bad = tally.bad()
    for oid in trees:
        if oid in bad:
            continue
        try:
            tree = store.read_tree(oid, legacy=legacy)
        except CorruptObjectError:
            receive([oid], tally, legacy, events)  # ours is damaged: heal it from the remote
            if oid in tally.bad():
                continue
            tree = store.read_tree(oid, legacy=legacy)
        files.update(dict.fromkeys(tree.digests() if pick is None else pick(oid, tree)))
    missing = set(store.missing(list(files), legacy=legacy)) | (heal & files.keys())
    tally.present += len(files) - len(missing) + len(trees) - len(absent)
    receive([oid for oid in files if oid in missing], tally, legacy, events)
    return tally.result()


def _network_receiver(store: ObjectStore, remote: BlobStore, proofs: ProofBook) -> _Send:
    def receive(oids: Sequence[Oid], tally: _Tally, legacy: bool, events: Sink) -> None:
        if not oids:
            return
        events(PhaseStarted("fetching", len(oids), unit="objects"))
        for rows in chunks(len(oids), _ROUND):
            with Intake(store, proofs, legacy=legacy) as intake:
                _receive_round([oids[at] for at in rows], remote, intake, tally, legacy=legacy, events=events)
                intake.commit()
        proofs.flush()
        events(PhaseEnded("fetching"))

    return receive


def _receive_round(
    oids: Sequence[Oid], remote: BlobStore, intake: Intake, tally: _Tally, *, legacy: bool, events: Sink
) -> None:
    by_key = {key_of(oid, legacy=legacy): oid for oid in oids}
    large: list[Oid] = []
    for key, got in remote.get_many(list(by_key), max_size=SMALL):
        oid = by_key[key]
        if isinstance(got, bytes):
            folded = legacy and not is_tree(oid)
            name, proof = digest_bytes(got)
            if folded:
                name = folded_bytes_digest(got)
            if name.hex() != oid[:32]:
                tally.corrupt.append(oid)
            else:
                intake.add_bytes(oid, got, proof)
                tally.done.append(oid)
                tally.size += len(got)
            events(Advanced("fetching", 1, len(got)))
        elif isinstance(got, BlobTooLargeError):
            large.append(oid)
        elif isinstance(got, BlobNotFoundError):
            tally.missing.append(oid)
        else:
            tally.failed.append((oid, got))
    for oid in large:
        _receive_large(oid, remote, intake, tally, legacy=legacy, events=events)


def _receive_large(
    oid: Oid, remote: BlobStore, intake: Intake, tally: _Tally, *, legacy: bool, events: Sink
) -> None:
    """Stream one object to a hidden file, hash it there, and take it in only if it is right."""
    fd, path = intake.open_stream()
    try:
        for part in remote.open(key_of(oid, legacy=legacy)):
            write_all(fd, part)
            events(Advanced("fetching", 0, len(part)))
        os.lseek(fd, 0, os.SEEK_SET)
        if legacy and not is_tree(oid):
            name, proof, size = folded_digest(fd)
        else:
            digests = digest_stream(fd)
            name, proof, size = digests.name, digests.proof, digests.size
    except OSError as error:
        intake.drop_stream(fd, path)
        raise from_os_error(error, "writing the cache") from error
    except FourfoldError as error:
        intake.drop_stream(fd, path)
        if isinstance(error, BlobNotFoundError):
            tally.missing.append(oid)
        else:
            tally.failed.append((oid, error))
        return
    if name.hex() != oid[:32]:
        intake.drop_stream(fd, path)
        tally.corrupt.append(oid)
        return
    intake.add_stream(fd, path, oid, proof, size)
    tally.done.append(oid)
    tally.size += size
    events(Advanced("fetching", 1))


def _folder_receiver(store: ObjectStore, remote: BlobStore, proofs: ProofBook) -> _Send:
    source = ObjectStore(str(remote.local_root))

    def receive(oids: Sequence[Oid], tally: _Tally, legacy: bool, events: Sink) -> None:
        if oids and not os.path.isdir(source.root):
            raise BucketNotFoundError(
                f"the folder of the remote does not exist: {source.root}",
                hint="check that its disk is mounted; or change the remote's url",
            )
        _copy(oids, source, store, proofs, tally, legacy=legacy, phase="fetching", events=events)

    return receive


# -- folder to folder -----------------------------------------------------------------------------


def _copy(
    oids: Sequence[Oid],
    source: ObjectStore,
    target: ObjectStore,
    proofs: ProofBook,
    tally: _Tally,
    *,
    legacy: bool,
    phase: str,
    events: Sink,
) -> None:
    """Copy objects between two folders of this machine, hashing each on the way."""
    if not oids:
        return
    with Intake(target, proofs, legacy=legacy) as intake:

        def work(rows: range) -> list[tuple[Oid, str, int]]:
            return [
                (oid, *copy_in(oid, source.path(oid, legacy=legacy), intake, legacy=legacy))
                for oid in (oids[at] for at in rows)
            ]

        events(PhaseStarted(phase, len(oids), unit="objects"))
        done: list[Oid] = []
        size = 0
        for rows in map_batches(work, chunks(len(oids), _BATCH)):
            for oid, outcome, count in rows:
                if outcome == "done":
                    done.append(oid)
                    size += count
                else:
                    (tally.missing if outcome == "missing" else tally.corrupt).append(oid)
            events(Advanced(phase, len(rows), sum(count for _oid, _outcome, count in rows)))
        intake.commit()
        tally.done += done
        tally.size += size
        events(PhaseEnded(phase))
    proofs.flush()


def copy_in(oid: Oid, path: str, intake: Intake, *, legacy: bool = False) -> tuple[str, int]:
    """Take a file of this machine in as an object, if its bytes are what the name says.

    Returns:
        ``"done"``, ``"missing"`` or ``"corrupt"``, and the bytes that were taken.

    Raises:
        FourfoldError: the file cannot be read, or the store cannot be written.
    """
    folded = legacy and not is_tree(oid)
    try:
        fd = os.open(path, READ)
    except (FileNotFoundError, NotADirectoryError):
        return "missing", 0
    except OSError as error:
        raise from_os_error(error, "reading objects") from error
    try:
        size = os.fstat(fd).st_size
        if size <= SMALL:
            data = os.read(fd, size + 1)
            while len(data) < size and (more := os.read(fd, size + 1 - len(data))):
                data += more
            name, proof = digest_bytes(data)
            if folded:
                name = folded_bytes_digest(data)
            if name.hex() != oid[:32]:
                return "corrupt", 0
            intake.add_bytes(oid, data, proof)
            return "done", len(data)
        return _copy_large(oid, fd, intake, folded=folded)
    except OSError as error:
        raise from_os_error(error, "copying objects") from error
    finally:
        os.close(fd)


def _copy_large(oid: Oid, fd: int, intake: Intake, *, folded: bool) -> tuple[str, int]:
    out, path = intake.open_stream()
    try:
        digests = digest_stream(fd, lambda part: write_all(out, part))
        name = digests.name
        if folded:
            os.lseek(out, 0, os.SEEK_SET)
            name = folded_digest(out)[0]
    except BaseException:
        intake.drop_stream(out, path)
        raise
    if name.hex() != oid[:32]:
        intake.drop_stream(out, path)
        return "corrupt", 0
    intake.add_stream(out, path, oid, digests.proof, digests.size)
    return "done", digests.size
