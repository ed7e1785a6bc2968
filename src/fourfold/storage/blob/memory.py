"""A blob store in memory: for tests, trials and notebooks. It ends with the process."""

import hashlib
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence

from fourfold.base.errors import FourfoldError, from_os_error
from fourfold.storage.blob.protocol import (
    CHUNK,
    BlobInfo,
    check_key,
    check_prefix,
    not_found,
    too_large,
)
from fourfold.storage.options import Options

_PAGE = 1000


class MemoryStore:
    """Objects in a dict.

    Attributes:
        objects: The bytes by key, for a test to look at and to damage.
    """

    def __init__(self, url: str = "memory://") -> None:
        self._url = url
        self._lock = threading.Lock()
        self.objects: dict[str, bytes] = {}

    @property
    def url(self) -> str:
        """The name it was made with."""
        return self._url

    @property
    def local_root(self) -> str | None:
        """None: there is no folder."""
        return None

    def head(self, key: str) -> BlobInfo | None:
        """See `BlobStore.head`."""
        data = self.objects.get(check_key(key))
        return None if data is None else _info(key, data)

    def get(self, key: str, max_size: int | None = None) -> bytes:
        """See `BlobStore.get`."""
        data = self.objects.get(check_key(key))
        if data is None:
            raise not_found(key, self._url)
        if max_size is not None and len(data) > max_size:
            raise too_large(key, self._url, max_size)
        return data

    def open(self, key: str) -> Iterator[bytes]:
        """See `BlobStore.open`."""
        data = self.get(key)
        return (data[start : start + CHUNK] for start in range(0, len(data), CHUNK))

    def put(self, key: str, data: bytes) -> None:
        """See `BlobStore.put`."""
        with self._lock:
            self.objects[check_key(key)] = bytes(data)

    def put_file(self, key: str, path: str) -> None:
        """See `BlobStore.put_file`."""
        check_key(key)
        try:
            with open(path, "rb") as source:
                data = source.read()
        except OSError as error:
            raise from_os_error(error, "reading the file to store") from error
        self.put(key, data)

    def list(self, prefix: str = "") -> Iterator[Sequence[BlobInfo]]:
        """See `BlobStore.list`."""
        start = check_prefix(prefix).removesuffix("/")
        with self._lock:
            found = [
                _info(key, data)
                for key, data in sorted(self.objects.items())
                if not start or key.startswith(f"{start}/")
            ]
        return (found[first : first + _PAGE] for first in range(0, len(found), _PAGE))

    def delete(self, keys: Iterable[str]) -> None:
        """See `BlobStore.delete`."""
        for key in keys:
            with self._lock:
                self.objects.pop(check_key(key), None)

    def get_many(
        self, keys: Iterable[str], max_size: int | None = None
    ) -> Iterator[tuple[str, bytes | FourfoldError]]:
        """See `BlobStore.get_many`."""
        for key in keys:
            try:
                data = self.get(key, max_size)
            except FourfoldError as error:
                yield key, error
            else:
                yield key, data

    def put_many(self, items: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, FourfoldError | None]]:
        """See `BlobStore.put_many`."""
        for key, data in items:
            try:
                self.put(key, data)
            except FourfoldError as error:
                yield key, error
            else:
                yield key, None


def _info(key: str, data: bytes) -> BlobInfo:
    return BlobInfo(key, len(data), hashlib.md5(data, usedforsecurity=False).hexdigest(), None, None)


#: Stores by URL: the same URL is the same store, for the life of the process.
_opened: dict[str, MemoryStore] = {}


def open_memory(url: str, options: Options, _environ: Mapping[str, str], _jobs: int | None) -> MemoryStore:
    """The store of ``memory://name``."""
    options.finish()
    return _opened.setdefault(url.rstrip("/"), MemoryStore(url))
