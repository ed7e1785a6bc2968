"""URLs as places that data comes from: what one names, and what a dependency records of it.

A path of this machine, an object or a folder of a store, or one below a configured remote (``remote://``).
What DVC records of each kind differs: an MD5 where it reads the content, an entity tag where a cloud has
one, what the server said of a file over HTTP; with versions, one entry a file. Facts: DVC 3.67.1.
"""

import base64
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from fourfold.base.errors import NotFoundError, UnsupportedError
from fourfold.base.ids import Oid, safe_relpaths
from fourfold.base.pool import chunks, map_batches
from fourfold.content.build import identify
from fourfold.content.hashing import digest_bytes
from fourfold.content.statindex import StatIndex
from fourfold.formats.dvc.pointer import Dependency
from fourfold.project.config import Config, RemoteConfig
from fourfold.project.config_schema import Origin
from fourfold.project.vetting import vet_remote_of
from fourfold.storage.blob.protocol import BlobInfo, BlobNotFoundError, NoListingError
from fourfold.storage.redact import redact_url

if TYPE_CHECKING:
    from fourfold.base.clock import Clock
    from fourfold.content.tree import Tree
    from fourfold.project.project import Project
    from fourfold.storage.blob.http import HttpStore
    from fourfold.storage.blob.protocol import BlobStore

#: Schemes whose files DVC knows by the entity tag.
_BY_ETAG = frozenset({"s3", "s3a", "gs", "gcs", "azure", "oss", "webdav", "webdavs"})
_HTTP = frozenset({"http", "https"})
#: Options that say how data is recorded, not how to reach it.
_RECORDING = frozenset({"version_aware", "worktree"})
_BATCH = 32


class SourceMissingError(NotFoundError):
    """What was to be brought does not exist."""

    code = "source-missing"


class NoVersionsError(UnsupportedError):
    """Versions were asked for of a place that keeps none."""

    code = "no-versions"


class Place(NamedTuple):
    """Where data is.

    Attributes:
        name: Its last part, by which it is called here.
        path: Absolute path on this machine; None for a URL.
        store: What the URL is in; None for a path.
        key: The object, or the folder, in the store.
        scheme: Of the URL; empty for a path.
        url: As it was named, without secrets, for messages.
        raw_url: The complete URL of the store's folder.
        raw: The store itself, which is asked once, where ``store`` asks again.
    """

    name: str
    path: str | None = None
    store: "BlobStore | None" = None
    key: str = ""
    scheme: str = ""
    url: str = ""
    raw_url: str = ""
    raw: "BlobStore | None" = None


def locate(
    project: "Project",
    url: str,
    *,
    jobs: int | None = None,
    options: Mapping[str, Any] | None = None,
    base: str | None = None,
    committed: str = "",
) -> Place:
    """Find out what a path or URL names, for a project; see `locate_by`."""
    return locate_by(
        url,
        project.config,
        environ=project.environ,
        clock=project.clock,
        base=base or project.cwd,
        jobs=jobs,
        options=options,
        project=project,
        committed=committed,
    )


def locate_by(
    url: str,
    config: Config,
    *,
    environ: Mapping[str, str],
    clock: "Clock",
    base: str,
    jobs: int | None = None,
    options: Mapping[str, Any] | None = None,
    project: "Project | None" = None,
    committed: str = "",
) -> Place:
    """Find out what a path or URL names; nothing is read yet.

    Args:
        url: A path, a URL, or ``remote://name/path``.
        config: Where remotes are configured.
        environ: The environment, for credentials.
        clock: For waiting between tries.
        base: The absolute folder against which a path is meant.
        jobs: Requests at once.
        options: Options of the URL's kind of remote (``--fs-config``).
        project: Whose configuration it is; None for the user's own.
        committed: The pointer file that says so, when it is not the user: its options get no more trust
            than a committed configuration.

    Raises:
        SourceMissingError: a path does not exist.
        ConfigError: the URL cannot be understood, or names a remote that is not configured.
        UnsafeError: a committed configuration names a place that it may not.
    """
    from fourfold.storage.schemes import (  # noqa: PLC0415 - only verbs that transfer
        check_url,
        is_local,
        local_path,
        open_store,
        scheme_of,
    )
    from fourfold.storage.wrap.retry import Retry  # noqa: PLC0415 - only verbs that transfer pay for it

    given = {key: _text(value) for key, value in (options or {}).items() if key not in _RECORDING}
    origins = dict.fromkeys(given, Origin("project", committed)) if committed else {}
    shown = redact_url(url)
    if url.startswith("remote://"):
        name, _, key = url.removeprefix("remote://").partition("/")
        remote = config.remote(name)
        key = key.strip("/")
        if is_local(remote.url):
            return _local(os.path.join(local_path(remote.url), *key.split("/")), shown)
        rest = {one: two for one, two in remote.options.items() if one not in _RECORDING}
        remote = remote._replace(options={**rest, **given}, origins={**remote.origins, **origins})
        if project is not None:
            remote, _ignored = vet_remote_of(project, remote, "read")
        opened = open_store(remote.url, remote.options, environ=environ, jobs=jobs or remote.jobs)
        own = key.rpartition("/")[2] or name
        where, scheme = remote.url.rstrip("/"), scheme_of(remote.url)
        return Place(own, None, Retry(opened, clock=clock), key, scheme, shown, where, opened)
    if is_local(url):
        return _local(os.path.normpath(os.path.join(base, local_path(url))), shown)
    check_url(url)
    address, _, query = url.partition("?") if scheme_of(url) in _HTTP else (url, "", "")
    folder, _, name = address.rstrip("/").rpartition("/")
    is_top = folder.endswith(("/", ":"))  # the bucket or the host itself
    where = address if is_top else folder
    if origins and project is not None:
        meant = RemoteConfig(committed, where, given, origins)
        given = dict(vet_remote_of(project, meant, "read")[0].options)
    opened = open_store(f"{where}?{query}" if query else where, given, environ=environ, jobs=jobs)
    key = "" if is_top else name
    return Place(name, None, Retry(opened, clock=clock), key, scheme_of(url), shown, where, opened)


