"""``ff status``: what differs from what is recorded, here or on a remote."""

import argparse
import os
from collections.abc import Iterable, Iterator
from typing import Any

from fourfold.cli.options import at_least_one
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.project.status import as_dvc, status

#: Written beside ``dvc.lock`` when stages run; with it, the other coordinates are compared too.
_LOCK = "fourfold.lock"


def configure(parser: argparse.ArgumentParser) -> None:
    """Define DVC's arguments."""
    parser.add_argument(
        "targets", nargs="*", help="pointer files, tracked paths or stages; everything by default"
    )
    parser.add_argument(
        "-c", "--cloud", action="store_true", help="compare the cache with a remote instead of the workspace"
    )
    parser.add_argument("-r", "--remote", metavar="NAME", help="the remote to compare with; implies --cloud")
    parser.add_argument("-a", "--all-branches", action="store_true", help="with --cloud: of all branches")
    parser.add_argument("-T", "--all-tags", action="store_true", help="with --cloud: of all tags")
    parser.add_argument("-A", "--all-commits", action="store_true", help="with --cloud: of all commits")
    parser.add_argument("-d", "--with-deps", action="store_true", help="also what the targets are made from")
    parser.add_argument(
        "-R", "--recursive", action="store_true", help="a folder stands for everything tracked below it"
    )
    parser.add_argument(
        "-j", "--jobs", type=at_least_one, metavar="N", help="questions to a remote at the same time"
    )
    parser.add_argument(
        "--no-updates", dest="check_updates", action="store_false", help="do not ask sources of imports"
    )
    parser.epilog = "Example: ff status data.dvc"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Compare, and show the differences as DVC does."""
    if args.cloud or args.remote or args.all_branches or args.all_tags or args.all_commits:
        return _remote(args, session)
    project = session.project
    result = status(
        project,
        args.targets,
        recursive=args.recursive,
        with_deps=args.with_deps,
        check_updates=args.check_updates,
        events=session.sink,
    )
    data = as_dvc(project, result)
    text: Iterable[str] = _lines(data)
    if not data:
        nothing = "There are no data or pipelines tracked in this project yet."
        clean = "Data and pipelines are up to date."
        text = (clean if result.total else nothing,)
    if any(os.path.exists(os.path.join(os.path.dirname(owner.file), _LOCK)) for owner in result.stages):
        from fourfold.cli import standing  # noqa: PLC0415 - where nothing is locked, nothing is loaded
        from fourfold.pipeline.standing import standings  # noqa: PLC0415 - likewise

        found = standings(project, result.stages)
        if found:
            data = {**data, _LOCK: [{"changed coordinates": standing.as_data(found)}]}
            text = (*text, *standing.lines(found))
    return Outcome(data=data, text=text)


def _remote(args: argparse.Namespace, session: Session) -> Outcome:
    from fourfold.cli.status_remote import compare  # noqa: PLC0415 - looking at the workspace never pays

    return compare(args, session)


def _lines(data: dict[str, list[Any]]) -> Iterator[str]:
    for name, entries in data.items():
        yield f"{name}:"
        for entry in entries:
            if isinstance(entry, str):
                yield f"\t{entry}"
                continue
            for heading, changes in entry.items():
                yield f"\t{heading}:"
                yield from _changes(changes, 2)


def _changes(changes: dict[str, Any], depth: int) -> Iterator[str]:
    for path, state in changes.items():
        if isinstance(state, dict):
            yield "\t" * depth + f"{path}:"
            yield from _changes(state, depth + 1)
        else:
            yield "\t" * depth + f"{state + ':':<20}{path}"
