"""``ff checkout``: make the workspace be what the pointer files say."""

import argparse
import os

from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.content.checkout import UnsavedChangesError
from fourfold.project.checkout import (
    ADDED,
    DELETED,
    MODIFIED,
    CheckoutIncompleteError,
    CheckoutResult,
    DamagedCacheError,
    OutputChange,
    checkout,
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Define DVC's arguments."""
    parser.add_argument(
        "targets", nargs="*", help="tracked files or directories, pointer files, stages; all by default"
    )
    parser.add_argument("--summary", action="store_true", help="print how many files changed, not which")
    parser.add_argument("-d", "--with-deps", action="store_true", help="also what the targets are made from")
    parser.add_argument(
        "-R", "--recursive", action="store_true", help="everything tracked below target directories"
    )
    parser.add_argument(
        "-f", "--force", action="store_true", help="replace unsaved changes too; 'ff undo' brings them back"
    )
    parser.add_argument(
        "--relink", action="store_true", help="make every file anew as the configured kind of link"
    )
    parser.add_argument(
        "--allow-missing", action="store_true", help="succeed although content is not in the cache"
    )
    parser.epilog = "Example: ff checkout data/raw"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Check out; where unsaved changes are in the way, ask whoever sits there."""
    try:
        return _outcome(args, session, _checkout(args, session, force=args.force))
    except UnsavedChangesError as error:
        for line in error.details[:20]:
            session.news(f"  {session.display(line)}")
        if not session.confirm(f"{error.message}. Replace them? (ff undo brings them back)"):
            raise
    return _outcome(args, session, _checkout(args, session, force=True))


def _checkout(args: argparse.Namespace, session: Session, *, force: bool) -> CheckoutResult:
    try:
        return checkout(
            session.project,
            args.targets,
            with_deps=args.with_deps,
            recursive=args.recursive,
            force=force,
            relink=args.relink,
            allow_missing=args.allow_missing,
            events=session.sink,
        )
    except (CheckoutIncompleteError, DamagedCacheError) as error:
        if not session.settings.json:
            for line in _lines(args, session, error.result):
                session.news(line)
        raise


def _outcome(args: argparse.Namespace, session: Session, result: CheckoutResult) -> Outcome:
    changes = {
        state: [_shown(session, change) for change in result.changes if change.state == state]
        for state in (ADDED, MODIFIED, DELETED)
    }
    data = {
        **changes,
        "stats": result.counts,
        "relinked": result.relinked,
        "missing": [
            {"path": session.display(lack.path), "md5": lack.oid}
            for lack in result.lacking
            if not lack.damaged
        ],
        "kept": [session.display(path) for path in result.kept],
    }
    return Outcome(data=data, text=_lines(args, session, result))


def _lines(args: argparse.Namespace, session: Session, result: CheckoutResult) -> list[str]:
    if args.summary:
        parts = [
            f"{count} file{'s' * (count != 1)} {state}" for state, count in result.counts.items() if count
        ]
        return [_and(parts) or "No changes."]
    lines = [
        f"{state[0].upper()}\t{_shown(session, change)}"
        for state in (MODIFIED, ADDED, DELETED)
        for change in result.changes
        if change.state == state
    ]
    return [*lines, "Relinked successfully"] if args.relink and not result.lacking else lines


def _and(parts: list[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)


def _shown(session: Session, change: OutputChange) -> str:
    return session.display(change.path) + (os.sep if change.is_dir else "")
