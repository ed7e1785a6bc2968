"""``ff cache migrate``: 3.x names for the objects of a 2.x cache."""

import argparse

from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.project.migrate import migrate


def configure(parser: argparse.ArgumentParser) -> None:
    """Define DVC's arguments."""
    parser.add_argument(
        "--dvc-files", action="store_true", help="also rewrite the pointer and lock files of the workspace"
    )
    parser.add_argument("--dry", action="store_true", help="only show what would be done")
    parser.epilog = "Example: ff cache migrate --dvc-files"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Link every old object under its new name; the old layout stays."""
    result = migrate(session.project, pointers=args.dvc_files, dry=args.dry, events=session.sink)
    data = {"objects": result.objects, "files": list(result.files), "damaged": list(result.damaged)}
    verb = "would get" if args.dry else "got"
    lines = [f"{result.objects} objects {verb} a 3.x name"]
    if args.dvc_files:
        lines += [f"{'would rewrite' if args.dry else 'rewrote'} {name}" for name in result.files]
    lines += [f"damaged, left alone: {oid}" for oid in result.damaged]
    return Outcome(data=data, text=lines, exit_code=1 if result.damaged else 0)
