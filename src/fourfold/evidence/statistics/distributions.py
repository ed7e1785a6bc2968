"""Distribution functions: normal, Student's t, chi squared, Kolmogorov's; in plain Python, no dependency.

Formulas are those of the NIST Digital Library of Mathematical Functions (DLMF), by their numbers. What is
decided by them is `inference`.
"""

import math
from functools import lru_cache

_TINY = 1e-300
_ENOUGH = 1e-16
_STEPS = 10_000


def normal_cdf(x: float) -> float:
    """The standard normal distribution function (DLMF 7.2.2: by the complementary error function)."""
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


def beta_regularized(x: float, a: float, b: float) -> float:
    """The regularized incomplete beta function I_x(a, b) (DLMF 8.17; continued fraction 8.17.22)."""
    if x <= 0.0 or x >= 1.0:
        return 0.0 if x <= 0.0 else 1.0
    scale = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    if x < (a + 1.0) / (a + b + 2.0):
        return scale * _beta_fraction(x, a, b) / a
    # 8.17.4: the fraction converges fast on one side only.
    return 1.0 - scale * _beta_fraction(1.0 - x, b, a) / b


def _beta_fraction(x: float, a: float, b: float) -> float:
    """1 / (1 + d1 / (1 + d2 / ...)) by the method of Lentz as Thompson and Barnett (1986) mended it."""
    value, upper, lower = 1.0, 1.0, 0.0
    for k in range(1, _STEPS):
        m = k // 2
        if k % 2:
            d = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            d = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        lower = 1.0 / _not_zero(1.0 + d * lower)
        upper = _not_zero(1.0 + d / upper)
        value *= upper * lower
        if abs(upper * lower - 1.0) < _ENOUGH:
            break
    return 1.0 / value


def _not_zero(x: float) -> float:
    return x if abs(x) > _TINY else _TINY


def gamma_upper(a: float, x: float) -> float:
    """The regularized incomplete gamma function Q(a, x) (DLMF 8.2.4)."""
    if x <= 0.0:
        return 1.0
    if math.isinf(x):
        return 0.0
    scale = math.exp(a * math.log(x) - x - math.lgamma(a))
    if x < a + 1.0:
        return 1.0 - scale * _gamma_series(a, x)
    return scale * _gamma_fraction(a, x)


def _gamma_series(a: float, x: float) -> float:
    """The sum of x^k / (a (a + 1) ... (a + k)) (DLMF 8.11.4)."""
    term = total = 1.0 / a
    for k in range(1, _STEPS):
        term *= x / (a + k)
        total += term
        if term < total * _ENOUGH:
            break
    return total


def _gamma_fraction(a: float, x: float) -> float:
    """The continued fraction in its even form (DLMF 8.9.2), by the method of Lentz."""
    b = x + 1.0 - a
    upper, lower = 1.0 / _TINY, 1.0 / _not_zero(b)
    value = lower
    for k in range(1, _STEPS):
        step = -k * (k - a)
        b += 2.0
        lower = 1.0 / _not_zero(step * lower + b)
        upper = _not_zero(b + step / upper)
        value *= upper * lower
        if abs(upper * lower - 1.0) < _ENOUGH:
            break
    return value


def chi2_upper(x: float, df: float) -> float:
    """The chance that chi squared with ``df`` degrees of freedom is above ``x``."""
    return gamma_upper(df / 2.0, x / 2.0)


def t_upper(x: float, df: float) -> float:
    """The chance that Student's t with ``df`` degrees of freedom is above ``x`` (Abramowitz 26.7.1)."""
    if math.isinf(x):
        return 0.0 if x > 0 else 1.0
    square = x * x
    if square < min(df, 1.0):
        # Near the middle the tail is a half less something small: taken from that side, digits are kept.
        tail = 0.5 - 0.5 * beta_regularized(square / (df + square), 0.5, df / 2.0)
    else:
        tail = 0.5 * beta_regularized(df / (df + square), df / 2.0, 0.5)
    return tail if x >= 0 else 1.0 - tail


def t_quantile(p: float, df: float) -> float:
    """Where Student's t distribution function is ``p``: a bracket, then halving it; 0 and 1 are infinite."""
    if p <= 0.0 or p >= 1.0:
        return -math.inf if p <= 0.0 else math.inf
    if p > 0.5:
        return _t_above(1.0 - p, df)
    return -_t_above(p, df) if p < 0.5 else 0.0


@lru_cache(maxsize=1024)
def _t_above(tail: float, df: float) -> float:
    low, high = 0.0, 1.0
    while t_upper(high, df) > tail and high < 1e300:
        low, high = high, high * 2.0
    while True:
        middle = 0.5 * (low + high)
        if middle in (low, high) or high - low <= 1e-14 * high:
            return middle
        if t_upper(middle, df) > tail:
            low = middle
        else:
            high = middle


def kolmogorov_upper(x: float) -> float:
    """The chance that Kolmogorov's limit is above ``x`` (Feller 1948; the theta function, DLMF 20.7.30)."""
    if x <= 0.0:
        return 1.0
    if x < 1.0:
        # The other form of the same function, which converges where the first does not.
        power = -math.pi * math.pi / (8.0 * x * x)
        total = math.fsum(math.exp(power * (2 * k - 1) ** 2) for k in range(1, 20))
        return 1.0 - math.sqrt(2.0 * math.pi) / x * total
    return 2.0 * math.fsum((-1) ** (k - 1) * math.exp(-2.0 * (k * x) ** 2) for k in range(1, 20))
