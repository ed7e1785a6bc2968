"""Links: how one file of the workspace is made from one object, and proven on the way.

A copy is hashed as it is made. A hard link, a symbolic link and a clone move no bytes: they are made
only from an object that is proven, by the book or by hashing it now. The first kind of link that works is
used; a kind that fails once is not tried again.
"""

import os
import threading

from fourfold.base.fs.atomic import write_all
from fourfold.base.fs.platform import CREATE_NEW, READ, UPDATE, clone_file
from fourfold.base.ids import Oid
from fourfold.content.hashing import digest_bytes, digest_stream, folded_digest
from fourfold.content.naming import CHUNK, folded_bytes_digest
from fourfold.content.objects import ObjectStore
from fourfold.content.proofs import ProofBook

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
    ) -> None:
        self._store = store
        self._proofs = proofs
        # An executable needs an inode of its own: its mode must not become the object's.
        own = [kind for kind in kinds if not (executable and kind in {"hardlink", "symlink"})]
        self._kinds = own or ["copy"]
        self._legacy = legacy
        self._executable = executable
        self._lock = threading.Lock()
        self._moved: dict[Oid, bytes] = {}
        self._clone_checked = False

    def make(self, oid: Oid, place: str) -> tuple[str, os.stat_result | None]:
        """Make the file ``place``, which does not exist, hold the object's bytes.

        Returns:
            The kind of link and what the file looks like; or ``"missing"`` or ``"corrupt"`` and None.

        Raises:
            OSError: it could not be written.
        """
        source = self._store.path(oid, legacy=self._legacy)
        try:
            fd = os.open(source, READ)
        except FileNotFoundError:
            return "missing", None
        try:
            for kind in tuple(self._kinds):
                # Every empty file would be one inode with all others; DVC, too, gives each its own.
                if kind == "copy" or (kind == "hardlink" and not os.fstat(fd).st_size):
                    return self._copy(oid, fd, place)
                outcome = self._share(kind, oid, fd, source, place)
                if outcome is not None:
                    return outcome
                with self._lock:
                    if kind in self._kinds:
                        self._kinds.remove(kind)
            return self._copy(oid, fd, place)
        finally:
            os.close(fd)

    def _share(
        self, kind: str, oid: Oid, fd: int, source: str, place: str
    ) -> tuple[str, os.stat_result | None] | None:
        """A link that moves no bytes; None where this kind does not work here."""
        if kind == "reflink":
            out = os.open(place, UPDATE | CREATE_NEW, 0o666)
            try:
                if not clone_file(fd, out):
                    os.unlink(place)
                    return None
                # Clones have been seen to return zeros (openzfs 15526): each is read back.
                if self._name_of(out) != oid[:32]:
                    os.unlink(place)
                    return "corrupt", None
                self._set_exec_bit(out)
                return kind, os.fstat(out)
            finally:
                os.close(out)
        if not self._prove(oid, fd):
            return "corrupt", None
        try:
            if kind == "hardlink":
                os.link(source, place)
                with self._lock:
                    self._moved.setdefault(oid, b"")
            else:
                os.symlink(source, place)
        except OSError:
            return None
        return kind, os.fstat(fd)

    def _prove(self, oid: Oid, fd: int) -> bool:
        info = os.fstat(fd)
        with self._lock:
            if oid in self._moved or self._proofs.proven(oid, info, legacy=self._legacy):
                return True
        if self._legacy:
            name, proof, _size = folded_digest(fd)
        else:
            digests = digest_stream(fd) if info.st_size > CHUNK else None
            name, proof = (digests.name, digests.proof) if digests else digest_bytes(_read(fd, info.st_size))
        if name.hex() != oid[:32]:
            return False
        with self._lock:
            self._proofs.note(oid, info, proof, legacy=self._legacy)
        return True

    def _name_of(self, fd: int) -> str:
        os.lseek(fd, 0, os.SEEK_SET)
        if self._legacy:
            return folded_digest(fd)[0].hex()
        return digest_stream(fd).name.hex()

    def _copy(self, oid: Oid, fd: int, place: str) -> tuple[str, os.stat_result | None]:
        size = os.fstat(fd).st_size
        os.lseek(fd, 0, os.SEEK_SET)  # a kind of link that failed may have read it, to prove it
        out = os.open(place, UPDATE | CREATE_NEW, 0o666)
        try:
            if size <= CHUNK:
                data = _read(fd, size)
                name = folded_bytes_digest(data) if self._legacy else digest_bytes(data)[0]
                if name.hex() == oid[:32]:
                    write_all(out, data)
            elif self._legacy:
                name = folded_digest(fd)[0]
                os.lseek(fd, 0, os.SEEK_SET)
                digest_stream(fd, lambda part: write_all(out, part))
            else:
                name = digest_stream(fd, lambda part: write_all(out, part)).name
            if name.hex() != oid[:32]:
                os.unlink(place)
                return "corrupt", None
            self._set_exec_bit(out)
            return "copy", os.fstat(out)
        finally:
            os.close(out)

    def _set_exec_bit(self, fd: int) -> None:
        if self._executable:
            os.fchmod(fd, os.fstat(fd).st_mode & 0o777 | 0o100)

    def note_links(self) -> None:
        """Renew the proofs of objects whose change time our own links moved."""
        for oid in self._moved:
            info = os.stat(self._store.path(oid, legacy=self._legacy))
            proof = self._proofs.blake3(oid, legacy=self._legacy) or b""
            self._proofs.note(oid, info, proof, legacy=self._legacy)


def _read(fd: int, size: int) -> bytes:
    """All bytes of a small file that is ``size`` long."""
    data = os.read(fd, size + 1)
    while len(data) < size and (more := os.read(fd, size + 1 - len(data))):
        data += more
    return data
