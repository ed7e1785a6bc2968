"""HTTP(S) remotes as DVC has them: GET and HEAD to read, POST or PUT to write, no listing.

The native object-store client sends only PUT and knows no basic or digest login, so this adapter
speaks HTTP by `http_wire`.
"""

import http.client
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from email.utils import parsedate_to_datetime
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from fourfold.base.errors import FourfoldError
from fourfold.storage.blob import bulk
from fourfold.storage.blob.http_login import Login, proxy_for, tls_context
from fourfold.storage.blob.http_wire import Body, Timeouts, Wire
from fourfold.storage.blob.protocol import (
    CHUNK,
    BlobInfo,
    BlobRefusedError,
    NoListingError,
    check_key,
    not_found,
    too_large,
    wrong_length,
)
from fourfold.storage.blob.source import parts, reading, size_of
from fourfold.storage.options import BadRemoteOptionError, Options, asked
from fourfold.storage.redact import redact_url

_MISSING = frozenset({404, 410})
_NOT_ALLOWED = frozenset({405, 501})


def open_http(url: str, options: Options, environ: Mapping[str, str], jobs: int | None) -> "HttpStore":
    """A store for ``http://`` or ``https://``.

    Raises:
        BadRemoteOptionError: an option means nothing, or a login is incomplete.
    """
    where = urlsplit(url)
    kind = (options.text("auth") or "").lower()
    header, user = options.text("custom_auth_header"), options.text("user")
    if kind:
        password = asked(options, "password", redact_url(url))
    else:  # nobody is asked for a password that nothing would use
        password = options.text("password")
        options.flag("ask_password")
    if kind not in {"", "basic", "digest", "custom"}:
        raise options.bad("auth", kind, "basic, digest or custom")
    if not kind and where.username and where.password:
        kind, user, password = "basic", unquote(where.username), unquote(where.password)
    name = header if kind == "custom" else user
    if kind and (not name or password is None):
        needed = "custom_auth_header" if kind == "custom" else "user"
        raise BadRemoteOptionError(
            f"auth {kind!r} of an HTTP remote needs {needed} and password",
            hint="set them with: ff remote modify --local <name> password <value>",
        )
    method = (options.text("method") or "POST").upper()
    if not re.fullmatch(r"[A-Z]{1,20}", method):
        raise options.bad("method", method, "a method of HTTP")
    usual = Timeouts()
    timeouts = Timeouts(
        options.seconds("connect_timeout") or usual.connect, options.seconds("read_timeout") or usual.read
    )
    context = tls_context(options.flag_or_text("ssl_verify"), environ) if where.scheme == "https" else None
    options.finish()
    base = base_of(url, where.scheme)
    wire = Wire(
        base,
        redact_url(url),
        login=Login(kind, name or "", password or "") if kind else Login(),
        timeouts=timeouts,
        context=context,
        proxy=proxy_for(where.scheme, where.hostname or "", environ),
    )
    return HttpStore(base, wire, url=redact_url(url), query=where.query, method=method, jobs=jobs)


def base_of(url: str, scheme: str) -> str:
    """The URL of the folder: without login and query, with what a person typed escaped."""
    parts = urlsplit(url)
    path = quote(parts.path.rstrip("/"), safe="/%:@!$&'()*+,;=~")
    return urlunsplit((scheme, parts.netloc.rpartition("@")[2], path, "", ""))


