"""The name of an environment, and where it is on this machine, so that it can be looked at again later.

Where it is is a cache that may be lost. Asking starts no interpreter.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from blake3 import blake3

from fourfold.base.errors import FourfoldError
from fourfold.base.fs.atomic import write_atomic
from fourfold.formats.native.canonical import canonical

if TYPE_CHECKING:
    from fourfold.runs.place import Place

_FOLDER = ("runs", "facts")
_FILE = "sites.json"
VERSION = 1
#: No more environments are remembered; the newest stay.
_MOST = 50
#: What a distribution leaves beside its modules.
_KINDS = (".dist-info", ".egg-info", ".egg-link")
#: Names by which commands find an interpreter.
_NAMES = ("python", "python3")


class Site(NamedTuple):
    """One environment on this machine.

    Attributes:
        path: Its ``sys.path``.
        executable: The interpreter, absolute.
        binary: Size, time and inode of the program behind it.
        name: The name that led to it on the search path; "" when it was started otherwise.
        portable: Of the interpreter, what the digest of the environment names.
        stamp: Of what is installed, see `stamp_of`.
    """

    path: tuple[str, ...]
    executable: str
    binary: tuple[int, ...]
    name: str
    portable: Mapping[str, str]
    stamp: str


def digest_of(portable: Mapping[str, str], listing: Mapping[str, Mapping[str, Any]]) -> str:
    """The name of an environment, see `fourfold.runs.environment.section.environment_digest`.

    Args:
        portable: Of the interpreter, what can be the same on two machines.
        listing: ``version`` and ``record`` of each distribution.
    """
    found = {name: [entry["version"], entry["record"]] for name, entry in listing.items()}
    return blake3(canonical({**portable, "distributions": found})).hexdigest()


def note(place: "Place", digest: str, report: Mapping[str, Any], portable: Mapping[str, str]) -> None:
    """Remember where an environment is.

    Args:
        place: Whose cache.
        digest: Of the environment.
        report: What its process of Python told.
        portable: See `Site`.
    """
    executable, path = report.get("executable"), report.get("path")
    if not isinstance(executable, str) or not isinstance(path, list | tuple):
        return
    found = Site(
        tuple(entry for entry in path if isinstance(entry, str) and os.path.isabs(entry)),
        executable,
        binary_of(executable),
        next((name for name in _NAMES if which(name, place.environ) == executable), ""),
        dict(portable),
        stamp_of(path),
    )
    known = _all(place)
    if known.get(digest) == found:
        return
    known.pop(digest, None)
    known[digest] = found
    newest = dict(list(known.items())[-_MOST:])
    document = {"version": VERSION, "sites": {key: list(site) for key, site in newest.items()}}
    with suppress(OSError, FourfoldError):
        folder = place.make(*_FOLDER)
        write_atomic(os.path.join(folder, _FILE), json.dumps(document).encode(), durable=False)


def site_of(place: "Place", digest: str) -> Site | None:
    """Where an environment is; None when that is not known here."""
    return _all(place).get(digest)


def binary_of(executable: str) -> tuple[int, ...]:
    """What tells whether a program was replaced."""
    try:
        found = os.stat(executable)
    except OSError:
        return ()
    return found.st_size, found.st_mtime_ns, found.st_ino


def stamp_of(path: Iterable[object]) -> str:
    """What tells whether the distributions on a ``sys.path`` are still those, without reading one of them.

    The names of their folders, and what `stat` says of the RECORD (else of the folder) of each.
    """
    found = hashlib.sha256()
    for site in path:
        if not isinstance(site, str) or not os.path.isabs(site):
            continue
        try:
            names = os.listdir(site)
        except OSError:
            continue
        for name in sorted(names):
            if not name.endswith(_KINDS):
                continue
            folder = os.path.join(site, name)
            try:
                state = os.stat(os.path.join(folder, "RECORD") if name.endswith(_KINDS[0]) else folder)
            except OSError:
                found.update(os.fsencode(f"{folder}\0"))
                continue
            found.update(os.fsencode(f"{folder}\0{state.st_size} {state.st_mtime_ns} {state.st_ctime_ns}\0"))
    return found.hexdigest()


def which(name: str, environ: Mapping[str, str]) -> str | None:
    """The program of a name on a search path, as it is called there; relative entries are passed over."""
    for folder in environ.get("PATH", os.defpath).split(os.pathsep):
        path = os.path.join(folder, name)
        if os.path.isabs(folder) and os.access(path, os.X_OK) and os.path.isfile(path):
            return path
    return None


def _all(place: "Place") -> dict[str, Site]:
    try:
        with open(os.path.join(place.own, *_FOLDER, _FILE), "rb") as file:
            document = json.loads(file.read())
        if document["version"] != VERSION:
            return {}
        return {
            digest: Site(tuple(path), executable, tuple(binary), name, portable, stamp)
            for digest, (path, executable, binary, name, portable, stamp) in document["sites"].items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
