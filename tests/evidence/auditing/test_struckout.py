"""Entries of lock files against records in which secrets are struck out: only the secret may be anything."""

from typing import Any

import pytest

from fourfold.evidence.auditing.struckout import fits


@pytest.mark.parametrize(
    ("said", "known", "is_fit"),
    [
        ("run --token abc -v", "run --token *** -v", True),
        ("run --token  -v", "run --token *** -v", True),
        ("run --token abc -w", "run --token *** -v", False),
        ("rm --token abc -v", "run --token *** -v", False),
        ("a1b2c", "a***b***c", True),
        ("a1c", "a***b***c", False),
        ("aa", "a***a", True),
        ("a", "a***a", False),
        ({"p": {"key": "s3cret", "lr": 0.1}}, {"p": {"key": "***", "lr": 0.1}}, True),
        ({"p": {"key": 7, "lr": 0.1}}, {"p": {"key": "***", "lr": 0.1}}, False),
        ({"p": {"key": ["a"], "lr": 0.1}}, {"p": {"key": "***", "lr": 0.1}}, False),
        ({"p": {"key": "s3cret", "lr": 0.2}}, {"p": {"key": "***", "lr": 0.1}}, False),
        ({"p": {"key": "s3cret"}}, {"p": {"key": "***", "lr": 0.1}}, False),
        ({"p": ["x", 1]}, {"p": ["***", 1]}, True),
        ({"p": ["x", 2]}, {"p": ["***", 1]}, False),
        ({"p": 1}, {"p": 1}, True),
        ({"train.lr": 1, "x": 2}, {"***.lr": 1, "x": 2}, True),
        ({"train.lr": 2, "x": 2}, {"***.lr": 1, "x": 2}, False),
        ({"train.n": 1, "x": 2}, {"***.lr": 1, "x": 2}, False),
        ({"x": 2}, {"***.lr": 1, "x": 2}, False),
        ({"train.lr": 1, "x": 2, "y": 3}, {"***.lr": 1, "x": 2}, False),
        ({"a.lr": 1, "b.lr": 2}, {"***.lr": 2}, True),
        ({"a.lr": 1, "b.lr": 2}, {"***.lr": 3}, False),
        ({"p": 1}, {"p": True}, False),
    ],
)
def test_what_was_struck_out_may_be_anything_and_nothing_else(said: Any, known: Any, *, is_fit: bool) -> None:
    assert fits(said, known) is is_fit
