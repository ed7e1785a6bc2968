"""What is installed: each distribution of Python with its version and the digest of its RECORD.

Names and versions are those of the folders ``NAME-VERSION.dist-info`` (and of ``*.egg-info``, ``*.egg-link``
of older tools), found on a ``sys.path``. Nothing is imported and, when nothing moved, nothing is read but
what `stat` says. Whether files still have the hashes of their RECORD is not asked here.
"""

import json
import os
import re
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from fourfold.base.fs.reading import read_start
from fourfold.runs.environment.records import record_digest, rows
from fourfold.runs.environment.remembered import Remembered
from fourfold.storage.redact import redact_url

#: No RECORD is larger, in bytes; that of the largest distributions has 3 MB.
_MOST = 64 * 1024 * 1024
_DIST = re.compile(r"(.+?)-([^-]+)\.dist-info")
_EGG = re.compile(r"([^-]+)(?:-([^-]+))?(?:-py[\d.]+)?(?:-.*)?\.egg-info")
_INSTALLED = re.compile(r"/(?:site-packages|dist-packages|lib/python3\.\d+t?|lib-dynload)/")
_SEPARATORS = re.compile(r"[-_.]+")


class Distribution(NamedTuple):
    """One distribution that is installed.

    Attributes:
        name: Normalized, as PEP 503 says.
        version: As its metadata has it.
        folder: Absolute path of its ``dist-info`` (``egg-info``).
        site: Absolute path of the folder it is installed in.
        record: Digest of its normalized RECORD; None when it has none.
        direct: Where it comes from when that is no index: ``editable`` | ``vcs`` | ``archive`` | ``dir``;
        else "".
        source: That place, without secrets; a local path is absolute.
        commit: Of the repository that it was installed from; "".
        installer: Who installed it, as INSTALLER says.
        tops: First parts of the paths that it installs, sorted: modules, packages, ``.pth`` files.
    """

    name: str
    version: str
    folder: str
    site: str
    record: str | None = None
    direct: str = ""
    source: str = ""
    commit: str = ""
    installer: str = ""
    tops: tuple[str, ...] = ()


def normalize(name: str) -> str:
    """The name of a distribution as PEP 503 compares names."""
    return _SEPARATORS.sub("-", name).lower()


def sites_of(path: Iterable[str]) -> list[str]:
    """The folders of a ``sys.path``, absolute, each once, in their order."""
    found = dict.fromkeys(os.path.normpath(entry) for entry in path if os.path.isabs(entry))
    return [folder for folder in found if os.path.isdir(folder)]


def installed(path: Iterable[str], known: Remembered, now_ns: int) -> dict[str, Distribution]:
    """What a ``sys.path`` has, by normalized name, sorted; the first of a name hides those behind it.

    Args:
        path: Absolute folders; what is none is left out.
        known: What is remembered of them.
        now_ns: The time.
    """
    found: dict[str, Distribution] = {}
    for site in sites_of(path):
        for name in _listed(site):
            distribution = _look(site, name, known, now_ns)
            if distribution is not None:
                found.setdefault(distribution.name, distribution)
    return dict(sorted(found.items()))


def _listed(site: str) -> list[str]:
    try:
        names = os.listdir(site)
    except OSError:
        return []
    return sorted(name for name in names if name.endswith((".dist-info", ".egg-info", ".egg-link")))


def _look(site: str, name: str, known: Remembered, now_ns: int) -> Distribution | None:
    folder = os.path.join(site, name)
    record = os.path.join(folder, "RECORD")
    try:
        status = os.stat(folder)
        with suppress(OSError):
            status = os.stat(record)
    except OSError:
        return None
    held = known.get(folder, status)
    if held is None:
        made = _read(site, name)
        if made is not None:
            known.put(folder, status, [*made[:2], *made[4:9], list(made.tops)], now_ns)
        return made
    try:
        label, version, record, direct, source, commit, installer, tops = held
        return Distribution(
            label, version, folder, site, record, direct, source, commit, installer, tuple(tops)
        )
    except (ValueError, TypeError):
        return _read(site, name)


def _read(site: str, name: str) -> Distribution | None:
    folder = os.path.join(site, name)
    if name.endswith(".egg-link"):
        return _egg_link(site, folder)
    match = _DIST.fullmatch(name)
    if match is None:
        return _egg(site, folder, name)
    text = _text(os.path.join(folder, "RECORD"))
    direct, source, commit = _direct(_text(os.path.join(folder, "direct_url.json")))
    return Distribution(
        normalize(match[1]),
        match[2],
        folder,
        site,
        None if text is None else record_digest(text),
        direct,
        source,
        commit,
        (_text(os.path.join(folder, "INSTALLER")) or "").strip()[:40],
        _tops(text or _text(os.path.join(folder, "top_level.txt")) or ""),
    )


def _egg(site: str, folder: str, name: str) -> Distribution | None:
    match = _EGG.fullmatch(name)
    if match is None:
        return None
    metadata = folder if os.path.isfile(folder) else os.path.join(folder, "PKG-INFO")
    fields = _fields(_text(metadata) or "")
    version = fields.get("version") or match[2] or ""
    tops = _tops(_text(os.path.join(folder, "top_level.txt")) or "")
    return Distribution(normalize(fields.get("name") or match[1]), version, folder, site, tops=tops)


