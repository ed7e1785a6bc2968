"""What push, pull and fetch share on the command line: their options, their summary line, their JSON."""

import argparse
import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from fourfold.base.errors import AuthError, FourfoldError, UnavailableError
from fourfold.cli.failure import describe
from fourfold.cli.options import at_least_one, ours
from fourfold.cli.progress import amount
from fourfold.project.remotes import open_remote
from fourfold.project.scope import Scope

if TYPE_CHECKING:
    from fourfold.cli.session import Session
    from fourfold.project.fetch import FetchResult
    from fourfold.project.project import Project
    from fourfold.project.push import PushResult
    from fourfold.project.troubles import Trouble

_LOCK = "fourfold.lock"


def add_options(parser: argparse.ArgumentParser, verb: str) -> None:
    """Add the options that the three commands have in common."""
    parser.add_argument(
        "targets", nargs="*", metavar="<targets>", help="pointer files, tracked paths or stages; none for all"
    )
    parser.add_argument(
        "-j", "--jobs", type=at_least_one, metavar="<number>", help="transfers at the same time"
    )
    parser.add_argument("-a", "--all-branches", action="store_true", help=f"{verb} the data of all branches")
    parser.add_argument("-T", "--all-tags", action="store_true", help=f"{verb} the data of all tags")
    parser.add_argument("-A", "--all-commits", action="store_true", help=f"{verb} the data of all commits")
    parser.add_argument(
        "-d", "--with-deps", action="store_true", help=f"{verb} also what the targets are made from"
    )
    parser.add_argument(
        "-R", "--recursive", action="store_true", help="folders stand for everything tracked below them"
    )
    parser.add_argument(
        "--run-cache",
        action=argparse.BooleanOptionalAction,
        default=False,
        help=f"{verb} remembered runs too",
    )


def add_records(parser: argparse.ArgumentParser) -> None:
    """Add the option that leaves run records out."""
    ours(
        parser.add_argument(
            "--no-records", dest="records", action="store_false", help="leave run records out of it"
        )
    )


def push_records(args: argparse.Namespace, session: "Session") -> int:
    """Send run records after the data; how many. What keeps them from going is a warning."""
    project = session.project
    name = args.remote or project.config.default_remote
    if (
        not args.records
        or name is None
        or not os.path.isdir(os.path.join(project.own_dir, "runs", "records"))
    ):
        return 0
    from fourfold.runs import sharing  # noqa: PLC0415 - only where something has run
    from fourfold.runs.place import place_of  # noqa: PLC0415 - likewise
    from fourfold.runs.store import records_of  # noqa: PLC0415 - likewise

    records = records_of(place_of(project))
    try:
        runs = sharing.chosen(records, _targets(args, session))
        remote = open_remote(project, name, jobs=args.jobs, access="write")
    except FourfoldError as error:
        session.warn(f"run records were not sent: {error.message}", error.hint)
        return 0
    return sharing.push_records(records, remote, runs, events=session.sink).runs


def promote_records(args: argparse.Namespace, session: "Session") -> int:
    """Send the run records of revisions after their data; how many.

    Those that ``fourfold.lock`` names there, with their replays; what is not here comes from the remote that
    has the data.
    """
    project = session.project
    to = args.remote or project.config.default_remote
    if not args.records or to is None:
        return 0
    if not args.revs or args.all_branches or args.all_tags or args.all_commits:
        return push_records(args, session)
    from fourfold.runs import sharing  # noqa: PLC0415 - only where something has run
    from fourfold.runs.locked import locked  # noqa: PLC0415 - likewise
    from fourfold.runs.place import place_of  # noqa: PLC0415 - likewise
    from fourfold.runs.store import records_of  # noqa: PLC0415 - likewise

    records = records_of(place_of(project))
    try:
        named = locked(project, _targets(args, session), args.revs)
        if not named.runs:
            return 0
        remote = open_remote(project, to, jobs=args.jobs, access="write")
        source = args.source or project.config.default_remote
        if source is not None and source != to:
            origin = open_remote(project, source, jobs=args.jobs)
            sharing.pull_records(records, origin, named.runs, stated=named.statements, events=session.sink)
    except FourfoldError as error:
        session.warn(f"run records were not sent: {error.message}", error.hint)
        return 0
    return sharing.push_records(records, remote, named.runs, events=session.sink).runs


