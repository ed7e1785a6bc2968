"""Object stores (S3, GCS, Azure) through obstore: the adapter that all three share.

Whoever opens one (`s3`, `gcs`, `azure`) turns configuration into a native store; this module
speaks the blob protocol over it. Calls are synchronous and release the interpreter lock, so the
bulk methods are plain threads: measured on loopback, that costs the client less processor time
for each object than an event loop does.
"""

import re
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import obstore

from fourfold.base.errors import FourfoldError
from fourfold.storage.blob import bulk
from fourfold.storage.blob.object_errors import Place, no_bucket, typed
from fourfold.storage.blob.protocol import (
    CHUNK,
    BlobInfo,
    BlobNotFoundError,
    BlobRefusedError,
    BucketNotFoundError,
    check_key,
    check_prefix,
    too_large,
    wrong_length,
)
from fourfold.storage.blob.source import parts, reading, size_of

if TYPE_CHECKING:
    from obstore.store import ObjectStore as NativeStore

_PAGE = 1000
#: Bytes of a part of a multipart upload, and above which one is used.
PART = 8 << 20
#: Parts of one upload on the wire at once.
PARTS_AT_ONCE = 4
#: S3 takes 10,000 parts; a little room is left.
_MAX_PARTS = 9_000
_UNSENDABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_NATIVE = (obstore.exceptions.BaseError, FileNotFoundError)


