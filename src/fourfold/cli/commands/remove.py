"""``ff remove``: stop tracking."""

import argparse

from fourfold.cli.gitnote import staged_data, tell_git
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.project.remove import remove


def configure(parser: argparse.ArgumentParser) -> None:
    """Define DVC's arguments."""
    parser.add_argument("targets", nargs="+", help="pointer files, or stages of 'dvc.yaml'")
    parser.add_argument(
        "--outs", action="store_true", help="take the data out of the workspace too; 'ff undo' brings it back"
    )
    parser.epilog = "Example: ff remove data.csv.dvc"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Remove, and name what is gone."""
    result = remove(session.project, args.targets, outs=args.outs, events=session.sink)
    names = [owner.addressing for owner in result.owners]
    removed = [session.display(path) for path in result.removed]
    tell_git(session, result.staged)
    data = {
        "removed": names,
        "kept": [session.display(path) for path in result.kept],
        "data_removed": removed,
        **staged_data(session, result.staged),
    }
    text = [f"Removed {name}" for name in names] + [f"Removed {path}" for path in removed]
    return Outcome(data=data, text=text)
