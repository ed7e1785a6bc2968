"""An environment of Python that stands on this machine, and how it differs from a recorded one.

Which of several is taken, and what is done when none fits, is `fourfold.evidence.replaying.surroundings`.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from fourfold.base.events import silent
from fourfold.formats.native.record import RunRecord
from fourfold.runs import sites
from fourfold.runs.changes import Part, mapping, opened, value_of
from fourfold.runs.environment import distributions, interpreter
from fourfold.runs.environment.asking import ask
from fourfold.runs.environment.libraries import Asked
from fourfold.runs.environment.naming import names_of
from fourfold.runs.environment.remembered import remembered

if TYPE_CHECKING:
    from fourfold.runs.place import Place

Listing = Mapping[str, Mapping[str, Any]]
_WORDS = {"implementation": "the implementation of Python", "version": "Python", "platform": "the platform"}
#: Of a repository itself, not of an index.
_FOLDERS = frozenset({"editable", "dir"})


_answers: dict[
    tuple[str, frozenset[tuple[str, str]]], tuple[Mapping[str, Any], tuple[object, ...] | None]
] = {}


class Recorded(NamedTuple):
    """What a record says of the Python of a run.

    Attributes:
        digest: Names its environment; "" where no Python ran.
        interpreter: The fact: ``version implementation platform machine executable prefix``.
        portable: Of that, what the digest names.
        listing: Its distributions, by name; empty where that part is not here.
    """

    digest: str
    interpreter: Mapping[str, Any]
    portable: Mapping[str, str]
    listing: Listing


class Standing(NamedTuple):
    """One environment of this machine.

    Attributes:
        executable: Its interpreter, absolute.
        prefix: Its folder.
        digest: Names it.
        portable: Of the interpreter, what the digest names.
        listing: Its distributions, by name, as a record lists them.
        path: Its ``sys.path``, absolute folders.
        inside: Folders that its files may lie in.
        installed: Where each distribution is, by name.
    """

    executable: str
    prefix: str
    digest: str
    portable: Mapping[str, str]
    listing: Listing
    path: tuple[str, ...]
    inside: tuple[str, ...] = ()
    installed: Mapping[str, distributions.Distribution] = {}


class Compared(NamedTuple):
    """How an environment differs from a recorded one.

    Attributes:
        counted: What may matter, in words; what the run imported comes first.
        aside: What does not: installers that the run did not import.
    """

    counted: tuple[str, ...]
    aside: tuple[str, ...] = ()


def recorded(record: RunRecord, part: Part) -> Recorded:
    """What a record says; what is not as expected, or not here, is empty."""
    digest = value_of(record.environment, "digest")
    described = mapping(value_of(record.environment, "interpreter"))
    listing = mapping(opened(value_of(record.environment, "distributions"), part))
    rows = {str(name): row for name, row in listing.items() if isinstance(row, Mapping)}
    return Recorded(
        digest if isinstance(digest, str) else "", described, interpreter.portable(described), rows
    )


def look(place: "Place", executable: str, environ: Mapping[str, str]) -> Standing:
    """What an interpreter has.

    Args:
        place: Whose caches are used; in paths, its root is the project's.
        executable: Absolute path.
        environ: What it starts in.

    Raises:
        SilentPythonError: it cannot be run, or does not tell about itself.
    """
    python = interpreter.pythons((_told(executable, environ),))[0]
    names = names_of(place.root, environ, python.first)
    now = place.clock.now_ns()
    known = remembered(place, "distributions")
    path = tuple(entry for entry in interpreter.listing(python.first, "path") if isinstance(entry, str))
    found = distributions.installed(path, known, now)
    known.save(place)
    described = interpreter.describe(python, names, Asked(remembered(place, "files"), now))
    listing = distributions.document(found, (), names.shown)
    portable = interpreter.portable(described)
    prefix, base = (interpreter.text(python.first, key) for key in ("prefix", "base_prefix"))
    folders = tuple(distributions.sites_of(path))
    digest = sites.digest_of(portable, listing)
    inside = (prefix, base, *(one.site for one in found.values()))
    return Standing(
        executable, prefix, digest, portable, listing, folders, tuple(dict.fromkeys(inside)), found
    )


def _told(executable: str, environ: Mapping[str, str]) -> Mapping[str, Any]:
    """What an interpreter tells of itself; asked once, as long as its files and folders are as they were.

    Whoever compares many replays chooses an environment for each of them, and it is mostly the same.
    """
    key = executable, frozenset(environ.items())
    answer, marks = _answers.get(key, ({}, None))
    if marks is None or marks != _marks(executable, answer):
        answer = ask(executable, environ)
        _answers[key] = answer, _marks(executable, answer)
    return answer


def _marks(executable: str, answer: Mapping[str, Any]) -> tuple[object, ...]:
    """What moves when an interpreter, its settings or a folder that it imports from does."""
    config = os.path.join(os.path.dirname(os.path.dirname(executable)), "pyvenv.cfg")
    marks: list[object] = []
    for path in (executable, config, *interpreter.listing(answer, "path")):
        try:
            status = os.stat(path)
            marks.append((path, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns))
        except (OSError, ValueError, TypeError):
            marks.append((path, None))
    return tuple(marks)


def altered(place: "Place", standing: Standing, names: Iterable[str] | None = None) -> tuple[str, ...]:
    """Distributions whose files are not those of their RECORD any more, in words.

    What did not move since it was read last is not read again. What the system's packages brought is left
    out: these change their files.

    Args:
        place: Whose caches are used.
        standing: The environment.
        names: Those that are looked at; None for all.
    """
    from fourfold.runs.envcheck.findings import of_system  # noqa: PLC0415 - loaded by few replays
    from fourfold.runs.envcheck.rehash import read_record, rehash  # noqa: PLC0415 - likewise

    wanted = set(standing.installed if names is None else names)
    looked = [one for name, one in standing.installed.items() if name in wanted and not of_system(one)]
    rows = [
        row
        for number, one in enumerate(looked)
        if one.direct != "editable"
        for row in read_record(one.folder, one.site, number) or ()
    ]
    known = remembered(place, "rehash")
    found = rehash(rows, standing.inside, known, place.clock.now_ns(), silent)
    known.save(place)
    wrong: dict[str, list[str]] = {}
    for verdict in found.wrong:
        if verdict.state not in {"unknown", "outside"}:
            one = looked[verdict.row.owner]
            wrong.setdefault(f"{one.name} {one.version}", []).append(verdict.row.shown)
    return tuple(
        f"{name}: {files[0][:200]} is not what was installed"
        + (f" (and {len(files) - 1} more files)" if len(files) > 1 else "")
        for name, files in wrong.items()
    )


def compare(before: Recorded, now: Standing, *, partial: bool = False) -> Compared:
    """How an environment differs from a recorded one; nothing where it is that one.

    A distribution that was installed from a folder of the project is code, not environment: its version is
    compared, the paths in its RECORD are not.

    Args:
        before: The recorded one.
        now: The other one.
        partial: Only what the run imported counts.
    """
    if before.digest == now.digest:
        return Compared(())
    from fourfold.runs.lockcheck.compare import SEEDS  # noqa: PLC0415 - mostly they are equal

    told = [
        f"{_WORDS[key]} is {now.portable.get(key)}, recorded is {before.portable.get(key)}"
        for key in _WORDS
        if now.portable.get(key) != before.portable.get(key)
    ]
    if not before.listing:
        return Compared((*told, "its distributions are others; the list of the recorded ones is not here"))
    counted, aside = [], []
    for name, text in _differing(before.listing, now.listing):
        imported = before.listing.get(name, {}).get("imported") is True
        if (partial or name in SEEDS) and not imported:
            aside.append(f"{text} (the run did not import it)")
        else:
            counted.append((not imported, text))
    return Compared((*told, *(text for _, text in sorted(counted, key=lambda one: one[0]))), tuple(aside))


def _differing(before: Listing, now: Listing) -> Iterator[tuple[str, str]]:
    for name in sorted({*before, *now}):
        one, other = before.get(name), now.get(name)
        if one is None:
            yield name, f"{name} {_version(other)} is installed and was not"
        elif other is None:
            if not is_of_project(one):
                yield name, f"{name} {_version(one)} is not installed"
        elif _version(one) != _version(other):
            yield name, f"{name} is {_version(other)}, recorded is {_version(one)}"
        elif one.get("record") != other.get("record") and not (is_of_project(one) and is_of_project(other)):
            yield name, f"{name} {_version(one)} has other files than recorded"


def is_of_project(row: Mapping[str, Any]) -> bool:
    """Whether a distribution was installed from a folder of the project."""
    source = row.get("source")
    return (
        row.get("direct") in _FOLDERS
        and isinstance(source, str)
        and not source.startswith(("/", "~"))
        and "://" not in source
    )


def _version(row: Mapping[str, Any] | None) -> str:
    return str((row or {}).get("version", "?"))[:80]


def candidates(place: "Place", before: Recorded, commands: Iterable[str] = ()) -> Iterator[str]:
    """Interpreters that may be the recorded one, absolute, each once: what a stage would find comes first.

    That is the one that its commands name by its place, else that of PATH. Then where that environment stood
    on this machine when it was seen last, then the place that the record names: a record may come from a
    stranger, and only what is called like a Python is believed to be one.
    """
    from fourfold.runs.environment.asking import pythons_among  # noqa: PLC0415 - see `ask`

    site = sites.site_of(place, before.digest) if before.digest else None
    ahead = [
        _called(place, before, commands),
        _first(place, before),
        site.executable if site is not None else None,
        _named(place, before),
    ]
    for path in dict.fromkeys(ahead):
        if path is not None and pythons_among([path]) and os.access(path, os.X_OK) and os.path.isfile(path):
            yield path


def present(place: "Place", before: Recorded, commands: Iterable[str]) -> Iterator[str]:
    """The interpreter that a stage would find now, if any: the one that its commands name, else that of PATH.

    An environment that stood elsewhere once, or that was built for a replay, is none.
    """
    called = _called(place, before, commands)
    found = called if called in set(candidates(place, before)) else _first(place, before)
    if found is not None:
        yield found


def _called(place: "Place", before: Recorded, commands: Iterable[str]) -> str | None:
    """The interpreter that the record names, where commands call it by its place."""
    named = _named(place, before)
    if named is None:
        return None
    prefix = os.path.dirname(os.path.dirname(named))
    shown = (f"{os.path.relpath(prefix, place.root)}/", f"{prefix}/")
    return named if any(each in line for line in commands for each in shown) else None


def _first(place: "Place", before: Recorded) -> str | None:
    """The interpreter that stands first on PATH, by the recorded name or a usual one."""
    from fourfold.runs.environment.asking import pythons_among  # noqa: PLC0415 - see `ask`

    named = os.path.basename(str(before.interpreter.get("executable", "")))
    names = (*pythons_among([named]), "python", "python3")
    found = (sites.which(name, place.environ) for name in names if name)
    return next((path for path in found if path is not None), None)


def _named(place: "Place", before: Recorded) -> str | None:
    """The interpreter that the record names, as a path of this machine."""
    prefix, executable = (str(before.interpreter.get(key, "")) for key in ("prefix", "executable"))
    home = place.environ.get("HOME", "")
    if executable.startswith("{prefix}/"):
        executable = os.path.join(prefix, executable.removeprefix("{prefix}/"))
    if not executable or executable.startswith("{"):
        return None
    if executable.startswith("~/"):
        executable = os.path.join(home, executable[2:])
    path = os.path.normpath(os.path.join(place.root, executable))
    return path if os.path.isabs(path) else None
