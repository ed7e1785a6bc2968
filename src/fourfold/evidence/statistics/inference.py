"""Tests, intervals and searches that verdicts rest on; pure: numbers in, numbers out, seeds are parameters.

Each says where it is from. What is compared, and what follows for a verdict, is the caller's; distribution
functions are `distributions`, decisions made one value at a time `sequential`.
"""

import math
import random
from collections.abc import Callable, Iterable, Sequence
from itertools import product
from typing import Literal, NamedTuple

from fourfold.base.errors import UsageError
from fourfold.evidence.statistics.distributions import (
    chi2_upper,
    kolmogorov_upper,
    normal_cdf,
    normal_quantile,
    t_quantile,
    t_upper,
)

#: Fewer pairs than these never certify that two things are equivalent.
FEWEST_PAIRS = 6
#: Sign flips up to so many are all tried; two samples up to so many cells are compared exactly.
_ALL_FLIPS = 1 << 14
_EXACT_CELLS = 250_000


class TooFewValuesError(UsageError):
    """A test was asked of fewer values than it needs."""

    code = "too-few-values"


class Interval(NamedTuple):
    """A confidence interval: its ends, and its level (0.95)."""

    low: float
    high: float
    level: float


class Equivalence(NamedTuple):
    """What two one-sided tests say about a difference.

    Attributes:
        difference: Mean of the second less mean of the first.
        margin: What counts as no difference: below it, in either direction.
        interval: Of the difference, of level 1 - 2 alpha: equivalent when it lies within the margin.
        p: The larger of both tests; equivalent when it is below alpha.
        answer: ``equivalent``; ``different``: the whole interval lies outside of the margin;
            ``inconclusive``: neither.
        spread: Standard deviation of the differences (pairs) or standard error times root n (two samples).
        n: Pairs, or values of the smaller sample.
        df: Degrees of freedom.
    """

    difference: float
    margin: float
    interval: Interval
    p: float
    answer: Literal["equivalent", "different", "inconclusive"]
    spread: float
    n: int
    df: float


class Tested(NamedTuple):
    """A test: its statistic, its p value, how that was had (``exact``, ``asymptotic``, ``chi squared``)."""

    statistic: float
    p: float
    how: str
    df: float = 0.0


# -- means ------------------------------------------------------------------


def mean(values: Sequence[float]) -> float:
    """The mean, its sum exactly rounded.

    Raises:
        TooFewValuesError: there is no value.
    """
    _at_least(1, values)
    return math.fsum(values) / len(values)


def variance(values: Sequence[float]) -> float:
    """The sample variance (divided by n - 1), in two passes.

    Raises:
        TooFewValuesError: there are fewer than two values.
    """
    _at_least(2, values)
    middle = mean(values)
    return math.fsum((value - middle) ** 2 for value in values) / (len(values) - 1)


def mean_interval(values: Sequence[float], level: float = 0.95) -> Interval:
    """The confidence interval of a mean by Student's t (Student 1908).

    Raises:
        TooFewValuesError: there are fewer than two values.
    """
    error = math.sqrt(variance(values) / len(values))
    return _interval(mean(values), error, len(values) - 1, level)


def difference_interval(a: Sequence[float], b: Sequence[float], level: float = 0.95) -> Interval:
    """The confidence interval of mean(b) - mean(a), variances unequal (Welch 1947).

    Raises:
        TooFewValuesError: a sample has fewer than two values.
    """
    error, df = _welch(a, b)
    return _interval(mean(b) - mean(a), error, df, level)


def _interval(middle: float, error: float, df: float, level: float) -> Interval:
    reach = error * t_quantile(0.5 + level / 2.0, df) if error else 0.0
    return Interval(middle - reach, middle + reach, level)


def _welch(a: Sequence[float], b: Sequence[float]) -> tuple[float, float]:
    """Standard error of the difference, and degrees of freedom (Satterthwaite 1946)."""
    first, second = variance(a) / len(a), variance(b) / len(b)
    both = first + second
    if both == 0.0:
        return 0.0, float(len(a) + len(b) - 2)
    df = both * both / (first * first / (len(a) - 1) + second * second / (len(b) - 1))
    return math.sqrt(both), df


