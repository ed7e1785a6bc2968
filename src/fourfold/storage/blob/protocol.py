"""The blob seam: what every place that keeps raw bytes promises, and how it fails.

A blob store maps keys to bytes. A key is a relative POSIX path below the URL of the store. No
store knows what the bytes mean: hashing, manifests and layouts belong to `content`. Adapters
live beside this module, behaviour is added by the wrappers of `storage.wrap`, and every one of
them passes `fourfold.testing.blob_suite`.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from fourfold.base.errors import (
    AuthError,
    ConfigError,
    CorruptError,
    FourfoldError,
    NotFoundError,
    UnavailableError,
    UnknownOutcomeError,
    UnsafeError,
    UnsupportedError,
)

#: Bytes of a chunk that `BlobStore.open` yields, about.
CHUNK = 1 << 20
_BAD_KEY = re.compile(r"\x00|(?:^|/)\.{0,2}(?:/|$)")


class BlobInfo(NamedTuple):
    """What a store tells of an object without its bytes.

    Attributes:
        key: The key below the store's URL.
        size: Bytes; -1 where the server does not tell.
        etag: The server's tag, without quotes; None where it has none.
        version: The version id, of a versioned bucket.
        mtime_ns: Last modification, nanoseconds since the epoch; None when unknown.
    """

    key: str
    size: int
    etag: str | None = None
    version: str | None = None
    mtime_ns: int | None = None


class BlobNotFoundError(NotFoundError):
    """There is no object under that key. A missing bucket or root is never this error."""

    code = "object-not-found"


class BucketNotFoundError(NotFoundError):
    """The bucket, container, host or folder that the URL names does not exist."""

    code = "bucket-not-found"


class BlobDeniedError(AuthError):
    """The store refused: missing, wrong or expired credentials, or no right to that object."""

    code = "remote-denied"


class BlobUnavailableError(UnavailableError):
    """The store did not answer, or said that it cannot now; the same call may succeed later.

    Attributes:
        retry_after: Seconds that the server asked to wait; None when it did not say.
        refused: Nobody listens there, or there is no such host: asking for long would not help.
    """

    code = "remote-unavailable"

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        details: Sequence[str] = (),
        retry_after: float | None = None,
        refused: bool = False,
    ) -> None:
        super().__init__(message, hint=hint, details=details)
        self.retry_after = retry_after
        self.refused = refused


class BlobThrottledError(BlobUnavailableError):
    """The store asks for fewer requests (429, or 503 SlowDown)."""

    code = "remote-throttled"


class BlobTimeoutError(BlobUnavailableError):
    """The store stalled."""

    code = "remote-timeout"


class BlobShortError(CorruptError):
    """The body ended before, or went on after, the length that the store had announced."""

    code = "object-wrong-length"


class BlobTooLargeError(CorruptError):
    """The object is larger than its caller allows; nothing of it was kept."""

    code = "object-too-large"


class BlobUnknownOutcomeError(UnknownOutcomeError):
    """A write was sent and no answer came: it may or may not have happened."""

    code = "put-outcome-unknown"


class BlobCertificateError(ConfigError):
    """The TLS certificate of the store is not trusted, or does not match its name."""

    code = "remote-untrusted-certificate"


class BlobRefusedError(UnsupportedError):
    """The store understood and will not do it: method not allowed, precondition, bad request."""

    code = "remote-refused"


class NoListingError(UnsupportedError):
    """This kind of store cannot tell what it holds (HTTP); ask for each key instead."""

    code = "remote-cannot-list"


class NoVersionsError(UnsupportedError):
    """The store keeps no versions of its objects."""

    code = "remote-keeps-no-versions"


class UnsafeKeyError(UnsafeError):
    """A key could name a place outside its store."""

    code = "unsafe-key"


def check_key(key: str) -> str:
    """Give back ``key``, a relative path without empty, ``.`` or ``..`` parts.

    Raises:
        UnsafeKeyError: it is absolute, climbs, is empty, or holds NUL.
    """
    if not key or _BAD_KEY.search(key):
        raise UnsafeKeyError(
            f"refused object key: {key[:120]!r}",
            hint="keys are relative paths without '..', '.' or empty parts",
        )
    return key


def check_prefix(prefix: str) -> str:
    """Give back ``prefix``: empty (everything), or a folder, with or without its last slash.

    Raises:
        UnsafeKeyError: as `check_key`.
    """
    if prefix:
        check_key(prefix.removesuffix("/"))
    return prefix


def not_found(key: str, url: str) -> BlobNotFoundError:
    """The error for a missing object, in the words that all adapters share."""
    return BlobNotFoundError(f"no object {key!r} on {url}")


def too_large(key: str, url: str, max_size: int) -> BlobTooLargeError:
    """The error for an object above its caller's bound."""
    return BlobTooLargeError(
        f"object {key!r} on {url} is larger than the {max_size:,} bytes expected",
        hint="the remote holds something else under that name; to look closer: ff fsck",
    )


