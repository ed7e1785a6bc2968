"""``ff plots modify``: how the output of a stage is drawn."""

import argparse

from fourfold.cli import plots
from fourfold.cli.gitnote import staged_data, tell_git
from fourfold.cli.options import completes
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.pipeline.plots.modify import modify


def configure(parser: argparse.ArgumentParser) -> None:
    """Define DVC's arguments."""
    completes(parser.add_argument("target", help="the output of a stage"), "file")
    plots.add_properties(parser)
    completes(
        parser.add_argument("--unset", nargs="*", metavar="<property>", help="take these properties away"),
        "none",
    )
    parser.epilog = "Example: ff plots modify logs.csv -x step -y loss"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Change the entry of the output."""
    result = modify(session.project, args.target, plots.properties(args), args.unset, events=session.sink)
    session.news(f"changed how '{result.out.relpath}' is drawn, in '{session.display(result.out.file)}'")
    tell_git(session, result.staged)
    return Outcome(data={"plot": dict(result.props), **staged_data(session, result.staged)})
