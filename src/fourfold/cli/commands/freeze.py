"""``ff freeze``: leave dependencies out of account."""

import argparse

from fourfold.cli.gitnote import staged_data, tell_git
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.project.freeze import freeze


def configure(parser: argparse.ArgumentParser) -> None:
    """Define DVC's arguments."""
    parser.add_argument("targets", nargs="+", help="pointer files of imports, or stages of 'dvc.yaml'")
    parser.epilog = "Example: ff freeze raw.csv.dvc"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Freeze each target."""
    result = freeze(session.project, args.targets, events=session.sink)
    names = [owner.addressing for owner in result.owners]
    tell_git(session, result.staged)
    return Outcome(data={"freeze": names, **staged_data(session, result.staged)}, text=())
