"""The only writer of object stores: new objects arrive under temporary names and are named together.

`Intake` is one batch: objects are written hidden beside their final place, made durable at once (one
``syncfs``, or an fsync a file), renamed, and their folders made durable. Until `commit` nothing has its
final name; a failure leaves nothing but hidden files, and a death leaves a lease that the kernel has let
go, by which the next writer knows whose litter it may sweep. Every byte was hashed before it came
here: this module names what its callers proved.
"""

import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple, Self

from fourfold.base.errors import FourfoldError, from_os_error
from fourfold.base.fs.atomic import temp_token, write_all
from fourfold.base.fs.platform import (
    CREATE_NEW,
    READ,
    UPDATE,
    WRITE,
    clone_file,
    current_umask,
    sync_directory,
    sync_filesystem,
)
from fourfold.base.ids import Oid, is_tree
from fourfold.base.pool import chunks, map_batches
from fourfold.content.hashing import digest_stream, folded_digest
from fourfold.content.joining import Joined, is_still, join, refuse_unless
from fourfold.content.leases import Lease, make_shared, unlink_quietly
from fourfold.content.objects import ObjectStore
from fourfold.content.proofs import ProofBook

#: Up to this many new objects are fsynced one by one; more share one flush of the file system.
_FEW = 8
#: From so many objects of one folder on, looking at the whole folder is cheaper than at each.
_MANY = 16
#: From so many objects on, they get their names on several threads, this many in a batch.
_MANY_NAMES = 2048
_BATCH = 512
#: So many objects get their names at once, at most: a batch of millions would not fit into memory.
_ROUND = 1 << 16
#: So many names of objects that are there are kept in memory; beyond, each object is asked for.
_MOST_LISTED = 1 << 16


class Stored(NamedTuple):
    """What a committed batch did."""

    added: int
    size: int
    present: int
    healed: tuple[Oid, ...]


