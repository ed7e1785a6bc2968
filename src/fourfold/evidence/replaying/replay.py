"""Replay: what ran once runs again, in a box, with the four coordinates of a record put back.

A replay is observed and recorded like any run, in the records of the user. What is run is said by the
`recipe`, the worktree is `box`, bytes are `originals`, the environment is `surroundings`; whether what came
out is as good as equal is `verify`.
"""

import os
import signal
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from fourfold.base.errors import ConflictError, NotFoundError
from fourfold.base.events import Sink, Warned, silent
from fourfold.evidence.lineage import identity
from fourfold.evidence.replaying.box import Box, Missing, is_same, open_box
from fourfold.evidence.replaying.originals import Originals
from fourfold.evidence.replaying.recipe import (
    Changes,
    Plan,
    Sources,
    commands_of,
    inputs_of,
    persistent,
    plan_of,
    refuse_overwriting,
    seen_of,
    task_of,
)
from fourfold.formats.native.record import Outcome, RunId, RunRecord
from fourfold.pipeline.crew import Verdict, Work, run_here
from fourfold.runs.changes import absent_of, mapping, rows_of, value_of
from fourfold.runs.declared import TRACE
from fourfold.runs.session import Capture, begin

if TYPE_CHECKING:
    from fourfold.evidence.replaying.surroundings import Policy, Surroundings
    from fourfold.runs.contents import Content
    from fourfold.runs.place import Place
    from fourfold.runs.store import Records

__all__ = [
    "QUIET",
    "Changes",
    "Pair",
    "Plan",
    "Prepared",
    "Replayed",
    "Sources",
    "Streams",
    "replay",
    "replay_in",
]


class InputGoneError(NotFoundError):
    """What a run declared to read is nowhere to be had any more."""

    code = "replay-input-gone"


class NotReplayedError(ConflictError):
    """A replay could not be recorded."""

    code = "replay-not-recorded"


class Pair(NamedTuple):
    """One output, then and now.

    Attributes:
        path: As the record names it.
        role: ``out`` | ``metric`` | ``plot``.
        before: The row of the record.
        after: The row of the replay's; None when it did not come out.
        same: Whether the bytes are the same; None where those of then are not known.
        file: The absolute path of what came out, as long as the box is there; None when nothing did.
    """

    path: str
    role: str
    before: Mapping[str, Any]
    after: Mapping[str, Any] | None
    same: bool | None
    file: str | None


class Prepared(NamedTuple):
    """What a replay is about to run, for whoever tells of it.

    Attributes:
        of: The run.
        original: Its record.
        plan: Whose coordinates it has.
        box: Where.
        surroundings: In which environment.
        missing: What was read then, was not declared, and is not to be had.
        seed: Its seed; None without one.
        commands: Its lines.
    """

    of: RunId
    original: RunRecord
    plan: Plan
    box: Box
    surroundings: "Surroundings"
    missing: tuple[Missing, ...]
    seed: int | None
    commands: tuple[str, ...]


