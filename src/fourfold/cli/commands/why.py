"""``ff why``: what exactly makes a path count as changed, and whether and why a stage would run."""

import argparse
from collections.abc import Iterator
from typing import Any

from fourfold.cli.outcome import Outcome
from fourfold.cli.render import plain
from fourfold.cli.session import Session
from fourfold.cli.standing import as_data, details
from fourfold.formats.tabular import TableSummary
from fourfold.pipeline.why import Answer, TableNote, why
from fourfold.project.changes import Change
from fourfold.project.why import Reason
from fourfold.runs.findings import described

#: Files of a directory that are listed in text; ``--json`` lists all.
_SHOWN = 20


def configure(parser: argparse.ArgumentParser) -> None:
    """Define the arguments; DVC has no such command."""
    parser.add_argument("targets", nargs="+", help="tracked paths, pointer files or stages")
    parser.epilog = "Example: ff why train"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Explain each target; the exit code is 0 whatever the answer."""
    answers = why(session.project, args.targets, events=session.sink)
    return Outcome(data=[_data(answer) for answer in answers], text=_lines(answers, session), loud=True)


def _data(answer: Answer) -> dict[str, Any]:
    reasons = []
    for reason, tables in zip(answer.why.reasons, answer.tables, strict=True):
        change = reason.change
        entry: dict[str, Any] = {
            "kind": change.kind,
            "path": reason.path,
            "state": change.state,
            "key": change.key,
            "old": change.old,
            "new": change.new,
            "restorable": reason.restorable,
        }
        if reason.files is not None:
            entry["files"] = {
                "added": list(reason.files.added),
                "deleted": list(reason.files.deleted),
                "modified": list(reason.files.modified),
            }
        if tables:
            entry["tables"] = [_table_data(note) for note in tables]
        reasons.append({key: value for key, value in entry.items() if value not in (None, "")})
    data: dict[str, Any] = {
        "target": answer.why.name,
        "changed": bool(answer.why.reasons),
        "reasons": reasons,
    }
    if answer.why.owner.is_stage:
        data["first"] = list(answer.first)
        remembered = answer.remembered
        data["remembered"] = (
            None if remembered is None else {"entry": remembered.relpath, "restorable": remembered.whole}
        )
        if answer.used is not None:
            found = answer.used.findings
            data["undeclared"] = {
                "run": answer.used.run,
                "reads": [each.document() for each in found.reads],
                "writes": [each.document() for each in found.writes],
            }
        if answer.standings:
            data["coordinates"] = as_data(answer.standings)[answer.standings[0].name]
    return data


def _table_data(note: TableNote) -> dict[str, Any]:
    def side(table: TableSummary | None) -> dict[str, Any] | None:
        if table is None:
            return None
        names = None if table.columns is None else [column.name for column in table.columns]
        return {"rows": table.rows, "columns": names, "partial": table.partial}

    return {"path": note.path, "old": side(note.old), "new": side(note.new)}


def _lines(answers: list[Answer], session: Session) -> Iterator[str]:
    style = session.style
    for answer in answers:
        why = answer.why
        if not why.reasons:
            yield f"{why.name}: {style.green('unchanged')}: it is what it records"
        else:
            yield f"{why.name}: {style.yellow('changed')}"
        never = why.owner.is_stage and not why.owner.locked
        if never and why.reasons:
            yield "  it has not run before"
        for reason, tables in zip(why.reasons, answer.tables, strict=True):
            if never:  # each of them would say that nothing is recorded
                break
            yield f"  {_sentence(reason)}"
            yield from _files(reason, session)
            yield from (f"    {line}" for note in tables for line in _table(note))
            yield from _way_back(reason)
        if answer.first:
            again = "it may run after them" if not why.reasons else "they run first"
            yield f"  {again}: {', '.join(answer.first)} (ff why {answer.first[0]})"
        yield from _memory(answer)
        yield from _undeclared(answer)
        for standing in answer.standings:
            yield from details(standing)


def _undeclared(answer: Answer) -> Iterator[str]:
    """What its last run used and it does not declare."""
    if answer.used is None or not answer.used.findings.undeclared:
        return
    found = answer.used.findings.undeclared
    yield f"  it does not declare all that it uses (run {answer.used.run[:12]}):"
    yield from (f"    {plain(described(each))}" for each in found[:_SHOWN])
    if len(found) > _SHOWN:
        yield f"    ... and {len(found) - _SHOWN} more (all of them with --json)"
    yield f"    declare it with: {answer.used.findings.remedy(answer.why.name)}"


def _memory(answer: Answer) -> Iterator[str]:
    remembered = answer.remembered
    if remembered is None or answer.why.owner.frozen:
        return
    entry = "/".join(part[:12] for part in remembered.relpath.split("/")[2:])  # whole with --json
    if not remembered.whole:
        yield f"  a run like it is remembered ({entry}), but not all that came out is in the cache"
    elif answer.why.reasons:
        yield f"  it need not run: ff repro restores what a remembered run made ({entry})"
    else:
        yield f"  were its outputs lost, a remembered run would restore them ({entry})"


def _table(note: TableNote) -> Iterator[str]:
    """Rows and columns of a table, as far as both sides are known."""
    old, new = note.old, note.new
    rows = [table.rows for table in (old, new) if table is not None and table.rows is not None]
    shown = " -> ".join(dict.fromkeys(f"{count:,}" for count in rows))
    moved = f" ({rows[1] - rows[0]:+,})" if len(rows) > 1 and rows[0] != rows[1] else ""
    before, after = ([] if side is None or side.columns is None else side.columns for side in (old, new))
    names = {column.name for column in before}, {column.name for column in after}
    parts = [f"{shown} rows{moved}"] if rows else []
    if before and after:
        parts += [f"new column {column.name}" for column in after if column.name not in names[0]]
        parts += [f"without column {column.name}" for column in before if column.name not in names[1]]
        kinds = {column.name: column.kind for column in before}
        parts += [
            f"column {column.name} is {column.kind}, was {kinds[column.name]}"
            for column in after
            if column.name in kinds and kinds[column.name] != column.kind
        ]
    if parts:
        yield f"table {note.path}: {', '.join(parts[:_SHOWN])}"


def _sentence(reason: Reason) -> str:
    change = reason.change
    if change.kind == "parameter":
        return _of_parameter(change, reason.path)
    if change.kind == "variable":
        is_new = change.state == "new"
        return f"environment variable {change.key} " + (
            "is a new dependency" if is_new else "has another value"
        )
    if change.kind == "command":
        return f"the command is {change.new!r}, recorded {change.old!r}"
    if change.kind == "always":
        return "it counts as changed whatever its files are (always_changed, or nothing declared)"
    if change.kind == "checksum":
        return "the pointer file was edited by hand: its own checksum does not match"
    what = "dependency" if change.kind == "dependency" else "output"
    old, new = _short(change.old), _short(change.new)
    return {
        "modified": f"{what} {reason.path} is {new}, recorded {old}",
        "deleted": f"{what} {reason.path} is not there, recorded {old}",
        "new": f"{what} {reason.path} is {new}, and nothing is recorded",
        "not in cache": f"{what} {reason.path}: its recorded content {old} is not in the cache",
    }.get(change.state, f"{what} {reason.path}: {change.state}")


def _of_parameter(change: Change, path: str) -> str:
    name = f"parameter {change.key} of {path}" if change.key else f"parameters {path}"
    if change.state == "modified":
        return f"{name} is {change.new!r}, recorded {change.old!r}"
    if change.state == "new":
        return f"{name} is new" + (f": {change.new!r}" if change.key else "")
    return f"{name} is gone"


def _short(oid: object) -> str:
    text = str(oid)
    return f"{text[:8]}{'.dir' if text.endswith('.dir') else ''}" if oid else "nothing"


def _files(reason: Reason, session: Session) -> Iterator[str]:
    if reason.files is None:
        return
    style = session.style
    rows = [
        *((style.yellow("modified"), path) for path in reason.files.modified),
        *((style.green("added"), path) for path in reason.files.added),
        *((style.red("deleted"), path) for path in reason.files.deleted),
    ]
    for state, path in rows[:_SHOWN]:
        yield f"    {state}  {path}"
    if len(rows) > _SHOWN:
        yield f"    ... and {len(rows) - _SHOWN} more (all of them with --json)"


def _way_back(reason: Reason) -> Iterator[str]:
    change = reason.change
    if change.kind != "output" or change.state == "new":
        return
    from shlex import quote  # noqa: PLC0415 - only where there is something to do

    path = quote(reason.path)
    if reason.restorable:
        yield f"    back to what is recorded: ff checkout {path}"
        yield f"    or keep what is there:    ff commit {path}"
    elif change.state != "modified":
        yield f"    the cache does not have what is recorded; get it: ff fetch {path}"
