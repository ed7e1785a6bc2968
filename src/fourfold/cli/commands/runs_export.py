"""``ff runs export``: a run with everything that it names, as one document."""

import argparse
import os

from fourfold.base.errors import ConflictError
from fourfold.base.fs.atomic import write_atomic
from fourfold.cli import runs
from fourfold.cli.evidence import RUN
from fourfold.cli.options import completes
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.runs.export import Exported, export, markdown
from fourfold.runs.words import SHORT

_FORMATS = ("json", "markdown")


class ExportExistsError(ConflictError):
    """The file of an export is there already."""

    code = "run-export-exists"


def configure(parser: argparse.ArgumentParser) -> None:
    """Define its arguments."""
    completes(
        parser.add_argument("run", nargs="?", default="@", metavar="<run>", help=f"{RUN}; else the last"),
        "none",
    )
    completes(
        parser.add_argument("-o", "--out", metavar="<path>", help="write to this file, not to the terminal"),
        "file",
    )
    parser.add_argument("--format", choices=_FORMATS, default="json", help="a document, or a page")
    parser.add_argument("-f", "--force", action="store_true", help="write over a file that is there")
    parser.epilog = "Example: ff runs export train -o train-run.json"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Write it."""
    place, records = runs.opened(session)
    found = export(records, runs.named(place, records, args.run))
    lines = _document(found) if args.format == "json" else list(markdown(found))
    if found.missing:
        session.warn(
            f"{len(found.missing)} parts of this run are not here: the export names them as missing",
            "bring them with: ff pull",
        )
    if args.out is None:
        return Outcome(data=found.document(), text=lines, loud=True)
    path = session.resolve(args.out)
    if os.path.lexists(path) and not args.force:
        raise ExportExistsError(f"'{args.out}' exists", hint="write over it with: --force")
    write_atomic(path, ("\n".join(lines) + "\n").encode("utf-8", "surrogateescape"))
    told = {"run": found.id, "path": args.out, "missing": list(found.missing)}
    return Outcome(data=told, text=[f"wrote run {found.id[:SHORT]} to {args.out}"])


def _document(found: Exported) -> list[str]:
    return found.text().removesuffix("\n").split("\n")
