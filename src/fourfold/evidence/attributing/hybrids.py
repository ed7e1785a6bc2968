"""Hybrids: the pipeline of a result run again, each coordinate of it taken from one of two results.

A hybrid is evaluated step by step. A step is answered from a record where one ran the same commands over the
same code, data, parameters, environment and seed: replays count, so what was run once is never run twice.
Else it runs in a box of its own, as any replay. What cannot be put together (data that nobody has, an
environment that is not to be had) is told and never guessed.
"""

import os
import shutil
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self

from fourfold.base.errors import CorruptError, FourfoldError, from_os_error
from fourfold.base.events import Sink, silent
from fourfold.evidence.attributing.judged import Judged
from fourfold.evidence.attributing.loaders import Loaders, first_other, loaders_here, loaders_of
from fourfold.evidence.lineage import Lineage, Step, identity, metrics_of
from fourfold.evidence.parting import (
    Reads,
    Row,
    chosen_seed,
    environment_of,
    prefix_of,
    profile_of,
    seed_parameter,
    switches_of,
)
from fourfold.evidence.replaying.box import REPLAYS, is_same
from fourfold.evidence.replaying.originals import Originals
from fourfold.evidence.replaying.recipe import Changes, Sources
from fourfold.evidence.replaying.replay import QUIET, Replayed, Streams, replay
from fourfold.formats.native.canonical import canonical, digest
from fourfold.formats.native.record import RunId, RunRecord
from fourfold.runs import coderestore
from fourfold.runs.changes import mapping, rows_of, saw_all, value_of
from fourfold.runs.code_files import code_files
from fourfold.runs.contents import Contents
from fourfold.runs.reading import folders_of
from fourfold.runs.scratch import claim, drop, remove

if TYPE_CHECKING:
    from fourfold.evidence.replaying.surroundings import Policy
    from fourfold.runs.place import Place
    from fourfold.runs.store import Records

_AS_THEY_ARE: Mapping[str, Mapping[str, Any]] = {}
#: Which of two results something is taken from.
Side = Literal["a", "b"]


class HybridError(CorruptError):
    """A hybrid cannot be run: what one of the results stood on is not to be had."""

    code = "hybrid-not-runnable"


class Ways(NamedTuple):
    """How it is run what no record answers.

    Attributes:
        policy: Which environments may be taken.
        streams: Where commands speak.
        events: Hears of what cannot be had.
    """

    policy: "Policy" = "auto"
    streams: Streams = QUIET
    events: Sink = silent


_USUAL = Ways()


class Choice(NamedTuple):
    """From which of two results each thing is taken."""

    code: Side = "a"
    data: Side = "a"
    parameters: Side = "a"
    environment: Side = "a"
    randomness: Side = "a"

    @classmethod
    def of(cls, moved: Iterable[str]) -> "Choice":
        """The first result, but for these, which are the second's."""
        second: Side = "b"
        return cls(**dict.fromkeys(moved, second))

    def told(self) -> str:
        """In words: ``data of B``."""
        second = [name for name, side in self._asdict().items() if side == "b"]
        return f"{', '.join(second)} of the second result" if second else "the first result"


class Measured(NamedTuple):
    """What a hybrid gave.

    Attributes:
        metrics: Of all its steps, ``FILE:NAME``; empty when it could not be run.
        executed: Steps that ran.
        free: Steps that a record answered.
        why: Why it could not be run; "" when it could.
    """

    metrics: Mapping[str, float]
    executed: int = 0
    free: int = 0
    why: str = ""


class _Done(NamedTuple):
    """A step that was run, now or once.

    Attributes:
        outputs: Rows by path.
        metrics: As the record has them.
        executed: Whether it ran now.
    """

    outputs: Mapping[str, Row]
    metrics: Mapping[str, float]
    executed: bool


