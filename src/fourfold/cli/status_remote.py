"""``ff status --cloud``: what the cache has and a remote lacks, and the other way round."""

import argparse

from fourfold.cli import transfers
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.project.remote_status import as_dvc, remote_status


def compare(args: argparse.Namespace, session: Session) -> Outcome:
    """Compare, and show the differences as DVC does; with ``--quiet`` the exit code is the answer."""
    project = session.project
    result = remote_status(
        project,
        args.targets,
        remote=args.remote,
        jobs=args.jobs,
        scope=transfers.scope_of(args),
        recursive=args.recursive,
        with_deps=args.with_deps,
        events=session.sink,
    )
    data = as_dvc(project, result)
    code = int(bool(data) and session.settings.quiet)
    if data:
        return Outcome(data, [f"\t{state + ':':<20}{path}" for path, state in data.items()], code)
    remotes = " and ".join(f"'{name}'" for name in result.remotes)
    return Outcome({}, (f"Cache and remote {remotes} are in sync.",))
