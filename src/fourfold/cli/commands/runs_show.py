"""``ff runs show``: what is known of one run, by coordinate, and how it is known."""

import argparse
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from fourfold.base.errors import FourfoldError
from fourfold.cli import runs
from fourfold.cli.options import completes, ours
from fourfold.cli.outcome import Outcome
from fourfold.cli.render import Style
from fourfold.cli.session import Session
from fourfold.formats.native.fact import Fact
from fourfold.formats.native.record import COORDINATES, RunId, RunRecord, parts_of
from fourfold.runs.changes import Part, by_path, content_of, mapping, opened, params_of, reference
from fourfold.runs.store import Records

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
            help="beginning of an id, a stage for its newest, 'train~2' for two before that; else the last",
        ),
        "none",
    )
    ours(parser.add_argument("--parts", action="store_true", help="print what the record names, in full"))
    parser.epilog = "Example: ff runs show train"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Show it."""
    _, records = runs.opened(session)
    name = records.resolve(args.run)
    record = records.get(name)
    data: dict[str, Any] = {"id": name, "record": record.document()}
    parts = _parts(records, record) if args.parts else {}
    if args.parts:
        data["parts"] = parts
    return Outcome(data=data, text=_lines(name, record, records, parts, session.style))


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
    yield f"{style.bold(runs.title(record))}  {style.cyan(name[: runs.SHORT])}  {paint(ended)}"
    for line in record.command:
        yield f"  {line}"
    previous = f", after {record.previous[: runs.SHORT]}" if record.previous else ", the first here"
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
    first, more = _told(name, fact.value, record, part)
    why = f"  {style.dim('(' + fact.why + ')')}" if fact.why else ""
    yield f"  {grade} {name:<18} {first}{why}"
    for line in more[:_MOST]:
        yield f"  {'':<{_GRADE}} {'':<18} {line}"
    if len(more) > _MOST:
        yield f"  {'':<{_GRADE}} {'':<18} {style.dim(f'and {len(more) - _MOST} more (--json has all)')}"


def _told(name: str, value: Any, record: RunRecord, part: Part) -> tuple[str, list[str]]:
    """A value: its first line, and those below it."""
    lines: list[str] = []
    if name in {"inputs", "outputs", "elsewhere"}:
        lines = [_file(path, row) for path, row in by_path(value).items()]
        first = _count(len(lines), "file")
    elif name in {"undeclared_reads", "undeclared_writes"}:
        rows = by_path(mapping(value).get("files"))
        lines = [f"{path}  {row.get('kind', '')}" for path, row in rows.items()]
        first = _count(mapping(value).get("count", len(rows)), "file")
    elif name == "params":
        held = params_of(record, part).items()
        lines = [f"{file}:{key} = {runs.value_text(one)}" for file, keys in held for key, one in keys.items()]
        first = _count(len(lines), "parameter")
    elif name == "distributions":
        first, lines = _distributions(mapping(opened(value, part)))
    elif name == "sources":
        lines = sorted(mapping(mapping(opened(mapping(value).get("files"), part)).get("files")))
        first = _count(len(lines), "file")
    elif name in _WORDS and isinstance(value, Mapping):
        first = _WORDS[name](value)
    elif (digest := reference(value)) is not None:
        first = f"part {digest[: runs.SHORT]}, {value['size']} bytes"
    else:
        first = runs.value_text(value)
    return first, lines


def _interpreter(value: Mapping[str, Any]) -> str:
    return f"{value.get('implementation')} {value.get('version')}, {value.get('executable')}"


def _host(value: Mapping[str, Any]) -> str:
    memory, cores = value.get("memory"), value.get("affinity") or value.get("cores")
    said = [value.get("distribution") or value.get("system"), f"kernel {value.get('kernel')}"]
    said += [mapping(value.get("cpu")).get("model"), f"{cores} cores" if cores else None]
    said.append(f"{memory / 2**30:.1f} GiB" if isinstance(memory, int) else None)
    return ", ".join(str(each) for each in said if each)


def _programs(value: Mapping[str, Any]) -> str:
    return runs.short(", ".join(sorted({path.rpartition("/")[2] for path in value})), 90)


def _paths(value: Mapping[str, Any]) -> str:
    counts = mapping(value.get("counts"))
    return ", ".join(f"{number} {kind}" for kind, number in sorted(counts.items())) or "none"


#: Facts that are told by a few of their words.
_WORDS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "interpreter": _interpreter,
    "host": _host,
    "executables": _programs,
    "paths": _paths,
    "coverage": lambda value: f"{value.get('method')}{': ' + str(value['why']) if value.get('why') else ''}",
    "limits": lambda value: _count(len(value), "limit"),
    "locale": lambda value: str(value.get("lc_ctype") or runs.value_text(value)),
    "flags": lambda value: (
        ", ".join(
            f"{len(inner)} {name}" if isinstance(inner, Mapping | list) else name
            for name, inner in value.items()
        )
        or "none"
    ),
}


def _distributions(listing: Mapping[str, Any]) -> tuple[str, list[str]]:
    used = [
        f"{key} {entry.get('version', '')}"
        for key, entry in listing.items()
        if isinstance(entry, Mapping) and entry.get("imported") is True
    ]
    return f"{_count(len(listing), 'distribution')}, {len(used)} of them imported", used


def _file(path: str, row: Mapping[str, Any]) -> str:
    size = row.get("size")
    said = [str(content_of(row) or "unknown")[: runs.SHORT]]
    if isinstance(size, int):
        said.append(f"{size:,} bytes")
    if isinstance(row.get("nfiles"), int):
        said.append(_count(row["nfiles"], "file"))
    return f"{path}  {'  '.join(said)}"


def _count(number: Any, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
