"""Down-sampling and smoothing."""

import math
import random

import pytest

from fourfold.pipeline.plots.sampling import every, loess, lttb


def test_a_short_series_is_kept_whole() -> None:
    assert lttb([0, 1, 2], [5, 6, 7], 10) == [0, 1, 2]
    assert every(3, 10) == [0, 1, 2]


def test_a_long_series_keeps_its_ends_and_its_only_peak() -> None:
    xs = [float(at) for at in range(10_000)]
    ys = [0.0] * 10_000
    ys[7777] = 1.0
    kept = lttb(xs, ys, 100)
    assert len(kept) == 100
    assert kept == sorted(set(kept))
    assert (kept[0], kept[-1]) == (0, 9999)
    assert 7777 in kept


def test_of_each_bucket_the_point_with_the_largest_triangle_is_taken() -> None:
    assert lttb([0, 1, 2, 3, 4], [0, 5, 1, 0, 0], 3) == [0, 1, 4]
    assert lttb([0, 1, 2, 3, 4], [0, 1, 1, -9, 0], 3) == [0, 3, 4]


def test_points_are_thinned_evenly() -> None:
    assert every(10, 5) == [0, 2, 4, 6, 8]
    assert len(every(123_457, 1000)) == 1000


def test_smoothing_leaves_a_straight_line_straight() -> None:
    xs = [float(at) for at in range(50)]
    assert loess(xs, [3 * x - 7 for x in xs], 0.3) == pytest.approx([3 * x - 7 for x in xs])


def test_smoothing_agrees_with_cleveland_s_own_program() -> None:
    """The values are those of R: ``lowess(x, y, f = 2/3, iter = 0, delta = 0)``, of the data of its page."""
    speed = [4, 4, 7, 7, 8, 9, 10, 10, 10, 11, 11, 12, 12, 12, 12, 13, 13, 13, 13, 14, 14, 14, 14, 15, 15]
    dist = [2, 10, 4, 22, 16, 10, 18, 26, 34, 17, 28, 14, 20, 24, 28, 26, 34, 34, 46, 26, 36, 60, 80, 20, 26]
    found = loess([float(x) for x in speed], [float(y) for y in dist], 2 / 3, rounds=0)
    assert found == pytest.approx(reference(speed, dist, 16))


def reference(xs: list[int], ys: list[int], window: int) -> list[float]:
    """The definition, without any cleverness: weighted least squares through the nearest points."""
    found = []
    for x in xs:
        near = sorted(range(len(xs)), key=lambda at: (abs(xs[at] - x), at))
        reach = abs(xs[near[window - 1]] - x)
        weights = [max(0.0, 1 - (abs(one - x) / reach) ** 3) ** 3 for one in xs]
        total = sum(weights)
        mean_x = sum(w * one for w, one in zip(weights, xs, strict=True)) / total
        mean_y = sum(w * one for w, one in zip(weights, ys, strict=True)) / total
        spread = sum(w * (one - mean_x) ** 2 for w, one in zip(weights, xs, strict=True))
        slope = sum(w * (a - mean_x) * (b - mean_y) for w, a, b in zip(weights, xs, ys, strict=True)) / spread
        found.append(mean_y + slope * (x - mean_x))
    return found


def test_an_outlier_is_weighed_down() -> None:
    xs = [float(at) for at in range(40)]
    ys = [0.1 * x + 0.01 * math.sin(at) for at, x in enumerate(xs)]
    ys[20] = 50.0
    assert loess(xs, ys, 0.4)[20] == pytest.approx(2.0, abs=0.1)


def test_where_all_neighbours_are_outliers_the_first_curve_stays() -> None:
    ys = [1 / (at + 1) for at in range(40)]
    found = loess([float(at) for at in range(40)], ys, 0.3)
    assert found[0] == max(found)
    assert found[0] > 0.5


def test_smoothing_gives_a_finite_number_for_whatever_it_is_given() -> None:
    draw = random.Random(1)
    for _ in range(50):
        count = draw.randint(1, 30)
        xs = sorted(float(draw.randint(0, 5)) for _ in range(count))
        ys = [draw.choice([0.0, 1e-300, 1e200, -3.0, draw.random()]) for _ in range(count)]
        found = loess(xs, ys, draw.random())
        assert len(found) == count
        assert all(math.isfinite(value) for value in found)
