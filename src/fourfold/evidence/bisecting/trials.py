"""Trials: a version that nobody ran is run: the pipeline of a commit, as it would have been run there.

What a commit says of its stages (commands, inputs, parameters, seeds) is put as records that never were, and
measured by the laboratory as any other result: whatever a record answers is free. Environment, and seeds that
nobody declared, are those of the nearest version that was run.
"""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from fourfold.base.errors import FourfoldError
from fourfold.evidence.attributing.hybrids import Choice, Laboratory, Ways
from fourfold.evidence.bisecting.bisect import Probed, measurements
from fourfold.evidence.commits import Commits, Seen
from fourfold.evidence.lineage import Lineage, Makers, Step
from fourfold.evidence.states import History, Key, State
from fourfold.formats.dvc.fields import Fault
from fourfold.formats.dvc.lock import DEFAULT_PARAMS
from fourfold.formats.native.fact import Fact, declared, observed
from fourfold.formats.native.record import Outcome, RunId, RunRecord, Times, render, run_id
from fourfold.project.changes import lookup
from fourfold.project.outs import Owner
from fourfold.runs import declared as declarations
from fourfold.runs.codetree import code_tree_of_commit
from fourfold.runs.data import plain
from fourfold.runs.store import Records
from fourfold.runs.task import Declared

if TYPE_CHECKING:
    from fourfold.runs.place import Place


class Imagined(Records):
    """Records, and some that never were: these can be read here, and are written nowhere.

    Args:
        real: The records.
    """

    def __init__(self, real: Records) -> None:
        super().__init__(real.folder, real._make)
        self._imagined: dict[RunId, RunRecord] = {}

    def imagine(self, record: RunRecord) -> RunId:
        """Have a record that never was."""
        name = run_id(render(record))
        self._imagined[name] = record
        return name

    def get(self, name: RunId) -> RunRecord:
        """See `Records.get`."""
        return self._imagined.get(name) or super().get(name)


