"""Down-sampling and smoothing of series, before they are drawn and never before they are told.

`lttb` is Steinarsson's "largest triangle three buckets" (2013), which keeps the peaks that an eye would
see; `loess` is Cleveland's locally weighted regression (1979), made robust by reweighting, as Vega's
transform of that name.
"""

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

#: So many points of a series are drawn.
MOST = 1000
#: Cleveland's delta: points closer than this share of the whole get their smooth value from their neighbours.
GAP = 0.005


def lttb(xs: Sequence[float], ys: Sequence[float], most: int = MOST) -> list[int]:
    """Which points of a series to keep, ascending; the first and the last always are.

    Args:
        xs: Ascending.
        ys: As many.
        most: How many to keep; at least 3.
    """
    count = len(xs)
    if count <= most or most < 3:
        return list(range(count))
    kept = [0]
    width = (count - 2) / (most - 2)
    for bucket in range(most - 2):
        start, end = int(bucket * width) + 1, int((bucket + 1) * width) + 1
        after = range(end, min(int((bucket + 2) * width) + 1, count))
        mean_x = sum(xs[at] for at in after) / len(after)
        mean_y = sum(ys[at] for at in after) / len(after)
        from_x, from_y = xs[kept[-1]], ys[kept[-1]]
        kept.append(
            max(
                range(start, end),
                key=lambda at: abs(
                    (from_x - mean_x) * (ys[at] - from_y) - (from_x - xs[at]) * (mean_y - from_y)
                ),
            )
        )
    kept.append(count - 1)
    return kept


def every(count: int, most: int) -> list[int]:
    """Which of ``count`` points to keep so that at most ``most`` are left, evenly spread."""
    if count <= most:
        return list(range(count))
    return [at * count // most for at in range(most)]


def loess(xs: Sequence[float], ys: Sequence[float], bandwidth: float, rounds: int = 2) -> list[float]:
    """A smooth curve through points: at each x, the weighted straight line through its nearest neighbours.

    Args:
        xs: Ascending.
        ys: As many.
        bandwidth: The share of all points that are neighbours, above 0 up to 1; with fewer than two it is
            the points themselves.
        rounds: How often outliers are weighted down.
    """
    count = len(xs)
    window = min(count, int(bandwidth * count))
    if count < 3 or window < 2:
        return list(ys)
    fits = _spaced(xs)
    trust = [1.0] * count
    fitted = list(ys)
    for turn in range(rounds + 1):
        left = 0
        for at in fits:
            while left + window < count and xs[left + window] - xs[at] < xs[at] - xs[left]:
                left += 1
            found = _line_at(xs, ys, trust, range(left, left + window), xs[at])
            if found is not None:
                fitted[at] = found
        _between(xs, fitted, fits)
        if turn == rounds:
            break
        residues = [abs(y - fit) for y, fit in zip(ys, fitted, strict=True)]
        scale = 6 * median(residues)
        if scale <= 1e-12 * max(map(abs, ys)):
            break
        trust = [(1 - min(1.0, residue / scale) ** 2) ** 2 for residue in residues]
    return fitted


def _spaced(xs: Sequence[float]) -> list[int]:
    """Where the curve is computed: points at least `GAP` of the whole apart, and the last."""
    gap = (xs[-1] - xs[0]) * GAP
    found = [0]
    for at in range(1, len(xs)):
        if xs[at] - xs[found[-1]] > gap:
            found.append(at)
    return [*found, *([len(xs) - 1] if found[-1] != len(xs) - 1 else [])]


def _between(xs: Sequence[float], fitted: list[float], fits: Sequence[int]) -> None:
    """Draw straight lines between the points at which the curve was computed."""
    for start, end in pairwise(fits):
        run = xs[end] - xs[start]
        for at in range(start + 1, end):
            share = (xs[at] - xs[start]) / run if run > 0 else 0.0
            fitted[at] = fitted[start] + share * (fitted[end] - fitted[start])


def _line_at(
    xs: Sequence[float], ys: Sequence[float], trust: Sequence[float], window: range, x: float
) -> float | None:
    """The value at x of the line through the points of a window, the near ones weighing more.

    None when all of them are outliers.
    """
    reach = max(x - xs[window.start], xs[window.stop - 1] - x)
    total = sum_x = sum_y = sum_xx = sum_xy = 0.0
    for at in window:
        distance = abs(xs[at] - x)
        if reach > 0 and distance < reach:
            far = distance / reach
            far = 1 - far * far * far
            weight = far * far * far * trust[at]
        else:
            weight = trust[at] if distance == 0 else 0.0
        from_x = xs[at] - x
        total += weight
        sum_x += weight * from_x
        sum_y += weight * ys[at]
        sum_xx += weight * from_x * from_x
        sum_xy += weight * from_x * ys[at]
    if total <= 0:
        return None
    spread = total * sum_xx - sum_x * sum_x
    if spread <= 1e-12 * total * sum_xx or spread <= 0:
        return sum_y / total
    return (sum_xx * sum_y - sum_x * sum_xy) / spread
