"""What of a stage's four coordinates is not any more what ``fourfold.lock`` says.

Only what can be told in a few milliseconds is looked at, and no process is started: source files by their
content, distributions by their metadata, files of locks by their digest, declarations as they are. What the
lock file alone cannot tell (which source files there were) its record tells, where that is here; where it is
not, nothing is said. Data is not looked at: `fourfold.project.status` does that.
"""

import os
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from fourfold.base.errors import FourfoldError
from fourfold.base.fs.reading import read_file
from fourfold.base.ids import is_unsafe_path
from fourfold.formats.native.canonical import digest as blake3_of
from fourfold.runs.task import Numerics, Task
from fourfold.runs.used import Used, UsedBook
from fourfold.scm.refs import find_root

if TYPE_CHECKING:
    from fourfold.formats.native.lockfile import LockStage
    from fourfold.runs.place import Place
    from fourfold.runs.store import Records
    from fourfold.runs.task import Declared

Coordinate = Literal["code", "environment", "randomness", "variables"]


class Drift(NamedTuple):
    """One thing that differs.

    Attributes:
        coordinate: Of the four; ``variables`` are declared environment variables.
        name: A file, a distribution, a switch, the name of a variable.
        before: What the lock file, or its record, says; None for nothing, and for what is not to be told.
        now: What it is now; likewise.
    """

    coordinate: Coordinate
    name: str
    before: Any = None
    now: Any = None


class Drifts:
    """Compares stages of one place; what several share is looked at once."""

    def __init__(self, place: "Place", records: "Records") -> None:
        self._place = place
        self._used = UsedBook(place, records)
        self._root = find_root(place.root) or place.root
        self._oids: dict[str, str | None] = {}
        self._environments: dict[str, tuple[Drift, ...]] = {}
        self._locks: dict[str, str | None] = {}

    def of(self, entry: "LockStage", declared: "Declared", data: Collection[str] = ()) -> tuple[Drift, ...]:
        """What differs for one stage.

        Args:
            entry: What ``fourfold.lock`` says of it.
            declared: What it declares now.
            data: Absolute paths that it declares to read or write: no code of its own.
        """
        used = self._used.of(entry.run)
        return (
            *self._code(used, data),
            *self._environment(entry, declared),
            *_randomness(entry, declared, used),
            *self._variables(entry, declared),
        )

    def save(self) -> None:
        """Remember what was found out, for the next time."""
        self._used.save()

    # --- code ---

    def _code(self, used: Used | None, data: Collection[str]) -> Iterator[Drift]:
        """Source files that the run really used and that are not what they were."""
        differing = []
        for name, oid in used.files.items() if used is not None else ():
            path = os.path.join(self._root, name)
            if self._oid(path, len(oid)) != oid and not _within(path, data):
                differing.append((name, path, oid))
        if not differing:
            return
        converted = self._converted([name for name, _, _ in differing])
        for name, path, oid in differing:
            now = converted.get(name, self._oids[path])
            if now != oid:
                yield Drift("code", name, oid, now)

    def _oid(self, path: str, length: int) -> str | None:
        """The id that Git gives to a file's bytes as they are; None when it is not there."""
        if path not in self._oids:
            from fourfold.scm.blobs import blob_id  # noqa: PLC0415 - only where there is something to compare

            try:
                content = os.fsencode(os.readlink(path)) if os.path.islink(path) else read_file(path)
                self._oids[path] = blob_id(content, long=length > 40)
            except (OSError, FourfoldError):
                self._oids[path] = None
        return self._oids[path]

    def _converted(self, names: list[str]) -> dict[str, str]:
        """What Git would store of files whose bytes differ: their line ends may be converted."""
        there = [name for name in names if self._oids[os.path.join(self._root, name)] is not None]
        if not there:
            return {}
        from fourfold.scm import worktree  # noqa: PLC0415 - as above
        from fourfold.scm.git import Git  # noqa: PLC0415 - as above

        try:
            git = Git(self._root, self._place.environ)
            known = worktree.settings(git, self._place.environ)
            reader = worktree.Reader(git, self._place.environ, known)
            wanted = []
            for name in there:
                kind = worktree.kind_of(os.path.join(self._root, name), modes=known.modes)
                if kind is not None:
                    wanted.append((name, kind[0]))
            return {name: blob.oid for name, blob in reader.read(wanted).items()}
        except FourfoldError:
            return {}

    # --- environment ---

    def _environment(self, entry: "LockStage", declared: "Declared") -> Iterator[Drift]:
        if entry.lock:
            name, _, recorded = entry.lock.rpartition("@")
            if name not in self._locks:
                self._locks[name] = self._digest_of(name)
            now = self._locks[name]
            if name and now != recorded:
                yield Drift("environment", name, recorded, now)
        image = (entry.image or "").partition("@")[0]
        if declared.image and image and declared.image.partition("@")[0] != image:
            yield Drift("environment", "image", entry.image, declared.image)
        if entry.environment:
            if entry.environment not in self._environments:
                self._environments[entry.environment] = tuple(self._installed(entry))
            yield from self._environments[entry.environment]

    def _digest_of(self, name: str) -> str | None:
        if is_unsafe_path(name) or os.path.isabs(name):
            return None
        try:
            return blake3_of(read_file(os.path.join(self._place.root, name)))
        except (OSError, FourfoldError):
            return None

    def _installed(self, entry: "LockStage") -> Iterator[Drift]:
        """How the environment of a run has changed where it stands on this machine."""
        digest = entry.environment or ""
        from fourfold.runs import sites  # noqa: PLC0415 - only where there is something to compare

        site = sites.site_of(self._place, digest)
        if site is None:
            return
        now = sites.which(site.name, self._place.environ) if site.name else site.executable
        if now != site.executable:
            yield Drift("environment", site.name, site.executable, now)
            return
        if sites.binary_of(site.executable) != site.binary:
            yield Drift("environment", "interpreter", site.executable, "another program by that name")
        if sites.stamp_of(site.path) == site.stamp:
            return
        from fourfold.runs.environment import distributions  # noqa: PLC0415 - something has moved
        from fourfold.runs.environment.remembered import remembered  # noqa: PLC0415 - as above

        known = remembered(self._place, "distributions")
        found = distributions.installed(site.path, known, self._place.clock.now_ns())
        known.save(self._place)
        listing = {name: {"version": one.version, "record": one.record} for name, one in found.items()}
        if sites.digest_of(site.portable, listing) == digest:
            return
        record = self._used.record(entry.run)
        fact = record.environment.get("distributions") if record is not None else None
        recorded = self._used.part(fact.value if fact is not None else None)
        told = False
        for name in sorted({*recorded, *listing} if recorded else ()):
            old, new = recorded.get(name), listing.get(name)
            before, after = _version(old), _version(new)
            if before != after:
                told = True
                yield Drift("environment", name, before, after)
            elif old and new and old.get("record") != new["record"]:
                told = True
                yield Drift("environment", name, before, f"{after}, other files")
        if not told:
            yield Drift("environment", "distributions")

    # --- declared variables ---

    def _variables(self, entry: "LockStage", declared: "Declared") -> Iterator[Drift]:
        if not entry.env and not declared.env:
            return
        from fourfold.runs import envdeps  # noqa: PLC0415 - few stages declare any

        try:
            now = envdeps.digests(self._place, declared.env, self._place.environ, draw=False)
        except FourfoldError:
            return
        for name in sorted({*entry.env, *declared.env}):
            if name not in now:
                yield Drift("variables", name, "declared", "not declared")
            elif name not in entry.env:
                yield Drift("variables", name, "not declared", "declared")
            elif envdeps.compare(entry.env[name], now[name]) == "changed":
                yield Drift("variables", name)


