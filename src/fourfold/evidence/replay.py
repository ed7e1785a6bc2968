"""Replay: what ran once runs again, in a box, with the four coordinates of a record put back.

What a replay takes from where is said in `Sources`; what is varied on purpose, in `Changes`. A replay is
observed and recorded like any run, in the records of the user. The worktree is `box`, bytes are `originals`,
the environment is `surroundings`; whether what came out is as good as equal is `verify`.
"""

import os
import signal
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from fourfold.base.errors import ConflictError, NotFoundError
from fourfold.base.events import Sink, Warned, silent
from fourfold.evidence.box import Box, Missing, is_same, open_box
from fourfold.evidence.lineage import identity
from fourfold.evidence.originals import Originals
from fourfold.formats.native.record import Outcome, RunId, RunRecord
from fourfold.pipeline.crew import Verdict, Work, run_here
from fourfold.runs.changes import Part, mapping, opened, params_of, rows_of, value_of
from fourfold.runs.session import Capture, begin
from fourfold.runs.task import DETERMINISM, Declared, Determinism, Item, Numerics, Task
from fourfold.storage.redact import HIDDEN

if TYPE_CHECKING:
    from fourfold.evidence.surroundings import Policy, Surroundings
    from fourfold.runs.contents import Content
    from fourfold.runs.place import Place
    from fourfold.runs.store import Records

_HASHSEED = "PYTHONHASHSEED"


class CommandHiddenError(ConflictError):
    """The command line of a record has a secret struck out, and nothing else gives it."""

    code = "replay-command-hidden"


class NothingToReplayError(ConflictError):
    """A record has no command."""

    code = "nothing-to-replay"


class InputGoneError(NotFoundError):
    """What a run declared to read is nowhere to be had any more."""

    code = "replay-input-gone"


class NotReplayedError(ConflictError):
    """The commands of a replay ran, and no record of it could be written."""

    code = "replay-not-recorded"


class Sources(NamedTuple):
    """From which other runs a replay takes coordinates; None for the run that is replayed."""

    code: RunId | None = None
    data: RunId | None = None
    environment: RunId | None = None
    randomness: RunId | None = None


class Changes(NamedTuple):
    """What a replay varies on purpose.

    Attributes:
        environ: Variables that are set besides, last of all; None unsets one.
        prefix: Words that go before the shell of each command.
        cwd_name: What the folder of the worktree is called; "" for as always.
    """

    environ: Mapping[str, str | None] = {}
    prefix: tuple[str, ...] = ()
    cwd_name: str = ""


class Pair(NamedTuple):
    """One output, then and now.

    Attributes:
        path: As the record names it.
        role: ``out`` | ``metric`` | ``plot``.
        before: The row of the record.
        after: The row of the replay's; None when it did not come out.
        same: Whether the bytes are the same; None where one of both is not known.
        file: The absolute path of what came out, as long as the box is there; None when nothing did.
    """

    path: str
    role: str
    before: Mapping[str, Any]
    after: Mapping[str, Any] | None
    same: bool | None
    file: str | None


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
        missing: What was read then and was not to be had.
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
    box: Box
    verdict: Verdict

    @property
    def equal(self) -> bool:
        """Whether it ended as the run did, and every output has the same bytes."""
        ended = self.record.outcome.code == self.original.outcome.code
        return ended and all(pair.same for pair in self.outputs)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.box.close()


class Prepared(NamedTuple):
    """What a replay is about to run, for whoever tells of it.

    Attributes:
        of: The run.
        record: Its record.
        code: The record whose code is run: the same mostly.
        box: Where.
        surroundings: In which environment.
        missing: What it read then and cannot read now.
        seed: Its seed; None without one.
        commands: Its lines.
    """

    of: RunId
    record: RunRecord
    code: RunRecord
    box: Box
    surroundings: "Surroundings"
    missing: tuple[Missing, ...]
    seed: int | None
    commands: tuple[str, ...]


class Streams(NamedTuple):
    """Where a replay speaks.

    Attributes:
        output: The file descriptor that standard output of commands goes to; None for where ours goes.
        log: A file at whose end all that commands say is kept; None for none.
        prepared: Told once all is ready.
        before: Told of each command before it runs.
    """

    output: int | None = None
    log: str | None = None
    prepared: Callable[[Prepared], None] = lambda _prepared: None
    before: Callable[[str], None] = lambda _command: None


QUIET = Streams()


class _Plan(NamedTuple):
    """The records that coordinates are taken from."""

    code: RunRecord
    data: RunRecord
    environment: RunRecord
    randomness: RunRecord
    named: Mapping[str, str]


