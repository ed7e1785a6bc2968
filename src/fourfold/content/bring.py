"""Bring: data from outside of the workspace straight into a store, without a stop in the workspace.

From a path of this machine or from a blob store, into the cache or any folder (through an `Intake`), or
onto a remote (`Upload`). Every byte is hashed as it passes, and only whole files whose length is right get
their name. What the objects are for, and where the data comes from, the caller knows.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from fourfold.base.errors import FourfoldError, from_os_error
from fourfold.base.events import Advanced, PhaseEnded, PhaseStarted, Sink, silent
from fourfold.base.fs.atomic import write_all
from fourfold.base.fs.platform import READ
from fourfold.base.fs.walk import WIDTH, Prune, row
from fourfold.base.ids import Oid, safe_relpaths
from fourfold.content.build import SMALL
from fourfold.content.hashing import Digests, digest_bytes
from fourfold.content.identity import ChangedDuringReadError, look
from fourfold.content.intake import Intake
from fourfold.content.naming import CHUNK
from fourfold.content.presence import key_of
from fourfold.content.staging import Staging
from fourfold.content.tree import Tree
from fourfold.storage.blob.protocol import BlobInfo, BlobStore, not_found

#: Small objects are sent to a remote in batches of about this many bytes.
_BATCH_BYTES = 16 << 20


class Brought(NamedTuple):
    """What was brought.

    Attributes:
        oid: The file's object, or the directory's tree.
        size: Bytes of all files.
        nfiles: How many files; None for a single file.
        isexec: It is a file that somebody may execute.
    """

    oid: Oid
    size: int
    nfiles: int | None
    isexec: bool = False


class Destination(Protocol):
    """Where brought content goes."""

    def take(self, data: bytes) -> bytes:
        """Take in one small file; its MD5 digest."""
        ...

    def stream(self, chunks: Iterable[bytes]) -> tuple[bytes, int]:
        """Take in one large file; its MD5 digest and its size. Nothing stays of one that fails."""
        ...

    def manifest(self, tree: Tree) -> None:
        """Take in the manifest of a directory whose files were all taken."""
        ...


class Download:
    """A destination that is a folder of objects: the cache, or a remote that is a folder."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    def take(self, data: bytes) -> bytes:
        """See `Destination`."""
        name, proof = digest_bytes(data)
        self._intake.add_bytes(Oid(name.hex()), data, proof)
        return name

    def stream(self, chunks: Iterable[bytes]) -> tuple[bytes, int]:
        """See `Destination`."""
        fd, path = self._intake.open_stream()
        digests = Digests()
        try:
            for part in chunks:
                digests.update(part)
                write_all(fd, part)
        except BaseException:
            self._intake.drop_stream(fd, path)
            raise
        self._intake.add_stream(fd, path, Oid(digests.name.hex()), digests.proof, digests.size)
        return digests.name, digests.size

    def manifest(self, tree: Tree) -> None:
        """See `Destination`."""
        data = tree.to_bytes()
        self._intake.add_bytes(tree.oid, data, digest_bytes(data)[1])


class Upload:
    """A destination that is a remote: small files in batches, large ones by way of one temporary file.

    Args:
        remote: Where the objects go.
        staging: A directory for the temporary file.
    """

    def __init__(self, remote: BlobStore, staging: Staging) -> None:
        self._remote = remote
        self._staging = staging
        self._batch: dict[str, bytes] = {}
        self._weight = 0
        self._sent: set[str] = set()

    def take(self, data: bytes) -> bytes:
        """See `Destination`."""
        name, _proof = digest_bytes(data)
        key = key_of(name.hex())
        if key not in self._sent:
            self._sent.add(key)
            self._batch[key] = data
            self._weight += len(data)
            if self._weight >= _BATCH_BYTES:
                self.flush()
        return name

    def stream(self, chunks: Iterable[bytes]) -> tuple[bytes, int]:
        """See `Destination`."""
        path = self._staging.slot(0)
        digests = Digests()
        try:
            with open(path, "wb") as file:
                for part in chunks:
                    digests.update(part)
                    file.write(part)
            key = key_of(digests.name.hex())
            if key not in self._sent:
                self._remote.put_file(key, path)
                self._sent.add(key)
        finally:
            if os.path.exists(path):
                os.unlink(path)
        return digests.name, digests.size

    def manifest(self, tree: Tree) -> None:
        """See `Destination`."""
        self.flush()
        self._remote.put(key_of(tree.oid), tree.to_bytes())

    def flush(self) -> None:
        """Send what was taken and not sent yet.

        Raises:
            FourfoldError: an object could not be sent.
        """
        batch, self._batch, self._weight = self._batch, {}, 0
        for _key, error in self._remote.put_many(batch.items()):
            if error is not None:
                raise error


