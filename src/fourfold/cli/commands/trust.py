"""``ff trust``: obey what the committed configuration says about places outside of the project."""

import argparse

from fourfold.cli.configdesk import desk_of
from fourfold.cli.options import ours
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.project.config_policy import values_to_trust
from fourfold.project.trust import Trust, state_dir


def configure(parser: argparse.ArgumentParser) -> None:
    """Define the arguments; DVC has no such command, for it obeys everything."""
    ours(parser.add_argument("-l", "--list", action="store_true", help="only list what would be trusted"))
    ours(parser.add_argument("--forget", action="store_true", help="trust nothing of this project any more"))
    parser.epilog = "Example: ff trust --list"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Remember the values as they are now; one that changes later is not trusted any more."""
    root = session.find_root()
    trust = Trust(state_dir(session.environ))
    if args.forget:
        trust.forget(root)
        return Outcome(data={"forgotten": True}, text=("Nothing of this project is trusted any more.",))
    values = list(values_to_trust(desk_of(session).load(), root))
    rows = [
        {"name": name, "value": value, "trusted": trust.holds(root, name, value)} for name, value in values
    ]
    if not args.list:
        for name, value in values:
            trust.remember(root, name, value)
            rows = [{**row, "trusted": True} for row in rows]
    lines = [
        f"{row['name']}={row['value']}\t{'trusted' if row['trusted'] else 'not trusted'}" for row in rows
    ]
    nothing = "The committed configuration names nothing that needs trust."
    return Outcome(data=rows, text=lines or (nothing,))
