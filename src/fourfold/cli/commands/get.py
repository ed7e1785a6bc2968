"""``ff get``: download a file or a directory of a repository."""

import argparse

from fourfold.cli import sources
from fourfold.cli.outcome import Outcome
from fourfold.cli.progress import amount
from fourfold.cli.session import Session
from fourfold.project.elsewhere import open_source
from fourfold.project.get import Got, get
from fourfold.project.locate import storage_url
from fourfold.project.sourceview import View


def configure(parser: argparse.ArgumentParser) -> None:
    """Define DVC's arguments."""
    parser.add_argument("url", help="the repository: a folder, or a Git address")
    parser.add_argument("path", help="a file or a directory in it")
    parser.add_argument("-o", "--out", nargs="?", metavar="<path>", help="where to put it")
    sources.add_rev(parser)
    parser.add_argument("--show-url", action="store_true", help="print where the data is stored, and stop")
    sources.add_jobs(parser)
    parser.add_argument("-f", "--force", action="store_true", help="replace what is there")
    sources.add_remote_options(parser)
    parser.epilog = "Example: ff get https://github.com/iterative/dataset-registry use-cases/cats-dogs"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Download, or say from where."""
    around, settings = sources.surroundings_of(session), sources.settings_of(args)
    if args.show_url:
        url = storage_url(View(open_source(args.url, around, rev=args.rev, settings=settings)), args.path)
        return Outcome(data={"url": url}, text=[url], loud=True)
    result = get(
        args.url,
        args.path,
        around,
        out=args.out,
        rev=args.rev,
        settings=settings,
        jobs=args.jobs,
        force=args.force,
        events=session.sink,
    )
    return Outcome(data=got_data(result, session), text=[got_line(result, session)])


def got_data(result: Got, session: Session) -> dict[str, object]:
    """What came, for ``--json``."""
    return {
        "path": session.display(result.path),
        "md5": result.oid,
        "size": result.size,
        "nfiles": result.nfiles,
        "rev": result.rev or None,
    }


def got_line(result: Got, session: Session) -> str:
    """What came, for people."""
    count = "" if result.nfiles is None else f"{result.nfiles:,} file{'s' * (result.nfiles != 1)}, "
    return f"Got {session.display(result.path)} ({count}{amount(result.size)})"
