"""Locks of conda: ``conda-lock.yml``, explicit lists (``@EXPLICIT``) and ``pixi.lock``.

Packages of conda have names of their own (``pytorch`` is the distribution ``torch``); they are compared with
what conda says is installed. Those that a lock gets by pip are packages like any others.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from fourfold.formats.locks import model
from fourfold.formats.locks.documents import decode, read_yaml
from fourfold.formats.locks.model import Archive, BadLockFileError, Locked, Package

CONDA_LOCK, EXPLICIT, PIXI = "conda-lock", "conda-explicit", "pixi.lock"
_FILE = re.compile(r"(?P<name>.+)-(?P<version>[^-]+)-(?P<build>[^-]+?)(?:\.conda|\.tar\.bz2)$")
#: Versions of pixi's format that are understood.
_PIXI = range(3, 8)


def parse_conda_lock(data: bytes, source: str = "conda-lock.yml") -> Locked:
    """Read what conda-lock writes: a flat list for all platforms.

    Raises:
        BadLockFileError: it cannot be understood, or is of another version.
    """
    document = read_yaml(data, source)
    if str(document.get("version")) not in {"1", "2"}:
        raise BadLockFileError(f"{source} has version {str(document.get('version'))[:20]!r}, not 1")
    rows = model.rows(document.get("package"), "package", source)
    return Locked(CONDA_LOCK, "lock", tuple(_locked(row, source) for row in rows))


def _locked(row: Mapping[str, Any], source: str) -> Package:
    pip = row.get("manager") == "pip"
    name = (model.normal_name if pip else model.conda_name)(row.get("name"), source)
    where = f"{source}: {name}"
    url = model.text(row.get("url"), "url", where)
    category = row.get("category", "main")
    return Package(
        name,
        _version(row.get("version"), where),
        (Archive(model.file_name(url), model.hashes_of(row.get("hash"), where), model.clean_url(url)),),
        optional=bool(row.get("optional")) or category != "main",
        ecosystem="pypi" if pip else "conda",
        platform=model.text(row.get("platform"), "platform", where),
        build="" if pip else _build(url),
    )


def _version(value: object, where: str) -> str:
    """A version, which YAML may have taken for a number."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return model.text(value, "version", where)


def _build(url: str) -> str:
    found = _FILE.fullmatch(model.file_name(url))
    return found["build"] if found else ""


def parse_explicit(data: bytes, source: str = "conda-linux-64.lock") -> Locked:
    """Read an explicit list: URLs of packages, each with a digest after ``#``.

    Raises:
        BadLockFileError: a line is neither.
    """
    packages = []
    platform = ""
    explicit = False
    for number, line in enumerate(decode(data, source).split("\n"), 1):
        text, where = line.strip(), f"{source}:{number}"
        if text.startswith("# platform:"):
            platform = text.partition(":")[2].strip()
        elif text == "@EXPLICIT":
            explicit = True
        elif text and not text.startswith("#"):
            packages.append(_explicit(text, platform, where))
            if len(packages) > model.MAX_PACKAGES:
                raise BadLockFileError(f"{source} names more than {model.MAX_PACKAGES} packages")
    if not explicit:
        raise BadLockFileError(f"{source} has no line @EXPLICIT")
    return Locked(EXPLICIT, "lock", tuple(packages))


def _explicit(text: str, platform: str, where: str) -> Package:
    url, _mark, digest = text.partition("#")
    hashes: tuple[str, ...] = ()
    if digest:
        hashes = (model.hash_text(digest if ":" in digest else f"md5:{digest}", where),)
    return _of_url(url, hashes, where, platform)


def _of_url(
    url: str, hashes: tuple[str, ...], where: str, platform: str = "", *, optional: bool = False
) -> Package:
    """A conda package by its address: ``.../linux-64/NAME-VERSION-BUILD.conda``."""
    file = model.file_name(url)
    found = _FILE.fullmatch(file)
    if found is None:
        raise BadLockFileError(f"{where}: not the address of a conda package: {model.clean_url(url)[:120]!r}")
    subdir = model.clean_url(url).rstrip("/").rpartition("/")[0].rpartition("/")[2]
    return Package(
        model.conda_name(found["name"], where),
        found["version"],
        (Archive(file, hashes, model.clean_url(url)),),
        ecosystem="conda",
        platform=platform or ("" if subdir == "noarch" else subdir),
        build=found["build"],
        optional=optional,
    )


def parse_pixi(data: bytes, source: str = PIXI) -> Locked:
    """Read ``pixi.lock``: environments that name packages, by platform.

    Packages that only environments other than ``default`` name are optional.

    Raises:
        BadLockFileError: it cannot be understood, or is of another version.
    """
    document = read_yaml(data, source)
    version = document.get("version")
    if not isinstance(version, int) or version not in _PIXI:
        raise BadLockFileError(
            f"{source} has version {str(version)[:20]!r}, not {_PIXI[0]} to {_PIXI[-1]}",
            hint="upgrade Fourfold",
        )
    known = {_key(row): row for row in model.rows(document.get("packages"), "packages", source)}
    found: dict[tuple[str, str], Package] = {}
    for environment, table in model.mapping(document.get("environments"), "environments", source).items():
        listed = model.mapping(
            model.mapping(table, "environment", source).get("packages"), "packages", source
        )
        for platform, rows in listed.items():
            for package in _of_pixi(rows, known, str(platform), source, optional=environment != "default"):
                key = (package.name, f"{package.version} {package.ecosystem} {platform}")
                if key not in found or found[key].optional:
                    found[key] = package
                if len(found) > model.MAX_PACKAGES:
                    raise BadLockFileError(f"{source} names more than {model.MAX_PACKAGES} packages")
    return Locked(PIXI, "lock", tuple(found.values()))


def _key(row: Mapping[str, Any]) -> str:
    """How environments name a package: by its address."""
    return str(row.get("conda") or row.get("pypi") or row.get("url") or row.get("path") or "")


def _of_pixi(
    listed: object, known: Mapping[str, Mapping[str, Any]], platform: str, source: str, *, optional: bool
) -> Iterator[Package]:
    for item in model.rows(listed, "packages", source):
        url = _key(item)
        row = known.get(url, {})
        hashes = tuple(
            sorted(
                model.hash_text(f"{kind}:{row[kind]}", source)
                for kind in ("sha256", "md5")
                if isinstance(row.get(kind), str)
            )
        )
        if "pypi" in item:
            if "name" not in row:
                continue
            yield Package(
                model.normal_name(row["name"], source),
                _version(row.get("version"), source),
                (Archive(model.file_name(url), hashes, model.clean_url(url)),) if hashes else (),
                optional=optional,
                source="index" if "://" in url else "path",
                url="" if "://" in url else url,
                platform=platform,
            )
        elif _FILE.fullmatch(model.file_name(url)):
            package = _of_url(url, hashes, source, platform, optional=optional)
            # A version of the package's own row is more than what its file name says.
            yield package._replace(version=_version(row.get("version"), source) or package.version)
