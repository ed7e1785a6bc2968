"""One HTML file with every plot: it works offline, asks for nothing, and runs no script but ours.

Whatever comes from a repository is text, escaped; pictures stand in ``img`` elements, where theirs cannot
run. A policy in the head of the page forbids everything else to the browser: it allows our style, our script
by its digest, and pictures that are in the page itself. Charts are `svg`'s; both
`page.js` and `page.css` are ours.
"""

import base64
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any, NamedTuple

from fourfold.base.errors import FourfoldError, InvalidFileError
from fourfold.pipeline.plots.chart import BUILT_IN, Chart, chart, color
from fourfold.pipeline.plots.collect import Loaded, Plot
from fourfold.pipeline.plots.frame import Drawing, element
from fourfold.pipeline.plots.markup import tag, words
from fourfold.pipeline.plots.svg import draw

#: So many rows of a plot that cannot be drawn are shown.
MOST_ROWS = 200
_TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".svg": "image/svg+xml",
}
#: DVC's words for where things go in a page of the user's own.
PLACE = "{plot_divs}"


class BadPageError(InvalidFileError):
    """The HTML file that plots should be put into has no place for them."""

    code = "bad-plots-page"


class Picture(NamedTuple):
    """How a plot that is not built in came out: a document, or why there is none."""

    svg: str = ""
    problem: str = ""


def page(
    loaded: Loaded,
    *,
    title: str,
    pictures: Mapping[str, Picture] | None = None,
    template: str | None = None,
) -> str:
    """The text of the page.

    Args:
        loaded: What to show.
        title: What stands above it.
        pictures: By the plot's identity: plots whose template is not built in.
        template: A page of the user's own, with ``{plot_divs}`` where the plots go, and, if wanted,
            ``{scripts}`` where the style goes.

    Raises:
        BadPageError: that page has no ``{plot_divs}``.
    """
    if template is not None and PLACE not in template:
        raise BadPageError(
            f"the page for plots has no '{PLACE}'", hint=f"write {PLACE} where the plots belong"
        )
    style = tag("style", _file("page.css"))
    script = _file("page.js")
    body = _body(loaded, title, pictures or {}) + f"<script>{script}</script>"
    if template is not None:
        found = template.replace("{refresh_tag}", "")
        if "{scripts}" not in found:
            body = style + body
        return found.replace("{scripts}", style).replace(PLACE, body)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    head = (
        '<meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="referrer" content="no-referrer">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{words(title)}</title>{style}"
    )
    return f'<!DOCTYPE html>\n<html lang="en">\n<head>{head}</head>\n<body>{body}</body>\n</html>\n'


