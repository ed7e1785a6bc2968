"""``ff cache dir``: show or set where the cache is."""

import argparse

from fourfold.cli.configdesk import add_levels, desk_of
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.project.config_edit import set_option, unset_option


def configure(parser: argparse.ArgumentParser) -> None:
    """Define DVC's arguments."""
    add_levels(parser)
    parser.add_argument("value", nargs="?", help="the folder; a relative one is meant from here")
    parser.add_argument("-u", "--unset", action="store_true", help="go back to the default, .dvc/cache")
    parser.epilog = "Example: ff cache dir /mnt/fast/cache"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Show it, or write the option; objects are not moved."""
    if args.unset:
        return Outcome(data={"file": unset_option(desk_of(session), args.level, "cache", "dir")})
    if args.value is not None:
        path = set_option(desk_of(session), args.level, "cache", "dir", args.value)
        return Outcome(data={"dir": args.value, "file": path})
    folder = session.project.cache_dir
    return Outcome(data={"dir": folder}, text=(folder,), loud=True)
