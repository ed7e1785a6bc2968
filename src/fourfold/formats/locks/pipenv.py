"""``Pipfile.lock``: JSON, one table a category, and the digest of the ``Pipfile`` that it was locked for."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from fourfold.formats.locks import model
from fourfold.formats.locks.documents import read_json, read_toml
from fourfold.formats.locks.model import Archive, BadLockFileError, Locked, Package

KIND = "Pipfile.lock"


def parse(data: bytes, source: str = KIND, project: bytes | None = None) -> Locked:
    """Read one.

    Args:
        data: The file's bytes.
        source: How messages call it.
        project: The bytes of the ``Pipfile`` beside it; without them nothing is said to be stale.

    Raises:
        BadLockFileError: one of the two cannot be understood.
    """
    document = read_json(data, source)
    meta = model.mapping(document.get("_meta"), "_meta", source)
    if "default" not in document:
        raise BadLockFileError(f"{source} has no packages in 'default'")
    packages: list[Package] = []
    for category, table in document.items():
        if category != "_meta":
            rows = model.mapping(table, category, source)
            optional = category != "default"
            packages += [_package(name, row, source, optional=optional) for name, row in rows.items()]
    if len(packages) > model.MAX_PACKAGES:
        raise BadLockFileError(f"{source} names more than {model.MAX_PACKAGES} packages")
    requires = model.mapping(meta.get("requires"), "requires", source)
    full, short = requires.get("python_full_version"), requires.get("python_version")
    python = f"=={full}" if isinstance(full, str) else f"=={short}.*" if isinstance(short, str) else ""
    stale = ""
    digest = model.mapping(meta.get("hash"), "hash", source).get("sha256")
    if project is not None and isinstance(digest, str) and digest != _digest(read_toml(project, "Pipfile")):
        stale = f"{source} was not locked for what Pipfile asks for now"
    return Locked(KIND, "lock", tuple(packages), python=python, stale=stale)


def _package(name: object, value: object, source: str, *, optional: bool) -> Package:
    normal = model.normal_name(name, source)
    where = f"{source}: {normal}"
    row: Mapping[str, Any] = model.mapping(value, normal, source)
    hashes = model.hashes_of(row.get("hashes"), where)
    kind, url = model.source_of(row, (("git", "vcs"), ("file", "url"), ("path", "path")), where)
    return Package(
        normal,
        model.text(row.get("version"), "version", where).lstrip("=").strip(),
        (Archive("", hashes),) if hashes else (),
        marker=model.text(row.get("markers"), "markers", where),
        optional=optional,
        source=kind,
        url=url,
        revision=model.text(row.get("ref"), "ref", where),
    )


def _digest(asked: Mapping[str, Any]) -> str:
    """The digest of a ``Pipfile``, as Pipenv makes it of what decides about packages."""
    content: dict[str, Any] = {
        "_meta": {"sources": asked.get("source", []), "requires": asked.get("requires", {})},
        "default": asked.get("packages", {}),
        "develop": asked.get("dev-packages", {}),
    }
    own = {
        "source",
        "packages",
        "dev-packages",
        "requires",
        "scripts",
        "pipfile",
        "pipenv",
        "default",
        "develop",
    }
    content |= {name: table for name, table in asked.items() if name not in own}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()
