"""What a locked hash contains: from the SHA-256 of a wheel to the digest of its normalized RECORD.

Installers do not keep the hash of the wheel that they unpacked, so that nothing leads from a lock to the
files of an environment. A wheel's own RECORD does: it is read once from a wheel whose hash was computed,
or from what the caches of uv and pip hold, and remembered. Where no wheel is found, nothing is said.

Formats: the wheel specification; pip's cache of answers (``http-v2``, bodies named by the SHA-224 of their
URL); uv's cache (``wheels-v*/.../VERSION-TAGS.http`` or ``.rev``, which name a SHA-256 and a folder in
``archive-v0``). The last two are private to their programs: what is not understood is passed over.
"""

import glob
import hashlib
import json
import os
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from fourfold.base.errors import FourfoldError
from fourfold.base.fs.atomic import write_atomic
from fourfold.formats.locks.model import Archive, Package
from fourfold.runs.environment.distributions import Distribution
from fourfold.runs.environment.records import record_digest

if TYPE_CHECKING:
    from fourfold.runs.place import Place

#: ``proven``: the files are those of a locked wheel. ``other``: of a wheel that is not locked. ``unknown``.
Proof = Literal["proven", "other", "unknown"]

_VERSION = 1
_FILE = ("runs", "facts", "wheels.json")
#: No RECORD in a wheel is larger, and no more bodies of pip's cache are looked at.
_MOST_RECORD, _MOST_BODIES = 64 * 1024 * 1024, 5000
_MOST_KEPT = 20_000
_CHUNK = 1024 * 1024
_UV_HASH = re.compile(rb"Sha256\xd9@([0-9a-f]{64})")
_UV_ARCHIVE = re.compile(rb"\xb0([A-Za-z0-9_-]{16})")


class Wheel(NamedTuple):
    """A wheel that was read.

    Attributes:
        hash: ``sha256:<hex>`` of its bytes.
        record: Digest of its normalized RECORD.
    """

    hash: str
    record: str


