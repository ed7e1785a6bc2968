"""Remotes over SSH, by SFTP: a folder of another machine.

Objects are written under a temporary name in their folder and renamed over, which SFTP servers do
atomically. One connection, several channels: a channel belongs to one call at a time, for the
protocol's answers come back on it in order.
"""

import errno
import stat
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

import paramiko

from fourfold.base.errors import ExhaustedError, FourfoldError
from fourfold.base.fs.atomic import temp_name
from fourfold.storage.blob import bulk
from fourfold.storage.blob.protocol import (
    BlobDeniedError,
    BlobInfo,
    BlobRefusedError,
    BlobUnavailableError,
    BlobUnknownOutcomeError,
    BucketNotFoundError,
    check_key,
    check_prefix,
    not_found,
    too_large,
    wrong_length,
)
from fourfold.storage.blob.sftp_connect import Address, connect, failure
from fourfold.storage.blob.source import parts, reading
from fourfold.storage.options import Options, asked
from fourfold.storage.redact import redact_url

#: Channels of one connection; servers allow ten by default.
_CHANNELS = 8
_BLOCK = 8 << 20
_MISSING = frozenset({errno.ENOENT, errno.ENOTDIR})


def open_ssh(url: str, options: Options, environ: Mapping[str, str], jobs: int | None) -> "SftpStore":
    """A store for ``ssh://[user@]host[:port]/folder``.

    Raises:
        BadRemoteOptionError: an option means nothing.
        PasswordNeededError: the remote says that a password is to be asked for.
    """
    where = urlsplit(url)
    shown = redact_url(url)
    if options.flag("gss_auth"):
        raise BlobRefusedError(
            f"{shown}: gss_auth is not possible, our SSH library has no GSS-API",
            hint="log in by keyfile or by the agent: ff remote modify --unset <name> gss_auth",
        )
    user = options.text("user") or (unquote(where.username) if where.username else None)
    password = asked(options, "password", shown) or (unquote(where.password) if where.password else None)
    address = Address(
        where.hostname or "",
        options.number("port") or where.port,
        user,
        password,
        asked(options, "passphrase", shown),
        options.text("keyfile"),
        options.seconds("timeout") or Address("").timeout,
        options.flag("allow_agent", default=True),
    )
    channels = options.number("max_sessions") or _CHANNELS
    options.text("type")  # how caches are linked: nothing to do here
    options.finish()
    return SftpStore(
        lambda: connect(address, environ), unquote(where.path) or "/", url=shown, channels=channels, jobs=jobs
    )


class _Channels:
    """A few SFTP channels over one connection, opened as they are needed."""

    def __init__(self, dial: Callable[[], paramiko.SSHClient], limit: int) -> None:
        self._dial = dial
        self._places = threading.BoundedSemaphore(limit)
        self._lock = threading.Lock()
        self._client: paramiko.SSHClient | None = None
        self._idle: list[paramiko.SFTPClient] = []

    @contextmanager
    def one(self) -> Iterator[paramiko.SFTPClient]:
        """A channel for one call; one that failed is not used again."""
        with self._places:
            with self._lock:
                channel = self._idle.pop() if self._idle else None
                client = self._client
            if channel is None:
                channel = self._open(client)
            try:
                yield channel
            except (paramiko.SSHException, EOFError, TimeoutError):
                channel.close()
                with self._lock:
                    self._idle.clear()
                    self._client = None
                raise
            with self._lock:
                self._idle.append(channel)

    def _open(self, client: paramiko.SSHClient | None) -> paramiko.SFTPClient:
        if client is None:
            with self._lock:
                if self._client is None:
                    self._client = self._dial()
                client = self._client
        return client.open_sftp()

    def __del__(self) -> None:
        if self._client is not None:
            self._client.close()


