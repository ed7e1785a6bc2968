"""``ff unprotect``: make tracked data safe to edit."""

import argparse

from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.project.unprotect import unprotect


def configure(parser: argparse.ArgumentParser) -> None:
    """Define DVC's arguments."""
    parser.add_argument("targets", nargs="+", help="files or directories")
    parser.epilog = "Example: ff unprotect data"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Cut the links to the cache."""
    result = unprotect(session.project, args.targets, events=session.sink)
    detached = {session.display(path): count for path, count in result.detached.items()}
    text = [
        f"{path}: {count:,} {'file is' if count == 1 else 'files are'} private now"
        for path, count in detached.items()
        if count
    ]
    return Outcome(data={"unprotected": detached}, text=text)
