"""``ff fsck``: check every object of a cache or a remote. DVC has no such command."""

import argparse
from collections.abc import Iterator
from typing import Any

from fourfold.cli.options import at_least_one, completes, ours
from fourfold.cli.outcome import Outcome
from fourfold.cli.progress import amount
from fourfold.cli.session import Session
from fourfold.project.fsck import Finding, FsckResult, fsck

#: So many names of files that are no damage are printed.
_FEW = 5


def configure(parser: argparse.ArgumentParser) -> None:
    """Define the arguments."""
    parser.add_argument(
        "targets", nargs="*", metavar="<targets>", help="pointer files, tracked paths or stages; none for all"
    )
    ours(
        parser.add_argument(
            "--read-data", action="store_true", help="read every byte, also of objects that nothing names"
        )
    )
    add_places(parser, "check")
    parser.epilog = "Example: ff fsck --read-data --all-remotes"


def add_places(parser: argparse.ArgumentParser, verb: str) -> None:
    """Add the options that say where."""
    completes(
        parser.add_argument(
            "-r",
            "--remote",
            dest="remotes",
            action="append",
            default=[],
            metavar="<name>",
            help=f"{verb} this remote too; may be given several times",
        ),
        "remote",
    )
    ours(parser.add_argument("--all-remotes", action="store_true", help=f"{verb} all remotes too"))
    parser.add_argument(
        "-j", "--jobs", type=at_least_one, metavar="<number>", help="requests at the same time"
    )


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Check, and list all that is wrong; the exit code is 1 then."""
    result = fsck(
        session.project,
        args.targets,
        read=args.read_data,
        remotes=args.remotes,
        all_remotes=args.all_remotes,
        jobs=args.jobs,
        events=session.sink,
    )
    return Outcome(data=_data(result), text=_lines(result), loud=bool(result.findings), failure=result.error)


def finding_data(finding: Finding) -> dict[str, Any]:
    """One finding, for ``--json``."""
    damage = finding.damage
    return {
        "place": finding.place,
        "kind": damage.kind,
        "md5": damage.oid,
        "legacy": damage.legacy,
        "path": finding.path,
        "detail": damage.detail,
    }


def _data(result: FsckResult) -> dict[str, Any]:
    return {
        "clean": not result.findings,
        "places": [place._asdict() for place in result.places],
        "findings": [finding_data(finding) for finding in result.findings],
        "modes": [{"md5": oid, "mode": f"{mode:04o}"} for oid, mode in result.modes],
        "litter": list(result.litter),
        "quarantine": list(result.quarantine),
    }


def _lines(result: FsckResult) -> Iterator[str]:
    for finding in result.findings:
        yield f"{finding.place}: {finding.describe()}"
    for place in result.places:
        wrong = sum(finding.place == place.place for finding in result.findings)
        read = f", {place.read:,} read ({amount(place.size)})" if place.read else ""
        yield f"{place.place}: {place.checked:,} objects checked{read}, {wrong or 'none'} wrong"
        if place.unproven:
            yield f"{place.place}: {place.unproven:,} were never read by ff; --read-data reads them"
    if result.modes:
        shown = ", ".join(f"{oid} ({mode:04o})" for oid, mode in result.modes[:_FEW])
        yield f"cache: {len(result.modes):,} objects have odd permissions: {shown}"
    if result.litter:
        yield f"cache: {len(result.litter):,} temporary files of commands that died; ff gc removes them"
    if result.quarantine:
        count = len(result.quarantine)
        yield f"cache: {count:,} damaged object{'s' * (count != 1)} in quarantine"
