"""Tables from afar: what is counted, what is no table, and what bounds the reading of hostile ones."""

import csv
import io
import json
import sys

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from fourfold.formats import tabular
from fourfold.formats.parquet import read_footer
from fourfold.formats.tabular import Column, TableSummary, summarize


def of(text: str | bytes, name: str = "t.csv", **how: int) -> TableSummary | None:
    return summarize(io.BytesIO(text if isinstance(text, bytes) else text.encode()), name, **how)


def columns(text: str | bytes, name: str = "t.csv") -> dict[str, Column]:
    found = of(text, name)
    assert found is not None
    assert found.columns is not None
    return {column.name: column for column in found.columns}


def test_a_csv_tells_rows_kinds_nulls_and_how_its_labels_are_balanced() -> None:
    found = columns(
        "id,price,day,label,ok,empty\n"
        "1,1.5,2024-01-02,cat,true,\n"
        "2,NA,2024-01-03,dog,false,\n"
        "3,7,2024-01-04T10:00:00Z,cat,true,\n"
    )
    assert [column.kind for column in found.values()] == [
        "integer",
        "number",
        "date",
        "text",
        "boolean",
        "empty",
    ]
    assert [column.nulls for column in found.values()] == [0, 1, 0, 0, 0, 3]
    assert list((found["label"].values or {}).items()) == [("cat", 2), ("dog", 1)]


def test_a_column_with_many_values_has_no_counts() -> None:
    text = "id,label\n" + "".join(f"{at},{at % 20}\n" for at in range(10_000))
    found = columns(text)
    assert found["id"].values is None
    assert found["label"].values == {str(at): 500 for at in range(20)}


def test_a_column_of_numbers_and_words_is_mixed() -> None:
    assert columns("a\n1\nx\n")["a"].kind == "mixed"
    assert columns("a\n1_000\n")["a"].kind == "text"


def test_a_first_row_of_numbers_is_a_row_and_the_columns_are_numbered() -> None:
    found = of("1,2\n3,4\n")
    assert found is not None
    assert found.rows == 2
    assert [column.name for column in found.columns or ()] == ["1", "2"]


def test_short_rows_lack_values_and_long_ones_lose_what_is_beyond() -> None:
    found = columns("a,b\n1\n1,2,3\n\n")
    assert (found["b"].nulls, found["b"].values) == (1, {"2": 1})


def test_semicolons_and_a_byte_order_mark_are_understood() -> None:
    assert list(columns(b"\xef\xbb\xbfa;b\n1,5;2\n")) == ["a", "b"]
    assert columns("a\tb\n1\tx\n", "t.tsv")["b"].kind == "text"


def test_json_lines_and_arrays_of_objects_are_tables() -> None:
    rows = [{"a": 1, "b": "x"}, {"a": 2.5, "c": [1]}, {"a": None, "b": True}]
    for text, name in (("\n".join(map(json.dumps, rows)), "t.jsonl"), (json.dumps(rows), "t.json")):
        found = columns(text, name)
        assert {key: (column.kind, column.nulls) for key, column in found.items()} == {
            "a": ("number", 1),
            "b": ("mixed", 1),
            "c": ("nested", 2),
        }
        assert found["b"].values == {"true": 1, "x": 1}


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"a,b\n", "t.txt"),
        (b"a,b\n", "csv"),
        (b"\x89PNG\0\0,\n", "t.csv"),
        (b'{"a": 1}', "t.json"),
        (b"[1, 2]", "t.json"),
        (b"[{]", "t.json"),
        (b"plain\n", "t.jsonl"),
        (b"[" * 100_000, "t.json"),
        (b"PAR1 not parquet", "t.parquet"),
    ],
)
def test_what_is_no_table_is_none(data: bytes, name: str) -> None:
    assert of(data, name) is None


def test_an_empty_file_has_no_rows_and_no_columns() -> None:
    assert of("") == TableSummary("csv", 0, ())
    assert of("", "t.jsonl") == TableSummary("jsonl", 0, ())


