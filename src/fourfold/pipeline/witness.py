"""The witness: stands between stages and run records, says an attempt as a task, keeps what came of it.

`execute` calls it before and after the commands of a stage; capturing is `fourfold.runs.session`, which is
loaded when the first stage runs. What a run leaves beside its record is the entry in ``fourfold.lock``.
"""

import os
import signal
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fourfold.base.errors import FourfoldError
from fourfold.base.events import Sink, Warned, silent
from fourfold.formats.dvc.lock import DEFAULT_PARAMS, entry_document
from fourfold.formats.dvc.pointer import Dependency, Output
from fourfold.formats.native.canonical import canonical, digest
from fourfold.formats.native.record import Outcome
from fourfold.pipeline.crew import Verdict
from fourfold.pipeline.lockfile import entry_of
from fourfold.pipeline.resources import declared_of
from fourfold.project.outs import LOCK_FILE, Owner, tracked_paths
from fourfold.runs.task import Declared, Item, Task

if TYPE_CHECKING:
    from fourfold.formats.native.lockfile import LockBook
    from fourfold.project.oplog import Operation
    from fourfold.project.project import Project
    from fourfold.runs.session import Capture, Finished
    from fourfold.runs.store import Records

#: Set to this, nothing is recorded and stages start as they are.
OFF = "off"
SWITCH = "FOURFOLD_CAPTURE"
#: How stages are observed that say nothing of it; see `fourfold.runs.declared`.
TRACE = "FOURFOLD_TRACE"


