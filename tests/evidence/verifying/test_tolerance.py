"""Tolerances from repeats: what they cover, what they never cover, and how often they err."""

import math
import random
from array import array

import pytest

from fourfold.evidence.statistics.distributions import t_quantile
from fourfold.evidence.verifying.tolerance import RISK, calibrate, factor, nearest
from fourfold.formats.likeness.model import Leaf
from fourfold.formats.likeness.source import floats_leaf
from fourfold.formats.likeness.tensors import distance


def leaf(*values: float) -> Leaf:
    return floats_leaf(array("d", values))


def holds(before: Leaf, repeats: list[Leaf]) -> bool:
    tolerance, near = calibrate(repeats), nearest(before, repeats)
    assert tolerance is not None
    assert near is not None
    return tolerance.covers(near[0])


def test_that_repeats_that_are_the_same_have_no_noise_so_that_any_distance_is_a_difference() -> None:
    same = [leaf(1.0, 2.0)] * 3
    tolerance = calibrate(same)
    assert tolerance is not None
    assert tolerance.floor == tolerance.bounds == (0.0, 0.0)
    assert holds(leaf(1.0, 2.0), same)
    assert not holds(leaf(1.0, math.nextafter(2.0, 3.0)), same)


def test_that_the_floor_is_the_largest_distance_of_two_repeats() -> None:
    tolerance = calibrate([leaf(1.0, 100.0), leaf(1.1, 100.0), leaf(1.0, 103.0)])
    assert tolerance is not None
    assert tolerance.floor == pytest.approx((3.0, 0.1 / 1.1))
    assert tolerance.repeats == 3
    assert tolerance.bounds[0] == pytest.approx(3.0 * factor(3))


def test_that_a_small_value_that_moves_by_much_of_itself_is_no_noise_beside_large_ones() -> None:
    repeats = [leaf(0.001, 1000.0), leaf(0.001, 1000.5), leaf(0.001, 999.8)]
    assert holds(leaf(0.001, 1000.9), repeats)
    assert not holds(leaf(0.002, 1000.0), repeats)


def test_that_one_repeat_other_shapes_and_texts_have_no_floor() -> None:
    assert calibrate([]) is None
    assert calibrate([leaf(1.0)]) is None
    assert calibrate([leaf(1.0), leaf(1.0, 2.0)]) is None
    assert calibrate([Leaf("text", "str", (), "a"), Leaf("text", "str", (), "b")]) is None
    assert nearest(leaf(1.0), [leaf(1.0, 2.0)]) is None
    assert factor(1) == math.inf


def test_that_a_number_where_repeats_have_none_is_never_noise() -> None:
    repeats = [leaf(math.nan), leaf(1.0), leaf(math.nan)]
    tolerance = calibrate(repeats)
    assert tolerance is not None
    assert not tolerance.covers(distance(leaf(2.0), leaf(math.nan)))
    assert holds(leaf(math.nan), repeats)


def test_that_the_factor_is_the_stated_rule_and_falls_with_repeats() -> None:
    assert factor(3) == pytest.approx(t_quantile(1 - RISK / 2, 2) / 2 * math.sqrt(4 / 2))
    factors = [factor(count) for count in range(2, 40)]
    assert factors == sorted(factors, reverse=True)
    assert factors[-1] > 1.0


@pytest.mark.parametrize("repeats", [2, 3, 5, 10])
def test_that_the_next_repeat_of_the_same_is_called_different_no_more_often_than_the_risk(
    repeats: int,
) -> None:
    rng, trials = random.Random(repeats), 4000
    bound = factor(repeats)
    wrong = 0
    for _ in range(trials):
        values = [rng.gauss(5.0, 1e-3) for _ in range(repeats + 1)]
        reach = max(values[1:]) - min(values[1:])
        wrong += min(abs(values[0] - each) for each in values[1:]) > bound * reach
    assert wrong / trials <= RISK + 3 * math.sqrt(RISK * (1 - RISK) / trials)


def test_that_the_same_holds_for_tensors_whose_values_are_noisy_to_different_degrees() -> None:
    rng, trials, wrong = random.Random(9), 300, 0
    for _ in range(trials):
        made = [leaf(*(rng.gauss(at, 1e-6 * at) for at in range(1, 20))) for _ in range(4)]
        wrong += not holds(made[0], made[1:])
    assert wrong / trials <= RISK + 3 * math.sqrt(RISK * (1 - RISK) / trials)


def test_that_a_change_ten_times_beyond_the_noise_of_five_repeats_is_found() -> None:
    rng, trials, found = random.Random(4), 300, 0
    for _ in range(trials):
        repeats = [leaf(rng.gauss(1.0, 1e-6)) for _ in range(5)]
        found += not holds(leaf(1.0 + 1.2e-5), repeats)
    assert found / trials > 0.9
