"""Requests over HTTP by the standard library: connections kept alive, logins, redirects, typed failures.

Redirects are followed for reads, never from https to http, and never with our login to another
host. What is asked for, and what an answer means for an object, belongs to `http`.
"""

import base64
import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import urljoin, urlsplit, urlunsplit

from fourfold.base.errors import FourfoldError
from fourfold.storage.blob.http_login import Digest, Login
from fourfold.storage.blob.protocol import (
    BlobCertificateError,
    BlobDeniedError,
    BlobRefusedError,
    BlobThrottledError,
    BlobTimeoutError,
    BlobUnavailableError,
    BlobUnknownOutcomeError,
    wrong_length,
)
from fourfold.storage.redact import redact

_TIMEOUT = 60.0
_MAX_REDIRECTS = 5
#: Bytes of an answer that are read and dropped, so that its connection can be kept.
_DRAIN = 64 << 10
_GONE = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError, http.client.BadStatusLine)
_CREDENTIALS = "auth, user and password, or custom_auth_header, of the remote"
_REDIRECTS = frozenset({301, 302, 303, 307, 308})

#: Makes the body of a request, anew for each try.
Body = Callable[[], bytes | Iterable[bytes]]


class Timeouts(NamedTuple):
    """Seconds to wait for a connection, and for each piece of an answer."""

    connect: float = _TIMEOUT
    read: float = _TIMEOUT


