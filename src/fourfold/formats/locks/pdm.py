"""``pdm.lock``: a list with groups and markers, and a digest of what it was locked for."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from fourfold.formats.locks import model
from fourfold.formats.locks.documents import read_toml
from fourfold.formats.locks.model import Locked, Package

KIND = "pdm.lock"
#: From this version of the format on the digest is known to cover what `_digest` does.
_DIGESTED = (4, 4)


def parse(data: bytes, source: str = KIND, project: bytes | None = None) -> Locked:
    """Read one.

    Args:
        data: The file's bytes.
        source: How messages call it.
        project: The bytes of ``pyproject.toml`` beside it; without them nothing is said to be stale.

    Raises:
        BadLockFileError: one of the two cannot be understood.
    """
    document = read_toml(data, source)
    metadata = model.mapping(document.get("metadata"), "metadata", source)
    packages = tuple(
        _package(row, source)
        for row in model.rows(document.get("package"), "package", source)
        # A row for a package with extras repeats the package, which has a row of its own.
        if not row.get("extras")
    )
    targets = model.rows(metadata.get("targets"), "targets", source)
    pythons = {model.text(target.get("requires_python"), "requires_python", source) for target in targets}
    stale = ""
    if project is not None and _is_stale(metadata, read_toml(project, "pyproject.toml")):
        stale = f"{source} was not locked for what pyproject.toml asks for now"
    return Locked(KIND, "lock", packages, python=pythons.pop() if len(pythons) == 1 else "", stale=stale)


def _package(row: Mapping[str, Any], source: str) -> Package:
    name = model.normal_name(row.get("name"), source)
    where = f"{source}: {name}"
    groups = model.texts(row.get("groups"), "groups", where)
    kind, url = model.source_of(row, (("git", "vcs"), ("url", "url"), ("path", "path")), where)
    return Package(
        name,
        model.text(row.get("version"), "version", where),
        model.files_of(row, where),
        marker=model.text(row.get("marker"), "marker", where),
        optional=bool(groups) and "default" not in groups,
        source=kind,
        url=url,
        revision=model.text(row.get("revision"), "revision", where),
    )


def _is_stale(metadata: Mapping[str, Any], asked: Mapping[str, Any]) -> bool:
    wanted, version = metadata.get("content_hash"), str(metadata.get("lock_version", ""))
    parts = version.split(".")
    if not isinstance(wanted, str) or not all(part.isascii() and part.isdigit() for part in parts[:2]):
        return False
    settings = model.mapping(model.mapping(asked.get("tool"), "tool", KIND).get("pdm"), "tool.pdm", KIND)
    known = tuple(int(part[:6]) for part in parts[:2]) >= _DIGESTED and parts[0] == "4"
    # A workspace's digest covers its members too, and a project of another tool is translated first.
    if not known or "workspace" in settings or not asked.get("project"):
        return False
    algorithm, _mark, digest = wanted.partition(":")
    return algorithm == "sha256" and digest != _digest(asked, settings)


def _digest(asked: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    project = model.mapping(asked.get("project"), "project", "pyproject.toml")
    groups: dict[str, list[Any]] = {}
    for table in (asked.get("dependency-groups"), settings.get("dev-dependencies")):
        for name, listed in model.mapping(table, "groups", "pyproject.toml").items():
            normal = model.normal_name(name, "pyproject.toml")
            groups[normal] = groups.get(normal, []) + (listed if isinstance(listed, list) else [])
    content = {
        "sources": settings.get("source", []),
        "dependencies": project.get("dependencies", []),
        "dev-dependencies": groups,
        "optional-dependencies": project.get("optional-dependencies", {}),
        "requires-python": project.get("requires-python", ""),
        "resolution": settings.get("resolution", {}),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
