"""Charts as standalone SVG documents of our own: title, legend, drawing, note, on white."""

from fourfold.pipeline.plots import grids
from fourfold.pipeline.plots.chart import Chart, chart, color
from fourfold.pipeline.plots.collect import Plot
from fourfold.pipeline.plots.frame import CHARACTER, STYLE, Drawing, element
from fourfold.pipeline.plots.markup import clipped, short, tag, words
from fourfold.pipeline.plots.plane import plane


def svg(plot: Plot, template: str | None = None) -> str:
    """A standalone SVG document of a plot; empty when we cannot draw it.

    Args:
        plot: With its rows.
        template: The built-in template to draw it by; by default the plot's own.
    """
    found = chart(plot, template)
    return document(found) if found is not None else ""


def document(found: Chart) -> str:
    """A standalone SVG document, with its title, legend and note, on white."""
    inner = draw(found)
    heading, height = _heading(found, inner.width)
    foot = ""
    if found.note:
        foot = tag("text", words(found.note), x=16, y=height + inner.height + 14)
    total = height + inner.height + (24 if found.note else 4)
    body = tag("g", inner.body, transform=f"translate(0 {short(height)})")
    return element(
        Drawing(
            inner.width,
            total,
            tag("style", STYLE)
            + tag("rect", class_="paper", width="100%", height="100%")
            + heading
            + body
            + foot,
        ),
        words(found.title),
    )


def draw(found: Chart) -> Drawing:
    """The axes and what stands between them, without title and legend of revisions."""
    if found.kind == "cells":
        return grids.cells(found)
    return grids.bars(found) if found.kind == "bars" else plane(found)


def _heading(found: Chart, width: float) -> tuple[str, float]:
    """Title and legend, and how high they are."""
    parts = [tag("text", words(clipped(found.title, int(width / 8))), class_="title", x=16, y=27)]
    x, y = 16.0, 48.0
    if found.kind == "cells":
        return "".join(parts), 40.0
    for rev in found.shown:
        name = clipped(found.revs[rev], 40)
        length = 14 + CHARACTER * 1.1 * len(name) + 18
        if x > 16 and x + length > width - 16:
            x, y = 16.0, y + 18
        parts.append(tag("rect", x=x, y=y - 9, width=10, height=10, rx=2.5, fill=color(rev)))
        parts.append(tag("text", words(name), class_="name", x=x + 15, y=y))
        x += length
    return "".join(parts), y + 12
