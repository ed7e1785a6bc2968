"""``ff repro``: run what is out of date."""

import argparse
from typing import Any

from fourfold.cli.gitnote import staged_data, tell_git
from fourfold.cli.live import Teller
from fourfold.cli.options import at_least_one, ours
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.pipeline.options import Options
from fourfold.pipeline.repro import ReproResult, Settings, Step, repro

UP_TO_DATE = "Data and pipelines are up to date."
#: Under --json, stdout belongs to the document: commands write to stderr.
_STDERR = 2


def configure(parser: argparse.ArgumentParser) -> None:
    """Define DVC's arguments."""
    parser.add_argument(
        "targets",
        nargs="*",
        metavar="<targets>",
        help="stages, 'dvc.yaml' or pointer files; 'dvc.yaml' by default",
    )
    which = parser.add_argument_group("Which stages")
    which.add_argument(
        "-s", "--single-item", action="store_true", help="only the targets, not what they need"
    )
    which.add_argument(
        "-p", "--pipeline", action="store_true", help="all of the pipelines that the targets belong to"
    )
    which.add_argument("-P", "--all-pipelines", action="store_true", help="all pipelines of the project")
    which.add_argument(
        "-R", "--recursive", action="store_true", help="folders stand for all stages below them"
    )
    which.add_argument("--downstream", action="store_true", help="the targets and what depends on them")
    which.add_argument("--glob", action="store_true", help="targets are patterns for names of stages")
    how = parser.add_argument_group("How they run")
    ours(
        how.add_argument(
            "-j",
            "--jobs",
            type=at_least_one,
            metavar="<number>",
            help="so many stages at once, where none needs another; by default as many as there are cores",
        )
    )
    how.add_argument("-f", "--force", action="store_true", help="run what has not changed too")
    how.add_argument(
        "--force-downstream",
        action="store_true",
        help="run what depends on something that ran, changed or not",
    )
    how.add_argument("-i", "--interactive", action="store_true", help="ask before each stage")
    how.add_argument("--dry", action="store_true", help="print the commands that would run, and do nothing")
    how.add_argument("--pull", action="store_true", help="bring missing data from the remote")
    how.add_argument("--allow-missing", action="store_true", help="missing data alone is no reason to run")
    how.add_argument(
        "--no-run-cache", action="store_true", help="run even what is remembered from an earlier run"
    )
    how.add_argument("--no-commit", action="store_true", help="do not save outputs into the cache")
    ours(
        how.add_argument(
            "--strict", action="store_true", help="fail a stage that reads or writes what it does not declare"
        )
    )
    how.add_argument(
        "-k",
        "--keep-going",
        dest="on_error",
        action="store_const",
        const="keep-going",
        default="fail",
        help="after a failure, go on with what does not depend on it",
    )
    how.add_argument(
        "--ignore-errors",
        dest="on_error",
        action="store_const",
        const="ignore",
        help="go on after any failure",
    )
    parser.epilog = "Example: ff repro train"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Run, telling what happens in order with what the commands print."""
    settings = Settings(
        single_item=args.single_item,
        pipeline=args.pipeline,
        all_pipelines=args.all_pipelines,
        downstream=args.downstream,
        recursive=args.recursive,
        glob=args.glob,
        force=args.force,
        force_downstream=args.force_downstream,
        allow_missing=args.allow_missing,
        pull=args.pull,
        on_error=args.on_error,
        jobs=args.jobs,
        execution=Options(
            commit=not args.no_commit,
            run_cache=not args.no_run_cache,
            dry=args.dry,
            pull=args.pull,
            strict=args.strict,
            output=_STDERR if session.settings.json else None,
        ),
    )
    asks = args.interactive or session.project.config.get("core", "interactive") is True
    teller = Teller(session)
    try:
        result = repro(
            session.project,
            args.targets,
            settings,
            confirm=session.confirm if asks else None,
            tell=teller,
            events=session.sink,
        )
    finally:
        teller.close()
    tell_git(session, result.staged)
    text = ["Use `ff push` to send your updates to remote storage." if result.changed else UP_TO_DATE]
    if args.dry and result.changed:
        text = []
    return Outcome(data=_data(session, result), text=text, failure=result.error)


def run_one(session: Session, target: str) -> ReproResult:
    """Run one stage without what it needs, telling of it as ``ff repro`` does.

    Raises:
        StageFailedError: it failed.
    """
    options = Options(output=_STDERR if session.settings.json else None)
    settings = Settings(single_item=True, execution=options)
    return repro(session.project, [target], settings, tell=Teller(session), events=session.sink)


def _data(session: Session, result: ReproResult) -> dict[str, Any]:
    return {"stages": [_step_data(step) for step in result.steps], **staged_data(session, result.staged)}


def _step_data(step: Step) -> dict[str, Any]:
    data: dict[str, Any] = {"name": step.name, "result": step.how}
    if step.reasons:
        data["reasons"] = [
            {
                "kind": change.kind,
                **({"stage" if change.kind == "upstream" else "path": change.path} if change.path else {}),
                **({"key": change.key} if change.key else {}),
                **({"state": change.state} if change.state else {}),
            }
            for change in step.reasons
        ]
    if step.error is not None:
        data["error"] = {"code": step.error.code, "message": step.error.message}
    return data