def wrong_length(key: str, url: str, expected: int, received: int) -> BlobShortError:
    """The error for a body that is not as long as announced."""
    return BlobShortError(
        f"object {key!r} on {url}: {received:,} bytes came where {expected:,} were announced",
        hint="run the same command again; if it stays, the remote's copy is damaged",
    )


class BlobStore(Protocol):
    """Bytes by key.

    Every method may be called from several threads at once. Every method is idempotent: the same
    call twice leaves what one call leaves, so whoever wraps a store may retry on
    `BlobUnavailableError`. A write is all or nothing: no reader ever sees a part of an object
    under its key. Errors other than those named here are bugs.

    Raises (any method):
        UnsafeKeyError: a key is absolute or climbs.
        BlobDeniedError: the store refused our identity (a folder of this machine: DeniedError).
        BlobUnavailableError: it cannot answer now; its subclasses say whether to slow down.
        BucketNotFoundError: the bucket, host or folder itself is not there.
        UnsupportedError: this store cannot do that.
    """

    @property
    def url(self) -> str:
        """Where this is, for messages: secrets are taken out."""
        ...

    @property
    def local_root(self) -> str | None:
        """The absolute folder, if this store is a folder of this machine; callers may link into it."""
        ...

    def head(self, key: str) -> BlobInfo | None:
        """What is known of an object, or None if there is none. Never reads its bytes."""
        ...

    def get(self, key: str, max_size: int | None = None) -> bytes:
        """All bytes of an object.

        Raises:
            BlobNotFoundError: there is none.
            BlobTooLargeError: it has more than ``max_size`` bytes.
            BlobShortError: fewer or more bytes came than were announced.
        """
        ...

    def open(self, key: str) -> Iterator[bytes]:
        """The bytes of an object in chunks, in order, for objects that memory should not hold.

        Raises:
            BlobNotFoundError: there is none (at the call or at the first chunk).
            BlobShortError: the stream ended early.
        """
        ...

    def put(self, key: str, data: bytes) -> None:
        """Store ``data``, replacing what was there; durable when this returns.

        Raises:
            BlobUnknownOutcomeError: no answer came, and it may have happened.
        """
        ...

    def put_file(self, key: str, path: str) -> None:
        """Store the bytes of a file of this machine, in parts where it is large; as `put`."""
        ...

    def list(self, prefix: str = "") -> Iterator[Sequence[BlobInfo]]:
        """All objects below the folder ``prefix``, in pages, in no promised order.

        A prefix that holds nothing gives no page. A failure raises: it never looks like the end.

        Raises:
            NoListingError: this kind of store has no listings.
        """
        ...

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects; one that is not there is already as asked."""
        ...

    def get_many(
        self, keys: Iterable[str], max_size: int | None = None
    ) -> Iterator[tuple[str, bytes | FourfoldError]]:
        """Bytes of many small objects, in the order in which they arrive.

        One object's failure is its value in the pair, and the rest go on. ``keys`` is consumed
        lazily, in the caller's thread; what is in flight is bounded by count and by bytes.
        """
        ...

    def put_many(self, items: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, FourfoldError | None]]:
        """Store many small objects; a pair for each, in the order in which they are done.

        One object's failure is its value in the pair, and the rest go on. Each is durable when its
        pair comes out. ``items`` is consumed lazily, in the caller's thread, bounded likewise.
        """
        ...


@runtime_checkable
class VersionedStore(Protocol):
    """What a store that can keep old versions offers besides `BlobStore`; whether it does, an answer tells.

    Raises (any method): as `BlobStore`.
    """

    def put_version(self, key: str, path: str) -> BlobInfo:
        """Store the bytes of a file of this machine, and tell the version that they became.

        ``version`` of the answer is None where the bucket keeps none.
        """
        ...

    def head_version(self, key: str, version: str) -> BlobInfo | None:
        """What is known of one version of an object, or None if there is no such version."""
        ...

    def get_version(self, key: str, version: str, max_size: int | None = None) -> bytes:
        """All bytes of one version of an object; as `BlobStore.get`."""
        ...

    def open_version(self, key: str, version: str) -> Iterator[bytes]:
        """The bytes of one version in chunks; as `BlobStore.open`."""
        ...
