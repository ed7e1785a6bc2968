"""Repro: run the stages that are out of date, each after what it needs, one at a time."""

import os
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import ConflictError, FourfoldError, from_os_error
from fourfold.base.events import Sink, Warned, silent
from fourfold.pipeline.execute import Done, Options, Workshop
from fourfold.pipeline.graph import Graph, Key, active, build_graph, key_of, reach
from fourfold.pipeline.lockfile import LockBook
from fourfold.pipeline.news import Failed, Frozen, Listener, Pulled, Unchanged, deaf
from fourfold.pipeline.plan import choose, reasons, steps
from fourfold.project.changes import Change, Examiner
from fourfold.project.files import load_tracked
from fourfold.project.locks import project_lock
from fourfold.project.oplog import operation, running
from fourfold.project.outs import Owner, Tracked, place
from fourfold.project.staging import Staged, stage_changes
from fourfold.project.status import address_from

if TYPE_CHECKING:
    from fourfold.project.project import Project

#: What to do when a stage fails: stop, go on without what needs it, or go on as if nothing was.
ON_ERROR = ("fail", "keep-going", "ignore")


class StageFailedError(ConflictError):
    """A stage could not be made up to date; the message says why."""

    code = "stage-failed"


class RunAbortedError(ConflictError):
    """The user was asked whether a stage may run, and said no."""

    code = "run-aborted"


class Step(NamedTuple):
    """One owner that was looked at.

    Attributes:
        name: As it is called from where the user stands.
        owner: With what it records now.
        how: ``unchanged``, ``ran``, ``restored`` (from a remembered run), ``verified``, ``pulled``,
            ``failed`` or ``skipped`` (something that it needs failed).
        reasons: Why it was not left alone.
        error: Why it failed.
    """

    name: str
    owner: Owner
    how: str
    reasons: tuple[Change, ...] = ()
    error: FourfoldError | None = None


class ReproResult(NamedTuple):
    """What a run did.

    Attributes:
        steps: In order.
        staged: What belongs into the next commit.
        error: What the failures amount to; None when there are none, or they are ignored.
    """

    steps: tuple[Step, ...]
    staged: Staged
    error: FourfoldError | None = None

    @property
    def changed(self) -> tuple[Step, ...]:
        """The owners that are other than before."""
        return tuple(step for step in self.steps if step.how in {"ran", "restored", "verified"})


class Settings(NamedTuple):
    """What to run, and how.

    Attributes:
        single_item: Only the targets, not what they need.
        pipeline: All pipelines that the targets belong to.
        all_pipelines: Everything; there are no targets then.
        downstream: The targets and what depends on them.
        recursive: Folders stand for the owners below.
        glob: Targets are patterns.
        force: Run what has not changed too.
        force_downstream: What depends on something that ran runs too.
        allow_missing: Data that is not there is no reason to run.
        pull: Bring missing data from the remote instead of making it again.
        on_error: One of `ON_ERROR`.
        execution: See `execute.Options`.
    """

    single_item: bool = False
    pipeline: bool = False
    all_pipelines: bool = False
    downstream: bool = False
    recursive: bool = False
    glob: bool = False
    force: bool = False
    force_downstream: bool = False
    allow_missing: bool = False
    pull: bool = False
    on_error: str = "fail"
    execution: Options = Options()


def repro(
    project: "Project",
    targets: Iterable[str] = (),
    settings: Settings = Settings(),  # noqa: B008 - a value, never changed
    *,
    confirm: Callable[[str], bool] | None = None,
    tell: Listener = deaf,
    events: Sink = silent,
) -> ReproResult:
    """Make stages up to date: run what changed, or whose dependencies changed, in order.

    Each stage is recorded as soon as it has run, so that a failure later loses nothing. The only verb that
    executes what a repository says.

    Args:
        project: Whose.
        targets: Stages or files, as typed; none for the ``dvc.yaml`` at hand.
        settings: What of it, and how.
        confirm: Asked before each stage; no ends the run.
        tell: Hears what happens, in order with the output of the commands.
        events: Hears the progress of hashing and linking.

    Raises:
        CycleError: stages wait for each other; nothing ran.
        StageFailedError: a stage failed; those before it are recorded.
        FourfoldError: a target names nothing, or a file cannot be understood; nothing ran.
    """
    names = [str(target) for target in targets]
    run = _Run(project, settings, confirm, tell, events)
    with operation(project, "repro", names):
        return run.run(names)