class Replayed(NamedTuple):
    """A run that was replayed; a context manager, at whose end the box goes.

    Attributes:
        run: The replay's own id.
        record: Its record.
        of: The run that was replayed.
        original: The record of that.
        outputs: Of the run, by path.
        surroundings: The environment that was taken.
        left_out: Code that no record keeps.
        missing: What was read then, was not declared, and was not to be had.
        reached: Files of the user's workspace that the replay read although it ran apart from it.
        wrote: Those that it wrote or deleted.
        box: Where it ran.
        verdict: How its commands ended.
    """

    run: RunId
    record: RunRecord
    of: RunId
    original: RunRecord
    outputs: tuple[Pair, ...]
    surroundings: "Surroundings"
    left_out: tuple[str, ...]
    missing: tuple[Missing, ...]
    reached: tuple[str, ...]
    wrote: tuple[str, ...]
    box: Box
    verdict: Verdict

    @property
    def equal(self) -> bool:
        """Whether it ended as the run did, and every output has the same bytes."""
        ended = self.record.outcome.code == self.original.outcome.code
        return ended and all(pair.same for pair in self.outputs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.box.close()


class Streams(NamedTuple):
    """Where a replay speaks.

    Attributes:
        output: The file descriptor that standard output of commands goes to; None for where ours goes.
        log: A file at whose end all that commands say is kept; None for none.
        prepared: Told once all is ready.
        before: Told of each command before it runs.
        ended: Told of each replay that has ended.
    """

    output: int | None = None
    log: str | None = None
    prepared: Callable[[Prepared], None] = lambda _prepared: None
    before: Callable[[str], None] = lambda _command: None
    ended: Callable[[Replayed], None] = lambda _replayed: None


QUIET = Streams()
_NONE_ELSE = Sources()
_NOTHING = Changes()


def replay(
    place: "Place",
    records: "Records",
    run: RunId,
    *,
    policy: "Policy" = "auto",
    folder: str | None = None,
    keep: bool = False,
    sources: Sources = _NONE_ELSE,
    changes: Changes = _NOTHING,
    given: Mapping[str, str] | None = None,
    streams: Streams = QUIET,
    remote: bool = True,
    events: Sink = silent,
) -> Replayed:
    """Run again what a record is of.

    Args:
        place: The user's.
        records: Theirs: has the run, and gets the replay's record.
        run: What is replayed.
        policy: Which environments may be taken.
        folder: Where the worktree goes and stays, absolute: empty, or not there; None for a box that goes.
        keep: Let a box of ours stay, too.
        sources: Runs to take coordinates from instead.
        changes: What is varied.
        given: Inputs, as the record names them, whose bytes are those of files elsewhere: absolute paths.
        streams: Where commands speak.
        remote: Whether the default remote is asked for what the cache lacks.
        events: Hears of what cannot be had.

    Raises:
        RunNotFoundError, RecordCorruptError: a record is not here, or damaged.
        CodeUnknownError: its code was not recorded.
        InputGoneError: an input that it declares is nowhere to be had.
        EnvironmentDiffersError: the environment is another one, and may not be taken.
        CommandHiddenError: its command line is not known.
        KeyboardInterrupt: somebody interrupted; the replay is recorded so, and nothing else stays.
        FourfoldError: what else can go wrong before its commands start.
    """
    plan = plan_of(records, run, sources)
    if place.environ.get(TRACE, "auto") in {"auto", "seccomp"}:
        from fourfold.runs.tracer.nursery import NURSERY  # noqa: PLC0415 - where nothing runs, nobody asks

        NURSERY.get_ready()  # while the box is made
    box = open_box(place, records, plan.code, folder, name=changes.cwd_name or "tree")
    try:
        if keep:
            box.keep()
        with Originals(place, records, remote=remote, events=events) as originals:
            made = []
            for shown, source in (given or {}).items():
                path = box.inside(shown)
                if path is not None:
                    box.take(source, path)
                    made.append(shown)
            replayed = replay_in(
                box,
                place,
                records,
                run,
                plan,
                originals,
                policy=policy,
                changes=changes,
                streams=streams,
                made=made,
                events=events,
            )
    except BaseException:
        box.discard()
        raise
    if folder is not None:
        box.keep()
    return replayed


def replay_in(
    box: Box,
    place: "Place",
    records: "Records",
    run: RunId,
    plan: Plan,
    originals: Originals,
    *,
    policy: "Policy" = "auto",
    changes: Changes = _NOTHING,
    streams: Streams = QUIET,
    made: Iterable[str] = (),
    events: Sink = silent,
) -> Replayed:
    """Run again what a record is of, in a box that is there and that stays the caller's.

    Args:
        box: Has the code of the plan.
        place: As in `replay`, like what is not named here.
        records: Likewise.
        run: Likewise.
        plan: The records that things are taken from.
        originals: Have the bytes of inputs.
        policy: Likewise.
        changes: Likewise.
        streams: Likewise.
        made: Inputs, as the records name them, that are in the box already.
        events: Likewise.

    Raises:
        As `replay`.
    """
    from fourfold.evidence.replaying.surroundings import choose  # noqa: PLC0415 - loads much that most refusals need not

    part, there = records.part, frozenset(made)
    original = records.get(run)
    commands = commands_of(plan, box)
    strays = refuse_overwriting(plan, box, commands)
    _refuse_other_variables(place, plan.environment, policy)
    originals.knows(plan.code, plan.data)
    wanted = inputs_of(plan, part)
    _bring_declared(box, plan, [row for row in wanted if row["path"] not in there], originals)
    seen = [row for row in seen_of(plan, part) if row["path"] not in there]
    missing = tuple(box.bring(seen, originals, declared=False))
    surroundings = choose(
        place, records, plan.environment, policy=policy, folder=box.project_root, events=events
    )
    task = task_of(run, plan, box, part, commands, surroundings, changes)
    box.clear(rows_of(plan.code, "outputs"), [row["path"] for row in wanted])
    for shown in persistent(plan.code, box):
        events(
            Warned(
                "replay-of-persistent",
                f"output '{shown}' is kept between runs (persist): the replay begins without it",
                "what it held before the run is in no record",
            )
        )
    told = Prepared(run, original, plan, box, surroundings, missing, task.declared.seed, commands)
    streams.prepared(told)
    box.strays = strays
    capture = begin(box.place, records, task, events=events)
    if capture is None:
        raise NotReplayedError("the replay cannot be recorded", hint="see the warning above")
    try:
        verdict = _run(capture, surroundings, changes, streams, events)
        replayed = _finished(told, place, capture, verdict)
    finally:
        capture.close()
    streams.ended(replayed)
    return replayed


def _bring_declared(box: Box, plan: Plan, rows: Iterable[Mapping[str, Any]], originals: Originals) -> None:
    """Have the declared inputs in the box; one that is nowhere to be had ends it."""
    gone = box.bring(rows, originals)
    if not plan.data.stage:
        # `ff run` takes for inputs what it saw: what lies elsewhere may change as it likes.
        gone = [one for one in gone if box.inside(one.path) is not None]
    if gone:
        more = f" (and {len(gone) - 1} more)" if len(gone) > 1 else ""
        raise InputGoneError(
            f"input '{gone[0].path}' of the run cannot be had: {gone[0].why}{more}",
            hint="bring its bytes into the cache, or run the stage that makes them",
            details=[f"{one.path}: {one.why}" for one in gone],
        )


def _refuse_other_variables(place: "Place", record: RunRecord, policy: "Policy") -> None:
    """Declared environment variables must have the values of then, as far as their hashes tell.

    Raises:
        EnvironmentDiffersError: one has another value, and the environment must be the recorded one.
    """
    then = mapping(mapping(value_of(record.trace, "env")).get("declared"))
    names = list(then)
    if not names or policy == "running":
        return
    from fourfold.evidence.replaying.surroundings import EnvironmentDiffersError  # noqa: PLC0415 - as above
    from fourfold.runs import envdeps  # noqa: PLC0415 - few stages declare variables

    now = envdeps.digests(place, names, place.environ, draw=False)
    changed = [name for name in sorted(names) if envdeps.compare(str(then[name]), now[name]) == "changed"]
    if changed:
        raise EnvironmentDiffersError(
            f"the environment variable {changed[0]}, which the run depends on, has another value now",
            details=changed,
        )


def _run(
    capture: Capture, surroundings: "Surroundings", changes: Changes, streams: Streams, events: Sink
) -> Verdict:
    before = (*(surroundings.wrap or ()), *changes.prefix)
    task = capture.task
    prefixes = tuple((*prefix, *before) for prefix in capture.prefixes)
    work = Work(task.commands, task.cwd, capture.environ, prefixes=prefixes)

    def trouble(error: OSError) -> None:
        events(Warned("log-incomplete", f"what the replay says is not kept: {error}"))

    try:
        return run_here(
            work,
            output=streams.output,
            log=streams.log,
            before=streams.before,
            after=lambda _command: None,
            trouble=trouble,
        )
    except KeyboardInterrupt:
        capture.finish(Outcome("interrupted", -signal.SIGINT), task)
        raise


def _finished(told: Prepared, place: "Place", capture: Capture, verdict: Verdict) -> Replayed:
    """Record what came out, and hold it against the record."""
    if verdict.error is not None:
        raise verdict.error
    box = told.box
    task = capture.task
    there = {item.shown: box.content(item.path) for item in task.outputs if os.path.lexists(item.path)}
    outputs = tuple(
        item._replace(oid=content.md5, size=content.size, nfiles=content.nfiles)
        for item in task.outputs
        if (content := there.get(item.shown)) is not None
    )
    outcome = Outcome("succeeded" if verdict.is_good else "failed", verdict.code)
    finished = capture.finish(outcome, task._replace(outputs=outputs))
    if finished.id is None or finished.record is None:
        raise NotReplayedError("the replay is not recorded", hint="see the warning above")
    after = {row["path"]: row for row in rows_of(finished.record, "outputs")}
    gone = absent_of(told.original)
    pairs = []
    for row in rows_of(told.original, "outputs"):
        shown = row["path"]
        where = box.where(shown)
        file = where if os.path.lexists(where) else None
        same = _same(row, there.get(shown), is_there=file is not None, was_there=shown not in gone)
        pairs.append(Pair(shown, str(row.get("role", "out")), row, after.get(shown), same, file))
    return Replayed(
        finished.id,
        finished.record,
        told.of,
        told.original,
        tuple(pairs),
        told.surroundings,
        box.left_out,
        told.missing,
        _of_user(place, finished.record, box, "undeclared_reads"),
        _of_user(place, finished.record, box, "undeclared_writes"),
        box,
        verdict,
    )


def _same(
    before: Mapping[str, Any], content: "Content | None", *, is_there: bool, was_there: bool
) -> bool | None:
    if not was_there:
        return not is_there
    if not is_there:
        return False
    return is_same(before, content) if content is not None and identity(before) else None


def _of_user(place: "Place", record: RunRecord, box: Box, fact: str) -> tuple[str, ...]:
    """Files of the workspace among what a replay used: programs look for some in the folders above."""
    top = (place.git.root if place.git is not None else place.root).rstrip("/") + "/"
    found = mapping(value_of(record.trace, fact)).get("files")
    paths = []
    for row in found if isinstance(found, list) else ():
        path = box.outside(str(mapping(row).get("path")))
        if os.path.isabs(path) and path.startswith(top) and not path.startswith(f"{place.own}/"):
            paths.append(path.removeprefix(top))
    return tuple(sorted(paths))
