"""A report as sections of blocks, before it is Markdown or HTML: what is told, in which order and words.

Text that comes from the project (names, values, commands) is `code` and is never understood as markup;
everything else is ours. How blocks are escaped, folded and cut is the renderers' affair.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from fourfold.pipeline.drawing import Picture, mermaid, tree
from fourfold.pipeline.report.tables import table_blocks
from fourfold.pipeline.report.value import (
    ADDED,
    REMOVED,
    DataChange,
    Due,
    OnRemote,
    Reason,
    Report,
    Side,
    StageChange,
    Undeclared,
    ValueChange,
)
from fourfold.pipeline.report.words import (
    WORSE,
    Line,
    Listing,
    Paragraph,
    Rows,
    Text,
    amount,
    code,
    count,
    number,
    said,
    signed,
    strong,
)

#: What stands above a report.
TITLE = "Fourfold report"
#: Stages beyond which only those that changed, and their neighbours, are drawn.
_MAX_NODES = 120
#: More plots are folded together.
_MANY_FIGURES = 4
#: A longer list of paths is folded.
_MANY_PATHS = 15
#: Directories whose files are listed.
_MAX_LISTED = 20


class Diagram(NamedTuple):
    """The graph: in Mermaid's language, and as a tree of text."""

    mermaid: tuple[str, ...]
    tree: tuple[str, ...]
    note: str = ""


class Figure(NamedTuple):
    """An image: its file's name, what it shows, its type of media and its bytes."""

    name: str
    title: str
    media: str
    data: bytes


Block = Paragraph | Listing | Rows | Diagram | Figure


class Section(NamedTuple):
    """One part of the page.

    Attributes:
        title: Its heading; empty for the head of the page.
        blocks: What it says.
        folded: Whether it is closed until somebody opens it.
    """

    title: str
    blocks: tuple[Block, ...]
    folded: bool = False


def sections(report: Report, figures: Sequence[Figure] = (), undrawn: Sequence[str] = ()) -> list[Section]:
    """The whole report, the most important first; what has nothing to say is left out.

    Args:
        report: What to tell.
        figures: Its plots, drawn.
        undrawn: Those that could not be drawn.
    """
    found = [
        Section("", tuple(_head(report))),
        Section("Conditions", tuple(_gates(report))),
        Section("Out of date", tuple(_due(report.due))),
        Section("Undeclared", tuple(_undeclared(report.undeclared))),
        Section("Metrics", tuple(_values("Metric", report.metrics, report))),
        Section("Parameters", tuple(_values("Parameter", report.params, report))),
        Section("Stages", tuple(_stages(report))),
        Section("Data", tuple(_data(report.data))),
        Section("Tables", tuple(_tables(report))),
        Section("Plots", (*figures, *_undrawn(undrawn)), folded=len(figures) > _MANY_FIGURES),
        Section("Pipeline", tuple(_graph(report)), folded=True),
        Section("Remote", tuple(_remote(report.remote))),
        Section("Not read", tuple(_problems(report))),
    ]
    return [section for section in found if section.blocks]


def _head(report: Report) -> Iterator[Block]:
    yield Paragraph((*said("From "), *_side(report.old), *said(" to "), *_side(report.new), *said(".")))
    yield Listing(tuple(_summary(report)))


def _side(side: Side) -> Line:
    if side.commit is None:
        return (said("the workspace")[0],)
    short = side.commit[:7]
    return (
        (code(short),)
        if side.name in {side.commit, short}
        else (code(side.name), *said(" ("), code(short), *said(")"))
    )


def _summary(report: Report) -> Iterator[Line]:
    tripped = sum(gate.tripped for gate in report.gates)
    if report.gates:
        yield (
            strong(f"{tripped} of {count(len(report.gates), 'condition')} failed")
            if tripped
            else said(f"{count(len(report.gates), 'condition')} passed")[0],
        )
    total = report.same_stages + sum(change.state != REMOVED for change in report.stages)
    if total or report.stages:
        yield said(f"{len(report.stages) or 'none'} of {count(total, 'stage')} changed")
    if report.due:
        names = ", ".join(item.name for item in report.due[:5])
        more = f" and {len(report.due) - 5} more" if len(report.due) > 5 else ""
        yield (
            strong(f"{count(len(report.due), 'stage')} must run again:"),
            *said(" "),
            code(names),
            *said(more),
        )
    if report.verified:
        first = report.verified[:5]
        told = _joined(((code(item.name), *said(f" ({item.level})")) for item in first), ", ")
        more = f" and {len(report.verified) - 5} more" if len(report.verified) > 5 else ""
        yield (*said(f"{len(report.verified)} of {count(total, 'stage')} verified: "), *told, *said(more))
    changed = [value for value in report.metrics if value.old != value.new]
    if report.metrics:
        better, worse = (sum(value.verdict == word for value in changed) for word in ("better", "worse"))
        judged = [f"{better} better"] * bool(better) + [f"{worse} worse"] * bool(worse)
        tail = f" ({', '.join(judged)})" if judged else ""
        yield said(f"{len(changed) or 'none'} of {count(len(report.metrics), 'metric')} changed{tail}")
    yield said(f"{count(len(report.params), 'parameter')} changed")
    yield said(f"{count(len(report.data), 'output')} changed{_bytes_tail(report.data)}")
    if report.remote is not None and not report.remote.problem:
        absent = len(report.remote.absent)
        yield (
            (strong(f"{count(absent, 'path')} missing on the remote"),)
            if absent
            else said("nothing is missing on the remote")
        )


