"""``ff get-url``: download a file or a directory from a path or a URL."""

import argparse

from fourfold.cli import sources
from fourfold.cli.commands.get import got_data, got_line
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.project.get_url import get_url


def configure(parser: argparse.ArgumentParser) -> None:
    """Define DVC's arguments."""
    parser.add_argument("url", help="a path, a URL, or remote://<name>/<path>")
    parser.add_argument("out", nargs="?", help="where to put it")
    sources.add_jobs(parser)
    parser.add_argument("-f", "--force", action="store_true", help="replace what is there")
    sources.add_pairs(parser, "--fs-config", "options of the URL's kind of remote")
    parser.epilog = "Example: ff get-url https://example.com/data.csv"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Download, and say what came."""
    result = get_url(
        args.url,
        sources.surroundings_of(session),
        project=sources.project_around(session),
        out=args.out,
        options=args.fs_config,
        jobs=args.jobs,
        force=args.force,
        events=session.sink,
    )
    return Outcome(data=got_data(result, session), text=[got_line(result, session)])