class Oracle:
    """Knows what wheels contain.

    Args:
        place: Where it remembers.
        keep: Whether what it learns is written there.
        wheels: Wheels and folders of wheels that the caller names.
        search: Whether caches of installers are looked through.
    """

    def __init__(
        self, place: "Place", *, keep: bool, wheels: Sequence[str] = (), search: bool = True
    ) -> None:
        self._place = place
        self._keep = keep
        self._search = search
        self._file = os.path.join(place.own, *_FILE)
        self._known: dict[str, str] = _held(self._file) if keep else {}
        self._learned = False
        self._bodies: dict[str, list[str]] | None = None
        for path in _wheels_of(wheels):
            self._learn(path)

    def ask(self, one: Distribution, packages: Sequence[Package], folder: str) -> Proof:
        """Whether what is installed is one of these locked packages.

        Args:
            one: What is installed.
            packages: What the lock has of its name and version.
            folder: The folder of the lock, which paths in it are relative to.
        """
        archives = [archive for package in packages for archive in package.archives]
        hashes = {value for archive in archives for value in archive.hashes if value.startswith("sha256:")}
        if one.record is None or not hashes:
            return "unknown"
        if self._holds(one, hashes):
            return "proven"
        for archive in archives:
            self._seek(archive, folder)
        if self._search and not self._holds(one, hashes):
            self._search_caches(one, hashes)
        if self._holds(one, hashes):
            return "proven"
        archived = _archive_hash(one)
        if archived:
            return "proven" if archived in hashes else "other"
        return "other" if self._excluded(one, archives) else "unknown"

    def locked_hash(self, one: Distribution) -> str:
        """The hash of a wheel with exactly these files, among those that are known; "" for none."""
        found = sorted(value for value, record in self._known.items() if record == one.record)
        return found[0] if found and one.record else _archive_hash(one)

    def look_for(self, one: Distribution) -> None:
        """Search the caches of installers for a wheel of this distribution."""
        if self._search and one.record and one.record not in self._known.values():
            self._search_caches(one, None)

    def save(self) -> None:
        """Write what was learned; a file system that refuses loses nothing but time."""
        if not (self._keep and self._learned):
            return
        with suppress(OSError, FourfoldError):
            self._place.make(*_FILE[:-1])
            kept = dict(list(self._known.items())[-_MOST_KEPT:])
            document = {"version": _VERSION, "wheels": kept}
            write_atomic(self._file, json.dumps(document, sort_keys=True).encode(), durable=False)

    def _holds(self, one: Distribution, hashes: Iterable[str]) -> bool:
        return any(self._known.get(value) == one.record for value in hashes)

    def _excluded(self, one: Distribution, archives: Sequence[Archive]) -> bool:
        """Whether every wheel that the lock names for this version is known, and is another one."""
        wheels = [archive for archive in archives if archive.name.endswith(".whl")]
        built = [archive for archive in archives if not archive.name.endswith(".whl")]
        tags = _tags(one)
        mine = [archive for archive in wheels if tags and archive.name[:-4].endswith(tuple(tags))]
        decisive = mine or ([] if built else wheels)
        return bool(decisive) and all(
            any(value in self._known for value in archive.hashes) for archive in decisive
        )

    def _seek(self, archive: Archive, folder: str) -> None:
        """Read an archive of the lock where it is at hand."""
        if not archive.name.endswith(".whl") or any(value in self._known for value in archive.hashes):
            return
        if archive.url.startswith("file://"):
            self._learn(archive.url.removeprefix("file://"))
        elif archive.url and "://" not in archive.url:
            self._learn(os.path.normpath(os.path.join(folder, archive.url)))
        elif archive.url and self._search:
            self._learn(_pip_body(archive.url, self._place.environ))

    def _search_caches(self, one: Distribution, hashes: set[str] | None) -> None:
        for hash_, record in _of_uv(one, self._place.environ):
            self._note(hash_, record)
        if hashes is not None and self._holds(one, hashes):
            return
        if self._bodies is None:
            self._bodies = _pip_bodies(self._place.environ)
        for path in self._bodies.get(_stem(one.name, one.version), []):
            self._learn(path)

    def _learn(self, path: str) -> None:
        wheel = read_wheel(path)
        if wheel is not None:
            self._note(wheel.hash, wheel.record)

    def _note(self, hash_: str, record: str) -> None:
        if self._known.get(hash_) != record:
            self._known[hash_] = record
            self._learned = True


def read_wheel(path: str) -> Wheel | None:
    """Hash a wheel and read its RECORD; None when it cannot be read or is none."""
    try:
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            with zipfile.ZipFile(file) as archive:
                name = _record_name(archive.namelist())
                if not name or archive.getinfo(name).file_size > _MOST_RECORD:
                    return None
                text = archive.read(name).decode("utf-8", "surrogateescape")
    except (OSError, ValueError, RuntimeError, NotImplementedError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
    return Wheel(f"sha256:{digest}", record_digest(text))


def _record_name(names: Sequence[str]) -> str:
    return next((name for name in names if name.endswith(".dist-info/RECORD") and name.count("/") == 1), "")


def _held(file: str) -> dict[str, str]:
    with suppress(OSError, ValueError, RecursionError), open(file, "rb") as source:
        document = json.loads(source.read(_MOST_RECORD))
        held = document["wheels"] if document.get("version") == _VERSION else {}
        return {str(key): str(value) for key, value in dict(held).items()}
    return {}


def _wheels_of(paths: Iterable[str]) -> Iterator[str]:
    for path in paths:
        if os.path.isdir(path):
            yield from sorted(glob.glob(os.path.join(glob.escape(path), "*.whl")))
        else:
            yield path


def _direct_url(one: Distribution) -> Mapping[str, Any]:
    with suppress(OSError, ValueError, RecursionError):
        with open(os.path.join(one.folder, "direct_url.json"), "rb") as file:
            value = json.loads(file.read(65536))
        if isinstance(value, dict):
            return value
    return {}


def _archive_hash(one: Distribution) -> str:
    """The hash that the installer kept of an archive that was named by its address; "" for none."""
    if one.direct != "archive":
        return ""
    info = _direct_url(one).get("archive_info")
    if not isinstance(info, Mapping):
        return ""
    hashes = info.get("hashes")
    value = hashes.get("sha256") if isinstance(hashes, Mapping) else None
    if value is None and isinstance(info.get("hash"), str):
        value = info["hash"].removeprefix("sha256=")
    return f"sha256:{value}" if isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) else ""