def pull_records(args: argparse.Namespace, session: "Session", failed: FourfoldError | None) -> int:
    """Bring the run records that ``fourfold.lock`` names, or with a scope all; how many.

    After a failure of the remote itself it is not asked again.
    """
    project = session.project
    name = args.remote or project.config.default_remote
    if not args.records or name is None or isinstance(failed, UnavailableError | AuthError):
        return 0
    everything = args.all_branches or args.all_tags or args.all_commits
    if not everything and not _is_recorded(project):
        return 0
    from fourfold.runs import sharing  # noqa: PLC0415 - not needed to bring the data
    from fourfold.runs.envelopes import kind_of  # noqa: PLC0415 - likewise
    from fourfold.runs.locked import locked  # noqa: PLC0415 - likewise
    from fourfold.runs.place import place_of  # noqa: PLC0415 - likewise
    from fourfold.runs.store import records_of  # noqa: PLC0415 - likewise

    records = records_of(place_of(project))
    try:
        targets = _targets(args, session)
        named = locked(project, targets)
        runs, stated = [] if everything else list(named.runs), named.statements
        here = all(records.has("records", run) for run in runs)
        if not everything and here and all(records.has(kind_of(run), name) for run, name in stated):
            return 0
        remote = open_remote(project, name, jobs=args.jobs)
    except FourfoldError as error:
        session.warn(f"run records were not brought: {error.message}", error.hint)
        return 0
    if everything:
        runs = list(sharing.on_remote(remote, events=session.sink))
    return sharing.pull_records(records, remote, runs, stated=stated, events=session.sink).runs


def _is_recorded(project: "Project") -> bool:
    """Whether some ``fourfold.lock`` may name a run; most projects without one are told apart at once."""
    if os.path.lexists(os.path.join(project.root, _LOCK)) or os.path.isdir(f"{project.own_dir}/runs"):
        return True
    return project.git is not None and bool(project.git.tracked_called(_LOCK))


def _targets(args: argparse.Namespace, session: "Session") -> list[str]:
    """Targets as they were typed, and as paths from the root."""
    root = session.project.root
    paths = [os.path.relpath(session.resolve(target), root).replace(os.sep, "/") for target in args.targets]
    return [*args.targets, *paths]


def records_line(count: int, verb: str) -> tuple[str, ...]:
    """How many run records went or came; nothing where none did."""
    return (f"{count:,} run record{'s' * (count != 1)} {verb}",) if count else ()


def scope_of(args: argparse.Namespace) -> Scope:
    """The revisions that the options name."""
    return Scope(all_branches=args.all_branches, all_tags=args.all_tags, all_commits=args.all_commits)


def pushed_data(result: "PushResult") -> dict[str, Any]:
    """What a push did, for ``--json``."""
    return {
        "pushed": result.pushed,
        "size": result.size,
        "present": result.present,
        "runs": result.runs,
        **troubles_data(result.troubles),
    }


def summary(counts: Mapping[str, int], size: int = 0, *, failed: bool = False) -> tuple[str, ...]:
    """The line at the end, in DVC's words: ``3 files fetched and 2 files added``.

    After a failure that left nothing done there is none: nothing is up to date then.
    """
    parts = [f"{count:,} file{'s' * (count != 1)} {verb}" for verb, count in counts.items() if count]
    if not parts:
        return () if failed else ("Everything is up to date.",)
    line = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    return (f"{line} ({amount(size)})" if size else line,)


def troubles_data(troubles: "Iterable[Trouble]") -> dict[str, Any]:
    """Everything that could not be moved, for ``--json``."""
    return {
        "troubles": [
            {
                "kind": trouble.kind,
                "md5": trouble.oid,
                "path": trouble.path,
                "remote": trouble.remote,
                **({"error": describe(trouble.error)} if trouble.error else {}),
            }
            for trouble in troubles
        ]
    }


def count_fetched(result: "FetchResult") -> int:
    """How many files came, from wherever."""
    return result.fetched + result.runs + sum(out.output.nfiles or 1 for out in result.imported)


def fetched_data(result: "FetchResult", session: "Session") -> dict[str, Any]:
    """What a fetch did, for ``--json``."""
    return {
        "fetched": result.fetched,
        "size": result.size,
        "present": result.present,
        "runs": result.runs,
        "imported": [session.display(out.path) for out in result.imported],
        "imports": [{"path": session.display(out.path), **describe(error)} for out, error in result.imports],
        **troubles_data(result.troubles),
    }


def tell_fetched(result: "FetchResult", session: "Session") -> None:
    """Warn of what a fetch does not bring."""
    if result.remoteless and not result.troubles:
        session.warn("no remote provided and no default remote set")
    for out, error in result.imports:
        if error.code == "import-without-content":
            session.warn(f"'{session.display(out.path)}' was imported without its content", hint=error.hint)