def _local(path: str, shown: str) -> Place:
    if not os.path.lexists(path):
        raise SourceMissingError(f"'{shown}' does not exist")
    return Place(os.path.basename(path), path, url=shown)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


# --- what is there ----------------------------------------------------------------------------------------


def contents(place: Place) -> tuple[list[BlobInfo], bool]:
    """The objects that a URL names, and whether it is a folder of them.

    Raises:
        SourceMissingError: there is neither an object nor a folder.
        FourfoldError: the store cannot be asked.
    """
    store = place.store
    if store is None:
        raise SourceMissingError(f"'{place.url}' is no URL")
    found = store.head(place.key) if place.key else None
    if found is not None:
        return [found], False
    prefix = f"{place.key}/" if place.key else ""
    try:
        infos = [info for page in store.list(prefix) for info in page if not info.key.endswith("/")]
    except NoListingError:
        infos = []
    if not infos:
        raise SourceMissingError(f"'{place.url}' does not exist")
    safe_relpaths([info.key[len(prefix) :] for info in infos], place.url)
    return sorted(infos, key=lambda info: info.key), True


def state_of(
    dep: Dependency, place: Place, index: StatIndex, *, content: "Content | None" = None
) -> Dependency:
    """A dependency as it is to be recorded now.

    Args:
        dep: Its path and settings; what it says of content is replaced.
        place: What the path names.
        index: Knows the MD5s of files of this machine.
        content: What the bytes are, where they were read already.

    Raises:
        SourceMissingError: there is nothing.
        NoVersionsError: versions are to be recorded, and the place has none.
        FourfoldError: the place cannot be asked.
    """
    bare = dep._replace(
        oid=None, size=None, nfiles=None, isexec=False, etag=None, checksum=None, version_id=None, files=None
    )
    if place.path is not None:
        return _of_path(bare, place.path, place.url, index)
    infos, is_dir = contents(place)
    if is_version_aware(dep):
        return _of_versions(bare, place, infos, is_dir=is_dir)
    sizes = sum(max(info.size, 0) for info in infos)
    if place.scheme in _HTTP:
        return bare._replace(checksum=_http_checksum(place), size=sizes if infos[0].size >= 0 else None)
    if place.scheme in _BY_ETAG and all(info.etag for info in infos):
        if not is_dir:
            (info,) = infos  # a bucket that keeps versions tells that of a single object unasked
            return bare._replace(etag=tag_of(place.scheme, info), size=info.size, version_id=info.version)
        cut = len(place.key) + 1 if place.key else 0
        rows = [{"etag": tag_of(place.scheme, info), "relpath": info.key[cut:]} for info in infos]
        digest = hashlib.md5(json.dumps(rows, sort_keys=True).encode(), usedforsecurity=False).hexdigest()
        return bare._replace(oid=Oid(f"{digest}.dir"), size=sizes, nfiles=len(infos))
    found = content or read_content(place, infos, is_dir=is_dir)
    return bare._replace(oid=found.oid, size=found.size, nfiles=found.nfiles)


def content_of(dep: Dependency) -> tuple[object, ...]:
    """What tells one content of a URL from another."""
    return dep.oid, dep.etag, dep.checksum, dep.version_id, dep.files and [dict(row) for row in dep.files]


