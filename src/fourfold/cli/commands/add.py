"""``ff add``: begin to track files and directories, or record what they are now."""

import argparse

from fourfold.cli.gitnote import staged_data, tell_git
from fourfold.cli.outcome import Outcome
from fourfold.cli.progress import amount
from fourfold.cli.session import Session
from fourfold.project.add import Added, AddResult, add


def configure(parser: argparse.ArgumentParser) -> None:
    """Define DVC's arguments."""
    parser.add_argument(
        "targets", nargs="+", help="files or directories; a path inside a tracked directory updates that one"
    )
    parser.add_argument("--no-commit", action="store_true", help="do not put the content into the cache yet")
    parser.add_argument("--glob", action="store_true", help="targets are patterns such as 'data/*.csv'")
    parser.add_argument("-f", "--force", action="store_true", help="replace what is in the way")
    parser.add_argument(
        "--no-relink", dest="relink", action="store_false", help="leave the workspace files as they are"
    )
    parser.epilog = "Example: ff add data/raw model.pkl"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Track, and say what."""
    result = add(
        session.project,
        args.targets,
        glob=args.glob,
        no_commit=args.no_commit,
        relink=args.relink,
        force=args.force,
        events=session.sink,
    )
    tell_git(session, result.staged)
    return Outcome(data=_data(session, result), text=[_line(session, item) for item in result.added])


def _data(session: Session, result: AddResult) -> dict[str, object]:
    stored = result.stored
    return {
        "added": [
            {
                "path": session.display(item.path),
                "pointer": session.display(item.file),
                "md5": item.oid,
                "size": item.size,
                "nfiles": item.nfiles,
                "new": item.new,
                "changed": item.changed,
            }
            for item in result.added
        ],
        "cache": None if stored is None else {"objects": stored.added, "size": stored.size},
        **staged_data(session, result.staged),
    }


def _line(session: Session, item: Added) -> str:
    verb = "Tracked" if item.new else "Updated" if item.changed else "Unchanged"
    count = "" if item.nfiles is None else f"{item.nfiles:,} file{'s' * (item.nfiles != 1)}, "
    known = "" if item.size is None else amount(item.size)
    about = f" ({(count + known).removesuffix(', ')})" if count or known else ""
    return f"{verb} {session.display(item.path)}{about}"
