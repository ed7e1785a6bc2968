"""What a run of the pipeline tells while it goes on: typed events for a listener that the caller brings.

Unlike the engine's progress (`base.events`), these are what the user asked to see, in order with
the output of the commands. Nothing here prints.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import FourfoldError
from fourfold.project.changes import Change
from fourfold.project.outs import Owner

if TYPE_CHECKING:
    from fourfold.runs.findings import Findings


class Unchanged(NamedTuple):
    """Nothing differs from what is recorded: the owner is passed over."""

    name: str
    owner: Owner


class Frozen(NamedTuple):
    """The owner is frozen: what it depends on is not looked at."""

    name: str
    owner: Owner


class Started(NamedTuple):
    """The commands of a stage are about to run, for these reasons (none when it is forced).

    ``log`` is the file into which they write, where they have not our terminal to themselves.
    """

    name: str
    owner: Owner
    reasons: tuple[Change, ...]
    log: str | None = None


class Ended(NamedTuple):
    """A stage that wrote into a log is recorded, or failed; how long it took, in seconds."""

    name: str
    owner: Owner
    log: str
    seconds: float
    error: FourfoldError | None = None


class Retrying(NamedTuple):
    """An attempt failed, and the stage runs again; attempts are counted from 1."""

    name: str
    error: FourfoldError
    attempt: int
    attempts: int


class Ending(NamedTuple):
    """Somebody interrupted: these stages are asked to end, and made to when they do not."""

    names: tuple[str, ...]


class Ticked(NamedTuple):
    """A moment went by while stages run; so many wait for their turn."""

    waiting: int


class CommandStarted(NamedTuple):
    """One command is about to run."""

    command: str


class CommandEnded(NamedTuple):
    """One command has ended, well or not."""

    command: str


class Found(NamedTuple):
    """A stage that ran used files that it does not declare."""

    name: str
    owner: Owner
    findings: "Findings"


class Restored(NamedTuple):
    """The results of a remembered run are taken instead of running."""

    name: str
    owner: Owner
    reasons: tuple[Change, ...]


class Verified(NamedTuple):
    """What has no command to run was looked at, and is recorded as it is now."""

    name: str
    owner: Owner


class Pulled(NamedTuple):
    """Nothing but data was missing: it is brought from a remote."""

    name: str
    owner: Owner


class LockWritten(NamedTuple):
    """A ``dvc.lock`` was written; ``new`` when there was none."""

    path: str
    new: bool


class Failed(NamedTuple):
    """An owner failed, and the run goes on without those that need it (or with, when ``ignored``).

    With ``running`` it does not go on: only these stages, which run already, are let end.
    """

    name: str
    error: FourfoldError
    ignored: bool
    skipped: tuple[str, ...]
    running: tuple[str, ...] = ()


StageEvent = (
    Unchanged
    | Frozen
    | Started
    | Ended
    | Retrying
    | Ending
    | Ticked
    | CommandStarted
    | CommandEnded
    | Found
    | Restored
    | Verified
    | Pulled
    | LockWritten
    | Failed
)
Listener = Callable[[StageEvent], None]


def deaf(_event: StageEvent) -> None:
    """The listener that does not listen."""
