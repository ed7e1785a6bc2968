"""An explanation as Markdown and as one HTML file with drawings: the report's page, with other sections.

What is told is `explanation`; how blocks become markup, and everything from the project is kept from being
markup, is `fourfold.pipeline.report`; drawings are those of `fourfold.pipeline.plots`.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from fourfold.evidence.explaining.explanation import (
    Cause,
    Explanation,
    apart,
    commit_told,
    listed,
    names,
    number,
    sides,
)
from fourfold.evidence.explaining.harms import harms, percent, told
from fourfold.evidence.explaining.tables import ColumnChange, Example, TableChange
from fourfold.pipeline.plots.chart import Bar, Chart
from fourfold.pipeline.plots.scales import axis, categories
from fourfold.pipeline.plots.svg import document as drawn
from fourfold.pipeline.report.html import page
from fourfold.pipeline.report.layout import Block, Figure, Section
from fourfold.pipeline.report.markdown import markdown as as_markdown
from fourfold.pipeline.report.words import Line, Listing, Paragraph, Rows, code, said, strong
from fourfold.runs.words import SHORT

TITLE = "Why two results differ"
#: So many causes, tables and drawings of one table are told; a page is no archive.
_CAUSES, _TABLES, _DRAWN, _BARS = 30, 12, 4, 12
_LIMIT = 1 << 20
#: Sentences of ours may be so long, with names of the project in them.
_LONG = 1000


def markdown(found: Explanation) -> str:
    """The explanation as Markdown."""
    return as_markdown(_sections(found, figures=False), limit=_LIMIT, title=TITLE)


def html(found: Explanation) -> str:
    """The explanation as one HTML file that asks for nothing."""
    return page(_sections(found, figures=True), TITLE)


def _sections(found: Explanation, *, figures: bool) -> list[Section]:
    tables = [(", ".join(cause.stages), table) for cause in found.causes for table in cause.tables]
    tables += found.made
    suspects = "Moved all the same" if found.is_noise else "Suspects"
    shown = [
        Section("", tuple(_head(found))),
        Section("Metrics", tuple(_metrics(found))),
        Section(suspects, tuple(_suspects(found, figures=figures))),
        *(
            Section(f"Table {at}", tuple(_table(stage, table, figures=figures)))
            for at, (stage, table) in enumerate(tables[:_TABLES], 1)
        ),
        Section("More tables", tuple(_more_tables(len(tables) - _TABLES))),
        Section("What came out", tuple(_results(found)), folded=True),
        Section("No cause", tuple(_others(found))),
    ]
    return [section for section in shown if section.blocks]


def _more_tables(count: int) -> Iterator[Block]:
    if count > 0:
        yield Paragraph(said(f"{count} more {'table' if count == 1 else 'tables'} changed (--json has all)"))


def _head(found: Explanation) -> Iterator[Block]:
    yield Paragraph((strong("Verdict: "), code(found.verdict, _LONG)))
    first, second = (
        (*said(f"{which} "), code(stage), *said(" "), code(run[:SHORT]))
        for which, stage, run in zip(("from", "to"), found.stages, (found.first, found.second), strict=True)
    )
    yield Paragraph((*first, *said(" "), *second))
    for line in found.unknown:
        yield Paragraph((strong("Not known: "), code(line)))


def _metrics(found: Explanation) -> Iterator[Block]:
    rows = []
    for each in found.metrics:
        noise = "" if each.noise is None else f"{number(each.noise)} among {each.repeats} runs"
        texts = ["" if value is None else number(value) for value in (each.before, each.after, each.by)]
        if each.before is not None and each.after is not None:
            texts[:2] = apart(each.before, each.after)
        rows.append((_cell(each.name), *(_cell(text) for text in texts), _cell(noise)))
    if rows:
        heads = ("Metric", "Before", "After", "Change", "Moves by itself")
        most = len(heads) if any(row[-1] for row in rows) else len(heads) - 1
        yield Rows(heads[:most], tuple(row[:most] for row in rows))


def _cell(text: str) -> Line:
    return (code(text),) if text else ()


def _suspects(found: Explanation, *, figures: bool) -> Iterator[Block]:
    suspects = found.suspects[:_CAUSES]
    if not suspects:
        return
    yield Rows(
        ("", "Coordinate", "What", "Change", "Stages", "Why"),
        tuple(_row(at, cause) for at, cause in enumerate(suspects, 1)),
    )
    left = len(found.suspects) - len(suspects)
    if left > 0:
        yield Paragraph(said(f"and {left} more"))
    if figures and len(suspects) > 1:
        pairs = [(cause.change.name, None, cause.score) for cause in suspects[:_BARS]]
        yield _figure("suspects", "How suspicious each is, from 0 to 1", "score", pairs)
    touches = [
        (code(cause.change.name), *said(" "), code(commit_told(touch)))
        for cause in suspects
        for touch in cause.commits
    ]
    if touches:
        yield Listing(tuple(touches), said("Commits that changed code which was read"))


def _row(at: int, cause: Cause) -> tuple[Line, ...]:
    return (
        said(str(at)),
        said(cause.coordinate),
        (code(cause.change.name),),
        _cell(sides(cause.change)),
        _cell(listed(cause.stages)),
        tuple(piece for why in cause.why for piece in (*said("; "), code(why, _LONG)))[1:],
    )


def _results(found: Explanation) -> Iterator[Block]:
    rows = tuple(
        (_cell(each.stage), _cell(each.change.name), _cell(sides(each.change))) for each in found.results
    )
    if rows:
        yield Rows(("Stage", "What", "Change"), rows)


def _others(found: Explanation) -> Iterator[Block]:
    for title, causes in (
        ("Moved, and cannot be why", found.harmless),
        ("Changed, but not read", found.unread),
    ):
        if causes:
            yield Listing(
                tuple((code(name),) for name in names(causes)), said(title), folded=len(causes) > 15
            )


# --- tables -----------------------------------------------------------------------------------------------


def _table(stage: str, table: TableChange, *, figures: bool) -> Iterator[Block]:
    yield Paragraph(
        (code(table.path), *said(" of "), code(stage), *said(": "), code(told(table) or "changed"))
    )
    if table.why:
        yield Paragraph(said(table.why))
    found = harms(table)
    if found:
        yield Listing(tuple((strong("Known to harm: "), code(harm.told)) for harm in found))
    counts = [
        ("rows", *table.rows),
        ("copies of other rows", *table.duplicates),
        ("new rows", None, table.added),
        ("rows gone", None, table.removed),
        ("rows changed", None, table.changed),
    ]
    yield Rows(
        ("", "Before", "After"),
        tuple(
            (said(name), _cell(_count(before)), _cell(_count(after)))
            for name, before, after in counts
            if before or after
        ),
    )
    if table.columns:
        heads = ("Column", "Empty", "Cells changed", "Drift", "p, corrected", "PSI", "Values")
        yield Rows(heads, tuple(_column(column) for column in table.columns[:_CAUSES]))
    if figures:
        yield from _drawings(table)
    if table.examples:
        yield Listing(tuple(_example(each) for each in table.examples), said("Examples"), folded=True)


def _count(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _column(column: ColumnChange) -> tuple[Line, ...]:
    drift = column.drift
    empty = f"{column.nulls[0]:,} -> {column.nulls[1]:,}" if column.nulls[0] != column.nulls[1] else ""
    start = ((code(column.name),), _cell(empty), _cell(_count(column.changed or None)))
    if drift is None:
        return (*start, (), (), (), ())
    test = "KS" if drift.test == "ks" else "chi squared"
    effect = f"{test} {drift.effect:.3f}"
    values = [f"new: {', '.join(drift.new)}"] if drift.new else []
    values += [f"gone: {', '.join(drift.gone)}"] if drift.gone else []
    if drift.test != "ks":
        values += [f"{value} {percent(one)} -> {percent(two)}" for value, one, two in drift.shares[:3]]
    shown = (strong(effect),) if column.drifted else said(effect)
    return (*start, shown, said(f"{drift.p:.2g}"), said(f"{drift.psi:.3f}"), _cell("; ".join(values)))


def _example(example: Example) -> Line:
    cells = []
    for name in dict.fromkeys([*example.before, *example.after]):
        before, after = example.before.get(name), example.after.get(name)
        both = before is not None and after is not None and before != after
        cells.append(
            f"{name}={before} -> {after}" if both else f"{name}={after if before is None else before}"
        )
    return (*said(f"{example.kind}: "), code(", ".join(cells)))


def _drawings(table: TableChange) -> Iterator[Block]:
    label = table.label
    if label is not None and label.before != label.after:
        values = list(dict.fromkeys([*label.before, *label.after]))[:_BARS]
        pairs = [(value, label.before.get(value, 0.0), label.after.get(value, 0.0)) for value in values]
        yield _figure(f"{table.path}-label", f"{label.name} in {table.path}", "share of rows", pairs)
    drifted = [column for column in table.columns if column.drift is not None and column.drifted]
    if len(drifted) > 1:
        effects = [(each.name, None, each.drift.effect) for each in drifted[:_BARS] if each.drift is not None]
        yield _figure(f"{table.path}-drift", f"Drift by column in {table.path}", "from 0 to 1", effects)
    for column in drifted[:_DRAWN]:
        if column.drift is not None and column.drift.shares and (label is None or column.name != label.name):
            begins = "from " if column.drift.test == "ks" else ""
            bins = [(f"{begins}{value}", one, two) for value, one, two in column.drift.shares[:_BARS]]
            yield _figure(
                f"{table.path}-{column.name}", f"{column.name} in {table.path}", "share of rows", bins
            )


def _figure(name: str, title: str, measure: str, pairs: Iterable[tuple[str, float | None, float]]) -> Figure:
    """Bars, one or two for each name."""
    rows = list(pairs)
    both = any(before is not None for _, before, _ in rows)
    bars: list[Bar] = []
    for at, (_, before, after) in enumerate(rows):
        if both:
            bars.append(Bar(0, 0, at, before or 0.0))
        bars.append(Bar(1 if both else 0, 0, at, after))
    revs = ("before", "after") if both else ("now",)
    chart = Chart(
        "bars",
        title,
        axis(measure, [bar.value for bar in bars], nice=True, zero=True),
        categories("", _told_apart([name for name, _, _ in rows]), most=len(rows)),
        revs,
        tuple(range(len(revs))),
        bars=tuple(bars),
    )
    file = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[:60] or "plot"
    return Figure(f"{file}.svg", title, "image/svg+xml", drawn(chart).encode())


def _told_apart(found: Sequence[str]) -> list[str]:
    """Names of bars: an empty one has to be seen, too."""
    return [name or "(empty)" for name in found]
