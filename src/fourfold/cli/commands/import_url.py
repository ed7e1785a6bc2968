"""``ff import-url``: bring data from a path or a URL into the project, and remember its source."""

import argparse

from fourfold.cli import sources
from fourfold.cli.commands.import_ import add_laziness, imported_data, imported_line
from fourfold.cli.gitnote import tell_git
from fourfold.cli.options import completes
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.project.import_url import import_url


def configure(parser: argparse.ArgumentParser) -> None:
    """Define DVC's arguments."""
    parser.add_argument("url", help="a path, a URL, or remote://<name>/<path>")
    parser.add_argument("out", nargs="?", help="where to put it")
    parser.add_argument("--to-remote", action="store_true", help="send it to a remote, not into the project")
    completes(parser.add_argument("-r", "--remote", metavar="<name>", help="which remote"), "remote")
    add_laziness(parser)
    sources.add_jobs(parser)
    parser.add_argument("-f", "--force", action="store_true", help="replace what is there")
    parser.add_argument(
        "--version-aware", action="store_true", help="record the versions that the source keeps"
    )
    sources.add_pairs(parser, "--fs-config", "options of the URL's kind of remote")
    parser.epilog = "Example: ff import-url s3://bucket/raw data/raw"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Import, and say what came."""
    result = import_url(
        session.project,
        args.url,
        out=args.out,
        no_exec=args.no_exec,
        no_download=args.no_download,
        to_remote=args.to_remote,
        remote=args.remote,
        version_aware=args.version_aware,
        fs_config=args.fs_config,
        jobs=args.jobs,
        force=args.force,
        events=session.sink,
    )
    tell_git(session, result.staged)
    return Outcome(data=imported_data(result, session), text=[imported_line(result, session)])
