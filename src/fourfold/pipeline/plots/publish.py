"""Writing plots: the page, pictures beside it, and the files that DVC's ``--json`` points to.

Where things go comes from the user, or from ``plots.out_dir``; what the repository alone says cannot lead out
of the project.
"""

import os
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import ConfigError, FourfoldError, from_os_error
from fourfold.base.events import Sink, silent
from fourfold.base.fs.atomic import write_atomic
from fourfold.base.fs.reading import read_file
from fourfold.pipeline.plots import painting
from fourfold.pipeline.plots.chart import BUILT_IN
from fourfold.pipeline.plots.collect import Loaded, Plot
from fourfold.pipeline.plots.page import Picture, page, problem_of
from fourfold.pipeline.plots.svg import svg
from fourfold.pipeline.plots.templates import Template, find
from fourfold.pipeline.plots.vega import fill

if TYPE_CHECKING:
    from fourfold.project.project import Project

DEFAULT_FOLDER = "dvc_plots"
FORMATS = ("png", "svg")


class PlotsPlaceError(ConfigError):
    """The committed configuration would have plots read or written outside of the project."""

    code = "plots-place-outside"


class Published(NamedTuple):
    """What was written.

    Attributes:
        page: The HTML file.
        files: Pictures beside it.
        problems: What could not be drawn, by the plot's identity.
    """

    page: str
    files: tuple[str, ...]
    problems: dict[str, FourfoldError]


def folder(project: "Project", out: str | None) -> str:
    """The absolute path of the folder that plots are written to.

    Args:
        project: Whose.
        out: What the user typed, relative to ``project.cwd``; otherwise the configuration says.

    Raises:
        PlotsPlaceError: the committed configuration, or a link, leads out of the project.
    """
    if out:
        return os.path.normpath(os.path.join(project.cwd, out))
    said = project.config.get("plots", "out_dir")
    path = os.path.normpath(os.path.join(project.cwd, str(said or DEFAULT_FOLDER)))
    _must_be_inside(project, path, "out_dir" if said else "")
    return path


def page_template(project: "Project", typed: str | None) -> str | None:
    """The page of the user's own that plots go into: typed, or configured below ``.dvc``; None for ours.

    Raises:
        PlotsPlaceError: the committed configuration leads out of the project.
    """
    path = os.path.join(project.cwd, typed) if typed else ""
    if not typed:
        said = project.config.get("plots", "html_template")
        if not said:
            return None
        path = os.path.normpath(os.path.join(project.dvc_dir, str(said)))
        _must_be_inside(project, path, "html_template")
    try:
        return read_file(path).decode("utf-8", "replace")
    except OSError as error:
        raise from_os_error(error, f"reading {path}") from error


def _must_be_inside(project: "Project", path: str, option: str) -> None:
    origin = project.config.origin("plots", option) if option else None
    if origin is not None and origin.level != "project":
        return
    if not project.contains(os.path.realpath(path)):
        raise PlotsPlaceError(
            f"'{path}' is outside of the project",
            hint="say where with --out"
            if option != "html_template"
            else "name the page with --html-template",
        )


def template_of(project: "Project", plot: Plot, typed: str | None = None) -> Template:
    """The template of a plot; see `templates.find`."""
    return find(project, plot.template, trusted=typed is not None and plot.template == typed)


def publish(
    project: "Project",
    loaded: Loaded,
    out: str,
    *,
    title: str,
    html: str | None = None,
    formats: Sequence[str] = (),
    typed: str | None = None,
    events: Sink = silent,
) -> Published:
    """Write ``index.html`` with every plot, and a picture of each for every format.

    Args:
        project: Whose.
        loaded: What to write.
        out: Absolute path of a folder, which is made.
        title: Of the page.
        html: The text of a page of the user's own.
        formats: Of `FORMATS`.
        typed: The template that the user typed, which may be anywhere.
        events: Hears nothing yet: drawing is quick.

    Raises:
        PainterMissingError: PNG is wanted, and the extra ``plots`` is not there.
        BadPageError: the user's page has no place for plots.
        DeniedError and other typed errors: the folder cannot be written to.
    """
    del events
    if "png" in formats and loaded.plots:
        painting.require("PNG")
    pictures, problems = foreign_pictures(project, loaded.plots, typed)
    text = page(loaded, title=title, pictures=pictures, template=html)
    names = _Names()
    target = os.path.join(out, names.free("index", ".html"))
    try:
        os.makedirs(out, exist_ok=True)
        files = []
        for plot in loaded.plots:
            for name, data in _files(plot, pictures.get(plot.id), formats, names, problems):
                write_atomic(os.path.join(out, name), data, durable=False)
                files.append(os.path.join(out, name))
        write_atomic(target, text.encode("utf-8", "replace"), durable=False)
    except OSError as error:
        raise from_os_error(error, f"writing {out}") from error
    return Published(target, tuple(files), problems)


def foreign_pictures(
    project: "Project", plots: Iterable[Plot], typed: str | None = None
) -> tuple[dict[str, Picture], dict[str, FourfoldError]]:
    """The plots that are not drawn by us, drawn, or with the reason why not."""
    found: dict[str, Picture] = {}
    problems: dict[str, FourfoldError] = {}
    for plot in plots:
        if plot.is_image or not plot.rows:
            continue
        try:
            template = template_of(project, plot, typed)
            if not template.path or (plot.template in BUILT_IN and not painting.available()):
                continue
            found[plot.id] = Picture(painting.vega_svg(fill(plot, template).content, plot.template))
        except FourfoldError as error:
            found[plot.id], problems[plot.id] = problem_of(error), error
    return found, problems


class _Names:
    """Names of files made of identities, each once, also where the case of letters does not count."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def free(self, identity: str, suffix: str) -> str:
        stem = re.sub(r"[^\w.-]+", "_", identity).strip("._")[:120] or "plot"
        name, number = stem + suffix, 1
        while name.casefold() in self._taken:
            number += 1
            name = f"{stem}_{number}{suffix}"
        self._taken.add(name.casefold())
        return name


def _files(
    plot: Plot,
    picture: Picture | None,
    formats: Sequence[str],
    names: _Names,
    problems: dict[str, FourfoldError],
) -> Iterable[tuple[str, bytes]]:
    """The pictures of one plot, by name."""
    if not formats:
        return
    if plot.is_image:
        for one in plot.images:
            stem, suffix = os.path.splitext(one.file)
            yield names.free(f"{one.rev}_{stem}", suffix), one.data
        return
    drawn = picture.svg if picture is not None else svg(plot)
    if not drawn:
        return
    for wanted in formats:
        try:
            data = painting.png(drawn) if wanted == "png" else drawn.encode("utf-8", "replace")
        except painting.NotDrawableError as error:
            problems[plot.id] = error
            continue
        yield names.free(plot.id, f".{wanted}"), data


def write_images(plot: Plot, out: str) -> list[tuple[str, str]]:
    """Write the pictures of a plot where DVC's ``--json`` says they are: (revision, absolute path).

    Raises:
        DeniedError and other typed errors: the folder cannot be written to.
    """
    found = []
    try:
        os.makedirs(out, exist_ok=True)
        for one in plot.images:
            path = os.path.join(out, f"{one.rev}_{one.file}".replace(os.sep, "_").replace("/", "_"))
            write_atomic(path, one.data, durable=False)
            found.append((one.rev, path))
    except OSError as error:
        raise from_os_error(error, f"writing {out}") from error
    return found
