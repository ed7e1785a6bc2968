import datetime as dt
import decimal
import io
import math
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pyarrow import feather, ipc, orc
from pyarrow import parquet as pq

from fourfold.formats.likeness import reading
from fourfold.formats.likeness.model import Content, compare
from fourfold.formats.likeness.source import ContentTooLargeError, MissingReaderError, UnreadableContentError
from fourfold.formats.likeness.tensors import distance

#: Types that every one of the formats holds.
COMMON = {
    "whole": pa.array([1, None, 3]),
    "float": pa.array([1.5, math.nan, None]),
    "single": pa.array([1.5, 2.5, 3.5], pa.float32()),
    "text": pa.array(["a", None, "ccc"]),
    "bytes": pa.array([b"a", b"", None]),
    "flag": pa.array([True, None, False]),
    "day": pa.array([dt.date(2020, 1, 1), None, dt.date(2021, 1, 1)]),
    "price": pa.array([decimal.Decimal("1.5"), None, decimal.Decimal(2)]),
    "list": pa.array([[1, 2], None, []]),
    "place": pa.array([{"lat": 1, "name": "x"}, None, {"lat": None, "name": "y"}]),
}
TABLE = pa.table(COMMON)
WIDE = pa.table(
    {
        **COMMON,
        "half": pa.array([1.5, 2, None], pa.float16()),
        "at": pa.array([1, 2, None], pa.timestamp("us", "UTC")),
        "map": pa.array([[("a", 1)], None, []], pa.map_(pa.string(), pa.int64())),
        "pair": pa.array([[1, 2], None, [3, 4]], pa.list_(pa.int64(), 2)),
        "class": pa.array(["x", "y", None]).dictionary_encode(),
        "nothing": pa.nulls(3),
        "lists of texts": pa.array([["a", "b"], [], None]),
        "two bytes": pa.array([b"ab", None, b"cd"], pa.binary(2)),
        "took": pa.array([1, 2, 3], pa.duration("us")),
        "small": pa.array([1, 2, 3], pa.uint8()),
    }
)


def parquet(table: pa.Table, **options: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file, **options)
    return file.getvalue()


def arrow(
    table: pa.Table, *, stream: bool = False, rows: int | None = None, pack: str | None = None
) -> bytes:
    file = io.BytesIO()
    options = ipc.IpcWriteOptions(compression=pack)
    make = ipc.new_stream if stream else ipc.new_file
    with make(file, table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=rows)
    return file.getvalue()


def read(data: bytes, name: str = "t.parquet") -> Content:
    return reading.read_bytes(data, name)


@pytest.mark.parametrize(
    "options",
    [
        {"row_group_size": 1},
        {"compression": "zstd"},
        {"compression": "none", "use_dictionary": False, "data_page_version": "2.0"},
        {"column_encoding": {"whole": "DELTA_BINARY_PACKED"}, "use_dictionary": False},
    ],
)
def test_a_parquet_file_means_the_same_however_it_is_cut_packed_and_encoded(options: dict[str, Any]) -> None:
    plain, other = parquet(WIDE), parquet(WIDE, **options)
    assert plain != other
    assert compare(read(plain), read(other)) == ()


def test_metadata_of_pandas_and_of_the_file_does_not_count() -> None:
    other = TABLE.replace_schema_metadata({"pandas": "{}", "written": "today"})
    assert compare(read(parquet(TABLE)), read(parquet(other))) == ()


@pytest.mark.parametrize(
    "options", [{"stream": True}, {"rows": 1}, {"pack": "zstd"}, {"stream": True, "rows": 2}]
)
def test_an_arrow_file_means_the_same_as_a_stream_packed_and_in_other_batches(
    options: dict[str, Any],
) -> None:
    plain, other = arrow(WIDE), arrow(WIDE, **options)
    assert plain != other
    assert compare(read(plain, "t.arrow"), read(other, "t.arrow")) == ()


