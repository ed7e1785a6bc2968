"""``ff redo``: do again what ``ff undo`` took back."""

import argparse

from fourfold.cli.commands.undo import outcome
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.project.undo import redo


def configure(parser: argparse.ArgumentParser) -> None:
    """Define the arguments."""
    parser.add_argument(
        "-f", "--force", action="store_true", help="overwrite what changed since; it goes to the trash"
    )
    parser.epilog = "Example: ff redo"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Do again the operation that was taken back last."""
    return outcome(redo(session.project, force=args.force, events=session.sink), "Redone", session)
