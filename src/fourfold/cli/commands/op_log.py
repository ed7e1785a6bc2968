"""``ff op log``: what was done to this workspace, and what of it can be taken back."""

import argparse
import time
from typing import TYPE_CHECKING

from fourfold.cli.options import at_least_one
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.project.journal import log

if TYPE_CHECKING:
    from fourfold.project.journal import Recorded


def configure(parser: argparse.ArgumentParser) -> None:
    """Define the arguments."""
    parser.add_argument(
        "-n", "--limit", type=at_least_one, metavar="N", help="at most this many, the newest first"
    )
    parser.epilog = "Example: ff op log -n 5"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """List the operations, the newest first."""
    found = log(session.project)[: args.limit]
    return Outcome(data={"operations": [_data(one) for one in found]}, text=map(_line, found))


def _line(one: "Recorded") -> str:
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(one.time_ns // 1_000_000_000))
    state = "" if one.state == "done" else f"  ({one.state})"
    return f"{one.id}  {when}  {' '.join((one.command, *one.arguments))}{state}"


def _data(one: "Recorded") -> dict[str, object]:
    return {
        "id": one.id,
        "time_ns": one.time_ns,
        "command": one.command,
        "arguments": list(one.arguments),
        "state": one.state,
        "acts": [{"act": act.kind, "path": act.path} for act in one.acts],
    }
