"""Tests and intervals that verdicts rest on; pure: numbers in, numbers out.

Each says where it is from. What is compared, and what follows for a verdict, is the caller's; distribution
functions are `distributions`, decisions made one value at a time `sequential`.
"""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

from fourfold.base.errors import UsageError
from fourfold.evidence.statistics.distributions import (
    chi2_upper,
    kolmogorov_upper,
    normal_cdf,
    t_quantile,
    t_upper,
)

#: Fewer pairs than these never certify that two things are equivalent.
FEWEST_PAIRS = 6
#: Two samples up to so many cells are compared exactly: some milliseconds.
_EXACT_CELLS = 20_000


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
    """The mean, its sum exactly rounded; NaN where both infinities are among the values.

    Raises:
        TooFewValuesError: there is no value.
    """
    _at_least(1, values)
    try:
        return math.fsum(values) / len(values)
    except OverflowError:  # the sum is no float, though the mean is one
        return math.fsum(value / len(values) for value in values)
    except ValueError:
        return math.nan


def variance(values: Sequence[float]) -> float:
    """The sample variance (divided by n - 1), in two passes; infinite where no float holds it.

    Raises:
        TooFewValuesError: there are fewer than two values.
    """
    return deviation(values) * deviation(values)


def deviation(values: Sequence[float]) -> float:
    """The sample standard deviation: the root of the `variance`, also where that is too small or too large.

    Raises:
        TooFewValuesError: there are fewer than two values.
    """
    _at_least(2, values)
    middle = mean(values)
    widest = max(abs(value - middle) for value in values)
    if not 0.0 < widest < math.inf:
        return widest
    total = math.fsum(((value - middle) / widest) ** 2 for value in values)
    return widest * math.sqrt(total / (len(values) - 1))


def _interval(middle: float, error: float, df: float, level: float) -> Interval:
    reach = error * t_quantile(0.5 + level / 2.0, df) if error else 0.0
    return Interval(middle - reach, middle + reach, level)


def _welch(a: Sequence[float], b: Sequence[float]) -> tuple[float, float]:
    """Standard error of the difference, and degrees of freedom (Satterthwaite 1946)."""
    first, second = deviation(a) / math.sqrt(len(a)), deviation(b) / math.sqrt(len(b))
    error = math.hypot(first, second)
    if not 0.0 < error < math.inf:
        return error, float(len(a) + len(b) - 2)
    shares = (first / error) ** 2, (second / error) ** 2
    return error, 1.0 / (shares[0] ** 2 / (len(a) - 1) + shares[1] ** 2 / (len(b) - 1))


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
    spread = deviation(differences)
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
    far = 12.0 / math.sqrt(2.0 * df)
    low, top = max(0.0, 1.0 - far), min(margin / error / critical, 1.0 + far)
    if top <= low:
        return 0.0
    steps = 400
    width = (top - low) / steps
    total = math.fsum(
        (1 if k in (0, steps) else 4 if k % 2 else 2) * weighed(low + k * width or 1e-12)
        for k in range(steps + 1)
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


# -- many tests at once -----------------------------------------------------


def holm(p_values: Sequence[float]) -> list[float]:
    """P values adjusted so that the chance of any false one stays below the level (Holm 1979)."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted, reached = [0.0] * len(order), 0.0
    for rank, at in enumerate(order):
        reached = max(reached, min(1.0, (len(order) - rank) * p_values[at]))
        adjusted[at] = reached
    return adjusted


# -- two distributions ------------------------------------------------------


def ks_two_sample(a: Sequence[float], b: Sequence[float]) -> Tested:
    """The test of Kolmogorov and Smirnov that two samples are of one distribution, two-sided.

    Small samples exactly (paths in a lattice, Hodges 1958; with ties on the safe side), large ones by the
    limit. NaN is left out.

    Raises:
        TooFewValuesError: a sample is empty.
    """
    first, second = (sorted(value for value in side if not math.isnan(value)) for side in (a, b))
    _at_least(1, first, second)
    n, m = len(first), len(second)
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
