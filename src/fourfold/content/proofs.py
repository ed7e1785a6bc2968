"""The book of proofs: which objects of a store were read and found to hash to their names.

An entry is the object's (size, mtime_ns, ctime_ns, identity) and its BLAKE3, taken when its bytes
went by. It holds only while a fresh look at the file shows the same numbers; a mode bit proves nothing.
Kept in the stat index, one record a folder of the store, loaded when a folder is first asked for.
"""

import os
from array import array

from fourfold.base.fs.walk import WIDTH, Scan, row
from fourfold.base.ids import Oid
from fourfold.content.objects import ObjectStore
from fourfold.content.statindex import StatIndex, settle

_Entry = tuple[tuple[int, ...], bytes]


class ProofBook:
    """Proofs for the objects of one store.

    Not safe for several threads; the verbs note proofs from the thread that collects results.
    """

    def __init__(self, index: StatIndex, store: ObjectStore) -> None:
        self._index = index
        self._store = store
        self._folders: dict[tuple[str, bool], dict[str, _Entry]] = {}
        self._touched: set[tuple[str, bool]] = set()

    def _folder(self, prefix: str, legacy: bool) -> dict[str, _Entry]:
        entries = self._folders.get((prefix, legacy))
        if entries is None:
            record = self._index.load(f"{self._store.base(legacy=legacy)}/{prefix}", proofs=True)
            entries = {}
            if record is not None:
                flat = record.stats.tolist()
                for at, name in enumerate(record.names):
                    entries[name] = (
                        tuple(flat[at * WIDTH : at * WIDTH + WIDTH]),
                        record.proofs[at * 32 : at * 32 + 32],
                    )
            self._folders[prefix, legacy] = entries
        return entries

    def proven(self, oid: Oid, info: os.stat_result, *, legacy: bool = False) -> bool:
        """Whether the object, which looks like ``info`` now, is the file that was last proven."""
        entry = self._folder(oid[:2], legacy).get(oid[2:])
        # The mode is left out: it says nothing about bytes, and a change of it moves ctime anyway.
        return entry is not None and entry[0][:4] == row(info, info.st_dev)[:4]

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
                        if entry[0][:4] == row(info, info.st_dev)[:4]:
                            proven.add(item.name)
        except OSError:
            return set()
        return proven

    def blake3(self, oid: Oid, *, legacy: bool = False) -> bytes | None:
        """The BLAKE3 digest that was taken with the last proof, if one was."""
        entry = self._folder(oid[:2], legacy).get(oid[2:])
        return entry[1] or None if entry is not None else None

    def note(self, oid: Oid, info: os.stat_result, proof: bytes, *, legacy: bool = False) -> None:
        """Record that the object was read and is right; ``info`` was taken under its final name."""
        self._folder(oid[:2], legacy)[oid[2:]] = (row(info, info.st_dev), proof or bytes(32))
        self._touched.add((oid[:2], legacy))

    def forget(self, oid: Oid, *, legacy: bool = False) -> None:
        """Drop what is known of an object."""
        if self._folder(oid[:2], legacy).pop(oid[2:], None) is not None:
            self._touched.add((oid[:2], legacy))

    def doubt(self, oid: Oid, *, legacy: bool = False) -> None:
        """Void the proof of an object that was found damaged: until it is healed, every check reads it."""
        digest = self.blake3(oid, legacy=legacy) or bytes(32)
        self._folder(oid[:2], legacy)[oid[2:]] = ((-1, 0, 0, 0, 0), digest)  # no file has this size
        self._touched.add((oid[:2], legacy))

    def flush(self) -> None:
        """Write the folders that changed; failing to is no failure."""
        newest: array[int] = array("q", (0, 0, 0, 0, 0))
        for key in self._touched:
            for numbers, _proof in self._folders[key].values():
                newest[1], newest[2] = max(newest[1], numbers[1]), max(newest[2], numbers[2])
        when = settle(newest, self._index.clock)
        for prefix, legacy in sorted(self._touched):
            entries = self._folders[prefix, legacy]
            stats: array[int] = array("q")
            for numbers, _proof in entries.values():
                stats.extend(numbers)
            self._index.save(
                f"{self._store.base(legacy=legacy)}/{prefix}",
                Scan(list(entries), stats, 0, []),
                bytes(16 * len(entries)),
                b"".join([proof for _numbers, proof in entries.values()]),
                oid="",
                when=when,
            )
        self._touched.clear()
