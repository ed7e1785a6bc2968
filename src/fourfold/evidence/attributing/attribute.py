"""Attribution: how much of the change of a metric each of the things that moved caused.

At most three moved: all their combinations are measured, and each gets its Shapley value, which sum to the
whole. More: each is measured alone in both directions, and what is left over is interaction. What repeats of
the first result scatter is noise; an effect within it is called noise, and nothing is blamed for it. How a
combination is run, or known without, is `hybrids`.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

from fourfold.base.errors import ConflictError, NotFoundError
from fourfold.evidence.attributing.hybrids import Choice, Laboratory, Measured
from fourfold.evidence.explaining.explanation import Cause, Explanation
from fourfold.evidence.explaining.ranking import kind_of
from fourfold.evidence.lineage import Lineage
from fourfold.evidence.parting import FACTORS, seed_parameter
from fourfold.evidence.statistics.distributions import t_quantile
from fourfold.evidence.statistics.inference import variance
from fourfold.formats.native.canonical import digest

#: All combinations are measured of so many things that moved.
MOST_WHOLE = 3
#: The intervals hold the effect in so many of a hundred cases.
LEVEL = 0.95
#: So many equal measurements, of the same seed and another one, say that nothing scatters.
_STEADY = 3
#: Numbers that should be equal are, when they differ by no more than so much of themselves.
_EXACT = 1e-9


class NothingMovedError(ConflictError):
    """Nothing that is recorded differs between two results: there is nothing to attribute to."""

    code = "nothing-to-attribute"


class NotMeasuredError(NotFoundError):
    """One of the two results has not the metric."""

    code = "metric-not-measured"


class Effect(NamedTuple):
    """What one thing that moved did.

    Attributes:
        factor: A word of `parting.FACTORS`.
        value: How far it moved the metric; None where that could not be measured.
        low: The interval of that, for the noise.
        high: Its other end.
        causes: What moved, in words.
        why: Why it could not be measured.
    """

    factor: str
    value: float | None
    low: float | None
    high: float | None
    causes: tuple[str, ...]
    why: str = ""

    @property
    def is_noise(self) -> bool:
        """Whether zero lies within the interval."""
        return self.low is not None and self.high is not None and self.low <= 0 <= self.high


class Noise(NamedTuple):
    """How far the same thing scatters.

    Attributes:
        spread: Standard deviation of one measurement; None where nothing was repeated.
        repeats: The values that were measured, the first result's own among them.
        kind: Of what they are repeats: ``seeds`` (other ones) or ``runs`` (the same).
    """

    spread: float | None
    repeats: tuple[float, ...]
    kind: str

    def reach(self) -> float:
        """Half an interval around the difference of two measurements."""
        if not self.spread or len(self.repeats) < 2:
            return 0.0
        return t_quantile(0.5 + LEVEL / 2, len(self.repeats) - 1) * self.spread * math.sqrt(2)


class Attribution(NamedTuple):
    """The change of a metric, taken apart.

    Attributes:
        metric: ``FILE:NAME``.
        before: In the first result.
        after: In the second.
        effects: The largest first; those that could not be measured last.
        interaction: What the effects, each alone, leave over; None where that is not known.
        noise: The floor.
        executed: Steps that were run.
        free: Steps that records answered.
        problems: Combinations that could not be run, and why.
    """

    metric: str
    before: float
    after: float
    effects: tuple[Effect, ...]
    interaction: float | None
    noise: Noise
    executed: int
    free: int
    problems: tuple[str, ...]

    @property
    def change(self) -> float:
        """The whole change."""
        return self.after - self.before

    @property
    def is_noise(self) -> bool:
        """Whether the whole change is no more than noise."""
        return abs(self.change) <= max(self.noise.reach(), _EXACT * max(abs(self.before), abs(self.after)))

    @property
    def interacts(self) -> bool:
        """Whether effects do not add up, by more than noise."""
        if self.interaction is None or self.is_noise:
            return False
        return abs(self.interaction) > max(self.noise.reach(), 0.05 * abs(self.change))

    def share(self, effect: Effect) -> float | None:
        """The share of the whole change; None where there is none to share."""
        if effect.value is None or self.is_noise or not self.change:
            return None
        return effect.value / self.change

    def document(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            "metric": self.metric,
            "before": self.before,
            "after": self.after,
            "change": self.change,
            "verdict": "noise" if self.is_noise else "caused",
            "effects": [
                {
                    "factor": effect.factor,
                    "effect": effect.value,
                    "share": self.share(effect),
                    "low": effect.low,
                    "high": effect.high,
                    "noise": effect.is_noise,
                    "causes": list(effect.causes),
                    **({"why": effect.why} if effect.why else {}),
                }
                for effect in self.effects
            ],
            "interaction": self.interaction,
            "interacts": self.interacts,
            "noise": {
                "spread": self.noise.spread,
                "values": list(self.noise.repeats),
                "of": self.noise.kind,
                "reach": self.noise.reach(),
            },
            "executed": self.executed,
            "free": self.free,
            "problems": list(self.problems),
        }


def factors_of(explained: Explanation, a: Lineage, b: Lineage) -> dict[str, tuple[Cause, ...]]:
    """The things that moved, with the causes of each, the most suspicious first.

    Args:
        explained: What differs between the two.
        a: The first.
        b: The second.
    """
    seeds = {seed_parameter(step.record) for lineage in (a, b) for step in lineage.steps}
    names = {f"{seed[0]}:{seed[1]}" for seed in seeds if seed is not None}
    found: dict[str, list[Cause]] = {}
    for cause in explained.causes:
        if cause.is_suspect:
            found.setdefault(_factor(cause, names), []).append(cause)
    return {name: tuple(found[name]) for name in FACTORS if name in found}


def _factor(cause: Cause, seeds: set[str]) -> str:
    if cause.change.name in seeds:
        return "randomness"
    return "parameters" if kind_of(cause.change) == "parameter" else cause.coordinate


def attribute(
    laboratory: Laboratory,
    metric: str,
    moved: Mapping[str, Sequence[Cause]],
    *,
    repeats: int = 5,
    base: str = "",
) -> Attribution:
    """Take the change of a metric apart.

    Args:
        laboratory: Of the two results.
        metric: ``FILE:NAME``.
        moved: By factor, from `factors_of`.
        repeats: How many measurements the noise is judged from, the first result's own among them.
        base: What other seeds are derived from: the id of the first run.

    Raises:
        NothingMovedError: nothing moved.
        NotMeasuredError: one of the results has not the metric.
    """
    bench = _Bench(laboratory, metric)
    before, after = (bench.must(Choice.of(which)) for which in ((), FACTORS))
    if not moved:
        raise NothingMovedError(
            "nothing that is recorded differs between the two results",
            hint="repeat one of them to see how far it scatters: ff verify",
        )
    noise = bench.noise(repeats, other_seeds=not laboratory.moved_seed(), base=base)
    factors = list(moved)
    whole = len(factors) <= MOST_WHOLE
    values, interaction = (shapley if whole else one_at_a_time)(bench.value, factors, before, after)
    reach = noise.reach()
    effects = [
        Effect(
            name,
            value,
            None if value is None else value - reach,
            None if value is None else value + reach,
            tuple(dict.fromkeys(cause.change.name for cause in moved[name])),
            "" if value is not None else "the combinations that would tell could not be run",
        )
        for name, value in values.items()
    ]
    effects.sort(key=lambda effect: (effect.value is None, -abs(effect.value or 0.0)))
    return Attribution(
        metric,
        before,
        after,
        tuple(effects),
        interaction,
        noise,
        bench.executed,
        bench.free,
        tuple(dict.fromkeys(bench.problems)),
    )


class _Bench:
    """Measurements of one metric, and what they cost."""

    def __init__(self, laboratory: Laboratory, metric: str) -> None:
        self._laboratory = laboratory
        self._metric = metric
        self._known: dict[Choice, float | None] = {}
        self.executed = self.free = 0
        self.problems: list[str] = []

    def value(self, moved: Iterable[str]) -> float | None:
        """The metric where these are the second result's; None where that cannot be run."""
        return self._of(Choice.of(moved))

    def _of(self, choice: Choice) -> float | None:
        if choice not in self._known:
            self._known[choice] = self._take(self._laboratory.measure(choice))
        return self._known[choice]

    def _take(self, measured: Measured) -> float | None:
        self.executed += measured.executed
        self.free += measured.free
        if measured.why:
            self.problems.append(measured.why)
        return measured.metrics.get(self._metric)

    def must(self, choice: Choice) -> float:
        """The metric of one of the two results."""
        value = self._of(choice)
        if value is None:
            why = f": {self.problems[-1]}" if self.problems else ""
            raise NotMeasuredError(f"{self._metric} of {choice.told()} is not known{why}")
        return value

    def noise(self, repeats: int, *, other_seeds: bool, base: str) -> Noise:
        """How far the first result scatters."""
        values = [self.must(Choice())]
        for at in range(1, repeats):
            # The first repeat has the same seed: it tells what no seed reaches.
            if other_seeds and at > 1:
                measured = self._laboratory.measure(Choice(), seed=_seed(base, at))
            else:
                measured = self._laboratory.measure(Choice(), repeat=at)
            value = self._take(measured)
            if value is None:
                break
            values.append(value)
            if len(values) == _STEADY and len(set(values)) == 1:
                break
        spread = math.sqrt(variance(values)) if len(values) > 1 else None
        return Noise(spread, tuple(values), "seeds" if other_seeds else "runs")


