"""``ff coordinates``: code, data, environment and randomness of what each stage has made."""

import argparse
from collections.abc import Iterator, Mapping
from typing import Any

from fourfold.cli.outcome import Outcome
from fourfold.cli.render import Style
from fourfold.cli.runs import when
from fourfold.cli.session import Session
from fourfold.formats.native.fact import section_document
from fourfold.formats.native.record import RunRecord
from fourfold.pipeline.coordinates import StageCoordinates, coordinates
from fourfold.runs.changes import value_of
from fourfold.runs.words import SHORT, value_text

#: So many packages are named; `ff env show` names all.
_MOST = 8
_INDENT = 14


def configure(parser: argparse.ArgumentParser) -> None:
    """Define its arguments."""
    parser.add_argument("targets", nargs="*", metavar="<stage>", help="stages; all by default")
    parser.epilog = "Example: ff coordinates train"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Show the four of each stage, in their order."""
    found = coordinates(session.project, args.targets)
    return Outcome(data=[_data(stage) for stage in found], text=_lines(found, session.style))


def _data(stage: StageCoordinates) -> dict[str, Any]:
    record = stage.record
    return {
        "name": stage.name,
        "run": stage.run,
        "why": stage.why,
        "command": stage.command,
        "code": section_document(record.code) if record else None,
        "data": {"deps": stage.deps, "outs": stage.outs, "params": stage.params},
        "environment": {**section_document(record.environment), "packages": stage.packages}
        if record
        else None,
        "randomness": {**(section_document(record.randomness) if record else {}), "seeds": stage.seeds},
    }


def _lines(found: tuple[StageCoordinates, ...], style: Style) -> Iterator[str]:
    for stage in found:
        ran = f"  {style.cyan(stage.run[:SHORT])}" if stage.run else ""
        ended = f"  {style.dim(when(stage.record.times.started))}" if stage.record else ""
        yield f"{style.bold(stage.name)}{ran}{ended}"
        if stage.why:
            yield f"  {style.yellow(stage.why)}"
        if stage.command is None:
            continue
        for name, lines in (
            ("code", _code(stage.record)),
            ("data", _contents(stage)),
            ("environment", _environment(stage)),
            ("randomness", _randomness(stage)),
        ):
            label = name
            for line in lines:
                yield f"  {label:<{_INDENT}}{line}"
                label = ""
    if not found:
        yield "no stage is recorded"


def _code(record: RunRecord | None) -> Iterator[str]:
    if record is None:
        return
    commit, tree = value_of(record.code, "commit"), value_of(record.code, "tree")
    if not isinstance(commit, str):
        fact = record.code.get("commit")
        yield fact.why if fact is not None else "not captured"
        return
    branch = value_of(record.code, "branch")
    changed = value_of(record.code, "changed")
    where = f" on {branch}" if branch else ""
    also = f", {len(changed)} changed" if isinstance(changed, list) and changed else ""
    yield f"commit {commit[:SHORT]}{where}{also}; tree {value_text(tree)}"


def _contents(stage: StageCoordinates) -> Iterator[str]:
    yield stage.command if isinstance(stage.command, str) else "; ".join(stage.command or ())
    for arrow, contents in (("<-", stage.deps), ("->", stage.outs)):
        for path, oid in contents.items():
            yield f"{arrow} {oid or 'unknown':<36}  {path}"


def _environment(stage: StageCoordinates) -> Iterator[str]:
    if stage.record is None:
        return
    facts = stage.record.environment
    python = value_of(facts, "interpreter")
    if isinstance(python, Mapping):
        named = [f"{name} {version}" for name, version in stage.packages.items()]
        more = [f"and {len(named) - _MOST} more"] if len(named) > _MOST else []
        told = ", ".join([f"{python.get('implementation')} {python.get('version')}", *named[:_MOST], *more])
        yield f"{told}; {value_text(value_of(facts, 'digest'))}"
    else:
        fact = facts.get("interpreter")
        yield fact.why if fact is not None else "not captured"
    lock = value_of(facts, "lock")
    if isinstance(lock, Mapping):
        verified: dict[Any, str] = {True: "is what is installed", False: "is not what is installed"}
        yield f"{lock.get('file')} {verified.get(lock.get('verified'), 'is not compared')}"


def _randomness(stage: StageCoordinates) -> Iterator[str]:
    facts = stage.record.randomness if stage.record is not None else {}
    seed = facts.get("seed")
    if seed is not None and seed.value is not None:
        yield f"seed {seed.value}{f' ({seed.why})' if seed.why else ''}, {value_of(facts, 'determinism')}"
    for name, value in stage.seeds.items():
        yield f"{name} = {value}"
    if seed is None and not stage.seeds:
        yield "no seed among the parameters"
