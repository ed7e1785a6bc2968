"""What a package index has of some packages: names of files, their addresses and hashes.

The only module here that uses the network, and only when a user names an index. Formats: the simple
repository API, as JSON (PEP 691) or HTML (PEP 503).
"""

import html
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fourfold.base.errors import UnavailableError, UsageError
from fourfold.base.events import Advanced, PhaseEnded, PhaseStarted, Sink
from fourfold.base.pool import map_batches
from fourfold.formats.locks.model import Archive, BadLockFileError, clean_url, hash_text

_SECONDS = 30
#: No page of an index is larger, in bytes.
_MOST = 64 * 1024 * 1024
_PHASE = "asking the index"
_ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
_LINK = re.compile(r"<a\b[^>]*?\bhref\s*=\s*[\"']([^\"']+)[\"'][^>]*>", re.IGNORECASE)
_FRAGMENT = re.compile(r"(sha256|sha384|sha512)=([0-9a-f]+)")
_GONE = frozenset({404, 410})


class IndexUnreachableError(UnavailableError):
    """A package index does not answer, or not as one."""

    code = "index-unreachable"
    default_hint = "check its URL: the default of installers is https://pypi.org/simple"


class BadIndexURLError(UsageError):
    """The URL of an index is none that can be asked."""

    code = "bad-index-url"
    default_hint = "give an address that begins with https:// or http://"


def files_of(index: str, names: Sequence[str], events: Sink) -> dict[str, list[Archive]]:
    """The files that an index has of each package that it knows.

    Args:
        index: The URL of a simple repository.
        names: Normalised names.
        events: Hears of progress.

    Raises:
        BadIndexURLError: the URL is none of HTTP.
        IndexUnreachableError: it does not answer.
    """
    if urllib.parse.urlsplit(index).scheme not in {"http", "https"}:
        raise BadIndexURLError(f"not the URL of an index: {clean_url(index)[:120]}")
    events(PhaseStarted(_PHASE, total=len(names), unit="packages"))
    found: dict[str, list[Archive]] = {}
    try:
        for name, files in map_batches(lambda name: (name, _ask(index, name)), names, jobs=8):
            if files:
                found[name] = files
            events(Advanced(_PHASE, done=1))
    finally:
        events(PhaseEnded(_PHASE))
    return found


def _ask(index: str, name: str) -> list[Archive]:
    parts = urllib.parse.urlsplit(index)
    address = f"{index.rstrip('/')}/{name}/"
    request = urllib.request.Request(_without_login(address), headers={"Accept": _ACCEPT})  # noqa: S310 - HTTP only
    if parts.username is not None:
        import base64  # noqa: PLC0415 - few indexes ask who one is

        login = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
        request.add_header("Authorization", "Basic " + base64.b64encode(login.encode()).decode())
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310 - HTTP only
            data, base = answer.read(_MOST), answer.geturl()
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in _GONE:
            return []
        raise IndexUnreachableError(f"{clean_url(address)} answers {error.code}") from error
    except (OSError, ValueError) as error:
        raise IndexUnreachableError(f"{clean_url(address)} does not answer: {error}") from error
    text = data.decode("utf-8", "replace")
    return list(_of_json(text, base) if text.lstrip().startswith("{") else _of_html(text, base))


def _without_login(url: str) -> str:
    parts = urllib.parse.urlsplit(url)
    return urllib.parse.urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _of_json(text: str, base: str) -> Iterator[Archive]:
    try:
        files: Any = json.loads(text).get("files", [])
    except (ValueError, RecursionError, AttributeError):
        return
    for file in files if isinstance(files, list) else []:
        if isinstance(file, Mapping) and isinstance(file.get("hashes"), Mapping):
            yield from _archive(str(file.get("url", "")), str(file.get("filename", "")), file["hashes"], base)


def _of_html(text: str, base: str) -> Iterator[Archive]:
    for link in _LINK.findall(text):
        url, _mark, fragment = html.unescape(link).partition("#")
        found = _FRAGMENT.search(fragment)
        name = urllib.parse.unquote(url.partition("?")[0].rpartition("/")[2])
        yield from _archive(url, name, {found[1]: found[2]} if found else {}, base)


def _archive(url: str, name: str, hashes: Mapping[str, Any], base: str) -> Iterator[Archive]:
    kept = []
    for kind, value in hashes.items():
        try:
            kept.append(hash_text(f"{kind}:{value}", name))
        except BadLockFileError:
            continue
    address = clean_url(urllib.parse.urljoin(base, url))
    if name and address.startswith(("http://", "https://")):
        yield Archive(name, tuple(sorted(kept)), address)
