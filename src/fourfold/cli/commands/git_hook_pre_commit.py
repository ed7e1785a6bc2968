"""``ff git-hook pre-commit``: what the hook calls before a commit."""

import argparse

from fourfold.base.errors import NotAProjectError
from fourfold.cli.commands import status
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    """Take what Git, or the pre-commit tool, passes."""
    parser.add_argument("args", nargs="*", help="arguments of Git")
    parser.epilog = "Example: ff git-hook pre-commit"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Show the status; nothing outside of a project."""
    del args
    parser = argparse.ArgumentParser()
    status.configure(parser)
    try:
        return status.run(parser.parse_args([]), session)
    except NotAProjectError:
        return Outcome()