def _tags(one: Distribution) -> list[str]:
    """The ends of the names of wheels that this distribution may come from: ``-py3-none-any``."""
    try:
        with open(os.path.join(one.folder, "WHEEL"), encoding="utf-8", errors="replace") as file:
            lines = file.read(65536).splitlines()
    except OSError:
        return []
    tags = [line.removeprefix("Tag:").strip() for line in lines if line.startswith("Tag:")]
    together = _compressed(tags)
    return [f"-{tag}" for tag in (*tags, *together)]


def _compressed(tags: Sequence[str]) -> list[str]:
    """Tags as the name of a wheel has them together: ``py2.py3-none-any``."""
    parts = [tag.split("-") for tag in tags if tag.count("-") == 2]
    if len(parts) < 2:
        return []
    columns = [list(dict.fromkeys(part[index] for part in parts)) for index in range(3)]
    return ["-".join(".".join(column) for column in columns)]


def _stem(name: str, version: str) -> str:
    return f"{re.sub(r'[-_.]+', '_', name).lower()}-{version}"


def _pip_cache(environ: Mapping[str, str]) -> str:
    base = environ.get("XDG_CACHE_HOME") or os.path.join(environ.get("HOME", "/nonexistent"), ".cache")
    return os.path.join(environ.get("PIP_CACHE_DIR") or os.path.join(base, "pip"), "http-v2")


def _pip_body(url: str, environ: Mapping[str, str]) -> str:
    """Where pip's cache keeps the answer of a URL."""
    name = hashlib.sha224(url.encode()).hexdigest()
    return os.path.join(_pip_cache(environ), *name[:5], f"{name}.body")


def _pip_bodies(environ: Mapping[str, str]) -> dict[str, list[str]]:
    """Wheels in pip's cache, by name and version."""
    found: dict[str, list[str]] = {}
    pattern = os.path.join(glob.escape(_pip_cache(environ)), *["?"] * 5, "*.body")
    for path in sorted(glob.iglob(pattern))[:_MOST_BODIES]:
        try:
            with open(path, "rb") as file:
                if file.read(2) != b"PK":
                    continue
                with zipfile.ZipFile(file) as archive:
                    name = _record_name(archive.namelist())
        except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile):
            continue
        label, _mark, version = name.partition(".dist-info/")[0].rpartition("-")
        if label:
            found.setdefault(_stem(label, version), []).append(path)
    return found


def _of_uv(one: Distribution, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """What uv's cache has of one distribution: hashes of wheels, and digests of their RECORDs."""
    base = environ.get("XDG_CACHE_HOME") or os.path.join(environ.get("HOME", "/nonexistent"), ".cache")
    cache = environ.get("UV_CACHE_DIR") or os.path.join(base, "uv")
    name = glob.escape(one.name)
    for depth in ("*", "*/*"):
        pattern = os.path.join(glob.escape(cache), "wheels-v*", depth, name, f"{glob.escape(one.version)}-*")
        for path in sorted(glob.iglob(pattern)):
            if not path.endswith((".http", ".rev")):
                continue
            with suppress(OSError):
                with open(path, "rb") as file:
                    head = file.read(65536)
                hash_, archive = _UV_HASH.search(head), _UV_ARCHIVE.search(head)
                if hash_ is None or archive is None:
                    continue
                text = _uv_record(cache, archive[1].decode())
                if text is not None:
                    yield f"sha256:{hash_[1].decode()}", record_digest(text)


def _uv_record(cache: str, archive: str) -> str | None:
    pattern = os.path.join(glob.escape(cache), "archive-v*", glob.escape(archive), "*.dist-info", "RECORD")
    for path in glob.iglob(pattern):
        with suppress(OSError), open(path, "rb") as file:
            return file.read(_MOST_RECORD).decode("utf-8", "surrogateescape")
    return None
