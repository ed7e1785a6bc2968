import pickle
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from fourfold.formats.likeness import frames, reading
from fourfold.formats.likeness.model import Content, Difference, compare


def read(value: Any, protocol: int = 5) -> Content:
    return reading.read_bytes(pickle.dumps(value, protocol), "x.pkl")


def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "whole": [1, 2, 3],
            "float": [1.0, 2.0, 3.0],
            "text": ["x", None, "zz"],
            "more": [4, 5, 6],
            "at": pd.to_datetime(["2020-01-01", "2020-01-02", None]),
            "class": pd.Categorical(["u", "v", "u"]),
            "zoned": pd.to_datetime(["2020-01-01", "2020-01-02", "2020-01-03"], utc=True),
            "object": pd.Series([1, "x", None], dtype=object),
            "null": pd.array([1, None, 3], dtype="Int64"),
        }
    )


def in_blocks_of_one() -> pd.DataFrame:
    """The same frame, put together column by column: as many blocks."""
    whole = frame()
    return pd.concat([whole[[name]] for name in whole.columns], axis=1)


def test_a_frame_means_the_same_in_whatever_blocks_and_protocol() -> None:
    one, other = frame(), frame()
    other.insert(0, "gone", 1)
    other = other.drop(columns="gone")
    other["whole"] = other["whole"].to_numpy().copy()
    assert pickle.dumps(one) != pickle.dumps(other)
    for content in (read(other), read(one, 2), read(in_blocks_of_one())):
        assert compare(read(one), content) == ()


def test_leaves_of_a_frame_are_its_columns_and_axes() -> None:
    leaves = read(frame()).leaves
    assert leaves["column:whole"][:3] == ("tensor", "int64", (3,))
    assert {"column:float", "column:text/texts/0", "column:at/data", "column:class/data"} <= set(leaves)
    numbers = leaves["column:more"].numbers
    assert numbers is not None
    assert list(numbers()) == [4, 5, 6]


def test_what_pandas_remembers_of_earlier_questions_does_not_count() -> None:
    asked = frame()
    for name in asked.columns:
        repr(asked[name])
        asked[name].is_unique  # noqa: B018 - asking is what is remembered
    repr(asked.index.dtype)
    assert compare(read(frame()), read(asked)) == ()


def changed(name: str, values: Any) -> pd.DataFrame:
    return frame().assign(**{name: values})


@pytest.mark.parametrize(
    ("other", "where"),
    [
        (changed("whole", [1, 2, 4]), "column:whole"),
        (changed("whole", [1.0, 2.0, 3.0]), "column:whole"),
        (changed("text", ["x", "y", "zz"]), "column:text/texts/1"),
        (changed("at", pd.to_datetime(["2020-01-01", "2020-01-03", None])), "column:at/data"),
        (changed("class", pd.Categorical(["u", "v", "v"])), "column:class/data"),
        (changed("object", pd.Series([1, "y", None], dtype=object)), "column:object/1"),
        (frame().set_index(pd.Index([1, 2, 3])), "index"),
    ],
)
def test_another_value_is_named_by_its_column(other: pd.DataFrame, where: str) -> None:
    found: tuple[Difference, ...] = compare(read(frame()), read(other))
    assert found
    assert all(one.name.startswith(where) for one in found)


def test_a_renamed_column_and_another_order_of_columns_are_seen() -> None:
    names = {one.name for one in compare(read(frame()), read(frame().rename(columns={"more": "less"})))}
    assert {"column:more", "column:less"} <= names
    turned = frame()[list(reversed(frame().columns))]
    found = compare(read(frame()), read(turned))
    assert found
    assert all(one.name.startswith("columns") for one in found)


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_a_series_means_its_values_and_its_index(protocol: int) -> None:
    series = pd.Series([1.0, 2.0], index=["a", "b"], name="x")
    assert compare(read(series), read(series.copy(), protocol)) == ()
    (found,) = compare(read(series), read(series.add([0, 1]), protocol))
    assert found.name == "values"
    found = compare(read(series), read(series.rename("y"), protocol))[0]
    assert "name" in found.name


def test_frames_with_columns_that_are_no_texts_are_read() -> None:
    numbered = pd.DataFrame([[1, 2.5], [3, 4.5]])
    assert {"column:0", "column:1"} <= set(read(numbered).leaves)
    levels = pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", "x"), ("a", "y")]))
    assert compare(read(levels), read(levels + 1))
    assert compare(read(levels), read(levels.copy())) == ()


def test_texts_that_arrow_holds_in_pieces_mean_the_same() -> None:
    whole = pd.Series(["a", None, "ccc", "d"], dtype="str")
    pieces = pd.concat([whole[:2], whole[2:]], ignore_index=True)
    assert compare(read(whole), read(pieces)) == ()
    assert compare(read(whole), read(whole.where(whole != "d", "e")))


def test_what_lies_beneath_a_gap_of_numbers_does_not_count() -> None:
    one = pd.DataFrame(
        {"a": pd.array([1, None, 3], dtype="Int64"), "b": pd.array([0.5, None, 1.5], dtype="Float64")}
    )
    other = one.copy()
    other["a"].array._data[1] = 99
    assert pickle.dumps(one) != pickle.dumps(other)
    assert compare(read(one), read(other)) == ()
    (found,) = compare(read(one), read(one.assign(a=pd.array([1, None, 4], dtype="Int64"))))
    assert found.name == "column:a/data"


@pytest.mark.parametrize("stop", [1 << 62, 1 << 150])
def test_a_frame_of_very_many_columns_in_words_stays_described(stop: int) -> None:
    places = b"cbuiltins\nslice\n(K\x00\x8a\x14" + stop.to_bytes(20, "little") + b"K\x01tR"
    blocks = b"(K\x01" + places + b"\x86t"
    data = b"\x80\x04cpandas.core.internals.managers\nBlockManager\n" + blocks + b"]\x86R."
    leaves = reading.read_bytes(data, "a.pkl").leaves
    assert leaves[":type"].dtype == "pandas.core.internals.managers.BlockManager"


def test_pieces_of_the_same_texts_are_put_together_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    series = pd.Series(["one", "two", None] * 4, dtype="string[pyarrow]")
    pieces = pa.chunked_array([pa.array(["one", "two", None], pa.large_string())] * 4)
    same = pd.Series(pd.arrays.ArrowStringArray(pieces))
    one, other = (reading.read_bytes(pickle.dumps(each), "a.pkl") for each in (series, same))
    assert compare(one, other) == ()
    monkeypatch.setattr(frames, "_MAX_TEXTS", 100)
    cut = reading.read_bytes(pickle.dumps(same), "a.pkl")
    assert compare(cut, one)  # described by its pieces
