"""``ff dataset update``: note what a data set is now."""

import argparse
from collections.abc import Iterator

from fourfold.cli.datasets import change_data, place_of
from fourfold.cli.gitnote import tell_git
from fourfold.cli.options import completes
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.project.dataset_edit import DatasetChange, update_dataset
from fourfold.storage.redact import redact_url


def configure(parser: argparse.ArgumentParser) -> None:
    """Define DVC's arguments."""
    completes(parser.add_argument("name", help="the data set"), "none")
    completes(
        parser.add_argument(
            "--rev",
            "--version",
            nargs="?",
            metavar="<version>",
            help="the commit, branch or tag to follow from now on",
        ),
        "none",
    )
    parser.epilog = "Example: ff dataset update cats --rev v2"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Look, and say what is other than before."""
    change = update_dataset(session.project, args.name, rev=args.rev)
    tell_git(session, change.staged)
    data = {**change_data(change, session), "changes": change.files}
    return Outcome(data=data, text=list(_lines(change)))


def _lines(change: DatasetChange) -> Iterator[str]:
    old, new = change.old, change.new
    if old is None or old.lock is None or new.lock is None:
        yield f"Updating {new.spec.name} ({place_of(new)})"
        return
    if not change.changed:
        yield "Nothing to update"
        return
    if old.lock.rev_lock and new.lock.rev_lock:
        moved = f"{old.lock.rev_lock[:9]} -> {new.lock.rev_lock[:9]}"
    else:
        moved = redact_url(new.spec.url)
    yield f"Updating {new.spec.name} ({moved})"
    for state in ("modified", "added", "deleted"):
        for name, found in sorted(change.files.items()):
            if found == state:
                yield f"{state[0].upper()}\t{name}"