def _seed(base: str, at: int) -> int:
    return int(digest(f"{base} attribution {at}".encode())[:8], 16) % 2**31


Value = Callable[[Iterable[str]], float | None]


def shapley(
    value: Value, factors: Sequence[str], before: float, after: float
) -> tuple[dict[str, float | None], float | None]:
    """Each factor's mean effect over all orders in which they could have moved, as far as these are known."""
    known: dict[frozenset[str], float | None] = {frozenset(): before}
    for size in range(1, len(factors)):
        for chosen in combinations(factors, size):
            known[frozenset(chosen)] = value(chosen)
    known[frozenset(factors)] = after
    found: dict[str, float | None] = {}
    for name in factors:
        rest = [each for each in factors if each != name]
        total = weights = 0.0
        for size in range(len(rest) + 1):
            for chosen in combinations(rest, size):
                one, other = known[frozenset(chosen)], known[frozenset((*chosen, name))]
                weight = 1 / math.comb(len(rest), size)
                if one is not None and other is not None:
                    total += weight * (other - one)
                    weights += weight
        found[name] = total / weights if weights else None
    alone = [known[frozenset((name,))] for name in factors]
    if len(factors) == 1:
        return found, 0.0
    if None in alone:
        return found, None
    return found, (after - before) - sum(each - before for each in alone if each is not None)


def one_at_a_time(
    value: Value, factors: Sequence[str], before: float, after: float
) -> tuple[dict[str, float | None], float | None]:
    """Each factor alone: moved from the first result, and taken back from the second."""
    found: dict[str, float | None] = {}
    for name in factors:
        there, back = value((name,)), value([each for each in factors if each != name])
        steps = [
            step
            for step in (
                there - before if there is not None else None,
                after - back if back is not None else None,
            )
            if step is not None
        ]
        found[name] = sum(steps) / len(steps) if steps else None
    if None in found.values():
        return found, None
    return found, (after - before) - sum(each for each in found.values() if each is not None)
