"""``ff fetch``: copy tracked data from remotes into the cache."""

import argparse

from fourfold.cli import transfers
from fourfold.cli.options import completes
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.project.fetch import fetch


def configure(parser: argparse.ArgumentParser) -> None:
    """Add DVC's options."""
    transfers.add_options(parser, "fetch")
    completes(
        parser.add_argument("-r", "--remote", metavar="<name>", help="the remote to fetch from"), "remote"
    )
    parser.add_argument(
        "--max-size", type=int, metavar="<bytes>", help="only outputs that are smaller than this"
    )
    parser.add_argument(
        "--type",
        dest="types",
        action="append",
        default=[],
        choices=("metrics", "plots"),
        metavar="<type>",
        help="only metrics, or only plots; may be given twice",
    )
    transfers.add_records(parser)
    parser.epilog = "Example: ff fetch --all-branches"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Fetch, and say what came and what could not."""
    result = fetch(
        session.project,
        args.targets,
        remote=args.remote,
        jobs=args.jobs,
        scope=transfers.scope_of(args),
        recursive=args.recursive,
        with_deps=args.with_deps,
        run_cache=args.run_cache,
        max_size=args.max_size,
        types=args.types,
        events=session.sink,
    )
    transfers.tell_fetched(result, session)
    error = result.error
    count = transfers.pull_records(args, session, error)
    fetched = transfers.count_fetched(result)
    text = transfers.records_line(count, "fetched")
    if fetched or not text:
        text += transfers.summary({"fetched": fetched}, result.size, failed=error is not None)
    data = {**transfers.fetched_data(result, session), "records": count}
    return Outcome(data=data, text=text, failure=error)
