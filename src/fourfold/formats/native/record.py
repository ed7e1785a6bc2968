"""Run records: what made one result, as a value and as canonical bytes whose BLAKE3 is the run's id.

The format is documented in ``docs/formats/run-record.md``. A record is small: what is long or shared by many
runs (every installed file, every path that was opened) is a *part*, a document of its own that the
record names by its digest. Where records are kept is `fourfold.runs.store`.
"""

import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, NewType

from fourfold.base.errors import InvalidFileError
from fourfold.formats.native.canonical import canonical, digest, parse
from fourfold.formats.native.fact import Fact, Section, parse_section, section_document

#: The id of a run: BLAKE3 of the bytes of its record, 64 hex digits.
RunId = NewType("RunId", str)
#: The digest of a part, likewise.
PartId = NewType("PartId", str)

SCHEMA = "fourfold.run/1"
#: No record from elsewhere is larger, in bytes: one has some kilobytes.
MOST_RECORD = 16 << 20
#: No run takes longer, in seconds: some thirty thousand years, and a number that every reader can show.
_LONGEST = 1e12
_ID = re.compile(r"[0-9a-f]{64}", re.ASCII)
#: The four, in their order.
COORDINATES = ("code", "data", "environment", "randomness")

State = Literal["succeeded", "failed", "timed-out", "interrupted", "not-recorded"]
STATES: tuple[State, ...] = ("succeeded", "failed", "timed-out", "interrupted", "not-recorded")


class BadRecordError(InvalidFileError):
    """A run record cannot be understood."""

    code = "bad-run-record"


class Outcome(NamedTuple):
    """How a run ended.

    Attributes:
        state: ``succeeded``; ``failed`` (a command said so), ``timed-out``, ``interrupted``, or
            ``not-recorded`` when all commands ran well and what came out could not be recorded (an output is
            missing).
        code: The exit code of the last command; negative for the signal that ended it.
    """

    state: State
    code: int = 0


class Times(NamedTuple):
    """When a run was.

    Attributes:
        started: UTC, ISO 8601 with microseconds and ``Z``.
        ended: Likewise.
        seconds: How long its commands took, by a clock that never jumps.
    """

    started: str
    ended: str
    seconds: float


class RunRecord(NamedTuple):
    """What made one result.

    Attributes:
        kind: ``stage``, ``command`` for `ff run`, or ``replay`` of a run of either kind.
        stage: The stage as the root of the project calls it (``train``, ``sub/dvc.yaml:train``); "" for a
            command.
        command: The lines that the shell ran, secrets struck out.
        outcome: How it ended.
        times: When it was.
        code: Commit, tree, sources: the facts of the first coordinate.
        data: Inputs, outputs, parameters.
        environment: Interpreter, distributions, libraries, host, image.
        randomness: Seed, what was injected, what cannot be seeded.
        trace: How it was observed, and what was found that is not declared.
        previous: The run before this one in the same project: its id; None for the first.
        tool: The version of Fourfold.
        more: Keys that this version does not know, as a later one wrote them: they are kept, and not read.
    """

    kind: Literal["stage", "command", "replay"]
    stage: str
    command: tuple[str, ...]
    outcome: Outcome
    times: Times
    code: Section
    data: Section
    environment: Section
    randomness: Section
    trace: Section
    previous: RunId | None
    tool: str
    more: Mapping[str, Any] = {}

    def section(self, name: str) -> Section:
        """The facts of a coordinate, or of ``trace``."""
        found: Section = getattr(self, name)
        return found

    def document(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            **self.more,
            "schema": SCHEMA,
            "kind": self.kind,
            "stage": self.stage,
            "command": list(self.command),
            "outcome": self.outcome._asdict(),
            "times": self.times._asdict(),
            **{name: section_document(self.section(name)) for name in (*COORDINATES, "trace")},
            "previous": self.previous,
            "tool": self.tool,
        }


#: The keys of a record.
_KNOWN = frozenset({"schema", *RunRecord._fields}) - {"more"}


def render(record: RunRecord) -> bytes:
    """The canonical bytes of a record."""
    return canonical(record.document())


def run_id(data: bytes) -> RunId:
    """The id of the record with these bytes."""
    return RunId(digest(data))


def part_reference(part: PartId, size: int) -> dict[str, Any]:
    """How a fact names a part: its value, or one in it."""
    return {"part": part, "size": size}


def parts_of(record: RunRecord) -> tuple[PartId, ...]:
    """The parts that a record names, each once, in the order of their names."""
    found: set[PartId] = set()

    def look(value: object) -> None:
        if isinstance(value, Mapping):
            part = value.get("part")
            if set(value) == {"part", "size"} and isinstance(part, str) and _ID.fullmatch(part):
                found.add(PartId(part))
                return
            for inner in value.values():
                look(inner)
        elif isinstance(value, list | tuple):
            for inner in value:
                look(inner)

    for name in (*COORDINATES, "trace"):
        for fact in record.section(name).values():
            look(fact.value)
    look(record.more)
    return tuple(sorted(found))


def is_id(text: str) -> bool:
    """Whether a text has the exact pattern of the id of a run or of a part."""
    return _ID.fullmatch(text) is not None


def parse_record(data: bytes, source: str = "run record") -> RunRecord:
    """Read a record.

    Raises:
        BadDocumentError, BadFactError, BadRecordError: it cannot be understood, or is of a later schema.
    """
    document = parse(data, source)
    schema = document.get("schema")
    if schema != SCHEMA:
        raise BadRecordError(
            f"{source} has schema {str(schema)[:40]!r}, not {SCHEMA!r}",
            hint="it was written by a later version of Fourfold: upgrade this one",
        )
    previous = document.get("previous")
    command = document.get("command")
    if previous is not None and not (isinstance(previous, str) and is_id(previous)):
        raise BadRecordError(f"{source}: 'previous' is no id of a run")
    if document.get("kind") not in ("stage", "command", "replay") or not (
        isinstance(command, list) and all(isinstance(line, str) for line in command)
    ):
        raise BadRecordError(f"{source}: 'kind' or 'command' is not what it must be")
    try:
        outcome = Outcome(**document["outcome"])
        times = Times(**document["times"])
        if not _is_sound(outcome, times):
            raise BadRecordError(f"{source}: 'outcome' or 'times' is not what it must be")
        sections: dict[str, dict[str, Fact]] = {
            name: parse_section(document[name], f"{source}: {name}") for name in (*COORDINATES, "trace")
        }
        return RunRecord(
            kind=document["kind"],
            stage=str(document["stage"]),
            command=tuple(command),
            outcome=outcome,
            times=times,
            **sections,
            previous=RunId(previous) if previous is not None else None,
            tool=str(document["tool"]),
            more={key: value for key, value in document.items() if key not in _KNOWN},
        )
    except (KeyError, TypeError) as error:
        raise BadRecordError(f"{source} lacks or has too much: {str(error)[:80]}") from error


def _is_sound(outcome: Outcome, times: Times) -> bool:
    """Whether values of these types are there: a record may come from elsewhere."""
    return (
        outcome.state in STATES
        and type(outcome.code) is int
        and all(isinstance(moment, str) for moment in (times.started, times.ended))
        and type(times.seconds) in {int, float}
        and 0 <= times.seconds < _LONGEST
    )
