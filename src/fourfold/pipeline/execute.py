"""Executing one owner: run its commands or take a remembered run, then let what came out be recorded.

The laws of the store hold here too. What a stage needs is looked at before anything goes; old outputs
that the cache does not have go into the trash of the operation; the content of new ones is durable in
the cache before ``dvc.lock`` names it; the workspace is linked last. The repository lock is held before
and after the commands, not while they run. Which owners run, and why, is `plan` and `repro`.
"""

import os
import shutil
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from fourfold.base.errors import (
    ConflictError,
    FourfoldError,
    InvalidFileError,
    NotFoundError,
    UnsupportedError,
    from_os_error,
)
from fourfold.base.events import Sink, Warned, silent
from fourfold.content.checkout import checkout
from fourfold.formats.dvc.lock import LockEntry
from fourfold.pipeline import runcache
from fourfold.pipeline.crew import Verdict, Work, run_here
from fourfold.pipeline.hiding import Hiding
from fourfold.pipeline.lockfile import (
    DependencyMissingError,
    LockBook,
    ParameterMissingError,
    current_dependencies,
    current_parameters,
    entry_of,
)
from fourfold.pipeline.logs import Logs, shown
from fourfold.pipeline.news import (
    CommandEnded,
    CommandStarted,
    Found,
    Listener,
    Restored,
    Started,
    Verified,
    deaf,
)
from fourfold.pipeline.options import Options
from fourfold.pipeline.recorder import Done, Recorder, placed
from fourfold.pipeline.relay import is_possible as relay_is_possible
from fourfold.pipeline.resources import NOTHING, Claim
from fourfold.project.changes import Change, Examiner
from fourfold.project.desk import desk_for, journal
from fourfold.project.locks import project_lock
from fourfold.project.oplog import Operation
from fourfold.project.outs import Owner, Tracked
from fourfold.project.recording import TrackedByGitError
from fourfold.project.stagelock import StageLocks
from fourfold.project.unprotect import detach

if TYPE_CHECKING:
    from fourfold.pipeline.witness import Witness
    from fourfold.project.project import Project
    from fourfold.runs.session import Capture, Finished


class CommandFailedError(ConflictError):
    """A command of a stage ended with an exit code other than 0."""

    code = "command-failed"


class CommandTimedOutError(ConflictError):
    """A stage took longer than its ``meta: fourfold: timeout:`` says; its commands were ended."""

    code = "command-timed-out"


class CommandNotTextError(InvalidFileError):
    """An item of a stage's list of commands is no text: YAML took it for a number, or true or false."""

    code = "command-not-text"


class WorkingDirMissingError(NotFoundError):
    """The folder in which a stage should run is not there."""

    code = "working-directory-missing"


class ImportRunError(UnsupportedError):
    """An import would have to be downloaded again, which a run of the pipeline does not do."""

    code = "import-in-run"


class Job:
    """A stage whose commands may run now: made ready, and known to other processes as running.

    Attributes:
        owner: The stage, with what it records now.
        name: How it is called from where the user stands.
        work: What an attempt runs.
        log: The file that keeps what its commands say; None where that cannot be kept.
        alone: Whether its commands have our terminal and streams, and the log is a copy.
        attempt: Counted from 1.
        capture: What observes the attempt; None when nothing does.
    """

    __slots__ = ("_use", "alone", "attempt", "capture", "claim", "log", "name", "outs", "owner", "work")

    def __init__(
        self,
        owner: Owner,
        name: str,
        outs: Sequence[Tracked],
        work: Work,
        log: str | None,
        claim: Claim,
        use: ExitStack,
        *,
        alone: bool,
        capture: "Capture | None" = None,
    ) -> None:
        self.owner = owner
        self.name = name
        self.outs = outs
        self.work = work
        self.log = log
        self.alone = alone
        self.claim = claim
        self.attempt = 1
        self.capture = capture
        self._use = use

    def close(self) -> None:
        """Let other processes use what it used, and observe it no longer."""
        if self.capture is not None:
            self.capture.close()
        self._use.close()