class Intake:
    """One batch of new objects for a store. Its ``add_*`` methods may be called from several threads.

    Args:
        store: Where the objects go.
        proofs: The book in which existing objects are looked up and new ones noted.
        legacy: Write the 2.x layout (only for objects fetched for a 2.x project).
    """

    def __init__(self, store: ObjectStore, proofs: ProofBook, *, legacy: bool = False) -> None:
        self.store = store
        self.proofs = proofs
        self._legacy = legacy
        self._token = temp_token()
        self._base = store.base(legacy=legacy)
        self._pending: dict[str, bytes] = {}  # object name -> BLAKE3, in the order of arrival
        self._naming: dict[str, bytes] = {}  # those that get their names at this moment
        self._named = 0
        self._joining: dict[str, Joined] = {}  # the files that become those objects when they are named
        self._hidden: set[str] = set()  # those of them that have a hidden name already
        self._links = False  # whether a hard link has worked here
        self._present: dict[str, None] = {}
        self._found = 0
        self._healed: list[Oid] = []
        self._folders: dict[str, set[str] | None] = {}  # names that are there; None: too many to keep
        self._listed = 0
        self._size = 0
        self._streams = 0
        self._littered = False
        self._lock = threading.Lock()
        self._lease: Lease | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.abort()

    # -- arriving ---------------------------------------------------------------------------------

    def holds(self, oid: str) -> bool:
        """Whether the object was there before, or has arrived in this batch; says nothing of its bytes."""
        return self._has_arrived(oid) or self._is_there(oid)

    def _has_arrived(self, oid: str) -> bool:
        return oid in self._pending or oid in self._naming

    def _is_there(self, oid: str) -> bool:
        """Whether an object has that name; its folder exists afterwards."""
        prefix = oid[:2]
        if prefix not in self._folders:
            self._look_into(prefix)
        names = self._folders[prefix]
        if names is None:
            return os.access(f"{self._base}/{prefix}/{oid[2:]}", os.F_OK)
        return oid[2:] in names

    def _look_into(self, prefix: str) -> None:
        with self._lock:
            if prefix in self._folders:
                return
            self._open()
            names = self.store.folder(prefix, legacy=self._legacy)
            if not names:
                self._make_folder(prefix)
            self._listed += len(names)
            self._folders[prefix] = names if self._listed <= _MOST_LISTED else None

    def settled(self, oid: Oid) -> bool:
        """Whether a *proven* object of that name needs nothing more; never reads content."""
        if self._has_arrived(oid) or oid in self._present:
            return True
        if not self._is_there(oid):
            return False
        try:
            info = os.stat(f"{self._base}/{oid[:2]}/{oid[2:]}")
        except OSError:
            return False
        with self._lock:
            proven = self.proofs.proven(oid, info, legacy=self._legacy)
            if proven:
                self._present[oid] = None
        return proven

    def unsettled(self, oids: Sequence[Oid]) -> list[int]:
        """The positions of those of many objects that are not `settled`; looks at each folder once."""
        by_folder: dict[str, list[int]] = {}
        for at, oid in enumerate(oids):
            by_folder.setdefault(oid[:2], []).append(at)
        found: list[int] = []
        for prefix, rows in by_folder.items():
            if len(rows) < _MANY:
                found += [at for at in rows if not self.settled(oids[at])]
                continue
            with self._lock:
                self._open()  # whoever counts on what is there keeps collectors out
            proven = self.proofs.proven_in(prefix, legacy=self._legacy)
            lacking = [at for at in rows if oids[at][2:] not in proven]
            self._found += len(rows) - len(lacking)
            found += [at for at in lacking if not self._has_arrived(oids[at])]
        found.sort()
        return found

    def add_bytes(self, oid: Oid, data: bytes, proof: bytes) -> None:
        """Take in a small object whose name was computed from ``data``."""
        if self._has_arrived(oid) or oid in self._present:
            return
        if self._is_there(oid):
            if self.settled(oid) or self._same(oid, data, proof):
                return
            with self._lock:
                self._healed.append(oid)
        temporary = self._temporary(oid)
        try:
            fd = os.open(temporary, WRITE | CREATE_NEW, self.store.file_mode)
        except FileExistsError:
            return  # the same content arrives on another thread at this moment
        try:
            write_all(fd, data)
            if self._mode_is_masked:
                os.fchmod(fd, self.store.file_mode)
        except BaseException:
            self._drop(temporary)
            raise
        finally:
            os.close(fd)
        with self._lock:
            self._pending[oid] = proof
            self._size += len(data)

    def _same(self, oid: Oid, data: bytes, proof: bytes) -> bool:
        """Whether the object that is there without a proof holds exactly ``data``."""
        if self._legacy and self._is_sound(oid):
            return True
        path = f"{self._base}/{oid[:2]}/{oid[2:]}"
        try:
            with open(path, "rb") as file:
                if file.read(len(data) + 1) != data:
                    return False
                self._note_sound(oid, file.fileno(), proof)
        except OSError:
            return False
        return True

    def _is_sound(self, oid: Oid) -> bool:
        """Whether the object that is there hashes to its name; a 2.x one may have other line ends."""
        if not self._is_there(oid):
            return False
        try:
            fd = os.open(f"{self._base}/{oid[:2]}/{oid[2:]}", READ)
        except OSError:
            return False
        try:
            if self._legacy and not is_tree(oid):
                name, proof, _size = folded_digest(fd)
            else:
                digests = digest_stream(fd)
                name, proof = digests.name, digests.proof
            if name.hex() != oid[:32]:
                return False
            self._note_sound(oid, fd, proof)
        finally:
            os.close(fd)
        return True

    def _note_sound(self, oid: Oid, fd: int, proof: bytes) -> None:
        """Record an object that was just read; a mode that its killed writer left open is mended."""
        if os.fstat(fd).st_mode & 0o777 != self.store.file_mode:
            with suppress(OSError):  # somebody else's, in a shared cache: it is sound all the same
                os.chmod(f"{self._base}/{oid[:2]}/{oid[2:]}", self.store.file_mode)
        with self._lock:
            self.proofs.note(oid, os.fstat(fd), proof, legacy=self._legacy)
            self._present[oid] = None

    def open_stream(self) -> tuple[int, str]:
        """A new hidden file for an object whose name is known only at its end.

        Returns:
            The open handle and the path, for `add_stream` or `drop_stream`.
        """
        with self._lock:
            self._open()
            self._streams += 1
            number = self._streams
            os.makedirs(self._base, mode=self.store.folder_mode, exist_ok=True)
        path = f"{self._base}/.stream{number}.{self._token}.tmp"
        return os.open(path, UPDATE | CREATE_NEW, self.store.file_mode), path

    def clone_stream(self, source_fd: int) -> tuple[int, str] | None:
        """A hidden file that shares the blocks of an open one, or None where that is impossible."""
        fd, path = self.open_stream()
        try:
            if clone_file(source_fd, fd):
                return fd, path
        except OSError:
            self.drop_stream(fd, path)
            raise
        self.drop_stream(fd, path)
        return None

    def drop_stream(self, fd: int, path: str) -> None:
        """Give up a hidden file."""
        os.close(fd)
        os.unlink(path)

    def add_stream(self, fd: int, path: str, oid: Oid, proof: bytes, size: int) -> None:
        """Take in a large object: the hidden file was written whole and hashed to ``oid``."""
        if self._mode_is_masked:
            os.fchmod(fd, self.store.file_mode)
        if self.settled(oid) or (self._legacy and self._is_sound(oid)):
            self.drop_stream(fd, path)
            return
        os.close(fd)
        existed = self._is_there(oid)
        with self._lock:
            if self._has_arrived(oid):
                os.unlink(path)
                return
            if existed:
                # Renaming over it is cheaper than proving it, and heals it where it was damaged.
                self._healed.append(oid)
            os.rename(path, self._temporary(oid))
            self._pending[oid] = proof
            self._size += size

    def link(self, oid: Oid, file: Joined, proof: bytes) -> bool:
        """Make the user's file and the object one inode, when the object gets its name.

        Returns:
            False when the store lies on another device or cannot link: the caller copies.
        """
        heals = False
        names = self._folders.get(oid[:2])
        if names is None or oid[2:] in names or self._has_arrived(oid):
            if self.settled(oid) or self._is_sound(oid):
                return True
            heals = self._is_there(oid)
        hides = heals or not self._links  # the first file tells whether links work
        if hides:
            try:
                os.link(file.path, self._temporary(oid), follow_symlinks=False)
            except FileExistsError:
                return True
            except OSError:
                return False
        with self._lock:
            if oid in self._pending:
                return True
            self._links = True
            if heals:
                self._healed.append(oid)
            if hides:
                self._hidden.add(oid)
            self._pending[oid] = proof
            self._joining[oid] = file
        return True

    # -- naming -----------------------------------------------------------------------------------

    def commit(self) -> Stored:
        """Make everything that arrived durable, then give it its name.

        Raises:
            FourfoldError: nothing, or only whole and durable objects, got a name.
        """
        try:
            self._name_all()
        except FourfoldError:
            self.abort()
            raise
        done = Stored(self._named, self._size, len(self._present) + self._found, tuple(self._healed))
        self._healed.clear()
        self._named = self._size = 0
        self._close()
        return done

    def relieve(self) -> None:
        """Name what has arrived so far when it is a lot, so that no batch outgrows the memory.

        May be called while other threads add. What has a name is whole and durable; should the rest fail,
        it is there for the next try.

        Raises:
            FourfoldError: as `commit`.
        """
        if len(self._pending) >= _ROUND:
            self._name_all()
            with self._lock:
                self.proofs.flush()

    def _name_all(self) -> None:
        with self._lock:
            self._naming, self._pending = self._pending, {}
        try:
            self._flush_content()
            # In the order of the folders: neighbours share what the file system has just looked up.
            oids = sorted(self._naming)
            jobs = None if len(oids) >= _MANY_NAMES else 1
            for rows in map_batches(
                lambda part: [(oid, self._name(oid)) for oid in oids[part.start : part.stop]],
                chunks(len(oids), _BATCH),
                jobs=jobs,
            ):
                self._note_named(rows)
            self._flush_names()
        except OSError as error:
            raise from_os_error(error, "writing the cache") from error
        with self._lock:
            self._named += len(self._naming)
            self._listed += len(self._naming)
            for oid in self._naming:
                self._joining.pop(oid, None)
                self._hidden.discard(oid)
            self._naming = {}
            if self._listed > _MOST_LISTED:
                self._folders = dict.fromkeys(self._folders)

    def _note_named(self, rows: Sequence[tuple[str, os.stat_result]]) -> None:
        joining, naming, folders = self._joining, self._naming, self._folders
        with self._lock:
            for oid, info in rows:
                file = joining.get(oid)
                if file is None or file.sure:
                    self.proofs.note(Oid(oid), info, naming[oid], legacy=self._legacy)
                names = folders.get(oid[:2])
                if names is not None:
                    names.add(oid[2:])
                if file is not None and info.st_ino == file.inode:
                    file.moved(file.at, info)

    def _name(self, oid: str) -> os.stat_result:
        """Give an object its name; what it looks like then."""
        place = f"{self._base}/{oid[:2]}/{oid[2:]}"
        file = self._joining.get(oid)
        if file is None:
            os.replace(self._temporary(oid), place)
            return os.stat(place)
        if oid not in self._hidden:
            try:
                return join(file, place, self.store.file_mode)
            except OSError:
                return self._name_copy(Oid(oid), file, place)
        hidden = self._temporary(oid)
        refuse_unless(is_still(file, os.stat(hidden, follow_symlinks=False)), file.path)
        os.replace(hidden, place)
        os.chmod(place, self.store.file_mode)
        return os.stat(place)

    def _name_copy(self, oid: Oid, file: Joined, place: str) -> os.stat_result:
        """The object as a copy, for the one file that cannot be linked; durable before it is named."""
        fd, hidden = self.open_stream()
        try:
            with open(file.path, "rb", buffering=0) as source:
                if self._legacy:
                    name = folded_digest(source.fileno())[0]
                    source.seek(0)
                    digest_stream(source.fileno(), lambda part: write_all(fd, part))
                else:
                    name = digest_stream(source.fileno(), lambda part: write_all(fd, part)).name
                still = is_still(file, os.fstat(source.fileno()))
            refuse_unless(name.hex() == oid and still, file.path)
            os.fchmod(fd, self.store.file_mode)
            os.fsync(fd)
            os.replace(hidden, place)
            return os.fstat(fd)
        except BaseException:
            unlink_quietly(hidden)
            raise
        finally:
            os.close(fd)

    def _flush_content(self) -> None:
        if len(self._naming) > _FEW and sync_filesystem(self._base):
            return
        for oid in self._naming:
            file = self._joining.get(oid)
            try:
                fd = os.open(self._temporary(oid) if file is None else file.path, READ)
            except FileNotFoundError:
                refuse_unless(file is None, file.path if file is not None else "")
                raise
            try:
                os.fsync(fd)
            finally:
                os.close(fd)

    def _flush_names(self) -> None:
        if len(self._naming) > _FEW and sync_filesystem(self._base):
            return
        for prefix in sorted({oid[:2] for oid in self._naming}):
            sync_directory(f"{self._base}/{prefix}")
        if self._naming:
            sync_directory(self._base)

    def abort(self) -> None:
        """Drop what arrived since the last commit; hidden files go, named objects stay."""
        for oid in (*self._naming, *self._pending):
            if oid not in self._joining or oid in self._hidden:
                self._drop(self._temporary(oid))
        self._naming, self._pending = {}, {}
        self._joining.clear()
        self._hidden.clear()
        if self._lease is not None:
            try:
                names = os.listdir(self._base)
            except OSError:
                names, self._littered = [], True
            for name in names:
                if name.endswith(f"{self._token}.tmp"):
                    self._drop(f"{self._base}/{name}")
            self._close()

    def _drop(self, temporary: str) -> None:
        """Remove a hidden file; where that fails, the lease stays behind for the next writer to sweep by."""
        if not unlink_quietly(temporary):
            self._littered = True

    # -- folders and the lease ---------------------------------------------------------------------

    def _temporary(self, oid: str) -> str:
        return f"{self._base}/{oid[:2]}/.{oid[2:]}.{self._token}.tmp"

    def _make_folder(self, prefix: str) -> None:
        path = f"{self._base}/{prefix}"
        if self.store.shared:
            for folder in (f"{self.store.root}/files", f"{self.store.root}/files/md5", path):
                make_shared(self.store, folder)
        else:
            try:
                os.mkdir(path)
            except FileExistsError:
                return
            except FileNotFoundError:
                os.makedirs(path, exist_ok=True)

    def _open(self) -> None:
        """Take the lease before the first hidden file; sweep the litter of writers that died."""
        if self._lease is None:
            self._lease = Lease(self.store, self._token)
            self._mode_is_masked = bool(current_umask() & self.store.file_mode)

    _mode_is_masked = True

    def _close(self) -> None:
        if self._lease is not None:
            self._lease.release(littered=self._littered)
            self._lease = None