class _Spec(NamedTuple):
    """One step of a hybrid, before it is known what comes of it.

    Attributes:
        step: The step whose code it runs.
        sides: The records that the other things are taken from, by their names.
        runs: Their ids.
        files: The code: Git ids by path.
        reads: What the step read in its own result.
        inputs: Rows of data, declared: by path.
        undeclared: Rows of other data that it would read.
        parameters: Values but for the seed.
        seed: The seed.
    """

    step: Step
    sides: Mapping[str, RunRecord]
    runs: Mapping[str, RunId]
    files: Mapping[str, str | None]
    reads: Reads
    inputs: Mapping[str, Row]
    undeclared: Mapping[str, Row]
    parameters: Mapping[str, Mapping[str, Any]]
    seed: Any

    def key(self, repeat: int) -> str:
        """What it follows from, as a digest."""
        environment, randomness = self.sides["environment"], self.sides["randomness"]
        return digest(
            canonical(
                {
                    "repeat": repeat,
                    "stage": self.step.record.stage,
                    "command": list(self.step.record.command),
                    "code": dict(self.files),
                    "data": {path: identity(row) for path, row in {**self.undeclared, **self.inputs}.items()},
                    "parameters": {file: dict(values) for file, values in self.parameters.items()},
                    "environment": [
                        environment_of(environment) or self.runs["environment"],
                        switches_of(environment),
                        dict(mapping(value_of(environment.environment, "loader"))),
                    ],
                    "randomness": [self.seed, *profile_of(randomness)],
                }
            )
        )


