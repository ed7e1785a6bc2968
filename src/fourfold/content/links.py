"""Links: how one file of the workspace is made from one object, and proven on the way.

A copy is hashed as it is made. A hard link, a symbolic link and a clone move no bytes: they are made
only from an object that is proven, by the book or by hashing it now. Where the BLAKE3 of the object's right
bytes is on record, that is what it is hashed to: it costs a fraction of the MD5 that names it, and proves
more. The first kind of link that works is used; a kind that fails once is not tried again.
"""

import os
import threading

from fourfold.base.clock import SYSTEM, Clock
from fourfold.base.fs.atomic import write_all
from fourfold.base.fs.platform import CREATE_NEW, READ, UPDATE, clone_file
from fourfold.base.ids import Oid
from fourfold.content.hashing import digest_stream, folded_digest, proof_of, proof_of_stream
from fourfold.content.naming import CHUNK, folded_bytes_digest, name_of
from fourfold.content.objects import ObjectStore
from fourfold.content.proofs import ProofBook

#: Files up to this size are read whole, whether or not a look at them would have spared the reading.
_SMALL = 1 << 16
#: What was written so shortly before a checkout began cannot be told from what was written after.
_FRESH_NS = 2_000_000_000
#: The kinds of link that DVC's ``cache.type`` knows.
KINDS = ("reflink", "hardlink", "symlink", "copy")


