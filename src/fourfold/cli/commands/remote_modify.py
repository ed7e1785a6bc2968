"""``ff remote modify``: set or remove one option of a remote."""

import argparse

from fourfold.base.errors import UsageError
from fourfold.cli.configdesk import add_levels, desk_of
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.project.config_edit import set_option, unset_option


def configure(parser: argparse.ArgumentParser) -> None:
    """Define DVC's arguments."""
    add_levels(parser)
    parser.add_argument("name", help="the remote")
    parser.add_argument("option", help="the option; see docs/reference/config.md")
    parser.add_argument("value", nargs="?", help="the value to set")
    parser.add_argument("-u", "--unset", action="store_true", help="remove the option")
    parser.epilog = "Example: ff remote modify --local storage secret_access_key SECRET"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Write the option; a secret never goes to the committed file."""
    section = ("remote", args.name.lower())
    option = args.option.lower()
    if args.unset:
        path = unset_option(desk_of(session), args.level, section, option, strict=False)
    elif args.value is None:
        raise UsageError(f"a value for '{option}' is needed", hint="remove the option with: --unset")
    else:
        path = set_option(desk_of(session), args.level, section, option, args.value)
    return Outcome(data={"name": section[1], "option": option, "file": path})
