"""Documents of values: what is one meaning in two spellings, and what is not."""

import json

import pytest

from fourfold.formats.likeness import reading
from fourfold.formats.likeness.model import Content, compare
from fourfold.formats.likeness.source import ContentTooLargeError, UnreadableContentError


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


def test_short_values_are_told_as_they_are() -> None:
    a, b = of('{"n": 1, "s": "sgd", "t": null}', "m.json"), of('{"n": 1.5, "s": "adam", "t": true}', "m.json")
    assert [(found.name, found.before, found.after) for found in compare(a, b)] == [
        ("n", "1", "1.5"),
        ("s", '"sgd"', '"adam"'),
        ("t", "null", "true"),
    ]
    long, odd = of(json.dumps("x" * 100), "m.json"), of(json.dumps("\x1b[31m"), "m.json")
    assert (long.leaves[""].shown, odd.leaves[""].shown) == ("", "")


YAML = "a: 1\nb: [1, 2]\nc: {d: x, e: null}\nf: 2020-01-01\n"


@pytest.mark.parametrize(
    "other",
    [
        "# note\nf: 2020-01-01\nc:\n  e: ~\n  d: 'x'\nb:\n- 1\n- 2\na: 1\n",
        '{"a": 1, "b": [1, 2], "c": {"d": "x", "e": null}, "f": 2020-01-01}',
        YAML.replace("\n", "\r\n"),
    ],
)
def test_yaml_in_another_spelling_means_the_same(other: str) -> None:
    assert differing(YAML, other, "a.yaml") == []


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("a: 1", "a: 1.0", [("a", "kind")]),
        ("a: 1", "a: 2", [("a", "values")]),
        ("[1, 2]", "[1, 2.0]", [("b", "missing"), ("b[0]", "new"), ("b[1]", "new")]),
        ("[1, 2]", "[1.0, 2.0]", [("b", "kind")]),
        ("d: x", "d: 'null'", [("c.d", "values")]),
        ("d: x", "d: null", [("c.d", "kind")]),
        ("2020-01-01", "2020-01-02", [("f", "values")]),
        ("a: 1", "1: 1", [("a", "missing"), ("{1}", "new")]),
    ],
)
def test_yaml_that_says_something_else_is_told_by_its_leaf(
    old: str, new: str, found: list[tuple[str, str]]
) -> None:
    assert differing(YAML, YAML.replace(old, new), "a.yaml") == found


def test_several_documents_of_yaml_in_a_file_are_a_list_of_them() -> None:
    two = "---\na: 1\n---\nb: 2\n"
    assert list(of(two, "a.yaml").leaves) == ["[0].a", "[1].b"]
    assert differing(two, "# note\n--- {a: 1}\n...\n---\n{b: 2}\n", "a.yaml") == []
    assert differing(two, two.replace("2", "3"), "a.yaml") == [("[1].b", "values")]
    assert differing("a: 1\n", "--- # note\na: 1\n", "a.yaml") == []
    for bad in ("---\na: [\n---\nb: 1\n", "---\na: 1\n---\nb: [\n"):
        with pytest.raises(UnreadableContentError):
            of(bad, "a.yaml")


def test_toml_and_ini_mean_the_same_in_another_order_and_something_else_in_other_values() -> None:
    toml = 'x = 1\n[a]\nb = 2.5\nd = 2020-01-01T00:00:00Z\n[[c]]\ne = "f"\n'
    turned = '# note\nx=1\n[[c]]\ne = "f"\n[a]\nd = 2020-01-01T00:00:00+00:00\nb = 2.50\n'
    assert differing(toml, turned, "a.toml") == []
    assert differing(toml, toml.replace("= 1", "= 1.0"), "a.toml") == [("x", "kind")]
    assert differing(toml, toml.replace("2.5", "2.6"), "a.toml") == [("a.b", "values")]
    ini = "[a]\nb = 1\nc: x\n[d]\ne\n"
    assert differing(ini, "; note\n[d]\ne\n[a]\nc=x\nb=1\n", "a.ini") == []
    assert differing(ini, ini.replace("1", "2"), "a.ini") == [("a.b", "values")]
    assert differing(ini, ini.replace("b", "B"), "a.ini") == [("a.b", "missing"), ("a.B", "new")]


def test_settings_that_are_no_ini_are_compared_as_text_and_that_is_said() -> None:
    content = of("[conv]\na=1\n[conv]\na=2\n", "net.cfg")
    assert (content.leaves[""].kind, bool(content.aside["not read as INI"])) == ("text", True)


def test_documents_that_are_not_what_their_names_say_are_typed_errors() -> None:
    for name, bad in (
        ("a.yaml", "a: [1\n"),
        ("a.yaml", "a: 1\na: 2\n"),
        ("a.yaml", "[" * 300 + "]" * 300),
        ("a.yaml", "a: &x [*x]\n"),
        ("a.toml", "a = \n"),
        ("a.toml", "a = 1\na = 2\n"),
        ("a.toml", "a = " + "[" * 5000),
        ("a.json", b"\xff\xfe"),
        ("a.json", b"\xc3("),
        ("a.json", "1" * 5000),
        ("a.ini", b"\xff"),
    ):
        with pytest.raises(UnreadableContentError, match=f"^{name}: "):
            of(bad, name)


def test_yaml_with_aliases_that_multiply_is_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)]
    with pytest.raises(UnreadableContentError):
        of("\n".join(lines), "a.yaml")


@pytest.mark.parametrize("name", ["a.toml", "a.yaml"])
def test_whole_numbers_of_very_many_digits_are_values(name: str) -> None:
    spell = {"a.toml": b"a = 0x%s\n", "a.yaml": b"a: 0x%s\n"}[name]
    one, other = (reading.read_bytes(spell % (digit * 5000), name) for digit in (b"f", b"e"))
    assert [found.name for found in compare(one, other)] == ["a"]


def test_a_key_of_very_many_digits_is_refused() -> None:
    with pytest.raises(UnreadableContentError):
        reading.read_bytes(b"? 0x%s\n: 1\n" % (b"f" * 5000), "a.yaml")


def test_what_is_nested_deep_within_a_long_list_is_refused() -> None:
    with pytest.raises(UnreadableContentError, match="too deep"):
        reading.read_bytes(b"[" + b"1," * 1001 + b"[" * 700 + b"]" * 700 + b"]", "a.json")


def test_a_document_that_would_be_many_times_its_size_in_memory_is_refused() -> None:
    with pytest.raises(ContentTooLargeError):
        reading.read_bytes(b"[" + b"[]," * 8_000_001 + b"1]", "a.json")


def test_a_toml_whose_reading_would_take_the_square_of_its_size_is_refused() -> None:
    with pytest.raises(ContentTooLargeError):
        reading.read_bytes(b"a." * 50_000 + b"a = 1\n", "a.toml")
    with pytest.raises(ContentTooLargeError):
        reading.read_bytes(b'"a" . ' * 50_000 + b"a = 1\n", "a.toml")
    assert reading.read_bytes(b"a.b.c = '%s'\n" % (b"word" * 300_000), "a.toml").kind == "toml"


def test_settings_with_very_wide_gaps_are_compared_as_text_and_that_is_said() -> None:
    content = reading.read_bytes(b"[a]\nx" + b" " * 200_000 + b"y\n", "a.ini")
    assert list(content.leaves) == [""]
    assert "not read as INI" in content.aside
