"""``ff runs show``: what is known of one run, by coordinate, and how it is known."""

import argparse
import json
from collections.abc import Iterator, Mapping
from typing import Any

from fourfold.base.errors import FourfoldError
from fourfold.cli import runs
from fourfold.cli.evidence import RUN
from fourfold.cli.options import completes, ours
from fourfold.cli.outcome import Outcome
from fourfold.cli.render import Style
from fourfold.cli.session import Session
from fourfold.formats.native.fact import Fact
from fourfold.formats.native.record import COORDINATES, RunId, RunRecord, parts_of
from fourfold.runs import envelopes
from fourfold.runs.changes import Part
from fourfold.runs.store import Records
from fourfold.runs.words import SHORT, told

#: So many files, distributions or findings are named.
_MOST = 12
_GRADE = 9


def configure(parser: argparse.ArgumentParser) -> None:
    """Define its arguments."""
    completes(
        parser.add_argument(
            "run",
            nargs="?",
            default="@",
            metavar="<run>",
            help=f"{RUN}; else the last",
        ),
        "none",
    )
    ours(parser.add_argument("--parts", action="store_true", help="print what the record names, in full"))
    parser.epilog = "Example: ff runs show train"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Show it."""
    place, records = runs.opened(session)
    name = runs.named(place, records, args.run)
    record = records.get(name)
    data: dict[str, Any] = {"id": name, "record": record.document()}
    stated: list[str] = []
    if envelopes.names(records, name):
        from fourfold.evidence.auditing.statements import lines, statements_of  # noqa: PLC0415 - few runs have any

        found = statements_of(place, records, name)
        data["statements"] = [one.document() for one in found]
        stated = list(lines(found))
    parts = _parts(records, record) if args.parts else {}
    if args.parts:
        data["parts"] = parts
    return Outcome(
        data=data,
        text=[*_lines(name, record, records, parts, session.style), *_stated(stated, session.style)],
    )


def _stated(stated: list[str], style: Style) -> Iterator[str]:
    if stated:
        yield style.bold("statements")
    for line in stated:
        yield f"  {line}"


def _parts(records: Records, record: RunRecord) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in parts_of(record):
        try:
            found[part] = records.part(part)
        except FourfoldError as error:
            found[part] = {"missing": error.message}
    return found


def _lines(
    name: RunId, record: RunRecord, records: Records, parts: Mapping[str, Any], style: Style
) -> Iterator[str]:
    outcome, times = record.outcome, record.times
    paint = style.green if outcome.state == "succeeded" else style.red
    ended = outcome.state if outcome.code == 0 else f"{outcome.state} ({outcome.code})"
    yield f"{style.bold(runs.title(record))}  {style.cyan(name[:SHORT])}  {paint(ended)}"
    for line in record.command:
        yield f"  {line}"
    previous = f", after {record.previous[:SHORT]}" if record.previous else ", the first here"
    yield style.dim(f"  {runs.when(times.started)}, {runs.duration(times.seconds)}{previous}")
    for coordinate in (*COORDINATES, "trace"):
        yield style.bold(coordinate)
        section = record.section(coordinate)
        for fact in sorted(section):
            yield from _fact(fact, section[fact], record, records.part, style)
    for part, document in parts.items():
        yield style.bold(f"part {part}")
        yield from json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False).split("\n")


def _fact(name: str, fact: Fact, record: RunRecord, part: Part, style: Style) -> Iterator[str]:
    paint = style.green if fact.grade in {"observed", "attested"} else style.yellow
    grade = paint(fact.grade.ljust(_GRADE))
    if fact.grade == "absent":
        yield f"  {grade} {name:<18} {style.dim(fact.why)}"
        return
    first, more = told(name, fact.value, record, part)
    why = f"  {style.dim('(' + fact.why + ')')}" if fact.why else ""
    yield f"  {grade} {name:<18} {first}{why}"
    for line in more[:_MOST]:
        yield f"  {'':<{_GRADE}} {'':<18} {line}"
    if len(more) > _MOST:
        yield f"  {'':<{_GRADE}} {'':<18} {style.dim(f'and {len(more) - _MOST} more (--json has all)')}"