class HttpStore:
    """Objects below a URL.

    Args:
        base: The URL of the folder, without login and query.
        wire: Sends the requests.
        url: The same for people.
        query: Sent with each request, such as the signature of a signed URL.
        method: Of uploads.
        jobs: Requests at once in bulk calls.
    """

    def __init__(
        self,
        base: str,
        wire: Wire,
        *,
        url: str,
        query: str = "",
        method: str = "POST",
        jobs: int | None = None,
    ) -> None:
        self._base = base
        self._wire = wire
        self._url = url
        self._query = f"?{query}" if query else ""
        self._method = method
        self._jobs = jobs or bulk.DEFAULT_JOBS

    @property
    def url(self) -> str:
        """Where this is, without secrets."""
        return self._url

    @property
    def local_root(self) -> str | None:
        """None."""
        return None

    def head(self, key: str) -> BlobInfo | None:
        """See `BlobStore.head`; by GET, whose body is not read, where a server has no HEAD."""
        for method in ("HEAD", "GET"):
            with self._wire.ask(method, self._target(key), key) as response:
                if response.status in _MISSING:
                    return None
                if method == "HEAD" and response.status in _NOT_ALLOWED:
                    continue
                self._wire.check(response, key)
                return _info(key, response)
        return None

    def headers(self, key: str) -> dict[str, str]:
        """What the server says of a file, names in lower case, by HEAD or else by GET; empty for no file."""
        for method in ("HEAD", "GET"):
            with self._wire.ask(method, self._target(key), key) as response:
                if response.status in _MISSING or (method == "HEAD" and response.status in _NOT_ALLOWED):
                    continue
                self._wire.check(response, key)
                return {name.lower(): value for name, value in response.getheaders()}
        return {}

    def get(self, key: str, max_size: int | None = None) -> bytes:
        """See `BlobStore.get`."""
        parts = [*self._body(self._target(key), key, max_size)]
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def open(self, key: str) -> Iterator[bytes]:
        """See `BlobStore.open`."""
        return self._body(self._target(key), key, None)

    def _body(self, target: str, key: str, max_size: int | None) -> Iterator[bytes]:
        with self._wire.ask("GET", target, key) as response:
            if response.status in _MISSING:
                raise not_found(key, self._url)
            self._wire.check(response, key)
            announced, seen = _announced(response), 0
            if max_size is not None and announced is not None and announced > max_size:
                raise too_large(key, self._url, max_size)
            for part in self._wire.chunks(response, key, CHUNK):
                seen += len(part)
                if max_size is not None and seen > max_size:
                    raise too_large(key, self._url, max_size)
                yield part
            if announced is not None and seen != announced:
                raise wrong_length(key, self._url, announced, seen)

    def put(self, key: str, data: bytes) -> None:
        """See `BlobStore.put`."""
        self._send(key, lambda: data, len(data))

    def put_file(self, key: str, path: str) -> None:
        """See `BlobStore.put_file`; streamed, whatever its size."""
        check_key(key)
        with reading(path) as source:
            self._send(key, lambda: parts(source), size_of(source))

    def _send(self, key: str, body: Body, size: int) -> None:
        headers = {"Content-Length": str(size), "Content-Type": "application/octet-stream"}
        with self._wire.ask(self._method, self._target(key), key, body, headers) as response:
            if response.status in _NOT_ALLOWED or response.status in _MISSING:
                raise BlobRefusedError(
                    f"{self._url} takes no uploads by {self._method}: {response.status} {response.reason}",
                    hint="try the other one: ff remote modify <name> method PUT",
                )
            self._wire.check(response, key)

    def list(self, prefix: str = "") -> Iterator[Sequence[BlobInfo]]:  # noqa: ARG002 - the protocol's signature
        """Not possible: HTTP has no listing."""
        raise NoListingError(f"{self._url} cannot be listed: HTTP servers do not tell what they hold")

    def delete(self, keys: Iterable[str]) -> None:
        """See `BlobStore.delete`; by DELETE, which many servers refuse."""
        for key in keys:
            with self._wire.ask("DELETE", self._target(key), key) as response:
                if response.status in _NOT_ALLOWED:
                    raise BlobRefusedError(f"{self._url} deletes nothing: {response.status}")
                if response.status not in _MISSING:
                    self._wire.check(response, key)

    def get_many(
        self, keys: Iterable[str], max_size: int | None = None
    ) -> Iterator[tuple[str, bytes | FourfoldError]]:
        """See `BlobStore.get_many`."""
        return bulk.get_many(lambda key: self.get(key, max_size), keys, jobs=self._jobs)

    def put_many(self, items: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, FourfoldError | None]]:
        """See `BlobStore.put_many`."""
        return bulk.put_many(self.put, items, jobs=self._jobs)

    def _target(self, key: str) -> str:
        return f"{self._base}/{quote(check_key(key))}{self._query}"


def _announced(response: http.client.HTTPResponse) -> int | None:
    if response.getheader("content-encoding", "identity").lower() != "identity":
        return None  # the length is that of the encoded bytes
    length = response.getheader("content-length", "")
    return int(length) if length.isascii() and length.isdigit() else None


def _info(key: str, response: http.client.HTTPResponse) -> BlobInfo:
    etag = response.getheader("etag")
    size = _announced(response)
    modified = None
    try:
        stamp = response.getheader("last-modified")
        modified = int(parsedate_to_datetime(stamp).timestamp()) * 10**9 if stamp else None
    except ValueError:
        modified = None
    tag = etag.removeprefix("W/").strip('"') if etag else None
    return BlobInfo(key, -1 if size is None else size, tag, None, modified)
