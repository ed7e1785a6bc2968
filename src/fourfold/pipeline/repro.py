"""Repro: run the stages that are out of date, each after what it needs, beside each other where that is safe.

Decides what is looked at, what has to run and what a failure means. What may start is `schedule`, what there
is room for is `resources`, running is `execute` and `crew`. Store, index and lock files are touched in
one thread only, under the project lock.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import FourfoldError
from fourfold.base.events import Sink, silent
from fourfold.pipeline.crew import Crew, Verdict
from fourfold.pipeline.execute import Job, Workshop
from fourfold.pipeline.graph import Graph, Key, active, build_graph, key_of, reach
from fourfold.pipeline.judge import Judge
from fourfold.pipeline.lockfile import LockBook
from fourfold.pipeline.logs import Logs
from fourfold.pipeline.news import Ended, Ending, Failed, Listener, Retrying, Ticked, deaf
from fourfold.pipeline.plan import choose, steps
from fourfold.pipeline.process import ending_on_request
from fourfold.pipeline.recorder import Done
from fourfold.pipeline.resources import Claim, Machine, needs_of
from fourfold.pipeline.schedule import Schedule
from fourfold.pipeline.steps import (
    ON_ERROR,
    ReproResult,
    RunAbortedError,
    Settings,
    StageFailedError,
    Step,
    sum_up,
    typed,
)
from fourfold.project.changes import Change
from fourfold.project.files import load_tracked
from fourfold.project.locks import project_lock
from fourfold.project.oplog import operation, running
from fourfold.project.outs import Owner
from fourfold.project.staging import stage_changes
from fourfold.project.status import address_from

if TYPE_CHECKING:
    from fourfold.project.project import Project

__all__ = ["ON_ERROR", "ReproResult", "RunAbortedError", "Settings", "StageFailedError", "Step", "repro"]

#: Seconds between two signs of life while stages run.
TICK = 0.1


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


class _Waiting(NamedTuple):
    """An owner that has to run, and waits for its turn."""

    key: Key
    owner: Owner
    name: str
    reasons: tuple[Change, ...]
    force: bool


class _Active(NamedTuple):
    """A stage whose commands run."""

    waiting: _Waiting
    job: Job
    since: float


class _Run:
    """One repro. All but the commands of stages happens in the thread that calls `run`."""

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
        self.tell = tell
        self.events = events
        self.judge = Judge(project, settings, confirm=confirm, tell=tell, events=events)
        self.files: list[str] = []
        self.done: list[tuple[int, Step]] = []
        self.failed: list[Step] = []
        self.skipped: set[Key] = set()
        self.waiting: list[_Waiting] = []
        self.active: dict[Key, _Active] = {}
        self.crew = Crew()
        self.machine = Machine(project.environ)
        self.logs = Logs(project)
        one_by_one = settings.execution.dry or confirm is not None
        self.jobs = 1 if one_by_one else settings.jobs or default_jobs()

    def run(self, targets: Sequence[str]) -> ReproResult:
        project, settings = self.project, self.settings
        with project_lock(project, writes=()):  # each stage claims what it writes when its turn comes
            self.graph, plan = self._plan(targets)
        self.needs = {key_of(owner): needs_of(project, owner) for owner in plan}
        self.current: dict[Key, Owner] = dict(self.graph.owners)
        self.forced = {key_of(owner) for owner in plan} if settings.force else set()
        self.schedule = Schedule(project.root, plan, self.graph)
        self.judge.foresee(plan)
        self._refuse_what_is_too_big(plan)
        if settings.pull and settings.execution.run_cache and not settings.execution.dry:
            self.judge.pull_runs()
        op = running(project)
        if op is None:  # pragma: no cover - `repro` opened it
            raise AssertionError
        self.workshop = Workshop(
            project,
            op,
            settings.execution,
            book=LockBook(_ranks(plan)),
            plan=plan,
            owners=self.tracked,
            tell=self.tell,
            events=self.events,
        )
        with ending_on_request():
            try:
                self._drive()
            except BaseException as error:
                self._end(interrupted=isinstance(error, KeyboardInterrupt))
                raise
        staged = stage_changes(project, self.files)
        if self.failed and settings.on_error == "fail":
            raise sum_up(self.failed)
        failure = sum_up(self.failed) if self.failed and settings.on_error != "ignore" else None
        done = sorted(self.done, key=lambda pair: pair[0])
        return ReproResult(tuple(step for _place, step in done), staged, failure)

    def _end(self, *, interrupted: bool) -> None:
        """End whatever runs; its outputs are not recorded, and the next run finds them as they are."""
        if self.crew:
            with suppress(OSError):  # nobody may listen any more
                self.tell(Ending(tuple(active.job.name for active in self.active.values())))
            self.crew.end_all(interrupted=interrupted)
        for stage in self.active.values():
            self.workshop.abandon(stage.job)

    # -- the loop ---------------------------------------------------------------------------------

    def _drive(self) -> None:
        """Look at whatever nothing holds back, start what has to run as there is room, record what ended."""
        while True:
            self._look()
            while self._launch():
                self._look()
            if not self.active:
                if self._stopped or not self.waiting:
                    return
                self._give_up(self.waiting.pop(0))
                continue
            ended = self.crew.wait(TICK)
            self.tell(Ticked(len(self.waiting)))
            if ended is not None:
                self._conclude(self.active[ended[0]], ended[1])

    @property
    def _stopped(self) -> bool:
        """Whether nothing more may start."""
        return bool(self.failed) and self.settings.on_error == "fail"

    def _look(self) -> None:
        """Decide on what is free; one at a time when stages run one at a time."""
        while not self._stopped and not (self.jobs == 1 and self.waiting):
            key = self.schedule.take()
            if key is None:
                return
            owner = self.current[key]
            name = address_from(self.project, owner)
            if key in self.skipped:
                self._settle(key, Step(name, owner, "skipped"))
                continue
            force = key in self.forced
            upstream = [self.current[maker] for maker in self.graph.makers[key]]
            try:
                decided = self.judge.decide(owner, name, upstream, force=force, before=self._predicted(key))
            except (FourfoldError, OSError) as error:
                self._fail(key, owner, name, (), typed(error))
                continue
            if isinstance(decided, Step):
                self._settle(key, decided)
            else:
                self.waiting.append(_Waiting(key, owner, name, decided, force))
                self.waiting.sort(key=lambda item: self.schedule.place(item.key))

    def _predicted(self, key: Key) -> list[str]:
        """Without running: what this one depends on, of what would run."""
        if not self.settings.execution.dry:
            return []
        ran = {key_of(step.owner): step.name for _place, step in self.done if step.how in {"ran", "restored"}}
        return [ran[maker] for maker in self.graph.makers[key] if maker in ran]

    def _launch(self) -> bool:
        """Start the first that may; whether one did."""
        if self._stopped or len(self.active) >= self.jobs:
            return False
        for at, item in enumerate(self.waiting):
            claim = self.machine.take(self.needs[item.key])
            if claim is not None:
                del self.waiting[at]
                self._begin(item, claim)
                return True
        return False

    def _begin(self, item: _Waiting, claim: Claim) -> None:
        """Start one: in a thread, into its log, where another could run beside it; else at our terminal."""
        alone = self.jobs == 1 or not (self.waiting or self.active)
        try:
            begun = self.workshop.begin(
                item.owner,
                item.name,
                item.reasons,
                force=item.force,
                claim=claim,
                logs=self.logs,
                alone=alone,
            )
        except (FourfoldError, OSError) as error:
            self.machine.release(claim)
            self._fail(item.key, item.owner, item.name, item.reasons, typed(error))
            return
        except BaseException:
            self.machine.release(claim)
            raise
        if isinstance(begun, Done):
            self.machine.release(claim)
            self._succeed(item, begun)
            return
        active = _Active(item, begun, self.project.clock.monotonic())
        self.active[item.key] = active
        if begun.alone:
            self._conclude(active, self.workshop.run(begun))
        elif begun.log is not None:
            self.crew.start(item.key, begun.work, begun.log)

    def _conclude(self, active: _Active, verdict: Verdict) -> None:
        """An attempt ended: record it, or try again, or say how it failed."""
        item, job = active.waiting, active.job
        wrong: FourfoldError | None = None
        done: Done | None = None
        try:
            while (error := self.workshop.failure(job, verdict)) is not None and not self._stopped:
                if job.attempt > job.claim.needs.retries:
                    break
                self.tell(Retrying(job.name, error, job.attempt, job.claim.needs.retries + 1))
                self.workshop.again(job, verdict)
                if job.log is not None and not job.alone:
                    self.crew.start(item.key, job.work, job.log)
                    return
                verdict = self.workshop.run(job)
            done = self.workshop.finish(job, verdict)
        except (FourfoldError, OSError) as raised:
            wrong = typed(raised)
        job.close()
        del self.active[item.key]
        self.machine.release(job.claim)
        if job.log is not None and not job.alone:
            seconds = self.project.clock.monotonic() - active.since
            self.tell(Ended(job.name, item.owner, job.log, seconds, wrong))
        if done is not None:
            self._succeed(item, done)
        elif wrong is not None:
            self._fail(item.key, item.owner, item.name, item.reasons, wrong)

    def _succeed(self, item: _Waiting, done: Done) -> None:
        self.files += done.files
        self.judge.forget()
        self._settle(item.key, Step(item.name, done.owner, done.how, item.reasons))

    def _settle(self, key: Key, step: Step) -> None:
        """One owner is done with: what depends on it sees what it records now."""
        self.current[key] = step.owner
        self.done.append((self.schedule.place(key), step))
        ran = step.how in {"ran", "restored", "verified"}
        if self.settings.force_downstream and step.error is None and (ran or key in self.forced):
            self.forced.update(self.graph.users[key])
        self.schedule.finish(key)

    def _fail(
        self, key: Key, owner: Owner, name: str, reasons: tuple[Change, ...], error: FourfoldError
    ) -> None:
        settings = self.settings
        step = Step(name, owner, "failed", reasons, error)
        self.failed.append(step)
        self.judge.forget()
        if settings.on_error == "fail":
            running_now = tuple(active.job.name for active in self.active.values())
            if running_now and len(self.failed) == 1:
                self.tell(Failed(name, error, ignored=False, skipped=(), running=running_now))
        else:
            ignored = settings.on_error == "ignore"
            dependents = set() if ignored else reach(self.graph.users, [key]) - {key}
            self.skipped |= dependents
            left = self.graph.of(other for other in self.graph.owners if other in dependents)
            names = tuple(address_from(self.project, dependent) for dependent in left)
            self.tell(Failed(name, error, ignored, names))
        self._settle(key, step)

    def _give_up(self, item: _Waiting) -> None:
        """Nothing runs, and still there is not enough for this one."""
        error = self.machine.refuse(item.name, self.needs[item.key])
        if error is None:  # pragma: no cover - what fits the machine fits it when nobody holds anything
            raise AssertionError(item.name)
        self._fail(item.key, item.owner, item.name, item.reasons, error)

    # -- before anything runs ---------------------------------------------------------------------

    def _refuse_what_is_too_big(self, plan: Sequence[Owner]) -> None:
        """Refuse stages that want more than the machine has, when it can be seen now that they have to run.

        Raises:
            ResourceUnavailableError: there is one.
        """
        if self.settings.execution.dry:
            return
        refused = {
            key: error
            for owner in plan
            if (error := self.machine.refuse(owner.addressing, self.needs[key := key_of(owner)])) is not None
        }
        if not refused:
            return
        runs: set[Key] = set()
        for owner in plan:
            key = key_of(owner)
            upstream = self.graph.of(self.graph.makers[key])
            if (
                key in self.forced
                or any(maker in runs for maker in self.graph.makers[key])
                or self.judge.why(owner, upstream)
            ):
                runs.add(key)
                if key in refused:
                    raise refused[key]

    def _plan(self, targets: Sequence[str]) -> tuple[Graph, list[Owner]]:
        settings = self.settings
        tracking = load_tracked(self.project)
        self.tracked = tuple(tracking.owners)
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
        live = Graph(graph.owners, {}, {}) if settings.single_item and not whole else active(graph)
        if not live.makers:
            nothing: dict[Key, tuple[Key, ...]] = dict.fromkeys(graph.owners, ())
            live = Graph(graph.owners, nothing, nothing)
        return live, plan


def _ranks(plan: Sequence[Owner]) -> dict[str, dict[str, int]]:
    """The place of each stage that its lock file does not have yet, by file, then by name."""
    ranks: dict[str, dict[str, int]] = {}
    for at, owner in enumerate(plan):
        if owner.name is not None and not owner.locked:
            ranks.setdefault(owner.file, {})[owner.name] = at
    return ranks


def default_jobs() -> int:
    """How many stages run at once when nobody says: one a core that we may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
