"""``ff metrics diff``: what was measured, then and now."""

import argparse

from fourfold.cli.moments import add_diff_options, diff_outcome, from_root
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.cli.tables import PRECISION
from fourfold.pipeline.goals import declared_goals
from fourfold.pipeline.metrics import diff
from fourfold.project.files import load_tracked


def configure(parser: argparse.ArgumentParser) -> None:
    """Define DVC's arguments."""
    add_diff_options(parser, "metrics")
    parser.add_argument(
        "-R", "--recursive", action="store_true", help="a folder stands for the files below it"
    )
    parser.add_argument("--precision", type=int, metavar="<n>", help="digits after the point; 5 by default")
    parser.epilog = "Example: ff metrics diff HEAD~1"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Compare two moments."""
    project = session.project
    targets = from_root(project, args.targets)
    result = diff(project, args.a_rev, args.b_rev, targets=targets, unchanged=args.all)
    return diff_outcome(
        session,
        args,
        result,
        title="Metric",
        precision=args.precision or PRECISION,
        goals=declared_goals(load_tracked(project, strict=False).owners) if session.style.on else None,
    )
