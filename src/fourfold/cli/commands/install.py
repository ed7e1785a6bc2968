"""``ff install``: Git hooks and the merge driver."""

import argparse

from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.project.install import install


def configure(parser: argparse.ArgumentParser) -> None:
    """Define DVC's arguments."""
    parser.add_argument(
        "--use-pre-commit-tool",
        action="store_true",
        help="add the hooks to .pre-commit-config.yaml instead of .git/hooks",
    )
    parser.epilog = "Example: ff install"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Write them, and say where."""
    result = install(session.project, use_pre_commit_tool=args.use_pre_commit_tool)
    for path in result.files:
        session.news(f"wrote {session.display(path)}")
    return Outcome(data={"files": [session.display(path) for path in result.files]})
