"""Files of plots as rows."""

import csv
import io
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourfold.base.errors import FourfoldError
from fourfold.pipeline.plots.chart import BUILT_IN, chart
from fourfold.pipeline.plots.collect import Loaded, Plot
from fourfold.pipeline.plots.data import (
    FieldNotFoundError,
    NoRowsError,
    PlotFileTypeError,
    UnequalRowsError,
    convert,
    datapoints,
    parse,
)
from fourfold.pipeline.plots.page import page
from fourfold.pipeline.plots.sparks import lines
from fourfold.pipeline.plots.svg import document

CELLS = st.text(st.sampled_from('ab,"\n\r \t1'), max_size=4)


@given(st.lists(st.lists(CELLS, max_size=4), max_size=5))
def test_a_table_is_read_as_python_reads_it(table: list[list[str]]) -> None:
    out = io.StringIO(newline="")
    csv.writer(out).writerows(table)
    text = out.getvalue()
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    assert parse(text.encode(), "a.csv") == list(csv.DictReader(io.StringIO(plain)))


def test_a_table_without_header_has_numbers_as_columns() -> None:
    assert parse(b"a\tb\n1\t2\n", "x.tsv", header=False) == [{"0": "a", "1": "b"}, {"0": "1", "1": "2"}]
    assert parse(b"", "x.csv", header=False) == []


def test_documents_give_their_lists_put_together_row_by_row() -> None:
    data = parse(b'{"a": {"t": [{"x": 1}, {"x": 2}]}, "b": [{"y": 5}], "n": 3, "l": [1, 2]}', "m.json")
    assert datapoints(data) == [{"x": 1, "y": 5}, {"x": 2}]
    assert datapoints([{"x": 1}, {"y": 2}]) == []


@pytest.mark.parametrize("name", ["a.txt", "noext", "a.PNG"])
def test_a_file_of_another_type_is_refused_by_name(name: str) -> None:
    with pytest.raises(PlotFileTypeError, match=name):
        parse(b"", name)


@pytest.mark.parametrize(
    ("name", "data"),
    [("a.json", b"[{"), ("a.yaml", b"a: [\n"), ("a.csv", b"\xff\xfe"), ("a.json", b"[" * 100_000)],
)
def test_a_broken_file_is_a_typed_error(name: str, data: bytes) -> None:
    with pytest.raises(FourfoldError):
        parse(data, name)


def test_without_x_the_number_of_the_row_is_x_and_without_y_the_last_column_is_y() -> None:
    found = convert("a.csv", {"a.csv": [{"p": "1", "q": "2"}]}, {}, "HEAD")
    assert found.rows == [{"p": "1", "q": "2", "step": 0, "rev": "HEAD", "filename": "a.csv", "field": "q"}]
    assert (found.props["x"], found.props["y"], found.props["x_label"]) == ("step", "q", "step")


def test_several_fields_share_one_column_and_several_files_lose_what_their_paths_share() -> None:
    contents = {"d/a.csv": [{"x": 1, "y": 2}], "d/b.csv": [{"x": 1, "z": 3}]}
    props: dict[str, Any] = {"x": "x", "y": {"d/a.csv": "y", "d/b.csv": ["z"]}}
    found = convert("both", contents, props, "r")
    assert [(row["filename"], row["field"], row["dvc_inferred_y_value"]) for row in found.rows] == [
        ("a.csv", "y", 2),
        ("b.csv", "z", 3),
    ]
    assert found.props["y_label"] == "y"


def test_a_column_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(FieldNotFoundError, match=r"\('nope'\).*\('p, q'\)"):
        convert("a.csv", {"a.csv": [{"p": 1, "q": 2}]}, {"y": "nope"}, "r")


def test_a_file_without_rows_of_equal_columns_says_so() -> None:
    with pytest.raises(NoRowsError, match="no rows"):
        convert("a.json", {"a.json": {"n": 1}}, {"y": "n"}, "r")


def test_axes_of_different_lengths_are_not_joined() -> None:
    contents = {"a.csv": [{"x": 1}], "b.csv": [{"y": 1}, {"y": 2}]}
    with pytest.raises(UnequalRowsError, match="Cannot join 'x' from"):
        convert("p", contents, {"x": {"a.csv": "x"}, "y": {"b.csv": "y"}}, "r")


FIELDS = st.sampled_from(["x", "y", "rev", "step", "a.b", ""])
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.sampled_from(["1", "cat", "nan", "1e400", ""]),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(FIELDS, st.integers(), max_size=2),
)
TABLES = st.lists(st.dictionaries(FIELDS, VALUES, max_size=4), max_size=6)
DOCUMENTS = st.recursive(
    TABLES | VALUES, lambda inner: st.dictionaries(FIELDS, inner, max_size=3), max_leaves=6
)
FILES = st.sampled_from(["a.json", "b/c.csv", "/d.csv"])
AXES = st.one_of(
    FIELDS,
    st.lists(FIELDS, max_size=2),
    st.dictionaries(FILES, FIELDS | st.lists(FIELDS, max_size=2) | VALUES, max_size=3),
)


@given(
    st.dictionaries(FILES, DOCUMENTS, max_size=3),
    st.fixed_dictionaries(
        {}, optional={"x": AXES, "y": AXES, "x_label": st.text(max_size=3), "title": st.text(max_size=3)}
    ),
    st.sampled_from(sorted(BUILT_IN)),
)
def test_whatever_files_and_definitions_say_is_drawn_or_is_a_typed_error(
    contents: dict[str, Any], props: dict[str, Any], template: str
) -> None:
    try:
        found = convert("a.json", contents, props, "r")
    except FourfoldError:
        return
    plot = Plot(
        "a.json",
        "t",
        template,
        found.props,
        ("r",),
        ("r",) if found.rows else (),
        tuple(found.rows),
        found.ys,
    )
    drawn = chart(plot)
    if drawn is not None:
        ET.fromstring(document(drawn))
        assert list(lines(drawn))
    assert page(Loaded((plot,)), title="t")
