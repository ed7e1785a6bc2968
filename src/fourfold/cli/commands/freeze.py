"""``ff freeze``: leave dependencies out of account."""

import argparse

from fourfold.cli.gitnote import staged_data, tell_git
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.project.freeze import FreezeResult, freeze


def configure(parser: argparse.ArgumentParser) -> None:
    """Define DVC's arguments."""
    parser.add_argument("targets", nargs="+", help="pointer files of imports, or stages of 'dvc.yaml'")
    parser.epilog = "Example: ff freeze raw.csv.dvc"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Freeze each target."""
    return told(session, freeze(session.project, args.targets, events=session.sink), "freeze")


def told(session: Session, result: FreezeResult, verb: str) -> Outcome:
    """What was done, and the first of what was wrong; the rest of that is told before."""
    names = [owner.addressing for owner in result.owners]
    tell_git(session, result.staged)
    for error in result.errors[1:]:
        session.warn(error.message, error.hint)
    return Outcome(
        data={verb: names, **staged_data(session, result.staged)},
        failure=result.errors[0] if result.errors else None,
    )