class Trials:
    """Runs versions of a history; a context manager.

    Args:
        place: The user's.
        records: Theirs.
        history: Has the versions.
        ways: How things are run.
    """

    def __init__(self, place: "Place", records: Records, history: History, ways: Ways) -> None:
        self._place, self._history, self._ways = place, history, ways
        self._records = Imagined(records)
        self._commits = Commits(place, records)
        self._makers = Makers(records)
        # What the history has of a version was told of before the first trial.
        self._tried: Counter[Key | str] = Counter(key for key, _ in measurements(history) if key is not None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._commits.__exit__(kind, error, trace)

    def __call__(self, state: State) -> Probed:
        """Run a version; asked again, again."""
        if state.commit is None or (state.run is not None and state.metric is None):
            why = state.why or "it is a run that did not measure this, and not run again"
            return Probed(None, why, free=True)
        try:
            lineage = self._lineage(state)
        except FourfoldError as error:
            return Probed(None, error.message, free=True)
        if lineage is None:
            return Probed(None, "no version with a record of its stages is near", free=True)
        version = state.key or state.name
        with Laboratory(self._place, self._records, lineage, lineage, self._ways) as laboratory:
            measured = laboratory.measure(Choice(), repeat=self._tried[version])
        self._tried[version] += 1
        value = measured.metrics.get(self._history.metric)
        why = (
            measured.why.partition(": ")[2] if measured.why else f"it does not measure {self._history.metric}"
        )
        return Probed(value, "" if value is not None else why, free=not measured.executed)

    def _lineage(self, state: State) -> Lineage | None:
        """The stages of a commit as a lineage that never was."""
        seen = self._commits.look(str(state.commit))
        owner = next((each for each in seen.stages if each.addressing == self._history.stage), None)
        like = self._nearest(state)
        if owner is None or not like:
            return None
        upstream = [each for each in seen.upstream(owner) if each.is_stage]
        runs: dict[str, RunId] = {}
        steps = []
        for each in upstream:
            record = self._record(seen, each, like.get(each.addressing) or like[self._history.stage])
            runs[each.addressing] = run = self._records.imagine(record)
            made = {
                path: runs[maker]
                for path in self._paths(each)
                if (maker := seen.maker(path)) is not None and maker in runs
            }
            steps.append(Step(run, record, made))
        return Lineage(tuple(steps))

    def _nearest(self, state: State) -> Mapping[str, RunRecord]:
        """The records of the stages of the nearest version that has them, by stage."""
        states = self._history.states
        at = states.index(next(each for each in states if each.name == state.name))
        order = sorted(range(len(states)), key=lambda index: (abs(index - at), index))
        for index in order:
            run = states[index].run
            if run is not None:
                return {step.record.stage: step.record for step in self._makers.lineage(run).steps}
        return {}

    def _paths(self, owner: Owner) -> list[str]:
        return [self._shown(owner, dep.path) for dep in owner.deps if "://" not in dep.path]

    def _shown(self, owner: Owner, path: str) -> str:
        return os.path.relpath(os.path.join(owner.wdir, path), self._place.root).replace(os.sep, "/")

    # -- a record that never was ----------------------------------------------------------------------------

    def _record(self, seen: Seen, owner: Owner, like: RunRecord) -> RunRecord:
        command = owner.cmd or ""
        lines = command.splitlines() if isinstance(command, str) else [str(line) for line in command]
        return RunRecord(
            kind="stage",
            stage=owner.addressing,
            command=tuple(lines),
            outcome=Outcome("succeeded"),
            times=Times("", "", 0.0),
            code=self._code(seen, owner),
            data=self._data(seen, owner),
            environment=like.environment,
            randomness=self._randomness(seen, owner, like),
            trace={},
            previous=None,
            tool=like.tool,
        )

    def _code(self, seen: Seen, owner: Owner) -> dict[str, Fact]:
        git = self._place.git
        assert git is not None  # noqa: S101 - there are commits
        above = os.path.relpath(self._place.root, git.root).replace(os.sep, "/")
        prefix = "" if above == "." else above + "/"
        outputs = sorted(prefix + path for path in {*seen.outputs, *seen.makers})
        tree = code_tree_of_commit(git, self._place.environ, seen.commit, outputs=outputs)
        return {
            "commit": observed(seen.commit),
            "tree": observed(tree),
            "outputs": observed(outputs),
            "folder": observed(above),
            "cwd": observed(self._shown(owner, "")),
        }

    def _data(self, seen: Seen, owner: Owner) -> dict[str, Fact]:
        rows: list[dict[str, Any]] = []
        for path in self._paths(owner):
            row = {"path": path, "role": "dep"}
            inner = self._inner(seen, path)
            if inner:  # the code has the others
                rows += inner
                continue
            if seen.maker(path) is None:
                data = seen.outputs.get(path) or self._commits.within(seen, path)
                row |= {"md5": data} if data is not None else {}
            rows.append(row)
        params: dict[str, dict[str, Any]] = {}
        for spec in owner.params_wanted:
            values = self._commits.parameters(seen, owner, spec.file) or {}
            file = self._shown(owner, spec.file or DEFAULT_PARAMS)
            keys: Sequence[str] = spec.keys if spec.keys is not None else [str(key) for key in values]
            params.setdefault(file, {}).update({key: plain(lookup(values, key)) for key in keys})
        rows += [{"path": file, "role": "params"} for file in sorted(params)]
        outputs = [
            {"path": self._shown(owner, out.path), "role": "metric" if out.metric else "out"}
            for out in owner.outs
            if "://" not in out.path
        ]
        return {"inputs": observed(rows), "outputs": observed(outputs), "params": observed(params)}

    def _inner(self, seen: Seen, path: str) -> list[dict[str, Any]]:
        """Rows of tracked data in a folder, the rest of which Git has; none where a stage writes into it."""
        if path in seen.outputs or any(name.startswith(f"{path}/") for name in seen.makers):
            return []
        data = {name: oid for name, oid in seen.outputs.items() if name.startswith(f"{path}/")}
        return [{"path": name, "role": "dep", "md5": oid} for name, oid in sorted(data.items())]

    def _randomness(self, seen: Seen, owner: Owner, like: RunRecord) -> dict[str, Fact]:
        said = self._declared(seen, owner)
        found = dict(like.randomness)
        found["determinism"] = declared(said.determinism)
        if said.seed is not None:
            found["seed"] = declared(said.seed, said.seed_from)
        asked = {key: value for key, value in said.numerics._asdict().items() if value is not None}
        if asked:
            found["numerics"] = observed({"asked": asked})
        elif said.determinism != "strict":
            found.pop("numerics", None)
        return found

    def _declared(self, seen: Seen, owner: Owner) -> Declared:
        own = owner.meta.get("fourfold") if isinstance(owner.meta, Mapping) else None
        if not isinstance(own, Mapping):
            return Declared()

        def parameter(name: str) -> object:
            file, _, key = name.rpartition(":")
            return lookup(self._commits.parameters(seen, owner, file or None) or {}, key)

        try:
            return declarations.parse(own, parameter)
        except Fault:
            return Declared()
