"""Plots for a terminal: each series as a line of blocks, with where it begins, ends, and what it spans."""

from collections.abc import Iterator
from itertools import pairwise

from fourfold.pipeline.plots.chart import Chart
from fourfold.pipeline.plots.scales import text

BLOCKS = "\u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588"
WIDTH = 40


def spark(
    values: list[float], width: int = WIDTH, low: float | None = None, high: float | None = None
) -> str:
    """Values as blocks, means of neighbours where they are more than the width.

    Args:
        values: In their order; at least one.
        width: So many characters at most.
        low: What the lowest block stands for; by default the least value.
        high: What the highest stands for; by default the greatest.
    """
    count = len(values)
    if count > width:
        edges = [at * count // width for at in range(width + 1)]
        values = [sum(values[start:end]) / (end - start) for start, end in pairwise(edges)]
    least = min(values) if low is None else low
    most = max(values) if high is None else high
    if most <= least:
        return BLOCKS[3] * len(values)
    steps = len(BLOCKS) - 1
    return "".join(
        BLOCKS[max(0, min(steps, round((value - least) / (most - least) * steps)))] for value in values
    )


def lines(found: Chart) -> Iterator[str]:
    """A chart as lines of text; one of cells or bars as its numbers.

    Series of one chart share the height of their blocks, so that they can be compared.
    """
    yield found.title
    if found.kind in {"lines", "points"}:
        yield from _series(found)
    elif found.kind == "bars":
        top = max(abs(bar.value) for bar in found.bars) or 1.0
        name = max(len(one) for one in found.y.names)
        rev = max(len(found.revs[at]) for at in found.shown)
        for bar in sorted(found.bars, key=lambda bar: (bar.source, bar.category, bar.rev)):
            block = "\u2588" * max(1, round(abs(bar.value) / top * 30))
            label = found.y.names[bar.category].ljust(name)
            yield f"  {label}  {found.revs[bar.rev].ljust(rev)}  {block} {text(bar.value)}"
    else:
        yield from _cells(found)


def _series(found: Chart) -> Iterator[str]:
    names = [
        found.revs[one.rev] + (f" {found.sources[one.source]}" if len(found.sources) > 1 else "")
        for one in found.series
    ]
    width = max(map(len, names))
    low = min(min(one.ys) for one in found.series)
    high = max(max(one.ys) for one in found.series)
    for name, one in zip(names, found.series, strict=True):
        drawn = spark(list(one.ys), low=low, high=high).ljust(
            min(WIDTH, max(len(s.ys) for s in found.series))
        )
        ends = f"{text(one.ys[0])} \u2192 {text(one.ys[-1])}"
        yield f"  {name.ljust(width)}  {drawn}  {ends}  ({text(min(one.ys))} \u2026 {text(max(one.ys))})"


def _cells(found: Chart) -> Iterator[str]:
    for matrix in found.cells:
        source = f" {found.sources[matrix.source]}" if len(found.sources) > 1 else ""
        yield f"  {found.revs[matrix.rev]}{source}: {found.y.label} by {found.x.label}"
        names = found.y.names
        columns = [
            [found.x.names[at], *(line[at] for line in matrix.texts)] for at in range(len(found.x.names))
        ]
        widths = [max(map(len, column)) for column in columns]
        first = max(map(len, names))
        heads = "  ".join(name.rjust(size) for name, size in zip(found.x.names, widths, strict=True))
        yield f"    {''.ljust(first)}  {heads}"
        for name, line in zip(names, matrix.texts, strict=True):
            row = "  ".join(cell.rjust(size) for cell, size in zip(line, widths, strict=True))
            yield f"    {name.ljust(first)}  {row}"
