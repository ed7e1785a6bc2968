"""Documents of values: what is one meaning in two spellings, and what is not."""

import json

import pytest

from fourfold.formats.likeness import reading
from fourfold.formats.likeness.model import Content, compare
from fourfold.formats.likeness.source import UnreadableContentError


def of(text: str | bytes, name: str) -> Content:
    return reading.read_bytes(text.encode() if isinstance(text, str) else text, name)


def differing(a: str | bytes, b: str | bytes, name: str) -> list[tuple[str, str]]:
    return [(found.name, found.what) for found in compare(of(a, name), of(b, name))]


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ('{"a": 1, "b": [1, 2]}', '{"b":[1.0,2e0],"a":1.0}'),
        ('"\\u00e4"', '"ä"'),
        ("[]", " [ ]\n"),
        ('{"a": 9007199254740993}', '{ "a": 9007199254740993}'),
    ],
)
def test_json_in_another_spelling_means_the_same(a: str, b: str) -> None:
    assert differing(a, b, "a.json") == []


@pytest.mark.parametrize(
    ("a", "b", "found"),
    [
        ('{"a": 1}', '{"a": 2}', [("a", "values")]),
        ('{"a": 1}', '{"a": "1"}', [("a", "kind")]),
        ('{"a": {}}', '{"a": []}', [("a", "kind")]),
        ('{"a": [1, 2]}', '{"a": [2, 1]}', [("a", "values")]),
        ('{"a": [1]}', '{"a": [1, 1]}', [("a", "shape")]),
        ('{"a": null}', "{}", [("a", "missing"), ("", "new")]),
        ('{"a.b": 1}', '{"a": {"b": 1}}', [('"a.b"', "missing"), ("a.b", "new")]),
        ("9007199254740992", "9007199254740993", [("", "kind")]),
        ("9007199254740993", "9007199254740995", [("", "values")]),
        ("true", "1", [("", "kind")]),
    ],
)
def test_json_that_says_something_else_is_told_by_its_leaf(
    a: str, b: str, found: list[tuple[str, str]]
) -> None:
    assert differing(a, b, "a.json") == found


def test_numbers_of_json_can_be_compared_as_numbers() -> None:
    leaves = of('{"auc": 0.5, "curve": [1, 2.5]}', "m.json").leaves
    assert list(leaves["auc"].numbers()) == [0.5]
    assert list(leaves["curve"].numbers()) == [1.0, 2.5]


def test_a_long_list_of_objects_is_told_by_columns() -> None:
    rows = [{"id": i, "score": i / 7} for i in range(3000)]
    other = [dict(reversed(row.items())) for row in rows]
    assert differing(json.dumps(rows), json.dumps(other, indent=1), "p.json") == []
    other[2000]["score"] = 0.0
    assert differing(json.dumps(rows), json.dumps(other), "p.json") == [("[].score", "values")]


def test_json_that_is_nested_too_deep_is_refused() -> None:
    for depth in (500, 200_000):
        with pytest.raises(UnreadableContentError):
            of("[" * depth + "]" * depth, "a.json")
