"""``ff remote add``: configure a remote."""

import argparse

from fourfold.cli.configdesk import add_levels, desk_of
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.project.config_edit import add_remote


def configure(parser: argparse.ArgumentParser) -> None:
    """Define DVC's arguments."""
    add_levels(parser)
    parser.add_argument("name", help="what to call it")
    parser.add_argument("url", help="where it is: a folder, s3://, gs://, azure://, http(s)://, ssh://, ...")
    parser.add_argument("-d", "--default", action="store_true", help="make it the default remote")
    parser.add_argument("-f", "--force", action="store_true", help="overwrite a remote of that name")
    parser.epilog = "Example: ff remote add -d storage s3://bucket/path"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Write the section."""
    name = args.name.lower()
    path = add_remote(desk_of(session), args.level, name, args.url, default=args.default, force=args.force)
    text = (f"Setting '{name}' as a default remote.",) if args.default else ()
    return Outcome(data={"name": name, "default": args.default, "file": path}, text=text)
