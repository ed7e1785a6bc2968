"""``ff add``: begin to track files and directories, or record what they are now."""

import argparse

from fourfold.base.errors import UsageError
from fourfold.cli.gitnote import staged_data, tell_git
from fourfold.cli.options import at_least_one, completes
from fourfold.cli.outcome import Outcome
from fourfold.cli.progress import amount
from fourfold.cli.session import Session
from fourfold.project.add import AddResult, add
from fourfold.project.recording import Added


def configure(parser: argparse.ArgumentParser) -> None:
    """Define DVC's arguments."""
    parser.add_argument(
        "targets", nargs="+", help="files or directories; a path inside a tracked directory updates that one"
    )
    parser.add_argument("--no-commit", action="store_true", help="do not put the content into the cache yet")
    parser.add_argument("--glob", action="store_true", help="targets are patterns such as 'data/*.csv'")
    parser.add_argument(
        "-o",
        "--out",
        metavar="<path>",
        help="copy or download the one target to this path, and track it there",
    )
    parser.add_argument(
        "--to-remote", action="store_true", help="send the one target straight to a remote, and track it"
    )
    completes(
        parser.add_argument("-r", "--remote", metavar="<name>", help="the remote of --to-remote"), "remote"
    )
    completes(
        parser.add_argument(
            "--remote-jobs", type=at_least_one, metavar="<number>", help="requests at once, with --to-remote"
        ),
        "none",
    )
    parser.add_argument("-f", "--force", action="store_true", help="replace what is in the way")
    parser.add_argument(
        "--no-relink", dest="relink", action="store_false", help="leave the workspace files as they are"
    )
    parser.epilog = "Example: ff add data/raw model.pkl"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Track, and say what."""
    _check(args)
    if args.out is not None or args.to_remote:
        from fourfold.project.adopt import adopt  # noqa: PLC0415 - few adds bring data from elsewhere

        result = adopt(
            session.project,
            args.targets[0],
            out=args.out,
            to_remote=args.to_remote,
            remote=args.remote,
            jobs=args.remote_jobs,
            force=args.force,
            events=session.sink,
        )
    else:
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


class OptionsExcludeError(UsageError):
    """Two options, or an option and the targets, do not go together."""

    code = "options-exclude"


def _check(args: argparse.Namespace) -> None:
    """Refuse what does not go together, as DVC does."""
    if args.to_remote or args.out is not None:
        option = "--to-remote" if args.to_remote else "--out"
        other = (
            "multiple targets"
            if len(args.targets) != 1
            else "--glob"
            if args.glob
            else "--no-commit"
            if args.no_commit
            else ""
        )
        if other:
            raise OptionsExcludeError(f"{other} can't be used with {option}")
    else:
        lonely = "--remote" if args.remote else "--remote-jobs" if args.remote_jobs else ""
        if lonely:
            raise OptionsExcludeError(f"{lonely} can't be used without --to-remote")


def _data(session: Session, result: AddResult) -> dict[str, object]:
    stored = result.stored
    return {
        "added": [
            {
                "path": session.display(item.path),
                "output": session.display(item.out_path),
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
    within = "" if item.path == item.out_path else f" in {session.display(item.out_path)}"
    return f"{verb} {session.display(item.path)}{within}{about}"