def _bytes_tail(changes: Sequence[DataChange]) -> str:
    if not changes or any(size is None for change in changes for size in change.size_now()):
        return ""
    total = sum((change.size_now()[1] or 0) - (change.size_now()[0] or 0) for change in changes)
    return f", {amount(total, sign=True)}"


def _gates(report: Report) -> Iterator[Block]:
    if report.gates:
        rows = tuple(
            (
                (Text("failed", WORSE) if gate.tripped else said("passed")[0],),
                (code(gate.condition),),
                said(gate.finding),
            )
            for gate in sorted(report.gates, key=lambda gate: not gate.tripped)
        )
        yield Rows(("", "Fails when", "Found"), rows)


def _due(due: Sequence[Due]) -> Iterator[Block]:
    if due:
        advice = (code("ff repro"), *said(" and commit "), code("dvc.lock"), *said("."))
        yield Paragraph((*said("What these stages say now is not what is recorded of them: run "), *advice))
        yield Rows(("Stage", "Because"), tuple(((code(item.name),), _because(item.reasons)) for item in due))


def _undeclared(found: Sequence[Undeclared]) -> Iterator[Block]:
    if not found:
        return
    advice = (code("ff deps fix"), *said("."))
    yield Paragraph((*said("These stages used files that they do not declare; declare them with "), *advice))
    rows = []
    for stage in found:
        rest = said(f"and {stage.elsewhere} outside of the repository") if stage.elsewhere else ()
        rows.append(((code(stage.name),), _names(stage.reads, rest), _names(stage.writes)))
    yield Rows(("Stage", "Reads", "Writes"), tuple(rows))


def _names(paths: Sequence[str], rest: Line = ()) -> Line:
    """A few paths, how many more there are, and what else there is to say."""
    told = _joined(((code(path),) for path in paths[:_MAX_LISTED]), ", ")
    if len(paths) > _MAX_LISTED:
        told = (*told, *said(f" and {len(paths) - _MAX_LISTED} more"))
    return (*told, *(said(" ") if told and rest else ()), *rest)


def _values(title: str, values: Sequence[ValueChange], report: Report) -> Iterator[Block]:
    if not values:
        return
    files = {value.path for value in values}
    ordered = sorted(values, key=lambda value: value.old == value.new)
    names = ("before" if report.old.commit else "workspace", "after" if report.new.commit else "workspace")
    judged = any(value.difference is not None for value in values) and title == "Metric"
    headers = (
        *(["File"] if len(files) > 1 else []),
        title,
        names[0],
        names[1],
        *(["Change"] if judged else []),
    )
    rows = tuple(
        (
            *([(code(value.path),)] if len(files) > 1 else []),
            (code(value.key or value.path),),
            _value(value.old),
            _value(value.new),
            *([_change(value)] if judged else []),
        )
        for value in ordered
    )
    yield Rows(headers, rows)


def _value(value: Any) -> Line:
    return said("-") if value is None else (code(number(value)),)


def _change(value: ValueChange) -> Line:
    if not value.difference:
        return () if value.difference is None else said("=")
    arrow = "↑" if value.difference > 0 else "↓"
    tail = [*said(" "), Text(value.verdict, value.verdict)] if value.verdict else []
    return (*said(f"{arrow} {signed(value.difference)}"), *tail)


def _stages(report: Report) -> Iterator[Block]:
    if report.stages:
        rows = tuple(((code(item.name),), said(item.state), _why(item)) for item in report.stages)
        yield Rows(("Stage", "", "Why"), rows)


def _why(change: StageChange) -> Line:
    if change.state in {ADDED, REMOVED} and not change.reasons:
        return ()
    if all(reason.kind == "output" for reason in change.reasons):
        outs = _joined((code(reason.path),) for reason in change.reasons)
        return (*said("nothing that it declares differs, but its result does: "), *outs)
    return _because(change.reasons)


def _because(reasons: Sequence[Reason]) -> Line:
    shown = [_reason(reason) for reason in reasons[:8]]
    if len(reasons) > 8:
        shown.append(said(f"{len(reasons) - 8} more"))
    return _joined(shown)


def _joined(parts: Iterable[Line], between: str = "; ") -> Line:
    found: list[Text] = []
    for part in parts:
        found += [*(said(between) if found else ()), *part]
    return tuple(found)


