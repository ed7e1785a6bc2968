"""States: versions of code and data with what came of them, and which number of it is meant.

A state has a key, what its metric follows from: states of equal keys are one, whatever they are called. Which
states lie between two versions is `history`; what a commit says is `commits`.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from fourfold.base.errors import ConflictError, NotFoundError
from fourfold.base.suggest import did_you_mean
from fourfold.evidence.lineage import Lineage, Makers, Step, identity, metrics_of
from fourfold.evidence.parting import FACTORS, chosen_seed, environment_of, profile_of, reads_of
from fourfold.formats.native.canonical import canonical, digest
from fourfold.formats.native.record import RunId, RunRecord
from fourfold.runs.changes import Part, absent_of, mapping, opened, saw_all, value_of
from fourfold.runs.words import SHORT

if TYPE_CHECKING:
    from fourfold.base.ids import CommitId
    from fourfold.runs.store import Records


#: What a digest begins with of which a part is not known.
_UNKNOWN = "?"


class MetricNotFoundError(NotFoundError):
    """No run that was looked at measured the metric that was asked for."""

    code = "metric-not-found"


class MetricAmbiguousError(ConflictError):
    """Several files, or stages, have a metric of that name."""

    code = "metric-ambiguous"


class Key(NamedTuple):
    """What a result follows from, by coordinate: digests.

    A digest that begins with ``?`` is of something of which a part is not known: it is that of one run alone,
    of one entry of a lock file or of one commit, so that two of which it is not known are never equal.

    Attributes:
        code: Commands, and the source files that were read.
        data: Inputs that no run made, and files that were read without being declared.
        parameters: Their values, but for the seed.
        environment: Digests of the environments.
        randomness: Seeds, levels and profiles.
    """

    code: str
    data: str
    parameters: str
    environment: str
    randomness: str

    def knows(self, coordinate: str) -> bool:
        """Whether all of a coordinate is known."""
        return not str(getattr(self, coordinate)).startswith(_UNKNOWN)


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
        merged: The other parents of commits that are merges, by these: what came with them is not looked at.
        beside: How many commits came in by merges, and are none of the states.
    """

    stage: str
    metric: str
    states: tuple[State, ...]
    aside: Mapping[str, tuple[State, ...]] = {}
    merged: Mapping["CommitId", tuple["CommitId", ...]] = {}
    beside: int = 0


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


def unknown(whose: Any) -> str:
    """What a key has where something is not known: it is equal for one and the same alone.

    Args:
        whose: A value that JSON holds, which names that of which it is not known.
    """
    return _UNKNOWN + _digest(whose)


def key_of(lineage: Lineage, part: Part) -> Key:
    """What the result of a lineage follows from."""
    raw = lineage.raw_inputs()
    data: dict[str, Any] = {}
    found: dict[str, list[Any]] = {name: [] for name in FACTORS}
    gaps: set[str] = set()
    for step in sorted(lineage.steps, key=lambda step: (step.record.stage, step.record.command)):
        record, alone = step.record, f"{_UNKNOWN}{step.run}"
        environment = environment_of(record)
        level = value_of(record.randomness, "determinism")
        read: dict[str, Mapping[str, Any]] = {
            "code": _code_of(record, part, alone),
            "data": _data_of(step, raw, part, alone),
            "parameters": _parameters_of(record, part, alone),
        }
        gaps |= {name for name, values in read.items() if alone in values.values()}
        # Programs that were seen name what was used, but other code uses others: that says not that it moved.
        gaps |= {"environment"} if value_of(record.environment, "digest") is None else set()
        gaps |= {"randomness"} if level is None else set()
        data |= read["data"]
        found["code"].append([record.stage, list(record.command), read["code"]])
        found["parameters"].append([record.stage, read["parameters"]])
        loaded = dict(mapping(value_of(record.environment, "loader")))
        found["environment"].append([record.stage, alone if environment is None else environment, loaded])
        chosen = [chosen_seed(record), *profile_of(record), *([alone] if level is None else ())]
        found["randomness"].append([record.stage, *chosen])
    told = {**found, "data": data}
    return Key(**{name: unknown(value) if name in gaps else _digest(value) for name, value in told.items()})


def _code_of(record: RunRecord, part: Part, alone: str) -> Mapping[str, Any]:
    """The files of code that a run read; of one that nobody could name, what is of this run alone."""
    sources = reads_of(record, part).code
    # That it read no code is known only where every reading was seen.
    if value_of(record.code, "sources") is not None and (sources or saw_all(record)):
        return {path: oid or alone for path, oid in sources.items()}
    return {"": value_of(record.code, "tree") or alone}


def _data_of(step: Step, raw: Mapping[str, Any], part: Part, alone: str) -> Mapping[str, Any]:
    """The data that a run read and no run made, by path."""
    record, reads = step.record, reads_of(step.record, part)
    missing = absent_of(record)
    found = {
        path: identity(row) or ("" if path in missing else alone)
        for path, row in reads.data.items()
        if path in raw
    }
    if value_of(record.data, "inputs") is None:
        found[""] = alone
    found |= {path: identity(row) for each in step.filled.values() for path, row in each.left.items()}
    # Files of the machine have no digest: they are its environment.
    found |= {
        path: identity(row) or ("" if path.startswith(("/", "~/", "../")) else alone)
        for path, row in reads.undeclared.items()
    }
    return found


def _parameters_of(record: RunRecord, part: Part, alone: str) -> Mapping[str, Any]:
    said = value_of(record.data, "params")
    if said is None or opened(said, part) is None:
        return {"": alone}
    return reads_of(record, part).parameters


def _digest(value: Any) -> str:
    return digest(canonical({"value": value}))
