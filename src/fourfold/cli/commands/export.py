"""``ff export``: a run to take away, in the words of others, or as one file that a stranger replays."""

import argparse
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from fourfold.base.errors import UsageError, from_os_error
from fourfold.base.fs.atomic import write_atomic
from fourfold.cli import runs
from fourfold.cli.evidence import RUN
from fourfold.cli.options import completes
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.evidence.export.archive import ExportFileExistsError
from fourfold.evidence.export.dossier import Dossier, Said, gather, shown_size
from fourfold.evidence.naming import resolve
from fourfold.runs.words import SHORT

if TYPE_CHECKING:
    from fourfold.formats.native.record import RunId
    from fourfold.runs.place import Place
    from fourfold.runs.store import Records

#: What its file ends with, by format.
_ENDINGS = {
    "archive": ".ffrun.zip",
    "ro-crate": ".ro-crate-metadata.json",
    "slsa": ".intoto.jsonl",
    "cyclonedx": ".cdx.json",
    "model-card": ".model-card.md",
    "checklist": ".checklist.md",
}
_FORMATS = (*_ENDINGS, "mlflow")


def configure(parser: argparse.ArgumentParser) -> None:
    """Define its arguments."""
    completes(
        parser.add_argument("run", nargs="?", default="@", metavar="<run>", help=f"{RUN}; else the last"),
        "none",
    )
    parser.add_argument(
        "--format",
        choices=_FORMATS,
        default="archive",
        help="archive (the default) is what a stranger replays",
    )
    completes(
        parser.add_argument(
            "-o", "--out", metavar="<path>", help="write to this file; - is the terminal, but for archives"
        ),
        "file",
    )
    parser.add_argument("-f", "--force", action="store_true", help="write over a file that is there")
    parser.add_argument("--no-data", action="store_true", help="leave data out of an archive")
    completes(
        parser.add_argument(
            "--to", metavar="<uri>", help="of MLflow's tracking store; else the variable MLFLOW_TRACKING_URI"
        ),
        "none",
    )
    completes(
        parser.add_argument(
            "--experiment", default="fourfold", metavar="<name>", help="of MLflow; made when it is not there"
        ),
        "none",
    )
    completes(
        parser.add_argument(
            "--license", default="", metavar="<id>", help="of an RO-Crate: which no record can know"
        ),
        "none",
    )
    parser.epilog = "Example: ff export train -o train.ffrun.zip"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Write it."""
    place, records = runs.opened(session)
    run = resolve(place, records, args.run)
    if args.format == "archive":
        return _archive(args, session, place, records, run)
    dossier = gather(place, records, run, _statements(place, records, run))
    if args.format == "mlflow":
        return _mlflow(args, place, dossier)
    data = _renderers(args)[args.format](dossier)
    if args.out == "-":
        return Outcome(
            data={"run": run, "format": args.format, "document": data.decode()},
            text=data.decode().splitlines(),
            loud=True,
        )
    path, shown = _target(args, session, dossier.act.name, run)
    try:
        write_atomic(path, data)
    except OSError as error:
        raise from_os_error(error, f"writing {shown}") from error
    return Outcome(
        data={"run": run, "format": args.format, "path": shown, "size": len(data)},
        text=[f"wrote run {run[:SHORT]} to {shown} ({shown_size(len(data))})"],
    )


def _statements(place: "Place", records: "Records", run: "RunId") -> tuple[Said, ...]:
    """The verdicts on it, but for those whose signature is false."""
    from fourfold.evidence.auditing.statements import signed_by, statements_of  # noqa: PLC0415 - not for archives

    return tuple(
        Said(found.verdict.level, found.verdict.reason, signed_by(found), found.statement.document())
        for found in statements_of(place, records, run)
        if found.verdict is not None and found.checked.state != "bad"
    )


def _renderers(args: argparse.Namespace) -> dict[str, Callable[[Dossier], bytes]]:
    from fourfold.evidence.export import card, checklist, cyclonedx, rocrate, slsa  # noqa: PLC0415 - one is used
    from fourfold.formats.attest import dsse  # noqa: PLC0415 - likewise

    return {
        "ro-crate": lambda dossier: rocrate.render(dossier, licence=args.license),
        "slsa": lambda dossier: dsse.render(slsa.provenance(dossier)) + b"\n",
        "cyclonedx": cyclonedx.render,
        "model-card": card.render,
        "checklist": checklist.render,
    }


def _target(args: argparse.Namespace, session: Session, name: str, run: str) -> tuple[str, str]:
    """The file to write, absolute and as it is told."""
    plain = "".join(letter if letter.isalnum() or letter in "_.-" else "-" for letter in name)[:40]
    shown = args.out or f"{plain}-{run[:SHORT]}{_ENDINGS[args.format]}"
    path = session.resolve(shown)
    if os.path.isdir(path):
        raise ExportFileExistsError(f"'{shown}' is a folder", hint="name a file: -o <path>")
    if os.path.lexists(path) and not args.force:
        raise ExportFileExistsError(f"'{shown}' exists", hint="write over it with: --force")
    return path, shown


def _archive(
    args: argparse.Namespace, session: Session, place: "Place", records: "Records", run: "RunId"
) -> Outcome:
    from fourfold.evidence.export.archive import pack  # noqa: PLC0415 - one format is used

    if args.out == "-":
        raise UsageError("an archive is no text", hint="name a file: -o <path>")
    record = records.get(run)
    path, shown = _target(args, session, record.stage or "run", run)
    packed = pack(place, records, run, path, data=not args.no_data, replace=args.force)
    for line in packed.left_out:
        session.warn(f"the archive lacks {line}")
    count = len(packed.runs)
    return Outcome(
        data={"format": "archive", "path": shown, **packed._asdict()},
        text=[
            (
                f"wrote run {run[:SHORT]} to {shown} ({shown_size(packed.size)}): "
                f"{count} {'run' if count == 1 else 'runs'}, "
                f"{packed.objects:,} {'file' if packed.objects == 1 else 'files'} of data"
            ),
            f"whoever has it: ff replay {shown}",
        ],
    )


def _mlflow(args: argparse.Namespace, place: "Place", dossier: Dossier) -> Outcome:
    from fourfold.evidence.export import mlflow  # noqa: PLC0415 - one format is used

    uri = args.to or place.environ.get("MLFLOW_TRACKING_URI", "")
    if not uri:
        raise UsageError(
            "no tracking store is named", hint="name one: --to <uri>, or set MLFLOW_TRACKING_URI"
        )
    store = place.project.store if place.project is not None and not args.no_data else None
    logged = mlflow.log(dossier, uri, args.experiment, store)
    return Outcome(
        data={
            "run": dossier.run,
            "format": "mlflow",
            **{f"mlflow_{k}": v for k, v in logged._asdict().items()},
        },
        text=[
            (
                f"wrote run {dossier.run[:SHORT]} to MLflow: {logged.run} of '{args.experiment}', "
                f"{logged.artifacts} artifacts"
            )
        ],
    )
