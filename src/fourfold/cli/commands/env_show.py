"""``ff env show``: the environment of a run, or the one that a stage would find now."""

import argparse

from fourfold.cli.environments import chosen, data_of, lines_of
from fourfold.cli.options import completes
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.wiring import find_place


def configure(parser: argparse.ArgumentParser) -> None:
    """Define the arguments; DVC has no such command."""
    completes(
        parser.add_argument(
            "run", nargs="?", metavar="<run>", help="a run, a stage or a revision; without one, now"
        ),
        "none",
    )
    completes(
        parser.add_argument(
            "-p",
            "--python",
            metavar="<path>",
            help="an interpreter or an environment; that of PATH by default",
        ),
        "file",
    )
    parser.add_argument("--packages", action="store_true", help="name every installed package")
    parser.epilog = "Example: ff env show train"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Show it."""
    place = find_place(session.cwd, environ=session.environ, clock=session.clock)
    known = chosen(place, args.run, args.python)
    return Outcome(data=data_of(known), text=lines_of(known, session.style, every=args.packages))
