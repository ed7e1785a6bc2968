"""``ff repair``: heal damaged or missing objects from any good copy. DVC has no such command."""

import argparse
from collections.abc import Iterator

from fourfold.cli.commands.fsck import add_places, finding_data
from fourfold.cli.options import ours
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.project.repair import RepairResult, repair


def configure(parser: argparse.ArgumentParser) -> None:
    """Define the arguments."""
    parser.add_argument(
        "targets", nargs="*", metavar="<targets>", help="pointer files, tracked paths or stages; none for all"
    )
    add_places(parser, "heal")
    ours(
        parser.add_argument(
            "--dry", action="store_true", help="only tell what is wrong and what could heal it"
        )
    )
    parser.epilog = "Example: ff repair --remote storage"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Heal, and tell what was healed from where, and what was not."""
    result = repair(
        session.project,
        args.targets,
        remotes=args.remotes,
        all_remotes=args.all_remotes,
        jobs=args.jobs,
        dry=args.dry,
        events=session.sink,
    )
    data = {
        "dry": result.dry,
        "healed": [{**finding_data(healed.finding), "source": healed.source} for healed in result.healed],
        "left": [finding_data(finding) for finding in result.left],
        "quarantine": list(result.quarantine),
    }
    return Outcome(data=data, text=_lines(result), failure=result.error)


def _lines(result: RepairResult) -> Iterator[str]:
    verb = "would heal" if result.dry else "healed"
    for healed in result.healed:
        finding = healed.finding
        what = finding.path or finding.damage.oid
        yield f"{finding.place}: {verb} {what} ({finding.damage.kind}) from {healed.source}"
    if result.dry:
        yield from (f"{finding.place}: no copy known: {finding.describe()}" for finding in result.left)
    if result.quarantine:
        count = len(result.quarantine)
        yield f"{count:,} damaged object{'s' * (count != 1)} moved to quarantine"
    if not (result.healed or result.left):
        yield "Nothing to repair."
