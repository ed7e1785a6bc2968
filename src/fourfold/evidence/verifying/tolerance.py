"""Tolerances from a run's own repeats, never guessed: the noise floor of each leaf, and what is noise above.

The *floor* of a leaf is the largest distance between two of K repeats. The rule for the next one:
were a value normal, with K seen and their range R, the next lies within

    R * t(1 - risk / 2, K - 1) / 2 * sqrt((K + 1) / (K - 1))

of the nearest of them, but for the chance ``risk``: Student's prediction interval, with the deviation bounded
by the range (Popoviciu 1935), so that the true chance is smaller. That factor stands before the floors of the
absolute and of the relative distance; both must hold. Two repeats say little, and their factor is large; ten
are nearly the range itself. One repeat has no floor. Repeats that are all the same have floor 0: then nothing
is noise, and any distance is a difference.
"""

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

from fourfold.evidence.statistics.distributions import t_quantile
from fourfold.formats.likeness.model import Leaf
from fourfold.formats.likeness.tensors import Distance, distance

#: The chance that the next repeat of the same is found different, by leaf.
RISK = 0.01
#: Fewer repeats have no floor.
FEWEST = 2


class Tolerance(NamedTuple):
    """How far apart two values of a leaf may be.

    Attributes:
        repeats: How many it is from.
        factor: How many times the floor is still noise.
        floor: The largest absolute and relative distance between repeats.
    """

    repeats: int
    factor: float
    floor: tuple[float, float]

    @property
    def bounds(self) -> tuple[float, float]:
        """The largest absolute and relative distance that is still noise."""
        absolute, relative = (self.factor * each if each else 0.0 for each in self.floor)
        return absolute, relative

    def covers(self, found: Distance) -> bool:
        """Whether a distance is noise."""
        absolute, relative = self.bounds
        # A NaN against a number is infinitely far, and never noise: not even where repeats do so.
        return math.isfinite(found.absolute) and found.absolute <= absolute and found.relative <= relative


def factor(repeats: int, risk: float = RISK) -> float:
    """How many times the largest distance among so many repeats the next one may be off; see above."""
    if repeats < FEWEST:
        return math.inf
    return t_quantile(1.0 - risk / 2.0, repeats - 1) / 2.0 * math.sqrt((repeats + 1) / (repeats - 1))


def calibrate(repeats: Sequence[Leaf], risk: float = RISK) -> Tolerance | None:
    """The tolerance of a leaf by its repeats.

    Returns:
        None where there is no floor: fewer than two repeats, of other shapes or types, or without numbers.
    """
    first = repeats[0] if repeats else None
    if first is None or len(repeats) < FEWEST:
        return None
    if any(leaf.numbers is None or leaf[:3] != first[:3] for leaf in repeats):
        return None
    largest = (0.0, 0.0)
    for one, other in itertools.combinations(repeats, 2):
        if one.digest != other.digest:
            found = distance(one, other)
            largest = max(largest[0], found.absolute), max(largest[1], found.relative)
    return Tolerance(len(repeats), factor(len(repeats), risk), largest)


def nearest(before: Leaf, repeats: Sequence[Leaf]) -> tuple[Distance, Leaf] | None:
    """The distance of a leaf to the repeat that is nearest to it, and that; None where none is."""
    found = [
        (distance(before, leaf), leaf)
        for leaf in repeats
        if leaf.numbers is not None and before.numbers is not None and leaf.shape == before.shape
    ]
    return min(found, key=lambda each: each[0][2:4], default=None)