class Witness:
    """Records the runs of one execution of a pipeline.

    Args:
        project: Whose.
        op: The running operation.
        owners: All that the project tracks.
        strict: Undeclared reads and writes fail a stage, whatever it says.
        events: Hears of what cannot be captured.
    """

    def __init__(
        self,
        project: "Project",
        op: "Operation",
        owners: Iterable[Owner] = (),
        *,
        strict: bool = False,
        events: Sink = silent,
    ) -> None:
        self._project = project
        self._op = op
        self._owners = tuple(owners)
        self._strict = strict
        self._events = events
        self._records: Records | None = None
        self._book: LockBook | None = None
        self._tracked: tuple[str, ...] | None = None
        self.is_on = project.environ.get(SWITCH, "").lower() != OFF

    def begin(self, owner: Owner, commands: Sequence[str], environ: Mapping[str, str]) -> "Capture | None":
        """Prepare to observe an attempt at a stage; None when it is not to be observed.

        Raises:
            FourfoldError: what the stage declares about its capture means nothing, or cannot be had here.
        """
        if not self.is_on:
            return None
        from fourfold.runs.tracer.nursery import NURSERY  # noqa: PLC0415 - where nothing runs, nobody asks

        if self._project.environ.get(TRACE, "auto") in {"auto", "seccomp"}:
            NURSERY.get_ready()  # while the rest is loaded
        from fourfold.runs.place import place_of  # noqa: PLC0415
        from fourfold.runs.session import begin  # noqa: PLC0415
        from fourfold.runs.store import records_of  # noqa: PLC0415

        place = place_of(self._project)
        if self._records is None:
            self._records = records_of(place)
        declared = declared_of(self._project, owner)
        if self._strict:
            declared = declared._replace(strict=True)
        task = self._task(owner, commands, environ, declared)
        return begin(place, self._records, task, events=self._events)

    def succeed(self, capture: "Capture", owner: Owner) -> tuple["Finished", list[str]]:
        """Write the record of an attempt that was recorded, and its entry in ``fourfold.lock``.

        Args:
            capture: Of the attempt.
            owner: The stage, with what it records now.

        Returns:
            The run, and the files that changed.
        """
        task = self._filled(capture.task, owner)
        finished = capture.finish(Outcome("succeeded"), task, entry_digest(owner))
        return finished, self._lock(owner, finished)

    def fail(self, capture: "Capture", verdict: Verdict) -> "Finished":
        """Write the record of an attempt that failed, or whose outputs could not be recorded."""
        if verdict.expired:
            outcome = Outcome("timed-out", verdict.code)
        else:
            outcome = Outcome("not-recorded" if verdict.is_good else "failed", verdict.code)
        return capture.finish(outcome, capture.task)

    def interrupted(self, capture: "Capture") -> None:
        """Write the record of an attempt that somebody interrupted."""
        capture.finish(Outcome("interrupted", -signal.SIGINT), capture.task)

    def objection(self, capture: "Capture") -> FourfoldError | None:
        """Why what came of an attempt is not recorded: it is strict, and used what it does not declare."""
        if not capture.task.declared.strict:
            return None
        from fourfold.runs.findings import refuse  # noqa: PLC0415 - as above

        return refuse(capture.findings, capture.task.name)

    def restored(self, owner: Owner, files: Iterable[str]) -> list[str]:
        """Let ``fourfold.lock`` name the run that made what did not run now; the files that changed.

        Where no such run is known, it says nothing of the stage any more, unless ``dvc.lock`` says what it
        said: then the records of that run are elsewhere.

        Args:
            owner: The stage, with what it records now.
            files: What changed when it was recorded.
        """
        if not self.is_on:
            return []
        from fourfold.runs.place import place_of  # noqa: PLC0415 - as above
        from fourfold.runs.session import Finished  # noqa: PLC0415
        from fourfold.runs.store import records_of  # noqa: PLC0415

        records = self._records = self._records or records_of(place_of(self._project))
        try:
            made = records.made(entry_digest(owner))
            record = records.get(made) if made is not None else None
        except FourfoldError as error:
            self._events(Warned(error.code, error.message, error.hint))
            return []
        if record is None and os.path.join(os.path.dirname(owner.file), LOCK_FILE) not in files:
            return []
        from fourfold.runs.findings import Findings  # noqa: PLC0415

        return self._lock(owner, Finished(made, record, Findings()))

    def _lock(self, owner: Owner, finished: "Finished") -> list[str]:
        from fourfold.runs import lockfile  # noqa: PLC0415 - as above

        project = self._project
        entry = None
        if finished.id is not None and finished.record is not None:
            entry = lockfile.entry_of(finished.record, finished.id)
        try:
            self._book = self._book or lockfile.LockBook()
            path = lockfile.update(project, self._op, owner.file, owner.name or "", entry, self._book)
        except FourfoldError as error:
            self._events(Warned(error.code, f"fourfold.lock is not written: {error.message}", error.hint))
            return []
        return [path] if path is not None else []

    def _task(
        self, owner: Owner, commands: Sequence[str], environ: Mapping[str, str], declared: Declared
    ) -> Task:
        task = Task(
            kind="stage",
            name=self.address(owner),
            commands=tuple(commands),
            root=self._project.root,
            cwd=owner.wdir,
            environ=environ,
            declared=declared,
            tracked=self._everything(),
        )
        return self._filled(task, owner, known=False)

    def address(self, owner: Owner) -> str:
        """The stage as the root of the project calls it."""
        return (owner.name or "") if owner.relpath == "dvc.yaml" else f"{owner.relpath}:{owner.name}"

    def _filled(self, task: Task, owner: Owner, *, known: bool = True) -> Task:
        params = {spec.file or DEFAULT_PARAMS for spec in owner.params_wanted}
        inputs = [*(self._item(owner, dep, "dep") for dep in owner.deps)]
        inputs += [self._item(owner, Dependency(file, None), "params") for file in sorted(params)]
        outputs = tuple(self._item(owner, out, _role(out)) for out in owner.outs)
        if not known:  # what the lock file says is of the run before
            inputs = [item._replace(oid=None, size=None, nfiles=None, version="") for item in inputs]
            outputs = tuple(item._replace(oid=None, size=None, nfiles=None) for item in outputs)
            return task._replace(inputs=tuple(inputs), outputs=outputs)
        return task._replace(inputs=tuple(inputs), outputs=outputs, params=dict(owner.params or {}))

    def _item(self, owner: Owner, item: Dependency | Output, role: str) -> Item:
        if "://" in item.path:
            from fourfold.storage.redact import redact_url  # noqa: PLC0415 - only URLs have secrets

            version = item.version_id or item.etag or item.checksum or ""
            shown = redact_url(item.path)
            known = Item(item.path, shown, role, item.oid, item.size, item.nfiles, cached=False)
            return known._replace(version=version)
        path = os.path.normpath(os.path.join(owner.wdir, item.path))
        cached = item.cache if isinstance(item, Output) else True
        return Item(path, self._project.relpath(path), role, item.oid, item.size, item.nfiles, cached)

    def _everything(self) -> tuple[str, ...]:
        if self._tracked is None:
            self._tracked = tracked_paths(self._owners)
        return self._tracked


def entry_digest(owner: Owner) -> str:
    """The digest by which a record names an entry of ``dvc.lock``: BLAKE3 of its canonical JSON.

    Args:
        owner: A stage, with what it records.
    """
    params: dict[str, Any] = dict(owner.params or {})
    return digest(canonical(entry_document(entry_of(owner, owner.deps, params, owner.outs))))


def _role(out: Output) -> str:
    return "metric" if out.metric else "plot" if out.plot else "out"