def _at_least(least: int, *samples: Sequence[float]) -> None:
    for sample in samples:
        if len(sample) < least:
            message = f"{len(sample)} value(s), and this needs {least} or more"
            raise TooFewValuesError(message, hint="repeat the run more often")


# -- equivalence ------------------------------------------------------------


def tost_paired(
    before: Sequence[float], after: Sequence[float], margin: float, alpha: float = 0.05
) -> Equivalence:
    """Two one-sided t tests on paired differences (Schuirmann 1987).

    Pairs that all differ by the same have no spread, and the difference itself decides.

    Raises:
        TooFewValuesError: there are fewer than two pairs.
        UsageError: the samples are not of one length, or the margin is not above zero.
    """
    if len(before) != len(after):
        raise UsageError(f"pairs need as many values on both sides, not {len(before)} and {len(after)}")
    differences = [second - first for first, second in zip(before, after, strict=True)]
    spread = math.sqrt(variance(differences))
    n = len(differences)
    return _tost(mean(differences), spread / math.sqrt(n), n - 1, margin, alpha, spread, n)


def tost_welch(a: Sequence[float], b: Sequence[float], margin: float, alpha: float = 0.05) -> Equivalence:
    """Two one-sided tests on two samples of unequal variance (Schuirmann 1987, Welch 1947).

    Raises:
        TooFewValuesError: a sample has fewer than two values.
        UsageError: the margin is not above zero.
    """
    error, df = _welch(a, b)
    n = min(len(a), len(b))
    return _tost(mean(b) - mean(a), error, df, margin, alpha, error * math.sqrt(n), n)


def _tost(
    difference: float, error: float, df: float, margin: float, alpha: float, spread: float, n: int
) -> Equivalence:
    if not margin > 0.0 or not math.isfinite(margin):
        raise UsageError(f"a margin is a number above zero, not {margin!r}")
    interval = _interval(difference, error, df, 1.0 - 2.0 * alpha)
    if error:
        p = max(t_upper((difference + margin) / error, df), t_upper((margin - difference) / error, df))
    else:
        p = 0.0 if abs(difference) < margin else 1.0
    answer: Literal["equivalent", "different", "inconclusive"] = "inconclusive"
    if p < alpha:
        answer = "equivalent"
    elif interval.low > margin or interval.high < -margin:
        answer = "different"
    return Equivalence(difference, margin, interval, p, answer, spread, n, df)


def tost_power(n: int, spread: float, margin: float, difference: float = 0.0, alpha: float = 0.05) -> float:
    """The chance that ``n`` pairs are found equivalent, when they are ``difference`` apart in truth.

    Exact: the normal chance given the standard deviation, averaged over its chi distribution (Owen 1965,
    Phillips 1990), by Simpson's rule.
    """
    if n < 2:
        return 0.0
    if spread <= 0.0:
        return 1.0 if abs(difference) < margin else 0.0
    df = n - 1
    error = spread / math.sqrt(n)
    critical = t_quantile(1.0 - alpha, df)
    log_scale = math.log(2.0) + 0.5 * df * math.log(0.5 * df) - math.lgamma(0.5 * df)

    def weighed(ratio: float) -> float:
        # ratio: the sample's deviation over the true one, whose square times df is chi squared.
        reach = margin / error - critical * ratio
        if ratio <= 0.0 or reach <= 0.0:
            return 0.0
        chance = normal_cdf(reach - difference / error) - normal_cdf(-reach - difference / error)
        return chance * math.exp(log_scale + (df - 1) * math.log(ratio) - 0.5 * df * ratio * ratio)

    # Beyond these the density is nothing, and no sample passes when its deviation is above the first.
    top = min(margin / error / critical, 1.0 + 12.0 / math.sqrt(2.0 * df))
    steps = 400
    width = top / steps
    total = math.fsum(
        (1 if k in (0, steps) else 4 if k % 2 else 2) * weighed(k * width or 1e-12) for k in range(steps + 1)
    )
    return min(1.0, max(0.0, total * width / 3.0))


