"""``ff why``: what exactly makes a path or a stage count as changed."""

import argparse
from collections.abc import Iterator
from typing import Any

from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.project.why import Reason, Why, why

#: Files of a directory that are listed in text; ``--json`` lists all.
_SHOWN = 20


def configure(parser: argparse.ArgumentParser) -> None:
    """Define the arguments; DVC has no such command."""
    parser.add_argument("targets", nargs="+", help="tracked paths, pointer files or stages")
    parser.epilog = "Example: ff why data/images"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Explain each target; the exit code is 0 whatever the answer."""
    answers = why(session.project, args.targets, events=session.sink)
    return Outcome(data=[_data(answer) for answer in answers], text=_lines(answers, session), loud=True)


def _data(answer: Why) -> dict[str, Any]:
    reasons = []
    for reason in answer.reasons:
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
        reasons.append({key: value for key, value in entry.items() if value not in (None, "")})
    return {"target": answer.name, "changed": bool(answer.reasons), "reasons": reasons}


def _lines(answers: list[Why], session: Session) -> Iterator[str]:
    style = session.style
    for answer in answers:
        if not answer.reasons:
            yield f"{answer.name}: {style.green('unchanged')}: it is what it records"
            continue
        yield f"{answer.name}: {style.yellow('changed')}"
        for reason in answer.reasons:
            yield f"  {_sentence(reason)}"
            yield from _files(reason, session)
            yield from _way_back(reason)


def _sentence(reason: Reason) -> str:
    change = reason.change
    if change.kind == "parameter":
        name = f"parameter {change.key} of {reason.path}" if change.key else f"parameters {reason.path}"
        if change.state == "modified":
            return f"{name} is {change.new!r}, recorded {change.old!r}"
        return f"{name} is {'new: ' + repr(change.new) if change.state == 'new' else 'gone'}"
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
