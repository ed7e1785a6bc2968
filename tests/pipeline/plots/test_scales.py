"""Numbers on axes."""

import math

import pytest

from fourfold.pipeline.plots.scales import axis, categories, number, text, ticks


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0, 300, [0, 100, 200, 300]),
        (-3.2, 4.9, [-2, 0, 2, 4]),
        (1e-9, 5e-9, [1e-9, 2e-9, 3e-9, 4e-9, 5e-9]),
        (1e6, 1e6 + 3, [1000000, 1000001, 1000002, 1000003]),
    ],
)
def test_ticks_stand_at_round_numbers_inside_of_the_axis(
    low: float, high: float, expected: list[float]
) -> None:
    assert ticks(low, high) == pytest.approx(expected)


@pytest.mark.parametrize(
    "values", [[0.0], [5.0, 5.0], [-1e299, 1e299], [1e-300, 2e-300], [-7.0, -7.0], [1, 1 + 1e-15]]
)
def test_any_finite_values_make_an_axis_that_is_not_empty(values: list[float]) -> None:
    for nice in (True, False):
        found = axis("x", values, nice=nice)
        assert found.low < found.high
        assert found.low <= min(values) <= max(values) <= found.high
        assert all(math.isfinite(at) for at, _mark in found.ticks)


def test_a_nice_axis_begins_and_ends_at_a_tick() -> None:
    found = axis("x", [0.13, 0.97], nice=True)
    assert (found.low, found.high) == pytest.approx((0.0, 1.0))
    assert found.ticks[0][1] == "0"


@pytest.mark.parametrize(
    ("value", "step", "expected"),
    [
        (0.1 + 0.2, 0.1, "0.3"),
        (1000, 200, "1,000"),
        (2.5e6, 5e5, "2.5M"),
        (-4, 2, "\u22124"),
        (1e-7, 1e-7, "1e\u221207"),
        (0.123456, 0, "0.12346"),
        (12.3456, 0, "12.3456"),
        (0, 1, "0"),
    ],
)
def test_a_number_has_as_many_digits_as_its_neighbours_ask_for(
    value: float, step: float, expected: str
) -> None:
    assert text(value, step) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0.5", 0.5),
        (3, 3.0),
        (True, 1.0),
        ("nan", None),
        ("inf", None),
        (float("nan"), None),
        (1e301, None),
        ("cat", None),
        (None, None),
        ([1], None),
        (10**400, None),
    ],
)
def test_only_finite_numbers_and_their_texts_are_numbers(value: object, expected: float | None) -> None:
    assert number(value) == expected


def test_of_many_categories_every_nth_is_written() -> None:
    found = categories("x", [str(at) for at in range(100)], most=12)
    assert len(found.ticks) == 12
    assert len(found.names) == 100
