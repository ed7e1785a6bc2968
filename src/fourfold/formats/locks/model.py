"""What every lock file says, in one form; and how a document that says it wrongly is refused.

The parsers beside this module make these values. Which packages count for one interpreter, and whether they
are what is installed, is the business of `fourfold.runs.lockcheck`.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from fourfold.base.errors import InvalidFileError

#: No lock file is larger, in bytes; the largest real ones are a few MB.
MAX_BYTES = 64 * 1024 * 1024
#: No lock file names more packages.
MAX_PACKAGES = 50_000

#: ``lock``: versions are fixed. ``declared``: it says what somebody wants, not what is installed.
LockGrade = Literal["lock", "declared"]
#: Where the bytes of a package come from.
SourceKind = Literal["index", "url", "vcs", "path", "editable", "virtual"]
Ecosystem = Literal["pypi", "conda"]

_HASH = re.compile(r"(md5|sha1|sha224|sha256|sha384|sha512|blake2b)[:=-]([0-9a-fA-F]{32,128})", re.ASCII)
_SEPARATORS = re.compile(r"[-_.]+")
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?", re.ASCII)
#: Names of conda packages may begin with an underscore.
_CONDA_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*", re.ASCII)


class BadLockFileError(InvalidFileError):
    """A lock file of an environment cannot be understood."""

    code = "bad-lock-file"
    default_hint = "let the tool that wrote it write it again"


class Archive(NamedTuple):
    """One file that a package may be installed from.

    Attributes:
        name: Its file name (``six-1.17.0-py2.py3-none-any.whl``); "" where the lock names hashes only.
        hashes: As ``sha256:<hex>``, sorted.
        url: Where it is; "" when not said. Without user and password.
    """

    name: str
    hashes: tuple[str, ...] = ()
    url: str = ""


class Edge(NamedTuple):
    """One package asks for another.

    Attributes:
        name: Normalised name of what is asked for.
        version: The version, where the lock has several; else "".
        marker: When it holds; "" for always.
        extras: Extras of it that are wanted too.
        extra: The extra or group of the asking package under which it asks; "" for always.
    """

    name: str
    version: str = ""
    marker: str = ""
    extras: tuple[str, ...] = ()
    extra: str = ""


class Package(NamedTuple):
    """One version of one package.

    Attributes:
        name: Normalised (PEP 503), of conda as it is.
        version: As written; "" where the lock does not fix it.
        archives: What it may be installed from.
        marker: When it is wanted; "" for always.
        optional: Wanted only when an extra or a group is chosen: its absence is no difference.
        source: Where from.
        url: The source's address or path; "" for the index.
        revision: The commit, of a package from a repository.
        edges: What it asks for, in formats that are graphs.
        ecosystem: ``pypi`` or ``conda``.
        platform: Of conda: ``linux-64``; "" for every one.
        build: Of conda: the build string.
        specifier: What declares it where no version is fixed: ``>=2,<3``.
    """

    name: str
    version: str = ""
    archives: tuple[Archive, ...] = ()
    marker: str = ""
    optional: bool = False
    source: SourceKind = "index"
    url: str = ""
    revision: str = ""
    edges: tuple[Edge, ...] = ()
    ecosystem: Ecosystem = "pypi"
    platform: str = ""
    build: str = ""
    specifier: str = ""

    @property
    def hashes(self) -> frozenset[str]:
        """The hashes of all its archives."""
        return frozenset(value for archive in self.archives for value in archive.hashes)


class Locked(NamedTuple):
    """What a lock file says.

    Attributes:
        kind: The format: ``pylock.toml``, ``uv.lock``, ``requirements``, ``poetry.lock``, ``pdm.lock``,
            ``Pipfile.lock``, ``conda-lock``, ``conda-explicit``, ``pixi.lock``,
            ``environment.yml``, ``pyproject.toml``.
        grade: Whether it fixes versions.
        packages: In the order of the file.
        python: The interpreters that it is for, as a specifier; "" when not said.
        stale: Why it no longer says what its project asks for; "" when that is not known to be so.
        roots: Packages that the graph begins at; None where the format is a list, all of which is wanted.
        groups: Dependency groups that are wanted unless said otherwise.
    """

    kind: str
    grade: LockGrade
    packages: tuple[Package, ...]
    python: str = ""
    stale: str = ""
    roots: tuple[Edge, ...] | None = None
    groups: tuple[str, ...] = ()


def normal_name(name: object, source: str) -> str:
    """A package's name as everybody compares it (PEP 503).

    Raises:
        BadLockFileError: it is no name of a package.
    """
    if isinstance(name, str) and len(name) <= 256 and _NAME.fullmatch(name):
        return _SEPARATORS.sub("-", name).lower()
    raise BadLockFileError(f"{source}: not the name of a package: {str(name)[:80]!r}")


def conda_name(name: object, source: str) -> str:
    """A conda package's name.

    Raises:
        BadLockFileError: it is none.
    """
    if isinstance(name, str) and len(name) <= 256 and _CONDA_NAME.fullmatch(name):
        return name.lower()
    raise BadLockFileError(f"{source}: not the name of a package: {str(name)[:80]!r}")


def hash_text(value: object, source: str) -> str:
    """A hash as ``algorithm:hex``.

    Raises:
        BadLockFileError: it is none that is known.
    """
    found = _HASH.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise BadLockFileError(f"{source}: not a hash: {str(value)[:80]!r}")
    return f"{found[1].lower()}:{found[2].lower()}"


def hashes_of(values: object, source: str) -> tuple[str, ...]:
    """Hashes of a table ``{"sha256": HEX}`` or of a list of ``sha256:HEX``, sorted; none of None.

    Raises:
        BadLockFileError: one is none that is known.
    """
    if values is None:
        return ()
    if isinstance(values, Mapping):
        return tuple(sorted(hash_text(f"{name}:{value}", source) for name, value in values.items()))
    if isinstance(values, str):
        return (hash_text(values, source),)
    if isinstance(values, list | tuple):
        return tuple(sorted({hash_text(value, source) for value in values}))
    raise BadLockFileError(f"{source}: not hashes: {str(values)[:80]!r}")


def clean_url(url: str) -> str:
    """A URL without user, password, query and fragment: what may stand in a record."""
    scheme, mark, rest = url.partition("://")
    if not mark:
        return url.partition("#")[0]
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}".partition("#")[0].partition("?")[0]


def file_name(url: str) -> str:
    """The name of the file that a URL or a path ends in."""
    return url.partition("#")[0].partition("?")[0].rstrip("/").rpartition("/")[2]


def mapping(value: object, what: str, source: str) -> Mapping[str, Any]:
    """A value that must be a mapping; an empty one for None.

    Raises:
        BadLockFileError: it is something else.
    """
    if value is None:
        return {}
    if isinstance(value, Mapping):
        return value
    raise BadLockFileError(f"{source}: {what} is not a table: {str(value)[:80]!r}")


def rows(value: object, what: str, source: str) -> list[Mapping[str, Any]]:
    """A value that must be a list of mappings; an empty one for None.

    Raises:
        BadLockFileError: it is something else, or has more than `MAX_PACKAGES` rows.
    """
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(row, Mapping) for row in value):
        raise BadLockFileError(f"{source}: {what} is not a list of tables")
    if len(value) > MAX_PACKAGES:
        raise BadLockFileError(f"{source}: {what} has more than {MAX_PACKAGES} rows ({len(value)})")
    return value


def text(value: object, what: str, source: str) -> str:
    """A value that must be text; "" for None.

    Raises:
        BadLockFileError: it is something else.
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    raise BadLockFileError(f"{source}: {what} is not text: {str(value)[:80]!r}")