def bring_path(
    path: str,
    destination: Destination,
    *,
    skip_file: Prune | None = None,
    skip_directory: Prune | None = None,
    events: Sink = silent,
) -> Brought:
    """Bring a file or directory of this machine.

    Raises:
        FileNotFoundError: there is nothing.
        ChangedDuringReadError: a file changed while it was read.
        FourfoldError: what `base.fs.walk` refuses; the destination fails.
    """
    scan, is_directory = look(path, skip_file=skip_file, skip_directory=skip_directory)
    packed = bytearray(16 * len(scan.names))
    events(PhaseStarted("transferring", len(scan.names), scan.size))
    for at, name in enumerate(scan.names):
        full = f"{path}/{name}" if name else path
        size = scan.stats[at * WIDTH]
        try:
            fd = os.open(full, READ)
            try:
                packed[at * 16 : at * 16 + 16] = _bring_file(fd, size, destination)
                if row(os.fstat(fd), scan.device)[:4] != tuple(scan.stats[at * WIDTH : at * WIDTH + 4]):
                    raise ChangedDuringReadError(
                        f"{full} changed while it was read",
                        hint="let its writer finish, then run the same command again",
                    )
            finally:
                os.close(fd)
        except OSError as error:
            raise from_os_error(error, f"reading {full}") from error
        events(Advanced("transferring", 1, size))
    events(PhaseEnded("transferring"))
    if not is_directory:
        isexec = bool(scan.stats[4] & 0o111)
        return Brought(Oid(packed.hex()), scan.size, None, isexec)
    tree = Tree.from_unsorted(scan.names, bytes(packed))
    destination.manifest(tree)
    return Brought(tree.oid, scan.size, len(tree))


def _bring_file(fd: int, size: int, destination: Destination) -> bytes:
    if size > SMALL:
        return destination.stream(_chunks(fd))[0]
    return destination.take(b"".join(_chunks(fd)))


def _chunks(fd: int) -> Iterator[bytes]:
    while part := os.read(fd, CHUNK):
        yield part


def bring_blobs(source: BlobStore, key: str, destination: Destination, *, events: Sink = silent) -> Brought:
    """Bring one object of a store, or everything below a folder of it.

    Args:
        source: Where it is.
        key: Of the object, or of the folder; ``""`` for the whole store.
        destination: Where it goes.
        events: Hears "transferring".

    Raises:
        BlobNotFoundError: there is neither an object nor a folder of that name.
        UnsafePathError: a name below the folder could leave it.
        FourfoldError: the source or the destination fails.
    """
    found = source.head(key) if key else None
    if found is not None:
        infos, prefix = [found], key
    else:
        prefix = f"{key.rstrip('/')}/" if key else ""
        infos = [info for page in source.list(prefix) for info in page if not info.key.endswith("/")]
        if not infos:
            raise not_found(key, source.url)
    names = [info.key[len(prefix) :] for info in infos]
    if found is None:
        safe_relpaths(names, source.url)
    events(PhaseStarted("transferring", len(infos), sum(max(info.size, 0) for info in infos)))
    digests, size = _bring_all(source, infos, destination, events)
    events(PhaseEnded("transferring"))
    if found is not None:
        return Brought(Oid(digests[key].hex()), size, None)
    tree = Tree.from_unsorted(names, b"".join([digests[info.key] for info in infos]))
    destination.manifest(tree)
    return Brought(tree.oid, size, len(tree))


def _bring_all(
    source: BlobStore, infos: Sequence[BlobInfo], destination: Destination, events: Sink
) -> tuple[dict[str, bytes], int]:
    """Every object: small ones many at once, the others one after the other; their digests and bytes."""
    digests: dict[str, bytes] = {}
    total = 0
    small = [info.key for info in infos if 0 <= info.size <= SMALL]
    for key, got in source.get_many(small, max_size=SMALL):
        if isinstance(got, FourfoldError):
            raise got
        digests[key] = destination.take(got)
        total += len(got)
        events(Advanced("transferring", 1, len(got)))
    for info in infos:
        if info.key not in digests:
            digests[info.key], size = destination.stream(source.open(info.key))
            total += size
            events(Advanced("transferring", 1, size))
    return digests, total
