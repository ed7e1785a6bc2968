"""``poetry.lock``: a list with groups and markers since Poetry 2, a graph before.

Poetry notes a digest of what it locked for (``content-hash``); where ``pyproject.toml`` asks for something
else now, the lock is stale.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from fourfold.formats.locks import model
from fourfold.formats.locks.documents import read_toml
from fourfold.formats.locks.model import Edge, Locked, Package

KIND = "poetry.lock"
#: What of ``tool.poetry`` and of ``project`` the digest covers; the first four of them even when absent.
_TOOL = ("dependencies", "source", "extras", "dev-dependencies", "group")
_PROJECT = ("requires-python", "dependencies", "optional-dependencies")
_WRITER = re.compile(r"Poetry (\d+)\.(\d+)")


def parse(data: bytes, source: str = KIND, project: bytes | None = None) -> Locked:
    """Read one.

    Args:
        data: The file's bytes.
        source: How messages call it.
        project: The bytes of ``pyproject.toml`` beside it; without them nothing is said to be stale, and all
            packages of a lock without groups are wanted.

    Raises:
        BadLockFileError: one of the two cannot be understood.
    """
    document = read_toml(data, source)
    metadata = model.mapping(document.get("metadata"), "metadata", source)
    asked = read_toml(project, "pyproject.toml") if project is not None else None
    packages = tuple(_package(row, source) for row in model.rows(document.get("package"), "package", source))
    grouped = any("groups" in row or "category" in row for row in document.get("package", []))
    python = model.text(metadata.get("python-versions"), "python-versions", source)
    roots = None if grouped or asked is None else tuple(_roots(asked, source))
    stale = ""
    wanted = metadata.get("content-hash")
    if asked is not None and isinstance(wanted, str) and wanted not in _digests(asked, data):
        stale = f"{source} was not locked for what pyproject.toml asks for now"
    return Locked(KIND, "lock", packages, python="" if python == "*" else python, stale=stale, roots=roots)


def _package(row: Mapping[str, Any], source: str) -> Package:
    name = model.normal_name(row.get("name"), source)
    where = f"{source}: {name}"
    groups = model.texts(row.get("groups"), "groups", where)
    markers = row.get("markers")
    if isinstance(markers, Mapping):
        markers = markers.get("main", "")
    kind, url, revision = _source(model.mapping(row.get("source"), "source", where), where)
    if row.get("develop"):
        kind = "editable"
    left_out = bool(row.get("optional")) or (bool(groups) and "main" not in groups)
    return Package(
        name,
        model.text(row.get("version"), "version", where),
        model.files_of(row, where),
        marker=model.text(markers, "markers", where),
        optional=left_out or row.get("category") == "dev",
        source=kind,
        url=url,
        revision=revision,
        edges=tuple(_edges(model.mapping(row.get("dependencies"), "dependencies", where), where)),
    )


def _source(table: Mapping[str, Any], where: str) -> tuple[model.SourceKind, str, str]:
    kinds: dict[str, model.SourceKind] = {"git": "vcs", "url": "url", "file": "path", "directory": "path"}
    kind = kinds.get(str(table.get("type")), "index")
    if kind == "index":
        return kind, "", ""
    url = model.clean_url(model.text(table.get("url"), "url", where))
    return kind, url, model.text(table.get("resolved_reference"), "resolved_reference", where)


def _edges(table: Mapping[str, Any], where: str) -> Iterator[Edge]:
    for name, wish in table.items():
        for option in wish if isinstance(wish, list) else [wish]:
            entry = option if isinstance(option, Mapping) else {}
            if entry.get("optional"):
                continue
            yield Edge(
                model.normal_name(name, where),
                marker=model.text(entry.get("markers"), "markers", where),
                extras=model.texts(entry.get("extras"), "extras", where),
            )


def _roots(asked: Mapping[str, Any], source: str) -> Iterator[Edge]:
    """What ``pyproject.toml`` asks for without extras and groups."""
    project = model.mapping(asked.get("project"), "project", source)
    if project.get("dependencies"):
        from fourfold.formats.locks.requirements import requirement  # noqa: PLC0415 - few have both

        for wish in model.texts(project["dependencies"], "dependencies", source):
            package = requirement(wish, source)
            yield Edge(package.name, marker=package.marker)
    tool = _poetry(asked, source)
    table = model.mapping(tool.get("dependencies"), "dependencies", source)
    for edge in _edges(table, source):
        if edge.name != "python":
            yield edge


def _poetry(asked: Mapping[str, Any], source: str) -> Mapping[str, Any]:
    return model.mapping(
        model.mapping(asked.get("tool"), "tool", source).get("poetry"), "tool.poetry", source
    )


def _digests(asked: Mapping[str, Any], lock: bytes) -> set[str]:
    """What ``content-hash`` may be for this project, by what this and earlier versions cover."""
    first = lock[:200].decode("utf-8", "replace").partition("\n")[0]
    written = _WRITER.search(first)
    early = written is not None and (int(written[1]), int(written[2])) < (2, 3)
    return {_digest(asked, groups=True)} | ({_digest(asked, groups=False)} if early else set())


def _digest(asked: Mapping[str, Any], *, groups: bool) -> str:
    project = model.mapping(asked.get("project"), "project", "pyproject.toml")
    mine = {key: project[key] for key in _PROJECT if project.get(key) is not None}
    grouped = asked.get("dependency-groups") if groups else None
    tool = _poetry(asked, "pyproject.toml")
    old = not mine and not grouped
    covered = {key: tool.get(key) for key in _TOOL if tool.get(key) is not None or (old and key != "group")}
    content: dict[str, Any] = {"project": mine} if mine else {}
    if grouped:
        content["dependency-groups"] = grouped
    content = {**content, "tool": {"poetry": covered}} if content else covered
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
