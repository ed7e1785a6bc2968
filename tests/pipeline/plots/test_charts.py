"""Plots as charts, and charts as SVG."""

import re
import xml.etree.ElementTree as ET

import pytest

from fourfold.pipeline.plots import painting
from fourfold.pipeline.plots.chart import COLORS, chart
from fourfold.pipeline.plots.sampling import MOST
from fourfold.pipeline.plots.sparks import lines, spark
from fourfold.pipeline.plots.svg import svg
from tests.pipeline.plots.samples import ALL, REVS, classes, images, importances, sample, series

HOSTILE = "</text><script>alert(1)</script>\" onload='x' & \x00\x1b\ud800 ]]>"


@pytest.mark.parametrize("template", ALL)
def test_every_template_that_is_built_in_is_drawn_as_a_document_of_its_own(template: str) -> None:
    drawn = svg(sample(template))
    root = ET.fromstring(drawn)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "http" not in drawn.replace("http://www.w3.org/2000/svg", "")
    assert all(color in drawn for color in COLORS[:2])
    assert all(rev in drawn for rev in REVS)
    assert "NaN" not in drawn
    assert painting.png(drawn).startswith(b"\x89PNG")


@pytest.mark.parametrize("template", ALL)
def test_whatever_a_repository_says_is_text_in_a_drawing(template: str) -> None:
    plain = sample(template)
    rows = tuple(
        {key: HOSTILE if isinstance(value, str) else value for key, value in row.items()}
        for row in plain.rows
    )
    props = {**plain.props, "x_label": HOSTILE, "y_label": HOSTILE}
    root = ET.fromstring(svg(plain._replace(title=HOSTILE, props=props, rows=rows, asked=(HOSTILE, "b"))))
    assert {element.tag.partition("}")[2] for element in root.iter()} <= {
        "svg",
        "g",
        "text",
        "title",
        "style",
        "path",
        "rect",
        "circle",
    }
    assert not [key for element in root.iter() for key in element.attrib if key.startswith("on")]


def test_a_long_series_is_drawn_with_fewer_points_and_says_so() -> None:
    found = chart(series(count=5000))
    assert found is not None
    assert {len(one.xs) for one in found.series} == {MOST}
    assert "1,000 of up to 5,000 points" in found.note
    assert "1,000 of up to 5,000" in svg(series(count=5000))
    assert len(svg(series(count=100_000))) < 100_000


def test_colours_go_by_the_place_of_a_moment_among_all_that_were_asked_for() -> None:
    found = series()
    alone = found._replace(rows=tuple(found.rows_of("HEAD")), revs=("HEAD",))
    assert COLORS[1] in svg(alone)
    assert COLORS[0] not in svg(alone)


def test_several_fields_are_told_apart_by_dashes_or_shapes_with_a_legend() -> None:
    two = series("simple", fields=("loss", "val_loss"))
    assert 'stroke-dasharray="8 8"' in svg(two)
    assert ">val_loss<" in svg(two)
    assert ">val_loss<" in svg(two._replace(template="scatter"))


def test_a_smooth_plot_shows_the_raw_line_faintly_behind() -> None:
    drawn = svg(series("smooth"))
    assert re.search(r'<path d="M[^"]+" class="line faint"', drawn)
    assert re.search(r'<path d="" class="line faint"', svg(series("linear")))


def test_names_on_the_x_axis_are_categories_in_the_order_of_the_rows() -> None:
    plot = series(count=3)
    months = ("march", "april", "may")
    rows = tuple({**row, "step": months[row["step"]]} for row in plot.rows)
    found = chart(plot._replace(rows=rows))
    assert found is not None
    assert found.x.names == months


def test_rows_without_numbers_are_left_out_and_counted() -> None:
    plot = series(count=4)
    rows = tuple({**row, "value": "" if row["step"] == 2 else row["value"]} for row in plot.rows)
    found = chart(plot._replace(rows=rows))
    assert found is not None
    assert "2 rows without a number" in found.note


def test_a_confusion_matrix_counts_pairs_by_row_and_column() -> None:
    found = chart(classes("confusion"))
    assert found is not None
    assert (found.x.names, found.y.names) == (("cat", "dog"), ("cat", "dog"))
    assert found.cells[0].texts == (("1", "0"), ("1", "2"))
    shares = chart(classes("confusion_normalized"))
    assert shares is not None
    assert shares.cells[0].texts == (("1.00", "0.00"), ("0.33", "0.67"))


def test_classes_that_are_numbers_are_sorted_as_numbers() -> None:
    plot = classes("confusion")
    rows = tuple({**row, "actual": str(at)} for at, row in enumerate(plot.rows * 2))
    found = chart(plot._replace(rows=rows))
    assert found is not None
    assert found.x.names == tuple(str(at) for at in range(16))


def test_sorted_bars_begin_with_the_largest_and_others_are_sorted_by_name() -> None:
    by_size, by_name = chart(importances("bar_horizontal_sorted")), chart(importances("bar_horizontal"))
    assert by_size is not None
    assert by_name is not None
    assert by_size.y.names == ("large", "middle", "small")
    assert by_name.y.names == ("large", "middle", "small")
    assert by_size.x.low == 0


def test_what_cannot_be_drawn_has_no_chart() -> None:
    assert chart(images()) is None
    assert chart(series(count=0)) is None
    assert chart(series("of my own")) is None
    many = classes("confusion")
    rows = tuple({**many.rows[0], "actual": str(at)} for at in range(1000))
    assert chart(many._replace(rows=rows)) is None


def test_a_series_in_the_terminal_is_a_line_of_blocks() -> None:
    assert spark([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"
    assert spark([5.0]) == "▄"
    assert len(spark([float(at) for at in range(1000)])) == 40
    found = chart(series(count=4))
    assert found is not None
    assert list(lines(found)) == [
        "Losses",
        "  workspace  █▄▂▁  1 → 0.25  (0.25 … 1)",
        "  HEAD       ▄▂▁▁  0.5 → 0.2  (0.2 … 0.5)",
    ]


def test_matrices_and_bars_in_the_terminal_are_their_numbers() -> None:
    matrix, bars = chart(classes("confusion")), chart(importances("bar_horizontal_sorted"))
    assert matrix is not None
    assert bars is not None
    assert "    dog    1    2" in list(lines(matrix))
    assert any(line.startswith("  large   workspace  ██") for line in lines(bars))