class Wire:
    """Requests to one server.

    Args:
        base: Its URL, with the folder; logins go only to this scheme, host and port.
        url: The same for people.
        login: How to log in.
        timeouts: Of each connection.
        context: Trust, for https.
        proxy: ``host:port`` of a proxy, or empty.
    """

    def __init__(
        self,
        base: str,
        url: str,
        *,
        login: Login,
        timeouts: Timeouts,
        context: ssl.SSLContext | None,
        proxy: str,
    ) -> None:
        self._lock = threading.Lock()
        self._idle: dict[tuple[str, str], list[http.client.HTTPConnection]] = {}
        self._base = base
        self._url = url
        self._login = login
        self._digest = Digest(login) if login.kind == "digest" else None
        self._timeouts = timeouts
        self._context = context
        self._proxy = proxy

    def __del__(self) -> None:
        for kept in self._idle.values():
            for connection in kept:
                connection.close()

    @contextmanager
    def ask(
        self,
        method: str,
        target: str,
        key: str,
        body: Body | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Iterator[http.client.HTTPResponse]:
        """One request, with its login, redirects and challenge; the answer's body is the caller's to read.

        Raises:
            FourfoldError: no answer came, or it leads nowhere.
        """
        challenged = False
        for _ in range(_MAX_REDIRECTS + 2):
            sent = dict(headers or {}) | self._authorization(method, target)
            asked = target
            response, connection = self._request(method, asked, body, sent, key)
            try:
                again = None
                if response.status == 401 and self._digest and not challenged and self._is_ours(target):
                    challenged = True
                    again = (
                        target if self._digest.learn(response.getheader("www-authenticate") or "") else None
                    )
                elif response.status in _REDIRECTS and method in {"GET", "HEAD"}:
                    again = self._redirected(target, response.getheader("location") or "")
                if again is None:
                    yield response
                    return
                target = again
            finally:
                self._keep(asked, response, connection)
        raise BlobRefusedError(f"{self._url} redirects without end")

    def _keep(
        self, target: str, response: http.client.HTTPResponse, connection: http.client.HTTPConnection
    ) -> None:
        """Keep a connection whose answer was read to its end; close any other."""
        try:
            if not response.isclosed() and response.length is not None and response.length < _DRAIN:
                response.read()
        except (OSError, http.client.HTTPException):
            connection.close()
        if not response.isclosed() or connection.sock is None:
            response.close()
            connection.close()
            return
        parts = urlsplit(target)
        with self._lock:
            self._idle.setdefault((parts.scheme, parts.netloc), []).append(connection)

    def _authorization(self, method: str, target: str) -> dict[str, str]:
        if not self._login.kind or not self._is_ours(target):
            return {}
        if self._digest:
            return self._digest.header(method, target)
        if self._login.kind == "custom":
            return {self._login.user: self._login.password}
        pair = base64.b64encode(f"{self._login.user}:{self._login.password}".encode()).decode()
        return {"Authorization": f"Basic {pair}"}

    def _is_ours(self, target: str) -> bool:
        ours, theirs = urlsplit(self._base), urlsplit(target)
        return (ours.scheme, ours.netloc) == (theirs.scheme, theirs.netloc)

    def _redirected(self, target: str, location: str) -> str:
        found = urlsplit(urljoin(target, location))
        if not location or found.scheme not in {"http", "https"} or not found.hostname:
            raise BlobRefusedError(f"{self._url} redirects to nowhere")
        if found.scheme == "http" and urlsplit(target).scheme == "https":
            raise BlobRefusedError(f"{self._url} redirects from https to http, which is refused")
        return urlunsplit(found)

    def _request(
        self, method: str, target: str, body: Body | None, headers: Mapping[str, str], key: str
    ) -> tuple[http.client.HTTPResponse, http.client.HTTPConnection]:
        parts = urlsplit(target)
        path = urlunsplit(("", "", parts.path or "/", parts.query, ""))
        if self._proxy and parts.scheme == "http":
            path = target
        for fresh in (False, True):
            connection = self._connection(parts.scheme, parts.netloc, fresh=fresh)
            kept = connection.sock is not None
            connected = False
            try:
                self._connect(connection)
                connected = True
                try:
                    connection.request(method, path, body() if body else None, dict(headers))
                except (BrokenPipeError, ConnectionResetError):
                    if kept:
                        raise
                    # A server may answer before it has read a large body, and close: its answer counts.
                return connection.getresponse(), connection
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                # The server had closed a connection that we kept: that is no failure, and every
                # request of this protocol may be repeated.
                if not (isinstance(error, _GONE) and kept and not fresh):
                    raise self._broken(error, key, writing=connected and body is not None) from error
        raise AssertionError("the second try returns or raises")

    def _connect(self, connection: http.client.HTTPConnection) -> None:
        if connection.sock is None:
            connection.connect()
            opened: Any = connection.sock
            opened.settimeout(self._timeouts.read)

    def _connection(self, scheme: str, netloc: str, *, fresh: bool) -> http.client.HTTPConnection:
        with self._lock:
            kept = self._idle.get((scheme, netloc))
            if kept and not fresh:
                return kept.pop()
        where = self._proxy or netloc
        if scheme == "http":
            return http.client.HTTPConnection(where, timeout=self._timeouts.connect)
        context = self._context or ssl.create_default_context()
        connection = http.client.HTTPSConnection(where, timeout=self._timeouts.connect, context=context)
        if self._proxy:
            name, _, port = netloc.partition(":")
            connection.set_tunnel(name, int(port or 443))
        return connection

    def chunks(self, response: http.client.HTTPResponse, key: str, size: int) -> Iterator[bytes]:
        """The body of an answer in pieces.

        Raises:
            BlobShortError: it ends before its announced length.
            BlobUnavailableError: the connection broke.
        """
        try:
            while part := response.read(size):
                yield part
        except http.client.IncompleteRead as error:
            expected = len(error.partial) + (error.expected or 0)
            raise wrong_length(key, self._url, expected, len(error.partial)) from error
        except (OSError, http.client.HTTPException) as error:
            raise self._broken(error, key, writing=False) from error

    def check(self, response: http.client.HTTPResponse, key: str) -> None:
        """Raise what a status means.

        Raises:
            FourfoldError: it is no success.
        """
        status = response.status
        if 200 <= status < 300:
            return
        said = f"{status} {redact(response.reason or '')[:100]}".strip()
        if status in {401, 403, 407}:
            raise BlobDeniedError(
                f"access denied to object {key!r} on {self._url}: {said}",
                hint=f"check {_CREDENTIALS}; to set one: ff remote modify --local <name> <option> <value>",
            )
        if status == 429 or (status == 503 and response.getheader("retry-after")):
            raise BlobThrottledError(
                f"{self._url} asks for fewer requests: {said}",
                hint="run again later, or with a lower --jobs",
                retry_after=_retry_after(response.getheader("retry-after")),
            )
        if status in {408, 423} or (status >= 500 and status != 501):
            raise BlobUnavailableError(f"{self._url} failed: {said}", hint="run the same command again")
        raise BlobRefusedError(f"object {key!r} on {self._url}: the server refused: {said}")

    def _broken(self, error: Exception, key: str, *, writing: bool) -> FourfoldError:
        never_sent = self._never_sent(error)
        if never_sent is not None:
            return never_sent
        if writing:
            return BlobUnknownOutcomeError(
                f"no answer after writing object {key!r} to {self._url}: it may or may not be there",
                hint="run the same command again",
            )
        if isinstance(error, TimeoutError):
            return BlobTimeoutError(f"{self._url} did not answer in time", hint="run the same command again")
        return BlobUnavailableError(f"the connection to {self._url} broke", hint="run the same command again")

    def _never_sent(self, error: Exception) -> FourfoldError | None:
        """The failures before any request left, whose outcome is certain."""
        if isinstance(error, ssl.SSLCertVerificationError):
            return BlobCertificateError(
                f"the TLS certificate of {self._url} is not trusted: {error.verify_message}",
                hint="name its authority's file with: ff remote modify <name> ssl_verify <file.pem>",
            )
        if isinstance(error, socket.gaierror):
            return BlobUnavailableError(
                f"the name of {self._url} cannot be resolved", hint="check the url", refused=True
            )
        if isinstance(error, ConnectionRefusedError):
            return BlobUnavailableError(
                f"{self._url} refuses connections", hint="check that the server runs", refused=True
            )
        if isinstance(error, ssl.SSLError) and error.reason in {"WRONG_VERSION_NUMBER", "HTTP_REQUEST"}:
            return BlobRefusedError(f"{self._url} does not speak TLS", hint="write the url with http://")
        return None


def _retry_after(text: str | None) -> float | None:
    return float(text) if text and text.isascii() and text.isdigit() and int(text) < 3600 else None
