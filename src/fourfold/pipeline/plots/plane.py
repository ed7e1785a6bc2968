"""Drawings between two axes: lines, smoothed or not, and points.

Groups of one revision have ``data-rev``, its place among all of them.
"""

from fourfold.pipeline.plots.chart import Chart, Series, color
from fourfold.pipeline.plots.frame import (
    CHARACTER,
    DASHES,
    DOTTED,
    HEIGHT,
    WIDTH,
    Drawing,
    axes,
    shape,
    source_legend,
)
from fourfold.pipeline.plots.markup import short, tag, words
from fourfold.pipeline.plots.sampling import loess
from fourfold.pipeline.plots.scales import Axis, text


def plane(found: Chart) -> Drawing:
    """Lines or points between two axes."""
    points = found.kind == "points"
    legend, top = source_legend(found, WIDTH, shapes=points)
    top += 12
    marks = [mark for _at, mark in found.y.ticks]
    left = 16 + (18 if found.y.label else 0) + CHARACTER * min(16, max(map(len, marks), default=1)) + 8
    inner_width = (
        WIDTH - left - max(20.0, CHARACTER * len(found.x.ticks[-1][1]) / 2 + 8 if found.x.ticks else 0)
    )
    frame, below = axes(found.x, found.y, left, top, inner_width, HEIGHT)
    body = [legend, frame]
    put = _points if points else _line
    body += [
        tag("g", put(found, one, left, top, inner_width), class_="series", data_rev=one.rev)
        for one in reversed(found.series)  # the first revision on top
    ]
    return Drawing(WIDTH, top + HEIGHT + below, "".join(body), left, top, inner_width, HEIGHT)


def _line(found: Chart, one: Series, left: float, top: float, width: float) -> str:
    xs = [left + found.x.at(x, width) for x in one.xs]
    raw = [top + HEIGHT - found.y.at(y, HEIGHT) for y in one.ys]
    ys = raw
    parts = []
    tint = color(one.rev)
    if found.bandwidth is not None:
        faint = path(xs, raw) if found.bandwidth else ""
        parts.append(tag("path", d=faint, class_="line faint", stroke=tint))
        if found.bandwidth:
            ys = loess(xs, raw, found.bandwidth)
    parts.append(
        tag(
            "path",
            d=path(xs, ys),
            class_="line smooth",
            stroke=tint,
            stroke_dasharray=DASHES[one.source % len(DASHES)],
        )
    )
    if len(xs) <= DOTTED:
        parts += [
            tag(
                "circle",
                tag("title", words(_point_text(found, one, at))),
                cx=xs[at],
                cy=raw[at],
                r=2.8,
                fill=tint,
            )
            for at in range(len(xs))
        ]
    else:
        parts.append(tag("circle", cx=xs[-1], cy=raw[-1], r=2.8, fill=tint))
    return "".join(parts)


def path(xs: list[float], ys: list[float]) -> str:
    """A line through points."""
    return "M" + "L".join(f"{short(x)} {short(y)}" for x, y in zip(xs, ys, strict=True))


def _points(found: Chart, one: Series, left: float, top: float, width: float) -> str:
    tint = color(one.rev)
    parts = []
    for at, (x, y) in enumerate(zip(one.xs, one.ys, strict=True)):
        to_x, to_y = left + found.x.at(x, width), top + HEIGHT - found.y.at(y, HEIGHT)
        if found.jitter:
            to_x += _moved(at, one.rev, 0.7548776662466927, _room(found.x, width))
            to_y += _moved(at, one.rev, 0.5698402909980532, _room(found.y, HEIGHT))
        parts.append(
            tag(
                "path",
                tag("title", words(_point_text(found, one, at))),
                d=shape(one.source, to_x, to_y, 3.4),
                class_="mark",
                fill=tint,
                stroke=tint,
            )
        )
    return "".join(parts)


def _moved(at: int, rev: int, ratio: float, room: float) -> float:
    """A distance that looks drawn at random and is the same each time (Roberts' R2 sequence)."""
    return (((at + 1 + 997 * rev) * ratio) % 1.0 - 0.5) * room


def _room(axis: Axis, length: float) -> float:
    """How far points may be moved: within their category, or a little."""
    return 0.7 * length / len(axis.names) if axis.names else 14.0


def _point_text(found: Chart, one: Series, at: int) -> str:
    x, y = _value(found.x, one.xs[at]), _value(found.y, one.ys[at])
    lines = [found.revs[one.rev], f"{found.x.label}: {x}", f"{found.y.label}: {y}"]
    return "\n".join([*lines, *([found.sources[one.source]] if len(found.sources) > 1 else [])])


def _value(axis: Axis, value: float) -> str:
    return axis.names[int(value)] if axis.names else text(value)
