"""Whether a metric is the same for all that matters: seeds of now against then, with a declared margin.

*Now* is always the recorded code, data and parameters, run here, by N seeds: the run's own first. What *then*
is, is stated with the verdict, and is the first of these that can be had:

- ``recorded environment``: where the environment of now differs from the recorded one and that can be made
  (of its lock, or its image): the same seeds run in it; pairs by seed.
- ``recorded runs``: recorded runs of the same code, data, parameters and environment by six or more seeds,
  one value a seed; or six or more of one seed, or none, that differ all the same; two samples.
- ``recorded value``: the metric that the run recorded: whether runs of now have it, on average.

The test is TOST (`statistics`): *equivalent* when it rejects that the difference is as large as the margin.
Six seeds are the fewest that certify anything.
"""

import math
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from fourfold.base.errors import FourfoldError, UsageError
from fourfold.evidence.lineage import Lineage, Step, metrics_of
from fourfold.evidence.states import MetricAmbiguousError, key_of, one_metric
from fourfold.evidence.statistics.inference import (
    FEWEST_PAIRS,
    Equivalence,
    tost_needed,
    tost_paired,
    tost_power,
    tost_welch,
)
from fourfold.evidence.verifying.verdict import MetricVerdict
from fourfold.runs.changes import mapping, value_of

if TYPE_CHECKING:
    from fourfold.formats.native.record import RunId, RunRecord
    from fourfold.runs.store import Records

ALPHA = 0.05


class MarginMissingError(UsageError):
    """Equivalence without a margin means nothing."""

    code = "margin-missing"
    default_hint = "say which difference of the metric would not matter, before the run: --margin 0.01"


def check_margin(margin: float | None) -> float:
    """The margin, when it is one.

    Raises:
        MarginMissingError: there is none, or it is not a finite number above zero.
    """
    if margin is None or not math.isfinite(margin) or margin <= 0.0:
        said = "" if margin is None else f", not {margin}"
        raise MarginMissingError(f"a statistical verdict needs a margin above zero{said}")
    return margin


def metric_of(record: "RunRecord", records: "Records", name: str) -> tuple[str, float]:
    """The metric that a user means and its recorded value: ``FILE:NAME``, or NAME; "" for the only one.

    Raises:
        MetricNotFoundError, MetricAmbiguousError: none is meant, or several.
    """
    known = metrics_of(record, records.part)
    if not name and len(known) == 1:
        return next(iter(known.items()))
    if not name and known:
        raise MetricAmbiguousError(
            f"the run has {len(known)} metrics, and none was named",
            hint=f"--metric, one of: {', '.join(sorted(known)[:8])}",
        )
    _, found = one_metric({record.stage: known}, name, record.stage)
    return found, known[found]


def comparable_runs(
    records: "Records", run: "RunId", record: "RunRecord", metric: str
) -> dict["RunId", float]:
    """The metric of every recorded run that differs from one in its seed at most, itself with them."""
    wanted = _key(run, record, records)
    found = {}
    for summary in records.summaries():
        if summary.kind == "replay" or (summary.stage, summary.state) != (record.stage, "succeeded"):
            continue
        with suppress(FourfoldError):  # one that is damaged is none of them
            other = record if summary.id == run else records.get(summary.id)
            value = metrics_of(other, records.part).get(metric)
            if value is not None and _key(summary.id, other, records) == wanted:
                found[summary.id] = value
    return found


def sample(records: "Records", run: "RunId", record: "RunRecord", metric: str) -> list[float]:
    """What recorded runs like one had of a metric, as a sample: repeats of one value are no more than one.

    Returns:
        One value a seed: the mean of its runs. Where all have one seed, or none, those of all runs; nothing
        where these are equal.
    """
    by_seed: dict[Any, list[float]] = {}
    for name, value in comparable_runs(records, run, record, metric).items():
        other = record if name == run else records.get(name)
        by_seed.setdefault(repr(value_of(other.randomness, "seed")), []).append(value)
    if len(by_seed) > 1:
        return [math.fsum(values) / len(values) for values in by_seed.values()]
    found = next(iter(by_seed.values()), [])
    return found if len(set(found)) > 1 else []


def _key(run: "RunId", record: "RunRecord", records: "Records") -> tuple[str, ...]:
    """What decides a result besides its seed."""
    asked = mapping(mapping(value_of(record.randomness, "numerics")).get("asked"))
    drawn = (str(value_of(record.randomness, "determinism")), *map(repr, sorted(asked.items())))
    key = key_of(Lineage((Step(run, record, {}),)), records.part)
    return (*(key._replace(randomness="") if key.knows("randomness") else key), *drawn)


def judge(
    metric: str,
    margin: float,
    against: str,
    before: Sequence[float],
    after: Sequence[float],
    seeds: Sequence[int],
    alpha: float = ALPHA,
) -> MetricVerdict:
    """What the test says of the values of then and of now.

    Args:
        metric: ``FILE:NAME``.
        margin: As declared.
        against: What then is; see above. Of ``recorded environment`` the values are pairs.
        before: Values of then.
        after: Values of now.
        seeds: Of now; empty without.
        alpha: The chance to call equivalent what is not.
    """
    found = _test(margin, against, before, after, alpha)
    if found is None:
        answer: Any = "inconclusive"
        middle = math.fsum(after) / len(after) - math.fsum(before) / len(before) if after else None
        return MetricVerdict(
            metric, margin, alpha, against, tuple(before), tuple(after), tuple(seeds),
            middle, None, None, None, None, FEWEST_PAIRS, answer,
        )  # fmt: skip
    apart = abs(found.difference)
    enough = found.n >= FEWEST_PAIRS
    certain = found.answer == "equivalent" and enough
    needed = found.n if certain else tost_needed(found.spread, margin, apart, alpha=alpha)
    return MetricVerdict(
        metric,
        margin,
        alpha,
        against,
        tuple(before),
        tuple(after),
        tuple(seeds),
        found.difference,
        (found.interval.low, found.interval.high),
        found.p,
        found.spread,
        tost_power(found.n, found.spread, margin, min(apart, margin), alpha),
        needed if needed is None else max(needed, FEWEST_PAIRS),
        found.answer if enough else "inconclusive",
    )


def _test(
    margin: float, against: str, before: Sequence[float], after: Sequence[float], alpha: float
) -> Equivalence | None:
    if len(after) < 2:
        return None
    if against == "recorded value":
        return tost_paired([before[0]] * len(after), after, margin, alpha)
    if against == "recorded environment":
        return tost_paired(before, after, margin, alpha)
    return tost_welch(before, after, margin, alpha) if len(before) > 1 else None


def described(found: MetricVerdict) -> str:
    """The finding in a sentence."""
    count = len(found.after)
    what = f"{found.metric} of {count} {'seeds' if found.seeds else 'repeats'} against the {found.against}"
    if found.interval is None or found.difference is None:
        return f"{what}: {count} value(s) say nothing; {FEWEST_PAIRS} or more are needed"
    low, high = found.interval
    level = round(100 * (1 - 2 * found.alpha))
    said = f"{what}: {found.difference:+.4g}, {level} % interval {low:+.4g} to {high:+.4g}"
    if found.answer == "equivalent":
        return f"{said}, within the margin of {found.margin:g}"
    if found.answer == "different":
        return f"{said}, outside of the margin of {found.margin:g}"
    if count < FEWEST_PAIRS:
        return f"{said}; fewer than {FEWEST_PAIRS} certify nothing"
    more = f"about {found.needed} would be needed" if found.needed else "it is as large as the margin itself"
    return f"{said}, margin {found.margin:g}: it can be neither; {more}"
