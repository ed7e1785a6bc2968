"""The plots of a report as images: drawings, ours or the extra's, and pictures as they are at each moment."""

import os
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fourfold.pipeline.plots.collect import Plot
from fourfold.pipeline.plots.painting import png
from fourfold.pipeline.plots.publish import foreign_pictures
from fourfold.pipeline.plots.svg import svg
from fourfold.pipeline.report.layout import Figure

if TYPE_CHECKING:
    from fourfold.project.project import Project

#: Pictures larger than this are left out: an embedded one makes the page heavier by a third more.
MAX_PICTURE = 4 << 20
_MEDIA = {
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".bmp": "image/bmp",
}


def figures(project: "Project", plots: Sequence[Plot], before: str) -> tuple[list[Figure], list[str]]:
    """Each plot as one image, each picture of a moment as one; and the plots that nobody here can draw.

    Args:
        project: Whose.
        plots: What to draw.
        before: The name of the moment whose pictures come first.
    """
    foreign, _problems = foreign_pictures(project, plots)
    undrawn = []
    found: list[Figure] = []
    taken: set[str] = set()
    for plot in plots:
        if plot.is_image:
            for picture in sorted(plot.images, key=lambda one: one.rev != before):
                ending = os.path.splitext(picture.file)[1].lower()
                media = _MEDIA.get(ending)
                if media is not None and len(picture.data) <= MAX_PICTURE:
                    title = f"{plot.title}, {picture.rev}"
                    found.append(Figure(_file(title, ending, taken), title, media, picture.data))
            continue
        drawn = foreign[plot.id].svg if plot.id in foreign else svg(plot)
        if not drawn:
            undrawn.append(plot.id)
        else:
            found.append(Figure(_file(plot.title, ".svg", taken), plot.title, _MEDIA[".svg"], drawn.encode()))
    return found, undrawn


def as_png(drawn: Sequence[Figure]) -> list[Figure]:
    """The same figures, drawings as PNG: for places that show no SVG.

    Raises:
        PainterMissingError: the extra ``plots`` is not installed.
        NotDrawableError: a drawing cannot be converted.
    """
    return [
        figure._replace(
            name=f"{figure.name.removesuffix('.svg')}.png",
            media=_MEDIA[".png"],
            data=png(figure.data.decode()),
        )
        if figure.name.endswith(".svg")
        else figure
        for figure in drawn
    ]


def _file(title: str, ending: str, taken: set[str]) -> str:
    """A file name that no file system, and no platform, understands otherwise; its stem is used once."""
    stem = re.sub(r"[^A-Za-z0-9]+", "-", title).strip("-")[:60] or "plot"
    name, number = stem, 1
    while name.lower() in taken:
        number += 1
        name = f"{stem}-{number}"
    taken.add(name.lower())
    return name + ending
