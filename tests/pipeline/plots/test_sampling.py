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


#: The data set ``cars`` of R: speed, and the distances to stop at it.
CARS = {
    4: [2, 10],
    7: [4, 22],
    8: [16],
    9: [10],
    10: [18, 26, 34],
    11: [17, 28],
    12: [14, 20, 24, 28],
    13: [26, 34, 34, 46],
    14: [26, 36, 60, 80],
    15: [20, 26, 54],
    16: [32, 40],
    17: [32, 40, 50],
    18: [42, 56, 76, 84],
    19: [36, 46, 68],
    20: [32, 48, 52, 56, 64],
    22: [66],
    23: [54],
    24: [70, 92, 93, 120],
    25: [85],
}
#: What R's ``lowess(cars)`` gives for each speed: two thirds of the points, three rounds.
SMOOTH = {
    4: 4.965459,
    7: 13.124495,
    8: 15.858633,
    9: 18.579691,
    10: 21.280313,
    11: 24.129277,
    12: 27.119549,
    13: 30.027276,
    14: 32.962506,
    15: 36.757728,
    16: 40.435075,
    17: 43.463492,
    18: 46.885479,
    19: 50.793152,
    20: 56.491224,
    22: 67.585824,
    23: 73.079695,
    24: 78.643164,
    25: 84.328698,
}


def test_smoothing_gives_the_numbers_of_the_program_of_its_inventor() -> None:
    pairs = [(float(speed), float(one)) for speed, found in CARS.items() for one in found]
    smooth = loess([x for x, _y in pairs], [y for _x, y in pairs], 2 / 3, rounds=3)
    assert smooth == pytest.approx([SMOOTH[int(x)] for x, _y in pairs], abs=1e-6)


def test_a_dense_series_is_computed_at_some_points_and_drawn_between_them() -> None:
    xs = [at / 1000 for at in range(1000)]
    ys = [math.sin(3 * x) for x in xs]
    assert loess(xs, ys, 0.1) == pytest.approx(ys, abs=0.005)


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
