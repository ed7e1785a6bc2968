"""``ff move``: rename tracked data."""

import argparse

from fourfold.cli.gitnote import staged_data, tell_git
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.project.move import move


def configure(parser: argparse.ArgumentParser) -> None:
    """Define DVC's arguments."""
    parser.add_argument("src", help="a tracked file or directory")
    parser.add_argument("dst", help="its new path, or a directory to put it into")
    parser.epilog = "Example: ff move data.csv data/raw.csv"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Move, and say where it is now."""
    result = move(session.project, args.src, args.dst, events=session.sink)
    source, target = session.display(result.source), session.display(result.target)
    tell_git(session, result.staged)
    data = {"from": source, "to": target, "pointer": session.display(result.pointer)}
    return Outcome(
        data={**data, **staged_data(session, result.staged)}, text=(f"Moved {source} to {target}",)
    )