def test_a_broken_line_makes_the_summary_partial_and_the_rest_counts() -> None:
    found = of('{"a": 1}\nnot json\n{"a": 2}\n' + "[" * 100_000 + "\n", "t.jsonl")
    assert found is not None
    assert (found.rows, found.partial) == (2, True)


def test_reading_ends_at_the_cap_and_says_so() -> None:
    found = of("a\n" + "1\n" * 1000, max_bytes=200)
    assert found is not None
    assert found.partial
    assert found.rows == 99


@pytest.mark.parametrize(
    "data",
    [
        b"a,b\n" + b"x" * (tabular.MAX_LINE + 10) + b"\n1,2\n",
        b"a,b\n1,2\n" + b'"' + b"x\n" * 100_000,
        b"," * 10_000 + b"z\n1,2\n",
        b"a\n" + b"9" * 10_000 + b"\n",
        b'"' + b"x" * 200_000,
    ],
)
def test_hostile_text_is_read_in_bounds(data: bytes) -> None:
    found = of(data)
    assert found is not None
    assert len(found.columns or ()) <= tabular.MAX_COLUMNS


def test_a_json_array_over_the_cap_is_not_read() -> None:
    assert of(b"[" + b" " * 300, "t.json", max_bytes=100) == TableSummary("json", None, None, partial=True)


def test_parquet_tells_what_csv_tells() -> None:
    table = pa.table(
        {
            "id": pa.array(range(30)),
            "label": pa.array(["cat", None, "dog"] * 10).dictionary_encode(),
            "price": pa.array([1.5] * 30, pa.float32()),
            "day": pa.array([None] * 30, pa.date32()),
            "ok": pa.array([True, False, None] * 10),
            "vector": pa.array([[1, 2]] * 30),
        }
    )
    stream = io.BytesIO()
    parquet.write_table(table, stream, row_group_size=7)
    found = columns(stream.getvalue(), "t.parquet")
    assert {key: (column.kind, column.nulls) for key, column in found.items()} == {
        "id": ("integer", 0),
        "label": ("text", 10),
        "price": ("number", 0),
        "day": ("date", 30),
        "ok": ("boolean", 10),
        "vector": ("nested", None),
    }
    assert found["label"].values == {"cat": 10, "dog": 10}
    assert found["ok"].values == {"false": 10, "true": 10}
    assert found["id"].values is None


def test_parquet_is_told_without_pyarrow_but_for_its_values(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.BytesIO()
    parquet.write_table(pa.table({"a": [1, None, 3], "b": ["x", "y", "y"]}), stream)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert of(stream.getvalue(), "t.parquet") == TableSummary(
        "parquet", 3, (Column("a", "integer", 1, None), Column("b", "text", 0, None))
    )


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 2**32 - 1))
def test_any_footer_of_parquet_is_read_or_not_and_never_an_error(data: bytes, length: int) -> None:
    for size in (len(data), length):
        footer = read_footer(io.BytesIO(b"PAR1" + data + size.to_bytes(4, "little") + b"PAR1"))
        assert footer is None or footer.rows >= 0


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_footer_with_a_wrong_byte_is_read_or_not_and_never_an_error(data: st.DataObject) -> None:
    good = _GOOD.getvalue()
    length = int.from_bytes(good[-8:-4], "little")
    at = data.draw(st.integers(len(good) - 8 - length, len(good) - 9))
    bad = bytearray(good)
    bad[at] = data.draw(st.integers(0, 255))
    read_footer(io.BytesIO(bytes(bad)))


