"""``ff env lock``: what is installed now, as a ``pylock.toml`` that any installer can install again.

A lock names where the bytes of a package are and what they hash to, and an environment keeps neither. Both
come from wheels that are at hand (`oracle`), from what the installer noted of an address (PEP 610), from
the project's lock of before, or, when asked, from an index. A package of which nothing is known is named in
``tool.fourfold.unknown``, since the format has no place for it.
"""

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from fourfold.base.errors import CorruptError, FourfoldError
from fourfold.base.events import Sink, silent
from fourfold.formats.locks.model import Archive, clean_url, file_name
from fourfold.formats.locks.pylock_write import render
from fourfold.runs.envcheck.index import files_of
from fourfold.runs.envcheck.interpreter import Interpreter, ask, find_python
from fourfold.runs.envcheck.oracle import Oracle, archive_hash, direct_url
from fourfold.runs.envcheck.wheels import Wheel, file_names
from fourfold.runs.environment.distributions import Distribution, installed
from fourfold.runs.environment.remembered import remembered
from fourfold.runs.lockcheck.compare import SEEDS, same_version
from fourfold.runs.lockcheck.find import find_lock, parse_lock, read_lock

if TYPE_CHECKING:
    from fourfold.runs.place import Place

_NO_SOURCE = "no wheel of it is at hand"


class UnwritableLockError(CorruptError):
    """What would be written is no lock that installers accept: a name or a version is no valid one."""

    code = "unwritable-lock"
    default_hint = "see which distribution it names, and install it again"


class Written(NamedTuple):
    """A lock of what is installed.

    Attributes:
        data: Its bytes.
        python: The interpreter.
        packages: How many packages it has with a source.
        proven: How many of these have a wheel whose files are the installed ones.
        unknown: Names and versions without a source.
    """

    data: bytes
    python: Interpreter
    packages: int
    proven: int
    unknown: tuple[str, ...]


def lock(
    place: "Place",
    folder: str,
    *,
    python: str | None = None,
    wheels: Sequence[str] = (),
    index: str | None = None,
    events: Sink = silent,
) -> Written:
    """Lock what is installed.

    Args:
        place: Where a lock of before is looked for.
        folder: Absolute folder that the lock will lie in: local paths are relative to it.
        python: The interpreter; see `find_python`.
        wheels: Wheels and folders of wheels that may have been installed.
        index: URL of a package index to ask where nothing else is known; None asks nobody.
        events: Hears of progress.

    Raises:
        NoPythonError, DumbPythonError: there is no interpreter that answers.
        IndexUnreachableError: the index does not answer.
        UnwritableLockError: what is installed has names or versions that no lock can hold.
    """
    interpreter = ask(find_python(place.cwd, place.environ, python), place.environ)
    in_project = place.project is not None or os.path.isdir(place.own)
    listing = installed(interpreter.sites, remembered(place, "distributions"), place.clock.now_ns())
    oracle = Oracle(place, keep=in_project, wheels=wheels)
    before = _before(place)
    addresses = {value: archive for files in before.values() for archive in files for value in archive.hashes}
    entries: dict[str, dict[str, Any]] = {}
    unknown: dict[str, Distribution] = {}
    proven = 0
    for name, one in listing.items():
        entry = _direct(one, folder) or _by_wheel(one, oracle.wheel_of(one), addresses, folder)
        if entry is not None:
            proven += "wheels" in entry
            entries[name] = entry
            continue
        entry = _by_index(one, before.get((name, one.version), ()))
        if entry is None:
            unknown[name] = one
        else:
            entries[name] = entry
    if index is not None:
        asked = [name for name, one in unknown.items() if one.direct == ""]
        for name, files in files_of(index, asked, events).items():
            found = _by_index(unknown[name], files)
            if found is not None:
                entries[name] = found
                del unknown[name]
    oracle.save()
    left = {name: one for name, one in unknown.items() if name not in SEEDS}
    data = render(_document(interpreter, entries, left))
    _validate(data)
    shown = tuple(f"{name} {one.version}" for name, one in left.items())
    return Written(data, interpreter, len(entries), proven, shown)


def _document(
    interpreter: Interpreter, entries: Mapping[str, Mapping[str, Any]], unknown: Mapping[str, Distribution]
) -> dict[str, Any]:
    import platform  # noqa: PLC0415 - only here the machine is asked
    import sys  # noqa: PLC0415 - likewise

    short = ".".join(interpreter.version.split(".")[:2])
    machine = (
        f"sys_platform == '{sys.platform}' and platform_machine == '{platform.machine()}' "
        f"and implementation_name == '{interpreter.implementation}'"
    )
    document: dict[str, Any] = {
        "lock-version": "1.0",
        "environments": [machine],
        "requires-python": f"=={short}.*",
        "created-by": "fourfold",
        "packages": [entries[name] for name in sorted(entries)],
    }
    if unknown:
        rows = [
            {"name": name, "version": unknown[name].version, "why": _NO_SOURCE} for name in sorted(unknown)
        ]
        document["tool"] = {"fourfold": {"unknown": rows}}
    return document


