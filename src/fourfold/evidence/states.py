"""States: versions of code and data with what came of them, and which number of it is meant.

A state has a key, what its metric follows from: states of equal keys are one, whatever they are called. Which
states lie between two versions is `history`; what a commit says is `commits`.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from fourfold.base.errors import ConflictError, NotFoundError
from fourfold.base.suggest import did_you_mean
from fourfold.evidence.lineage import Lineage, Makers, identity, metrics_of
from fourfold.formats.native.canonical import canonical, digest
from fourfold.formats.native.record import RunId, RunRecord
from fourfold.runs.changes import Part, by_path, mapping, opened, params_of, rows_of, value_of
from fourfold.runs.codesources import is_code
from fourfold.runs.words import SHORT

if TYPE_CHECKING:
    from fourfold.base.ids import CommitId
    from fourfold.runs.store import Records


class MetricNotFoundError(NotFoundError):
    """No run that was looked at measured the metric that was asked for."""

    code = "metric-not-found"


class MetricAmbiguousError(ConflictError):
    """Several files, or stages, have a metric of that name."""

    code = "metric-ambiguous"


class Key(NamedTuple):
    """What a result follows from, by coordinate: digests; "" where it is not known.

    Attributes:
        code: Commands, the source files that were read, parameters that are no seeds.
        data: Inputs that no run made, and files that were read without being declared.
        environment: Digests of the environments.
        randomness: Seeds, levels and profiles.
    """

    code: str
    data: str
    environment: str
    randomness: str

    def moved(self, other: "Key") -> tuple[str, ...]:
        """The coordinates that are not the same, as far as both are known."""
        pairs = zip(self._fields, self, other, strict=True)
        return tuple(name for name, mine, theirs in pairs if mine and theirs and mine != theirs)


class State(NamedTuple):
    """One version of code and data.

    Attributes:
        name: What people call it: the beginning of a commit or of a run.
        commit: The commit; None for a run that is in none.
        run: The run of the stage whose result is there; None where there is none.
        title: The first line of the commit's message, or the moment of the run.
        key: What the result follows from; None where that is not known.
        metric: Its value; None where no record, and no file of the commit, has it.
        why: Why there is no value.
    """

    name: str
    commit: "CommitId | None"
    run: RunId | None
    title: str
    key: Key | None
    metric: float | None
    why: str = ""

    def document(self) -> dict[str, Any]:
        """As JSON holds it."""
        found = {
            "name": self.name,
            "commit": self.commit,
            "run": self.run,
            "title": self.title,
            "value": self.metric,
        }
        return {**found, "why": self.why} if self.why else found


class History(NamedTuple):
    """States from the good one to the bad one.

    Attributes:
        stage: Whose result is looked at; "" for commands.
        metric: ``FILE:NAME``.
        states: The good one first, the bad one last.
        aside: Runs of the stage that stand in no commit, by the commit on which they were made.
    """

    stage: str
    metric: str
    states: tuple[State, ...]
    aside: Mapping[str, tuple[State, ...]] = {}


def run_state(records: "Records", makers: Makers, run: RunId, metric: str) -> State:
    """A run as a state."""
    lineage = makers.lineage(run)
    record = lineage.last.record
    value = metrics_of(record, records.part).get(metric)
    why = "" if value is not None else f"the run did not measure {metric}"
    return State(run[:SHORT], None, run, record.times.started, key_of(lineage, records.part), value, why)


# --- keys and metrics -------------------------------------------------------------------------------------


def one_metric(known: Mapping[str, Iterable[str]], metric: str, stage: str | None) -> tuple[str, str]:
    """The stage and the full name that a metric means.

    Args:
        known: The metrics of each stage.
        metric: ``FILE:NAME``, or the name alone.
        stage: The stage, where it is known.

    Raises:
        MetricNotFoundError, MetricAmbiguousError: none is meant, or several.
    """
    at = {name: list(metrics) for name, metrics in known.items() if stage is None or name == stage}
    found = [(name, each) for name, metrics in at.items() for each in metrics if each == metric]
    found = found or [
        (name, each) for name, metrics in at.items() for each in metrics if each.partition(":")[2] == metric
    ]
    if len(found) == 1:
        return found[0]
    everything = sorted({each for metrics in at.values() for each in metrics})
    if found:
        told = sorted({f"{each} of {name}" for name, each in found})
        raise MetricAmbiguousError(
            f"'{metric}' is {len(found)} metrics: {', '.join(told[:6])}",
            hint="name the file too, FILE:NAME, or the stage",
        )
    where = f" of stage '{stage}'" if stage is not None else ""
    hint = did_you_mean(metric, everything, f"there are: {', '.join(everything[:8])}" if everything else "")
    raise MetricNotFoundError(
        f"no metric '{metric}'{where} was recorded",
        hint=hint or "metrics are recorded of outputs below 'metrics:' in dvc.yaml: ff runs show",
    )


def key_of(lineage: Lineage, part: Part) -> Key:
    """What the result of a lineage follows from."""
    steps = sorted(lineage.steps, key=lambda step: (step.record.stage, step.record.command))
    raw = {path: identity(row) for path, row in lineage.raw_inputs().items()}
    read: dict[str, str] = {}
    code, environment, randomness = [], [], []
    for step in steps:
        record = step.record
        sources = sources_of(record, part)
        code.append([record.stage, list(record.command), sources, _plain_params(record, part)])
        for path in (*sources, *params_of(record, part)):
            raw.pop(path, None)
        read |= {
            path: identity(row)
            for path, row in by_path(mapping(value_of(record.trace, "undeclared_reads")).get("files")).items()
            if not is_code(path)
        }
        environment.append([record.stage, value_of(record.environment, "digest")])
        numerics = mapping(mapping(value_of(record.randomness, "numerics")).get("asked"))
        randomness.append([record.stage, *_seeding(record), dict(numerics)])
    data = {path: name for path, name in raw.items() if not is_code(path)}
    named = [_digest(each) for each in (code, {**read, **data}, environment, randomness)]
    return Key(*named)


def sources_of(record: RunRecord, part: Part) -> dict[str, Any]:
    """The source files that a run read, from the root of the project, by their Git ids; its tree if unknown.

    Data that Git keeps are not among them.
    """
    value = mapping(value_of(record.code, "sources"))
    files = mapping(mapping(opened(value.get("files"), part)).get("files"))
    if not files:
        return {"": value_of(record.code, "tree")}
    folder = str(value_of(record.code, "folder") or ".")
    above = "" if folder == "." else folder + "/"
    inputs = {row["path"] for row in rows_of(record, "inputs")} | set(params_of(record, part))
    shown = {path.removeprefix(above): oid for path, oid in files.items()}
    return {path: oid for path, oid in shown.items() if is_code(path) or path not in inputs}


def _seeding(record: RunRecord) -> tuple[Any, Any]:
    """The declared seed, and the level; a seed that is drawn is another one each time, and no version."""
    fact = record.randomness.get("seed")
    seed = fact.value if fact is not None and fact.grade == "declared" else None
    return seed, value_of(record.randomness, "determinism")


def _plain_params(record: RunRecord, part: Part) -> dict[str, Any]:
    """Parameters but the one that is the seed."""
    fact = record.randomness.get("seed")
    seed = fact.why if fact is not None else ""
    return {
        file: {key: value for key, value in keys.items() if f"{file}:{key}" != seed}
        for file, keys in params_of(record, part).items()
    }


def _digest(value: Any) -> str:
    return digest(canonical({"value": value}))
