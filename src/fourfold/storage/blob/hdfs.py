"""HDFS remotes, by pyarrow (``hdfs://``) or over HTTP (``webhdfs://``), through fsspec."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any
from urllib.parse import unquote, urlsplit

import fsspec

from fourfold.storage.blob.fsspec_store import FsspecStore
from fourfold.storage.options import Options, expand_user
from fourfold.storage.redact import redact_url

_WEBHDFS_PORT = 50070


def open_hdfs(url: str, options: Options, environ: Mapping[str, str], jobs: int | None) -> FsspecStore:
    """A store for ``hdfs://[user@]host[:port]/folder``.

    Raises:
        BadRemoteOptionError: an option means nothing.
        ImportError: pyarrow is not installed.
    """
    import_module("pyarrow.fs")  # fails here, where its absence can be named

    where = urlsplit(url)
    settings: dict[str, Any] = {
        "host": where.hostname or "default",
        "port": where.port or 0,
        "user": options.text("user") or (unquote(where.username) if where.username else None),
        "kerb_ticket": options.text("kerb_ticket"),
    }
    replication = options.number("replication")
    if replication is not None:
        settings["replication"] = replication
    options.finish()
    if settings["kerb_ticket"]:
        settings["kerb_ticket"] = expand_user(settings["kerb_ticket"], environ)
    return FsspecStore(
        lambda: fsspec.filesystem("hdfs", skip_instance_cache=True, **settings),
        unquote(where.path),
        url=redact_url(url),
        jobs=jobs,
    )


def open_webhdfs(url: str, options: Options, environ: Mapping[str, str], jobs: int | None) -> FsspecStore:
    """A store for ``webhdfs://[user@]host[:port]/folder``.

    Raises:
        BadRemoteOptionError: options contradict each other.
        ImportError: requests is not installed.
    """
    import_module("requests")  # fails here, where its absence can be named

    where = urlsplit(url)
    verify = options.flag_or_text("ssl_verify")
    settings: dict[str, Any] = {
        "host": where.hostname,
        "port": where.port or _WEBHDFS_PORT,
        "kerberos": options.flag("kerberos"),
        "token": options.text("token"),
        "user": options.text("user") or (unquote(where.username) if where.username else None),
        "password": options.text("password"),
        "proxy_to": options.text("proxy_to"),
        "use_https": options.flag("use_https"),
        "session_verify": expand_user(verify, environ) if isinstance(verify, str) else verify is not False,
    }
    principal, proxy = options.text("kerberos_principal"), options.text("data_proxy_target")
    if principal:
        settings["kerb_kwargs"] = {"principal": principal}
    if proxy:
        scheme = "https" if settings["use_https"] else "http"
        settings["data_proxy"] = {f"{scheme}://{settings['host']}:{settings['port']}/webhdfs/v1": proxy}
    for left, right in (("token", "user"), ("token", "proxy_to"), ("kerberos", "user")):
        if settings[left] and settings[right]:
            raise options.bad(left, "", f"possible together with {right}")
    options.finish()
    return FsspecStore(
        lambda: fsspec.filesystem("webhdfs", skip_instance_cache=True, **settings),
        unquote(where.path),
        url=redact_url(url),
        jobs=jobs,
    )