def test_a_footer_of_nested_maps_is_refused() -> None:
    deep = b"\x1b" + b"\x01\xbb" * 200_000
    assert read_footer(io.BytesIO(b"PAR1" + deep + len(deep).to_bytes(4, "little") + b"PAR1")) is None


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (pa.int8(), "integer"),
        (pa.uint64(), "integer"),
        (pa.float16(), "number"),
        (pa.float64(), "number"),
        (pa.decimal128(9, 2), "number"),
        (pa.bool_(), "boolean"),
        (pa.string(), "text"),
        (pa.large_string(), "text"),
        (pa.binary(), "text"),
        (pa.binary(4), "text"),
        (pa.date32(), "date"),
        (pa.time64("us"), "date"),
        (pa.timestamp("ns", "UTC"), "date"),
        (pa.null(), "empty"),
        (pa.list_(pa.int32()), "nested"),
        (pa.struct([("x", pa.int32()), ("y", pa.list_(pa.string()))]), "nested"),
        (pa.map_(pa.string(), pa.int32()), "nested"),
    ],
)
def test_every_type_of_arrow_has_its_kind(kind: pa.DataType, told: str) -> None:
    stream = io.BytesIO()
    parquet.write_table(pa.table({"it": pa.array([None], kind), "after": [1]}), stream)
    found = columns(stream.getvalue(), "t.parquet")
    assert [column.kind for column in found.values()] == [told, "integer"]


_GOOD = io.BytesIO()
parquet.write_table(pa.table({"a": [1, None, 3], "b": [[1], [], None], "c": ["x", "y", "y"]}), _GOOD)
CELL = st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=6
) | st.sampled_from(["", "NA", "1", "2.5", "true", "2024-01-02", "a,b", 'say "x"', "two\nlines"])


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 4).flatmap(lambda n: st.lists(st.lists(CELL, min_size=n, max_size=n), max_size=30)))
def test_what_the_csv_module_writes_is_counted_as_it_was_meant(rows: list[list[str]]) -> None:
    width = len(rows[0]) if rows else 1
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, quoting=csv.QUOTE_ALL)
    writer.writerow([f"c{at}" for at in range(width)])
    writer.writerows(rows)
    found = of(stream.getvalue())
    assert found is not None
    assert (found.rows, found.partial) == (len(rows), False)
    for at, column in enumerate(found.columns or ()):
        cells = [row[at] for row in rows if row[at] not in tabular.NULLS]
        assert column.nulls == len(rows) - len(cells)
        expected = {cell: cells.count(cell) for cell in cells}
        assert column.values == (expected if len(expected) <= tabular.MAX_VALUES else None)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(sorted(set(tabular.FORMATS))))
def test_any_bytes_are_a_table_or_none_and_never_an_error(data: bytes, suffix: str) -> None:
    found = of(data, "t" + suffix)
    assert found is None or found.format == tabular.FORMATS[suffix]
    more = summarize(io.BytesIO(data), "t" + suffix, quantiles=True)
    assert (more is None) == (found is None)


def test_quantiles_are_numbers_that_stand_there() -> None:
    data = b"n,x,t\n" + b"".join(b"%d,%d.5,a\n" % (at, at) for at in range(1, 101))
    found = summarize(io.BytesIO(data), "t.csv", quantiles=True)
    assert found is not None
    assert found.columns is not None
    assert [column.quantiles for column in found.columns] == [
        (1.0, 25.0, 50.0, 75.0, 100.0),
        (1.5, 25.5, 50.5, 75.5, 100.5),
        None,
    ]


def test_quantiles_leave_out_nulls_and_columns_that_are_not_all_finite_numbers() -> None:
    found = summarize(io.BytesIO(b"a,b,c,d\n1,1,1,\n,inf,x,\n3,2,2,\n"), "t.csv", quantiles=True)
    assert found is not None
    assert found.columns is not None
    assert [column.quantiles for column in found.columns] == [(1.0, 1.0, 1.0, 3.0, 3.0), None, None, None]


def test_quantiles_of_json_lines_survive_numbers_that_are_too_large() -> None:
    lines = b'{"a": 1, "b": 2, "c": true}\n{"a": 2.5, "b": 1' + b"0" * 400 + b', "c": 1}\n'
    found = summarize(io.BytesIO(lines), "t.jsonl", quantiles=True)
    assert found is not None
    assert found.columns is not None
    assert [column.quantiles for column in found.columns] == [(1.0, 1.0, 1.0, 2.5, 2.5), None, None]
