"""``ff pull``: copy tracked data from remotes into cache and workspace."""

import argparse
import os

from fourfold.cli import transfers
from fourfold.cli.options import completes
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.content.checkout import UnsavedChangesError
from fourfold.project.checkout import ADDED, DELETED, MODIFIED
from fourfold.project.pull import PullResult, pull


def configure(parser: argparse.ArgumentParser) -> None:
    """Add DVC's options."""
    transfers.add_options(parser, "fetch")
    completes(
        parser.add_argument("-r", "--remote", metavar="<name>", help="the remote to pull from"), "remote"
    )
    parser.add_argument(
        "-f", "--force", action="store_true", help="replace unsaved changes too; 'ff undo' brings them back"
    )
    parser.add_argument("--glob", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument(
        "--allow-missing", action="store_true", help="succeed although content is nowhere to be had"
    )
    transfers.add_records(parser)
    parser.epilog = "Example: ff pull data/raw"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Pull; where unsaved changes are in the way, ask whoever sits there."""
    try:
        return _outcome(_pull(args, session, force=args.force), args, session)
    except UnsavedChangesError as error:
        if not session.confirm(f"{error.message}. Replace them? (ff undo brings them back)"):
            raise
    return _outcome(_pull(args, session, force=True), args, session)


def _pull(args: argparse.Namespace, session: Session, *, force: bool) -> PullResult:
    return pull(
        session.project,
        args.targets,
        remote=args.remote,
        jobs=args.jobs,
        scope=transfers.scope_of(args),
        recursive=args.recursive,
        with_deps=args.with_deps,
        run_cache=args.run_cache,
        glob=args.glob,
        force=force,
        allow_missing=args.allow_missing,
        events=session.sink,
    )


def _outcome(result: PullResult, args: argparse.Namespace, session: Session) -> Outcome:
    transfers.tell_fetched(result.fetched, session)
    records = transfers.pull_records(args, session, result.error)
    changes = {
        state: [
            session.display(change.path) + (os.sep if change.is_dir else "")
            for change in result.checkout.changes
            if change.state == state
        ]
        for state in (MODIFIED, ADDED, DELETED)
    }
    lines = [f"{state[0].upper()}\t{path}" for state, paths in changes.items() for path in paths]
    counts = {"fetched": transfers.count_fetched(result.fetched), **result.checkout.counts}
    lines += transfers.records_line(records, "fetched")
    if any(counts.values()) or not records:
        lines += transfers.summary(counts, result.fetched.size, failed=result.error is not None)
    data = {
        **transfers.fetched_data(result.fetched, session),
        **changes,
        "stats": result.checkout.counts,
        "healed": result.healed,
        "records": records,
    }
    return Outcome(data=data, text=lines, failure=result.error)
