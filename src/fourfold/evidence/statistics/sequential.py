"""Decisions made one observation at a time: binary search with noise.

Pure: nothing is run here. Who probes is `bisect`.
"""

import math
from collections.abc import Collection, Sequence
from typing import NamedTuple

from fourfold.base.errors import UsageError


def normal_log_ratio(value: float, first: float, second: float, spread: float) -> float:
    """Gives log P(value | mean ``second``) - log P(value | mean ``first``), both normal with one deviation.

    Raises:
        UsageError: the deviation is not above zero.
    """
    if not spread > 0.0:
        raise UsageError(f"a deviation is a number above zero, not {spread!r}")
    return ((value - first) ** 2 - (value - second) ** 2) / (2.0 * spread * spread)


class Likely(NamedTuple):
    """The state that is first bad most likely: its index, and the chance that it is."""

    state: int
    confidence: float


class NoisySearch:
    """Which of ordered states is the first bad one, when what a probe says may be wrong.

    The posterior over the first bad state is kept, and the state is probed that parts it most evenly
    (Horstein 1963; Burnashev and Zigangirov 1974). A state may be probed again, and is, when its
    answers are in doubt. With answers that are certain it is plain binary search.

    Args:
        states: How many there are. State 0 is good, the last is bad: these two are known.
        good: Mean of the metric where it is good; for `tell_value` only.
        bad: Mean where it is bad.
        spread: Standard deviation of one measurement.
        prior: Weight of each state to be the first bad one, the same for all when None; that of state 0 does
            not count.

    Raises:
        UsageError: there are fewer than two states, or the prior does not fit.
    """

    def __init__(
        self,
        states: int,
        *,
        good: float = 0.0,
        bad: float = 1.0,
        spread: float = 0.0,
        prior: Sequence[float] | None = None,
    ) -> None:
        if states < 2:
            raise UsageError(f"a search needs a good state and a bad one, not {states}")
        weights = list(prior) if prior is not None else [1.0] * states
        if len(weights) != states or min(weights) < 0.0 or not sum(weights[1:]) > 0.0:
            raise UsageError("a prior has a weight for each state, none below zero")
        self._logs = [-math.inf, *(math.log(weight) if weight else -math.inf for weight in weights[1:])]
        self._good, self._bad, self._spread = good, bad, spread
        self.probes: list[int] = []

    def posterior(self) -> list[float]:
        """The chance of each state to be the first bad one; they sum to one."""
        top = max(self._logs)
        weights = [math.exp(each - top) for each in self._logs]
        total = math.fsum(weights)
        return [weight / total for weight in weights]

    def best(self) -> Likely:
        """The likeliest first bad state and the confidence in it; the earlier one of two alike."""
        chances = self.posterior()
        state = max(range(len(chances)), key=lambda at: (chances[at], -at))
        return Likely(state, chances[state])

    def next(self, but: Collection[int] = ()) -> int | None:
        """The state to probe: that whose chance to be bad is nearest to a half; None when all is certain.

        Neither the first nor the last is ever given: they are known.

        Args:
            but: States that cannot be probed.
        """
        chances = self.posterior()
        found, nearest, reached = None, 0.5, 0.0
        for state in range(1, len(chances) - 1):
            reached += chances[state]
            if abs(reached - 0.5) < nearest and state not in but:
                found, nearest = state, abs(reached - 0.5)
        return found

    def done(self, confidence: float) -> bool:
        """Whether the likeliest state is so with at least this confidence."""
        return self.best().confidence >= confidence or self.next() is None

    def tell(self, state: int, log_ratio: float) -> None:
        """Take in a probe: log P(what was seen | the state is bad) - log P(it | the state is good).

        Infinite ones are certain answers.

        Raises:
            UsageError: what is told contradicts what is certain, or there is no such state.
        """
        if not 0 <= state < len(self._logs):
            raise UsageError(f"there is no state {state}")
        if math.isinf(log_ratio):
            keep = range(state + 1) if log_ratio > 0 else range(state + 1, len(self._logs))
            logs = [each if at in keep else -math.inf for at, each in enumerate(self._logs)]
        else:
            # Half to each side: only the difference counts, and the logs stay small.
            logs = [
                each + (log_ratio if at <= state else -log_ratio) / 2.0 for at, each in enumerate(self._logs)
            ]
        top = max(logs)
        if top == -math.inf:
            raise UsageError(f"state {state} cannot be so: it contradicts what is known")
        self._logs = [each - top for each in logs]
        self.probes.append(state)

    def tell_value(self, state: int, value: float) -> None:
        """Take in a measurement of the metric at a state.

        With a spread of zero the value says for certain which side it is on: the nearer one.

        Raises:
            UsageError: as for `tell`.
        """
        if self._spread > 0.0:
            self.tell(state, normal_log_ratio(value, self._good, self._bad, self._spread))
        else:
            nearer_bad = abs(value - self._bad) < abs(value - self._good)
            self.tell(state, math.inf if nearer_bad else -math.inf)
