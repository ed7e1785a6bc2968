"""``ff runs list``: the recorded runs, newest first."""

import argparse

from fourfold.cli import runs
from fourfold.cli.options import at_least_one
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.formats.native.record import RunId, RunRecord
from fourfold.runs.find import Criteria, find

#: So many are shown where nothing is said.
_FEW = 20


def configure(parser: argparse.ArgumentParser) -> None:
    """Define its arguments."""
    parser.add_argument("stage", nargs="?", metavar="<stage>", help="only runs of this stage")
    parser.add_argument(
        "-n",
        "--limit",
        type=at_least_one,
        default=_FEW,
        metavar="N",
        help=f"at most this many; {_FEW} by default",
    )
    parser.add_argument("--all", action="store_true", help="all of them")
    parser.epilog = "Example: ff runs list train"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """List them."""
    _, records = runs.opened(session)
    limit = None if args.all else args.limit
    found: list[tuple[RunId, RunRecord]] = []
    more = False
    for one in find(
        records, Criteria(stage=args.stage), on_error=lambda error: session.warn(error.message, error.hint)
    ):
        if limit is not None and len(found) == limit:
            more = True
            break
        found.append((one.id, one.record))
    text = list(runs.rows(found, session.style))
    if not found:
        text = [f"no run of '{args.stage}' is recorded" if args.stage else "no run is recorded yet"]
    if more:
        text.append(session.style.dim("older ones: ff runs list --all"))
    return Outcome(data={"runs": [runs.overview(*one) for one in found]}, text=text)
