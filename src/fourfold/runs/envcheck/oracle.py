"""What a locked hash contains: from the SHA-256 of a wheel to the digest of its normalized RECORD.

Installers do not keep the hash of the wheel that they unpacked, so that nothing leads from a lock to the
files of an environment. A wheel's own RECORD does: it is read once from a wheel that is at hand (`wheels`)
and remembered. Where no wheel is found, nothing is said.
"""

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

from fourfold.base.errors import FourfoldError
from fourfold.base.fs.atomic import write_atomic
from fourfold.formats.locks.model import Archive, Package
from fourfold.runs.envcheck.wheels import (
    MOST_RECORD,
    Wheel,
    file_names,
    of_pip,
    of_pip_by_url,
    of_uv,
    pip_bodies,
    read_wheel,
    stem,
    wheels_of,
)
from fourfold.runs.environment.distributions import Distribution

if TYPE_CHECKING:
    from fourfold.runs.place import Place

#: ``proven``: the files are those of a locked wheel. ``other``: of a wheel that is not locked. ``unknown``.
Proof = Literal["proven", "other", "unknown"]

_VERSION = 2
_FILE = ("runs", "facts", "wheels.json")
_MOST_KEPT = 20_000


class Oracle:
    """Knows what wheels contain.

    Args:
        place: Where it remembers.
        keep: Whether what it learns is written there.
        wheels: Wheels and folders of wheels that the caller names.
        search: Whether caches of installers are looked through.
    """

    def __init__(
        self, place: "Place", *, keep: bool, wheels: Sequence[str] = (), search: bool = True
    ) -> None:
        self._place = place
        self._keep = keep
        self._search = search
        self._file = os.path.join(place.own, *_FILE)
        self._known: dict[str, Wheel] = _held(self._file) if keep else {}
        self._learned = False
        self._bodies: dict[str, list[str]] | None = None
        for path in wheels_of(wheels):
            self._note(read_wheel(path))

    def ask(self, one: Distribution, packages: Sequence[Package], folder: str) -> Proof:
        """Whether what is installed is one of these locked packages.

        Args:
            one: What is installed.
            packages: What the lock has of its name and version.
            folder: The folder of the lock, which paths in it are relative to.
        """
        archives = [archive for package in packages for archive in package.archives]
        hashes = {value for archive in archives for value in archive.hashes if value.startswith("sha256:")}
        if one.record is None or not hashes:
            return "unknown"
        if not self._holds(one, hashes):
            for archive in archives:
                self._seek(archive, folder)
        if not self._holds(one, hashes):
            self._search_caches(one, hashes)
        if self._holds(one, hashes):
            return "proven"
        archived = archive_hash(one)
        if archived:
            return "proven" if archived in hashes else "other"
        return "other" if self._excluded(one, archives) else "unknown"

    def wheel_of(self, one: Distribution) -> Wheel | None:
        """A wheel with exactly the files of a distribution; one whose address is known before others."""
        if one.record is None:
            return None
        if not any(self._matches(one)):
            self._search_caches(one, ())
        found = sorted(self._matches(one), key=lambda wheel: (not wheel.url, not wheel.path, wheel.hash))
        return found[0] if found else None

    def _matches(self, one: Distribution) -> Iterable[Wheel]:
        return (wheel for wheel in self._known.values() if wheel.record == one.record)

    def save(self) -> None:
        """Write what was learned; a file system that refuses loses nothing but time."""
        if not (self._keep and self._learned):
            return
        with suppress(OSError, FourfoldError):
            self._place.make(*_FILE[:-1])
            kept = list(self._known.values())[-_MOST_KEPT:]
            document = {"version": _VERSION, "wheels": sorted([*wheel[:4]] for wheel in kept)}
            write_atomic(self._file, json.dumps(document).encode(), durable=False)

    def _holds(self, one: Distribution, hashes: Iterable[str]) -> bool:
        return any(value in self._known and self._known[value].record == one.record for value in hashes)

    def _excluded(self, one: Distribution, archives: Sequence[Archive]) -> bool:
        """Whether every wheel that the lock names for this version is known, and is another one."""
        wheels = [archive for archive in archives if archive.name.endswith(".whl")]
        names = {name.lower() for name in file_names(one)}
        mine = [archive for archive in wheels if archive.name.lower() in names]
        decisive = mine or (wheels if len(wheels) == len(archives) else [])
        return bool(decisive) and all(
            any(value in self._known for value in archive.hashes) for archive in decisive
        )

    def _seek(self, archive: Archive, folder: str) -> None:
        """Read an archive of the lock where it is at hand."""
        if not archive.name.endswith(".whl") or any(value in self._known for value in archive.hashes):
            return
        if archive.url.startswith("file://"):
            self._note(read_wheel(archive.url.removeprefix("file://")))
        elif archive.url and "://" not in archive.url:
            self._note(read_wheel(os.path.normpath(os.path.join(folder, archive.url))))
        elif archive.url and self._search:
            self._note(of_pip_by_url(archive.url, self._place.environ))

    def _search_caches(self, one: Distribution, hashes: Iterable[str]) -> None:
        if not self._search:
            return
        environ = self._place.environ
        for wheel in of_uv(one, environ):
            self._note(wheel)
        if self._holds(one, hashes):
            return
        if self._bodies is None:
            self._bodies = pip_bodies(environ)
        for path in self._bodies.get(stem(one.name, one.version), []):
            self._note(of_pip(path, one, environ))

    def _note(self, wheel: Wheel | None) -> None:
        if wheel is None:
            return
        held = self._known.get(wheel.hash)
        if held is None or (wheel.url and not held.url) or (wheel.path and not held.path):
            merged = wheel if held is None else wheel._replace(url=wheel.url or held.url)
            self._known[wheel.hash] = merged
            self._learned = True


def _held(file: str) -> dict[str, Wheel]:
    with suppress(OSError, ValueError, TypeError, KeyError, RecursionError, AttributeError):
        with open(file, "rb") as source:
            document = json.loads(source.read(MOST_RECORD))
        if document.get("version") == _VERSION:
            wheels = [Wheel(*(str(value) for value in row)) for row in document["wheels"]]
            return {wheel.hash: wheel for wheel in wheels}
    return {}


def direct_url(one: Distribution) -> Mapping[str, Any]:
    """What the installer noted of a distribution that was named by its address (PEP 610); empty without."""
    with suppress(OSError, ValueError, RecursionError):
        with open(os.path.join(one.folder, "direct_url.json"), "rb") as file:
            value = json.loads(file.read(65536))
        if isinstance(value, dict):
            return value
    return {}


def archive_hash(one: Distribution) -> str:
    """The hash that the installer kept of an archive that was named by its address; "" for none."""
    if one.direct != "archive":
        return ""
    info = direct_url(one).get("archive_info")
    if not isinstance(info, Mapping):
        return ""
    hashes = info.get("hashes")
    value = hashes.get("sha256") if isinstance(hashes, Mapping) else None
    if value is None and isinstance(info.get("hash"), str):
        value = info["hash"].removeprefix("sha256=")
    return f"sha256:{value}" if isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) else ""
