"""Templates and their anchors."""

import json
from pathlib import Path
from typing import Any

import pytest

from fourfold.pipeline.plots import painting
from fourfold.pipeline.plots.data import FieldNotFoundError
from fourfold.pipeline.plots.templates import (
    BUILT_IN,
    BadTemplateError,
    Template,
    TemplateNotFoundError,
    anchor,
    find,
)
from fourfold.pipeline.plots.vega import fill
from tests.pipeline.plots.samples import ALL, sample, series
from tests.project.workplace import Workplace


def built_in(name: str) -> Template:
    return Template(name, BUILT_IN[name])


@pytest.mark.parametrize("name", ALL)
def test_every_template_is_vega_lite_that_an_independent_program_draws(name: str) -> None:
    filled = fill(sample(name), built_in(name))
    assert "<DVC_METRIC_" not in json.dumps(filled.content)
    assert painting.vega_svg(filled.content, name).startswith("<svg")


@pytest.mark.parametrize("name", ALL)
def test_a_template_that_is_split_has_its_data_beside_it(name: str) -> None:
    filled = fill(sample(name), built_in(name), split=True)
    assert filled.content["data"]["values"] == anchor("data")
    assert len(filled.beside[anchor("data")]) == len(sample(name).rows)


@pytest.mark.parametrize("name", ALL)
def test_filling_a_template_does_not_change_it(name: str) -> None:
    before = json.dumps(BUILT_IN[name])
    fill(sample(name), built_in(name))
    assert json.dumps(BUILT_IN[name]) == before


def test_values_are_not_looked_through_for_anchors() -> None:
    content = {"title": anchor("title"), "data": {"values": anchor("data")}, "note": f"of {anchor('title')}!"}
    plot = series()._replace(title=anchor("x"))
    assert fill(plot, Template("mine", content)).content["note"] == f"of {anchor('x')}!"


def test_columns_with_points_and_brackets_are_escaped_where_they_name_an_axis() -> None:
    plot = series(y="a.b[0]")
    plot = plot._replace(rows=tuple({**row, "a.b[0]": 1} for row in plot.rows))
    encoding = fill(plot, built_in("simple")).content["encoding"]
    assert encoding["y"]["field"] == "a\\.b\\[0\\]"
    assert encoding["tooltip"][2] == {"field": "a.b[0]"}


def test_rows_of_one_source_lose_what_tells_sources_apart() -> None:
    rows: list[Any] = fill(series(), built_in("simple")).content["data"]["values"]
    assert set(rows[0]) == {"step", "value", "rev"}
    two = series(fields=("loss", "acc"))
    content = fill(two, built_in("simple")).content
    assert set(content["data"]["values"][0]) == {"step", "value", "rev", "field"}
    assert content["encoding"]["strokeDash"]["scale"] == {
        "domain": ["acc", "loss"],
        "range": [[1, 0], [8, 8]],
    }


def test_a_template_without_a_place_for_data_or_a_plot_without_its_column_is_an_error() -> None:
    with pytest.raises(BadTemplateError, match="<DVC_METRIC_DATA>"):
        fill(series(), Template("mine", {"mark": "bar"}))
    with pytest.raises(FieldNotFoundError, match="'nope'"):
        fill(series(x="nope"), built_in("simple"))


def test_templates_of_the_project_come_before_ours(work: Workplace) -> None:
    work.gen(
        {".dvc": {"plots": {"linear.json": '{"mine": 1}', "own.json": "{}"}}, "here.json": '{"here": 1}'}
    )
    project = work.open()
    assert find(project, "linear").content == {"mine": 1}
    assert find(project, "own").path.endswith("own.json")
    assert find(project, "here.json").content == {"here": 1}
    assert find(project, "smooth").path == ""
    with pytest.raises(TemplateNotFoundError, match="'nosuch'"):
        find(project, "nosuch")


@pytest.mark.parametrize("text", ["[]", "{", "[" * 100_000])
def test_a_template_that_is_no_object_is_a_typed_error(work: Workplace, text: str) -> None:
    work.gen({".dvc": {"plots": {"mine.json": text}}})
    with pytest.raises(BadTemplateError):
        find(work.open(), "mine")


def test_a_template_that_the_repository_names_cannot_lie_outside_of_it(
    work: Workplace, tmp_path: Path
) -> None:
    (tmp_path / "outside.json").write_text('{"secret": 1}')
    work.gen({".dvc": {"plots": {}}})
    (Path(work.root) / ".dvc/plots/link.json").symlink_to(tmp_path / "outside.json")
    for name in (str(tmp_path / "outside.json"), "../outside.json", "link"):
        with pytest.raises(TemplateNotFoundError):
            find(work.open(), name)
    assert find(work.open(), str(tmp_path / "outside.json"), trusted=True).content == {"secret": 1}


def test_a_template_that_names_an_address_is_not_given_it() -> None:
    content = {"data": {"url": "http://127.0.0.1:9/x.json"}, "mark": "bar", "encoding": {}}
    with pytest.raises(painting.NotDrawableError):
        painting.vega_svg(content, "mine")
    rows = {"values": [{"a": 1}]}
    for url in (
        "file:///etc/hostname",
        "/etc/hostname",
        "http://127.0.0.1:9/x.png",
        "https://127.0.0.1:9/y.png",
    ):
        mark = {"type": "image", "url": url, "href": url, "width": 10, "height": 10}
        drawn = painting.vega_svg({"data": rows, "mark": mark}, "mine")
        assert "<image" in drawn
        assert url not in drawn