class Content(NamedTuple):
    """What bytes are: the object or tree that they make, their number, and files in a folder."""

    oid: Oid
    size: int
    nfiles: int | None


def read_content(place: Place, infos: Sequence[BlobInfo], *, is_dir: bool) -> Content:
    """Read objects to learn what they are; nothing is kept."""
    from fourfold.content.bring import bring_blobs  # noqa: PLC0415 - places without tags are rare

    del infos, is_dir
    if place.store is None:
        raise SourceMissingError(f"'{place.url}' is no URL")
    found = bring_blobs(place.store, place.key, _Nowhere())
    return Content(found.oid, found.size, found.nfiles)


class _Nowhere:
    """A destination that only hashes."""

    def take(self, data: bytes) -> bytes:
        return digest_bytes(data)[0]

    def stream(self, chunks: Any) -> tuple[bytes, int]:
        digest = hashlib.md5(usedforsecurity=False)
        size = 0
        for part in chunks:
            digest.update(part)
            size += len(part)
        return digest.digest(), size

    def manifest(self, tree: "Tree") -> None:
        del tree


def is_version_aware(dep: Dependency) -> bool:
    """Whether a dependency names versions of objects."""
    return bool((dep.fs_config or {}).get("version_aware"))


def _of_path(dep: Dependency, path: str, shown: str, index: StatIndex) -> Dependency:
    try:
        built = identify(path, index)
    except FileNotFoundError as error:
        raise SourceMissingError(f"'{shown}' does not exist") from error
    nfiles = built.nfiles if built.is_directory else None
    return dep._replace(oid=built.oid, size=built.size, nfiles=nfiles, isexec=built.isexec)


def tag_of(scheme: str, info: BlobInfo) -> str:
    """An entity tag as DVC writes it for that kind of store."""
    tag = info.etag or ""
    if scheme == "azure":
        return f'"{tag}"'
    if scheme in {"gs", "gcs"}:
        try:
            return base64.b64decode(tag, validate=True).hex()
        except ValueError:
            return tag
    return tag


def heads_of(place: Place, infos: Sequence[BlobInfo]) -> list[BlobInfo]:
    """Listed objects with their versions, where the store keeps any: each is asked for, side by side.

    Raises:
        NoVersionsError: the place is no store.
        BlobNotFoundError: one went away meanwhile.
        FourfoldError: the store cannot be asked.
    """
    store = place.store
    if store is None:
        raise NoVersionsError(f"'{place.url}' keeps no versions")

    def ask(rows: range) -> list[BlobInfo | None]:
        return [store.head(infos[at].key) for at in rows]

    known = [info for rows in map_batches(ask, chunks(len(infos), _BATCH)) for info in rows]
    if any(info is None for info in known):
        raise BlobNotFoundError(f"objects of {place.url} went away while they were listed")
    return [info for info in known if info is not None]


def _of_versions(dep: Dependency, place: Place, infos: Sequence[BlobInfo], *, is_dir: bool) -> Dependency:
    heads = heads_of(place, infos)
    if not all(info.version for info in heads):
        raise NoVersionsError(
            f"'{place.url}' keeps no versions", hint="turn on versioning there, or leave out --version-aware"
        )
    if not is_dir:
        (head,) = heads
        return dep._replace(etag=tag_of(place.scheme, head), size=head.size, version_id=head.version)
    cut = len(place.key) + 1 if place.key else 0
    files = [
        {
            "relpath": head.key[cut:],
            "etag": tag_of(place.scheme, head),
            "size": head.size,
            "version_id": head.version,
        }
        for head in heads
    ]
    return dep._replace(files=files)


def _http_checksum(place: Place) -> str:
    """What DVC records of a file over HTTP: its tag as sent, else a number made of what the server says."""
    headers = cast("HttpStore", place.raw).headers(place.key)
    for name in ("ETag", "Content-MD5"):
        if headers.get(name.lower()):
            return headers[name.lower()]
    url = f"{place.raw_url.rstrip('/')}/{place.key}" if place.key else place.raw_url
    info: dict[str, Any] = {"name": url, "size": None}
    length = headers.get("content-length")
    if length is not None and headers.get("content-encoding", "identity") in {"identity", ""}:
        info["size"] = int(length)
    if headers.get("content-type"):
        info["mimetype"] = headers["content-type"].partition(";")[0]
    if headers.get("accept-ranges") == "none":
        info["partial"] = False
    info["url"] = url
    for name in ("Digest", "Last-Modified"):
        if headers.get(name.lower()):
            info[name] = headers[name.lower()]
    info["type"] = "file"
    digest = hashlib.md5(str((info,)).encode(), usedforsecurity=False).hexdigest()
    return str(int(digest, 16))
