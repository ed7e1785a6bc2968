"""``ff push``: copy tracked data to remotes, of the workspace or of revisions."""

import argparse
from typing import TYPE_CHECKING

from fourfold.cli import transfers
from fourfold.cli.options import completes, ours
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.project.push import push

if TYPE_CHECKING:
    from fourfold.project.promote import PromoteResult


def configure(parser: argparse.ArgumentParser) -> None:
    """Add DVC's options, and ours for promotion."""
    transfers.add_options(parser, "send")
    completes(parser.add_argument("-r", "--remote", metavar="<name>", help="the remote to push to"), "remote")
    parser.add_argument("--glob", action="store_true", help="targets are patterns such as 'data/*.csv'")
    transfers.add_records(parser)
    group = parser.add_argument_group("to promote what a revision needs")
    completes(
        ours(group.add_argument("--to", dest="remote", metavar="<name>", help="the same as --remote")),
        "remote",
    )
    completes(
        ours(
            group.add_argument(
                "--rev",
                dest="revs",
                action="append",
                default=[],
                metavar="<commit>",
                help="send the data of this commit, branch or tag, and not of the workspace",
            )
        ),
        "none",
    )
    completes(
        ours(
            group.add_argument(
                "--from",
                dest="source",
                metavar="<name>",
                help="the remote that has what the cache lacks; with --rev the default one",
            )
        ),
        "remote",
    )
    parser.epilog = "Example: ff push data/raw"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Push, and say what went and what could not."""
    if args.revs or args.source:
        return _promote(args, session)
    result = push(
        session.project,
        args.targets,
        remote=args.remote,
        jobs=args.jobs,
        scope=transfers.scope_of(args),
        recursive=args.recursive,
        with_deps=args.with_deps,
        run_cache=args.run_cache,
        glob=args.glob,
        events=session.sink,
    )
    error = result.error
    count = transfers.push_records(args, session) if error is None else 0
    pushed = result.pushed + result.runs
    text = transfers.records_line(count, "pushed")
    if pushed or not text:
        text += transfers.summary({"pushed": pushed}, result.size, failed=error is not None)
    return Outcome(data={**transfers.pushed_data(result), "records": count}, text=text, failure=error)


def _promote(args: argparse.Namespace, session: Session) -> Outcome:
    from fourfold.project.promote import promote  # noqa: PLC0415 - most pushes are of the workspace

    if args.run_cache:
        session.warn("remembered runs are not promoted", hint="push them with: ff push --run-cache")
    scope = transfers.scope_of(args)._replace(revs=tuple(args.revs), workspace=not args.revs)
    result = promote(
        session.project,
        args.targets,
        to=args.remote,
        source=args.source,
        scope=scope,
        jobs=args.jobs,
        recursive=args.recursive,
        with_deps=args.with_deps,
        glob=args.glob,
        events=session.sink,
    )
    error = result.error
    records = transfers.promote_records(args, session) if error is None else 0
    data = {
        **transfers.pushed_data(result.pushed),
        "records": records,
        "brought": result.brought,
        "remote": result.target,
        "outputs": [
            {"path": want.path, "rev": want.rev or None, "md5": want.oid, "size": want.out.output.size}
            for want in result.wants
        ],
    }
    text = () if error is not None else tuple(_lines(result))
    text += transfers.records_line(records, "pushed")
    if result.pushed.pushed or not records:
        count = {"pushed": result.pushed.pushed}
        text += transfers.summary(count, result.pushed.size, failed=error is not None)
    return Outcome(data=data, text=text, failure=error)


def _lines(result: "PromoteResult") -> list[str]:
    """What is on the remote now: one line an output."""
    told = dict.fromkeys((want.path, want.rev or "the workspace") for want in result.wants)
    return [f"{path} of {rev} is on '{result.target}'" for path, rev in told]
