"""Templates: Vega-Lite with DVC's anchors, for the nine names that DVC knows, and those of a project.

An anchor is a text such as ``<DVC_METRIC_DATA>``; `vega` puts values in their place. A project's own
templates are JSON files below ``.dvc/plots``, or files named by a path; one that has the name of ours takes
its place. What each of ours shows is DVC's; how it is written is our own.
"""

import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from fourfold.base.errors import InvalidFileError, NotFoundError, from_os_error
from fourfold.base.fs.reading import read_file

if TYPE_CHECKING:
    from fourfold.project.project import Project

SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"
REV = "rev"
#: Anchors that may be missing, in the order in which they are looked for.
OPTIONAL = (
    "color",
    "column",
    "group_by_x",
    "group_by_y",
    "group_by",
    "pivot_field",
    "plot_height",
    "plot_width",
    "row",
    "shape",
    "stroke_dash",
    "tooltip",
    "zoom_and_pan",
)


class TemplateNotFoundError(NotFoundError):
    """A plot names a template that is neither ours, nor in ``.dvc/plots``, nor a file."""

    code = "plot-template-not-found"


class BadTemplateError(InvalidFileError):
    """A template is no JSON object, or has no place for the data."""

    code = "bad-plot-template"


class Template(NamedTuple):
    """One template.

    Attributes:
        name: As it was asked for.
        content: Vega-Lite (or Vega) with anchors.
        path: The file that it came from; empty for ours.
    """

    name: str
    content: dict[str, Any]
    path: str = ""


def anchor(name: str) -> str:
    """The text that stands for a value: ``<DVC_METRIC_TITLE>`` for ``title``."""
    return f"<DVC_METRIC_{name.upper()}>"


def find(project: "Project", name: str, *, trusted: bool = False) -> Template:
    """A template by its name.

    Args:
        project: Whose ``.dvc/plots`` is looked into first.
        name: Of a file there (``.json`` may be left out), a path from where the user stands, or one of ours.
        trusted: The user typed the name; otherwise it cannot lead out of the project.

    Raises:
        TemplateNotFoundError: there is none.
        BadTemplateError: it is no JSON object.
    """
    folder = os.path.join(project.dvc_dir, "plots")
    for base, entry in ((folder, name), (folder, os.path.splitext(name)[0] + ".json"), (project.cwd, name)):
        path = os.path.normpath(os.path.join(base, entry))
        if os.path.isfile(path) and (trusted or project.contains(os.path.realpath(path))):
            return Template(name, _read(path), path)
    if name in BUILT_IN:
        return Template(name, BUILT_IN[name])
    raise TemplateNotFoundError(
        f"there is no template '{name}'", hint="see which there are: ff plots templates"
    )