class SftpStore:
    """Objects as files below a folder of another machine.

    Args:
        dial: Gives a connected client.
        root: Absolute path of the folder there.
        url: For messages.
        channels: SFTP channels at once.
        jobs: Requests at once in bulk calls.
    """

    def __init__(
        self,
        dial: Callable[[], paramiko.SSHClient],
        root: str,
        *,
        url: str,
        channels: int = _CHANNELS,
        jobs: int | None = None,
    ) -> None:
        self._channels = _Channels(dial, channels)
        self._root = root.rstrip("/")
        self._url = url
        self._jobs = min(jobs or channels, channels)

    @property
    def url(self) -> str:
        """Where this is, without secrets."""
        return self._url

    @property
    def local_root(self) -> str | None:
        """None."""
        return None

    def head(self, key: str) -> BlobInfo | None:
        """See `BlobStore.head`."""
        path = self._path(key)
        with self._talk(key) as sftp:
            try:
                found = sftp.stat(path)
            except OSError as error:
                if error.errno in _MISSING:
                    return None
                raise
        return _info(key, found) if stat.S_ISREG(found.st_mode or 0) else None

    def get(self, key: str, max_size: int | None = None) -> bytes:
        """See `BlobStore.get`."""
        return b"".join(self._chunks(self._path(key), key, max_size))

    def open(self, key: str) -> Iterator[bytes]:
        """See `BlobStore.open`; holds a channel until it ends or is closed."""
        return self._chunks(self._path(key), key, None)

    def _chunks(self, path: str, key: str, max_size: int | None) -> Iterator[bytes]:
        with self._talk(key) as sftp:
            try:
                source = sftp.open(path, "rb")
            except OSError as error:
                if error.errno in _MISSING or (not error.errno and self._is_folder(sftp, path)):
                    self._prove_root(sftp)
                    raise not_found(key, self._url) from error
                raise
            with source:
                found = source.stat()
                size = found.st_size or 0
                if not stat.S_ISREG(found.st_mode or 0):
                    raise not_found(key, self._url)
                if max_size is not None and size > max_size:
                    raise too_large(key, self._url, max_size)
                seen = 0
                # In blocks whose requests are all on the wire at once: the library's own read-ahead
                # of a whole file holds in memory whatever its reader has not taken yet.
                for start in range(0, size, _BLOCK):
                    for part in source.readv([(start, min(_BLOCK, size - start))]):
                        seen += len(part)
                        yield part
                if source.read(1):
                    seen += 1
            if seen != size:
                raise wrong_length(key, self._url, size, seen)

    def put(self, key: str, data: bytes) -> None:
        """See `BlobStore.put`."""
        self._write(key, lambda target: _write_parts(target, (data,)))

    def put_file(self, key: str, path: str) -> None:
        """See `BlobStore.put_file`."""
        check_key(key)
        with reading(path) as source:
            self._write(key, lambda target: _write_parts(target, parts(source)))

    def _write(self, key: str, fill: Callable[[Any], int]) -> None:
        path = self._path(key)
        folder, _, name = path.rpartition("/")
        temporary = f"{folder}/{temp_name(name)}"
        renaming = False
        try:
            with self._talk(key) as sftp:
                try:
                    target = sftp.open(temporary, "wbx")
                except OSError as error:
                    if error.errno not in _MISSING:
                        raise
                    self._make_folder(sftp, folder)
                    target = sftp.open(temporary, "wbx")
                try:
                    with target:
                        written = fill(target)
                        arrived = target.stat().st_size
                    if arrived != written:
                        raise wrong_length(key, self._url, written, arrived or 0)
                    renaming = True
                    sftp.posix_rename(temporary, path)
                except (OSError, FourfoldError):
                    _discard(sftp, temporary)
                    raise
        except BlobUnavailableError as error:
            if renaming:
                raise BlobUnknownOutcomeError(
                    f"no answer after writing object {key!r} to {self._url}: it may or may not be there",
                    hint="run the same command again",
                ) from error
            raise

    def list(self, prefix: str = "") -> Iterator[Sequence[BlobInfo]]:
        """See `BlobStore.list`; a page a folder, temporary names left out."""
        start = check_prefix(prefix).removesuffix("/")
        pending = [start]
        while pending:
            base = pending.pop()
            with self._talk(base) as sftp:
                try:
                    entries = sftp.listdir_attr(f"{self._root}/{base}" if base else self._root or "/")
                except OSError as error:
                    if error.errno in _MISSING:
                        continue
                    raise
            page = []
            for entry in entries:
                key = f"{base}/{entry.filename}" if base else entry.filename
                if stat.S_ISDIR(entry.st_mode or 0):
                    pending.append(key)
                elif stat.S_ISREG(entry.st_mode or 0) and not _is_temporary(entry.filename):
                    page.append(_info(key, entry))
            if page:
                yield page

    def delete(self, keys: Iterable[str]) -> None:
        """See `BlobStore.delete`."""
        for key in keys:
            path = self._path(key)
            with self._talk(key) as sftp:
                try:
                    sftp.remove(path)
                except OSError as error:
                    if error.errno not in _MISSING:
                        raise

    def get_many(
        self, keys: Iterable[str], max_size: int | None = None
    ) -> Iterator[tuple[str, bytes | FourfoldError]]:
        """See `BlobStore.get_many`."""
        return bulk.get_many(lambda key: self.get(key, max_size), keys, jobs=self._jobs)

    def put_many(self, items: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, FourfoldError | None]]:
        """See `BlobStore.put_many`."""
        return bulk.put_many(self.put, items, jobs=self._jobs)

    def _path(self, key: str) -> str:
        return f"{self._root}/{check_key(key)}"

    @contextmanager
    def _talk(self, key: str) -> Iterator[paramiko.SFTPClient]:
        """A channel, whose failures come out typed."""
        try:
            with self._channels.one() as sftp:
                yield sftp
        except PermissionError as error:
            raise BlobDeniedError(
                f"access denied to object {key!r} on {self._url}",
                hint="check the rights of that user on the folder",
            ) from error
        except (paramiko.SSHException, EOFError, OSError) as error:
            if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise ExhaustedError(
                    f"{self._url} is full", hint="free some space there, then run again"
                ) from error
            raise failure(error, self._url) or error from error

    def _make_folder(self, sftp: paramiko.SFTPClient, folder: str) -> None:
        missing = []
        while folder and not self._is_folder(sftp, folder):
            missing.append(folder)
            folder = folder.rpartition("/")[0]
        for path in reversed(missing):
            try:
                sftp.mkdir(path)
            except OSError:
                if not self._is_folder(sftp, path):  # another writer may have been first
                    raise

    @staticmethod
    def _is_folder(sftp: paramiko.SFTPClient, path: str) -> bool:
        try:
            return stat.S_ISDIR(sftp.stat(path).st_mode or 0)
        except OSError as error:
            if error.errno in _MISSING:
                return False
            raise

    def _prove_root(self, sftp: paramiko.SFTPClient) -> None:
        if self._root and not self._is_folder(sftp, self._root):
            raise BucketNotFoundError(
                f"the folder of the remote does not exist: {self._url}", hint="check the url: ff remote list"
            )


def _write_parts(target: Any, parts: Iterable[bytes]) -> int:
    target.set_pipelined(True)
    written = 0
    for part in parts:
        target.write(part)
        written += len(part)
    target.flush()
    return written


def _discard(sftp: paramiko.SFTPClient, path: str) -> None:
    """Remove a temporary file; that it stays is no further failure."""
    try:
        sftp.remove(path)
    except (OSError, EOFError, paramiko.SSHException):
        return


def _is_temporary(name: str) -> bool:
    return name.startswith(".") and name.endswith(".tmp")


def _info(key: str, found: paramiko.SFTPAttributes) -> BlobInfo:
    modified = None if found.st_mtime is None else int(found.st_mtime) * 10**9
    return BlobInfo(key, found.st_size or 0, None, None, modified)
