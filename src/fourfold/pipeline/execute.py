"""Executing one owner: run its commands or take a remembered run, then record what came out.

The laws of the store hold here too. What a stage needs is looked at before anything goes; old outputs
that the cache does not have go into the trash of the operation; the content of new ones is durable in
the cache before ``dvc.lock`` names it; the workspace is linked last. The repository lock is held before
and after the commands, not while they run. Which owners run, and why, is `plan` and `repro`.
"""

import os
import shutil
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, NamedTuple

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
from fourfold.formats.dvc.pointer import Output, import_checksum
from fourfold.pipeline import runcache
from fourfold.pipeline.lockfile import (
    DependencyMissingError,
    LockBook,
    ParameterMissingError,
    current_dependencies,
    current_parameters,
    entry_of,
    write_entry,
)
from fourfold.pipeline.news import (
    CommandEnded,
    CommandStarted,
    Listener,
    LockWritten,
    Restored,
    Started,
    Verified,
    deaf,
)
from fourfold.pipeline.process import run_command
from fourfold.project.changes import Change, Examiner
from fourfold.project.desk import desk_for, journal
from fourfold.project.gitignore import gitignore_of, ignore_all
from fourfold.project.locks import project_lock
from fourfold.project.oplog import Operation
from fourfold.project.outs import Owner, Tracked, place
from fourfold.project.placed import note_placed
from fourfold.project.pointerfiles import write_pointer
from fourfold.project.recording import TrackedByGitError
from fourfold.project.saving import Saver
from fourfold.project.stagelock import using
from fourfold.project.unprotect import detach

if TYPE_CHECKING:
    from fourfold.project.project import Project

#: So much of a metric is looked at to tell text from other bytes, as DVC does.
_LOOK = 512
_TEXT = bytes([*range(32, 127), *b"\n\r\t\f\b"])


class CommandFailedError(ConflictError):
    """A command of a stage ended with an exit code other than 0."""

    code = "command-failed"


class OutputMissingError(NotFoundError):
    """A stage ran and did not make an output that it declares."""

    code = "output-missing"


class WorkingDirMissingError(NotFoundError):
    """The folder in which a stage should run is not there."""

    code = "working-directory-missing"


class BinaryMetricsError(InvalidFileError):
    """A file of metrics is not text."""

    code = "binary-metrics"


class ImportRunError(UnsupportedError):
    """An import would have to be downloaded again, which a run of the pipeline does not do."""

    code = "import-in-run"


class Options(NamedTuple):
    """How owners are executed.

    Attributes:
        commit: Save outputs into the cache.
        run_cache: Take remembered runs.
        dry: Tell, and do nothing.
        pull: Bring what a remembered run made from the default remote.
        relink: Let the workspace share bytes with the cache, where that is configured.
        output: Where the standard output of commands goes: a file descriptor; None for ours.
    """

    commit: bool = True
    run_cache: bool = True
    dry: bool = False
    pull: bool = False
    relink: bool = True
    output: int | None = None


class Done(NamedTuple):
    """One owner after its execution.

    Attributes:
        owner: With what it records now.
        how: ``ran``, ``restored`` or ``verified``.
        files: Files for the next commit, absolute.
    """

    owner: Owner
    how: str
    files: tuple[str, ...] = ()


