"""Tables that are text: JSON lines and CSV in other spellings, and other tables."""

import csv
import json
import math
import random
from pathlib import Path

import pandas as pd
import pytest

from fourfold.formats.likeness import reading
from fourfold.formats.likeness.model import compare
from fourfold.formats.likeness.source import Budget, ContentTooLargeError, UnreadableContentError


def differing(a: str | bytes, b: str | bytes, name: str) -> list[tuple[str, str]]:
    one, other = (reading.read_bytes(x.encode() if isinstance(x, str) else x, name) for x in (a, b))
    return [(found.name, found.what) for found in compare(one, other)]


TABLE = "id,age,city\n1,30,Ulm\n2,,Köln\n"


@pytest.mark.parametrize(
    "other",
    [
        "id,age,city\r\n1,30.0,Ulm\r\n2,,Köln\r\n",
        '"id","age","city"\n"1","3e1","Ulm"\n"2","","Köln"\n',
        "city,id,age\nUlm,1,30\nKöln,2,\n",
        "id;age;city\n1;30;Ulm\n2;;Köln",
        "\ufeff" + TABLE,
        TABLE.replace(",", "\t"),
    ],
)
def test_a_table_in_another_spelling_means_the_same(other: str) -> None:
    assert differing(TABLE, other, "t.csv") == []


@pytest.mark.parametrize(
    ("other", "found"),
    [
        (TABLE.replace("30", "31"), [("column:age", "values")]),
        (TABLE.replace("Ulm", "ulm"), [("column:city", "values")]),
        (TABLE.replace("2,,", "2,NA,"), [("column:age", "values")]),
        (TABLE.replace("2,,", "2,old,"), [("column:age", "kind")]),
        (TABLE + "3,1,Bonn\n", [("column:id", "shape"), ("column:age", "shape"), ("column:city", "shape")]),
        (TABLE.replace("age", "years"), [("column:age", "missing"), ("column:years", "new")]),
    ],
)
def test_another_table_is_told_by_its_columns(other: str, found: list[tuple[str, str]]) -> None:
    assert differing(TABLE, other, "t.csv") == found


def test_rows_in_another_order_are_another_table() -> None:
    assert differing("a\n1\n2\n", "a\n2\n1\n", "t.csv") == [("column:a", "values")]


@pytest.mark.parametrize(
    ("a", "b"),
    [("01234", "1234"), ("1_000", "1000"), ("12345678901234567", "12345678901234568"), ("1 ", "1 x")],
)
def test_codes_that_look_like_numbers_are_text(a: str, b: str) -> None:
    assert differing(f"k,v\n{a},1\n", f"k,v\n{b},1\n", "t.csv") != []


def test_a_cell_that_holds_the_end_of_a_line_is_one_cell() -> None:
    assert differing('a,b\n"x\ny",1\n', 'a,b\n"x\r\ny",1\n', "t.csv") != []
    assert differing('a\n"x\ny"\nz\n', 'a\nx\n"y\nz"\n', "t.csv") == [("column:a", "values")]


def test_numbers_of_a_column_can_be_compared_and_are_held_within_the_budget() -> None:
    content = reading.read_bytes(TABLE.encode(), "t.csv")
    age = content.leaves["column:age"].numbers
    assert age is not None
    first, second = age()
    assert (first, math.isnan(second)) == (30.0, True)
    held = reading.read_bytes(TABLE.encode(), "t.csv", budget=Budget(numbers=2)).leaves
    assert (held["column:id"].numbers is None, held["column:age"].numbers) == (False, None)
    assert held["column:age"].digest == content.leaves["column:age"].digest


def test_a_table_without_names_has_columns_by_place() -> None:
    content = reading.read_bytes(b"1,2\n3,4\n", "t.csv")
    assert {name: leaf.shape for name, leaf in content.leaves.items()} == {"column:1": (2,), "column:2": (2,)}


def test_what_is_no_table_is_compared_as_text_and_that_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n1,2\n3\n")
    (tmp_path / "b.csv").write_text("a,b\n1,2\n4\n")
    content = reading.read(str(tmp_path / "a.csv"))
    assert content.aside["not read as a table"] == "row 3 has 1 cells, not 2"
    (found,) = reading.compare_paths(str(tmp_path / "a.csv"), str(tmp_path / "b.csv"))
    assert found.before == "line 3: 3"
    for odd in (b'a,b\n"1,2\n', b"a,a#2,a\n1,2,3\n", b"\n\n", b'a\n"x"y\n'):
        assert reading.read_bytes(odd, "t.csv").leaves[""].kind == "text"