class Laboratory:
    """Two results, and what is between them; a context manager, at whose end what was made goes.

    Args:
        place: The user's.
        records: Theirs: what runs here is recorded there.
        a: The first result, with all that it stands on.
        b: The second.
        ways: How things are run.
    """

    def __init__(
        self, place: "Place", records: "Records", a: Lineage, b: Lineage, ways: Ways = _USUAL
    ) -> None:
        self._place, self._records = place, records
        self._sides: dict[Side, Lineage] = {"a": a, "b": b}
        self._ways = ways
        self._stack = ExitStack()
        self._originals = Originals(place, records, events=ways.events)
        self._scratch = claim(place.make(REPLAYS))
        self._memo: dict[str, _Done] = {}
        self._files: dict[RunId, Mapping[str, str | None]] = {}
        self._trees: dict[str, str] = {}
        # Of folders of ours, which rules of the project hide.
        self._contents = Contents(place._replace(project=None))
        self._rooms = 0
        self._put: set[str] = set()
        self._read = Judged((a, b), records.part, self._file).reads
        self._known: dict[str, list[tuple[RunId, RunRecord]]] | None = None

    def __enter__(self) -> Self:
        self._stack.callback(drop, self._scratch)
        self._stack.enter_context(self._originals)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def moved_seed(self) -> bool:
        """Whether somebody declared another seed for the second result."""
        first, second = self._sides["a"], self._sides["b"]
        pairs = [(step, second.of_stage(step.record.stage)) for step in first.steps]
        return any(
            chosen_seed(one.record) != chosen_seed(other.record) for one, other in pairs if other is not None
        )

    def measure(
        self,
        choice: Choice,
        *,
        repeat: int = 0,
        seed: int | None = None,
        inputs: Mapping[str, Row] = _AS_THEY_ARE,
    ) -> Measured:
        """The metrics of a hybrid.

        Args:
            choice: What is taken from where.
            repeat: Above 0: another run of the same, so many after the newest that is recorded.
            seed: Another seed for all steps; None for that of the choice.
            inputs: Data that is neither result's: rows from `put`, by path.
        """
        made: dict[str, Row] = {}
        metrics: dict[str, float] = {}
        executed = free = 0
        for step in self._sides[choice.code].steps:
            try:
                done = self._step(self._spec(step, choice, {**inputs, **made}, seed), repeat)
            except FourfoldError as error:
                return Measured({}, executed, free, f"{choice.told()}: {error.message}")
            except OSError as error:
                why = from_os_error(error, f"running '{step.record.stage}'").message
                return Measured({}, executed, free, f"{choice.told()}: {why}")
            made |= done.outputs
            metrics |= done.metrics
            executed += done.executed
            free += not done.executed
        return Measured(metrics, executed, free)

    # -- data that is neither's -----------------------------------------------------------------------------

    def moved_data(self) -> list[str]:
        """Declared data that no run made and that both results have, but not the same; sorted."""
        first, second = (self._sides[side].raw_inputs() for side in ("a", "b"))
        code = {path for step in self._sides["b"].steps for path in self._read(step).data}
        return sorted(
            path for path in first.keys() & second.keys() & code if not _same(first[path], second[path])
        )

    def bytes_of(self, path: str, side: Side) -> str | None:
        """A file or folder with the bytes of data of one result, to be read and never written."""
        for step in reversed(self._sides[side].steps):
            row = self._read(step).data.get(path)
            if row is not None:
                return self._in_tree(step, path, row) or self._originals.path(step.record, row)
        return None

    def room(self) -> str:
        """An empty folder for data; it goes with the laboratory."""
        self._rooms += 1
        path = os.path.join(self._scratch, "rooms", str(self._rooms))
        os.makedirs(path)
        return path

    def put(self, path: str, source: str) -> Row:
        """Have data that is neither result's; the folder or file is taken away."""
        content = self._contents.read(source)
        row = {"path": path, "role": "dep", "md5": content.md5, "blake3": content.blake3}
        target = self._store(identity(row))
        if os.path.lexists(target):
            remove(source)
        else:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            os.rename(source, target)
            self._put.add(target)
        return row

    def drop(self, row: Row) -> None:
        """Have what was put no more: what it was for is measured."""
        target = self._store(identity(row))
        if target in self._put:  # else a step made the same
            self._put.remove(target)
            remove(target)

    # -- what a step is -----------------------------------------------------------------------------------

    def _spec(self, step: Step, choice: Choice, made: Mapping[str, Row], seed: int | None) -> _Spec:
        stage = step.record.stage
        taken: dict[str, Step] = {}
        for name in ("data", "parameters", "environment", "randomness"):
            lineage = self._sides[getattr(choice, name)]
            taken[name] = lineage.of_stage(stage) or (step if name != "environment" else lineage.last)
        sides = {name: each.record for name, each in taken.items()}
        reads = self._read(step)
        raw = self._sides[choice.data].raw_inputs()
        inputs = {
            path: made.get(path) or self._within(step, made, path) or self._raw(path, row, raw, choice.data)
            for path, row in reads.data.items()
        }
        other = self._read(taken["data"]).undeclared
        undeclared = {
            path: other.get(path) or self._raw(path, row, {}, choice.data)
            for path, row in {**other, **reads.undeclared}.items()
            if path not in inputs and path not in made
        }
        declared = sides["randomness"].randomness.get("seed")
        own = declared.value if declared is not None else None
        return _Spec(
            step,
            sides,
            {name: each.run for name, each in taken.items()},
            self._code(step),
            reads,
            inputs,
            undeclared,
            self._read(taken["parameters"]).parameters,
            own if seed is None else seed,
        )

    def _raw(self, path: str, row: Row, raw: Mapping[str, Row], side: Side) -> Row:
        """An input that no run made, as one result had it; what that lacks stays as the other had it."""
        if path in raw and identity(raw[path]):
            return raw[path]
        for step in self._sides[side].steps:
            if prefix_of(step.record) + path in self._code(step):
                there = self._file(step, path)
                if there is not None:
                    return {**row, **there}
        return row

    def _within(self, step: Step, made: Mapping[str, Row], path: str) -> Row | None:
        """A file of a folder that an earlier step of the hybrid made; None where it is in none."""
        folder, inner = path, ""
        while "/" in folder:
            folder, _, name = folder.rpartition("/")
            inner = os.path.join(name, inner) if inner else name
            if folder not in made:
                continue
            whole = self._stored(made[folder]) or self._originals.path(step.record, made[folder])
            file = os.path.join(whole, inner) if whole is not None else ""
            if not os.path.lexists(file):
                raise HybridError(f"nobody has the bytes of '{path}'")
            copy = os.path.join(self.room(), name)
            (shutil.copytree if os.path.isdir(file) else shutil.copyfile)(file, copy)
            return self.put(path, copy)
        return None

    def _code(self, step: Step) -> Mapping[str, str | None]:
        """The code of a step: its whole tree where Git has it, else what it read."""
        if step.run not in self._files:
            found: dict[str, str | None] = {}
            if self._place.git is not None:
                try:
                    found |= code_files(step.record, self._place.git, self._place.environ, self._records.part)
                except FourfoldError:
                    found = {}
            self._files[step.run] = {**found, **self._read(step).code}
        return self._files[step.run]

    # -- what is known -------------------------------------------------------------------------------------

    def _step(self, spec: _Spec, repeat: int) -> _Done:
        key = spec.key(repeat)
        if key not in self._memo:
            self._memo[key] = self._recorded(spec, repeat) or self._execute(spec)
            return self._memo[key]
        return self._memo[key]._replace(executed=False)

    def _recorded(self, spec: _Spec, skip: int) -> _Done | None:
        """The newest record that ran the same; or the one so many before it."""
        if self._known is None:
            self._known = {}
            for summary in self._records.summaries():
                if summary.state != "succeeded":
                    continue
                with suppress(FourfoldError):  # one that is damaged answers nothing, and stops nobody
                    record = self._records.get(summary.id)
                    if not mapping(value_of(record.trace, "replay")).get("varied"):
                        self._known.setdefault(record.stage, []).append((summary.id, record))
        found = reversed(self._known.get(spec.step.record.stage, []))
        own = spec.step.run
        for run, record in sorted(
            found, key=lambda each: each[0] != own
        ):  # the result itself before its like
            if self._is_same(spec, Step(run, record, {})):
                if not skip:
                    return self._done(record, executed=False)
                skip -= 1
        return None

    def _is_same(self, spec: _Spec, other: Step) -> bool:
        """Whether running a step would be that run again: all that it read is what the step would read."""
        record, environment = other.record, spec.sides["environment"]
        stood = environment_of(record)
        reads = self._read(other)
        wanted = {**spec.undeclared, **spec.inputs}
        seeds = {seed_parameter(each) for each in (record, spec.step.record)}
        return (
            record.command == spec.step.record.command
            # Two environments of which nobody knows are one only in one run.
            and (
                other.run == spec.runs["environment"]
                or (stood is not None and stood == environment_of(environment))
            )
            and switches_of(record) == switches_of(environment)
            and self._loader(record) == self._loader(environment)
            and profile_of(record) == profile_of(spec.sides["randomness"])
            and value_of(record.randomness, "seed") == spec.seed
            and _values(reads.parameters, seeds) == _values(spec.parameters, seeds)
            and all(
                # Two files that nobody could name are one only in one run.
                oid == spec.files.get(path) and (oid is not None or other.run == spec.step.run)
                for path, oid in reads.code.items()
            )
            # Where not every reading was seen, it may have read any file of its code.
            and (saw_all(record) or _tree_of(record) == _tree_of(spec.step.record))
            # What the one declares, the other may have been seen to read without.
            and reads.data.keys() - spec.undeclared.keys() == spec.inputs.keys() - reads.undeclared.keys()
            and all(
                _same(row, wanted[path]) if path in wanted else self._is_there(spec, path, row)
                for path, row in {**reads.undeclared, **reads.data}.items()
            )
        )

    def _is_there(self, spec: _Spec, path: str, row: Row) -> bool:
        """Whether a step would find what another run was seen to read and nobody says that it reads."""
        if path.startswith(("/", "~/", "../")):
            found = os.path.join(self._place.environ.get("HOME", ""), path[2:]) if path[0] == "~" else path
            found = os.path.normpath(os.path.join(self._place.root, found))
            if not identity(row):
                return True  # of the machine: its environment is compared
            return os.path.isfile(found) and is_same(row, self._contents.read(found))
        there = self._file(self._step_of(spec.runs["data"]), path)
        return there is not None and _same(row, there)

    def _done(self, record: RunRecord, *, executed: bool) -> _Done:
        rows = {row["path"]: row for row in rows_of(record, "outputs")}
        return _Done(rows, metrics_of(record, self._records.part), executed)

    # -- what is run ---------------------------------------------------------------------------------------

    def _execute(self, spec: _Spec) -> _Done:
        record, environment = spec.step.record, spec.sides["environment"]
        if value_of(environment.environment, "image") is None:  # what is set in an image comes with it
            self._refuse_other_loader(environment, loaders_here(self._place.environ, self._place.root))
        # A replay reads the parameters of the run that it has its data from: the bytes of data are given.
        sources = Sources(
            data=spec.runs["parameters"],
            environment=spec.runs["environment"],
            randomness=spec.runs["randomness"],
        )
        own = value_of(spec.sides["randomness"].randomness, "seed")
        with replay(
            self._place,
            self._records,
            spec.step.run,
            policy=self._ways.policy,
            sources=sources,
            changes=Changes(seed=spec.seed if spec.seed != own else None),
            given=self._given(spec),
            streams=self._ways.streams,
            events=self._ways.events,
        ) as replayed:
            if replayed.record.outcome.state != "succeeded":
                code = replayed.record.outcome.code
                raise HybridError(f"'{record.stage}' failed with exit code {code}")
            if not replayed.surroundings.image:
                self._refuse_other_loader(environment, self._loader(replayed.record))
            self._keep(replayed)
        if self._known is not None:
            self._known.setdefault(record.stage, []).append((replayed.run, replayed.record))
        return self._done(replayed.record, executed=True)

    def _loader(self, record: RunRecord) -> Loaders:
        return loaders_of(record, self._place.root, self._place.environ.get("HOME", ""))

    def _refuse_other_loader(self, environment: RunRecord, now: Loaders) -> None:
        """What variables name to the loader of libraries is no replay's to set: it must be as it was."""
        other = first_other(self._loader(environment), now) if self._ways.policy != "running" else None
        if other is not None:
            raise HybridError(
                f"{other}: replays do not set it; attribute again with it as it was (what ran stays known)"
            )

    def _given(self, spec: _Spec) -> dict[str, str]:
        """Where the bytes of data and parameters lie that a step of a hybrid reads."""
        wanted = {**spec.undeclared, **spec.inputs}
        given = self._around(spec, wanted)
        for path, row in wanted.items():
            if path.startswith(("/", "~/", "../")) or "://" in path:
                continue  # outside of the project: it is read where it is, if it is still the same
            data = self._step_of(spec.runs["data"])
            origin = self._stored(row) or self._in_tree(data, path, row)
            origin = origin or self._originals.path(data.record, row)
            if origin is None:
                raise HybridError(f"nobody has the bytes of '{path}'")
            given[path] = origin
        source = self._step_of(spec.runs["parameters"])
        for file in sorted(spec.reads.files):
            found = self._tree_path(source, file)
            if found is not None and os.path.isfile(found):
                given[file] = found
        return given

    def _around(self, spec: _Spec, wanted: Iterable[str]) -> dict[str, str]:
        """Declared folders as the code has them, into which data is put that is told of by itself."""
        records = (spec.step.record, spec.sides["parameters"])
        declared = {row["path"] for record in records for row in rows_of(record, "inputs")}
        inner = {folder for path in wanted for folder in folders_of(path)}
        found = {path: self._tree_path(spec.step, path) for path in sorted(declared & inner - set(wanted))}
        return {
            path: folder for path, folder in found.items() if folder is not None and os.path.isdir(folder)
        }

    # -- bytes ---------------------------------------------------------------------------------------------

    def _keep(self, replayed: Replayed) -> None:
        """Have what came out for the next steps: the box goes."""
        for pair in replayed.outputs:
            name = identity(pair.after) if pair.after is not None else ""
            target = self._store(name)
            if pair.file is not None and name and not os.path.lexists(target):
                os.makedirs(os.path.dirname(target), exist_ok=True)
                shutil.move(pair.file, target)

    def _store(self, name: str) -> str:
        return os.path.join(self._scratch, "made", digest(name.encode())[:32])

    def _stored(self, row: Row) -> str | None:
        path = self._store(identity(row))
        return path if identity(row) and os.path.lexists(path) else None

    def _in_tree(self, step: Step, path: str, row: Row) -> str | None:
        """A file of data that Git keeps, in the code of the result that it is taken from."""
        found = self._tree_path(step, path)
        if found is None or not os.path.isfile(found):
            return None
        return found if is_same(row, self._contents.read(found)) else None

    def _file(self, step: Step, path: str) -> dict[str, Any] | None:
        """The digests of a file of a code tree."""
        found = self._tree_path(step, path)
        if found is None or not os.path.isfile(found):
            return None
        content = self._contents.read(found)
        return {"path": path, "md5": content.md5, "blake3": content.blake3, "size": content.size}

    def _tree_path(self, step: Step, path: str) -> str | None:
        if self._place.git is None:
            return None
        tree = str(value_of(step.record.code, "tree"))
        if tree not in self._trees:
            folder = os.path.join(self._scratch, "trees", str(len(self._trees)))
            coderestore.restore(
                self._place.git, self._place.environ, step.record.code, self._records.part, folder
            )
            self._trees[tree] = folder
        return os.path.join(self._trees[tree], prefix_of(step.record), path)

    def _step_of(self, run: RunId) -> Step:
        return next(step for lineage in self._sides.values() for step in lineage.steps if step.run == run)


def _tree_of(record: RunRecord) -> Any:
    return value_of(record.code, "tree")


def _same(one: Row, other: Row) -> bool:
    """Whether two rows name one content; what neither has a digest of is the same file of the machine."""
    keys = [key for key in ("blake3", "md5") if one.get(key) and other.get(key)]
    if not keys:
        return not identity(one) and not identity(other) and one["path"] == other["path"]
    return bool(one[keys[0]] == other[keys[0]])


def _values(parameters: Mapping[str, Mapping[str, Any]], seeds: set[tuple[str, str] | None]) -> Any:
    """Parameters but for seeds; a replay has its seed from elsewhere, and lists the parameter still."""
    found = {
        file: {key: value for key, value in values.items() if (file, key) not in seeds}
        for file, values in parameters.items()
    }
    return {file: values for file, values in found.items() if values}
