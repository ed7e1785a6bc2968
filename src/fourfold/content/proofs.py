"""The book of proofs: which objects of a store were read and found to hash to their names.

An entry is the object's (size, mtime_ns, ctime_ns, identity) and its BLAKE3, taken when its bytes
went by. It holds only while a fresh look at the file shows the same numbers; a mode bit proves nothing.
Kept in the stat index, one record a folder of the store, loaded when a folder is first asked for.
"""

import os
import struct
from array import array

from fourfold.base.fs.walk import POSITIVE, WIDTH, Scan
from fourfold.base.ids import Oid
from fourfold.content.objects import ObjectStore
from fourfold.content.statindex import StatIndex, settle

#: An entry: the `WIDTH` numbers of the file, then its BLAKE3; packed, as there may be millions.
_NUMBERS = struct.Struct(f"={WIDTH}q")
_SEEN = struct.Struct(f"={WIDTH - 1}q")
_SIZE = struct.Struct("=q")
_NO_DIGEST = bytes(32)
#: So many entries are kept in memory, but for those of one folder more.
_MOST_KEPT = 1 << 16


class ProofBook:
    """Proofs for the objects of one store.

    Not safe for several threads; the verbs note proofs from the thread that collects results.
    """

    def __init__(self, index: StatIndex, store: ObjectStore) -> None:
        self._index = index
        self._store = store
        self._folders: dict[tuple[str, bool], dict[str, bytes]] = {}
        self._touched: set[tuple[str, bool]] = set()
        self._newest = 0

    def _folder(self, prefix: str, legacy: bool) -> dict[str, bytes]:
        entries = self._folders.get((prefix, legacy))
        if entries is None:
            if sum(map(len, self._folders.values())) > _MOST_KEPT:
                self.flush()  # lets go of them, too
            record = self._index.load(f"{self._store.base(legacy=legacy)}/{prefix}", proofs=True)
            entries = {}
            if record is not None:
                numbers, proofs = record.stats.tobytes(), record.proofs or bytes(2 * len(record.packed))
                step = _NUMBERS.size
                for at, name in enumerate(record.names):
                    entries[name] = numbers[at * step : at * step + step] + proofs[at * 32 : at * 32 + 32]
            self._folders[prefix, legacy] = entries
        return entries

    def proven(self, oid: Oid, info: os.stat_result, *, legacy: bool = False) -> bool:
        """Whether the object, which looks like ``info`` now, is the file that was last proven."""
        entry = self._folder(oid[:2], legacy).get(oid[2:])
        return entry is not None and _fits(entry, info)

    def recall(self, oid: Oid, info: os.stat_result, *, legacy: bool = False) -> tuple[bool, bytes | None]:
        """`proven` and `blake3` in one."""
        entries = self._folders.get((oid[:2], legacy))
        entry = (self._folder(oid[:2], legacy) if entries is None else entries).get(oid[2:])
        return (False, None) if entry is None else (_fits(entry, info), entry[_NUMBERS.size :])

    def known(self, oid: Oid, *, legacy: bool = False) -> tuple[int, bytes]:
        """The size of the object's right bytes and their BLAKE3; -1 when they are not on record."""
        entries = self._folders.get((oid[:2], legacy))
        entry = (self._folder(oid[:2], legacy) if entries is None else entries).get(oid[2:])
        if entry is None or entry.endswith(_NO_DIGEST):
            return -1, b""
        return _SIZE.unpack_from(entry)[0], entry[_NUMBERS.size :]

    def proven_in(self, prefix: str, *, legacy: bool = False) -> set[str]:
        """The names (less their first two digits) of every proven object of one folder of the store."""
        entries = self._folder(prefix, legacy)
        proven: set[str] = set()
        if not entries:
            return proven
        try:
            with os.scandir(f"{self._store.base(legacy=legacy)}/{prefix}") as found:
                for item in found:
                    entry = entries.get(item.name)
                    if entry is not None:
                        info = item.stat(follow_symlinks=False)
                        if _fits(entry, info):
                            proven.add(item.name)
        except OSError:
            return set()
        return proven

    def blake3(self, oid: Oid, *, legacy: bool = False) -> bytes | None:
        """The BLAKE3 digest that was taken with the last proof, if one was."""
        entry = self._folder(oid[:2], legacy).get(oid[2:])
        return entry[_NUMBERS.size :] if entry is not None else None

    def note(self, oid: Oid, info: os.stat_result, proof: bytes, *, legacy: bool = False) -> None:
        """Record that the object was read and is right; ``info`` was taken under its final name."""
        mtime_ns, ctime_ns = info.st_mtime_ns, info.st_ctime_ns
        numbers = _NUMBERS.pack(info.st_size, mtime_ns, ctime_ns, info.st_ino & POSITIVE, info.st_mode)
        key = (oid[:2], legacy)
        entries = self._folders.get(key)
        (self._folder(oid[:2], legacy) if entries is None else entries)[oid[2:]] = numbers + (
            proof or bytes(32)
        )
        self._newest = max(self._newest, mtime_ns)
        self._newest = max(self._newest, ctime_ns)
        self._touched.add(key)

    def forget(self, oid: Oid, *, legacy: bool = False) -> None:
        """Drop what is known of an object."""
        if self._folder(oid[:2], legacy).pop(oid[2:], None) is not None:
            self._touched.add((oid[:2], legacy))

    def doubt(self, oid: Oid, *, legacy: bool = False) -> None:
        """Void the proof of an object that was found damaged: until it is healed, every check reads it."""
        digest = self.blake3(oid, legacy=legacy) or bytes(32)
        no_file = _NUMBERS.pack(-1, 0, 0, 0, 0)  # has this size
        self._folder(oid[:2], legacy)[oid[2:]] = no_file + digest
        self._touched.add((oid[:2], legacy))

    def flush(self) -> None:
        """Write the folders that changed; failing to is no failure."""
        when = settle(array("q", (0, self._newest, self._newest, 0, 0)), self._index.clock)
        for prefix, legacy in sorted(self._touched):
            entries = self._folders[prefix, legacy]
            stats: array[int] = array("q")
            stats.frombytes(b"".join([entry[: _NUMBERS.size] for entry in entries.values()]))
            self._index.save(
                f"{self._store.base(legacy=legacy)}/{prefix}",
                Scan(list(entries), stats, 0, []),
                bytes(16 * len(entries)),
                b"".join([entry[_NUMBERS.size :] for entry in entries.values()]),
                oid="",
                when=when,
            )
        self._touched.clear()
        self._newest = 0
        if sum(map(len, self._folders.values())) > _MOST_KEPT:
            self._folders.clear()  # what is asked for again is read again


def _fits(entry: bytes, info: os.stat_result) -> bool:
    """Whether a file looks as it did; its mode is left out, as it says nothing about bytes."""
    return entry.startswith(
        _SEEN.pack(info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino & POSITIVE)
    )
