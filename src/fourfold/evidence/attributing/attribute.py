"""Attribution: how much of the change of a metric each of the things that moved caused.

At most three moved: all their combinations are measured, and each gets its Shapley value, which sum to the
whole. More: each is measured alone in both directions, and what is left over is interaction. Where all of
them together do not make the second result of the first, there is a rest that they do not explain. What
repeats of the first result scatter is noise; an effect within it is called noise, and nothing is blamed for
it. How a combination is run, or known without, is `hybrids`.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any, Literal, NamedTuple

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
#: *caused*: it is more than noise, and shared out. *noise*: neither the whole nor any effect is more.
#: *cancelled*: the whole is no more, and effects are, which stand against each other. *unknown*: nothing was
#: repeated, so that nobody knows how much is noise.
Verdict = Literal["caused", "noise", "cancelled", "unknown"]
#: So many equal measurements say that nothing scatters.
_STEADY = 3
#: Numbers that should be equal are, when they differ by no more than so much of themselves.
_EXACT = 1e-9


class NothingMovedError(ConflictError):
    """Nothing that is recorded differs between two results: there is nothing to attribute to."""

    code = "nothing-to-attribute"


class NotMeasuredError(NotFoundError):
    """One of the two results has not the metric."""

    code = "metric-not-measured"
    default_hint = "name a metric that both have, or run the pipeline of the one that lacks it"


class Effect(NamedTuple):
    """What one thing that moved did.

    Attributes:
        factor: A word of `parting.FACTORS`.
        value: How far it moved the metric; None where that could not be measured.
        low: The interval of that, for the noise; None where the noise is not known.
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

    def reach(self, weight: float = 2.0) -> float | None:
        """Half an interval around a sum of measurements, that of a difference when nothing else is said.

        Args:
            weight: How many times the variance of one measurement the sum has.

        Returns:
            None where the noise is not known.
        """
        if self.spread is None:
            return None
        df = len(self.repeats) - 1
        return t_quantile(0.5 + LEVEL / 2, df) * self.spread * math.sqrt(weight) if self.spread else 0.0


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
        whole: Whether all combinations were measured; else each thing alone.
        rest: How far the second result is from all that moved put on the first: what none of it explains.
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
    whole: bool = True
    rest: float = 0.0

    @property
    def change(self) -> float:
        """The whole change."""
        return self.after - self.before

    @property
    def is_small(self) -> bool:
        """Whether the whole change is no more than noise, or none: then there is nothing to share out."""
        return abs(self.change) <= max(self.noise.reach() or 0.0, _rounding(self.before, self.after))

    @property
    def verdict(self) -> Verdict:
        """What can be said of the change, see `Verdict`."""
        if self.is_small:
            moved = any(effect.value is not None and not effect.is_noise for effect in self.effects)
            return "cancelled" if (moved or self.is_partial) and self.noise.spread is not None else "noise"
        return "unknown" if self.noise.spread is None else "caused"

    @property
    def interacts(self) -> bool:
        """Whether effects do not add up, by more than noise; not where nobody knows."""
        if self.interaction is None or self.verdict not in {"caused", "cancelled"}:
            return False
        scale = max([abs(self.change), *(abs(effect.value or 0.0) for effect in self.effects)])
        reach = self.noise.reach(left_over(len(self.effects), whole=self.whole)) or 0.0
        return abs(self.interaction) > max(reach, 0.05 * scale)

    @property
    def is_partial(self) -> bool:
        """Whether something else did a part of it, more than noise."""
        least = max(self.noise.reach() or 0.0, _rounding(self.before, self.after))
        return self.noise.spread is not None and abs(self.rest) > least

    def share(self, effect: Effect) -> float | None:
        """The share of the whole change, below zero where it worked against that; None where not known."""
        if effect.value is None or self.is_small or self.noise.spread is None:
            return None
        return effect.value / self.change

    def document(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            "metric": self.metric,
            "before": self.before,
            "after": self.after,
            "change": self.change,
            "verdict": self.verdict,
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
            "rest": self.rest,
            "partial": self.is_partial,
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
    # All of these together: if that is not the second result, something else did a part.
    together = bench.value(factors)
    end = after if together is None else together
    values, interaction = (shapley if whole else one_at_a_time)(bench.value, factors, before, end)
    reach, least = noise.reach(), _rounding(before, after)
    values = {
        name: 0.0 if value is not None and abs(value) <= least else value for name, value in values.items()
    }
    effects = [
        Effect(
            name,
            value,
            None if value is None or reach is None else value - reach,
            None if value is None or reach is None else value + reach,
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
        whole,
        after - end,
    )


def _rounding(*values: float) -> float:
    """What numbers of this size may differ by and be equal."""
    return _EXACT * max(map(abs, values))


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
        """How far the first result scatters, by other seeds where these may differ, else by plain repeats."""
        if other_seeds:
            found = self._repeated(
                repeats, lambda at: self._laboratory.measure(Choice(), seed=_seed(base, at))
            )
            if len(found) > 1 or repeats < 2:
                return _noise(found, "seeds")
        # Nobody can write another seed there, perhaps: the same one tells a part.
        return _noise(
            self._repeated(repeats, lambda at: self._laboratory.measure(Choice(), repeat=at)), "runs"
        )

    def _repeated(self, repeats: int, measure: Callable[[int], Measured]) -> list[float]:
        values = [self.must(Choice())]
        for at in range(1, repeats):
            value = self._take(measure(at))
            if value is None:
                break
            values.append(value)
            if len(values) == _STEADY and len(set(values)) == 1:
                break
        return values


def _noise(values: Sequence[float], kind: str) -> Noise:
    spread = math.sqrt(variance(values)) if len(values) > 1 else None
    return Noise(spread, tuple(values), kind)


def _seed(base: str, at: int) -> int:
    return int(digest(f"{base} attribution {at}".encode())[:8], 16) % 2**31


Value = Callable[[Iterable[str]], float | None]


def left_over(count: int, *, whole: bool) -> float:
    """How many times the variance of one measurement the interaction of so many things has.

    Args:
        count: How many moved.
        whole: Whether all combinations were measured (`shapley`), or each thing alone (`one_at_a_time`).
    """
    if whole:  # the last, each alone, and the first so often that they sum to nothing
        return 1.0 + count + (count - 1) ** 2
    return 2.0 * (1.0 - count / 2.0) ** 2 + count / 2.0


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