def _within(path: str, places: Collection[str]) -> bool:
    """Whether a path is one of some places, or below one."""
    while path not in places:
        above = os.path.dirname(path)
        if above == path:
            return False
        path = above
    return True


def _version(entry: object) -> str | None:
    version = entry.get("version") if isinstance(entry, Mapping) else None
    return version if isinstance(version, str) else None


def _randomness(entry: "LockStage", declared: "Declared", used: Used | None) -> Iterator[Drift]:
    """What is declared of chance, against what was declared when the stage ran."""
    if declared.seed is not None:
        if declared.seed != entry.seed:
            yield Drift("randomness", "seed", entry.seed, declared.seed)
    elif used is not None and used.declared and entry.seed is not None:
        yield Drift("randomness", "seed", entry.seed, "drawn")
    if entry.determinism and declared.determinism != entry.determinism:
        yield Drift("randomness", "determinism", entry.determinism, declared.determinism)
    if (
        entry.numerics
        or declared.numerics != Numerics()
        or "strict" in {entry.determinism, declared.determinism}
    ):
        now = _numerics(declared)
        for name in sorted({*entry.numerics, *now}):
            if entry.numerics.get(name) != now.get(name):
                yield Drift("randomness", f"numerics.{name}", entry.numerics.get(name), now.get(name))


def _numerics(declared: "Declared") -> dict[str, Any]:
    """The profile that a run would be given now."""
    from fourfold.runs.randomness import plan  # noqa: PLC0415 - few stages have one

    task = Task("stage", "", (), "", "", {}, declared)
    return {
        key: value for key, value in plan(task, lambda: 0).numerics._asdict().items() if value is not None
    }
