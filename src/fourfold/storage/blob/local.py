"""A folder of this machine as a blob store: DVC's local remotes, a shared disk, a mounted drive.

Objects are files of mode 0444 in folders of mode 0777 less the umask, as DVC writes them. Every
write goes to a temporary name in its folder, is flushed, and is renamed; reading changes nothing.
A folder that does not exist yet reads as empty and is made by the first write. The fast paths
from folder to folder (links, clones) belong to `content`, which finds the folder in `local_root`.
"""

import errno
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from fourfold.base.errors import FourfoldError, UnsafeError, from_os_error
from fourfold.base.fs.atomic import temp_name, write_all
from fourfold.base.fs.platform import (
    CREATE_NEW,
    NO_FOLLOW,
    NO_WAIT,
    READ,
    WRITE,
    clone_file,
    sync_directory,
    sync_filesystem,
)
from fourfold.storage.blob import bulk
from fourfold.storage.blob.protocol import (
    CHUNK,
    BlobInfo,
    BucketNotFoundError,
    UnsafeKeyError,
    check_key,
    check_prefix,
    not_found,
    too_large,
    wrong_length,
)
from fourfold.storage.options import Options

#: The mode of a stored object (`dvc.md` 2.3).
OBJECT_MODE = 0o444
#: The mode of a folder of a remote with ``shared = group``.
SHARED_DIR_MODE = 0o2775
_PAGE = 4096
_BATCH_ITEMS = 2048
_BATCH_BYTES = 64 << 20
#: Below this many files one flush each is cheaper than one of the whole file system.
_FEW = 16
_MISSING = frozenset({errno.ENOENT, errno.ENOTDIR})
_NO_COPY_RANGE = frozenset({errno.EXDEV, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EBADF})


class EscapingLinkError(UnsafeError):
    """A symbolic link inside a confined store leads out of it."""

    code = "store-link-escapes"


