"""``ff repro``: run what is out of date."""

import argparse
from collections.abc import Iterator
from typing import Any

from fourfold.cli.gitnote import staged_data, tell_git
from fourfold.cli.outcome import Outcome
from fourfold.cli.render import print_text
from fourfold.cli.session import Session
from fourfold.pipeline import news
from fourfold.pipeline.execute import Options
from fourfold.pipeline.repro import ReproResult, Settings, Step, repro
from fourfold.project.changes import Change

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
        execution=Options(
            commit=not args.no_commit,
            run_cache=not args.no_run_cache,
            dry=args.dry,
            pull=args.pull,
            output=_STDERR if session.settings.json else None,
        ),
    )
    asks = args.interactive or session.project.config.get("core", "interactive") is True
    result = repro(
        session.project,
        args.targets,
        settings,
        confirm=session.confirm if asks else None,
        tell=_Teller(session),
        events=session.sink,
    )
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
    return repro(session.project, [target], settings, tell=_Teller(session), events=session.sink)


class _Teller:
    """Prints what happens, as it happens."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._silent = session.settings.json or session.settings.quiet
        self._gap = False

    def __call__(self, event: news.StageEvent) -> None:
        self._session.sink.rest()
        if isinstance(event, news.Frozen):
            self._session.warn(f"stage '{event.name}' is frozen: what it depends on is not looked at")
        elif isinstance(event, news.Failed):
            self._tell_failure(event)
        elif isinstance(event, news.LockWritten | news.CommandEnded):
            return
        elif not self._silent:
            print_text(self._session.stdout, "".join(f"{line}\n" for line in self._lines(event)))

    def _tell_failure(self, event: news.Failed) -> None:
        self._session.warn(f"{event.name}: {event.error.message}{' (ignored)' if event.ignored else ''}")
        if event.skipped:
            names = ", ".join(f"'{name}'" for name in event.skipped)
            self._session.warn(f"skipped because of this failure: {names}")

    def _lines(self, event: news.StageEvent) -> Iterator[str]:
        style = self._session.style
        if isinstance(event, news.CommandStarted):
            yield f"> {event.command}"
            return
        if self._gap and not isinstance(event, news.Unchanged):
            yield ""
        self._gap = True
        if isinstance(event, news.Unchanged):
            called = "Stage " if event.owner.is_stage else ""
            yield f"{called}'{event.name}' didn't change, skipping"
        elif isinstance(event, news.Started):
            yield f"Running stage '{event.name}':"
            yield from (style.dim(f"  because {reason}") for reason in _because(event))
        elif isinstance(event, news.Restored):
            yield f"Stage '{event.name}' is cached - skipping run, checking out outputs"
        elif isinstance(event, news.Verified):
            what = "outputs in frozen stage" if event.owner.frozen else "data sources in stage"
            yield f"Verifying {what}: '{event.name}'"
        elif isinstance(event, news.Pulled):
            yield f"Pulling data for stage: '{event.name}'"


def _because(event: news.Started) -> list[str]:
    """Why a stage runs, as clauses; a first run needs no list."""
    if event.owner.is_stage and not event.owner.locked:
        return ["it has not run before"]
    return [explain(change) for change in event.reasons] or ["it is forced to"]


def explain(change: Change) -> str:
    """One reason as a clause: what differs, and how."""
    if change.kind == "parameter":
        what = f"parameter {change.key} of {change.path}" if change.key else f"parameters file {change.path}"
        if change.state == "modified":
            return f"{what} is {change.new!r}, was {change.old!r}"
        return f"{what} is {change.state}"
    if change.kind in {"dependency", "output"}:
        return f"{change.kind} {change.path} is {change.state}"
    if change.kind == "command":
        return "the command changed"
    return "it always counts as changed" if change.kind == "always" else "its checksum changed"


def _data(session: Session, result: ReproResult) -> dict[str, Any]:
    return {"stages": [_step_data(step) for step in result.steps], **staged_data(session, result.staged)}


def _step_data(step: Step) -> dict[str, Any]:
    data: dict[str, Any] = {"name": step.name, "result": step.how}
    if step.reasons:
        data["reasons"] = [
            {
                "kind": change.kind,
                **({"path": change.path} if change.path else {}),
                **({"key": change.key} if change.key else {}),
                **({"state": change.state} if change.state else {}),
            }
            for change in step.reasons
        ]
    if step.error is not None:
        data["error"] = {"code": step.error.code, "message": step.error.message}
    return data
