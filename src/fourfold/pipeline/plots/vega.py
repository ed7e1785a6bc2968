"""Templates with values for their anchors: what ``--show-vega`` and ``--json`` say, as DVC says it.

Facts (DVC 3.67.1): columns with ``.``, ``[`` or ``]`` are escaped where they stand for an axis; a plot of one
source loses ``filename`` and ``field`` of its rows; of two, a row keeps what tells them apart, joined by
``::`` when it takes both. Values are never looked through for anchors.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from fourfold.pipeline.plots.chart import COLORS, varied
from fourfold.pipeline.plots.collect import Plot
from fourfold.pipeline.plots.data import FieldNotFoundError, Row
from fourfold.pipeline.plots.templates import OPTIONAL, REV, BadTemplateError, Template, anchor

#: What a program that draws by itself (an editor) gets beside the template, not in it.
SPLIT = frozenset(
    {
        "color",
        "data",
        "plot_height",
        "plot_width",
        "shape",
        "stroke_dash",
        "title",
        "tooltip",
        "x_label",
        "y_label",
        "zoom_and_pan",
    }
)
_BOTH = "filename::field"
_RANGES: Mapping[str, Sequence[Any]] = {
    "stroke_dash": ([1, 0], [8, 8], [8, 4], [4, 4], [4, 2], [2, 1], [1, 1]),
    "color": COLORS,
    "shape": ("circle", "square", "triangle", "diamond"),
}
#: Legends of dashes and shapes show outlines.
_OUTLINED = {"legend": {"symbolFillColor": "transparent", "symbolStrokeColor": "grey"}}


class Filled(NamedTuple):
    """A template with its values.

    Attributes:
        content: Vega-Lite.
        beside: Values that were not put into it, by anchor.
    """

    content: dict[str, Any]
    beside: dict[str, Any]


def fill(plot: Plot, template: Template, *, split: bool = False) -> Filled:
    """The template of a plot with its values; empty when the plot has no rows.

    Args:
        plot: With its rows.
        template: With its anchors.
        split: Leave the values of `SPLIT` out, and give them beside.

    Raises:
        BadTemplateError: the template has no place for the data.
        FieldNotFoundError: no row has a column that the plot names.
    """
    if not plot.rows:
        return Filled({}, {})
    for which in ("x", "y"):
        field = plot.props.get(which)
        if field and not any(field in row for row in plot.rows):
            raise FieldNotFoundError(f"Field '{field}' does not exist in provided data")
    used = _anchors(template.content)
    if anchor("data") not in used:
        raise BadTemplateError(f"the template '{template.name}' does not use the anchor '{anchor('data')}'")
    optional = [name for name in OPTIONAL if anchor(name) in used]
    values = _optional(plot, optional)
    rows = _rows(plot) if optional else [dict(row) for row in plot.rows]
    for which in ("x", "y"):
        field = plot.props.get(which)
        values[f"{which}_label"] = plot.props.get(f"{which}_label") or field
        if isinstance(field, str):
            values[which] = _escaped(field)
    values |= {"title": plot.title, "data": rows}
    beside = {anchor(name): value for name, value in values.items() if split and _goes_beside(plot, name)}
    inside = {anchor(name): value for name, value in values.items() if anchor(name) not in beside}
    told = {key: value for key, value in beside.items() if value is not None}
    return Filled(_filled(template.content, inside), told)


def _goes_beside(plot: Plot, name: str) -> bool:
    empty = not varied(plot.ys) and name in {"shape", "stroke_dash"}
    return name in SPLIT and not empty


def _escaped(field: str) -> str:
    for character in ".[]":
        field = field.replace(character, "\\" + character)
    return field


def _optional(plot: Plot, names: Sequence[str]) -> dict[str, Any]:
    """The values of the anchors that a template may leave out."""
    keys = varied(plot.ys)
    joined = "::".join(keys)
    x, y = plot.props.get("x"), plot.props.get("y")
    by = [REV, *([joined] if keys else [])]
    facet: dict[str, Any] = {"field": joined, "sort": []} if keys else {}
    domain = sorted({"::".join(_told(pair, keys)) for pair in plot.ys})
    values: dict[str, Any] = {
        "color": _mapping("color", REV, plot.revs),
        "column": facet,
        "row": facet,
        "group_by": by,
        "group_by_x": [*by, x],
        "group_by_y": [*by, y],
        "pivot_field": " + '::' + ".join(f"datum.{key}" for key in (REV, *keys)),
        "plot_height": 300,
        "plot_width": 300,
        "tooltip": [{"field": field} for field in (REV, x, y, *by[1:])],
        "zoom_and_pan": {"name": "grid", "select": "interval", "bind": "scales"},
        "shape": {**_mapping("shape", joined, domain), **_OUTLINED} if keys else {},
        "stroke_dash": {**_mapping("stroke_dash", joined, domain), **_OUTLINED} if keys else {},
    }
    return {name: values[name] for name in names}


def _told(pair: tuple[str, str], keys: Sequence[str]) -> list[str]:
    return [value for value, key in zip(pair, ("filename", "field"), strict=True) if key in keys]


def _mapping(name: str, field: str, domain: Sequence[str]) -> dict[str, Any]:
    known = _RANGES[name]
    return {
        "field": field,
        "scale": {"domain": list(domain), "range": [known[at % len(known)] for at in range(len(domain))]},
    }


def _rows(plot: Plot) -> list[Row]:
    keys = varied(plot.ys)
    rows = []
    for row in plot.rows:
        changed = {key: value for key, value in row.items() if key not in {"filename", "field"}}
        if len(keys) == 2:
            changed[_BOTH] = f"{row.get('filename')}::{row.get('field')}"
        elif keys:
            changed[keys[0]] = row.get(keys[0])
        rows.append(changed)
    return rows


def _anchors(value: Any) -> set[str]:
    """The texts of a template that are values of keys, or entries of lists: anchors are among them."""
    if isinstance(value, Mapping):
        return {found for item in value.values() for found in _anchors(item)}
    if isinstance(value, list):
        return {found for item in value for found in _anchors(item)}
    return {value} if isinstance(value, str) else set()


def _filled(value: Any, values: Mapping[str, Any]) -> Any:
    """A template with values for its anchors; also inside a longer text, when the value is one."""
    if isinstance(value, Mapping):
        return {key: _put(item, values) for key, item in value.items()}
    if isinstance(value, list):
        return [values.get(item, item) if isinstance(item, str) else _filled(item, values) for item in value]
    return value


def _put(value: Any, values: Mapping[str, Any]) -> Any:
    if not isinstance(value, str):
        return _filled(value, values)
    if value in values and values[value] is not None:
        return values[value]
    if "<DVC_METRIC_" in value:
        for name, found in values.items():
            if isinstance(found, str):
                value = value.replace(name, found)
    return value
