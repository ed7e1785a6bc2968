"""The frame of a drawing: its size, the axes with their grid and ticks, what marks stand for, how parts look.

A drawing names its parts by class (`STYLE` says how they look on white; a page says it for both of its
themes) and carries colours of revisions only. Coordinates are CSS pixels.
"""

from typing import NamedTuple

from fourfold.pipeline.plots.chart import Chart
from fourfold.pipeline.plots.markup import clipped, short, tag, words
from fourfold.pipeline.plots.scales import Axis

WIDTH = 560.0
HEIGHT = 280.0
#: About how wide a character of an axis is.
CHARACTER = 6.3
#: Lines of up to so many points show each of them.
DOTTED = 24
#: DVC's dashes, in their order.
DASHES = (None, "8 8", "8 4", "4 4", "4 2", "2 1", "1 1")

FONT = "system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif"
STYLE = (
    f"text{{font-family:{FONT};font-size:11px;fill:#666a78}}"
    ".title{font-size:15px;font-weight:600;fill:#1c1d24}.name{font-size:12px;fill:#3a3c48}"
    ".paper{fill:#fff}.grid{stroke:#ebecf1;stroke-width:1}.base{stroke:#b9bcc9;stroke-width:1}"
    ".line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}.faint{opacity:.25}"
    ".mark{fill-opacity:.55}.cell{fill:#7d4cc0}.hole{fill:#f6f5fa}.light{fill:#fff}.dark{fill:#2c2d38}"
    ".sample{stroke:#7b7f8e;fill:none;stroke-width:1.6}"
)


class Drawing(NamedTuple):
    """Finished markup.

    Attributes:
        width: In CSS pixels.
        height: Likewise.
        body: The inside of an ``svg`` element.
        left: Where the axes begin, for whoever draws into it later (a page, as one points at it).
        top: Likewise.
        inner_width: How long the horizontal axis is.
        inner_height: How long the vertical one is.
    """

    width: float
    height: float
    body: str
    left: float = 0.0
    top: float = 0.0
    inner_width: float = 0.0
    inner_height: float = 0.0


def element(drawing: Drawing, label: str, **attributes: object) -> str:
    """The ``svg`` element of a drawing; ``label`` is finished markup, for a standalone one."""
    return tag(
        "svg",
        tag("title", label) if not attributes else "",
        drawing.body,
        xmlns="http://www.w3.org/2000/svg",
        width=drawing.width if not attributes else None,
        height=drawing.height if not attributes else None,
        viewBox=f"0 0 {short(drawing.width)} {short(drawing.height)}",
        role="img",
        **attributes,
    )


def source_legend(found: Chart, width: float, *, shapes: bool) -> tuple[str, float]:
    """What each dash or shape stands for, and how high that is; nothing when there is but one source."""
    if len(found.sources) < 2:
        return "", 0.0
    parts, x, y = [], 16.0, 14.0
    for at, source in enumerate(found.sources):
        name = clipped(source, 48)
        length = 30 + CHARACTER * len(name) + 18
        if x > 16 and x + length > width - 16:
            x, y = 16.0, y + 18
        if shapes:
            parts.append(tag("path", d=shape(at, x + 11, y - 4, 4), class_="sample"))
        else:
            parts.append(
                tag(
                    "path",
                    d=f"M{short(x)} {short(y - 4)}h24",
                    class_="sample",
                    stroke_dasharray=DASHES[at % len(DASHES)],
                )
            )
        parts.append(tag("text", words(name), x=x + 30, y=y))
        x += length
    return "".join(parts), y + 8


def shape(at: int, x: float, y: float, r: float) -> str:
    """The outline of the n-th source's mark: circle, square, triangle, diamond."""
    kind = at % 4
    if kind == 1:
        return f"M{short(x - r)} {short(y - r)}h{short(2 * r)}v{short(2 * r)}h{short(-2 * r)}z"
    if kind == 2:
        return f"M{short(x)} {short(y - 1.2 * r)}L{short(x + 1.15 * r)} {short(y + r)}H{short(x - 1.15 * r)}z"
    if kind == 3:
        s = 1.35 * r
        to, back = short(s), short(-s)
        return f"M{short(x)} {short(y - s)}l{to} {to}l{back} {to}l{back} {back}z"
    half = f"a{short(r)} {short(r)} 0 1 0 "
    return f"M{short(x - r)} {short(y)}{half}{short(2 * r)} 0{half}{short(-2 * r)} 0z"


def axes(x: Axis, y: Axis, left: float, top: float, width: float, height: float) -> tuple[str, float]:
    """The grid, the ticks and the labels of a plane, and how much room they need below it."""
    parts = []
    for value, mark in y.ticks:
        at = top + height - y.at(value, height)
        parts.append(tag("path", d=f"M{short(left)} {short(at)}h{short(width)}", class_="grid"))
        parts.append(tag("text", words(clipped(mark, 16)), x=left - 8, y=at + 4, text_anchor="end"))
    bottom = top + height
    parts.append(tag("path", d=f"M{short(left)} {short(bottom)}h{short(width)}", class_="base"))
    room = width / max(1, len(x.ticks))
    longest = max((len(clipped(mark, 16)) for _at, mark in x.ticks), default=1)
    turned = longest * CHARACTER > room
    for value, mark in x.ticks:
        at = left + x.at(value, width)
        parts.append(tag("path", d=f"M{short(at)} {short(bottom)}v4", class_="base"))
        parts.append(_below(clipped(mark, 16), at, bottom + 17, turned=turned))
    below = 24 + (longest * CHARACTER * 0.6 if turned else 0)
    if x.label:
        below += 16
        parts.append(
            tag(
                "text",
                words(clipped(x.label, 80)),
                class_="name",
                x=left + width / 2,
                y=bottom + below - 2,
                text_anchor="middle",
            )
        )
    if y.label:
        middle = top + height / 2
        parts.append(
            tag(
                "text",
                words(clipped(y.label, 44)),
                class_="name",
                text_anchor="middle",
                transform=f"translate(22 {short(middle)}) rotate(-90)",
            )
        )
    return "".join(parts), below + 8


def _below(mark: str, x: float, y: float, *, turned: bool) -> str:
    if not turned:
        return tag("text", words(mark), x=x, y=y, text_anchor="middle")
    return tag(
        "text",
        words(mark),
        text_anchor="end",
        transform=f"translate({short(x + 3)} {short(y - 4)}) rotate(-36)",
    )