def _reason(reason: Reason) -> Line:
    if reason.kind == "never":
        return said("no run is recorded")
    if reason.kind == "always":
        return said("it always counts as changed")
    if reason.kind == "command":
        return (*said("command: "), *_command(reason.old), *said(" → "), *_command(reason.new))
    if reason.kind == "parameter":
        name = code(reason.key or reason.path)
        return (name, *said(": "), *_value(reason.old), *said(" → "), *_value(reason.new))
    what = "" if reason.kind == "dependency" else f"{reason.kind} "
    state = " is new" if reason.old is None else " is gone" if reason.new is None else ""
    return (*(said(what) if what else ()), code(reason.path), *(said(state) if state else ()))


def _command(command: Any) -> Line:
    if command is None:
        return said("none")
    return (code(command if isinstance(command, str) else "; ".join(map(str, command))),)


def _data(changes: Sequence[DataChange]) -> Iterator[Block]:
    if not changes:
        return
    rows = tuple(
        ((code(change.path),), said(change.state), _files(change), _sizes(change)) for change in changes
    )
    yield Rows(("Output", "", "Files", "Bytes"), rows)
    listed = 0
    for change in changes:
        lines = [
            (*said(f"{state} "), code(path))
            for state, paths in (
                ("changed", change.changed),
                ("added", change.added),
                ("removed", change.removed),
            )
            for path in paths
        ]
        if lines and listed < _MAX_LISTED:
            listed += 1
            yield Listing(tuple(lines), title=(*said("Files of "), code(change.path)), folded=True)


def _files(change: DataChange) -> Line:
    old, new = change.files
    parts = [
        f"{sign}{len(paths)}"
        for sign, paths in (("+", change.added), ("-", change.removed), ("~", change.changed))
        if paths
    ]
    tail = f" ({', '.join(parts)})" if parts else " (its list of files is not here)" if change.blind else ""
    return said((_some(new) if old == new else f"{_some(old)} → {_some(new)}") + tail)


def _some(value: int | None) -> str:
    return "?" if value is None else f"{value:,}"


def _sizes(change: DataChange) -> Line:
    old, new = change.size_now()
    if old is None or new is None:
        return said(f"{amount(old)} → {amount(new)}")
    return said(f"{amount(old)} → {amount(new)} ({amount(new - old, sign=True)})")


def _tables(report: Report) -> Iterator[Block]:
    yield from table_blocks(report.tables)
    if report.tables_left:
        yield Paragraph(said(f"{count(report.tables_left, 'further table')} not looked into."))
    if report.absent_tables:
        yield Paragraph(
            said(f"{count(report.absent_tables, 'table')} not in the cache here, and so not looked into.")
        )


def _graph(report: Report) -> Iterator[Block]:
    drawn, note = report.graph, ""
    if not drawn.edges and not report.stages:
        return
    marked = {change.name for change in report.stages} | {item.name for item in report.due}
    marked |= {f"{change.path}.dvc" for change in report.data}
    if len(drawn.nodes) > _MAX_NODES:
        near = {name for edge in drawn.edges if marked & set(edge) for name in edge} | marked
        nodes = tuple(node for node in drawn.nodes if node in near)[:_MAX_NODES]
        note = f"{len(nodes)} of {len(drawn.nodes)} drawn: what changed, and its neighbours."
        drawn = Picture(nodes, tuple(edge for edge in drawn.edges if set(edge) <= set(nodes)))
    if drawn.nodes:
        shown = {name: code(name).text for name in drawn.nodes}  # a path may hold line ends
        flat = {name: text.replace("<", "#60;").replace(">", "#62;") for name, text in shown.items()}
        told = {name: f"{text}  ← changed" if name in marked else text for name, text in shown.items()}
        drawing = mermaid(_named(drawn, flat), marked={flat[name] for name in marked & flat.keys()})
        yield Diagram(tuple(drawing), tuple(tree(_named(drawn, told))), note)


def _named(drawn: Picture, names: Mapping[str, str]) -> Picture:
    edges = tuple((names[one], names[other]) for one, other in drawn.edges)
    return Picture(tuple(dict.fromkeys(names[node] for node in drawn.nodes)), edges)


def _undrawn(names: Sequence[str]) -> Iterator[Block]:
    if names:
        told = tuple(
            piece for at, name in enumerate(names) for piece in (*(said(", ") if at else ()), code(name))
        )
        yield Paragraph(
            (
                *said("Not drawn here (templates that are not built in need the extra "),
                code("plots"),
                *said("): "),
                *told,
            )
        )


def _remote(remote: OnRemote | None) -> Iterator[Block]:
    if remote is None:
        return
    if remote.problem:
        yield Paragraph(said(f"Not known: {remote.problem}."))
    elif remote.absent:
        advice = (code("ff push"), *said("."))
        yield Paragraph((*said("The remote lacks these; whoever has them in a cache runs "), *advice))
        paths = tuple((code(path),) for path in remote.absent)
        many = len(paths) > _MANY_PATHS
        yield Listing(paths, title=said(count(len(paths), "path")) if many else (), folded=many)


def _problems(report: Report) -> Iterator[Block]:
    if report.problems:
        yield Listing(tuple((code(problem),) for problem in report.problems))
