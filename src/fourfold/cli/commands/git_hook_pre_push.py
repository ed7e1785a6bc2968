"""``ff git-hook pre-push``: what the hook calls before a push."""

import argparse

from fourfold.base.errors import NotAProjectError
from fourfold.cli.commands import push
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    """Take what Git, or the pre-commit tool, passes."""
    parser.add_argument("args", nargs="*", help="arguments of Git")
    parser.epilog = "Example: ff git-hook pre-push"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Push the data of the workspace; nothing outside of a project."""
    del args
    parser = argparse.ArgumentParser()
    push.configure(parser)
    try:
        session.find_root()
    except NotAProjectError:
        return Outcome()
    return push.run(parser.parse_args([]), session)