def replay(
    place: "Place",
    records: "Records",
    run: RunId,
    *,
    policy: "Policy" = "auto",
    folder: str | None = None,
    sources: Sources = Sources(),  # noqa: B008 - a value, never changed
    changes: Changes = Changes(),  # noqa: B008 - likewise
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
        sources: Runs to take coordinates from instead.
        changes: What is varied.
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
    plan = _plan(records, run, sources)
    box = open_box(place, records, plan.code, folder, name=changes.cwd_name or "tree")
    try:
        with Originals(place, records, remote=remote, events=events) as originals:
            replayed = replay_in(
                box, place, records, run, plan, originals,
                policy=policy, changes=changes, streams=streams, events=events,
            )  # fmt: skip
    except BaseException:
        box.close()
        raise
    if folder is not None:
        box.keep()
    return replayed


def _plan(records: "Records", run: RunId, sources: Sources) -> _Plan:
    named = {key: name for key, name in sources._asdict().items() if name is not None and name != run}
    found = {key: records.get(named.get(key, run)) for key in Sources._fields}
    return _Plan(**found, named=named)


def replay_in(
    box: Box,
    place: "Place",
    records: "Records",
    run: RunId,
    plan: _Plan,
    originals: Originals,
    *,
    policy: "Policy",
    changes: Changes,
    streams: Streams,
    made: Iterable[str] = (),
    events: Sink,
) -> Replayed:
    """Run one record in a box that is there; ``made`` are inputs that came out of it before."""
    from fourfold.evidence.surroundings import choose  # noqa: PLC0415 - loads much that most refusals need not

    original = records.get(run)
    commands = _commands(plan.code)
    missing = _bring(box, plan, originals, frozenset(made))
    surroundings = choose(
        place, records, plan.environment, policy=policy, folder=box.project_root, events=events
    )
    task = _task(box, place, records.part, run, plan, commands, surroundings, changes)
    told = Prepared(run, original, plan.code, box, surroundings, missing, task.declared.seed, commands)
    streams.prepared(told)
    box.clear(rows_of(plan.code, "outputs"))
    capture = begin(box.place, records, task, events=events)
    if capture is None:
        raise NotReplayedError("the replay cannot be recorded", hint="see the warning above")
    try:
        verdict = _run(capture, task, surroundings, changes, streams, events)
        return _finished(told, plan, capture, verdict)
    finally:
        capture.close()


def _run(
    capture: Capture,
    task: Task,
    surroundings: "Surroundings",
    changes: Changes,
    streams: Streams,
    events: Sink,
) -> Verdict:
    before = (*(surroundings.wrap or ()), *changes.prefix)
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
        capture.finish(Outcome("interrupted", -signal.SIGINT), capture.task)
        raise


def _finished(told: Prepared, plan: _Plan, capture: Capture, verdict: Verdict) -> Replayed:
    if verdict.error is not None:
        raise verdict.error
    box = told.box
    rows = {row["path"]: row for row in rows_of(plan.code, "outputs") + rows_of(told.record, "outputs")}
    files = {shown: path for shown in rows if (path := box.inside(shown)) is not None}
    there = {shown: box.content(path) for shown, path in files.items() if os.path.lexists(path)}
    task = capture.task
    outputs = tuple(
        item._replace(
            oid=content.md5 if content is not None else None,
            size=content.size if content is not None else None,
            nfiles=content.nfiles if content is not None else None,
        )
        for item in task.outputs
        if item.shown in there
        for content in [there[item.shown]]
    )
    outcome = Outcome("succeeded" if verdict.is_good else "failed", verdict.code)
    finished = capture.finish(outcome, task._replace(outputs=outputs))
    if finished.id is None or finished.record is None:
        raise NotReplayedError("the replay is not recorded", hint="see the warning above")
    after = {row["path"]: row for row in rows_of(finished.record, "outputs")}
    pairs = tuple(
        _pair(row, after.get(row["path"]), there.get(row["path"]), files.get(row["path"]))
        for row in rows_of(told.record, "outputs")
    )
    return Replayed(
        finished.id,
        finished.record,
        told.of,
        told.record,
        pairs,
        told.surroundings,
        box.left_out,
        told.missing,
        box,
        verdict,
    )


def _pair(
    before: Mapping[str, Any], after: Mapping[str, Any] | None, content: "Content | None", file: str | None
) -> Pair:
    same: bool | None = None
    if content is None:
        same = False if file is not None else None
    elif identity(before):
        same = is_same(before, content)
    there = file if file is not None and os.path.lexists(file) else None
    return Pair(before["path"], str(before.get("role", "out")), before, after, same, there)


# -- what is put back ----------------------------------------------------------------------------------------


def _commands(code: RunRecord) -> tuple[str, ...]:
    if not code.command:
        raise NothingToReplayError("the record has no command")
    if not any(HIDDEN in line for line in code.command):
        return code.command
    raise CommandHiddenError(
        "a secret was struck out of the command line of this run",
        hint="hand it over in an environment variable; what is recorded then can be replayed",
    )


def _bring(box: Box, plan: _Plan, originals: Originals, made: frozenset[str]) -> tuple[Missing, ...]:
    """Have the inputs in the box; what is declared and nowhere to be had ends it."""
    rows = [row for row in rows_of(plan.data, "inputs") if row["path"] not in made]
    gone = box.bring(rows, originals)
    if gone:
        first = gone[0]
        raise InputGoneError(
            f"input '{first.path}' of the run cannot be had: {first.why}"
            + (f" (and {len(gone) - 1} more)" if len(gone) > 1 else ""),
            hint="its bytes are in no cache, remote or record that is known here",
            details=[f"{one.path}: {one.why}" for one in gone],
        )
    found = mapping(opened(value_of(plan.data.trace, "undeclared_reads"), lambda _part: {})).get("files")
    seen = [
        row
        for row in (found if isinstance(found, Sequence) else ())
        if isinstance(row, Mapping) and isinstance(row.get("path"), str) and row["path"] not in made
    ]
    return tuple(box.bring(seen, originals, declared=False))


def _task(
    box: Box,
    place: "Place",
    part: Part,
    run: RunId,
    plan: _Plan,
    commands: tuple[str, ...],
    surroundings: "Surroundings",
    changes: Changes,
) -> Task:
    code = plan.code
    environ = _environ(box, place, plan, surroundings)
    for name, value in changes.environ.items():
        if value is None:
            environ.pop(name, None)
        else:
            environ[name] = value
    tracked = opened(value_of(code.code, "outputs"), part)
    if isinstance(tracked, Mapping):
        tracked = tracked.get("rows")
    return Task(
        kind="replay",
        name=code.stage,
        commands=commands,
        root=box.project_root,
        cwd=box.cwd(code),
        environ=environ,
        declared=_declared(plan.randomness),
        inputs=tuple(_items(box, rows_of(plan.data, "inputs"))),
        outputs=tuple(_items(box, rows_of(code, "outputs"))),
        params=params_of(plan.data, part),
        tracked=tuple(
            os.path.join(box.root, path)
            for path in (tracked if isinstance(tracked, Sequence) else ())
            if isinstance(path, str)
        ),
        replays={"of": run, **plan.named},
    )


def _items(box: Box, rows: Iterable[Mapping[str, Any]]) -> Iterable[Item]:
    for row in rows:
        path = box.inside(row["path"])
        home = box.place.environ.get("HOME", "")
        outside = os.path.join(home, row["path"][2:]) if row["path"].startswith("~/") else row["path"]
        yield Item(path or outside, row["path"], str(row.get("role", "dep")))


def _environ(box: Box, place: "Place", plan: _Plan, surroundings: "Surroundings") -> dict[str, str]:
    """The environment of the commands: as a stage, or `ff run`, has it."""
    environ = dict(place.environ)
    if plan.code.kind != "command" and plan.code.stage:
        environ = {"DVC_ROOT": box.project_root, **environ, "DVC_STAGE": plan.code.stage}
    environ |= surroundings.environ
    fact = plan.randomness.randomness.get("hash_seed")
    if fact is not None and fact.value is not None and fact.why == "set by the user":
        environ[_HASHSEED] = str(fact.value)
    elif fact is not None:  # derived from the seed, or salted anew
        environ.pop(_HASHSEED, None)
    for name in ("FOURFOLD_SEED",):
        environ.pop(name, None)
    return environ


def _declared(record: RunRecord) -> Declared:
    """The randomness of a run as a declaration."""
    facts = record.randomness
    seed = value_of(facts, "seed")
    said = value_of(facts, "determinism")
    determinism: Determinism = next((one for one in DETERMINISM if one == said), "seeded")
    asked = mapping(mapping(value_of(facts, "numerics")).get("asked"))
    numerics = Numerics(**{key: value for key, value in asked.items() if key in Numerics._fields})
    known = type(seed) is int
    return Declared(
        seed=seed if known else None,
        seed_from="replay" if known else "",
        determinism=determinism,
        numerics=numerics,
    )
