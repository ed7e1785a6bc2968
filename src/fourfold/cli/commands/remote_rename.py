"""``ff remote rename``: give a remote another name."""

import argparse

from fourfold.cli.configdesk import add_levels, desk_of
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.project.config_edit import rename_remote


def configure(parser: argparse.ArgumentParser) -> None:
    """Define DVC's arguments."""
    add_levels(parser)
    parser.add_argument("name", help="the remote")
    parser.add_argument("new", help="its new name")
    parser.epilog = "Example: ff remote rename storage archive"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Move the section."""
    name, new = args.name.lower(), args.new.lower()
    path = rename_remote(desk_of(session), args.level, name, new)
    return Outcome(data={"name": new, "old": name, "file": path})
