"""``uv.lock``: a graph of packages. uv documents no format; this reads what uv 0.5 to 0.13 write.

What a project wants is what can be reached from its own packages (``editable``, ``virtual``, ``source =
{ directory = "." }``, members of the workspace); under their extras and groups stands what may be absent.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from fourfold.formats.locks import model
from fourfold.formats.locks.documents import read_toml
from fourfold.formats.locks.model import Archive, BadLockFileError, Edge, Locked, Package

KIND = "uv.lock"
#: The version of the format; revisions within it are compatible.
_VERSION = 1
#: What a wish has that is not for the index.
_ELSEWHERE = frozenset({"git", "url", "path", "directory", "editable", "virtual"})


def parse(data: bytes, source: str = KIND, project: bytes | None = None) -> Locked:
    """Read one.

    Args:
        data: The file's bytes.
        source: How messages call it.
        project: The bytes of ``pyproject.toml`` beside it; without them nothing is said to be stale.

    Raises:
        BadLockFileError: one of the two cannot be understood, or the lock is of another version.
    """
    document = read_toml(data, source)
    if document.get("version") != _VERSION:
        raise BadLockFileError(
            f"{source} has version {str(document.get('version'))[:20]!r}, not {_VERSION}",
            hint="upgrade Fourfold, or use: uv export --format pylock.toml -o pylock.toml",
        )
    manifest = model.mapping(document.get("manifest"), "manifest", source)
    members = {
        model.normal_name(name, source) for name in model.texts(manifest.get("members"), "members", source)
    }
    packages, roots = [], []
    asked = read_toml(project, "pyproject.toml") if project is not None else {}
    stale = ""
    for row in model.rows(document.get("package"), "package", source):
        package = _package(row, source)
        packages.append(package)
        own = package.source in {"editable", "virtual"} and (
            package.url in {"", "."} or package.name in members
        )
        if own or package.name in members:
            roots.append(Edge(package.name, package.version))
            if package.url in {"", "."}:
                stale = stale or _stale(row, asked, source)
    # A lock of a script has no package of its own: what it asks for stands in the manifest.
    for entry in model.rows(manifest.get("requirements"), "requirements", source):
        marker = model.text(entry.get("marker"), "marker", source)
        roots.append(
            Edge(
                model.normal_name(entry.get("name"), source),
                marker=marker,
                extras=model.texts(entry.get("extras"), "extras", source),
            )
        )
    return Locked(
        KIND,
        "lock",
        tuple(packages),
        python=model.text(document.get("requires-python"), "requires-python", source),
        stale=stale,
        roots=tuple(roots),
    )


def _stale(row: Mapping[str, Any], asked: Mapping[str, Any], source: str) -> str:
    """Which dependency the project has now and had not when it was locked, or the other way around.

    What it was locked for stands in ``metadata.requires-dist``; compared are names, and versions where
    each side has one wish of that name, for the index.
    """
    project = model.mapping(asked.get("project"), "project", "pyproject.toml")
    wishes = project.get("dependencies")
    if "metadata" not in row or not isinstance(wishes, list) or "dependencies" in project.get("dynamic", ()):
        return ""
    from fourfold.formats.locks.requirements import requirement  # noqa: PLC0415 - only beside a project

    now: dict[str, list[Package]] = {}
    for wish in wishes:
        item = requirement(str(wish), "pyproject.toml")
        now.setdefault(item.name, []).append(item)
    before: dict[str, list[Mapping[str, Any]]] = {}
    metadata = model.mapping(row["metadata"], "metadata", source)
    for entry in model.rows(metadata.get("requires-dist"), "requires-dist", source):
        if "extra ==" not in model.text(entry.get("marker"), "marker", source):
            before.setdefault(model.normal_name(entry.get("name"), source), []).append(entry)
    for name in sorted(set(now) ^ set(before)):
        change = "asks for" if name in now else "no longer asks for"
        return f"{source} was locked before pyproject.toml {change} {name}"
    for name in sorted(before):
        wish, entry = now[name][0], before[name][0]
        here = wish.specifier or (f"=={wish.version}" if wish.version else "")
        there = model.text(entry.get("specifier"), "specifier", source)
        plain = wish.source == "index" and not _ELSEWHERE & set(entry)
        if plain and len(now[name]) == len(before[name]) == 1 and not _same(here, there):
            return f"{source} was locked for {name}{there}, pyproject.toml asks for {name}{here}"
    return ""


def _same(left: str, right: str) -> bool:
    parts = [sorted(part.strip().replace(" ", "") for part in text.split(",")) for text in (left, right)]
    return parts[0] == parts[1]


def _package(row: Mapping[str, Any], source: str) -> Package:
    name = model.normal_name(row.get("name"), source)
    where = f"{source}: {name}"
    kind, url, revision = _source(model.mapping(row.get("source"), "source", where), where)
    archives = [_archive(entry, where) for entry in model.rows(row.get("wheels"), "wheels", where)]
    if row.get("sdist") is not None:
        archives.append(_archive(model.mapping(row["sdist"], "sdist", where), where))
    markers = model.texts(row.get("resolution-markers"), "resolution-markers", where)
    return Package(
        name,
        model.text(row.get("version"), "version", where),
        tuple(archives),
        marker=" or ".join(f"({marker})" for marker in markers),
        source=kind,
        url=url,
        revision=revision,
        edges=tuple(_edges(row, where)),
    )


def _edges(row: Mapping[str, Any], where: str) -> Iterator[Edge]:
    yield from (
        _edge(entry, "", where) for entry in model.rows(row.get("dependencies"), "dependencies", where)
    )
    for table, prefix in (("optional-dependencies", ""), ("dev-dependencies", "group:")):
        for extra, entries in model.mapping(row.get(table), table, where).items():
            yield from (_edge(entry, prefix + extra, where) for entry in model.rows(entries, table, where))


def _edge(entry: Mapping[str, Any], extra: str, where: str) -> Edge:
    return Edge(
        model.normal_name(entry.get("name"), where),
        model.text(entry.get("version"), "version", where),
        model.text(entry.get("marker"), "marker", where),
        model.texts(entry.get("extra"), "extra", where),
        extra,
    )


def _source(table: Mapping[str, Any], where: str) -> tuple[model.SourceKind, str, str]:
    """Kind, address and commit of a package's source."""
    kinds: dict[str, model.SourceKind] = {
        "registry": "index",
        "url": "url",
        "git": "vcs",
        "path": "path",
        "directory": "path",
        "editable": "editable",
        "virtual": "virtual",
    }
    for key, kind in kinds.items():
        if key in table:
            url = model.text(table[key], key, where)
            if kind == "index":
                return kind, "", ""
            revision = url.rpartition("#")[2] if kind == "vcs" and "#" in url else ""
            return kind, model.clean_url(url), revision
    return "index", "", ""


def _archive(entry: Mapping[str, Any], where: str) -> Archive:
    address = model.text(entry.get("url"), "url", where) or model.text(entry.get("path"), "path", where)
    name = model.text(entry.get("filename"), "filename", where) or model.file_name(address)
    return Archive(name, model.hashes_of(entry.get("hash"), where), model.clean_url(address))