def tost_needed(
    spread: float,
    margin: float,
    difference: float = 0.0,
    power: float = 0.8,
    alpha: float = 0.05,
    at_most: int = 100_000,
) -> int | None:
    """How many pairs find them equivalent with a chance of ``power``; None when more than ``at_most``."""
    if abs(difference) >= margin:
        return None
    low, high = FEWEST_PAIRS - 1, FEWEST_PAIRS
    while tost_power(high, spread, margin, difference, alpha) < power:
        low, high = high, high * 2
        if high > at_most:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        if tost_power(middle, spread, margin, difference, alpha) < power:
            low = middle
        else:
            high = middle
    return high


# -- without a distribution -------------------------------------------------


def sign_flip(differences: Sequence[float], draws: int = 10_000, seed: int = 0) -> float:
    """Two-sided p value that paired differences are symmetric around zero (Fisher 1935).

    All flips where they are few; else random ones, counted with the observed one (Phipson and Smyth 2010), so
    that the value is never too small.

    Raises:
        TooFewValuesError: there is no difference.
    """
    _at_least(1, differences)
    sizes = [abs(each) for each in differences]
    observed = abs(math.fsum(differences)) * (1.0 - 1e-12)
    if 1 << len(sizes) <= _ALL_FLIPS:
        signs: Iterable[Sequence[int]] = product((1, -1), repeat=len(sizes))
        reached = [_flipped(sizes, each) >= observed for each in signs]
        return sum(reached) / len(reached)
    rng = random.Random(seed)  # noqa: S311 - for draws, and repeatable
    found = sum(_flipped(sizes, rng.choices((1, -1), k=len(sizes))) >= observed for _ in range(draws))
    return (found + 1) / (draws + 1)


def _flipped(sizes: Sequence[float], signs: Sequence[int]) -> float:
    return abs(math.fsum(size * sign for size, sign in zip(sizes, signs, strict=True)))


def bootstrap_bca(
    values: Sequence[float],
    statistic: Callable[[Sequence[float]], float] = mean,
    level: float = 0.95,
    draws: int = 2000,
    seed: int = 0,
) -> Interval:
    """The bias-corrected and accelerated bootstrap interval (Efron 1987).

    Raises:
        TooFewValuesError: there are fewer than two values.
    """
    _at_least(2, values)
    rng = random.Random(seed)  # noqa: S311 - for draws, and repeatable
    n, observed = len(values), statistic(values)
    found = sorted(statistic(rng.choices(values, k=n)) for _ in range(draws))
    if found[0] == found[-1]:
        return Interval(found[0], found[-1], level)
    below = sum(each < observed for each in found) + 0.5 * sum(each == observed for each in found)
    bias = normal_quantile(min(max(below / draws, 0.5 / draws), 1.0 - 0.5 / draws))
    without = [statistic([*values[:k], *values[k + 1 :]]) for k in range(n)]
    middle = mean(without)
    cubes = math.fsum((middle - each) ** 3 for each in without)
    squares = math.fsum((middle - each) ** 2 for each in without)
    acceleration = cubes / (6.0 * squares**1.5) if squares else 0.0

    def end(p: float) -> float:
        moved = bias + normal_quantile(p)
        place = normal_cdf(bias + moved / (1.0 - acceleration * moved))
        return found[min(draws - 1, max(0, math.ceil(place * draws) - 1))]

    return Interval(end((1.0 - level) / 2.0), end((1.0 + level) / 2.0), level)


# -- many tests at once -----------------------------------------------------


