"""The last good run before one that is not: by a metric, and by more than it moves by itself.

How far a metric moves by itself is the widest difference among runs of the same: equal code, data,
parameters, environment, threads and processor, and seeds that nobody chose, or equal ones. Nothing is run for
it; where nobody ran the same twice it is not known.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import UsageError
from fourfold.evidence.explaining.explanation import number
from fourfold.evidence.lineage import Lineage, Makers, metrics_of
from fourfold.evidence.parting import switches_of
from fourfold.evidence.states import Key, key_of, one_metric
from fourfold.formats.native.canonical import canonical
from fourfold.formats.native.record import RunId, RunRecord
from fourfold.runs.changes import Part, mapping, value_of
from fourfold.runs.order import Summary
from fourfold.runs.store import RunNotFoundError

if TYPE_CHECKING:
    from fourfold.runs.store import Records

#: So many runs are looked at for repeats, the newest.
_LOOKED_AT = 60
#: Facts of the environment that no digest of it has, and that results may hang on.
_AROUND = ("accelerators", "blas", "simd")
_Same = tuple[Key, list[bytes]]


class Noise(NamedTuple):
    """How far a metric moves by itself.

    Attributes:
        width: The widest difference among runs of the same; None where there are none.
        repeats: How many runs those are.
    """

    width: float | None = None
    repeats: int = 0


class Wanted(NamedTuple):
    """What makes a run a good one.

    Attributes:
        goal: ``max`` where more is better, ``min`` where less is; "" where nobody said so: then every other
            value may be the good one.
        above: A good run has more than this; None for no limit.
        below: A good run has less than this; None for no limit.
    """

    goal: str = ""
    above: float | None = None
    below: float | None = None

    def is_good(self, value: float, than: float, noise: float) -> bool:
        """Whether a value is good, as compared with the one that is not."""
        if self.above is not None or self.below is not None:
            return (self.above is None or value > self.above) and (self.below is None or value < self.below)
        if self.goal:
            return (value - than if self.goal == "max" else than - value) > noise
        return abs(value - than) > noise

    def told(self, than: float) -> str:
        """What is good, in words."""
        limits = [
            f"{word} {number(limit)}"
            for word, limit in (("more than", self.above), ("less than", self.below))
            if limit is not None
        ]
        better = {"max": "more than", "min": "less than"}.get(self.goal, "other than")
        return " and ".join(limits) or f"{better} {number(than)}"


class Runs:
    """The runs that measured a metric, and what is known of it.

    Args:
        records: Where they are.
        makers: Their lineages.
        part: Reads a part.
    """

    def __init__(self, records: "Records", makers: Makers, part: Part) -> None:
        self._makers = makers
        self._part = part
        self._all = [
            summary
            for summary in records.summaries()
            if summary.state == "succeeded" and summary.kind != "replay"
        ]
        self._keys: dict[RunId, _Same] = {}

    def metric(self, lineages: Sequence[Lineage], text: str) -> str:
        """The full name of a metric that some run of the lineages measured.

        Raises:
            MetricNotFoundError, MetricAmbiguousError: none is meant, or several.
        """
        known: dict[str, set[str]] = {}
        for lineage in lineages:
            for step in lineage.steps:
                known.setdefault("", set()).update(metrics_of(step.record, self._part))
        return one_metric(known, text, None)[1]

    def newest(self, metric: str, stage: str | None) -> tuple[RunId, str]:
        """The newest run that measured a metric, and the full name of that.

        Raises:
            MetricNotFoundError, MetricAmbiguousError: no run measured it, or several metrics are called so.
        """
        known: dict[str, set[str]] = {}
        for summary in reversed(self._all):
            if stage is None or summary.stage == stage:
                measured = metrics_of(self._makers.record(summary.id), self._part)
                known.setdefault(summary.stage, set()).update(measured)
                full = next((name for name in measured if metric in {name, name.partition(":")[2]}), None)
                if full is not None:
                    return summary.id, one_metric({summary.stage: measured}, metric, None)[1]
        one_metric(known, metric, stage)
        raise RunNotFoundError(f"no run measured '{metric}'")  # the line before says it better

    def last_good(self, bad: RunId, metric: str, wanted: Wanted) -> RunId:
        """The newest run before another one, of its stage, that is good where that is not.

        Raises:
            RunNotFoundError: there is none.
            UsageError: the other one did not measure the metric.
        """
        record = self._makers.record(bad)
        value = metrics_of(record, self._part).get(metric)
        if value is None:
            raise UsageError(f"run {bad[:12]} did not measure {metric}", hint="see what it did: ff runs show")
        noise = self.noise(bad, metric).width or 0.0
        for summary in reversed(self._before(bad, record)):
            other = metrics_of(self._makers.record(summary.id), self._part).get(metric)
            if other is not None and wanted.is_good(other, value, noise):
                return summary.id
        whose = f"stage '{record.stage}'" if record.stage else "that command"
        raise RunNotFoundError(
            f"no earlier run of {whose} has a {metric} that is {wanted.told(value)}",
            hint="say what is good: --good-above or --good-below, or name two runs",
        )

    def _before(self, run: RunId, record: RunRecord) -> list[Summary]:
        found = []
        for summary in self._all:
            if summary.id == run:
                break
            if (summary.kind, summary.stage) == (record.kind, record.stage):
                found.append(summary)
        return found

    def noise(self, run: RunId, metric: str) -> Noise:
        """How far a metric moves among runs that are the same as one."""
        record = self._makers.record(run)
        mine = self._key(run)
        values = []
        alike = [one for one in self._all if (one.kind, one.stage) == (record.kind, record.stage)]
        for summary in alike[-_LOOKED_AT:]:
            value = metrics_of(self._makers.record(summary.id), self._part).get(metric)
            if value is not None and self._key(summary.id) == mine:
                values.append(value)
        return Noise(max(values) - min(values), len(values)) if len(values) > 1 else Noise()

    def _key(self, run: RunId) -> "_Same":
        """What a run follows from, seeds that nobody chose left out."""
        if run not in self._keys:
            lineage = self._makers.lineage(run)
            around = [_around(step.record) for step in lineage.steps]
            self._keys[run] = key_of(lineage, self._part), sorted(around)
        return self._keys[run]


def _around(record: RunRecord) -> bytes:
    """What may move a result and is no version of anything: threads, variables, the processor."""
    host = mapping(value_of(record.environment, "host"))
    facts = {name: value_of(record.environment, name) for name in _AROUND}
    declared = mapping(value_of(record.trace, "env")).get("declared")
    around = {"facts": facts, "cpu": host.get("cpu"), "variables": declared, "switches": switches_of(record)}
    return canonical({"stage": record.stage, **around})
