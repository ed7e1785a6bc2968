"""WebDAV remotes: HTTP with folders, listings and renames (RFC 4918).

Objects are written under a temporary name and moved over. What HTTP already does (reading, logins,
failures) comes from `http`; no further package is needed.
"""

import ssl
import threading
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from fourfold.base.errors import from_os_error
from fourfold.base.fs.atomic import temp_name
from fourfold.storage.blob.http import HttpStore, base_of
from fourfold.storage.blob.http_login import Login, proxy_for, tls_context
from fourfold.storage.blob.http_wire import Body, Timeouts, Wire
from fourfold.storage.blob.protocol import (
    CHUNK,
    BlobInfo,
    BlobRefusedError,
    BlobUnavailableError,
    BucketNotFoundError,
    check_key,
    check_prefix,
    not_found,
)
from fourfold.storage.blob.source import parts, reading, size_of
from fourfold.storage.options import BadRemoteOptionError, Options, asked, expand_user
from fourfold.storage.redact import redact_url

_TIMEOUT = 30.0
_MAX_LISTING = 256 << 20
_EARLY = 1 << 20
_DAV = "{DAV:}"
_PROPFIND = (
    b'<?xml version="1.0" encoding="utf-8"?><propfind xmlns="DAV:"><prop>'
    b"<resourcetype/><getcontentlength/><getetag/><getlastmodified/></prop></propfind>"
)
_NO_PARENT = frozenset({403, 404, 409})


def open_webdav(url: str, options: Options, environ: Mapping[str, str], jobs: int | None) -> "WebdavStore":
    """A store for ``webdav://`` or ``webdavs://``.

    Raises:
        BadRemoteOptionError: an option means nothing, or a login is incomplete.
        PasswordNeededError: the remote says that a password is to be asked for.
        BlobRefusedError: the remote wants a program to be run.
    """
    where = urlsplit(url)
    shown = redact_url(url)
    scheme = where.scheme.lower().replace("webdav", "http")
    if options.text("bearer_token_command"):
        raise BlobRefusedError(
            f"{shown}: bearer_token_command is not run: a configuration must not execute programs",
            hint="run it yourself, and: ff remote modify --local <name> token <its output>",
        )
    login = _login(options, shown, where.username, where.password)
    seconds = options.seconds("timeout") or _TIMEOUT
    verify, certificate, key = (
        options.flag_or_text("ssl_verify"),
        options.text("cert_path"),
        options.text("key_path"),
    )
    options.finish()
    context = tls_context(verify, environ) if scheme == "https" else None
    if context is not None and certificate:
        _load_certificate(context, certificate, key, environ)
    base = base_of(url, scheme)
    proxy = proxy_for(scheme, where.hostname or "", environ)
    wire = Wire(base, shown, login=login, timeouts=Timeouts(seconds, seconds), context=context, proxy=proxy)
    return WebdavStore(base, wire, url=shown, method="PUT", jobs=jobs)


def _login(options: Options, shown: str, user_of_url: str | None, password_of_url: str | None) -> Login:
    token = options.text("token")
    user = options.text("user") or (unquote(user_of_url) if user_of_url else None)
    header = options.text("custom_auth_header")
    password = asked(options, "password", shown) or (unquote(password_of_url) if password_of_url else None)
    if token:
        return Login("custom", "Authorization", f"Bearer {token}")
    if user:
        return Login("basic", user, password or "")
    if header:
        if password is None:
            raise BadRemoteOptionError(
                "custom_auth_header of a WebDAV remote needs its value in password",
                hint="set it with: ff remote modify --local <name> password <value>",
            )
        return Login("custom", header, password)
    return Login()


def _load_certificate(
    context: ssl.SSLContext, certificate: str, key: str | None, environ: Mapping[str, str]
) -> None:
    try:
        context.load_cert_chain(expand_user(certificate, environ), expand_user(key, environ) if key else None)
    except ssl.SSLError as error:
        raise BadRemoteOptionError(
            f"cert_path: {certificate} and key_path hold no usable certificate"
        ) from error
    except OSError as error:
        raise from_os_error(error, "reading cert_path and key_path") from error


class _Entry(NamedTuple):
    """One resource of a listing."""

    path: str
    is_folder: bool
    info: BlobInfo


