"""``ff remote default``: show, set or unset the remote that is used when none is named."""

import argparse

from fourfold.cli.configdesk import add_levels, desk_of
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.project.config_edit import default_remote, set_default_remote


def configure(parser: argparse.ArgumentParser) -> None:
    """Define DVC's arguments."""
    add_levels(parser)
    parser.add_argument("name", nargs="?", help="the remote")
    parser.add_argument("-u", "--unset", action="store_true", help="have no default remote")
    parser.epilog = "Example: ff remote default storage"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Show it, or write it."""
    desk = desk_of(session)
    if args.name is None and not args.unset:
        name = default_remote(desk, args.level)
        if name is None:
            return Outcome(data={"default": None}, text=("No default remote set",), exit_code=1)
        return Outcome(data={"default": name}, text=(name,), loud=True)
    wanted = None if args.unset else args.name.lower()
    path = set_default_remote(desk, args.level, wanted)
    return Outcome(data={"default": wanted, "file": path})
