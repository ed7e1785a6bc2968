"""What a run of the pipeline is asked for, and what it answers: settings, steps, the result, its failures."""

from collections.abc import Sequence
from typing import NamedTuple

from fourfold.base.errors import ConflictError, FourfoldError, from_os_error
from fourfold.pipeline.options import Options
from fourfold.project.changes import Change
from fourfold.project.outs import Owner
from fourfold.project.staging import Staged

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
        jobs: How many stages may run at once; one at a time is DVC's order. By default as many as there are
            cores. Neither outputs nor lock files depend on it.
        execution: See `options.Options`.
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
    jobs: int | None = None
    execution: Options = Options()


def typed(error: FourfoldError | OSError) -> FourfoldError:
    """A failure of the system as an error of ours."""
    return error if isinstance(error, FourfoldError) else from_os_error(error)


def stage_failed(step: Step) -> StageFailedError:
    """The error of a run in which one stage failed."""
    error = step.error
    if error is None:
        return StageFailedError(f"failed to reproduce '{step.name}'")
    return StageFailedError(
        f"failed to reproduce '{step.name}': {error.message}", hint=error.hint, details=error.details
    )


def sum_up(failed: Sequence[Step]) -> FourfoldError:
    """The error of a run in which stages failed, one at least."""
    if len(failed) == 1:
        return stage_failed(failed[0])
    names = ", ".join(f"'{step.name}'" for step in failed)
    details = [f"{step.name}: {step.error.message}" for step in failed if step.error is not None]
    return StageFailedError(
        f"failed to reproduce stages: {names}",
        hint="mend the first of them; those that succeeded will not run again",
        details=details,
    )
