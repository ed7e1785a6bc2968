"""Effects from measurements: they add up to the whole, interaction is left over, noise is not blamed."""

import math
import random
import statistics
from collections.abc import Callable, Iterable

import pytest

from fourfold.evidence.attributing.attribute import (
    Attribution,
    Effect,
    Noise,
    Value,
    left_over,
    one_at_a_time,
    shapley,
)


def measured(metric: Callable[[frozenset[str]], float], gone: Iterable[frozenset[str]] = ()) -> Value:
    """Measurements of a metric that follows from what moved; None for combinations that cannot be run."""
    unknown = set(gone)
    return lambda moved: None if frozenset(moved) in unknown else metric(frozenset(moved))


def attribution(
    change: float, effects: dict[str, float], values: tuple[float, ...], interaction: float = 0.0
) -> Attribution:
    noise = Noise(statistics.stdev(values) if len(values) > 1 else None, values, "seeds")
    reach = noise.reach()
    made = [
        Effect(name, value, *((value - reach, value + reach) if reach is not None else (None, None)), (name,))
        for name, value in effects.items()
    ]
    return Attribution("m.json:x", 1.0, 1.0 + change, tuple(made), interaction, noise, 0, 0, ())


def test_effects_of_all_combinations_are_shapley_values_and_sum_to_the_whole() -> None:
    def metric(moved: frozenset[str]) -> float:
        return 1.0 - 0.3 * ("data" in moved) - 0.1 * ("code" in moved) - 0.06 * ({"data", "code"} <= moved)

    value = measured(metric)
    effects, interaction = shapley(value, ["code", "data", "environment"], 1.0, 0.54)
    assert effects["data"] == pytest.approx(-0.33)
    assert effects["code"] == pytest.approx(-0.13)
    assert effects["environment"] == pytest.approx(0.0)
    assert math.fsum(each for each in effects.values() if each is not None) == pytest.approx(-0.46)
    assert interaction == pytest.approx(-0.06)


def test_one_thing_that_moved_has_all_of_the_effect() -> None:
    effects, interaction = shapley(measured(lambda _: 0.0), ["data"], 0.9, 0.7)
    assert effects["data"] == pytest.approx(-0.2)
    assert interaction == 0.0


def test_a_combination_that_cannot_be_run_leaves_what_the_others_tell() -> None:
    def metric(moved: frozenset[str]) -> float:
        return 1.0 - 0.3 * ("data" in moved)

    value = measured(metric, [frozenset({"code"})])
    effects, interaction = shapley(value, ["code", "data"], 1.0, 0.7)
    assert effects == {"code": pytest.approx(0.0), "data": pytest.approx(-0.3)}
    assert interaction is None
    value = measured(metric, [frozenset({"code"}), frozenset({"data"})])
    assert shapley(value, ["code", "data"], 1.0, 0.7)[0] == {"code": None, "data": None}


def test_many_things_are_measured_one_at_a_time_in_both_directions() -> None:
    weights = {"code": 0.1, "data": -0.3, "parameters": 0.0, "environment": 0.05}

    def metric(moved: frozenset[str]) -> float:
        return 1.0 + sum(weights[name] for name in moved) + 0.2 * ({"code", "environment"} <= moved)

    after = metric(frozenset(weights))
    effects, interaction = one_at_a_time(measured(metric), list(weights), 1.0, after)
    assert effects["data"] == pytest.approx(-0.3)
    assert effects["code"] == pytest.approx(0.2)
    assert interaction == pytest.approx(0.0)


def test_a_change_within_the_noise_is_noise_and_nothing_is_blamed() -> None:
    quiet = attribution(-0.01, {"data": -0.01}, (0.80, 0.82, 0.79, 0.81, 0.80))
    assert quiet.verdict == "noise"
    assert quiet.effects[0].is_noise
    assert quiet.share(quiet.effects[0]) is None
    loud = attribution(-0.30, {"data": -0.29, "code": -0.01}, (0.80, 0.82, 0.79, 0.81, 0.80))
    assert loud.verdict == "caused"
    assert [effect.is_noise for effect in loud.effects] == [False, True]
    assert loud.share(loud.effects[0]) == pytest.approx(0.29 / 0.30)


def test_what_never_scatters_has_intervals_of_no_width() -> None:
    exact = attribution(-0.001, {"data": -0.001}, (0.8, 0.8, 0.8))
    assert exact.verdict == "caused"
    assert (exact.effects[0].low, exact.effects[0].high) == (-0.001, -0.001)
    assert attribution(0.0, {"data": 0.0}, (0.8, 0.8)).verdict == "noise"


def test_a_change_of_nearly_nothing_is_not_shared_out_however_large_its_effects_are() -> None:
    values = (0.80, 0.82, 0.79, 0.81, 0.80)
    found = attribution(0.001, {"data": -0.3, "code": 0.301}, values)
    assert found.verdict == "cancelled"
    assert [found.share(effect) for effect in found.effects] == [None, None]
    against = attribution(-0.2, {"data": -0.3, "code": 0.1}, values)
    assert [against.share(effect) for effect in against.effects] == pytest.approx([1.5, -0.5])


def test_where_nothing_was_repeated_nobody_knows_what_is_noise() -> None:
    found = attribution(-0.3, {"data": -0.3}, (0.8,))
    assert (found.verdict, found.effects[0].low, found.interacts) == ("unknown", None, False)
    assert found.share(found.effects[0]) is None
    assert not found.effects[0].is_noise


@pytest.mark.parametrize("count", [2, 3, 5])
def test_effects_that_add_up_are_said_to_interact_no_more_often_than_chance_has_it(count: int) -> None:
    draw, names, trials, wrong = random.Random(count), [f"f{at}" for at in range(count)], 1500, 0
    for _ in range(trials):
        known: dict[frozenset[str], float] = {}

        def metric(moved: frozenset[str], known: dict[frozenset[str], float] = known) -> float:
            return known.setdefault(moved, 10.0 * len(moved) + draw.gauss(0.0, 0.1))

        before, after = metric(frozenset()), metric(frozenset(names))
        ways = shapley if count <= 3 else one_at_a_time
        effects, interaction = ways(measured(metric), names, before, after)
        repeats = tuple(draw.gauss(0.0, 0.1) for _ in range(5))
        noise = Noise(statistics.stdev(repeats), repeats, "seeds")
        made = tuple(Effect(name, value, 0.0, 0.0, ()) for name, value in effects.items())
        whole = count <= 3
        found = Attribution("m", before, after, made, interaction, noise, 0, 0, (), whole)
        assert found.verdict == "caused"
        assert interaction is not None
        wrong += abs(interaction) > (noise.reach(left_over(count, whole=whole)) or 0.0)
        assert not found.interacts, "by less than a twentieth of the change, nobody cares"
    assert wrong / trials <= 0.05 + 3 * (0.05 * 0.95 / trials) ** 0.5
