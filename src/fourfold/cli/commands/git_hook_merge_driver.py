"""``ff git-hook merge-driver``: what Git calls to merge a pointer file or a lock file."""

import argparse

from fourfold.base.errors import from_os_error
from fourfold.base.fs.atomic import write_atomic
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.project.merge import MergeConflictError, merge_file, reason


def configure(parser: argparse.ArgumentParser) -> None:
    """Define DVC's arguments: the three files that Git hands over."""
    parser.add_argument("--ancestor", required=True, metavar="FILE", help="what both sides began with")
    parser.add_argument("--our", required=True, metavar="FILE", help="our side; takes the result")
    parser.add_argument("--their", required=True, metavar="FILE", help="the other side")
    parser.epilog = "Example: ff git-hook merge-driver --ancestor %O --our %A --their %B"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Merge into our file; on a conflict leave it as it is and exit 1, which Git reports."""
    ancestor, ours, theirs = (_read(session.resolve(path)) for path in (args.ancestor, args.our, args.their))
    try:
        merged = merge_file(session.project, ancestor, ours, theirs, name=args.our)
    except MergeConflictError as conflict:
        session.warn(reason(conflict), conflict.hint)
        return Outcome(data={"merged": False, "conflicts": list(conflict.details)}, exit_code=1)
    write_atomic(session.resolve(args.our), merged.data)
    return Outcome(data={"merged": True})


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise from_os_error(error, "reading a side of the merge") from error
