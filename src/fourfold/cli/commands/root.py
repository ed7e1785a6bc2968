"""``ff root``: where the project is."""

import argparse

from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    """Add nothing: the command takes no arguments of its own."""
    parser.epilog = "Example: ff root"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Find the root, relative to the current directory, as DVC prints it."""
    del args
    root = session.find_root()
    relative = session.display(root)
    return Outcome(data={"root": relative, "path": root}, text=(relative,))
