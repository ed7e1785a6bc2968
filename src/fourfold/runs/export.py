"""A run as one document: its record and all parts, which prove themselves; or as a page for people to read.

The document is ``{"schema", "run", "record", "parts", "missing", "statements"}``. Whoever reads it computes
the ids again from the canonical bytes: one changed letter is found. Format: docs/formats/run-record.md.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from fourfold.base.errors import CorruptError, FourfoldError, UnsupportedError
from fourfold.formats.native.canonical import canonical, digest, parse
from fourfold.formats.native.fact import Fact
from fourfold.formats.native.record import COORDINATES, RunId, RunRecord, parse_record, parts_of
from fourfold.runs import envelopes
from fourfold.runs.changes import reference
from fourfold.runs.store import RunNotFoundError

if TYPE_CHECKING:
    from fourfold.runs.store import Records

SCHEMA = "fourfold.run-export/1"
#: A value is shown up to this length.
_SHOWN = 160


class ExportCorruptError(CorruptError):
    """A document that should hold a run is not what its ids say, or is none."""

    code = "run-export-corrupt"
    default_hint = "export the run again where it was made"


class NotExportableError(UnsupportedError):
    """A record or part has other bytes than a JSON document can say: a key stands twice, for instance."""

    code = "run-not-exportable"
    default_hint = "an archive keeps bytes as they are: ff export RUN"


class Exported(NamedTuple):
    """A run and all that it names.

    Attributes:
        id: Of the run.
        record: Its record.
        said: The same as its bytes say it, with all that this version does not know.
        parts: Its parts, by id.
        missing: Ids of parts that were not there when it was exported.
        statements: What is stated of it: the text of each envelope, by its id. Who signed is not asked.
    """

    id: RunId
    record: RunRecord
    said: Mapping[str, Any]
    parts: Mapping[str, Mapping[str, Any]]
    missing: tuple[str, ...] = ()
    statements: Mapping[str, str] = {}

    def document(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            "schema": SCHEMA,
            "run": self.id,
            "record": dict(self.said),
            "parts": dict(self.parts),
            "missing": list(self.missing),
            **({"statements": dict(self.statements)} if self.statements else {}),
        }

    def text(self) -> str:
        """The document as it is written."""
        return json.dumps(self.document(), indent=1, sort_keys=True) + "\n"


def export(records: "Records", run: RunId) -> Exported:
    """Gather a run.

    Raises:
        RunNotFoundError: it is not here.
        RecordCorruptError: it, or a part of it, is damaged.
        NotExportableError: the document would have another id.
    """
    record = records.get(run)
    said = _exact(parse(records.read("records", run), f"run {run[:12]}"), run, "record of run")
    parts: dict[str, Mapping[str, Any]] = {}
    missing = []
    for name in parts_of(record):
        try:
            parts[name] = _exact(records.part(name), name, "part")
        except RunNotFoundError:
            missing.append(name)
    stated = {}
    for each in envelopes.names(records, run):
        with suppress(UnicodeDecodeError, FourfoldError):
            stated[each] = envelopes.read(records, run, each).decode()
    return Exported(run, record, said, parts, tuple(missing), stated)


def _exact(document: dict[str, Any], name: str, what: str) -> dict[str, Any]:
    """A document, where its canonical bytes are those that have the id: whoever reads it computes these."""
    if digest(canonical(document)) != name:
        raise NotExportableError(
            f"the {what} {name[:12]} is not written as records are: no export could say it"
        )
    return document


def read(data: bytes, source: str = "run export") -> Exported:
    """Read such a document, every id computed again.

    Raises:
        ExportCorruptError: something in it is not what its id says.
        FourfoldError: it is no such document.
    """
    document = parse(data, source)
    run, record, parts, missing = (document.get(key) for key in ("run", "record", "parts", "missing"))
    if document.get("schema") != SCHEMA or not isinstance(record, dict) or not isinstance(parts, dict):
        raise ExportCorruptError(f"{source} is no export of a run")
    stored = canonical(record)
    if digest(stored) != run:
        raise ExportCorruptError(f"the record in {source} is not that of run {str(run)[:12]!r}")
    for name, part in parts.items():
        if not isinstance(part, dict) or digest(canonical(part)) != name:
            raise ExportCorruptError(f"part {name[:12]!r} in {source} has other content than its name says")
    value = parse_record(stored, source)
    gone = tuple(str(name) for name in missing) if isinstance(missing, list) else ()
    if {*parts, *gone} != set(parts_of(value)):
        raise ExportCorruptError(f"{source} does not have exactly the parts that its record names")
    stated = document.get("statements", {})
    for name, text in stated.items() if isinstance(stated, dict) else [("", None)]:
        if not isinstance(text, str) or _digest(text) != name:
            raise ExportCorruptError(
                f"statement {name[:12]!r} in {source} has other bytes than its name says"
            )
    return Exported(RunId(str(run)), value, record, parts, gone, stated)


def _digest(text: str) -> str:
    """BLAKE3 of a text in UTF-8; "" for one that has no such bytes."""
    try:
        return digest(text.encode())
    except UnicodeEncodeError:
        return ""


# --- for people -------------------------------------------------------------------------------------------


def markdown(run: Exported) -> Iterator[str]:
    """The lines of a page: what ran, how it ended, the four coordinates with their grades."""
    record = run.record
    yield f"# Run {run.id[:12]}{': ' + _escaped(record.stage) if record.stage else ''}"
    yield ""
    yield f"- outcome: {record.outcome.state} (exit code {record.outcome.code})"
    yield f"- started: {_escaped(record.times.started)}, {record.times.seconds:.3f} s"
    yield f"- id: `{run.id}`"
    if record.previous is not None:
        yield f"- after: `{record.previous}`"
    yield ""
    yield from _code("\n".join(record.command))
    for name in (*COORDINATES, "trace"):
        yield f"## {name.capitalize()}"
        yield ""
        yield "| fact | how it is known | value |"
        yield "|---|---|---|"
        for fact, said in sorted(record.section(name).items()):
            yield f"| {_escaped(fact)} | {said.grade}{_why(said)} | {_escaped(_value(said, run))} |"
        yield ""


def _why(fact: Fact) -> str:
    return f": {_escaped(fact.why)}" if fact.why else ""


def _value(fact: Fact, run: Exported) -> str:
    if fact.grade == "absent":
        return ""
    name = reference(fact.value)
    value = run.parts.get(name, fact.value) if name is not None else fact.value
    text = value if isinstance(value, str) else canonical(value).decode(errors="replace")
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text):,} characters)"


def _escaped(text: str) -> str:
    """Text in a cell of a table, where it can be nothing else."""
    text = " ".join(text.split())
    for letter in "\\`*_{}[]<>|#":
        text = text.replace(letter, "\\" + letter)
    return text


def _code(text: str) -> Iterator[str]:
    fence = "```"
    while fence in text:
        fence += "`"
    yield fence + "sh"
    yield from text.split("\n")
    yield fence
    yield ""