class Workshop:
    """Executes owners of one project.

    Args:
        project: Whose.
        op: The running operation.
        options: How.
        book: The lock files of the run, which says in which order new stages stand there.
        plan: What will run, in order.
        owners: All that the project tracks.
        tell: Hears what happens.
        events: Hears the progress of hashing and linking.
    """

    def __init__(
        self,
        project: "Project",
        op: Operation,
        options: Options,
        *,
        book: LockBook | None = None,
        plan: Sequence[Owner] = (),
        owners: Iterable[Owner] = (),
        tell: Listener = deaf,
        events: Sink = silent,
    ) -> None:
        self._project = project
        self._op = op
        self._options = options
        self._owners = owners
        self._called_witness: Witness | None = None
        self._tell = tell
        self._events = events
        self._warned_of_logs = False
        self._examiner = Examiner(project, events)
        self._locks = StageLocks(project)
        self._hiding = Hiding(project, op, plan)
        self._recorder = Recorder(
            project,
            op,
            commit=options.commit,
            relink=options.relink,
            book=book,
            hiding=self._hiding,
            tell=tell,
            events=events,
        )

    def begin(
        self,
        owner: Owner,
        name: str,
        reasons: Sequence[Change],
        *,
        force: bool,
        claim: Claim = Claim(NOTHING),  # noqa: B008 - a value, never changed
        logs: Logs,
        alone: bool,
    ) -> Done | Job:
        """Make an owner up to date, or ready for its commands.

        Args:
            owner: A stage or a pointer file, with what it records now.
            name: How it is called from where the user stands.
            reasons: Why it is executed.
            force: Run, whatever is remembered.
            claim: What it holds of the machine.
            logs: Those of the run.
            alone: Whether the commands have our terminal and streams; else they write into their log.

        Returns:
            What was done, where no command has to run; else what is to be run and `finish`ed.

        Raises:
            FourfoldError: something it needs is missing, or the system refuses.
        """
        if owner.is_stage and not owner.frozen:
            if self._options.dry:
                return self._pretend(owner, name, tuple(reasons), force=force)
            return self._prepare(
                owner, name, tuple(reasons), force=force, claim=claim, logs=logs, alone=alone
            )
        if owner.is_import and not owner.frozen:
            raise ImportRunError(
                f"'{name}' is an import that is not what it records",
                hint=f"bring it up to date with: ff update {name}",
            )
        self._tell(Verified(name, owner))
        if self._options.dry:
            return Done(owner, "verified")
        with project_lock(self._project, writes=self._paths(owner)):
            return self._recorder.record(owner, self._examiner.again())._replace(how="verified")

    # -- a stage with a command -------------------------------------------------------------------

    def _prepare(
        self,
        owner: Owner,
        name: str,
        reasons: tuple[Change, ...],
        *,
        force: bool,
        claim: Claim,
        logs: Logs,
        alone: bool,
    ) -> Done | Job:
        project = self._project
        with ExitStack() as use, project_lock(project, writes=self._paths(owner)):
            examiner = self._examiner.again()
            outs = placed(self._project.root, owner)
            remembered = None if force else self._remembered(owner, examiner)
            if remembered is not None:
                self._tell(Restored(name, owner, reasons))
                self._restore(outs, remembered, examiner)
                done = self._recorder.record(owner, self._examiner.again())
                files = self._witness.restored(done.owner, done.files)
                return done._replace(how="restored", files=(*done.files, *files))
            self._check(owner, outs, examiner)
            reads = [os.path.normpath(os.path.join(owner.wdir, dep.path)) for dep in owner.deps]
            use.enter_context(self._locks.using(reads=reads, writes=[out.path for out in outs]))
            environ = {"DVC_ROOT": project.root, **project.environ, "DVC_STAGE": name, **claim.environment()}
            plain = Work(tuple(_commands(owner)), owner.wdir, environ, claim.needs.timeout)
            capture, work = self._watch(owner, plain)
            if capture is not None:
                use.callback(capture.close)
            self._clear(outs, examiner)
            log = self._open_copy(logs, name) if alone else logs.open(name)
            self._tell(Started(name, owner, reasons, None if alone else log))
            return Job(owner, name, outs, work, log, claim, use.pop_all(), alone=alone, capture=capture)

    @property
    def _witness(self) -> "Witness":
        """Who keeps what runs were made of; loaded when something runs."""
        if self._called_witness is None:
            from fourfold.pipeline.witness import Witness  # noqa: PLC0415 - where nothing runs, nobody asks

            self._called_witness = Witness(
                self._project, self._op, self._owners, strict=self._options.strict, events=self._events
            )
        return self._called_witness

    def _watch(self, owner: Owner, work: Work) -> "tuple[Capture | None, Work]":
        """Have an attempt observed: how its commands are started then."""
        capture = self._witness.begin(owner, work.commands, work.environ)
        if capture is None:
            return None, work
        return capture, work._replace(environ=capture.environ, prefixes=capture.prefixes)

    def _open_copy(self, logs: Logs, name: str) -> str | None:
        """A log for a stage that runs as well without one."""
        if not relay_is_possible():
            return None
        try:
            return logs.open(name)
        except FourfoldError as error:
            self._warn_of_logs(error)
        except OSError as error:
            self._warn_of_logs(from_os_error(error, "making a log"))
        return None

    def _warn_of_logs(self, error: FourfoldError) -> None:
        """Say, once, that logs of this run are not whole."""
        if not self._warned_of_logs:
            self._warned_of_logs = True
            self._events(Warned(error.code, f"what stages say is not kept: {error.message}", error.hint))

    def run(self, job: Job) -> Verdict:
        """Run an attempt here and now, with our terminal and streams; the log gets a copy.

        Raises:
            KeyboardInterrupt: somebody interrupted; the command has ended.
        """
        return run_here(
            job.work,
            output=self._options.output,
            log=job.log,
            before=lambda command: self._tell(CommandStarted(shown(command))),
            after=lambda command: self._tell(CommandEnded(shown(command))),
            trouble=lambda error: self._warn_of_logs(from_os_error(error, f"writing {job.log}")),
        )

    def abandon(self, job: Job) -> None:
        """A stage was ended before its time: nothing of it is recorded but that it ran."""
        try:
            if job.capture is not None and not job.capture.is_finished:
                self._witness.interrupted(job.capture)
        finally:
            job.close()

    def again(self, job: Job, verdict: Verdict) -> None:
        """Make room for another attempt.

        Args:
            job: The stage.
            verdict: How the last attempt ended.

        Raises:
            FourfoldError: what the failed one left cannot be put away.
        """
        job.attempt += 1
        with project_lock(self._project, writes=self._paths(job.owner)):
            if job.capture is not None:
                self._witness.fail(job.capture, verdict)
                plain = job.work._replace(environ=job.capture.task.environ)
                job.capture, job.work = self._watch(job.owner, plain)
            self._clear(job.outs, self._examiner.again())

    def finish(self, job: Job, verdict: Verdict) -> Done:
        """Record what came out.

        Raises:
            CommandFailedError, CommandTimedOutError: a command failed; its files are as it left them.
            FourfoldError: an output is missing, or the system refuses.
        """
        try:
            error = self.failure(job, verdict)
            if error is None and job.capture is not None:
                error = self._witness.objection(job.capture)
            if error is not None:
                raise error
            with project_lock(self._project, writes=self._paths(job.owner)):
                done = self._recorder.record(job.owner, self._examiner.again())
                if job.capture is None:
                    return done
                finished, files = self._witness.succeed(job.capture, done.owner)
            self._tell_findings(job, finished)
            return done._replace(files=(*done.files, *files))
        except (FourfoldError, OSError):
            if job.capture is not None and not job.capture.is_finished:
                self._witness.fail(job.capture, verdict)
            raise
        finally:
            job.close()

    def _tell_findings(self, job: Job, finished: "Finished") -> None:
        """Say what the stage used without declaring it."""
        if finished.findings.undeclared:
            self._tell(Found(job.name, job.owner, finished.findings))

    def failure(self, job: Job, verdict: Verdict) -> FourfoldError | None:
        """What is wrong with how an attempt ended; None when nothing is."""
        if verdict.is_good:
            return None
        if verdict.expired:
            return CommandTimedOutError(
                f"took longer than {job.work.timeout:g} seconds: {verdict.command}",
                hint="the limit is 'meta: fourfold: timeout:' of the stage",
            )
        if verdict.error is not None:
            if isinstance(verdict.error, FourfoldError):
                return verdict.error
            raise verdict.error
        where = "above" if job.log is None else f"above and in {self._project.display(job.log)}"
        return CommandFailedError(
            f"failed to run: {verdict.command}, exited with {verdict.code}",
            hint=f"what it said stands {where}; after mending it: ff repro",
        )

    def _pretend(self, owner: Owner, name: str, reasons: tuple[Change, ...], *, force: bool) -> Done:
        """Tell what would happen; what is missing now may be there once the stages before have run."""
        downstream = any(change.kind == "upstream" for change in reasons)
        with suppress(DependencyMissingError, ParameterMissingError):
            if not (force or downstream) and self._remembered(owner, self._examiner.again()) is not None:
                self._tell(Restored(name, owner, reasons))
                return Done(owner, "restored")
        self._tell(Started(name, owner, reasons))
        for command in _commands(owner):
            self._tell(CommandStarted(shown(command)))
        return Done(owner, "ran")

    def _paths(self, owner: Owner) -> list[str]:
        return [out.path for out in placed(self._project.root, owner)]

    def _check(self, owner: Owner, outs: Iterable[Tracked], examiner: Examiner) -> None:
        """Refuse what could not end well before anything is touched."""
        project = self._project
        commands: Sequence[object] = _commands(owner)
        odd = [command for command in commands if not isinstance(command, str)]
        if odd:
            raise CommandNotTextError(
                f"{odd[0]!r} is no command of stage '{owner.addressing}': it is not text",
                hint="put it between quotes in 'cmd'",
            )
        if not os.path.isdir(owner.wdir):
            raise WorkingDirMissingError(
                f"the working directory '{project.display(owner.wdir)}' of stage '{owner.addressing}' "
                "does not exist",
                hint="make it, or mend 'wdir' in the stage",
            )
        current_dependencies(project, owner, examiner)
        current_parameters(project, owner, examiner)
        cached = [out.path for out in outs if out.use_gitignore]
        taken = sorted(self._hiding.tracked(cached))
        if taken:
            shown = " ".join(project.display(path) for path in taken)
            raise TrackedByGitError(
                f"output '{project.display(taken[0])}' is tracked by Git",
                hint=f"let Git forget it with: git rm -r --cached {shown}  (or give it 'cache: false')",
            )

    def _remembered(self, owner: Owner, examiner: Examiner) -> LockEntry | None:
        """The entry of a run that need not be run again, when the cache has all that came out of it."""
        if not runcache.can_remember(owner):
            return None
        deps = current_dependencies(self._project, owner, examiner)
        params = current_parameters(self._project, owner, examiner)
        entry: LockEntry | None = entry_of(owner, deps, params, owner.outs)
        known = owner.locked and owner.locked_cmd == owner.cmd and all(out.oid for out in owner.outs)
        if not known or any(examiner.of_dependencies(owner)) or any(examiner.of_parameters(owner)):
            if not self._options.run_cache or entry is None:
                return None
            entry = runcache.find(self._project, entry)
        if self._options.pull and not self._options.dry and entry and not runcache.is_whole(entry, examiner):
            self._fetch(entry)
        return entry if entry is not None and runcache.is_whole(entry, examiner) else None

    def _fetch(self, entry: LockEntry) -> None:
        """Try to have what came out of a remembered run from the default remote."""
        from fourfold.content import transfer  # noqa: PLC0415 - only --pull needs a remote
        from fourfold.project.push import Opened  # noqa: PLC0415 - likewise

        project = self._project
        try:
            remote = Opened(project, None).get(None)
            for legacy in {out.legacy for out in entry.outs}:
                oids = [out.oid for out in entry.outs if out.oid is not None and out.legacy == legacy]
                transfer.fetch(
                    oids, project.store, remote.store, project.index, legacy=legacy, events=self._events
                )
        except FourfoldError as error:
            self._events(Warned(error.code, error.message, error.hint))

    def _clear(self, outs: Iterable[Tracked], examiner: Examiner) -> None:
        """Make room for the outputs of a run: old ones go where they can be had back from."""
        for out in outs:
            if out.output.persist:
                self._open_for_change(out, examiner)
                continue
            if os.path.lexists(out.path):
                take_away(self._project, self._op, out.path, examiner)
            self._op.will_create(out.path)

    def _open_for_change(self, out: Tracked, examiner: Examiner) -> None:
        if not os.path.lexists(out.path):
            self._op.will_create(out.path)
            return
        built = examiner.current(out.path)
        if built is not None and examiner.in_cache(built.oid):
            self._op.will_replace(out.path, built.oid, isexec=built.isexec)
        detach(self._project, out.path, events=self._events)

    def _restore(self, outs: Sequence[Tracked], entry: LockEntry, examiner: Examiner) -> None:
        """Bring the outputs of a remembered run into the workspace."""
        wanted = {out.path: out for out in entry.outs}
        for out in outs:
            content = wanted[out.output.path]
            current = examiner.current(out.path, legacy=content.legacy)
            if current is not None and current.oid == content.oid:
                continue
            desk = desk_for(self._project, out, announce=journal(self._op))
            if not out.output.cache:
                desk = desk._replace(link_types=("copy",))  # Git's files are nobody's links
            os.makedirs(os.path.dirname(out.path), exist_ok=True)
            checkout(
                content.oid,
                out.path,
                desk,
                legacy=content.legacy,
                isexec=content.isexec,
                force=True,
                events=self._events,
            )


def take_away(project: "Project", op: Operation, path: str, examiner: Examiner) -> None:
    """Take a path out of the workspace: deleted when the cache has all of it, else into the trash."""
    built = examiner.current(path)
    whole = built is not None and examiner.in_cache(built.oid)
    if built is not None and whole and not os.path.islink(path):
        if not built.is_directory:
            op.will_replace(path, built.oid, isexec=built.isexec)
            os.unlink(path)
        elif _count(path) == built.nfiles:  # nothing in it but data
            op.will_replace(path, built.oid)
            shutil.rmtree(path)
    if os.path.lexists(path):
        op.discard(path)
    project.index.forget(path)


def _count(path: str) -> int:
    return sum(len(names) for _folder, _folders, names in os.walk(path))


def _commands(owner: Owner) -> list[str]:
    """The lines to run, each by a shell of its own, as DVC does."""
    command = owner.cmd or ""
    return command.splitlines() if isinstance(command, str) else list(command)