class LocalStore:
    """Objects as files below one folder.

    Args:
        root: Absolute path of the folder; it need not exist.
        mode: Mode of a new object.
        dir_mode: Mode of a new folder, set whatever the umask; None leaves it to the umask.
        confined: Whether symbolic links inside the folder must not lead out of it. For folders that
            somebody else may have written, such as a remote inside a cloned repository.
        jobs: Threads of the bulk reads.
    """

    def __init__(
        self,
        root: str,
        *,
        mode: int = OBJECT_MODE,
        dir_mode: int | None = None,
        confined: bool = False,
        jobs: int | None = None,
    ) -> None:
        self._root = os.path.abspath(root)
        self._mode = mode
        self._dir_mode = dir_mode
        self._confined = confined
        self._jobs = jobs or 4
        self._proven: set[str] = set()

    @property
    def url(self) -> str:
        """The folder."""
        return self._root

    @property
    def local_root(self) -> str | None:
        """The folder."""
        return self._root

    def head(self, key: str) -> BlobInfo | None:
        """See `BlobStore.head`."""
        path = self._path(key)
        try:
            found = os.stat(path, follow_symlinks=not self._confined)
        except OSError as error:
            if error.errno in _MISSING:
                return None
            raise from_os_error(error, "reading the remote") from error
        return _info(key, found) if stat.S_ISREG(found.st_mode) else None

    def get(self, key: str, max_size: int | None = None) -> bytes:
        """See `BlobStore.get`."""
        fd, size = self._open_file(key)
        try:
            if max_size is not None and size > max_size:
                raise too_large(key, self._root, max_size)
            parts = []
            left = size + 1
            while left > 0 and (part := os.read(fd, min(left, 64 << 20))):
                parts.append(part)
                left -= len(part)
        except OSError as error:
            raise from_os_error(error, f"reading {self._root}/{key}") from error
        finally:
            os.close(fd)
        if left != 1:
            raise wrong_length(key, self._root, size, size + 1 - left)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def open(self, key: str) -> Iterator[bytes]:
        """See `BlobStore.open`."""
        fd, size = self._open_file(key)
        return self._chunks(key, fd, size)

    def _chunks(self, key: str, fd: int, size: int) -> Iterator[bytes]:
        seen = 0
        try:
            while part := os.read(fd, CHUNK):
                seen += len(part)
                yield part
        except OSError as error:
            raise from_os_error(error, f"reading {self._root}/{key}") from error
        finally:
            os.close(fd)
        if seen != size:
            raise wrong_length(key, self._root, size, seen)

    def put(self, key: str, data: bytes) -> None:
        """See `BlobStore.put`."""
        self._put_one(self._path(key), data)

    def put_file(self, key: str, path: str) -> None:
        """See `BlobStore.put_file`."""
        target = self._path(key)
        try:
            source = os.open(path, READ)
        except OSError as error:
            raise from_os_error(error, "reading the file to store") from error
        try:
            self._put_one(target, source)
        finally:
            os.close(source)

    def _put_one(self, path: str, source: bytes | int) -> None:
        try:
            _rename(self._write_temporary(path, source, flush=True), path)
            sync_directory(os.path.dirname(path))
        except OSError as error:
            raise from_os_error(error, f"writing {path}") from error

    def list(self, prefix: str = "") -> Iterator[Sequence[BlobInfo]]:
        """See `BlobStore.list`; temporary names are left out."""
        start = check_prefix(prefix).removesuffix("/")
        top = self._path(start) if start else self._root
        page: list[BlobInfo] = []
        seen: set[tuple[int, int]] = set()
        pending = [(top, f"{start}/" if start else "")]
        while pending:
            folder, base = pending.pop()
            try:
                _scan((folder, base), not self._confined, seen, pending, page)
            except OSError as error:
                if error.errno == errno.ENOENT or (folder == top and error.errno in _MISSING):
                    continue
                raise from_os_error(error, "listing the remote") from error
            if len(page) >= _PAGE:
                yield page
                page = []
        if page:
            yield page

    def delete(self, keys: Iterable[str]) -> None:
        """See `BlobStore.delete`; folders stay."""
        for key in keys:
            path = self._path(key)
            try:
                os.unlink(path)
            except OSError as error:
                if error.errno not in _MISSING:
                    raise from_os_error(error, "deleting from the remote") from error

    def get_many(
        self, keys: Iterable[str], max_size: int | None = None
    ) -> Iterator[tuple[str, bytes | FourfoldError]]:
        """See `BlobStore.get_many`."""
        return bulk.get_many(lambda key: self.get(key, max_size), keys, jobs=self._jobs)

    def put_many(self, items: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, FourfoldError | None]]:
        """See `BlobStore.put_many`: a batch of temporary files, one flush, then the renames."""
        pending = iter(items)
        while batch := _batch(pending):
            yield from self._put_batch(batch)

    def _put_batch(self, batch: Sequence[tuple[str, bytes]]) -> Iterator[tuple[str, FourfoldError | None]]:
        few = len(batch) < _FEW
        written: list[tuple[str, str, str]] = []
        outcome: dict[str, FourfoldError | None] = {}
        for key, data in batch:
            try:
                path = self._path(key)
                written.append((key, self._write_temporary(path, data, flush=few), path))
            except OSError as error:
                outcome[key] = from_os_error(error, f"writing {self._root}/{key}")
            except FourfoldError as error:
                outcome[key] = error
        lost = self._flush([temporary for _key, temporary, _path in written]) if written and not few else None
        for key, temporary, path in written:
            try:
                if lost is not None:
                    os.unlink(temporary)
                    raise lost
                _rename(temporary, path)
                outcome[key] = None
            except OSError as error:
                outcome[key] = from_os_error(error, f"writing {path}")
        unnamed = self._flush_names({os.path.dirname(path) for _key, _temporary, path in written})
        late = from_os_error(unnamed, "writing the remote") if unnamed else None
        yield from ((key, failure or late) for key, failure in outcome.items())

    def _flush(self, temporaries: Sequence[str]) -> OSError | None:
        """Make the bytes of new files durable; the error, where that failed."""
        try:
            if not sync_filesystem(self._root):
                for temporary in temporaries:
                    _sync_file(temporary)
        except OSError as error:
            return error
        return None

    def _flush_names(self, folders: set[str]) -> OSError | None:
        """Make new names durable; the error, where that failed."""
        try:
            if len(folders) < _FEW or not sync_filesystem(self._root):
                for folder in folders:
                    sync_directory(folder)
        except OSError as error:
            return error
        return None

    def _path(self, key: str) -> str:
        check_key(key)
        if os.name == "nt" and ("\\" in key or ":" in key):
            raise UnsafeKeyError(
                f"refused object key: {key[:120]!r}", hint="that name is not possible on Windows"
            )
        path = f"{self._root}/{key}"
        if self._confined:
            folder = os.path.dirname(path)
            if folder not in self._proven:
                self._prove(folder)
        return path

    def _prove(self, folder: str) -> None:
        root = os.path.realpath(self._root)
        real = os.path.realpath(folder)
        if real != root and not real.startswith(root.rstrip(os.sep) + os.sep):
            raise EscapingLinkError(
                f"refused: {folder} leads out of the remote, to {real}",
                hint="replace the symbolic link, or point the remote's url at the real folder",
            )
        if os.path.isdir(folder):
            self._proven.add(folder)

    def _open_file(self, key: str) -> tuple[int, int]:
        path = self._path(key)
        flags = READ | (NO_FOLLOW if self._confined else 0) | NO_WAIT
        try:
            fd = os.open(path, flags)
        except OSError as error:
            if error.errno in _MISSING:
                if not os.path.isdir(self._root):
                    raise BucketNotFoundError(
                        f"the folder of the remote does not exist: {self._root}",
                        hint="check that its disk is mounted; or change the remote's url",
                    ) from error
                raise not_found(key, self._root) from error
            if error.errno == errno.ELOOP and self._confined:
                raise EscapingLinkError(f"refused: {path} is a symbolic link") from error
            raise from_os_error(error, "reading the remote") from error
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            os.close(fd)
            raise not_found(key, self._root)
        return fd, found.st_size

    def _make_folder(self, folder: str, *, flush: bool) -> None:
        missing = []
        while not os.path.isdir(folder):
            missing.append(folder)
            folder = os.path.dirname(folder)
        for path in reversed(missing):
            try:
                os.mkdir(path)
                if self._dir_mode is not None:
                    os.chmod(path, self._dir_mode)
            except FileExistsError:
                continue
            if flush:
                sync_directory(os.path.dirname(path))

    def _write_temporary(self, path: str, source: bytes | int, *, flush: bool) -> str:
        """Write beside ``path``; give the temporary name. Nothing is left where this fails."""
        folder = os.path.dirname(path)
        temporary = os.path.join(folder, temp_name(os.path.basename(path)))
        try:
            fd = os.open(temporary, WRITE | CREATE_NEW, 0o600)
        except FileNotFoundError:
            self._make_folder(folder, flush=flush)
            fd = os.open(temporary, WRITE | CREATE_NEW, 0o600)
        try:
            if isinstance(source, bytes):
                write_all(fd, source)
            else:
                _copy(source, fd)
            if hasattr(os, "fchmod"):
                os.fchmod(fd, self._mode)
            if flush:
                os.fsync(fd)
        except BaseException:
            os.close(fd)
            os.unlink(temporary)
            raise
        os.close(fd)
        return temporary


