"""``ff gc``: remove cached data that nothing in the chosen scope needs."""

import argparse
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from fourfold.base.errors import FourfoldError
from fourfold.cli.failure import describe
from fourfold.cli.options import at_least_one, completes
from fourfold.cli.outcome import Outcome
from fourfold.cli.progress import amount
from fourfold.cli.session import NotConfirmedError, Session
from fourfold.project.gc import GcResult, check_scope, gc
from fourfold.project.scope import Scope

if TYPE_CHECKING:
    from fourfold.runs.tidy import Tidied


def configure(parser: argparse.ArgumentParser) -> None:
    """Add DVC's options."""
    keep = parser.add_argument_group("What to keep")
    keep.add_argument("-w", "--workspace", action="store_true", help="what the workspace needs")
    keep.add_argument("--rev", metavar="<commit>", help="and what this commit needs")
    keep.add_argument(
        "-n", "--num", type=int, metavar="<num>", help="and so many commits back from --rev or each branch"
    )
    keep.add_argument("-a", "--all-branches", action="store_true", help="and what the branches need")
    keep.add_argument("-T", "--all-tags", action="store_true", help="and what the tags need")
    keep.add_argument("-A", "--all-commits", action="store_true", help="and what any commit needs")
    keep.add_argument(
        "--date", metavar="<yyyy-mm-dd>", help="and what the commits since this day (inclusive) need"
    )
    keep.add_argument("--all-experiments", action="store_true", help="and what the experiments need")
    completes(
        keep.add_argument(
            "-p",
            "--projects",
            nargs="*",
            default=[],
            metavar="<paths>",
            help="and what these projects, which share the cache, need",
        ),
        "dir",
    )
    keep.add_argument(
        "--not-in-remote", action="store_true", help="of all that, only what the remote does not hold"
    )
    parser.add_argument("-c", "--cloud", action="store_true", help="clean the remote as well")
    completes(parser.add_argument("-r", "--remote", metavar="<name>", help="which remote"), "remote")
    parser.add_argument(
        "--skip-failed", action="store_true", help="leave out revisions that cannot be loaded"
    )
    parser.add_argument(
        "-f", "--force", action="store_true", help="do not ask, and spare nothing for being young"
    )
    parser.add_argument(
        "-j", "--jobs", type=at_least_one, metavar="<number>", help="requests at the same time"
    )
    parser.add_argument("--dry", action="store_true", help="only tell what would go")
    parser.epilog = "Example: ff gc --workspace --all-branches"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Check, ask, remove."""
    from fourfold.wiring import open_project  # noqa: PLC0415 - only other projects are opened by hand

    num = args.num or (1 if args.rev else None)
    scope = Scope(
        revs=(args.rev,) if args.rev else (),
        num=num or 1,
        all_branches=args.all_branches,
        all_tags=args.all_tags,
        all_commits=args.all_commits,
        all_experiments=args.all_experiments,
        since=args.date,
    )
    check_scope(scope, workspace=args.workspace, num=num, cloud=args.cloud, not_in_remote=args.not_in_remote)
    project = session.project
    others = [open_project(session.resolve(path), environ=session.environ) for path in args.projects]
    if not (args.force or args.dry):
        session.warn(_question(args))
        if not session.confirm("Are you sure you want to proceed?"):
            raise NotConfirmedError(
                "nothing was removed: nobody confirmed it",
                hint="to see what would go, add --dry; to go ahead without being asked, --force",
            )
    result = gc(
        project,
        scope,
        remote=args.remote,
        cloud=args.cloud,
        not_in_remote=args.not_in_remote,
        others=others,
        jobs=args.jobs,
        dry=args.dry,
        keep_young=not (args.force or args.dry),
        skip_failed=args.skip_failed,
        events=session.sink,
    )
    tidied = _tidied(session, dry=args.dry)
    data = {**_data(result), "parts": list(tidied.parts) if tidied is not None else []}
    return Outcome(data=data, text=_lines(result, tidied), failure=result.error)


def _tidied(session: Session, *, dry: bool) -> "Tidied | None":
    """Remove what no run record names; None where nothing has run, or a record cannot be read."""
    project = session.project
    if not os.path.isdir(os.path.join(project.own_dir, "runs", "parts")):
        return None
    from fourfold.runs.place import place_of  # noqa: PLC0415 - only where something has run
    from fourfold.runs.store import records_of  # noqa: PLC0415 - likewise
    from fourfold.runs.tidy import tidy  # noqa: PLC0415 - likewise

    try:
        return tidy(records_of(place_of(project)), project.clock.now_ns(), dry=dry)
    except FourfoldError as error:
        session.warn(f"parts of run records stay: {error.message}", error.hint)
        return None


def _question(args: argparse.Namespace) -> str:
    """What is about to happen, in one sentence."""
    kept = ["the workspace"]
    if args.all_commits:
        kept.append("all commits")
    else:
        depth = f"the last {args.num} commits of " if args.num else ""
        kept += [f"{depth}all branches"] if args.all_branches else []
        kept += ["all tags"] if args.all_tags else []
        kept += [f"the commits since {args.date}"] if args.date else []
        kept += [f"{depth}{args.rev}"] if args.rev else []
    kept += ["all experiments"] if args.all_experiments else []
    where = "the cache and the remote" if args.cloud else "the cache"
    needs = f"{', '.join(kept[:-1])} and {kept[-1]}" if len(kept) > 1 else kept[0]
    rest = ", and what the remote holds as well" if args.not_in_remote else ""
    return f"this removes everything from {where} that is not needed by {needs}{rest}"


def _data(result: GcResult) -> dict[str, object]:
    return {
        "dry": result.dry,
        "size": result.size,
        "litter": result.litter,
        "places": [
            {
                "place": swept.place,
                "legacy": swept.legacy,
                "removed": list(swept.oids),
                "size": swept.size,
                "spared": swept.spared,
                "failed": [{"md5": oid, **describe(error)} for oid, error in swept.failed],
            }
            for swept in result.swept
        ],
        "skipped": [{"rev": rev, **describe(error)} for rev, error in result.skipped],
    }


def _lines(result: GcResult, tidied: "Tidied | None") -> Iterator[str]:
    verb = "Would remove" if result.dry else "Removed"
    for swept in result.swept:
        where = f"{swept.place}{' (2.x layout)' if swept.legacy else ''}"
        if result.dry:
            yield from (f"{oid}  {where}" for oid in swept.oids)
        if swept.oids:
            count = f"{len(swept.oids):,} object{'s' * (len(swept.oids) != 1)}"
            yield f"{verb} {count} ({amount(swept.size)}) from {where}."
        elif not swept.legacy:
            yield f"Nothing to remove from {where}."
        if swept.spared:
            yield f"{swept.spared:,} in {where} are not a day old and stay; --force removes them too."
    if result.litter:
        yield f"{verb} {result.litter:,} temporary files of commands that died."
    if tidied is not None and tidied.parts:
        count = f"{len(tidied.parts):,} part{'s' * (len(tidied.parts) != 1)}"
        yield f"{verb} {count} that no run record names ({amount(tidied.size)})."
