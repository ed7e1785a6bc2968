"""``ff commit``: record what tracked data is now."""

import argparse

from fourfold.cli.gitnote import staged_data, tell_git
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.project.commit import ChangedSinceRecordedError, CommitResult, StageRecorder, commit


def configure(parser: argparse.ArgumentParser) -> None:
    """Define DVC's arguments."""
    parser.add_argument(
        "targets", nargs="*", help="tracked files or directories, pointer files, stages; all by default"
    )
    parser.add_argument(
        "-f", "--force", action="store_true", help="record also what changed since it was recorded"
    )
    parser.add_argument("-d", "--with-deps", action="store_true", help="also what the targets are made from")
    parser.add_argument(
        "-R", "--recursive", action="store_true", help="everything tracked below target directories"
    )
    parser.add_argument(
        "--no-relink", dest="relink", action="store_false", help="leave the workspace files as they are"
    )
    parser.epilog = "Example: ff commit -f data"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Record; where something changed since, ask whoever sits there."""
    try:
        return _outcome(session, _commit(args, session, force=args.force))
    except ChangedSinceRecordedError as error:
        for line in error.details[:20]:
            session.news(f"  {line}")
        if not session.confirm("These changed. Are you sure you want to commit them?"):
            raise
    return _outcome(session, _commit(args, session, force=True))


def _commit(args: argparse.Namespace, session: Session, *, force: bool) -> CommitResult:
    return commit(
        session.project,
        args.targets,
        force=force,
        with_deps=args.with_deps,
        recursive=args.recursive,
        relink=args.relink,
        record_stage=_recorder(session, insisted=args.force),
        events=session.sink,
    )


def _recorder(session: Session, *, insisted: bool) -> StageRecorder:
    from fourfold.pipeline.record import stage_recorder  # noqa: PLC0415 - most projects have no stages

    return stage_recorder(session.project, insisted=insisted, events=session.sink)


def _outcome(session: Session, result: CommitResult) -> Outcome:
    tell_git(session, result.staged)
    changed = [item for item in result.recorded if item.changed]
    data = {
        "committed": [
            {"path": session.display(item.path), "md5": item.oid, "changed": item.changed}
            for item in result.recorded
        ],
        "stages": list(result.stages),
        "cache": {"objects": result.stored.added, "size": result.stored.size},
        **staged_data(session, result.staged),
    }
    text = [f"Committed {session.display(item.path)}" for item in changed]
    return Outcome(data=data, text=[*text, *(f"Committed {name}" for name in result.stages)])
