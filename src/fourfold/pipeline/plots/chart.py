"""A plot as a chart of ours: series and axes, cells, or bars, for the templates that are built in.

What a template means (which column is which, what is counted, what is sorted) is decided here; where things
go on paper, and in which colour they appear, is for `svg`. A template that is not built in has no chart.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from fourfold.pipeline.plots.collect import Plot
from fourfold.pipeline.plots.data import Row
from fourfold.pipeline.plots.sampling import MOST, every, lttb
from fourfold.pipeline.plots.scales import Axis, axis, categories, number

#: DVC's colours of revisions, in their order.
COLORS = ("#945dd6", "#13adc7", "#f46837", "#48bb78", "#4299e1", "#ed8936", "#f56565")
#: Templates that are drawn as lines, and how much they smooth at first.
LINES = {"linear": 0.0, "simple": 0.0, "smooth": 0.3}
POINTS = frozenset({"scatter", "scatter_jitter"})
CELLS = frozenset({"confusion", "confusion_normalized"})
BARS = frozenset({"bar_horizontal", "bar_horizontal_sorted"})
BUILT_IN = frozenset({*LINES, *POINTS, *CELLS, *BARS})
#: More categories than this are not drawn as cells or bars.
MOST_CATEGORIES = 200


class Series(NamedTuple):
    """One line, or the points of one kind.

    Attributes:
        rev: Whose, as a place in ``Chart.revs``.
        source: Which of ``Chart.sources``.
        xs: Ascending for lines.
        ys: As many.
        total: How many points there were before they were down-sampled.
    """

    rev: int
    source: int
    xs: tuple[float, ...]
    ys: tuple[float, ...]
    total: int


class Cells(NamedTuple):
    """One confusion matrix: values by row (y) and column (x), and what is written in each."""

    rev: int
    source: int
    values: tuple[tuple[float, ...], ...]
    texts: tuple[tuple[str, ...], ...]


class Bar(NamedTuple):
    """One bar."""

    rev: int
    source: int
    category: int
    value: float


class Chart(NamedTuple):
    """What there is to draw.

    Attributes:
        kind: ``lines``, ``points``, ``cells`` or ``bars``.
        title: What stands above it.
        x: The horizontal axis.
        y: The vertical axis.
        revs: The names of all moments asked for, which give the colours.
        shown: Which of them have data.
        sources: What tells the series of one moment apart; one empty name when there is one.
        series: For lines and points.
        cells: For confusion matrices.
        bars: For bars.
        bandwidth: How much the lines are smoothed at first; None when they cannot be.
        jitter: Points are moved a little, so that equal ones are seen.
        note: What a reader has to know: what was left out.
    """

    kind: str
    title: str
    x: Axis
    y: Axis
    revs: tuple[str, ...]
    shown: tuple[int, ...]
    sources: tuple[str, ...] = ("",)
    series: tuple[Series, ...] = ()
    cells: tuple[Cells, ...] = ()
    bars: tuple[Bar, ...] = ()
    bandwidth: float | None = None
    jitter: bool = False
    note: str = ""


def color(rev: int) -> str:
    """The colour of the n-th moment."""
    return COLORS[rev % len(COLORS)]


def varied(ys: Sequence[tuple[str, str]]) -> list[str]:
    """Which of ``filename`` and ``field`` tell the series of a plot apart."""
    return [key for at, key in enumerate(("filename", "field")) if len({pair[at] for pair in ys}) > 1]


def chart(plot: Plot, template: str | None = None) -> Chart | None:
    """The chart of a plot, or None when its template is not built in, or nothing in it can be drawn.

    Args:
        plot: With its rows.
        template: The built-in template to draw it by; by default the plot's own.
    """
    name = template or plot.template
    if name not in BUILT_IN or not plot.rows or plot.is_image:
        return None
    keys = varied(plot.ys)
    sources = tuple(dict.fromkeys("::".join(str(row.get(key)) for key in keys) for row in plot.rows))
    groups = _grouped(plot, keys, sources)
    if name in CELLS:
        return _confusion(plot, sources, groups, normalized=name == "confusion_normalized")
    if name in BARS:
        return _bars(plot, sources, groups, by_size=name == "bar_horizontal_sorted")
    return _series(plot, sources, groups, name)


_Groups = dict[tuple[int, int], list[Row]]


def _grouped(plot: Plot, keys: Sequence[str], sources: Sequence[str]) -> _Groups:
    """The rows of each series, by moment and source."""
    revs = {rev: at for at, rev in enumerate(plot.asked)}
    places = {source: at for at, source in enumerate(sources)}
    groups: _Groups = {}
    for row in plot.rows:
        source = places["::".join(str(row.get(key)) for key in keys)]
        groups.setdefault((revs.get(str(row.get("rev")), 0), source), []).append(row)
    return dict(sorted(groups.items()))


def _label(plot: Plot, which: str) -> str:
    found = plot.props.get(f"{which}_label")
    return str(plot.props.get(which, "") if found is None else found)


def _shown(groups: Iterable[tuple[int, int]]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(rev for rev, _source in groups))


def _series(plot: Plot, sources: tuple[str, ...], groups: _Groups, template: str) -> Chart | None:
    x_of, y_of = _Column(plot, "x"), _Column(plot, "y")
    lines = template in LINES
    series: list[Series] = []
    lost = 0
    for (rev, source), rows in groups.items():
        pairs = [(x_of.value(row), y_of.value(row)) for row in rows]
        points = [(x, y) for x, y in pairs if x is not None and y is not None]
        lost += len(rows) - len(points)
        if points:
            series.append(_sampled(rev, source, points, lines=lines))
    if not series:
        return None
    return Chart(
        "lines" if lines else "points",
        plot.title,
        x_of.axis((x for one in series for x in one.xs), nice=not lines, count=8),
        y_of.axis((y for one in series for y in one.ys), nice=True, count=5),
        plot.asked,
        _shown((one.rev, one.source) for one in series),
        sources,
        series=tuple(series),
        bandwidth=None if template == "simple" or not lines else LINES[template],
        jitter=template == "scatter_jitter",
        note=_sampling_note(series, lost, lines=lines),
    )


class _Column:
    """The values of one axis: numbers, or, where none is one, names in the order of the rows."""

    def __init__(self, plot: Plot, which: str) -> None:
        self._field = plot.props.get(which)
        self._label = _label(plot, which)
        values = [row.get(self._field) for row in plot.rows]
        known = (str(value) for value in values) if all(number(value) is None for value in values) else ()
        self._names = {name: float(at) for at, name in enumerate(dict.fromkeys(known))}

    def value(self, row: Row) -> float | None:
        value = row.get(self._field)
        return self._names[str(value)] if self._names else number(value)

    def axis(self, values: Iterable[float], *, nice: bool, count: int) -> Axis:
        if self._names:
            return categories(self._label, self._names)
        return axis(self._label, values, nice=nice, count=count)


def _sampled(rev: int, source: int, points: list[tuple[float, float]], *, lines: bool) -> Series:
    if lines:
        if points[0][0] > points[-1][0]:
            points.reverse()  # a curve from right to left, whose equal x would be in the wrong order
        points.sort(key=lambda point: point[0])
    xs, ys = [x for x, _y in points], [y for _x, y in points]
    kept = lttb(xs, ys) if lines else every(len(xs), MOST)
    return Series(rev, source, tuple(xs[at] for at in kept), tuple(ys[at] for at in kept), len(points))


def _sampling_note(series: Iterable[Series], lost: int, *, lines: bool) -> str:
    thinned = [one for one in series if one.total > len(one.xs)]
    notes = []
    if thinned:
        most = max(one.total for one in thinned)
        how = "the points that shape the line" if lines else "evenly spread"
        notes.append(f"{MOST:,} of up to {most:,} points of a series are drawn ({how})")
    if lost:
        notes.append(f"{lost:,} rows without a number are left out")
    return "; ".join(notes)


def _order(value: Any) -> tuple[int, float, str]:
    """Numbers before texts, each ascending."""
    found = number(value)
    return (1, 0.0, str(value)) if found is None else (0, found, str(value))


def _names(plot: Plot, field: Any) -> dict[str, int]:
    values = {str(row.get(field)): row.get(field) for row in plot.rows}
    return {name: at for at, name in enumerate(sorted(values, key=lambda name: _order(values[name])))}


def _confusion(plot: Plot, sources: tuple[str, ...], groups: _Groups, *, normalized: bool) -> Chart | None:
    x_field, y_field = plot.props.get("x"), plot.props.get("y")
    columns, lines = _names(plot, x_field), _names(plot, y_field)
    if max(len(columns), len(lines)) > MOST_CATEGORIES:
        return None
    counted = []
    for (rev, source), rows in groups.items():
        counts = [[0] * len(columns) for _line in lines]
        for row in rows:
            counts[lines[str(row.get(y_field))]][columns[str(row.get(x_field))]] += 1
        counted.append((rev, source, counts))
    top = max(max(map(max, counts)) for _rev, _source, counts in counted)
    return Chart(
        "cells",
        plot.title,
        categories(_label(plot, "x"), columns, most=24),
        categories(_label(plot, "y"), lines, most=24),
        plot.asked,
        _shown(groups),
        sources,
        cells=tuple(
            Cells(rev, source, *_cells(counts, top, normalized=normalized)) for rev, source, counts in counted
        ),
    )


def _cells(
    counts: list[list[int]], top: int, *, normalized: bool
) -> tuple[tuple[tuple[float, ...], ...], tuple[tuple[str, ...], ...]]:
    if not normalized:
        return (
            tuple(tuple(count / top for count in line) for line in counts),
            tuple(tuple(f"{count:,}" for count in line) for line in counts),
        )
    shares = tuple(tuple(count / (sum(line) or 1) for count in line) for line in counts)
    return shares, tuple(tuple(f"{share:.2f}" for share in line) for line in shares)


def _bars(plot: Plot, sources: tuple[str, ...], groups: _Groups, *, by_size: bool) -> Chart | None:
    x_field, y_field = plot.props.get("x"), plot.props.get("y")
    names = _names(plot, y_field)
    sums: dict[tuple[int, int, str], float] = {}
    sizes = dict.fromkeys(names, 0.0)
    for (rev, source), rows in groups.items():
        for row in rows:
            value, name = number(row.get(x_field)), str(row.get(y_field))
            if value is not None:
                sums[rev, source, name] = sums.get((rev, source, name), 0.0) + value
                sizes[name] += value
    if not sums or len(names) > MOST_CATEGORIES:
        return None
    if by_size:
        names = {name: at for at, name in enumerate(sorted(names, key=lambda name: -sizes[name]))}
    return Chart(
        "bars",
        plot.title,
        axis(_label(plot, "x"), sums.values(), nice=True, zero=True),
        categories(_label(plot, "y"), names, most=MOST_CATEGORIES),
        plot.asked,
        _shown((rev, source) for rev, source, _name in sums),
        sources,
        bars=tuple(Bar(rev, source, names[name], value) for (rev, source, name), value in sums.items()),
    )