class _Run:
    """One repro."""

    def __init__(
        self,
        project: "Project",
        settings: Settings,
        confirm: Callable[[str], bool] | None,
        tell: Listener,
        events: Sink,
    ) -> None:
        self.project = project
        self.settings = settings
        self.confirm = confirm
        self.tell = tell
        self.events = events
        self.examiner = Examiner(project, events)
        self.files: list[str] = []
        self.done: list[Step] = []

    def run(self, targets: Sequence[str]) -> ReproResult:
        project, settings = self.project, self.settings
        with project_lock(project, writes=()):  # each stage claims what it writes when its turn comes
            graph, plan = self._plan(targets)
        if settings.pull and settings.execution.run_cache and not settings.execution.dry:
            self._pull_runs()
        op = running(project)
        if op is None:  # pragma: no cover - `repro` opened it
            raise AssertionError
        rank: dict[str, dict[str, int]] = {}
        for at, owner in enumerate(plan):
            if not owner.locked:  # known ones keep their place
                rank.setdefault(owner.file, {})[owner.name or ""] = at
        workshop = Workshop(
            project, op, settings.execution, book=LockBook(rank), tell=self.tell, events=self.events
        )
        current: dict[Key, Owner] = dict(graph.owners)
        forced = {key_of(owner) for owner in plan} if settings.force else set()
        skipped: set[Key] = set()
        failed: list[Step] = []
        for planned in plan:
            key = key_of(planned)
            owner, name = current[key], address_from(project, planned)
            if key in skipped:
                self.done.append(Step(name, owner, "skipped"))
                continue
            upstream = [current[maker] for maker in graph.makers[key]]
            try:
                step = self._step(workshop, owner, name, upstream, force=key in forced)
            except (FourfoldError, OSError) as error:
                step = Step(name, owner, "failed", error=_typed(error))
                failed.append(step)
                skipped |= self._failed(graph, key, step)
            else:
                current[key] = step.owner
                if settings.force_downstream and (
                    step.how in {"ran", "restored", "verified"} or key in forced
                ):
                    forced.update(graph.users[key])
            self.done.append(step)
        staged = stage_changes(project, self.files)
        failure = _sum_up(failed) if failed and settings.on_error != "ignore" else None
        return ReproResult(tuple(self.done), staged, failure)

    def _plan(self, targets: Sequence[str]) -> tuple[Graph, list[Owner]]:
        settings = self.settings
        tracking = load_tracked(self.project)
        graph = build_graph(tracking)
        chosen: list[Owner] = []
        if not settings.all_pipelines:
            chosen = choose(
                self.project, targets, tracking.owners, recursive=settings.recursive, glob=settings.glob
            )
        whole = settings.all_pipelines or settings.pipeline
        plan = steps(
            graph,
            chosen,
            single_item=settings.single_item and not whole,
            pipeline=settings.pipeline,
            downstream=settings.downstream and not whole,
        )
        if not chosen and not settings.all_pipelines:
            plan = []
        live = Graph(graph.owners, {}, {}) if settings.single_item and not whole else active(graph)
        if not live.makers:
            nothing: dict[Key, tuple[Key, ...]] = dict.fromkeys(graph.owners, ())
            live = Graph(graph.owners, nothing, nothing)
        return live, plan

    def _step(
        self, workshop: Workshop, owner: Owner, name: str, upstream: Sequence[Owner], *, force: bool
    ) -> Step:
        settings = self.settings
        outs = [out for out in place(self.project.root, owner) if not out.external]
        if owner.frozen and not owner.is_import:
            self.tell(Frozen(name, owner))
        why = self._why(owner, outs, upstream, allow_missing=settings.allow_missing)
        if not force:
            if not why:
                self.tell(Unchanged(name, owner))
                return Step(name, owner, "unchanged")
            if settings.pull and not self._why(owner, outs, upstream, allow_missing=True):
                pulled = self._pull(owner, name)
                if pulled is not None:
                    return pulled
        if settings.pull and not force and owner.is_stage and not settings.execution.dry:
            self._pull_dependencies(owner)
        if self.confirm is not None and not self.confirm(
            f"Going to reproduce stage '{name}'. Are you sure you want to continue?"
        ):
            raise RunAbortedError(
                "reproduction aborted by the user", hint="to go on where it ended, run: ff repro"
            )
        done: Done = workshop.execute(owner, name, why, force=force)
        self.files += done.files
        self.examiner = Examiner(self.project, self.events)
        return Step(name, done.owner, done.how, tuple(why))

    def _why(
        self, owner: Owner, outs: Iterable[Tracked], upstream: Sequence[Owner], *, allow_missing: bool
    ) -> list[Change]:
        return reasons(self.examiner, owner, outs, allow_missing=allow_missing, upstream=upstream)

    def _pull(self, owner: Owner, name: str) -> Step | None:
        """Bring the missing outputs of an owner from the remote; None when not all of them came."""
        if self.settings.execution.dry:
            return None
        self.tell(Pulled(name, owner))
        if not self._bring(name):
            return None
        self.examiner = Examiner(self.project, self.events)
        outs = [out for out in place(self.project.root, owner) if not out.external]
        return None if self._why(owner, outs, (), allow_missing=False) else Step(name, owner, "pulled")

    def _pull_dependencies(self, owner: Owner) -> None:
        """Bring what an owner depends on and is not there, where it is tracked."""
        for dep in owner.deps:
            path = os.path.normpath(os.path.join(owner.wdir, dep.path))
            if not os.path.lexists(path) and self.project.contains(path):
                self._bring(self.project.display(path))
        self.examiner = Examiner(self.project, self.events)

    def _bring(self, target: str) -> bool:
        """Pull one target; whether all of it came. Why not is told as a warning."""
        from fourfold.project.pull import pull  # noqa: PLC0415 - only --pull needs a remote

        try:
            error = pull(self.project, [target], events=self.events).error
        except FourfoldError as raised:
            error = raised
        if error is not None:
            self.events(Warned(error.code, error.message, error.hint))
        return error is None

    def _pull_runs(self) -> None:
        from fourfold.project.push import Opened  # noqa: PLC0415 - only --pull needs a remote
        from fourfold.project.runs import pull_runs  # noqa: PLC0415 - likewise

        try:
            pull_runs(self.project, Opened(self.project, None).get(None), events=self.events)
        except FourfoldError as error:
            message = f"remembered runs could not be pulled: {error.message}"
            self.events(Warned(error.code, message, error.hint))

    def _failed(self, graph: Graph, key: Key, step: Step) -> set[Key]:
        """Tell of a failure; what cannot run because of it.

        Raises:
            StageFailedError: the run ends here.
        """
        settings, error = self.settings, step.error
        if error is None or settings.on_error == "fail":
            stage_changes(self.project, self.files)
            raise _stage_failed(step)
        ignored = settings.on_error == "ignore"
        dependents = set() if ignored else reach(graph.users, [key]) - {key}
        names = tuple(address_from(self.project, owner) for owner in graph.of(sorted(dependents, key=str)))
        self.tell(Failed(step.name, error, ignored, names))
        return dependents


def _typed(error: FourfoldError | OSError) -> FourfoldError:
    return error if isinstance(error, FourfoldError) else from_os_error(error)


def _stage_failed(step: Step) -> StageFailedError:
    error = step.error
    if error is None:
        return StageFailedError(f"failed to reproduce '{step.name}'")
    return StageFailedError(
        f"failed to reproduce '{step.name}': {error.message}", hint=error.hint, details=error.details
    )


def _sum_up(failed: Sequence[Step]) -> FourfoldError:
    if len(failed) == 1:
        return _stage_failed(failed[0])
    names = ", ".join(f"'{step.name}'" for step in failed)
    details = [f"{step.name}: {step.error.message}" for step in failed if step.error is not None]
    return StageFailedError(
        f"failed to reproduce stages: {names}",
        hint="mend the first of them; those that succeeded will not run again",
        details=details,
    )