def test_a_feather_file_means_the_same_packed_or_not(tmp_path: Path) -> None:
    feather.write_feather(WIDE, tmp_path / "a.feather")
    feather.write_feather(WIDE, tmp_path / "b.feather", compression="uncompressed", chunksize=2)
    assert reading.compare_paths(str(tmp_path / "a.feather"), str(tmp_path / "b.feather")) == ()


def test_an_orc_file_means_the_same_packed_or_not(tmp_path: Path) -> None:
    orc.write_table(TABLE, tmp_path / "a.orc")
    orc.write_table(TABLE, tmp_path / "b.orc", compression="zlib")
    assert (tmp_path / "a.orc").read_bytes() != (tmp_path / "b.orc").read_bytes()
    assert reading.compare_paths(str(tmp_path / "a.orc"), str(tmp_path / "b.orc")) == ()
    orc.write_table(TABLE.slice(1), tmp_path / "c.orc")
    assert reading.compare_paths(str(tmp_path / "a.orc"), str(tmp_path / "c.orc"))


def test_dictionaries_and_wide_types_of_texts_do_not_count() -> None:
    plain = pa.table({"a": pa.array(["x", "y", None]), "n": pa.array([1, 1, 2])})
    other = pa.table(
        {"a": pa.array(["x", "y", None], pa.large_string()), "n": pa.array([1, 1, 2]).dictionary_encode()}
    )
    assert compare(read(arrow(plain), "t.arrow"), read(arrow(other), "t.arrow")) == ()


def test_polars_and_pandas_write_the_same_table() -> None:
    frame = {"n": [1, None, 3], "f": [0.5, 1.5, 2.5], "s": ["a", None, "c"], "b": [True, False, True]}
    ours, theirs = io.BytesIO(), io.BytesIO()
    pl.DataFrame(frame).write_parquet(ours)
    pd.DataFrame(frame).astype({"n": "Int64"}).to_parquet(theirs)
    assert compare(read(ours.getvalue()), read(theirs.getvalue())) == ()


def test_what_lies_beneath_a_null_does_not_count() -> None:
    valid = pa.array([True, False]).buffers()[1]
    one = pa.Array.from_buffers(pa.int64(), 2, [valid, pa.py_buffer(b"\x01" + bytes(15))])
    other = pa.Array.from_buffers(
        pa.int64(), 2, [valid, pa.py_buffer(b"\x01" + bytes(7) + b"\x09" + bytes(7))]
    )
    files = [arrow(pa.table({"a": array})) for array in (one, other)]
    assert files[0] != files[1]
    assert compare(read(files[0], "t.arrow"), read(files[1], "t.arrow")) == ()


DIFFERENT: list[tuple[str, Any, str, str]] = [
    ("whole", pa.array([1, None, 4]), "column:whole", "values"),
    ("whole", pa.array([1, 0, 3]), "column:whole", "values"),
    ("whole", pa.array([1, None, 3], pa.int32()), "column:whole", "kind"),
    ("float", pa.array([1.5, None, math.nan]), "column:float", "values"),
    ("text", pa.array(["a", "", "ccc"]), "column:text", "values"),
    ("text", pa.array(["ac", None, "cc"]), "column:text", "values"),
    ("text", pa.array([b"a", None, b"ccc"]), "column:text", "kind"),
    ("flag", pa.array([False, None, False]), "column:flag", "values"),
    ("price", pa.array([decimal.Decimal("1.6"), None, decimal.Decimal(2)]), "column:price", "values"),
    ("list", pa.array([[1], None, [2]]), "column:list", "values"),
    ("list", pa.array([[1, 3], None, []]), "column:list[]", "values"),
    (
        "place",
        pa.array([{"lat": 2, "name": "x"}, None, {"lat": None, "name": "y"}]),
        "column:place.lat",
        "values",
    ),
]


