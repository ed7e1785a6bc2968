"""The plots of a report as images: our own drawings, and pictures as they are, side by side in time."""

import os
import re
from collections.abc import Iterable

from fourfold.pipeline.plots.collect import Plot
from fourfold.pipeline.plots.svg import svg
from fourfold.pipeline.report.layout import Figure

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


def figures(plots: Iterable[Plot]) -> list[Figure]:
    """Each plot as one image, each picture of a moment as one of its own."""
    found: list[Figure] = []
    taken: set[str] = set()
    for plot in plots:
        if plot.is_image:
            for picture in plot.images:
                ending = os.path.splitext(picture.file)[1].lower()
                media = _MEDIA.get(ending)
                if media is not None and len(picture.data) <= MAX_PICTURE:
                    title = f"{plot.title}, {picture.rev}"
                    found.append(Figure(_file(title, ending, taken), title, media, picture.data))
            continue
        drawn = svg(plot)
        if drawn:
            found.append(Figure(_file(plot.title, ".svg", taken), plot.title, _MEDIA[".svg"], drawn.encode()))
    return found


def _file(title: str, ending: str, taken: set[str]) -> str:
    """A file name that no file system, and no platform, understands otherwise."""
    stem = re.sub(r"[^A-Za-z0-9]+", "-", title).strip("-")[:60] or "plot"
    name, number = stem + ending, 1
    while name in taken:
        number += 1
        name = f"{stem}-{number}{ending}"
    taken.add(name)
    return name
