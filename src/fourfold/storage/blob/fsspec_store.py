"""Any fsspec file system as a blob store: HDFS, WebHDFS, and whatever a caller brings.

Objects are written under a temporary name in their folder and moved over, unless the file system
writes whole files by itself. The opened file system is passed in; no remote is known here.
"""

import errno
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from fourfold.base.errors import FourfoldError, from_os_error
from fourfold.base.fs.atomic import temp_name
from fourfold.storage.blob import bulk
from fourfold.storage.blob.protocol import (
    CHUNK,
    BlobDeniedError,
    BlobInfo,
    BlobTimeoutError,
    BlobUnavailableError,
    BucketNotFoundError,
    check_key,
    check_prefix,
    not_found,
    too_large,
    wrong_length,
)
from fourfold.storage.blob.source import parts, reading

_MISSING = (FileNotFoundError, NotADirectoryError)
#: What an fsspec file system is: the package has no types.
FileSystem = Any


class FsspecStore:
    """Objects as files below a path of a file system.

    Args:
        make: Opens the file system; called at the first use.
        root: The path there.
        url: For messages.
        whole_files: Whether a file appears only when it is complete: then no temporary name is used.
        jobs: Requests at once in bulk calls.
    """

    def __init__(
        self,
        make: Callable[[], FileSystem],
        root: str,
        *,
        url: str,
        whole_files: bool = False,
        jobs: int | None = None,
    ) -> None:
        self._make = make
        self._opened: FileSystem | None = None
        self._root = root.rstrip("/")
        self._url = url
        self._whole_files = whole_files
        self._jobs = jobs or 8

    @property
    def url(self) -> str:
        """Where this is, without secrets."""
        return self._url

    @property
    def local_root(self) -> str | None:
        """None."""
        return None

    @property
    def _fs(self) -> FileSystem:
        if self._opened is None:
            self._opened = self._make()
        return self._opened

    def head(self, key: str) -> BlobInfo | None:
        """See `BlobStore.head`."""
        path = self._path(key)
        try:
            found = self._fs.info(path)
        except _MISSING:
            return None
        except Exception as error:
            raise self._typed(error, key) from error
        return _info(key, found) if found.get("type") == "file" else None

    def get(self, key: str, max_size: int | None = None) -> bytes:
        """See `BlobStore.get`."""
        parts = [*self._chunks(self._path(key), key, max_size)]
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def open(self, key: str) -> Iterator[bytes]:
        """See `BlobStore.open`."""
        return self._chunks(self._path(key), key, None)

    def _chunks(self, path: str, key: str, max_size: int | None) -> Iterator[bytes]:
        found = self.head(key)
        if found is None:
            self._prove_root(key)
            raise not_found(key, self._url)
        if max_size is not None and found.size > max_size:
            raise too_large(key, self._url, max_size)
        seen = 0
        try:
            with self._fs.open(path, "rb") as source:
                while part := source.read(CHUNK):
                    seen += len(part)
                    yield bytes(part)
        except _MISSING as error:
            raise not_found(key, self._url) from error
        except Exception as error:
            raise self._typed(error, key) from error
        if seen != found.size >= 0:
            raise wrong_length(key, self._url, found.size, seen)

    def put(self, key: str, data: bytes) -> None:
        """See `BlobStore.put`."""
        self._write(key, lambda: (data,))

    def put_file(self, key: str, path: str) -> None:
        """See `BlobStore.put_file`."""
        check_key(key)
        with reading(path) as source:
            self._write(key, lambda: parts(source))

    def _write(self, key: str, body: Callable[[], Iterable[bytes]]) -> None:
        path = self._path(key)
        folder, _, name = path.rpartition("/")
        target = path if self._whole_files else f"{folder}/{temp_name(name)}"
        try:
            self._fs.makedirs(folder, exist_ok=True)
            try:
                written = 0
                with self._fs.open(target, "wb") as sink:
                    for part in body():
                        sink.write(part)
                        written += len(part)
                self._settle(target, path, written)
            except BaseException:
                if target != path:
                    self._discard(target)
                raise
        except FourfoldError:
            raise
        except Exception as error:
            raise self._typed(error, key) from error

    def _settle(self, temporary: str, path: str, written: int) -> None:
        """Give a whole file its name. A file system that renames over nothing loses the old one first."""
        if temporary == path:
            return
        arrived = self._fs.info(temporary).get("size")
        if arrived is not None and int(arrived) != written:
            raise wrong_length(path, self._url, written, int(arrived))
        try:
            replace = getattr(self._fs, "mv_file", None) or self._fs.mv
            replace(temporary, path)
        except OSError:
            if not self._fs.exists(path):
                raise
            self._fs.rm_file(path)
            self._fs.mv(temporary, path)

    def _discard(self, path: str) -> None:
        """Remove a temporary file; that it stays is no further failure."""
        try:
            self._fs.rm_file(path)
        except Exception:  # noqa: BLE001 - the failure that led here is the one to tell
            return

    def list(self, prefix: str = "") -> Iterator[Sequence[BlobInfo]]:
        """See `BlobStore.list`; a page a folder, temporary names left out."""
        pending = [check_prefix(prefix).removesuffix("/")]
        while pending:
            folder = pending.pop()
            try:
                entries = self._fs.ls(f"{self._root}/{folder}".rstrip("/") or "/", detail=True, refresh=True)
            except _MISSING:
                continue
            except Exception as error:
                raise self._typed(error, folder) from error
            page = []
            for entry in entries:
                name = str(entry["name"]).rstrip("/").rpartition("/")[2]
                key = f"{folder}/{name}" if folder else name
                if entry.get("type") == "directory":
                    pending.append(key)
                elif not (name.startswith(".") and name.endswith(".tmp")):
                    page.append(_info(key, entry))
            if page:
                yield page

    def delete(self, keys: Iterable[str]) -> None:
        """See `BlobStore.delete`."""
        for key in keys:
            path = self._path(key)
            try:
                self._fs.rm_file(path)
            except _MISSING:
                continue
            except Exception as error:
                raise self._typed(error, key) from error

    def get_many(
        self, keys: Iterable[str], max_size: int | None = None
    ) -> Iterator[tuple[str, bytes | FourfoldError]]:
        """See `BlobStore.get_many`."""
        return bulk.get_many(lambda key: self.get(key, max_size), keys, jobs=self._jobs)

    def put_many(self, items: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, FourfoldError | None]]:
        """See `BlobStore.put_many`."""
        return bulk.put_many(self.put, items, jobs=self._jobs)

    def _path(self, key: str) -> str:
        return f"{self._root}/{check_key(key)}"

    def _prove_root(self, key: str) -> None:
        try:
            there = not self._root or self._fs.exists(self._root)
        except Exception as error:
            raise self._typed(error, key) from error
        if not there:
            raise BucketNotFoundError(
                f"the folder of the remote does not exist: {self._url}", hint="check the url: ff remote list"
            )

    def _typed(self, error: Exception, key: str) -> FourfoldError:
        """The typed error for whatever a file system of others raises: by its kind, else by its status."""
        status = getattr(error, "status_code", None) or getattr(
            getattr(error, "response", None), "status_code", 0
        )
        if isinstance(error, PermissionError) or status in {401, 403}:
            return BlobDeniedError(
                f"access denied to object {key!r} on {self._url}", hint="check the login of the remote"
            )
        if isinstance(error, TimeoutError) or "Timeout" in type(error).__name__:
            return BlobTimeoutError(f"{self._url} did not answer in time", hint="run the same command again")
        if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
            return from_os_error(OSError(error.errno, os.strerror(error.errno)), f"writing to {self._url}")
        # Others' messages may quote anything; the kind is enough, and says no secret.
        return BlobUnavailableError(
            f"{self._url} failed at object {key!r}: {type(error).__name__}", hint="run the same command again"
        )


def _info(key: str, found: dict[str, Any]) -> BlobInfo:
    modified = found.get("mtime") or found.get("modified") or found.get("last_modified")
    if isinstance(modified, datetime):
        modified = modified.timestamp()
    elif "modificationTime" in found:
        modified = int(found["modificationTime"]) / 1000
    stamp = int(modified * 10**6) * 1000 if isinstance(modified, int | float) else None
    etag = found.get("etag") or found.get("ETag")
    size = found.get("size")
    return BlobInfo(
        key, -1 if size is None else int(size), str(etag).strip('"') if etag else None, None, stamp
    )
