"""``ff remote remove``: forget a remote; what it stores stays."""

import argparse

from fourfold.cli.configdesk import add_levels, desk_of
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.project.config_edit import remove_remote


def configure(parser: argparse.ArgumentParser) -> None:
    """Define DVC's arguments."""
    add_levels(parser)
    parser.add_argument("name", help="the remote")
    parser.epilog = "Example: ff remote remove storage"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Drop the section."""
    name = args.name.lower()
    path = remove_remote(desk_of(session), args.level, name)
    return Outcome(data={"name": name, "file": path})
