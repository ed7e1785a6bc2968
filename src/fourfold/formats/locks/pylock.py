"""``pylock.toml`` (PEP 751): a list of packages, each under its marker.

Extras and dependency groups stand in markers (``'dev' in dependency_groups``), so that whoever evaluates them
with the defaults of the file gets what an installer would install.
"""

from collections.abc import Mapping
from typing import Any

from fourfold.formats.locks import model
from fourfold.formats.locks.documents import read_toml
from fourfold.formats.locks.model import Archive, BadLockFileError, Edge, Locked, Package

KIND = "pylock.toml"


def parse(data: bytes, source: str = KIND) -> Locked:
    """Read one.

    Raises:
        BadLockFileError: it cannot be understood, or is of another major version.
    """
    document = read_toml(data, source)
    version = document.get("lock-version")
    if not isinstance(version, str) or version.partition(".")[0] != "1":
        raise BadLockFileError(
            f"{source} has lock-version {str(version)[:20]!r}, not 1.0", hint="upgrade Fourfold"
        )
    packages = [_package(row, source) for row in model.rows(document.get("packages"), "packages", source)]
    # What the format has no place for: packages of which `ff env lock` knew no source.
    tools = model.mapping(document.get("tool"), "tool", source)
    ours = model.mapping(tools.get("fourfold"), "tool.fourfold", source)
    packages += [_package(row, source) for row in model.rows(ours.get("unknown"), "unknown", source)]
    return Locked(
        KIND,
        "lock",
        tuple(packages),
        python=model.text(document.get("requires-python"), "requires-python", source),
        groups=model.texts(document.get("default-groups"), "default-groups", source),
    )


def _package(row: Mapping[str, Any], source: str) -> Package:
    name = model.normal_name(row.get("name"), source)
    where = f"{source}: {name}"
    archives = [_archive(entry, where) for entry in model.rows(row.get("wheels"), "wheels", where)]
    kind: model.SourceKind = "index"
    url = revision = ""
    if row.get("sdist") is not None:
        archives.append(_archive(model.mapping(row["sdist"], "sdist", where), where))
    if row.get("archive") is not None:
        archive = _archive(model.mapping(row["archive"], "archive", where), where)
        archives.append(archive)
        kind, url = "url", archive.url
    if row.get("vcs") is not None:
        vcs = model.mapping(row["vcs"], "vcs", where)
        kind = "vcs"
        url = model.clean_url(model.text(vcs.get("url"), "url", where))
        revision = model.text(vcs.get("commit-id"), "commit-id", where)
    if row.get("directory") is not None:
        directory = model.mapping(row["directory"], "directory", where)
        kind = "editable" if directory.get("editable") else "path"
        url = model.text(directory.get("path"), "path", where)
    return Package(
        name,
        model.text(row.get("version"), "version", where),
        tuple(archives),
        marker=model.text(row.get("marker"), "marker", where),
        source=kind,
        url=url,
        revision=revision,
        edges=tuple(
            Edge(model.normal_name(entry.get("name"), where))
            for entry in model.rows(row.get("dependencies"), "dependencies", where)
        ),
    )


def _archive(entry: Mapping[str, Any], where: str) -> Archive:
    url = model.text(entry.get("url"), "url", where)
    path = model.text(entry.get("path"), "path", where)
    name = model.text(entry.get("name"), "name", where) or model.file_name(url or path)
    return Archive(name, model.hashes_of(entry.get("hashes"), where), model.clean_url(url) or path)
