"""The judge of a run: whether an owner is left alone, is brought from a remote, or has to run, and why."""

import os
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from fourfold.base.errors import FourfoldError
from fourfold.base.events import Sink, Warned, silent
from fourfold.formats.dvc.pointer import is_external
from fourfold.pipeline import variables
from fourfold.pipeline.news import Frozen, Listener, Pulled, Unchanged, deaf
from fourfold.pipeline.plan import reasons
from fourfold.pipeline.recorder import placed
from fourfold.pipeline.steps import RunAbortedError, Settings, Step
from fourfold.project.changes import Change, Examiner
from fourfold.project.outs import Owner

if TYPE_CHECKING:
    from fourfold.project.project import Project


class Judge:
    """Looks at owners, one at a time.

    Args:
        project: Whose.
        settings: Of the run.
        confirm: Asked before each stage; None asks nobody.
        tell: Hears what happens.
        events: Hears the progress of hashing and of what comes from a remote.
    """

    def __init__(
        self,
        project: "Project",
        settings: Settings,
        *,
        confirm: Callable[[str], bool] | None = None,
        tell: Listener = deaf,
        events: Sink = silent,
    ) -> None:
        self._project = project
        self._settings = settings
        self._confirm = confirm
        self._tell = tell
        self._events = events
        self._examiner = Examiner(project, events)

    def foresee(self, plan: Iterable[Owner]) -> None:
        """Ask all URLs that stages depend on side by side."""
        self._examiner.foresee(plan)

    def forget(self) -> None:
        """Commands ran: what was seen of the workspace is worth nothing any more."""
        self._examiner = self._examiner.again()

    def decide(
        self, owner: Owner, name: str, upstream: Sequence[Owner], *, force: bool, before: Iterable[str] = ()
    ) -> Step | tuple[Change, ...]:
        """What becomes of an owner: the step that it was, or the reasons for which it has to run.

        Args:
            owner: With what it records now.
            name: How it is called from where the user stands.
            upstream: What it depends on directly, with what that records now.
            force: Run it, reasons or none.
            before: Without running: names of what would run before it, and may change what it needs.

        Raises:
            RunAbortedError: the user says no.
            FourfoldError: a file cannot be read.
        """
        settings = self._settings
        dry = settings.execution.dry
        if owner.frozen and not owner.is_import:
            self._tell(Frozen(name, owner))
        why = self.why(owner, upstream)
        if dry and owner.is_stage and not owner.frozen:
            why += [Change("upstream", other) for other in before]
        if not force:
            if not why:
                self._tell(Unchanged(name, owner))
                return Step(name, owner, "unchanged")
            if settings.pull and not dry and not self.why(owner, upstream, allow_missing=True):
                self._tell(Pulled(name, owner))
                if self._pull(owner, name):
                    return Step(name, owner, "pulled")
        if settings.pull and not force and owner.is_stage and not dry:
            self._pull_dependencies(owner)
        if self._confirm is not None and not self._confirm(
            f"Going to reproduce stage '{name}'. Are you sure you want to continue?"
        ):
            raise RunAbortedError(
                "reproduction aborted by the user", hint="to go on where it ended, run: ff repro"
            )
        return tuple(why)

    def why(
        self, owner: Owner, upstream: Sequence[Owner], *, allow_missing: bool | None = None
    ) -> list[Change]:
        """Why an owner has to run; nothing when it has not."""
        if allow_missing is None:
            allow_missing = self._settings.allow_missing
        outs = placed(self._project.root, owner)
        found = reasons(self._examiner, owner, outs, allow_missing=allow_missing, upstream=upstream)
        return found + variables.changes(self._project, owner)

    def _pull(self, owner: Owner, name: str) -> bool:
        """Bring the missing outputs of an owner from the remote; whether all of them came."""
        if not self._bring(name):
            return False
        self.forget()
        return not self.why(owner, (), allow_missing=False)

    def _pull_dependencies(self, owner: Owner) -> None:
        """Bring what an owner depends on and is not there, where it is tracked."""
        for dep in owner.deps:
            path = os.path.normpath(os.path.join(owner.wdir, dep.path))
            if not is_external(dep.path) and not os.path.lexists(path) and self._project.contains(path):
                self._bring(self._project.display(path))
                self.forget()

    def _bring(self, target: str) -> bool:
        """Pull one target; whether all of it came. Why not is told as a warning."""
        from fourfold.project.pull import pull  # noqa: PLC0415 - only --pull needs a remote

        try:
            error = pull(self._project, [target], events=self._events).error
        except FourfoldError as raised:
            error = raised
        if error is not None:
            self._events(Warned(error.code, error.message, error.hint))
        return error is None

    def pull_runs(self) -> None:
        """Bring remembered runs from the remote; why not is told as a warning."""
        from fourfold.project.push import Opened  # noqa: PLC0415 - only --pull needs a remote
        from fourfold.project.runs import pull_runs  # noqa: PLC0415 - likewise

        try:
            pull_runs(self._project, Opened(self._project, None).get(None), events=self._events)
        except FourfoldError as error:
            message = f"remembered runs could not be pulled: {error.message}"
            self._events(Warned(error.code, message, error.hint))