def holm(p_values: Sequence[float]) -> list[float]:
    """P values adjusted so that the chance of any false one stays below the level (Holm 1979)."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted, reached = [0.0] * len(order), 0.0
    for rank, at in enumerate(order):
        reached = max(reached, min(1.0, (len(order) - rank) * p_values[at]))
        adjusted[at] = reached
    return adjusted


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """P values adjusted so that the share of false ones stays below the level (Benjamini, Hochberg 1995)."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted, reached = [0.0] * len(order), 1.0
    for rank in range(len(order), 0, -1):
        at = order[rank - 1]
        reached = min(reached, len(order) / rank * p_values[at])
        adjusted[at] = reached
    return adjusted


# -- two distributions ------------------------------------------------------


def ks_two_sample(a: Sequence[float], b: Sequence[float]) -> Tested:
    """The test of Kolmogorov and Smirnov that two samples are of one distribution, two-sided.

    Small samples exactly (paths in a lattice, Hodges 1958; with ties on the safe side), large ones by the
    limit. NaN is left out by the caller.

    Raises:
        TooFewValuesError: a sample is empty.
    """
    _at_least(1, a, b)
    n, m = len(a), len(b)
    first, second = sorted(a), sorted(b)
    i = j = gap = 0
    while i < n and j < m:
        value = min(first[i], second[j])
        while i < n and first[i] == value:
            i += 1
        while j < m and second[j] == value:
            j += 1
        # In units of 1 / (n m): whole numbers, so that the exact form compares without rounding.
        gap = max(gap, abs(i * m - j * n))
    statistic = gap / (n * m)
    if n * m <= _EXACT_CELLS:
        return Tested(statistic, _ks_exact(n, m, gap), "exact")
    return Tested(statistic, kolmogorov_upper(statistic * math.sqrt(n * m / (n + m))), "asymptotic")


def _ks_exact(n: int, m: int, gap: int) -> float:
    """The chance that a random path from (0, 0) to (n, m) gets as far from the diagonal as ``gap``."""
    # stays[j]: chance of a path to (i, j), each order of the values alike, that has not yet been so far.
    if gap == 0:
        return 1.0
    stays = [1.0] * (m + 1)
    for j in range(1, m + 1):
        stays[j] = stays[j - 1] if j * n < gap else 0.0
    for i in range(1, n + 1):
        stays[0] = stays[0] if i * m < gap else 0.0
        for j in range(1, m + 1):
            if abs(i * m - j * n) < gap:
                stays[j] = (stays[j] * i + stays[j - 1] * j) / (i + j)
            else:
                stays[j] = 0.0
    return min(1.0, max(0.0, 1.0 - stays[m]))


def psi(before: Sequence[float], after: Sequence[float]) -> float:
    """The population stability index of two counts over the same bins (symmetric divergence of Jeffreys).

    Empty bins count as half of one, so that the index stays finite.

    Raises:
        UsageError: the bins are not the same number.
    """
    if len(before) != len(after):
        raise UsageError(f"a stability index needs the same bins, not {len(before)} and {len(after)}")
    first, second = ([count or 0.5 for count in counts] for counts in (before, after))
    p, q = ([count / math.fsum(counts) for count in counts] for counts in (first, second))
    return math.fsum((y - x) * math.log(y / x) for x, y in zip(p, q, strict=True))


def chi_squared(table: Sequence[Sequence[float]]) -> Tested:
    """Pearson's chi squared test that rows and columns of counts are independent (Pearson 1900).

    Rows and columns without a count are left out; a table of one row or column has nothing to test: p is 1.
    """
    rows = [math.fsum(row) for row in table]
    columns = [math.fsum(column) for column in zip(*table, strict=True)]
    total = math.fsum(rows)
    df = (sum(row > 0 for row in rows) - 1) * (sum(column > 0 for column in columns) - 1)
    if df <= 0:
        return Tested(0.0, 1.0, "chi squared")
    statistic = math.fsum(
        (count - rows[i] * columns[j] / total) ** 2 / (rows[i] * columns[j] / total)
        for i, row in enumerate(table)
        for j, count in enumerate(row)
        if rows[i] > 0 and columns[j] > 0
    )
    return Tested(statistic, chi2_upper(statistic, df), "chi squared", df)
