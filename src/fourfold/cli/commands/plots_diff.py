"""``ff plots diff``: the plots of several moments, one over the other."""

import argparse

from fourfold.cli import plots
from fourfold.cli.options import completes
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    """Define DVC's arguments, and ours."""
    completes(parser.add_argument("--targets", nargs="*", metavar="<paths>", help="only these plots"), "file")
    parser.add_argument(
        "-e", "--experiment", action="store_true", help="compare an experiment with what it began from"
    )
    completes(
        parser.add_argument(
            "revisions", nargs="*", help="commits, branches, tags; with the workspace when there is but one"
        ),
        "none",
    )
    plots.add_properties(parser)
    plots.add_output(parser)
    parser.epilog = "Example: ff plots diff main --open"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Show the plots of each moment."""
    from fourfold.pipeline.plots.collect import compared  # noqa: PLC0415 - after the options are checked

    revs = compared(session.project, args.revisions, experiment=args.experiment)
    return plots.show(session, args, args.targets or (), revs)