class Workshop:
    """Executes owners of one project.

    Args:
        project: Whose.
        op: The running operation.
        options: How.
        book: The lock files of the run, which says in which order new stages stand there.
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
        tell: Listener = deaf,
        events: Sink = silent,
    ) -> None:
        self._project = project
        self._op = op
        self._options = options
        self._book = book or LockBook()
        self._tell = tell
        self._events = events

    def execute(self, owner: Owner, name: str, reasons: Sequence[Change], *, force: bool) -> Done:
        """Make an owner up to date.

        Args:
            owner: A stage or a pointer file, with what it records now.
            name: How it is called from where the user stands.
            reasons: Why it is executed.
            force: Run, whatever is remembered.

        Raises:
            CommandFailedError: a command failed; the files that it left are as it left them.
            FourfoldError: something it needs is missing, or the system refuses.
        """
        if owner.is_stage and not owner.frozen:
            return self._run(owner, name, tuple(reasons), force=force)
        if owner.is_import and not owner.frozen:
            raise ImportRunError(
                f"'{name}' is an import that is not what it records",
                hint=f"bring it up to date with: ff update {name}",
            )
        self._tell(Verified(name, owner))
        if self._options.dry:
            return Done(owner, "verified")
        with project_lock(self._project, writes=self._paths(owner)):
            return self.record(owner, Examiner(self._project, self._events))._replace(how="verified")

    # -- a stage with a command -------------------------------------------------------------------

    def _run(self, owner: Owner, name: str, reasons: tuple[Change, ...], *, force: bool) -> Done:
        project = self._project
        if self._options.dry:
            return self._pretend(owner, name, reasons, force=force)
        with ExitStack() as use:
            with project_lock(project, writes=self._paths(owner)):
                examiner = Examiner(project, self._events)
                outs = self._placed(owner)
                remembered = None if force else self._remembered(owner, examiner)
                if remembered is not None:
                    self._tell(Restored(name, owner, reasons))
                    self._restore(outs, remembered, examiner)
                    done = self.record(owner, Examiner(project, self._events))
                    return done._replace(how="restored")
                self._tell(Started(name, owner, reasons))
                self._check(owner, outs, examiner)
                reads = [os.path.normpath(os.path.join(owner.wdir, dep.path)) for dep in owner.deps]
                use.enter_context(using(project, reads=reads, writes=[out.path for out in outs]))
                self._clear(outs, examiner)
            for command in _commands(owner):
                self._tell(CommandStarted(command))
                self._run_one(owner, name, command)
            with project_lock(project, writes=self._paths(owner)):
                return self.record(owner, Examiner(project, self._events))

    def _pretend(self, owner: Owner, name: str, reasons: tuple[Change, ...], *, force: bool) -> Done:
        """Tell what would happen; what is missing now may be there once the stages before have run."""
        with suppress(DependencyMissingError, ParameterMissingError):
            if not force and self._remembered(owner, Examiner(self._project, self._events)) is not None:
                self._tell(Restored(name, owner, reasons))
                return Done(owner, "restored")
        self._tell(Started(name, owner, reasons))
        for command in _commands(owner):
            self._tell(CommandStarted(command))
        return Done(owner, "ran")

    def _placed(self, owner: Owner) -> list[Tracked]:
        return [out for out in place(self._project.root, owner) if not out.external]

    def _paths(self, owner: Owner) -> list[str]:
        return [out.path for out in self._placed(owner)]

    def _check(self, owner: Owner, outs: Iterable[Tracked], examiner: Examiner) -> None:
        """Refuse what could not end well before anything is touched."""
        project = self._project
        if not os.path.isdir(owner.wdir):
            raise WorkingDirMissingError(
                f"the working directory '{project.display(owner.wdir)}' of stage '{owner.addressing}' "
                "does not exist",
                hint="make it, or mend 'wdir' in the stage",
            )
        current_dependencies(project, owner, examiner)
        current_parameters(project, owner, examiner)
        cached = [out.path for out in outs if out.use_gitignore]
        taken = sorted(project.git.tracked(cached)) if project.git is not None and cached else []
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

    def _run_one(self, owner: Owner, name: str, command: str) -> None:
        environ = dict(self._project.environ)
        environ.setdefault("DVC_ROOT", self._project.root)
        environ["DVC_STAGE"] = name
        try:
            code = run_command(command, cwd=owner.wdir, environ=environ, output=self._options.output)
        except OSError as error:
            raise from_os_error(error, "starting the shell") from error
        finally:
            self._tell(CommandEnded(command))
        if code:
            raise CommandFailedError(
                f"failed to run: {command}, exited with {code}",
                hint="what it said stands above; after mending it: ff repro",
            )

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

    # -- recording --------------------------------------------------------------------------------

    def record(self, owner: Owner, examiner: Examiner, *, remember: bool | None = None) -> Done:
        """Save the outputs of an owner as they are now, and write down what it ran with.

        Args:
            owner: A stage or a pointer file.
            examiner: Looks at the workspace.
            remember: Whether the run is remembered if it can be; by default as DVC does after a run, which
                is not where an output stays out of the cache.
        """
        project, op = self._project, self._op
        outs = self._placed(owner)
        self._must_exist(owner, outs)
        stage = owner.is_stage
        deps = current_dependencies(project, owner, examiner) if stage else owner.deps
        params = current_parameters(project, owner, examiner) if stage else {}
        self._warn_of_nothing(owner, outs)
        if remember is None:
            remember = self._options.commit and not any(
                not out.cache and not out.metric and not out.plot for out in owner.outs
            )
        memorable = stage and remember and runcache.can_remember(owner)
        with (
            Saver(
                project, store=self._options.commit, relink=self._options.relink, events=self._events
            ) as saver,
            Saver(project, store=memorable, relink=False, events=self._events) as plain_saver,
        ):
            taken: list[Output] = []
            for out in outs:
                if out.output.cache:
                    taken.append(saver.take(out.path, out.output))
                else:  # a remembered run needs the content of Git's files too
                    known = plain_saver.take(out.path, out.output._replace(cache=True))
                    taken.append(known._replace(cache=False))
            saver.settle()
            plain_saver.settle()
            files = self._ignore(outs)
            external = [out.output for out in place(project.root, owner) if out.external]
            new, written = self._write(owner, entry_of(owner, deps, params, (*taken, *external)))
            if memorable:
                runcache.remember(project, entry_of(owner, deps, params, taken))
            saver.relink(op)
        note_placed(project, op, {out.path: now for out, now in zip(outs, taken, strict=True)})
        for out, now in zip(outs, taken, strict=True):
            op.became(out.path, now.oid)
        visible = [out.path for out in outs if not out.use_gitignore]
        return Done(new, "ran", (*written, *files, *visible))

    def _write(self, owner: Owner, entry: LockEntry) -> tuple[Owner, list[str]]:
        """Write the entry where the owner keeps it; the owner as it is now, and the files that changed."""
        project = self._project
        if owner.pointer is None:
            new = owner._replace(
                outs=_in_order(owner, entry.outs),
                deps=entry.deps,
                params=entry.params,
                locked=True,
                locked_cmd=owner.cmd,
            )
            lock_file = os.path.join(os.path.dirname(owner.file), "dvc.lock")
            fresh = not os.path.lexists(lock_file)
            path = write_entry(project, self._op, owner, entry, self._book)
            if path is not None:
                self._tell(LockWritten(path, fresh))
            return new, [path] if path is not None else []
        pointer = owner.pointer._replace(outs=entry.outs)
        if pointer.md5:
            pointer = pointer._replace(md5=import_checksum(pointer))
        changed = write_pointer(project, self._op, owner.file, pointer, owner.source)
        return owner._replace(outs=entry.outs, pointer=pointer), [owner.file] if changed else []

    def _must_exist(self, owner: Owner, outs: Iterable[Tracked]) -> None:
        missing = [self._project.display(out.path) for out in outs if not os.path.lexists(out.path)]
        if not missing:
            return
        if owner.is_stage and not owner.frozen:
            raise OutputMissingError(
                f"output '{missing[0]}' does not exist",
                hint=f"stage '{owner.addressing}' declares it: does its command write it there?",
                details=missing[1:],
            )
        raise OutputMissingError(
            f"missing data {', '.join(map(repr, missing))}", hint="bring tracked data with: ff pull"
        )

    def _warn_of_nothing(self, owner: Owner, outs: Iterable[Tracked]) -> None:
        for out in outs:
            if out.output.metric and os.path.isfile(out.path) and not _is_text(out.path):
                raise BinaryMetricsError(
                    f"binary file '{self._project.display(out.path)}' cannot be used as metrics",
                    hint=f"stage '{owner.addressing}' must write JSON, YAML or TOML there",
                )
            if os.path.isfile(out.path) and not os.path.getsize(out.path):
                self._events(Warned("empty-output", f"'{self._project.display(out.path)}' is empty"))

    def _ignore(self, outs: Iterable[Tracked]) -> list[str]:
        paths = [out.path for out in outs if out.use_gitignore]
        if self._project.git is None or not paths:
            return []
        for path in paths:
            self._op.will_write(gitignore_of(path))
        return ignore_all(self._project, paths)


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


def _in_order(owner: Owner, outs: Iterable[Output]) -> tuple[Output, ...]:
    by_path = {out.path: out for out in outs}
    return tuple(by_path.get(out.path, out) for out in owner.outs)


def _is_text(path: str) -> bool:
    with open(path, "rb") as file:
        block = file.read(_LOOK)
    if b"\0" in block:
        return False
    return not block or len(block.translate(None, _TEXT)) <= 0.3 * len(block)