def test_a_table_that_is_not_utf_8_is_read_too() -> None:
    assert differing(b"a,b\n\xe4,1\n", b"a,b\n\xe4,1.0\n", "t.csv") == []
    assert differing(b"a,b\n\xe4,1\n", b"a,b\n\xf6,1\n", "t.csv") == [("column:a", "values")]
    assert differing(TABLE, TABLE.encode("utf-16"), "t.csv") == []


def test_tables_that_pandas_and_the_standard_library_write_of_one_frame_mean_the_same(tmp_path: Path) -> None:
    draw = random.Random(5)
    rows = [(i, draw.random() * 10 ** draw.randint(-9, 9), f"n, {i % 7}") for i in range(9000)]
    pd.DataFrame(rows, columns=["i", "x", "n"]).to_csv(tmp_path / "a.csv", index=False)
    with open(tmp_path / "b.csv", "w", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerow(["i", "x", "n"])
        writer.writerows(rows)
    assert reading.compare_paths(str(tmp_path / "a.csv"), str(tmp_path / "b.csv")) == ()


def lines(*values: object, **how: object) -> str:
    return "".join(json.dumps(value, **how) + "\n" for value in values)  # type: ignore[arg-type]


def test_json_lines_in_another_spelling_mean_the_same() -> None:
    rows = [{"id": i, "s": {"x": i / 3, "y": [1, None]}, "t": "ä"} for i in range(5000)]
    turned = [dict(reversed(row.items())) for row in rows]
    assert differing(lines(*rows), "\n" + lines(*turned, ensure_ascii=False, indent=None), "r.jsonl") == []
    turned[4500]["s"] = {"x": 1, "y": [1, None]}
    assert differing(lines(*rows), lines(*turned), "r.jsonl") == [("column:s.x", "values")]


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ([{"a": 1}, {"a": 2}], [{"a": 2}, {"a": 1}]),
        ([{"a": None}], [{}]),
        ([{"a": 1, "b": None}], [{"a": 1}]),
        ([{}], [{}, {}]),
        ([{"a": 1}], [{"a": True}]),
        ([{"a": "1"}], [{"a": 1}]),
        ([{"a": ["x", "y"]}], [{"a": ["xy"]}]),
        ([1, 2], [[1, 2]]),
        ([{"[]": 1}], [1]),
        ([{"a": 2**53 + 1}], [{"a": 2**53}]),
        ([{"a": {}}], [{"a": {"b": {}}}]),
        ([{"a": "x"}, {"a": "y"}], [{"a": "x\ny"}, {"a": ""}]),
    ],
)
def test_json_lines_that_say_something_else_differ(a: list[object], b: list[object]) -> None:
    assert differing(lines(*a), lines(*b), "r.jsonl") != []
    assert differing(lines(*a), lines(*a), "r.jsonl") == []


def test_a_field_that_comes_late_or_stops_is_absent_in_the_other_rows() -> None:
    rows = [{"a": 1} for _ in range(5000)] + [{"a": 1, "b": 2}]
    content = reading.read_bytes(lines(*rows).encode(), "r.jsonl")
    assert {name: leaf.shape for name, leaf in content.leaves.items()} == {
        "column:a": (5001,),
        "column:b": (5001,),
    }
    moved = [{"a": 1, "b": 2}, *rows[:-1]]
    assert differing(lines(*rows), lines(*moved), "r.jsonl") == [("column:b", "values")]


def test_rows_with_ever_new_fields_are_one_column() -> None:
    rows = [{f"f{i}": i} for i in range(12_000)]
    content = reading.read_bytes(lines(*rows).encode(), "r.jsonl")
    assert list(content.leaves) == ["column:[]"]


def test_json_lines_that_are_broken_name_their_line() -> None:
    for bad in (b'{"a": 1}\n{"a": \n', b'{"a": 1}\n{} {}\n', b'{"a": 1}\n\xff\n', b"1\n" + b"[" * 100_000):
        with pytest.raises(UnreadableContentError, match="line 2"):
            reading.read_bytes(bad, "r.jsonl")


def test_a_line_of_json_that_is_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fourfold.formats.likeness.rows.MAX_LINE", 100)
    with pytest.raises(ContentTooLargeError):
        reading.read_bytes(b'"' + b"x" * 200 + b'"', "r.jsonl")


def test_a_table_in_broken_utf_16_is_compared_as_text_and_that_is_said() -> None:
    for tail in (b"\x00", b"\x00\xd8\x00\x00"):
        content = reading.read_bytes(b"\xff\xfe" + "a,b\n1,".encode("utf-16-le") + tail, "a.csv")
        assert list(content.leaves) == [""]
        assert "not read as a table" in content.aside


def test_a_line_of_json_that_is_nested_too_deep_is_refused() -> None:
    with pytest.raises(UnreadableContentError, match="too deep"):
        reading.read_bytes(b"[" * 700 + b"]" * 700 + b"\n", "a.jsonl")