def _file(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _body(loaded: Loaded, title: str, pictures: Mapping[str, Picture]) -> str:
    revs = tuple(dict.fromkeys(rev for plot in loaded.plots for rev in plot.asked))
    chips = "".join(
        f'<button class="chip" type="button" data-rev="{at}" aria-pressed="true" style="--tint:{color(at)}">'
        f"<i></i>{words(rev)}</button>"
        for at, rev in enumerate(revs)
    )
    head = (
        f'<header class="plots-head"><h1>{words(title)}</h1>{chips}'
        '<button class="theme" type="button" title="light or dark">\u25d0</button></header>'
    )
    broken = "".join(_problem(f"{rev}: {error.message}") for rev, error in loaded.errors.items())
    cards = "".join(_card(plot, pictures.get(plot.id)) for plot in in_order(loaded.plots))
    return f'{head}<main class="plots">{broken}{cards}</main>'


def in_order(plots: Sequence[Plot]) -> list[Plot]:
    """Plots of data as they are, then pictures: by folder, those whose names are numbers by these."""
    return sorted(plots, key=_place)


def _place(plot: Plot) -> tuple[bool, str, int, str]:
    if not plot.is_image:
        return False, "", 0, ""
    folder, name = os.path.split(plot.id)
    stem = os.path.splitext(name)[0]
    return True, folder, int(stem) if stem.isdecimal() and len(stem) < 18 else -1, name


def _card(plot: Plot, picture: Picture | None) -> str:
    if plot.is_image:
        inner, style = _images(plot), "images wide" if len(plot.images) > 2 else "images"
    else:
        inner, style = _data(plot, picture)
    about = plot.id if plot.title != plot.id else ""
    if not plot.is_image and plot.template != "linear":
        about = f"{about} \u00b7 {plot.template}" if about else plot.template
    caption = tag("h2", words(plot.title)) + (tag("p", words(about), class_="about") if about else "")
    errors = "".join(_problem(f"{rev}: {error.message}") for rev, error in plot.errors())
    return f'<figure class="card {style}">{caption}{inner}{errors}</figure>'


def _problem(text: str) -> str:
    return tag("p", words(text), class_="error")


def _data(plot: Plot, picture: Picture | None) -> tuple[str, str]:
    if not plot.rows:
        return "" if plot.errors() else tag("p", "no rows", class_="note"), "empty"
    if picture is not None and picture.svg:
        source = _uri(picture.svg.encode("utf-8", "replace"), "image/svg+xml")
        return f'<img class="drawn" alt="{words(plot.title)}" src="{source}">', "custom"
    known = plot.template in BUILT_IN and picture is None
    found = chart(plot) if known else None
    if found is None:
        why = picture.problem if picture is not None else "nothing in it can be drawn that way"
        return _table(plot) + tag("p", words(why), class_="note"), "table"
    drawing = draw(found)
    most = drawing.width * (1.0 if found.kind == "cells" else 1.25)
    inner = element(drawing, "", aria_label=found.title, style=f"max-width:{most:.0f}px")
    if found.kind == "lines":
        inner += _points(found, drawing) + (_slider(found) if found.bandwidth is not None else "")
    if found.note:
        inner += tag("p", words(found.note), class_="note")
    size = " full" if drawing.width > 1000 else " wide" if drawing.width > 700 else ""
    return inner, found.kind + size


def _points(found: Chart, drawing: Drawing) -> str:
    """What the script needs to say where one points at, in the order of the groups of the drawing."""
    several = len(found.sources) > 1
    told: dict[str, Any] = {
        "box": [drawing.left, drawing.top, drawing.inner_width, drawing.inner_height],
        "x": [found.x.low, found.x.high],
        "y": [found.y.low, found.y.high],
        "label": found.x.label,
        "names": found.x.names,
        "marks": found.y.names,
        "series": [
            {
                "rev": one.rev,
                "name": found.revs[one.rev] + (f" \u00b7 {found.sources[one.source]}" if several else ""),
                "color": color(one.rev),
                "xs": one.xs,
                "ys": one.ys,
            }
            for one in reversed(found.series)
        ],
    }
    text = json.dumps(told, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return f'<script type="application/json" class="points">{text}</script>'


def _slider(found: Chart) -> str:
    start = found.bandwidth or 0.0
    said = f"{start:.2f}" if start else "off"
    return (
        '<label class="smoothing">smoothing <input type="range" min="0" max="1" step="0.01" '
        f'value="{start}"><output>{said}</output></label>'
    )


def _table(plot: Plot) -> str:
    columns = list(dict.fromkeys(key for row in plot.rows[:MOST_ROWS] for key in row))
    head = "".join(f"<th>{words(column)}</th>" for column in columns)
    lines = ""
    for row in plot.rows[:MOST_ROWS]:
        cells = "".join(f"<td>{words(row.get(column, ''))}</td>" for column in columns)
        lines += f"<tr>{cells}</tr>"
    more = len(plot.rows) - MOST_ROWS
    note = tag("p", f"and {more:,} more rows", class_="note") if more > 0 else ""
    return (
        f'<div class="rows"><table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>{note}'
    )


def _images(plot: Plot) -> str:
    places = {rev: at for at, rev in enumerate(plot.asked)}
    shown = "".join(
        f'<figure class="picture" data-rev="{places[one.rev]}" style="--tint:{color(places[one.rev])}">'
        f"<figcaption><i></i>{words(one.rev)}</figcaption>"
        f'<img alt="{words(f"{one.file} of {one.rev}")}" src="{image_uri(one.file, one.data)}"></figure>'
        for one in plot.images
    )
    side = f'<div class="pictures">{shown}</div>'
    if len(plot.images) < 2:
        return side
    modes = "".join(
        f'<button type="button" data-mode="{mode}" aria-pressed="{"true" if mode == "side" else "false"}">'
        f"{text}</button>"
        for mode, text in (("side", "Side by side"), ("swipe", "Swipe"), ("difference", "Difference"))
    )
    choices = "".join(_choice(plot, at) for at in range(2)) if len(plot.images) > 2 else ""
    stage = (
        '<div class="stage" hidden><div class="frame"><img class="under" alt=""><img class="over" alt="">'
        '</div><input type="range" min="0" max="100" value="50" '
        'aria-label="where one ends and the other begins"></div>'
    )
    return f'<div class="modes">{modes}{choices}</div>{side}{stage}'


def _choice(plot: Plot, chosen: int) -> str:
    options = "".join(
        f'<option value="{at}"{" selected" if at == chosen else ""}>{words(one.rev)}</option>'
        for at, one in enumerate(plot.images)
    )
    return f'<select hidden aria-label="picture {chosen + 1}">{options}</select>'


def image_uri(file: str, data: bytes) -> str:
    """A picture as an address that holds it."""
    return _uri(data, _TYPES.get(os.path.splitext(file)[1], "image/png"))


def _uri(data: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def problem_of(error: FourfoldError) -> Picture:
    """A plot that could not be drawn, with the reason."""
    return Picture(problem=f"{error.message}{'; ' + error.hint if error.hint else ''}")
