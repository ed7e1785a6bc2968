"""The one table of URL types: which module opens which, imported only when asked for.

`open_store` is the way from a remote's URL and options to a store. It knows no configuration
levels, names or secrets' places; those belong to `project`, and the environment is passed in.
"""

import os
import re
from collections.abc import Mapping
from importlib import import_module
from typing import NamedTuple, Protocol, cast

from fourfold.base.errors import ConfigError, UnsupportedError
from fourfold.storage.blob.protocol import BlobStore
from fourfold.storage.options import Options
from fourfold.storage.redact import redact_url


class UnknownSchemeError(ConfigError):
    """A URL is of a type that we do not know."""

    code = "unsupported-url-type"


class BadUrlError(ConfigError):
    """A URL names no place: its host is missing, or cannot be understood."""

    code = "bad-url"


class MissingPackageError(UnsupportedError):
    """A type of remote needs a package that is not installed."""

    code = "missing-package"


class Opener(NamedTuple):
    """A row of the table.

    Attributes:
        module: Where the opener lives.
        function: Its name: ``(url, options, environ, jobs) -> BlobStore``.
        extra: The optional dependency that brings what it imports.
    """

    module: str
    function: str
    extra: str = ""


class _Open(Protocol):
    def __call__(
        self, url: str, options: Options, environ: Mapping[str, str], jobs: int | None
    ) -> BlobStore: ...


_BLOB = "fourfold.storage.blob"

SCHEMES: Mapping[str, Opener] = {
    "s3": Opener(f"{_BLOB}.s3", "open_s3"),
    "s3a": Opener(f"{_BLOB}.s3", "open_s3"),
    "gs": Opener(f"{_BLOB}.gcs", "open_gcs"),
    "gcs": Opener(f"{_BLOB}.gcs", "open_gcs"),
    "azure": Opener(f"{_BLOB}.azure", "open_azure"),
    "http": Opener(f"{_BLOB}.http", "open_http"),
    "https": Opener(f"{_BLOB}.http", "open_http"),
    "ssh": Opener(f"{_BLOB}.sftp", "open_ssh", "ssh"),
    "sftp": Opener(f"{_BLOB}.sftp", "open_ssh", "ssh"),
    "webdav": Opener(f"{_BLOB}.webdav", "open_webdav", "webdav"),
    "webdavs": Opener(f"{_BLOB}.webdav", "open_webdav", "webdav"),
    "hdfs": Opener(f"{_BLOB}.hdfs", "open_hdfs", "hdfs"),
    "webhdfs": Opener(f"{_BLOB}.hdfs", "open_webhdfs", "webhdfs"),
    "oss": Opener(f"{_BLOB}.oss", "open_oss"),
    "memory": Opener(f"{_BLOB}.memory", "open_memory"),
}

#: Types that DVC has and we refuse by name, with the reason.
_REFUSED = {
    "gdrive": "Google Drive is not an object store and is not supported; use gs:// or a mounted folder"
}
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


def scheme_of(url: str) -> str:
    """The lower-case scheme of a URL; ``""`` for a path, also ``file://`` and a drive of Windows."""
    found = _SCHEME.match(url)
    scheme = found[1].lower() if found else ""
    return "" if scheme in {"file", "local"} or len(scheme) == 1 else scheme


def is_local(url: str) -> bool:
    """Whether a URL names a folder of this machine."""
    return not scheme_of(url)


def local_path(url: str) -> str:
    """The path in a URL for which `is_local` holds."""
    if not url.lower().startswith(("file://", "local://")):
        return url
    from urllib.parse import unquote  # noqa: PLC0415 - plain paths, the usual case, need none of it

    path = unquote(url.partition("://")[2])
    return path[1:] if os.name == "nt" and re.match(r"/[A-Za-z]:", path) else path


def check_url(url: str) -> str:
    """``url``, when it names a place; anything without a scheme passes.

    Raises:
        BadUrlError: nothing follows its scheme, or its host cannot be understood.
    """
    scheme = scheme_of(url)
    if not scheme:
        return url
    from urllib.parse import urlsplit  # noqa: PLC0415 - paths, the usual case, need none of it

    try:
        urlsplit(url).port  # noqa: B018 - it is asked for what it raises
    except ValueError as error:
        raise BadUrlError(
            f"{redact_url(url)!r} is no URL: {error}",
            hint="an IPv6 address stands in brackets; a port is a number up to 65535",
        ) from None
    if not url.partition("://")[2].strip("/"):
        raise BadUrlError(f"{url!r} names nothing", hint=f"write it as {scheme}://<place>/<path>")
    return url


def open_store(
    url: str,
    options: Mapping[str, str],
    *,
    environ: Mapping[str, str],
    jobs: int | None = None,
    confined: bool = False,
) -> BlobStore:
    """Open the store of a remote. Nothing is asked from the network yet.

    Args:
        url: With its scheme; a folder of this machine as an absolute path.
        options: DVC's configuration keys of the remote, as text.
        environ: The environment, for credentials and proxies.
        jobs: Requests at once in bulk calls; None for the type's default. Wins over option ``jobs``.
        confined: For a folder of this machine: links inside it must not lead out of it.

    Raises:
        UnknownSchemeError: no such type of URL.
        BadUrlError: it names no place.
        BadRemoteOptionError: an option means nothing.
        UnknownRemoteOptionError: the type has no such option.
        MissingPackageError: an optional package is missing.
    """
    scheme = scheme_of(url)
    if jobs is None and options.get("jobs", ""):
        jobs = Options(scheme or "local", {"number_of_jobs": options["jobs"]}).number("number_of_jobs")
    if not scheme:
        return _open_folder(local_path(url), Options("local", options), confined, jobs)
    opener = SCHEMES.get(scheme)
    if opener is None:
        raise UnknownSchemeError(
            _REFUSED.get(scheme) or f"no remote can be at {redact_url(url)!r}: unknown type {scheme}://",
            hint="known types: a folder, " + ", ".join(f"{name}://" for name in SCHEMES if name != "memory"),
        )
    check_url(url)
    try:
        # The one dynamic import of this room: rows of the table above, never anything from a file.
        found = cast("_Open", getattr(import_module(opener.module), opener.function))
        return found(url, Options(scheme, options), environ, jobs)
    except ImportError as error:
        if not opener.extra:
            raise
        raise MissingPackageError(
            f"{scheme}:// remotes need a package that is not installed: {error.name or error}",
            hint=f'pip install "fourfold[{opener.extra}]"',
        ) from error


def _open_folder(path: str, options: Options, confined: bool, jobs: int | None) -> BlobStore:
    from fourfold.storage.blob.local import open_local  # noqa: PLC0415 - a row of the table in all but form

    return open_local(path, options, confined, jobs)
