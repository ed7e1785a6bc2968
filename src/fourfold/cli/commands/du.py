"""``ff du``: how much space the files of a repository take, tracked data too."""

import argparse

from fourfold.cli import sources
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.project.elsewhere import open_source
from fourfold.project.list_ import du
from fourfold.project.sourceview import View


def configure(parser: argparse.ArgumentParser) -> None:
    """Define DVC's arguments."""
    parser.add_argument("url", help="the repository: a folder, or a Git address")
    parser.add_argument("path", nargs="?", default="", help="a path in it")
    sources.add_rev(parser)
    parser.add_argument("-s", "--summarize", action="store_true", help="only the sum")
    sources.add_remote_options(parser)
    parser.epilog = "Example: ff du . data"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Add up."""
    source = open_source(
        args.url, sources.surroundings_of(session), rev=args.rev, settings=sources.settings_of(args)
    )
    found = du(View(source), args.path, summarize=args.summarize)
    return Outcome(
        data=[{"path": one.path, "size": one.size} for one in found],
        text=sources.columns([sources.natural(one.size), one.path] for one in found),
        loud=True,
    )