class WebdavStore(HttpStore):
    """Objects as files below a collection."""

    #: Servers lock a collection while one is made in it: one at a time, for all stores.
    _making = threading.Lock()

    def head(self, key: str) -> BlobInfo | None:
        """See `BlobStore.head`; by PROPFIND, since HEAD does not tell folders from files."""
        found = self._propfind(self._target(key), key, depth="0")
        return found[0].info._replace(key=key) if found and not found[0].is_folder else None

    def _body(self, target: str, key: str, max_size: int | None) -> Iterator[bytes]:
        """Reads as HTTP, but for folders, which many servers show as a page."""
        with self._wire.ask("HEAD", target, key) as response:
            is_page = response.getheader("content-type", "").startswith("text/html")
            status = response.status
        if status in {404, 410, 405} or is_page:
            found = self._propfind(target, key, depth="0")
            if not found or found[0].is_folder:
                self._prove_base(key)
                raise not_found(key, self._url)
        yield from super()._body(target, key, max_size)

    def put(self, key: str, data: bytes) -> None:
        """See `BlobStore.put`."""
        self._store(key, lambda: data, len(data))

    def put_file(self, key: str, path: str) -> None:
        """See `BlobStore.put_file`."""
        check_key(key)
        with reading(path) as source:
            self._store(key, lambda: parts(source), size_of(source))

    def _store(self, key: str, body: Body, size: int) -> None:
        target = self._target(key)
        folder, _, name = key.rpartition("/")
        temporary = self._target(f"{folder}/{temp_name(name)}" if folder else temp_name(name))
        headers = {"Content-Length": str(size), "Content-Type": "application/octet-stream"}
        if size > _EARLY:  # so that a large body is not sent in vain to a folder that is not there
            self._make_folders(folder)
        with self._wire.ask("PUT", temporary, key, body, headers) as response:
            missing = response.status in _NO_PARENT
            if not missing:
                self._wire.check(response, key)
        if missing:
            self._make_folders(folder)
            with self._wire.ask("PUT", temporary, key, body, headers) as response:
                self._wire.check(response, key)
        move = {"Destination": target, "Overwrite": "T", "Content-Length": "0"}
        with self._wire.ask("MOVE", temporary, key, lambda: b"", move) as response:
            status = response.status
            if status < 300:
                return
        with self._wire.ask("DELETE", temporary, key):
            pass
        with self._wire.ask("HEAD", target, key):
            raise BlobUnavailableError(f"{self._url}: object {key!r} could not be moved into place: {status}")

    def _make_folders(self, folder: str) -> None:
        """Make the collections on the way to a folder, the remote's own among them."""
        base = urlsplit(self._base)
        steps = [step for step in f"{base.path}/{quote(folder)}".split("/") if step]
        with self._making:
            for count in range(1, len(steps) + 1):
                target = urlunsplit((base.scheme, base.netloc, "/" + "/".join(steps[:count]) + "/", "", ""))
                with self._wire.ask("MKCOL", target, folder) as response:
                    # 405: it is there already. 403: above what is ours; the last one decides.
                    if response.status not in {201, 301, 405} and (
                        response.status != 403 or count == len(steps)
                    ):
                        self._wire.check(response, folder)

    def list(self, prefix: str = "") -> Iterator[Sequence[BlobInfo]]:
        """See `BlobStore.list`; a page a folder, temporary names left out."""
        pending = [check_prefix(prefix).removesuffix("/")]
        root = unquote(urlsplit(self._base).path).rstrip("/")
        while pending:
            folder = pending.pop()
            target = f"{self._base}/{quote(folder)}".rstrip("/") + "/"
            page = []
            for entry in self._propfind(target, folder, depth="1") or ():
                key = entry.path.removeprefix(root).strip("/")
                if key == folder or not entry.path.startswith(root):
                    continue
                if entry.is_folder:
                    pending.append(key)
                elif not _is_temporary(key.rpartition("/")[2]):
                    page.append(entry.info._replace(key=key))
            if page:
                yield page

    def _propfind(self, target: str, key: str, *, depth: str) -> Sequence[_Entry] | None:
        """What is at a URL, and (depth 1) in it; None where there is nothing."""
        headers = {"Depth": depth, "Content-Type": "application/xml", "Content-Length": str(len(_PROPFIND))}
        with self._wire.ask("PROPFIND", target, key, lambda: _PROPFIND, headers) as response:
            if response.status in {404, 410}:
                return None
            self._wire.check(response, key)
            text = b"".join(self._wire.chunks(response, key, CHUNK))
        if len(text) > _MAX_LISTING:
            raise BlobRefusedError(f"{self._url}: the listing of {key!r} is too large")
        try:
            return [_entry(found) for found in ET.fromstring(text).iter(f"{_DAV}response")]  # noqa: S314 - expat bounds entities
        except (ET.ParseError, ValueError) as error:
            raise BlobRefusedError(
                f"{self._url} does not answer like a WebDAV server", hint="check the url: ff remote list"
            ) from error

    def _prove_base(self, key: str) -> None:
        if self._propfind(self._base + "/", key, depth="0") is None:
            raise BucketNotFoundError(
                f"the folder of the remote does not exist: {self._url}", hint="check the url: ff remote list"
            )


def _entry(found: ET.Element) -> _Entry:
    path = unquote(urlsplit(found.findtext(f"{_DAV}href", "").strip()).path)
    properties = {
        element.tag: element
        for stat in found.iter(f"{_DAV}prop")
        for element in stat
        if element.text or len(element)
    }
    kind = properties.get(f"{_DAV}resourcetype")
    is_folder = kind is not None and kind.find(f"{_DAV}collection") is not None

    def text(name: str) -> str:
        element = properties.get(_DAV + name)
        return (element.text or "").strip() if element is not None else ""

    stamp = text("getlastmodified")
    modified = int(parsedate_to_datetime(stamp).timestamp()) * 10**9 if stamp else None
    size = text("getcontentlength")
    etag = text("getetag").removeprefix("W/").strip('"') or None
    return _Entry(path, is_folder, BlobInfo(path, int(size) if size else -1, etag, None, modified))


def _is_temporary(name: str) -> bool:
    return name.startswith(".") and name.endswith(".tmp")
