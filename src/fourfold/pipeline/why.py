"""Why a stage would run, or would not: what differs, what runs first, which remembered run restores it.

Builds on `fourfold.project.why`, which says what differs from what is recorded, and adds what only the
pipeline knows. Read-only.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import FourfoldError
from fourfold.base.events import Sink, silent
from fourfold.base.ids import Oid
from fourfold.formats.dvc.runcache import relpath
from fourfold.formats.tabular import TableSummary, format_of, summarize
from fourfold.pipeline import runcache, variables
from fourfold.pipeline.graph import active, build_graph, key_of, postorder, reach
from fourfold.pipeline.lockfile import current_dependencies, current_parameters, entry_of
from fourfold.pipeline.plan import reasons
from fourfold.project.changes import Examiner
from fourfold.project.files import load_tracked
from fourfold.project.nativelock import lock_path
from fourfold.project.outs import Owner, place
from fourfold.project.snapshot import tree_of
from fourfold.project.status import address_from
from fourfold.project.targets import TargetNotFoundError
from fourfold.project.why import Reason, Why
from fourfold.project.why import why as why_changed

if TYPE_CHECKING:
    from fourfold.pipeline.standing import Standing
    from fourfold.pipeline.undeclared import Used
    from fourfold.project.project import Project

#: The folder of ours that holds records of runs.
RUNS = "runs"
#: Tables of one reason that are looked into, and the bytes that are read of each.
MAX_TABLES = 5
MAX_TABLE_BYTES = 64 << 20


class TableNote(NamedTuple):
    """A table that is not what is recorded.

    Attributes:
        path: As the user would type it.
        old: What is recorded; None when its content is not here.
        new: What is there now; None when nothing is.
    """

    path: str
    old: TableSummary | None
    new: TableSummary | None


class Remembered(NamedTuple):
    """A run of the past with the command, dependencies and parameters of now.

    Attributes:
        relpath: Its entry in the cache.
        whole: Whether the cache has everything that came out, so that it can be restored.
    """

    relpath: str
    whole: bool


class Answer(NamedTuple):
    """What is said of one target.

    Attributes:
        why: What differs from what is recorded.
        tables: For each reason, the tables behind it.
        first: Stages that it needs and that would run before it, in their order.
        remembered: The run that would be taken instead of running; None where there is none, where
            something runs first, and for what is no stage.
        standings: What differs from ``fourfold.lock``: one entry, or none.
        used: What its last run that was traced used, and it does not declare; None where no run tells.
    """

    why: Why
    tables: tuple[tuple[TableNote, ...], ...]
    first: tuple[str, ...] = ()
    remembered: Remembered | None = None
    standings: "tuple[Standing, ...]" = ()
    used: "Used | None" = None


def why(project: "Project", targets: Iterable[str], *, events: Sink = silent) -> list[Answer]:
    """Explain each target.

    Args:
        project: Whose.
        targets: As typed: tracked paths, pointer files, stages.
        events: Hears the hashing.

    Raises:
        TargetNotFoundError: a target is not tracked; the hint names the stages that read it, or says that
            none does, or what is called similarly.
        CycleError: stages wait for each other.
        FourfoldError: a file that had to be read is broken or unreadable.
    """
    names = list(targets)
    try:
        found = why_changed(project, names, events=events)
    except TargetNotFoundError as error:
        raise _with_readers(project, names, error) from error
    examiner = Examiner(project, events)
    upstream = _Upstream(project, examiner) if any(answer.owner.is_stage for answer in found) else None
    answers = []
    for answer in (_with_variables(project, answer) for answer in found):
        tables = tuple(tuple(_tables(project, answer.owner, reason)) for reason in answer.reasons)
        first: tuple[str, ...] = ()
        if upstream is not None and answer.owner.is_stage:
            first = upstream.running_before(answer.owner)
        remembered = None if first else _remembered(project, answer.owner, examiner)
        owner = answer.owner
        answers.append(
            Answer(answer, tables, first, remembered, _standings(project, owner), _used(project, owner))
        )
    return answers


def _used(project: "Project", owner: Owner) -> "Used | None":
    if not owner.is_stage or not os.path.isdir(os.path.join(project.own_dir, RUNS)):
        return None
    from fourfold.pipeline.undeclared import Memory  # noqa: PLC0415 - where nothing ran, not loaded

    return Memory(project).used(owner)


def _seen_reading(project: "Project", path: str) -> str | None:
    """A stage that was seen to read a file without declaring it, as the root calls it."""
    if not os.path.isdir(os.path.join(project.own_dir, RUNS)):
        return None
    from fourfold.pipeline.undeclared import Memory, absolute  # noqa: PLC0415 - only a mistake is looked up

    memory = Memory(project)
    for owner in load_tracked(project).owners:
        used = memory.used(owner) if owner.is_stage else None
        if used is not None and any(absolute(project, one.path) == path for one in used.findings.reads):
            return address_from(project, owner)
    return None


def _with_variables(project: "Project", answer: Why) -> Why:
    """The same answer, with the environment variables that changed."""
    found = variables.changes(project, answer.owner)
    more = tuple(Reason(change, "", None, restorable=False) for change in found)
    return answer._replace(reasons=(*answer.reasons, *more)) if more else answer


def _standings(project: "Project", owner: Owner) -> "tuple[Standing, ...]":
    if not owner.is_stage or not os.path.lexists(lock_path(owner.file)):
        return ()
    from fourfold.pipeline.standing import standings  # noqa: PLC0415 - where nothing is locked, not loaded

    return standings(project, [owner])


def _with_readers(project: "Project", names: list[str], error: TargetNotFoundError) -> TargetNotFoundError:
    """The same error; where it is about a file that Git keeps, with what stages have to do with that file."""
    for name in names:
        path = project.absolute(name)
        if f"'{name}'" not in error.message or not os.path.isfile(path):
            continue
        readers = [
            address_from(project, owner)
            for owner in load_tracked(project).owners
            if owner.is_stage
            and any(os.path.normpath(os.path.join(owner.wdir, dep.path)) == path for dep in owner.deps)
        ]
        if readers:
            hint = f"it is a dependency of {', '.join(readers)}; ask there: ff why {readers[0]}"
        elif (seen := _seen_reading(project, path)) is not None:
            hint = f"stage '{seen}' reads it without saying so; declare it with: ff deps fix {seen}"
        elif project.git is not None and project.git.tracked([path]):
            hint = "no stage names it: what reads it does not run again when it changes; add it to 'deps'"
        else:
            continue
        return TargetNotFoundError(error.message, hint=hint, details=error.details)
    return error


class _Upstream:
    """What runs before a stage."""

    def __init__(self, project: "Project", examiner: Examiner) -> None:
        self._project = project
        self._examiner = examiner
        self._graph = active(build_graph(load_tracked(project)))

    def running_before(self, owner: Owner) -> tuple[str, ...]:
        """The stages that ``owner`` needs, itself left out, and that differ from what they record."""
        graph, mine = self._graph, key_of(owner)
        within = reach(graph.makers, [mine]) - {mine}
        return tuple(
            address_from(self._project, other)
            for other in graph.of(postorder(graph, within))
            if other.is_stage and not other.frozen and self._would_run(other)
        )

    def _would_run(self, owner: Owner) -> bool:
        outs = [out for out in place(self._project.root, owner) if not out.external]
        return bool(reasons(self._examiner, owner, outs) or variables.changes(self._project, owner))


def _remembered(project: "Project", owner: Owner, examiner: Examiner) -> Remembered | None:
    if not owner.is_stage or not runcache.can_remember(owner):
        return None
    with suppress(FourfoldError):  # something that it needs is missing: then nothing can be looked up
        deps = current_dependencies(project, owner, examiner)
        params = current_parameters(project, owner, examiner)
        entry = runcache.find(project, entry_of(owner, deps, params, owner.outs))
        if entry is not None:
            return Remembered(relpath(entry), runcache.is_whole(entry, examiner))
    return None


def _tables(project: "Project", owner: Owner, reason: Reason) -> Iterator[TableNote]:
    """The tables that one reason is about: the file itself, or the files that differ inside a directory."""
    change = reason.change
    if change.kind not in {"dependency", "output"}:
        return
    path = os.path.normpath(os.path.join(owner.wdir, change.path))
    recorded = Oid(change.old) if isinstance(change.old, str) else None
    if reason.files is None:
        yield from _note(project, reason.path, recorded, path)
        return
    tree = tree_of(project, recorded) if recorded is not None else None
    inside = (*reason.files.modified, *reason.files.added, *reason.files.deleted)
    for name in [name for name in inside if format_of(name) is not None][:MAX_TABLES]:
        old = tree.get(name) if tree is not None else None
        yield from _note(project, f"{reason.path}/{name}", old, os.path.join(path, name))


def _note(project: "Project", shown: str, recorded: Oid | None, path: str) -> Iterator[TableNote]:
    if format_of(path) is None:
        return
    old = _look(project.store.path(recorded), path) if recorded is not None else None
    new = _look(path, path)
    if old is not None or new is not None:
        yield TableNote(shown, old, new)


def _look(path: str, name: str) -> TableSummary | None:
    try:
        with open(path, "rb") as file:
            return summarize(file, os.path.basename(name), max_bytes=MAX_TABLE_BYTES)
    except OSError:
        return None
