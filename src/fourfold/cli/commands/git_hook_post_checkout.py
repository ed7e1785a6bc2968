"""``ff git-hook post-checkout``: what the hook calls after Git switched to another commit."""

import argparse
import os

from fourfold.base.errors import NotAProjectError
from fourfold.cli.commands import checkout
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session

#: Set by the pre-commit tool, which passes no arguments.
_TOOL_FLAG = "PRE_COMMIT_CHECKOUT_TYPE"


def configure(parser: argparse.ArgumentParser) -> None:
    """Take what Git passes: the old commit, the new one, and 1 for a branch checkout."""
    parser.add_argument("args", nargs="*", help="arguments of Git")
    parser.epilog = "Example: ff git-hook post-checkout OLD NEW 1"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Check the data out, but not for single files and not in the middle of a rebase."""
    flag = session.environ.get(_TOOL_FLAG) or (args.args[2] if len(args.args) >= 3 else None)
    if flag != "1" or os.path.isdir(session.resolve(".git/rebase-merge")):
        return Outcome()
    try:
        session.find_root()
    except NotAProjectError:
        return Outcome()
    parser = argparse.ArgumentParser()
    checkout.configure(parser)
    return checkout.run(parser.parse_args([]), session)