class ObjectStore:
    """A bucket, or a folder of one.

    Args:
        make: Opens the native store; called once, at the first use, and may then ask the network.
        prefix: The folder inside the bucket, without slashes at its ends.
        place: Names for messages.
        jobs: Requests at once in the bulk methods.
        failures: Filled, by whoever fetches credentials for the native client, with what went wrong.
        read_only_because: Why writes are refused; empty when they are not.
    """

    def __init__(
        self,
        make: "Callable[[], NativeStore]",
        *,
        prefix: str,
        place: Place,
        jobs: int | None = None,
        failures: Sequence[FourfoldError] = (),
        read_only_because: str = "",
    ) -> None:
        self._make = make
        self._base = f"{prefix}/" if prefix else ""
        self._place = place
        self._jobs = jobs or bulk.DEFAULT_JOBS
        self._failures = failures
        self._read_only_because = read_only_because
        self._opening = threading.Lock()
        self._opened: NativeStore | None = None
        self._bucket_seen = False

    @property
    def url(self) -> str:
        """Where this is, without secrets."""
        return self._place.url

    @property
    def local_root(self) -> str | None:
        """None: a bucket is not a folder."""
        return None

    @property
    def _store(self) -> "NativeStore":
        if self._opened is None:
            with self._opening:
                if self._opened is None:
                    self._opened = self._make()
        return self._opened

    def head(self, key: str) -> BlobInfo | None:
        """See `BlobStore.head`."""
        name = self._name(key)
        try:
            meta = obstore.head(self._store, name)
        except _NATIVE as error:
            failure = self._typed(error, key)
            if isinstance(failure, BlobNotFoundError):
                self._prove_bucket()
                return None
            raise failure from error
        self._bucket_seen = True
        return self._info(meta)

    def head_version(self, key: str, version: str) -> BlobInfo | None:
        """See `VersionedStore.head_version`."""
        name = self._name(key)
        try:
            meta = obstore.get(self._store, name, options={"version": version, "head": True}).meta
        except _NATIVE as error:
            failure = self._missing_or(error, key)
            if isinstance(failure, BlobNotFoundError):
                return None
            raise failure from error
        return self._info(meta)

    def get(self, key: str, max_size: int | None = None) -> bytes:
        """See `BlobStore.get`."""
        return self._get(key, max_size, {})

    def get_version(self, key: str, version: str, max_size: int | None = None) -> bytes:
        """See `VersionedStore.get_version`."""
        return self._get(key, max_size, {"version": version})

    def _get(self, key: str, max_size: int | None, options: Any) -> bytes:
        name = self._name(key)
        try:
            answer = obstore.get(self._store, name, options=options)
            size = answer.meta["size"]
            if max_size is not None and size > max_size:
                raise too_large(key, self.url, max_size)
            data = answer.bytes().to_bytes()
        except _NATIVE as error:
            raise self._missing_or(error, key) from error
        if len(data) != size:
            raise wrong_length(key, self.url, size, len(data))
        self._bucket_seen = True
        return data

    def open(self, key: str) -> Iterator[bytes]:
        """See `BlobStore.open`."""
        return self._open(key, {})

    def open_version(self, key: str, version: str) -> Iterator[bytes]:
        """See `VersionedStore.open_version`."""
        return self._open(key, {"version": version})

    def _open(self, key: str, options: Any) -> Iterator[bytes]:
        name = self._name(key)
        try:
            answer = obstore.get(self._store, name, options=options)
            size = answer.meta["size"]
            stream = answer.stream(min_chunk_size=CHUNK)
        except _NATIVE as error:
            raise self._missing_or(error, key) from error
        return self._chunks(key, stream, size)

    def _chunks(self, key: str, stream: Any, size: int) -> Iterator[bytes]:
        seen = 0
        try:
            for chunk in stream:
                part = bytes(chunk)
                seen += len(part)
                yield part
        except _NATIVE as error:
            raise self._typed(error, key) from error
        if seen != size:
            raise wrong_length(key, self.url, size, seen)

    def put(self, key: str, data: bytes) -> None:
        """See `BlobStore.put`."""
        self._put(key, data, _part_size(len(data)))

    def put_file(self, key: str, path: str) -> None:
        """See `BlobStore.put_file`."""
        self.put_version(key, path)

    def put_version(self, key: str, path: str) -> BlobInfo:
        """See `VersionedStore.put_version`."""
        with reading(path) as source:
            size = size_of(source)
            whole = size <= PART
            made = self._put(key, b"".join(parts(source)) if whole else parts(source), _part_size(size))
        return BlobInfo(key, size, _plain(made["e_tag"]), _version(made["version"]))

    def _put(self, key: str, data: Any, part_size: int) -> Any:
        name = self._name(key)
        self._check_writable()
        try:
            made = obstore.put(self._store, name, data, chunk_size=part_size, max_concurrency=PARTS_AT_ONCE)
        except _NATIVE as error:
            raise self._write_failure(error, key) from error
        self._bucket_seen = True
        return made

    def list(self, prefix: str = "") -> Iterator[Sequence[BlobInfo]]:
        """See `BlobStore.list`."""
        start = self._base + check_prefix(prefix).removesuffix("/")
        seen = False
        try:
            for page in obstore.list(self._store, start.removesuffix("/") or None, chunk_size=_PAGE):
                seen = True
                infos = [self._info(meta) for meta in page if meta["path"].startswith(self._base)]
                if infos:
                    yield infos
        except _NATIVE as error:
            raise self._typed(error, "") from error
        if not seen:
            self._prove_answers()

    def _prove_answers(self) -> None:
        """That an empty listing came from an object store: the client takes any page of HTML for one.

        Raises:
            BlobRefusedError: whatever answers there has every object that one asks for.
        """
        try:
            obstore.head(self._store, f"{self._base}{secrets.token_hex(16)}")
        except _NATIVE:
            return
        raise BlobRefusedError(
            f"{self.url} does not answer like an object store",
            hint="check the endpoint, and the network's log-in page",
        )

    def delete(self, keys: Iterable[str]) -> None:
        """See `BlobStore.delete`."""
        self._check_writable()
        pending = iter(keys)
        while names := [self._name(key) for key in islice(pending, _PAGE)]:
            self._delete_page(names)

    def _delete_page(self, names: Sequence[str]) -> None:
        try:
            obstore.delete(self._store, [*names])
        except _NATIVE as error:
            failure = self._typed(error, names[0])
            if not isinstance(failure, BlobNotFoundError):
                raise failure from error
        else:
            return
        # Some stores call a missing object an error and stop there: then one at a time.
        self._prove_bucket()
        for name in names:
            try:
                obstore.delete(self._store, name)
            except _NATIVE as error:
                failure = self._typed(error, name)
                if not isinstance(failure, BlobNotFoundError):
                    raise failure from error

    def get_many(
        self, keys: Iterable[str], max_size: int | None = None
    ) -> Iterator[tuple[str, bytes | FourfoldError]]:
        """See `BlobStore.get_many`."""
        return bulk.get_many(lambda key: self.get(key, max_size), keys, jobs=self._jobs)

    def put_many(self, items: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, FourfoldError | None]]:
        """See `BlobStore.put_many`."""
        return bulk.put_many(self.put, items, jobs=self._jobs)

    def _name(self, key: str) -> str:
        check_key(key)
        if not key.isprintable() and _UNSENDABLE.search(key):
            raise BlobRefusedError(
                f"an object store cannot hold that key: {key[:120]!r}",
                hint="rename the file: control characters and bytes that are no UTF-8 are not possible there",
            )
        return self._base + key

    def _info(self, meta: Any) -> BlobInfo:
        modified = meta["last_modified"]
        return BlobInfo(
            meta["path"][len(self._base) :],
            meta["size"],
            _plain(meta["e_tag"]),
            _version(meta["version"]),
            int(modified.timestamp() * 1_000_000) * 1000 if modified is not None else None,
        )

    def _check_writable(self) -> None:
        if self._read_only_because:
            raise BlobRefusedError(f"{self.url} cannot be written: {self._read_only_because}")

    def _typed(self, error: BaseException, key: str, *, writing: bool = False) -> FourfoldError:
        if self._failures and "credential" in str(error).lower():
            return self._failures[-1]
        return typed(error, self._place, key, writing=writing)

    def _missing_or(self, error: BaseException, key: str) -> FourfoldError:
        """The typed error of a read; a missing object only once the bucket is known to be there."""
        failure = self._typed(error, key)
        if isinstance(failure, BlobNotFoundError):
            self._prove_bucket()
        return failure

    def _write_failure(self, error: BaseException, key: str) -> FourfoldError:
        """The typed error of a write; 404 there means that the bucket is missing."""
        failure = self._typed(error, key, writing=True)
        return no_bucket(self._place) if isinstance(failure, BlobNotFoundError) else failure

    def _prove_bucket(self) -> None:
        """Tell a missing object from a missing bucket, which a HEAD cannot: ask for a listing, once.

        Raises:
            BucketNotFoundError: the bucket is not there.
        """
        if self._bucket_seen:
            return
        try:
            next(iter(obstore.list(self._store, self._base.removesuffix("/") or None, chunk_size=1)), None)
        except _NATIVE as error:
            failure = self._typed(error, "")
            if isinstance(failure, BucketNotFoundError):
                raise failure from error
            if not isinstance(failure, FourfoldError):
                raise
        self._bucket_seen = True


def _part_size(size: int) -> int:
    return max(PART, -(-size // _MAX_PARTS))


def _plain(etag: str | None) -> str | None:
    """A tag without its quotes; None for none."""
    return etag.strip('"') if etag else None


def _version(version: str | None) -> str | None:
    """The id of a version; S3 says "null" for what it kept before versions were turned on."""
    return None if version == "null" else version