@pytest.mark.parametrize(("name", "values", "where", "what"), DIFFERENT)
def test_another_value_null_or_type_is_named_by_its_column(
    name: str, values: Any, where: str, what: str
) -> None:
    at = TABLE.schema.get_field_index(name)
    found = compare(read(parquet(TABLE)), read(parquet(TABLE.set_column(at, name, values))))
    assert (found[0].name, found[0].what) == (where, what)
    assert all(one.name.startswith(f"column:{name}") for one in found)


def test_the_order_of_rows_and_of_columns_counts() -> None:
    found = compare(read(parquet(TABLE)), read(parquet(TABLE.take([0, 2, 1]))))
    assert "column:whole" in {one.name for one in found}
    turned = TABLE.select(list(reversed(TABLE.column_names)))
    assert [one.name for one in compare(read(parquet(TABLE)), read(parquet(turned)))] == [":columns"]


def test_numbers_of_a_column_are_given_with_nan_for_what_is_not_there() -> None:
    leaves = read(parquet(TABLE)).leaves
    whole = leaves["column:whole"].numbers
    assert whole is not None
    assert [value if value == value else None for value in whole()] == [1.0, None, 3.0]  # noqa: PLR0124 - NaN
    one = pa.table({"a": [1.0, 2.0], "n": [1, None]})
    other = pa.table({"a": [1.0, math.nextafter(2.0, 3.0)], "n": [1, 5]})
    a, b = read(parquet(one)).leaves, read(parquet(other)).leaves
    assert distance(a["column:a"], b["column:a"]).ulp == 1
    assert distance(a["column:n"], b["column:n"]).nan_mismatch == 1


def test_columns_of_the_same_name_are_kept_apart() -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    assert set(read(arrow(table), "t.arrow").leaves) == {":columns", "column:a", "column:a~2"}


def test_a_table_of_nothing_has_its_columns() -> None:
    empty = read(parquet(TABLE.slice(0, 0)))
    assert empty.leaves["column:whole"].shape == (0,)
    assert compare(empty, read(parquet(TABLE)))


def test_a_dictionary_that_would_fill_the_memory_is_refused() -> None:
    words = pa.DictionaryArray.from_arrays(pa.array([0] * 60_000, pa.int32()), pa.array(["x" * 100_000]))
    with pytest.raises(ContentTooLargeError):
        read(arrow(pa.table({"a": words})), "t.arrow")


@pytest.mark.parametrize("name", ["t.parquet", "t.arrow", "t.orc"])
def test_damage_is_an_error_with_the_name_of_the_file(name: str) -> None:
    file = io.BytesIO()
    orc.write_table(TABLE, file)
    data = {"t.parquet": parquet(TABLE), "t.arrow": arrow(TABLE), "t.orc": file.getvalue()}[name]
    for end in range(1, len(data), max(1, len(data) // 23)):
        with pytest.raises((UnreadableContentError, ContentTooLargeError), match=f"^{name}: "):
            read(data[:end], name)
    with pytest.raises(UnreadableContentError):
        read(b"PAR1 hello", name)


def test_without_pyarrow_the_error_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    data = parquet(TABLE)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingReaderError) as caught:
        read(data)
    assert caught.value.hint == "install it: pip install 'fourfold[tables]'"


def test_whole_numbers_beyond_doubles_are_no_numbers_where_some_are_missing() -> None:
    large = 1 << 60
    one, other = (pa.table({"n": pa.array([last, None])}) for last in (large, large + 1))
    (found,) = compare(read(parquet(one)), read(parquet(other)))
    assert [leaf and leaf.numbers for leaf in found.leaves] == [None, None]
    whole = read(parquet(one.slice(0, 1))).leaves["column:n"].numbers
    assert whole is not None
    assert list(whole()) == [large]


def test_a_great_batch_means_the_same_as_small_ones() -> None:
    great = pa.concat_tables([WIDE] * 22_000).combine_chunks()
    one, other = read(arrow(great), "t.arrow"), read(arrow(great, rows=1009), "t.arrow")
    assert one.leaves["column:whole"].shape == (66_000,)
    assert compare(one, other) == ()
