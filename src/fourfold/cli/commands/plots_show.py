"""``ff plots show``: plots of the workspace as a page, as Vega-Lite, as pictures, or as text."""

import argparse

from fourfold.cli import plots
from fourfold.cli.options import completes
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    """Define DVC's arguments, and ours."""
    completes(
        parser.add_argument(
            "targets", nargs="*", help="files of plots, or names in 'dvc.yaml'; all plots by default"
        ),
        "file",
    )
    plots.add_properties(parser)
    plots.add_output(parser)
    parser.epilog = "Example: ff plots show --open"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Show the plots of the workspace."""
    return plots.show(session, args, args.targets, ())
