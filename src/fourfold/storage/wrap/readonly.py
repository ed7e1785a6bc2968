"""A store that nothing can write to, whatever its caller tries."""

from collections.abc import Iterable, Iterator, Sequence

from fourfold.base.errors import DeniedError, FourfoldError
from fourfold.storage.blob.protocol import BlobInfo, BlobStore


class ReadOnlyStoreError(DeniedError):
    """A write to a store that was opened for reading."""

    code = "remote-read-only"


class ReadOnly:
    """Reads pass, writes are refused."""

    def __init__(self, store: BlobStore) -> None:
        self._store = store

    @property
    def url(self) -> str:
        """Of the wrapped store."""
        return self._store.url

    @property
    def local_root(self) -> str | None:
        """None: whoever has the folder could write into it."""
        return None

    def head(self, key: str) -> BlobInfo | None:
        """See `BlobStore.head`."""
        return self._store.head(key)

    def get(self, key: str, max_size: int | None = None) -> bytes:
        """See `BlobStore.get`."""
        return self._store.get(key, max_size)

    def open(self, key: str) -> Iterator[bytes]:
        """See `BlobStore.open`."""
        return self._store.open(key)

    def list(self, prefix: str = "") -> Iterator[Sequence[BlobInfo]]:
        """See `BlobStore.list`."""
        return self._store.list(prefix)

    def get_many(
        self, keys: Iterable[str], max_size: int | None = None
    ) -> Iterator[tuple[str, bytes | FourfoldError]]:
        """See `BlobStore.get_many`."""
        return self._store.get_many(keys, max_size)

    def put(self, key: str, data: bytes) -> None:  # noqa: ARG002 - the protocol's signature
        """Refused."""
        raise self._refused()

    def put_file(self, key: str, path: str) -> None:  # noqa: ARG002 - the protocol's signature
        """Refused."""
        raise self._refused()

    def delete(self, keys: Iterable[str]) -> None:  # noqa: ARG002 - the protocol's signature
        """Refused."""
        raise self._refused()

    def put_many(self, items: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, FourfoldError | None]]:
        """Refused, each."""
        return ((key, self._refused()) for key, _data in items)

    def _refused(self) -> ReadOnlyStoreError:
        return ReadOnlyStoreError(f"{self.url} was opened for reading only")
