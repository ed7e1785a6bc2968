"""``ff update``: bring imports to what their sources have now."""

import argparse

from fourfold.cli import sources
from fourfold.cli.gitnote import staged_data, tell_git
from fourfold.cli.options import completes
from fourfold.cli.outcome import Outcome
from fourfold.cli.progress import amount
from fourfold.cli.session import Session
from fourfold.project.update import Updated, update


def configure(parser: argparse.ArgumentParser) -> None:
    """Define DVC's arguments."""
    parser.add_argument("targets", nargs="+", help="pointer files of imports")
    sources.add_rev(parser)
    parser.add_argument(
        "-R", "--recursive", action="store_true", help="a folder stands for the imports below it"
    )
    parser.add_argument(
        "--no-download",
        action="store_true",
        help="only record the state of the source; the old data leaves the workspace",
    )
    parser.add_argument("--to-remote", action="store_true", help="send it to a remote, not into the project")
    completes(parser.add_argument("-r", "--remote", metavar="<name>", help="which remote"), "remote")
    sources.add_jobs(parser)
    parser.epilog = "Example: ff update data.csv.dvc"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Update, and say what came."""
    result = update(
        session.project,
        args.targets,
        rev=args.rev,
        recursive=args.recursive,
        to_remote=args.to_remote,
        remote=args.remote,
        no_download=args.no_download,
        jobs=args.jobs,
        events=session.sink,
    )
    tell_git(session, result.staged)
    text = [_line(entry, session) for entry in result.updated]
    text += [f"'{session.display(owner.file)}' didn't change, skipping" for owner in result.unchanged]
    data = {
        "updated": [_data(entry, session) for entry in result.updated],
        "unchanged": [session.display(owner.file) for owner in result.unchanged],
        **staged_data(session, result.staged),
    }
    return Outcome(data=data, text=text)


def _line(entry: Updated, session: Session) -> str:
    size = "" if entry.oid is None or entry.size is None else f" ({amount(entry.size)})"
    return f"Importing '{entry.source}' -> '{session.display(entry.path)}'{size}"


def _data(entry: Updated, session: Session) -> dict[str, object]:
    return {
        "path": session.display(entry.path),
        "pointer": session.display(entry.owner.file),
        "source": entry.source,
        "rev": entry.rev,
        "md5": entry.oid,
        "size": entry.size,
        "nfiles": entry.nfiles,
    }
