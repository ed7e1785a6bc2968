"""Drawings whose axes are names: confusion matrices and horizontal bars."""

from fourfold.pipeline.plots.chart import Bar, Cells, Chart, color
from fourfold.pipeline.plots.frame import CHARACTER, WIDTH, Drawing
from fourfold.pipeline.plots.markup import clipped, short, tag, words
from fourfold.pipeline.plots.scales import text

#: A name of a category is written with so many characters at most.
NAME = 26
_GAP = 28.0
_BAR = 11.0


def cells(found: Chart) -> Drawing:
    """Confusion matrices: one beside the other by revision, one below the other by source."""
    columns, lines = found.x.names, found.y.names
    side = min(64.0, max(12.0, 300.0 / max(len(columns), len(lines))))
    width, height = side * len(columns), side * len(lines)
    left = 16 + 20 + CHARACTER * min(NAME, max(map(len, lines))) + 8
    longest = min(NAME, max(map(len, columns)))
    turned = longest * CHARACTER > side - 4
    below = 24 + (longest * CHARACTER * 0.6 if turned else 0) + 18
    head = 20.0 + (16 if len(found.sources) > 1 else 0)
    places = {rev: at for at, rev in enumerate(found.shown)}
    step = max(width, 90.0) + _GAP
    parts = []
    for matrix in found.cells:
        x = left + places[matrix.rev] * step
        y = 4 + matrix.source * (head + height + below) + head
        inside = [_matrix(found, matrix, x, y, side)]
        inside += [_head(found, matrix, x, y, head)]
        inside += _names_below(found, x, y + height, side, turned=turned)
        inside.append(
            tag(
                "text",
                words(clipped(found.x.label, 40)),
                class_="name",
                x=x + width / 2,
                y=y + height + below - 10,
                text_anchor="middle",
            )
        )
        if places[matrix.rev] == 0:
            parts += _names_beside(found, x, y, side)
        parts.append(tag("g", *inside, class_="series", data_rev=matrix.rev))
    total = len(found.sources) * (head + height + below) + 4
    return Drawing(left + len(places) * step - _GAP + 20, total, "".join(parts))


def _head(found: Chart, matrix: Cells, x: float, y: float, head: float) -> str:
    parts = [
        tag("rect", x=x, y=y - head + 1, width=10, height=10, rx=2.5, fill=color(matrix.rev)),
        tag("text", words(clipped(found.revs[matrix.rev], 40)), class_="name", x=x + 15, y=y - head + 10),
    ]
    if len(found.sources) > 1:
        parts.append(tag("text", words(clipped(found.sources[matrix.source], 40)), x=x, y=y - 10))
    return "".join(parts)


def _matrix(found: Chart, matrix: Cells, x: float, y: float, side: float) -> str:
    parts = []
    for row, values in enumerate(matrix.values):
        for column, value in enumerate(values):
            at_x, at_y = x + column * side, y + row * side
            said = matrix.texts[row][column]
            told = tag(
                "title",
                words(
                    f"{found.revs[matrix.rev]}\n{found.x.label}: {found.x.names[column]}\n"
                    f"{found.y.label}: {found.y.names[row]}\n{said}"
                ),
            )
            place = {"x": at_x + 0.75, "y": at_y + 0.75, "width": side - 1.5, "height": side - 1.5}
            rounded = min(3.0, side / 8)
            parts.append(tag("rect", class_="hole", rx=rounded, **place))
            parts.append(tag("rect", told, class_="cell", rx=rounded, fill_opacity=f"{value:.3f}", **place))
            if len(said) * CHARACTER < side - 2 and side >= 16:
                parts.append(
                    tag(
                        "text",
                        words(said),
                        class_="light" if value > 0.5 else "dark",
                        pointer_events="none",
                        x=at_x + side / 2,
                        y=at_y + side / 2 + 4,
                        text_anchor="middle",
                    )
                )
    return "".join(parts)


