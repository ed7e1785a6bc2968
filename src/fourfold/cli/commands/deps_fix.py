"""``ff deps fix``: declare what stages were found to use."""

import argparse
from collections.abc import Iterator
from itertools import groupby

from fourfold.cli.gitnote import staged_data, tell_git
from fourfold.cli.outcome import Outcome
from fourfold.cli.render import plain
from fourfold.cli.session import Session
from fourfold.pipeline.deps_fix import DepsFixed, deps_fix
from fourfold.runs.findings import verb

#: So many findings of a stage that are left out are named; ``--json`` names all.
_SHOWN = 10


def configure(parser: argparse.ArgumentParser) -> None:
    """Define its arguments; DVC has no such command."""
    parser.add_argument("targets", nargs="*", help="stages; all that a recorded run tells of by default")
    parser.add_argument("--outs", action="store_true", help="declare too what they write and keep")
    parser.add_argument(
        "--outside",
        action="store_true",
        help="declare too what they read outside of the repository, by absolute paths",
    )
    parser.add_argument("--dry", action="store_true", help="say what would be declared, and change nothing")
    parser.epilog = "Example: ff deps fix train"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Declare it, and say what was left out."""
    result = deps_fix(
        session.project,
        args.targets,
        outs=args.outs,
        outside=args.outside,
        dry=args.dry,
        events=session.sink,
    )
    tell_git(session, result.staged)
    data = {
        "added": [added._asdict() for added in result.added],
        "left": [{"stage": left.stage, **left.finding.document(), "why": left.why} for left in result.left],
        "unknown": list(result.unknown),
        **staged_data(session, result.staged),
    }
    return Outcome(data=data, text=_lines(result, dry=args.dry))


def _lines(result: DepsFixed, *, dry: bool) -> Iterator[str]:
    for stage, added in groupby(result.added, key=lambda one: one.stage):
        items = list(added)
        yield f"{stage}: {'would declare' if dry else 'declared'}"
        yield from (f"  {one.key}: {plain(one.item)}" for one in items)
        waits = [one.item for one in items if not one.settled]
        if waits and not dry:
            yield f"  it runs again for {plain(', '.join(waits))}: ff repro {stage}"
    for stage, left in groupby(result.left, key=lambda one: one.stage):
        rest = list(left)
        yield f"{stage}: left out"
        yield from (f"  {verb(one.finding)} {plain(one.finding.path)}: {one.why}" for one in rest[:_SHOWN])
        if len(rest) > _SHOWN:
            yield f"  ... and {len(rest) - _SHOWN} more (all of them with --json)"
    for stage in result.unknown:
        yield f"{stage}: no run of it was recorded and traced; make one: ff repro {stage}"
    if not result.added and not result.left and not result.unknown:
        yield (
            "everything that the stages were seen to use is declared"
            if result.looked
            else "no run of a stage was recorded and traced yet; make one: ff repro"
        )