def _before(place: "Place") -> dict[tuple[str, str], list[Archive]]:
    """Archives with an address in the project's lock, by name and version: a lock of before knows them."""
    try:
        path = find_lock(place.root, place.environ)
        packages = parse_lock(read_lock(path), place.shown(path), place.root).packages if path else ()
    except FourfoldError:
        return {}
    found: dict[tuple[str, str], list[Archive]] = {}
    for package in packages:
        if package.source == "index" and package.ecosystem == "pypi":
            known = [archive for archive in package.archives if archive.name and archive.url]
            found.setdefault((package.name, package.version), []).extend(known)
    return found


def _direct(one: Distribution, folder: str) -> dict[str, Any] | None:
    """A distribution that was installed by its address."""
    if one.direct in {"editable", "dir"}:
        path = os.path.relpath(one.source, folder).replace(os.sep, "/")
        source: dict[str, Any] = {"path": path}
        if one.direct == "editable":
            source["editable"] = True
        return {"name": one.name, "version": one.version, "directory": source}
    if one.direct == "vcs" and one.commit:
        kind = str(dict(direct_url(one).get("vcs_info") or {}).get("vcs", "git"))
        source = {"type": kind, "url": clean_url(one.source), "commit-id": one.commit}
        return {"name": one.name, "version": one.version, "vcs": source}
    digest = archive_hash(one)
    if digest:
        hashes = {"sha256": digest.removeprefix("sha256:")}
        url = clean_url(one.source)
        where = {"path": os.path.relpath(url, folder)} if url.startswith("/") else {"url": url}
        return {"name": one.name, "version": one.version, "archive": {**where, "hashes": hashes}}
    return None


def _by_wheel(
    one: Distribution, wheel: Wheel | None, before: Mapping[str, Archive], folder: str
) -> dict[str, Any] | None:
    """A distribution whose wheel is at hand."""
    if wheel is None:
        return None
    known = before.get(wheel.hash)
    name = wheel.name or (known.name if known else "") or next(iter(file_names(one)), "")
    where = wheel.url or (known.url if known else "")
    if where and "://" in where:
        source = {"url": where}
    elif wheel.path or where:
        source = {"path": os.path.relpath(wheel.path or where, folder).replace(os.sep, "/")}
    else:
        return None
    kept = {} if file_name(where or wheel.path) == name else {"name": name}
    found = {**kept, **source, "hashes": {"sha256": wheel.hash.removeprefix("sha256:")}}
    return {"name": one.name, "version": one.version, "wheels": [found]}


def _by_index(one: Distribution, files: Sequence[Archive]) -> dict[str, Any] | None:
    """A distribution as an index has it: the wheel of its tags, else the source that it was built from."""
    files = [file for file in files if "://" in file.url]
    names = {name.lower() for name in file_names(one)}
    wheel = next((file for file in files if file.name.lower() in names), None)
    if wheel is not None and wheel.hashes:
        return {"name": one.name, "version": one.version, "wheels": [_file(wheel)]}
    ends = (".tar.gz", ".zip")
    for file in files:
        if file.name.endswith(ends) and file.hashes:
            base = next(file.name[: -len(end)] for end in ends if file.name.endswith(end))
            if same_version(base.rpartition("-")[2], one.version):
                return {"name": one.name, "version": one.version, "sdist": _file(file)}
    return None


def _file(archive: Archive) -> dict[str, Any]:
    hashes = dict(value.split(":", 1) for value in archive.hashes)
    kept = {} if file_name(archive.url) == archive.name else {"name": archive.name}
    return {**kept, "url": archive.url, "hashes": hashes}


def _validate(data: bytes) -> None:
    """Have the owner of the format look at what is about to be written.

    Raises:
        UnwritableLockError: it is not accepted.
    """
    import tomllib  # noqa: PLC0415 - only where a lock is written

    from packaging.pylock import Pylock, PylockValidationError  # noqa: PLC0415 - likewise

    try:
        Pylock.from_dict(tomllib.loads(data.decode())).validate()
    except (PylockValidationError, ValueError) as error:
        raise UnwritableLockError(f"what is installed cannot be locked: {error}") from error
