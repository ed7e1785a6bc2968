"""``ff undo``: take back what the last command did."""

import argparse
import os

from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.project.undo import UndoResult, undo


def configure(parser: argparse.ArgumentParser) -> None:
    """Define the arguments."""
    parser.add_argument(
        "-f", "--force", action="store_true", help="overwrite what changed since; it goes to the trash"
    )
    parser.epilog = "Example: ff undo"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Take back the latest operation that stands; again, the one before."""
    return outcome(undo(session.project, force=args.force, events=session.sink), "Undone", session)


def outcome(result: UndoResult, word: str, session: Session) -> Outcome:
    """What was taken back, or done again, for people and programs."""
    recorded = result.operation
    own = session.project.own_dir + os.sep  # our own notes come along, and are nothing to tell
    files = [session.display(path) for path in result.files if not path.startswith(own)]
    paths = [session.display(path) for path in result.paths]
    line = " ".join((recorded.command, *recorded.arguments))
    text = [f"{word}: ff {line}", *(f"  {path}" for path in sorted({*files, *paths}))]
    data = {"id": recorded.id, "command": recorded.command, "arguments": list(recorded.arguments)}
    return Outcome(data={**data, "files": files, "paths": paths}, text=text)
