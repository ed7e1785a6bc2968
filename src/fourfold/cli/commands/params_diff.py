"""``ff params diff``: what stages are run with, then and now."""

import argparse

from fourfold.cli.moments import add_diff_options, diff_outcome, from_root
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.pipeline.params import diff


def configure(parser: argparse.ArgumentParser) -> None:
    """Define DVC's arguments."""
    add_diff_options(parser, "parameters")
    parser.add_argument("--deps", action="store_true", help="only parameters that a stage depends on")
    parser.epilog = "Example: ff params diff HEAD~1"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Compare two moments."""
    project = session.project
    targets = from_root(project, args.targets)
    result = diff(project, args.a_rev, args.b_rev, targets=targets, deps_only=args.deps, unchanged=args.all)
    return diff_outcome(session, args, result, title="Param", change=False)
