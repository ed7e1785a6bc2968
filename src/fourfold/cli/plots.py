"""What ``ff plots show`` and ``ff plots diff`` have in common: their options, DVC's JSON, what is printed."""

import argparse
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from fourfold.base.errors import FourfoldError, InvalidFileError, UsageError
from fourfold.cli.moments import error_as_dvc
from fourfold.cli.options import completes, ours
from fourfold.cli.outcome import Outcome
from fourfold.pipeline.plots.definitions import PROPERTIES

if TYPE_CHECKING:
    from fourfold.cli.session import Session
    from fourfold.pipeline.plots.collect import Loaded, Plot
    from fourfold.project.project import Project


_LANGUAGES = {"json": "JSON", "yaml": "YAML", "yml": "YAML", "toml": "TOML"}


class ShowVegaError(UsageError):
    """``--show-vega`` was given without exactly one target, or beside ``--json``."""

    code = "show-vega"
    exit_code = 1  # DVC's


def add_properties(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how plots are drawn."""
    completes(
        parser.add_argument(
            "-t", "--template", nargs="?", metavar="<path>", help="a template: its name, or its file"
        ),
        "file",
    )
    for name, what in (("-x", "the field of the x axis"), ("-y", "the field of the y axis")):
        completes(parser.add_argument(name, metavar="<field>", help=what), "none")
    parser.add_argument(
        "--no-header",
        dest="header",
        action="store_false",
        default=None,
        help="the first line of CSV and TSV files is data",
    )
    for name, what in (
        ("--title", "what stands above the plot"),
        ("--x-label", "what stands below the x axis"),
        ("--y-label", "what stands beside the y axis"),
    ):
        completes(parser.add_argument(name, metavar="<text>", help=what), "none")


def properties(args: argparse.Namespace) -> dict[str, Any]:
    """What of `add_properties` was given."""
    return {name: getattr(args, name) for name in PROPERTIES if getattr(args, name) is not None}


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what becomes of the plots."""
    completes(
        parser.add_argument("-o", "--out", metavar="<path>", help="the folder to write to; 'dvc_plots' else"),
        "dir",
    )
    parser.add_argument("--show-vega", action="store_true", help="print the Vega-Lite of one plot")
    parser.add_argument(
        "--split", action="store_true", help="with --json: give values beside the templates, not in them"
    )
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    completes(
        parser.add_argument("--html-template", metavar="<path>", help="a page of yours to put the plots in"),
        "file",
    )
    completes(
        ours(
            parser.add_argument(
                "--format",
                metavar="<list>",
                default="",
                help="write each plot as a picture too: png, svg, or both",
            )
        ),
        "none",
    )
    ours(parser.add_argument("--text", action="store_true", help="print the plots as text, write nothing"))


def show(
    session: "Session", args: argparse.Namespace, targets: Sequence[str], revs: Sequence[str] | None
) -> Outcome:
    """Load the plots, then print or write them as the options say.

    Args:
        session: Of the command.
        args: Its options.
        targets: As typed.
        revs: The moments; None when there is nothing to look at.
    """
    from fourfold.pipeline.plots.collect import Loaded, load  # noqa: PLC0415 - after the options are checked

    as_json = session.settings.json
    if args.show_vega:
        _check_vega(targets, as_json=as_json)
    formats = _formats(args.format)
    project = session.project
    loaded = Loaded(())
    if revs is not None:
        loaded = load(project, targets, revs=revs, props=properties(args), events=session.sink)
    _tell(session, loaded)
    if as_json:
        return Outcome(data=_as_dvc(project, loaded, args))
    if args.show_vega:
        return Outcome(text=_vega(project, loaded, args), loud=True)
    if not loaded.plots:
        session.warn("no plots were found: nothing is written", _no_plots_hint(targets))
        return Outcome()
    if args.text:
        return Outcome(text=_text(loaded))
    return _write(session, loaded, args, formats)


def _no_plots_hint(targets: Sequence[str]) -> str:
    return "see which there are: ff plots show --text" if targets else "name some in dvc.yaml, under: plots"


def _check_vega(targets: Sequence[str], *, as_json: bool) -> None:
    if not targets:
        raise ShowVegaError("please specify a target for '--show-vega'", hint="name one plot")
    if len(targets) > 1:
        raise ShowVegaError("you can only specify one target for '--show-vega'", hint="name one plot")
    if as_json:
        raise ShowVegaError("'--show-vega' and '--json' are mutually exclusive", hint="leave one of them out")


def _formats(text: str) -> tuple[str, ...]:
    from fourfold.pipeline.plots.publish import FORMATS  # noqa: PLC0415 - as above

    found = tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
    for word in found:
        if word not in FORMATS:
            raise UsageError(f"unknown format: '{word}'", hint=f"one or both of: {', '.join(FORMATS)}")
    return found


def _tell(session: "Session", loaded: "Loaded") -> None:
    found = [
        (f"plots of '{rev}' could not be loaded: {error.message}", error.hint)
        for rev, error in loaded.errors.items()
    ]
    for plot in loaded.plots:
        found += [(f"in '{rev}': {error.message}", error.hint) for rev, error in plot.errors()]
    _warn(session, found)


def _warn(session: "Session", found: Iterable[tuple[str, str]]) -> None:
    """Warnings with their hints, each of either once."""
    hinted: set[str] = set()
    for message, hint in dict.fromkeys(found):
        session.warn(message, "" if hint in hinted else hint)
        hinted.add(hint)


def _as_dvc(project: "Project", loaded: "Loaded", args: argparse.Namespace) -> dict[str, Any]:
    """The shape of DVC's ``--json``; pictures are written, as it does, and named."""
    from fourfold.pipeline.plots.publish import folder, template_of, write_images  # noqa: PLC0415
    from fourfold.pipeline.plots.vega import fill  # noqa: PLC0415

    data: dict[str, list[dict[str, Any]]] = {}
    errors: list[dict[str, Any]] = []
    for plot in loaded.plots:
        if plot.is_image:
            found = write_images(plot, folder(project, args.out)) if plot.images else []
            data[plot.id] = [{"type": "image", "revisions": [rev], "url": path} for rev, path in found]
        elif plot.rows:
            filled = fill(plot, template_of(project, plot, args.template), split=args.split)
            entry: dict[str, Any] = {
                "type": "vega",
                "revisions": list(plot.revs),
                "content": filled.content,
            }
            data[plot.id] = [entry | ({"anchor_definitions": filled.beside} if args.split else {})]
        else:
            data[plot.id] = []
        errors += _errors(plot)
    errors += [{"rev": rev, **error_as_dvc(error)} for rev, error in loaded.errors.items()]
    return {key: value for key, value in (("errors", errors), ("data", data)) if value}


def _errors(plot: "Plot") -> Iterator[dict[str, Any]]:
    for rev, files in plot.source_errors.items():
        for file, error in files.items():
            yield {"name": plot.id, "rev": rev, "source": file, **_error(error, file)}
    for rev, error in plot.definition_errors.items():
        yield {"name": plot.id, "rev": rev, **_error(error)}


def _error(error: FourfoldError, file: str = "") -> dict[str, str]:
    """An error in DVC's words, for the programs that know them."""
    from fourfold.pipeline.plots.data import (  # noqa: PLC0415
        FieldNotFoundError,
        PlotFileTypeError,
        UnequalRowsError,
    )

    if isinstance(error, FieldNotFoundError | UnequalRowsError):
        kind = "FieldNotFoundError" if isinstance(error, FieldNotFoundError) else "DvcException"
        return {"type": kind, "msg": f"{error.message}."}
    if isinstance(error, PlotFileTypeError):
        what = f"'{file}' - file type error\nOnly JSON, YAML, CSV and TSV formats are supported."
        return {"type": "PlotMetricTypeError", "msg": what}
    language = _LANGUAGES.get(file.rpartition(".")[2])
    if isinstance(error, InvalidFileError) and language:
        what = f"unable to read: '{file}', {language} file structure is corrupted"
        return {"type": f"{language}FileCorruptedError", "msg": what}
    return error_as_dvc(error)


def _vega(project: "Project", loaded: "Loaded", args: argparse.Namespace) -> Iterator[str]:
    """The filled template of the first plot that is one of data."""
    from fourfold.cli.render import to_json  # noqa: PLC0415
    from fourfold.pipeline.plots.publish import template_of  # noqa: PLC0415
    from fourfold.pipeline.plots.vega import fill  # noqa: PLC0415

    for plot in loaded.plots:
        if not plot.is_image:
            yield to_json(fill(plot, template_of(project, plot, args.template)).content)
            return


def _text(loaded: "Loaded") -> Iterator[str]:
    from fourfold.pipeline.plots.chart import BUILT_IN, chart  # noqa: PLC0415
    from fourfold.pipeline.plots.sparks import lines  # noqa: PLC0415

    for at, plot in enumerate(loaded.plots):
        if at:
            yield ""
        found = chart(plot, None if plot.template in BUILT_IN else "linear")
        if found is not None:
            yield from lines(found)
            continue
        yield plot.title
        yield from (f"  {one.rev}  {len(one.data):,} bytes" for one in plot.images)
        if not plot.images:
            yield "  nothing that can be drawn as text"


def _write(session: "Session", loaded: "Loaded", args: argparse.Namespace, formats: Sequence[str]) -> Outcome:
    import os  # noqa: PLC0415 - only here

    from fourfold.pipeline.plots.publish import folder, page_template, publish  # noqa: PLC0415

    project = session.project
    written = publish(
        project,
        loaded,
        folder(project, args.out),
        title=f"Plots of {os.path.basename(project.root) or 'a project'}",
        html=page_template(project, args.html_template),
        formats=formats,
        typed=args.template,
        events=session.sink,
    )
    _warn(
        session,
        [(f"'{name}' is not drawn: {error.message}", error.hint) for name, error in written.problems.items()],
    )
    address = _address(written.page)
    if args.open or project.config.get("plots", "auto_open"):
        _open(session, address)
    return Outcome(text=[address, *(session.display(path) for path in written.files)])


def _address(path: str) -> str:
    from urllib.parse import quote  # noqa: PLC0415 - only here

    return f"file://{quote(path)}"


def _open(session: "Session", address: str) -> None:
    import webbrowser  # noqa: PLC0415 - only here

    try:
        opened = webbrowser.open(address)
    except (OSError, webbrowser.Error):
        opened = False
    if not opened:
        session.warn("no browser could be opened", f"open this page in one: {address}")
