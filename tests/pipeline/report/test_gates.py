"""Conditions of ``--fail-on``: what they mean, what is refused, and that nothing passes by accident."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourfold.base.errors import NotFoundError
from fourfold.pipeline.moments import FileValue, Values
from fourfold.pipeline.report.gates import BadGateError, Gate, check, parse_gate

OLD = Values({"m.json": FileValue({"auc": 0.9, "n": {"loss": 2.0}, "t": 100})})
NEW = Values(
    {
        "m.json": FileValue(
            {"auc": 0.85, "n": {"loss": 2.5}, "t": 106, "name": "x", "yes": True, "nan": math.nan}
        ),
        "plain.json": FileValue(3),
        "gone.json": FileValue(error=NotFoundError("gone")),
    }
)


@pytest.mark.parametrize(
    ("text", "tripped"),
    [
        ("m.json:auc < 0.85", False),
        ("m.json:auc <= 0.85", True),
        ("m.json:auc<0.9", True),
        ("  m.json:auc   >=   .9 ", False),
        ("m.json:auc == 0.85", True),
        ("m.json:auc != 0.85", False),
        ("m.json:n.loss > 2.4e0", True),
        ("m.json:auc drop > 0.04", True),
        ("m.json:auc drop > 0.06", False),
        ("m.json:auc change < -0.04", True),
        ("m.json:n.loss rise > 0.6", False),
        ("m.json:t rise > 5%", True),
        ("m.json:t rise > 10%", False),
        ("plain.json: > 2", True),
        ("plain.json: > 4", False),
    ],
)
def test_a_condition_means_what_it_says(text: str, tripped: bool) -> None:
    assert check(parse_gate(text), OLD, NEW).tripped is tripped


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("m.json:nothing < 1", "there is no metric 'nothing' in 'm.json'"),
        ("nofile.json:auc < 0", "there are no metrics in 'nofile.json'"),
        ("gone.json:auc < 0", "there are no metrics in 'gone.json'"),
        ("m.json:name < 0", "'name' of 'm.json' is no number"),
        ("m.json:yes > 5", "'yes' of 'm.json' is no number"),
        ("m.json:nan > 5", "it is not a number (NaN)"),
        ("plain.json: drop > 5", "before, there are no metrics in 'plain.json'"),
    ],
)
def test_a_condition_that_cannot_be_answered_trips(text: str, finding: str) -> None:
    result = check(parse_gate(text), OLD, NEW)
    assert (result.tripped, result.finding) == (True, finding)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "auc < 1",
        "m.json:auc",
        "m.json:auc < x",
        "m.json:auc < 1 or True",
        "m.json:auc < __import__('os')",
        "m.json:auc = 1",
        "m.json:auc =< 1",
        "m.json:auc < 1%",
        "m.json:auc < 1_000",
        "m.json:auc < nan",
        "m.json:auc < 1 < 2",
        ":auc < 1",
        "m.json:auc < " + "9" * 400,
        "m.json:auc drop",
    ],
)
def test_everything_else_is_refused(text: str) -> None:
    with pytest.raises(BadGateError):
        parse_gate(text)


def test_a_path_and_a_key_may_hold_blanks_and_colons() -> None:
    assert parse_gate("my files/m.json:a b.c > 1") == Gate(
        "my files/m.json:a b.c > 1", "my files/m.json", "a b.c", "", ">", 1.0
    )


@given(st.text(max_size=60))
def test_any_text_is_a_condition_or_a_refusal(text: str) -> None:
    try:
        gate = parse_gate(text)
    except BadGateError:
        return
    assert parse_gate(gate.text) == gate
