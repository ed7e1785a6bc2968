"""``ff push``: copy tracked data to remotes."""

import argparse

from fourfold.cli import transfers
from fourfold.cli.options import completes
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.project.push import push


def configure(parser: argparse.ArgumentParser) -> None:
    """Add DVC's options."""
    transfers.add_options(parser, "send")
    completes(parser.add_argument("-r", "--remote", metavar="<name>", help="the remote to push to"), "remote")
    parser.add_argument("--glob", action="store_true", help="targets are patterns such as 'data/*.csv'")
    parser.epilog = "Example: ff push data/raw"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Push, and say what went and what could not."""
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
    data = {
        "pushed": result.pushed,
        "size": result.size,
        "present": result.present,
        "runs": result.runs,
        **transfers.troubles_data(result.troubles),
    }
    error = result.error
    text = transfers.summary({"pushed": result.pushed + result.runs}, result.size, failed=error is not None)
    return Outcome(data=data, text=text, failure=error)
