"""Parting: what a run read, by what it counts to when a result is taken apart.

Parameters stand in the data of a record. Here they are held apart: a learning rate that moved is neither
code nor data to whoever asks what made a metric worse. The parameter from which the seed comes counts to
randomness. What else counts to code and what to data is `fourfold.runs.reading`. Pure.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from fourfold.formats.dvc.lock import DEFAULT_PARAMS
from fourfold.formats.native.record import RunRecord
from fourfold.runs import reading
from fourfold.runs.changes import Part, mapping, params_of, rows_of, saw_all, value_of
from fourfold.runs.codesources import is_code
from fourfold.runs.reading import code_folders, folders_of, prefix_of, shown, undeclared_of

__all__ = [
    "FACTORS",
    "Reads",
    "Row",
    "chosen_seed",
    "environment_of",
    "prefix_of",
    "profile_of",
    "reads_of",
    "seed_parameter",
    "sources_of",
    "switches_of",
]

#: What a result is parted by, in this order.
FACTORS = ("code", "data", "parameters", "environment", "randomness")
_FROM = "parameter "

Row = Mapping[str, Any]


class Reads(NamedTuple):
    """What one run read.

    Attributes:
        code: Source files by their Git ids, from the root of the repository.
        data: Declared inputs that are no code and no parameters: rows by path, from the root of the project.
        undeclared: Rows of other data that it was seen to read.
        files: Files of parameters, from the root of the project.
        parameters: Values by file and key, without the seed.
    """

    code: Mapping[str, str | None]
    data: Mapping[str, Row]
    undeclared: Mapping[str, Row]
    files: frozenset[str]
    parameters: Mapping[str, Mapping[str, Any]]


def reads_of(record: RunRecord, part: Part) -> Reads:
    """Part what a run read.

    Args:
        record: Of the run.
        part: Reads a part.
    """
    above = prefix_of(record)
    sources = sources_of(record, part)
    names = {path: shown(path, above) for path in sources}
    params = params_of(record, part)
    inputs = rows_of(record, "inputs")
    files = {str(file) for file in params} | {row["path"] for row in inputs if row.get("role") == "params"}
    folders = code_folders(sources, above)
    data = {
        row["path"]: row
        for row in inputs
        if row["path"] not in files and not is_code(row["path"]) and row["path"] not in folders
    }
    undeclared = {path: row for path, row in undeclared_of(record, part).items() if path not in files}
    held = {*data, *undeclared}
    code = {
        path: oid
        for path, oid in sources.items()
        if names[path] not in files
        and (is_code(path) or held.isdisjoint({names[path], *folders_of(names[path])}))
    }
    seed = seed_parameter(record)
    values = {
        str(file): {key: value for key, value in keys.items() if (file, key) != seed}
        for file, keys in params.items()
    }
    return Reads(code, data, undeclared, frozenset(files), values)


def sources_of(record: RunRecord, part: Part) -> Mapping[str, str | None]:
    """As `fourfold.runs.reading.sources_of`; nothing where that is not known."""
    return reading.sources_of(record, part) or {}


def seed_parameter(record: RunRecord) -> tuple[str, str] | None:
    """The file and key from which a run has its seed; None when it has it from elsewhere."""
    fact = record.randomness.get("seed")
    if fact is None or not fact.why.startswith(_FROM):
        return None
    file, _, key = fact.why.removeprefix(_FROM).rpartition(":")
    cwd = str(value_of(record.code, "cwd") or ".")
    folder = "" if cwd == "." else cwd + "/"
    return folder + (file or DEFAULT_PARAMS), key


def chosen_seed(record: RunRecord) -> Any:
    """The declared seed; None where it is drawn, and another one each time."""
    fact = record.randomness.get("seed")
    return fact.value if fact is not None and fact.grade == "declared" else None


def profile_of(record: RunRecord) -> tuple[Any, ...]:
    """The level of determinism and the profile of numerics: randomness but for the seed."""
    numerics = mapping(mapping(value_of(record.randomness, "numerics")).get("asked"))
    return value_of(record.randomness, "determinism"), dict(numerics)


def environment_of(record: RunRecord) -> Any:
    """What names the environment that a run had; None where that is not known.

    Where no Python ran, it is the programs and libraries that it was seen to use, if all of them were seen.
    """
    found = value_of(record.environment, "digest")
    if found is not None:
        return [found]
    used = [value_of(record.environment, name) for name in ("executables", "libraries")]
    return used if saw_all(record) and None not in used else None


def switches_of(record: RunRecord) -> dict[str, str]:
    """The environment variables that set numbers of threads, as the run found them.

    Those that its profile of numerics set are randomness, and not among them.
    """
    switches = mapping(mapping(value_of(record.environment, "threads")).get("switches"))
    put = mapping(value_of(record.randomness, "numerics")).get("set")
    ours = set(put) if isinstance(put, list) else set()
    return {
        str(name): value for name, value in switches.items() if isinstance(value, str) and name not in ours
    }