def _egg_link(site: str, link: str) -> Distribution | None:
    """What ``setup.py develop`` leaves: a file that names the folder of the sources."""
    lines = (_text(link) or "").splitlines()
    name = os.path.basename(link).removesuffix(".egg-link")
    if not lines or not os.path.isabs(lines[0].strip()):
        return None
    source = lines[0].strip()
    fields: Mapping[str, str] = {}
    with suppress(OSError):
        for entry in sorted(os.listdir(source)):
            if entry.endswith(".egg-info") and normalize(entry[:-9].partition("-")[0]) == normalize(name):
                fields = _fields(_text(os.path.join(source, entry, "PKG-INFO")) or "")
    return Distribution(
        normalize(name), fields.get("version", ""), link, site, direct="editable", source=source
    )


def _fields(text: str) -> dict[str, str]:
    """Name and version of a metadata file."""
    found = {}
    for line in text.splitlines():
        if not line:
            break
        key, colon, value = line.partition(":")
        if colon and key.lower() in {"name", "version"}:
            found[key.lower()] = value.strip()
    return found


def _direct(text: str | None) -> tuple[str, str, str]:
    """Kind, place and commit of a ``direct_url.json`` (PEP 610)."""
    if text is None:
        return "", "", ""
    try:
        document = json.loads(text)
        url = document["url"]
        if not isinstance(url, str):
            return "archive", "", ""
        path = url.removeprefix("file://") if url.startswith("file://") else ""
        if path:
            from urllib.parse import unquote  # noqa: PLC0415 - most distributions come from an index

            path = unquote(path)
        shown = path or redact_url(url)
        if "vcs_info" in document:
            return "vcs", shown, str(document["vcs_info"].get("commit_id", ""))[:64]
        if "dir_info" in document:
            return ("editable" if document["dir_info"].get("editable") is True else "dir"), shown, ""
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return "archive", "", ""
    return "archive", shown, ""


def _tops(text: str) -> tuple[str, ...]:
    """First parts of what a RECORD, or a list of modules, names: modules, and ``.pth`` files."""
    tops = {line.partition(",")[0].partition("/")[0].strip('"') for line in text.splitlines()}
    return tuple(
        sorted(
            top
            for top in tops
            if top and not top.endswith((".dist-info", ".egg-info", ".data", ".pyc")) and top != ".."
        )
    )


def _text(path: str) -> str | None:
    try:
        return read_start(path, _MOST).decode("utf-8", "surrogateescape")
    except OSError:
        return None


def imported(found: Mapping[str, Distribution], files: Collection[str]) -> set[str]:
    """Names of the distributions that one of these files (of modules, absolute) belongs to.

    Where several share a first folder (``google``, ``nvidia``), their RECORDs decide.
    """
    owners: dict[str, list[Distribution]] = {}
    for distribution in found.values():
        for top in distribution.tops:
            owners.setdefault(os.path.join(distribution.site, top), []).append(distribution)
    listed: dict[str, frozenset[str]] = {}
    hit: set[str] = set()
    rest: list[str] = []
    sites = sorted({one.site + os.sep for one in found.values()}, key=len, reverse=True)
    for file in files:
        for site in sites:
            if file.startswith(site):
                end = file.find(os.sep, len(site))
                candidates = owners.get(file if end < 0 else file[:end], ())
                if len(candidates) == 1:
                    hit.add(candidates[0].name)
                elif candidates:
                    hit.update(_owning(candidates, file[len(site) :].replace(os.sep, "/"), listed))
                break
        else:
            rest.append(file)
    hit.update(_editable(found, rest))
    return hit


def _owning(
    candidates: Iterable[Distribution], relative: str, listed: dict[str, frozenset[str]]
) -> list[str]:
    for one in candidates:
        if one.folder not in listed:
            text = _text(os.path.join(one.folder, "RECORD")) or ""
            listed[one.folder] = frozenset(path for path, _, _ in rows(text))
    return [one.name for one in candidates if relative in listed[one.folder]]


def _editable(found: Mapping[str, Distribution], files: Collection[str]) -> set[str]:
    places = {
        one.name: one.source.rstrip("/") + "/"
        for one in found.values()
        if one.direct == "editable" and os.path.isabs(one.source)
    }
    # Sources may hold an environment of their own, with the packages of others.
    return {
        name
        for name, place in places.items()
        if any(file.startswith(place) and not is_installed(file[len(place) :]) for file in files)
    }


def is_installed(path: str) -> bool:
    """Whether a path leads through a folder of packages or of the standard library."""
    return _INSTALLED.search(f"/{path}") is not None


def document(found: Mapping[str, Distribution], used: Collection[str], shown: Any) -> dict[str, Any]:
    """The part of a record that lists them.

    Args:
        found: What is installed.
        used: Names of those that the run imported.
        shown: Function that names an absolute path as facts do.
    """
    listing = {}
    for name, one in found.items():
        entry: dict[str, Any] = {"version": one.version, "record": one.record, "imported": name in used}
        if one.direct:
            entry["direct"] = one.direct
            entry["source"] = shown(one.source) if os.path.isabs(one.source) else one.source
        if one.commit:
            entry["commit"] = one.commit
        listing[name] = entry
    return listing
