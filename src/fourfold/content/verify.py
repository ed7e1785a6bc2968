"""Verify: whether objects are what their names say, here and on a remote, by proof or by reading all of it.

Here, a proof is an unmoved file that was once read whole (`proofs`); an object whose proof is void, or of
which there is none and everything is to be read, is hashed. There, a listing tells what is present and how
long it is, and reading tells the rest. Everything that is wrong comes out in one pass; nothing is changed.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from fourfold.base.errors import FourfoldError, from_os_error
from fourfold.base.events import Advanced, PhaseEnded, PhaseStarted, Sink, silent
from fourfold.base.fs.platform import READ
from fourfold.base.ids import Oid, is_tree
from fourfold.base.pool import chunks, map_batches
from fourfold.content.build import SMALL
from fourfold.content.hashing import Digests, digest_stream, folded_digest
from fourfold.content.naming import CHUNK, folded_bytes_digest, folded_chunk, name_of
from fourfold.content.objects import ObjectStore
from fourfold.content.presence import key_of
from fourfold.content.proofs import ProofBook
from fourfold.content.tree import Tree
from fourfold.storage.blob.protocol import BlobInfo, BlobNotFoundError, BlobStore

_BATCH = 128
_READERS = 4
#: What an object of no bytes is called.
_EMPTY = "d41d8cd98f00b204e9800998ecf8427e"
_NO_PROOF = bytes(32)


class Damage(NamedTuple):
    """One object that is not what its name says.

    Attributes:
        kind: ``missing``, ``corrupt`` (its bytes are others), ``bad-manifest`` (its bytes are right and no
            manifest), or ``unreadable``.
        oid: Its name.
        legacy: Of the 2.x layout.
        detail: What was found, for people.
    """

    kind: str
    oid: Oid
    legacy: bool
    detail: str = ""


class Verified(NamedTuple):
    """What a verification found.

    Attributes:
        checked: Objects that were looked at.
        read: Objects of these that were read whole.
        size: Bytes that were read.
        unproven: Objects that are there, have never been read by us, and were not read now.
        damages: Everything that is wrong.
        modes: Objects whose permission bits are not those of an object, with the bits.
    """

    checked: int = 0
    read: int = 0
    size: int = 0
    unproven: int = 0
    damages: tuple[Damage, ...] = ()
    modes: tuple[tuple[Oid, int], ...] = ()


# -- here -----------------------------------------------------------------------------------------


def verify_here(
    oids: Iterable[Oid],
    store: ObjectStore,
    proofs: ProofBook,
    *,
    legacy: bool = False,
    read: bool = False,
    events: Sink = silent,
) -> Verified:
    """Check objects of a store.

    Args:
        oids: Which; files and trees, each by itself.
        store: Where.
        proofs: What is known; told what was read.
        legacy: Of the 2.x layout.
        read: Read every object. Otherwise only those that changed since they were proven.
        events: Hears "verifying".
    """
    wanted = list(dict.fromkeys(oids))
    damages: list[Damage] = []
    modes: list[tuple[Oid, int]] = []
    to_read: list[tuple[Oid, os.stat_result]] = []
    unproven = 0
    for oid in wanted:
        try:
            info = os.stat(store.path(oid, legacy=legacy))
        except (FileNotFoundError, NotADirectoryError):
            damages.append(Damage("missing", oid, legacy))
            continue
        except OSError as error:
            damages.append(Damage("unreadable", oid, legacy, str(from_os_error(error))))
            continue
        if info.st_mode & 0o777 != store.file_mode:
            modes.append((oid, info.st_mode & 0o777))
        if read:
            to_read.append((oid, info))
        elif not proofs.proven(oid, info, legacy=legacy):
            if proofs.blake3(oid, legacy=legacy) is not None or _cannot_be(oid, info.st_size):
                to_read.append((oid, info))
            else:
                unproven += 1
    size = _read_all(to_read, store, proofs, damages, legacy=legacy, events=events)
    proofs.flush()
    return Verified(len(wanted), len(to_read), size, unproven, tuple(damages), tuple(modes))


def _cannot_be(oid: Oid, size: int) -> bool:
    """Whether the size alone shows damage, at no cost: the commonest damage is to have no bytes."""
    return (size == 0) != (oid == _EMPTY) if not is_tree(oid) else size < 2


def _read_all(
    objects: Sequence[tuple[Oid, os.stat_result]],
    store: ObjectStore,
    proofs: ProofBook,
    damages: list[Damage],
    *,
    legacy: bool,
    events: Sink,
) -> int:
    def work(rows: range) -> list[tuple[Oid, os.stat_result, "_Read"]]:
        return [
            (oid, info, _read_one(oid, store.path(oid, legacy=legacy), legacy))
            for oid, info in (objects[at] for at in rows)
        ]

    total = sum(info.st_size for _oid, info in objects)
    events(PhaseStarted("verifying", len(objects), total, unit="objects"))
    size = 0
    for rows in map_batches(work, chunks(len(objects), _BATCH)):
        done = 0
        for oid, info, got in rows:
            done += got.size
            damage = _judge(oid, got, proofs, legacy)
            if damage is not None:
                proofs.doubt(oid, legacy=legacy)
                damages.append(damage)
            else:
                proofs.note(oid, info, got.proof, legacy=legacy)
        size += done
        events(Advanced("verifying", len(rows), done))
    events(PhaseEnded("verifying"))
    return size


class _Read(NamedTuple):
    """One object read whole: its name by its bytes, BLAKE3, size, and what else was wrong."""

    name: str
    proof: bytes
    size: int
    trouble: str = ""
    kind: str = "corrupt"


def _judge(oid: Oid, got: _Read, proofs: ProofBook, legacy: bool) -> Damage | None:
    if got.trouble:
        return Damage(got.kind, oid, legacy, got.trouble)
    if got.name != oid[:32]:
        return Damage("corrupt", oid, legacy, f"its bytes ({got.size:,}) have the name {got.name}")
    before = proofs.blake3(oid, legacy=legacy)
    if before not in {None, _NO_PROOF, got.proof}:
        return Damage(
            "corrupt", oid, legacy, "its BLAKE3 is not the one that was recorded: other bytes, same MD5"
        )
    return None


def _read_one(oid: Oid, path: str, legacy: bool) -> _Read:
    try:
        fd = os.open(path, READ)
    except FileNotFoundError:
        return _Read("", b"", 0, "it went while it was looked at", "missing")
    except OSError as error:
        return _Read("", b"", 0, str(from_os_error(error)), "unreadable")
    try:
        if is_tree(oid):
            with open(fd, "rb", closefd=False) as file:
                data = file.read()
            digests = Digests()
            digests.update(data)
            return _Read(digests.name.hex(), digests.proof, len(data), *_manifest_trouble(oid, data))
        if legacy:
            name, proof, size = folded_digest(fd)
            return _Read(name.hex(), proof, size)
        digests = digest_stream(fd)
        return _Read(digests.name.hex(), digests.proof, digests.size)
    except OSError as error:
        return _Read("", b"", 0, str(from_os_error(error)), "unreadable")
    finally:
        os.close(fd)


def _manifest_trouble(oid: Oid, data: bytes) -> tuple[str, str]:
    """What is wrong with the bytes of a manifest that does hash to its name."""
    if name_of(data) != oid[:32]:
        return "", "corrupt"  # the name tells it better
    try:
        Tree.parse(data, f"object {oid}")
    except FourfoldError as error:
        return error.message, "bad-manifest"
    return "", "corrupt"


# -- there ----------------------------------------------------------------------------------------


def verify_there(
    sizes: Mapping[Oid, int],
    wanted: Iterable[Oid],
    remote: BlobStore,
    *,
    legacy: bool = False,
    read: bool = False,
    expected: Callable[[Oid], int | None] | None = None,
    events: Sink = silent,
) -> Verified:
    """Check objects of a remote.

    Args:
        sizes: What the remote has, with sizes, from asking or listing.
        wanted: What it should have.
        remote: Where; read only when ``read`` is set.
        legacy: Of the 2.x layout.
        read: Read everything in ``sizes`` whole, streamed, on several threads.
        expected: The true size of an object where it is known.
        events: Hears "verifying remote".

    Raises:
        FourfoldError: the remote cannot be asked at all.
    """
    damages = [Damage("missing", oid, legacy) for oid in dict.fromkeys(wanted) if oid not in sizes]
    sound: dict[Oid, int] = {}
    for oid, size in sizes.items():
        true = expected(oid) if expected is not None else None
        if size >= 0 and true is not None and true != size:
            damages.append(Damage("corrupt", oid, legacy, f"it has {size:,} bytes instead of {true:,}"))
        elif size >= 0 and _cannot_be(oid, size):
            damages.append(Damage("corrupt", oid, legacy, f"it has {size:,} bytes"))
        else:
            sound[oid] = size
    checked = len(sizes) + len(damages) - sum(damage.oid in sizes for damage in damages)
    if not read:
        return Verified(checked, damages=tuple(damages))
    count = size = 0
    events(PhaseStarted("verifying remote", len(sound), unit="objects"))
    for oid, got in _read_remote(sound, remote, legacy=legacy):
        count += 1
        if isinstance(got, _Read):
            size += got.size
            if got.trouble:
                damages.append(Damage(got.kind, oid, legacy, got.trouble))
            elif got.name != oid[:32]:
                detail = f"its bytes ({got.size:,}) have the name {got.name}"
                damages.append(Damage("corrupt", oid, legacy, detail))
            events(Advanced("verifying remote", 1, got.size))
        elif isinstance(got, BlobNotFoundError):
            damages.append(Damage("missing", oid, legacy))
        else:
            damages.append(Damage("unreadable", oid, legacy, got.message))
    events(PhaseEnded("verifying remote"))
    return Verified(checked, count, size, damages=tuple(damages))


def prove_there(
    found: Mapping[Oid, BlobInfo], remote: BlobStore, *, legacy: bool = False, events: Sink = silent
) -> list[Oid]:
    """Those objects of a remote that are certain to be what their names say.

    Where the remote's tag of an object is the MD5 of its bytes, and its name is too, that is enough;
    anything else is read.

    Raises:
        FourfoldError: the remote cannot be asked at all.
    """
    proven = [oid for oid, info in found.items() if not legacy and info.etag == oid[:32]]
    certain = set(proven)
    rest = {oid: info.size for oid, info in found.items() if oid not in certain}
    checked = verify_there(rest, (), remote, legacy=legacy, read=True, events=events)
    wrong = {damage.oid for damage in checked.damages}
    return proven + [oid for oid in rest if oid not in wrong]


def _read_remote(
    sizes: Mapping[Oid, int], remote: BlobStore, *, legacy: bool
) -> Iterator[tuple[Oid, _Read | FourfoldError]]:
    """Every object read whole: small ones in bulk, large ones streamed a few at a time."""
    by_key = {key_of(oid, legacy=legacy): oid for oid, size in sizes.items() if 0 <= size <= SMALL}
    for key, got in remote.get_many(list(by_key), max_size=SMALL):
        oid = by_key[key]
        if not isinstance(got, bytes):
            yield oid, got
            continue
        if is_tree(oid):
            yield oid, _Read(name_of(got), b"", len(got), *_manifest_trouble(oid, got))
        else:
            name = folded_bytes_digest(got).hex() if legacy else name_of(got)
            yield oid, _Read(name, b"", len(got))
    large = [oid for oid, size in sizes.items() if size < 0 or size > SMALL]

    def stream(oid: Oid) -> tuple[Oid, _Read | FourfoldError]:
        try:
            return oid, _stream_remote(oid, remote, legacy=legacy)
        except FourfoldError as error:
            return oid, error

    yield from map_batches(stream, large, jobs=_READERS)


def _stream_remote(oid: Oid, remote: BlobStore, *, legacy: bool) -> _Read:
    key = key_of(oid, legacy=legacy)
    if is_tree(oid):
        data = remote.get(key)
        return _Read(name_of(data), b"", len(data), *_manifest_trouble(oid, data))
    digest = _Folding() if legacy else Digests()
    for part in remote.open(key):
        digest.update(part)
    return _Read(digest.name.hex(), b"", digest.size)


class _Folding:
    """DVC 2's text-folding MD5 of a stream that comes in parts of any size: folded by whole chunks."""

    def __init__(self) -> None:
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._rest = bytearray()
        self.size = 0

    def update(self, part: bytes) -> None:
        """Take in the next bytes."""
        self._rest += part
        self.size += len(part)
        while len(self._rest) >= CHUNK:
            self._md5.update(folded_chunk(bytes(self._rest[:CHUNK])))
            del self._rest[:CHUNK]

    @property
    def name(self) -> bytes:
        """The digest of everything so far; nothing may follow."""
        self._md5.update(folded_chunk(bytes(self._rest)))
        self._rest.clear()
        return self._md5.digest()
