"""``ff unfreeze``: take dependencies into account again."""

import argparse

from fourfold.cli.commands.freeze import told
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.project.freeze import unfreeze


def configure(parser: argparse.ArgumentParser) -> None:
    """Define DVC's arguments."""
    parser.add_argument("targets", nargs="+", help="pointer files of imports, or stages of 'dvc.yaml'")
    parser.epilog = "Example: ff unfreeze raw.csv.dvc"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Unfreeze each target."""
    return told(session, unfreeze(session.project, args.targets, events=session.sink), "unfreeze")
