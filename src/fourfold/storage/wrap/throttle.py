"""No more requests at once than a store bears: a limit that falls when it complains.

Every answer "fewer requests" halves the number at work, down to one; every run of successes gives
one back, up to the limit. Waiting itself belongs to `retry`, which goes outside this wrapper.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import TypeVar

from fourfold.base.errors import FourfoldError
from fourfold.storage.blob import bulk
from fourfold.storage.blob.protocol import BlobInfo, BlobStore, BlobUnavailableError

_Result = TypeVar("_Result")
#: Successes in a row that give one place back.
_RECOVER_AFTER = 32


class Gate:
    """A counter of requests at work, with a limit that moves."""

    def __init__(self, limit: int) -> None:
        self._most = max(1, limit)
        self._limit = self._most
        self._working = 0
        self._streak = 0
        self._free = threading.Condition()

    @property
    def limit(self) -> int:
        """How many may work now."""
        return self._limit

    def __enter__(self) -> None:
        with self._free:
            while self._working >= self._limit:
                self._free.wait()
            self._working += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._free:
            self._working -= 1
            if isinstance(error, BlobUnavailableError) and error.throttled:
                self._limit = max(1, self._limit // 2)
                self._streak = 0
            elif error is None:
                self._streak += 1
                if self._streak >= _RECOVER_AFTER and self._limit < self._most:
                    self._limit += 1
                    self._streak = 0
            self._free.notify_all()


class Throttle:
    """A store behind a gate.

    Args:
        store: What is wrapped.
        limit: Requests at once, at most.
    """

    def __init__(self, store: BlobStore, limit: int) -> None:
        self._store = store
        self._jobs = max(1, limit)
        self.gate = Gate(limit)

    @property
    def url(self) -> str:
        """Of the wrapped store."""
        return self._store.url

    @property
    def local_root(self) -> str | None:
        """Of the wrapped store."""
        return self._store.local_root

    def head(self, key: str) -> BlobInfo | None:
        """See `BlobStore.head`."""
        return self._pass(lambda: self._store.head(key))

    def get(self, key: str, max_size: int | None = None) -> bytes:
        """See `BlobStore.get`."""
        return self._pass(lambda: self._store.get(key, max_size))

    def open(self, key: str) -> Iterator[bytes]:
        """See `BlobStore.open`; a stream holds its place until it ends or is closed."""
        with self.gate:
            yield from self._store.open(key)

    def put(self, key: str, data: bytes) -> None:
        """See `BlobStore.put`."""
        self._pass(lambda: self._store.put(key, data))

    def put_file(self, key: str, path: str) -> None:
        """See `BlobStore.put_file`."""
        self._pass(lambda: self._store.put_file(key, path))

    def list(self, prefix: str = "") -> Iterator[Sequence[BlobInfo]]:
        """See `BlobStore.list`; each page takes a place."""
        pages = self._pass(lambda: iter(self._store.list(prefix)))
        while (page := self._pass(lambda: next(pages, None))) is not None:
            yield page

    def delete(self, keys: Iterable[str]) -> None:
        """See `BlobStore.delete`."""
        self._pass(lambda: self._store.delete(keys))

    def get_many(
        self, keys: Iterable[str], max_size: int | None = None
    ) -> Iterator[tuple[str, bytes | FourfoldError]]:
        """See `BlobStore.get_many`; each object takes a place."""
        return bulk.get_many(lambda key: self.get(key, max_size), keys, jobs=self._jobs)

    def put_many(self, items: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, FourfoldError | None]]:
        """See `BlobStore.put_many`; each object takes a place."""
        return bulk.put_many(self.put, items, jobs=self._jobs)

    def _pass(self, call: Callable[[], _Result]) -> _Result:
        with self.gate:
            return call()
