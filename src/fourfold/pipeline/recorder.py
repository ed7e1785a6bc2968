"""Recording one owner: its outputs into the cache, what it ran with into ``dvc.lock`` or its pointer file.

The laws of the store order it: content is durable before a file names it, and the workspace is linked last.
Who runs before is `execute`.
"""

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import InvalidFileError, NotFoundError
from fourfold.base.events import Sink, Warned, silent
from fourfold.formats.dvc.lock import LockEntry
from fourfold.formats.dvc.pointer import Output, import_checksum
from fourfold.pipeline import runcache
from fourfold.pipeline.hiding import Hiding
from fourfold.pipeline.lockfile import (
    LockBook,
    current_dependencies,
    current_parameters,
    entry_of,
    write_entry,
)
from fourfold.pipeline.news import Listener, LockWritten, deaf
from fourfold.project.changes import Examiner
from fourfold.project.oplog import Operation
from fourfold.project.outs import Owner, Tracked, place
from fourfold.project.placed import note_placed
from fourfold.project.pointerfiles import write_pointer
from fourfold.project.saving import Saver

if TYPE_CHECKING:
    from fourfold.project.project import Project

#: So much of a metric is looked at to tell text from other bytes, as DVC does.
_LOOK = 512
_TEXT = bytes([*range(32, 127), *b"\n\r\t\f\b"])


class OutputMissingError(NotFoundError):
    """A stage ran and did not make an output that it declares."""

    code = "output-missing"


class BinaryMetricsError(InvalidFileError):
    """A file of metrics is not text."""

    code = "binary-metrics"


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


class Recorder:
    """Records owners of one project.

    Args:
        project: Whose.
        op: The running operation.
        commit: Save outputs into the cache.
        relink: Let the workspace share bytes with the cache, where that is configured.
        book: The lock files of the run, which says in which order new stages stand there.
        hiding: What Git says of the outputs of the run.
        tell: Hears what happens.
        events: Hears the progress of hashing and linking.
    """

    def __init__(
        self,
        project: "Project",
        op: Operation,
        *,
        commit: bool = True,
        relink: bool = True,
        book: LockBook | None = None,
        hiding: Hiding | None = None,
        tell: Listener = deaf,
        events: Sink = silent,
    ) -> None:
        self._project = project
        self._op = op
        self._commit = commit
        self._relink = relink
        self._book = book or LockBook()
        self._hiding = hiding or Hiding(project, op)
        self._tell = tell
        self._events = events

    def record(self, owner: Owner, examiner: Examiner, *, remember: bool | None = None) -> Done:
        """Save the outputs of an owner as they are now, and write down what it ran with.

        Args:
            owner: A stage or a pointer file.
            examiner: Looks at the workspace.
            remember: Whether the run is remembered if it can be; by default as DVC does after a run, which
                is not where an output stays out of the cache.
        """
        project, op = self._project, self._op
        outs = placed(project.root, owner)
        self._must_exist(owner, outs)
        stage = owner.is_stage
        deps = current_dependencies(project, owner, examiner) if stage else owner.deps
        params = current_parameters(project, owner, examiner) if stage else {}
        self._warn_of_nothing(owner, outs)
        if remember is None:
            remember = self._commit and not any(
                not out.cache and not out.metric and not out.plot for out in owner.outs
            )
        memorable = stage and remember and runcache.can_remember(owner)
        with (
            Saver(project, store=self._commit, relink=self._relink, events=self._events) as saver,
            Saver(project, store=memorable, relink=False, events=self._events) as plain_saver,
        ):
            now = {out.path: saver.take(out.path, out.output) for out in outs if out.output.cache}
            saver.settle()
            # A remembered run needs the content of Git's files too. Taken last: a file of the same content
            # that is one with its object by now stays so.
            for out in outs:
                if not out.output.cache:
                    known = plain_saver.take(out.path, out.output._replace(cache=True))
                    now[out.path] = known._replace(cache=False)
            plain_saver.settle()
            taken = [now[out.path] for out in outs]
            files = self._hiding.hide(owner, [out.path for out in outs if out.use_gitignore])
            external = [out.output for out in place(project.root, owner) if out.external]
            new, written = self._write(owner, entry_of(owner, deps, params, (*taken, *external)))
            if memorable:
                runcache.remember(project, entry_of(owner, deps, params, taken))
            saver.relink(op)
        note_placed(project, op, now)
        for path, known in now.items():
            op.became(path, known.oid)
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


def placed(root: str, owner: Owner) -> list[Tracked]:
    """The outputs of an owner that are files of the workspace."""
    return [out for out in place(root, owner) if not out.external]


def _in_order(owner: Owner, outs: Iterable[Output]) -> tuple[Output, ...]:
    by_path = {out.path: out for out in outs}
    return tuple(by_path.get(out.path, out) for out in owner.outs)


def _is_text(path: str) -> bool:
    with open(path, "rb") as file:
        block = file.read(_LOOK)
    if b"\0" in block:
        return False
    return not block or len(block.translate(None, _TEXT)) <= 0.3 * len(block)