def _read(path: str) -> dict[str, Any]:
    try:
        content = json.loads(read_file(path))
    except OSError as error:
        raise from_os_error(error, f"reading {path}") from error
    except (ValueError, RecursionError) as error:
        raise BadTemplateError(f"the template '{path}' is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise BadTemplateError(f"the template '{path}' is not a JSON object")
    return content


def _axis(
    which: str, kind: str | None = "quantitative", more: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The encoding of one axis, with its label."""
    found = {"field": anchor(which), "title": anchor(f"{which}_label"), **(more or {})}
    return {**found, "type": kind} if kind else found


def _spec(*, size: bool = True, **parts: Any) -> dict[str, Any]:
    """A whole template: data and title, then what it is made of."""
    plane = {"width": anchor("plot_width"), "height": anchor("plot_height")} if size else {}
    return {
        "$schema": SCHEMA,
        "title": {"text": anchor("title"), "anchor": "middle"},
        "data": {"values": anchor("data")},
        **plane,
        **parts,
    }


_ZOOM = [anchor("zoom_and_pan")]
_FITTED: dict[str, Any] = {"scale": {"zero": False}}
_BY_REV = {"field": REV, "type": "nominal"}
_RICH = {"tooltip": {"content": "data"}}


def _simple() -> dict[str, Any]:
    return _spec(
        mark={"type": "line", **_RICH},
        params=_ZOOM,
        encoding={
            "x": _axis("x"),
            "y": _axis("y", more=_FITTED),
            "color": anchor("color"),
            "strokeDash": anchor("stroke_dash"),
            "tooltip": anchor("tooltip"),
        },
    )


def _smooth() -> dict[str, Any]:
    """The raw line, faint; the smoothed one; the last point of each revision; a ruler that tells values."""
    y = _axis("y", more=_FITTED)
    lines = {"y": y, "color": _BY_REV}
    ruler = {"param": "ruler", "empty": False}
    raw = {"mark": {"type": "line", "opacity": 0.25}, "encoding": lines, "params": _ZOOM}
    smoothed = {
        "transform": [
            {
                "loess": anchor("y"),
                "on": anchor("x"),
                "groupby": anchor("group_by"),
                "bandwidth": {"signal": "bandwidth"},
            }
        ],
        "mark": "line",
        "encoding": lines,
    }
    last = {
        "transform": [
            {
                "window": [{"op": "row_number", "as": "from_last"}],
                "sort": [{"field": anchor("x"), "order": "descending"}],
                "groupby": anchor("group_by"),
            },
            {"filter": "datum.from_last == 1"},
        ],
        "mark": {"type": "circle", "size": 30},
        "encoding": lines,
    }
    told = {
        "transform": [
            {"calculate": anchor("pivot_field"), "as": "series"},
            {"pivot": "series", "value": anchor("y"), "groupby": [anchor("x")]},
        ],
        "params": [
            {
                "name": "ruler",
                "select": {"type": "point", "fields": [anchor("x")], "nearest": True, "on": "pointerover"},
            }
        ],
        "mark": {"type": "rule", **_RICH},
        "encoding": {"opacity": {"condition": {**ruler, "value": 0.5}, "value": 0}},
    }
    slider = {"input": "range", "min": 0.001, "max": 1, "step": 0.001, "name": "smoothing "}
    return _spec(
        params=[{"name": "bandwidth", "value": 0.001, "bind": slider}],
        encoding={"x": _axis("x"), "color": anchor("color"), "strokeDash": anchor("stroke_dash")},
        layer=[raw, smoothed, last, told],
    )


def _scatter(*, jitter: bool) -> dict[str, Any]:
    kind = None if jitter else "quantitative"
    encoding: dict[str, Any] = {
        "x": _axis("x", kind),
        "y": _axis("y", kind),
        "color": anchor("color"),
        "shape": anchor("shape"),
        "tooltip": anchor("tooltip"),
    }
    mark = {"type": "point", **_RICH}
    if not jitter:
        return _spec(mark=mark, params=_ZOOM, encoding=encoding)
    moved = {"x": "moved_x", "y": "moved_y"}
    for which, name in moved.items():
        encoding[f"{which}Offset"] = {"field": name, "type": "quantitative"}
    return _spec(
        transform=[{"calculate": "random()", "as": name} for name in moved.values()],
        mark=mark,
        encoding=encoding,
    )


def _bars(**sort: str) -> dict[str, Any]:
    return _spec(
        mark={"type": "bar"},
        params=_ZOOM,
        encoding={
            "x": _axis("x", more=_FITTED),
            "y": _axis("y", "nominal", sort),
            "yOffset": {"field": REV, "sort": []},
            "color": anchor("color"),
            "column": anchor("column"),
        },
    )


def _confusion(*, normalized: bool) -> dict[str, Any]:
    """Rows counted by both columns, absent pairs as zero, one matrix for each revision and source."""
    x, y = anchor("x"), anchor("y")
    whole: dict[str, Any] = {"domain": [0, 1]} if normalized else {"domainMin": 0, "nice": True}
    shown, across, how = (
        ("share_of_y", "count_of_y", "sum") if normalized else ("count", "count_at_most", "max")
    )
    by = [y] if normalized else []
    share = "share_of_y" if normalized else "share_of_most"
    names = [{"field": x, "type": "nominal"}, {"field": y, "type": "nominal"}]
    told: dict[str, Any] = {"field": shown, "type": "quantitative"}
    if normalized:
        told["format"] = ".2f"
    written: dict[str, Any] = dict(told)
    if not normalized:
        written = {"condition": {"param": "numbers", **told}, "value": ""}
    cells = {
        "width": anchor("plot_width"),
        "height": anchor("plot_height"),
        "transform": [
            {"aggregate": [{"op": "count", "as": "count"}], "groupby": [x, y]},
            {"impute": "count", "key": x, "value": 0, "groupby": anchor("group_by_y")},
            {"impute": "count", "key": y, "value": 0, "groupby": anchor("group_by_x")},
            {"joinaggregate": [{"op": how, "field": "count", "as": across}], "groupby": by},
            {"calculate": f"datum.count / datum.{across}", "as": share},
        ],
        "encoding": {
            "x": _axis("x", "nominal", {"sort": "ascending"}),
            "y": _axis("y", "nominal", {"sort": "ascending"}),
        },
        "layer": [
            {
                "mark": "rect",
                "params": [
                    {"name": "cell", "select": {"type": "point", "on": "mouseover", "clear": "mouseout"}}
                ],
                "encoding": {
                    "color": {"field": shown, "type": "quantitative", "title": "", "scale": whole},
                    "opacity": {"condition": {"param": "cell", "value": 1}, "value": 0.6},
                    "tooltip": [*names, told],
                },
            },
            {
                "mark": "text",
                "encoding": {
                    "text": written,
                    "color": {
                        "condition": {"test": f"datum.{share} > 0.5", "value": "white"},
                        "value": "black",
                    },
                },
            },
        ],
    }
    switch = {} if normalized else {"params": [{"name": "numbers", "bind": {"input": "checkbox"}}]}
    return _spec(
        size=False, facet={"column": {"field": REV, "sort": []}, "row": anchor("row")}, spec=cells, **switch
    )


#: Ours, in DVC's order.
BUILT_IN: dict[str, dict[str, Any]] = {
    "simple": _simple(),
    "linear": _smooth(),
    "confusion": _confusion(normalized=False),
    "confusion_normalized": _confusion(normalized=True),
    "scatter": _scatter(jitter=False),
    "scatter_jitter": _scatter(jitter=True),
    "smooth": _smooth(),
    "bar_horizontal_sorted": _bars(sort="-x"),
    "bar_horizontal": _bars(),
}
