"""``ff import``: bring data of another repository into the project, and remember its source."""

import argparse

from fourfold.cli import sources
from fourfold.cli.gitnote import staged_data, tell_git
from fourfold.cli.outcome import Outcome
from fourfold.cli.progress import amount
from fourfold.cli.session import Session
from fourfold.project.import_ import Imported, import_


def configure(parser: argparse.ArgumentParser) -> None:
    """Define DVC's arguments."""
    parser.add_argument("url", help="the repository: a folder, or a Git address")
    parser.add_argument("path", help="a file or a directory in it")
    parser.add_argument("-o", "--out", nargs="?", metavar="<path>", help="where to put it")
    parser.add_argument("-f", "--force", action="store_true", help="replace what is there")
    sources.add_rev(parser)
    add_laziness(parser)
    sources.add_jobs(parser)
    sources.add_remote_options(parser)
    parser.epilog = "Example: ff import https://github.com/iterative/dataset-registry get-started/data.xml"


def add_laziness(parser: argparse.ArgumentParser) -> None:
    """Add ``--no-exec`` and ``--no-download``."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--no-exec", action="store_true", help="only write the pointer file")
    group.add_argument(
        "--no-download", action="store_true", help="only write the pointer file, with the state of the source"
    )


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Import, and say what came."""
    result = import_(
        session.project,
        args.url,
        args.path,
        out=args.out,
        rev=args.rev,
        no_exec=args.no_exec,
        no_download=args.no_download,
        settings=sources.settings_of(args),
        jobs=args.jobs,
        force=args.force,
        events=session.sink,
    )
    tell_git(session, result.staged)
    return Outcome(data=imported_data(result, session), text=[imported_line(result, session)])


def imported_data(result: Imported, session: Session) -> dict[str, object]:
    """What came, for ``--json``."""
    return {
        "path": session.display(result.path),
        "pointer": session.display(result.file),
        "source": result.source,
        "rev": result.rev or None,
        "md5": result.oid,
        "size": result.size,
        "nfiles": result.nfiles,
        **staged_data(session, result.staged),
    }


def imported_line(result: Imported, session: Session) -> str:
    """What came, for people."""
    size = "" if result.oid is None or result.size is None else f" ({amount(result.size)})"
    return f"Importing '{result.source}' -> '{session.display(result.path)}'{size}"