def _rename(temporary: str, path: str) -> None:
    try:
        os.replace(temporary, path)
    except OSError:
        os.unlink(temporary)
        raise


def _scan(
    where: tuple[str, str],
    follow: bool,
    seen: set[tuple[int, int]],
    pending: list[tuple[str, str]],
    page: list[BlobInfo],
) -> None:
    folder, base = where
    with os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name
            if entry.is_dir(follow_symlinks=follow):
                if entry.is_symlink():
                    linked = entry.stat()
                    if (linked.st_dev, linked.st_ino) in seen:
                        continue
                    seen.add((linked.st_dev, linked.st_ino))
                pending.append((entry.path, f"{base}{name}/"))
            elif entry.is_file(follow_symlinks=follow) and not (
                name.startswith(".") and name.endswith(".tmp")
            ):
                page.append(_info(base + name, entry.stat(follow_symlinks=follow)))


def _info(key: str, found: os.stat_result) -> BlobInfo:
    return BlobInfo(key, found.st_size, None, None, found.st_mtime_ns)


def open_local(path: str, options: Options, confined: bool, jobs: int | None) -> LocalStore:
    """A store for a folder of this machine, by a remote's options.

    Raises:
        BadRemoteOptionError: an option means nothing.
    """
    shared = options.text("shared")
    if shared not in {None, "group"}:
        raise options.bad("shared", shared or "", "group")
    for name in ("type", "protected", "slow_link_warning"):  # how caches are linked: nothing to do here
        options.text(name)
    options.finish()
    return LocalStore(path, dir_mode=SHARED_DIR_MODE if shared else None, confined=confined, jobs=jobs)


def _batch(pending: Iterator[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    batch: list[tuple[str, bytes]] = []
    weight = 0
    for item in islice(pending, _BATCH_ITEMS):
        batch.append(item)
        weight += len(item[1])
        if weight >= _BATCH_BYTES:
            break
    return batch


def _copy(source: int, target: int) -> None:
    if clone_file(source, target):
        return
    if hasattr(os, "copy_file_range"):
        try:
            while os.copy_file_range(source, target, 1 << 30):
                pass
        except OSError as error:
            if error.errno not in _NO_COPY_RANGE or os.fstat(target).st_size:
                raise
            os.lseek(source, 0, os.SEEK_SET)
        else:
            return
    while part := os.read(source, CHUNK):
        write_all(target, part)


def _sync_file(path: str) -> None:
    fd = os.open(path, READ)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
