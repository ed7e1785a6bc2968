"""``ff git-hook merge-driver``: what Git calls to merge a pointer file or a lock file."""

import argparse

from fourfold.base.errors import CorruptError, InvalidFileError, NotFoundError, from_os_error
from fourfold.base.fs.atomic import write_atomic
from fourfold.cli.options import ours
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.project.merge import MergeConflictError, merge_file, reason


def configure(parser: argparse.ArgumentParser) -> None:
    """Define DVC's arguments: the three files that Git hands over."""
    parser.add_argument("--ancestor", required=True, metavar="FILE", help="what both sides began with")
    parser.add_argument("--our", required=True, metavar="FILE", help="our side; takes the result")
    parser.add_argument("--their", required=True, metavar="FILE", help="the other side")
    ours(parser.add_argument("--path", metavar="FILE", help="what the file is called in the repository"))
    parser.epilog = "Example: ff git-hook merge-driver --ancestor %O --our %A --their %B"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Merge into our file; on a conflict exit 1, which Git reports.

    A lock file has then everything but the conflict merged; any other file is as it was. What cannot be
    read is a conflict too: Git stops a whole merge for every other code.
    """
    try:
        sides = [_read(session.resolve(path)) for path in (args.ancestor, args.our, args.their)]
        merged = merge_file(session.project, *sides, name=args.path or args.our)
    except MergeConflictError as conflict:
        if conflict.partial is not None:
            write_atomic(session.resolve(args.our), conflict.partial)
        session.warn(reason(conflict), conflict.hint)
        return Outcome(data={"merged": False, "conflicts": list(conflict.details)}, exit_code=1)
    except (InvalidFileError, NotFoundError, CorruptError) as error:
        session.warn(reason(error), error.hint)
        return Outcome(data={"merged": False, "conflicts": []}, exit_code=1)
    write_atomic(session.resolve(args.our), merged.data)
    return Outcome(data={"merged": True})


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise from_os_error(error, "reading a side of the merge") from error