def _names_below(found: Chart, x: float, y: float, side: float, *, turned: bool) -> list[str]:
    parts = []
    for at, name in found.x.ticks:
        middle = x + (at + 0.5) * side
        mark = words(clipped(name, NAME))
        parts.append(
            tag(
                "text",
                mark,
                text_anchor="end",
                transform=f"translate({short(middle + 3)} {short(y + 13)}) rotate(-36)",
            )
            if turned
            else tag("text", mark, text_anchor="middle", x=middle, y=y + 16)
        )
    return parts


def _name_beside(found: Chart, middle: float) -> str:
    """The name of the upright axis, along it."""
    return tag(
        "text",
        words(clipped(found.y.label, 40)),
        class_="name",
        text_anchor="middle",
        transform=f"translate(22 {short(middle)}) rotate(-90)",
    )


def _names_beside(found: Chart, x: float, y: float, side: float) -> list[str]:
    height = side * len(found.y.names)
    parts = [
        tag("text", words(clipped(name, NAME)), x=x - 8, y=y + (at + 0.5) * side + 4, text_anchor="end")
        for at, name in found.y.ticks
    ]
    parts.append(_name_beside(found, y + height / 2))
    return parts


def bars(found: Chart) -> Drawing:
    """Horizontal bars: a group for each category, in it one for each revision; sources beside each other."""
    count = len(found.sources)
    thick = _BAR if len(found.shown) > 1 else 16.0
    group = thick * len(found.shown) + 8
    height = group * len(found.y.names)
    left = 16 + 20 + CHARACTER * min(NAME, max(map(len, found.y.names))) + 8
    width = WIDTH - left - 36 if count == 1 else 240.0
    head = 22.0 if count > 1 else 6.0
    lanes = {rev: at for at, rev in enumerate(found.shown)}
    parts = []
    for at, name in enumerate(found.y.names):
        parts.append(
            tag(
                "text",
                words(clipped(name, NAME)),
                tag("title", words(name)),
                x=left - 8,
                y=head + (at + 0.5) * group + 4,
                text_anchor="end",
            )
        )
    for source in range(count):
        x = left + source * (width + _GAP)
        parts.append(_ruler(found, source, x, head, width, height))
    for bar in found.bars:
        x = left + bar.source * (width + _GAP)
        y = head + bar.category * group + 4 + lanes[bar.rev] * thick
        parts.append(_bar(found, bar, x, y, width, thick))
    middle = left + (count * (width + _GAP) - _GAP) / 2
    parts.append(
        tag(
            "text",
            words(clipped(found.x.label, 80)),
            class_="name",
            x=middle,
            y=head + height + 38,
            text_anchor="middle",
        )
    )
    parts.append(_name_beside(found, head + height / 2))
    total = left + count * (width + _GAP) - _GAP + 36
    return Drawing(total, head + height + 48, "".join(parts), left, head, width, height)


def _bar(found: Chart, bar: Bar, x: float, y: float, width: float, thick: float) -> str:
    """One bar of a panel that begins at ``x`` and is ``width`` wide, with what it says when pointed at."""
    zero, end = found.x.at(0.0, width), found.x.at(bar.value, width)
    told = f"{found.revs[bar.rev]}\n{found.y.names[bar.category]}\n{found.x.label}: {text(bar.value)}"
    rect = tag(
        "rect",
        tag("title", words(told)),
        x=x + min(zero, end),
        y=y + 0.5,
        width=max(abs(end - zero), 0.5),
        height=thick - 1,
        rx=2,
        fill=color(bar.rev),
    )
    return tag("g", rect, class_="series", data_rev=bar.rev)


def _ruler(found: Chart, source: int, x: float, top: float, width: float, height: float) -> str:
    """The grid and the ticks of one panel of bars."""
    parts = []
    if len(found.sources) > 1:
        parts.append(tag("text", words(clipped(found.sources[source], 38)), x=x, y=top - 8))
    for value, mark in found.x.ticks:
        at = x + found.x.at(value, width)
        style = "base" if value == 0 else "grid"
        parts.append(tag("path", d=f"M{short(at)} {short(top)}v{short(height)}", class_=style))
        parts.append(tag("text", words(mark), x=at, y=top + height + 16, text_anchor="middle"))
    return "".join(parts)