def texts(value: object, what: str, source: str) -> tuple[str, ...]:
    """A value that must be a list of texts; none for None.

    Raises:
        BadLockFileError: it is something else.
    """
    if value is None:
        return ()
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise BadLockFileError(f"{source}: {what} is not a list of texts: {str(value)[:80]!r}")


def files_of(row: Mapping[str, Any], source: str) -> tuple[Archive, ...]:
    """The archives that a row's ``files`` lists, each with ``file`` or ``url``, and ``hash``.

    Raises:
        BadLockFileError: one of them is of another shape.
    """
    archives = []
    for entry in rows(row.get("files"), "files", source):
        url = text(entry.get("url"), "url", source)
        name = text(entry.get("file"), "file", source) or file_name(url)
        archives.append(Archive(name, hashes_of(entry.get("hash"), source), clean_url(url)))
    return tuple(archives)


def source_of(
    row: Mapping[str, Any], keys: Sequence[tuple[str, SourceKind]], source: str
) -> tuple[SourceKind, str]:
    """Where a row that is not from an index says that its package is from, and the URL or path.

    Args:
        row: What the lock file says of the package.
        keys: The keys that name a place, with what a place of that key is; the last one there counts.
        source: How messages call it.

    Raises:
        BadLockFileError: a place is no text.
    """
    kind: SourceKind = "index"
    url = ""
    for key, found in keys:
        if row.get(key):
            kind, url = found, clean_url(text(row[key], key, source))
    return "editable" if row.get("editable") else kind, url