class Linker:
    """Makes files from the objects of one store; its `make` may be called from several threads."""

    def __init__(
        self,
        store: ObjectStore,
        proofs: ProofBook,
        kinds: tuple[str, ...],
        *,
        legacy: bool = False,
        executable: bool = False,
        clock: Clock = SYSTEM,
    ) -> None:
        self._base = store.base(legacy=legacy)
        self._proofs = proofs
        # An executable needs an inode of its own: its mode must not become the object's.
        own = [kind for kind in kinds if not (executable and kind in {"hardlink", "symlink"})]
        self._kinds = own or ["copy"]
        self._legacy = legacy
        self._executable = executable
        self._lock = threading.Lock()
        self._began = clock.now_ns()
        self._moved: dict[Oid, tuple[os.stat_result, bytes]] = {}

    def _path(self, oid: Oid) -> str:
        return f"{self._base}/{oid[:2]}/{oid[2:]}"

    def make(self, oid: Oid, place: str) -> tuple[str, os.stat_result | None]:
        """Make the file ``place``, which does not exist, hold the object's bytes.

        Returns:
            The kind of link and what the file looks like; or ``"missing"`` or ``"corrupt"`` and None.

        Raises:
            OSError: it could not be written.
        """
        source = self._path(oid)
        try:
            fd = os.open(source, READ)
        except FileNotFoundError:
            return "missing", None
        try:
            if self._kinds[:1] == ["hardlink"] and (info := self._link_small(oid, fd, source, place)):
                return "hardlink", info
            info = os.fstat(fd)
            for kind in tuple(self._kinds):
                # Every empty file would be one inode with all others; DVC, too, gives each its own.
                if kind == "copy" or (kind == "hardlink" and not info.st_size):
                    return self._copy(oid, fd, info.st_size, place)
                outcome = self._share(kind, oid, fd, info, place)
                if outcome is not None:
                    return outcome
                with self._lock:
                    if kind in self._kinds:
                        self._kinds.remove(kind)
            return self._copy(oid, fd, info.st_size, place)
        finally:
            os.close(fd)

    def _link_small(self, oid: Oid, fd: int, source: str, place: str) -> os.stat_result | None:
        """The short way for small files: one reading against the proof on record, one link, one look.

        Returns:
            None when it is not to be had this way; the file was not made then.
        """
        with self._lock:
            size, known = self._proofs.known(oid, legacy=self._legacy)
        if not 0 < size <= _SMALL or oid in self._moved:
            return None
        data = os.read(fd, size + 1)
        if len(data) != size or proof_of(data) != known:
            os.lseek(fd, 0, os.SEEK_SET)
            return None
        try:
            os.link(source, place)
        except OSError:
            os.lseek(fd, 0, os.SEEK_SET)
            return None
        info = os.fstat(fd)
        if info.st_mtime_ns + _FRESH_NS > self._began:  # perhaps written since it was read
            os.unlink(place)
            os.lseek(fd, 0, os.SEEK_SET)
            return None
        with self._lock:
            other = self._moved.get(oid)
            if other is None or other[0].st_ctime_ns <= info.st_ctime_ns:
                self._moved[oid] = info, known
        return info

    def _share(
        self, kind: str, oid: Oid, fd: int, info: os.stat_result, place: str
    ) -> tuple[str, os.stat_result | None] | None:
        """A link that moves no bytes; None where this kind does not work here."""
        if kind == "reflink":
            return self._clone(oid, fd, info.st_size, place)
        proof = self._prove(kind, oid, fd, info)
        if proof is None:
            return "corrupt", None
        source = self._path(oid)
        try:
            if kind == "symlink":
                os.symlink(source, place)
                return kind, info
            os.link(source, place)
        except OSError:
            return None
        now = os.fstat(fd)
        if (now.st_size, now.st_mtime_ns) != (info.st_size, info.st_mtime_ns):
            os.unlink(place)
            return "corrupt", None
        with self._lock:
            other = self._moved.get(oid)
            if other is None or other[0].st_ctime_ns <= now.st_ctime_ns:
                self._moved[oid] = now, proof
        return kind, now

    def _clone(self, oid: Oid, fd: int, size: int, place: str) -> tuple[str, os.stat_result | None] | None:
        out = os.open(place, UPDATE | CREATE_NEW, 0o666)
        try:
            if not clone_file(fd, out):
                os.unlink(place)
                return None
            # Clones have been seen to return zeros (openzfs 15526): each is read back.
            os.lseek(out, 0, os.SEEK_SET)
            if self._digest(oid, out, size, self._known(oid)) is None:
                os.unlink(place)
                return "corrupt", None
            self._set_exec_bit(out)
            return "reflink", os.fstat(out)
        finally:
            os.close(out)

    def _prove(self, kind: str, oid: Oid, fd: int, info: os.stat_result) -> bytes | None:
        """The BLAKE3 of the object, once it is sure that its bytes are right; None when they are not."""
        with self._lock:
            if oid in self._moved:
                return self._moved[oid][1]
            proven, known = self._proofs.recall(oid, info, legacy=self._legacy)
        if proven:
            return known or b""
        proof = self._digest(oid, fd, info.st_size, known)
        if proof is not None and kind == "symlink":
            with self._lock:
                self._proofs.note(oid, info, proof, legacy=self._legacy)
        return proof

    def _known(self, oid: Oid) -> bytes | None:
        with self._lock:
            return self._proofs.blake3(oid, legacy=self._legacy)

    def _digest(self, oid: Oid, fd: int, size: int, known: bytes | None) -> bytes | None:
        """Read an open file that should hold the object: its BLAKE3, or None when it holds something else."""
        if size <= CHUNK:
            return self._proof_of(oid, _read(fd, size), known)
        if known is not None and any(known):
            if proof_of_stream(fd) == known:
                return known
            os.lseek(fd, 0, os.SEEK_SET)
        if self._legacy:
            name, proof, _size = folded_digest(fd)
        else:
            digests = digest_stream(fd)
            name, proof = digests.name, digests.proof
        return proof if name.hex() == oid[:32] else None

    def _proof_of(self, oid: Oid, data: bytes, known: bytes | None) -> bytes | None:
        """The BLAKE3 of the object's bytes; None when they are not the object's."""
        proof = proof_of(data)
        if proof == known:
            return proof
        name = folded_bytes_digest(data).hex() if self._legacy else name_of(data)
        return proof if name == oid[:32] else None

    def _copy(self, oid: Oid, fd: int, size: int, place: str) -> tuple[str, os.stat_result | None]:
        os.lseek(fd, 0, os.SEEK_SET)  # a kind of link that failed may have read it, to prove it
        out = os.open(place, UPDATE | CREATE_NEW, 0o666)
        try:
            if size <= CHUNK:
                data = _read(fd, size)
                sound = self._proof_of(oid, data, self._known(oid)) is not None
                if sound:
                    write_all(out, data)
            else:
                if self._legacy:
                    name = folded_digest(fd)[0]
                    os.lseek(fd, 0, os.SEEK_SET)
                    digest_stream(fd, lambda part: write_all(out, part))
                else:
                    name = digest_stream(fd, lambda part: write_all(out, part)).name
                sound = name.hex() == oid[:32]
            if not sound:
                os.unlink(place)
                return "corrupt", None
            self._set_exec_bit(out)
            return "copy", os.fstat(out)
        finally:
            os.close(out)

    def _set_exec_bit(self, fd: int) -> None:
        if self._executable:
            os.fchmod(fd, os.fstat(fd).st_mode & 0o777 | 0o100)

    def note_links(self, *, renamed: bool = False) -> None:
        """Renew the proofs of objects whose change time our own links moved.

        Args:
            renamed: The links were renamed one by one since, which moved them again.
        """
        for oid, (info, proof) in self._moved.items():
            now = os.stat(self._path(oid)) if renamed else info
            if (now.st_size, now.st_mtime_ns, now.st_ino) == (info.st_size, info.st_mtime_ns, info.st_ino):
                self._proofs.note(oid, now, proof, legacy=self._legacy)

    def look(self, oid: Oid) -> os.stat_result | None:
        """How an object that was linked looked after the last of its links; None for others."""
        moved = self._moved.get(oid)
        return None if moved is None else moved[0]


def _read(fd: int, size: int) -> bytes:
    """All bytes of a small file that is ``size`` long."""
    data = os.read(fd, size + 1)
    while len(data) < size and (more := os.read(fd, size + 1 - len(data))):
        data += more
    return data
