"""The plots of one or more moments, each as one value with the rows or pictures of every moment.

`load` is the verb: it reads from the workspace, from Git or from the cache, checks nothing out, and turns
whatever cannot be read into an error of that plot at that moment. Rows are DVC's (`data`); nothing is drawn
here.
"""

import posixpath
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from fourfold.base.errors import FourfoldError, UsageError
from fourfold.base.events import Sink, silent
from fourfold.pipeline.moments import WORKSPACE, Moment
from fourfold.pipeline.plots.data import Row, convert, is_image, parse
from fourfold.pipeline.plots.definitions import (
    Definition,
    Names,
    Props,
    definitions,
    output_props,
    sources,
)
from fourfold.project.files import load_tracked
from fourfold.project.revisions import Parsed, load_revision
from fourfold.project.scope import NoHistoryError

if TYPE_CHECKING:
    from fourfold.project.project import Project
    from fourfold.scm.git import Git

DEFAULT_TEMPLATE = "linear"


class Picture(NamedTuple):
    """An image at one moment.

    Attributes:
        rev: The name of the moment.
        file: Its path, from where the user stands.
        data: Its bytes.
    """

    rev: str
    file: str
    data: bytes


class Plot(NamedTuple):
    """One plot, at all moments asked for.

    Attributes:
        id: A path from where the user stands, or a name; before it ``<dvc.yaml>::`` where two have the same.
        title: What stands above it.
        template: The name or path of its template; DVC's default is ``linear``.
        props: How it is drawn: ``x`` and ``y`` are columns of the rows, ``x_label`` and ``y_label`` texts.
        asked: The names of all moments, the workspace first.
        revs: Those that have rows or a picture, in the same order.
        rows: Of all moments, each with ``rev``, ``filename`` and ``field``, as DVC has them.
        ys: File (shortened) and column of each series.
        images: The pictures, when it is one.
        source_errors: By moment and file: what could not be read.
        definition_errors: By moment: why what was read is no plot.
    """

    id: str
    title: str
    template: str = DEFAULT_TEMPLATE
    props: Mapping[str, Any] = {}
    asked: tuple[str, ...] = ()
    revs: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    ys: tuple[tuple[str, str], ...] = ()
    images: tuple[Picture, ...] = ()
    source_errors: Mapping[str, Mapping[str, FourfoldError]] = {}
    definition_errors: Mapping[str, FourfoldError] = {}

    @property
    def is_image(self) -> bool:
        """Whether it shows pictures, not data."""
        return is_image(self.id)

    def rows_of(self, rev: str) -> list[Row]:
        """The rows of one moment."""
        return [row for row in self.rows if row.get("rev") == rev]

    def errors(self) -> list[tuple[str, FourfoldError]]:
        """What could not be shown, with the name of the moment."""
        found = [(rev, error) for rev, files in self.source_errors.items() for error in files.values()]
        return [*found, *self.definition_errors.items()]


class Loaded(NamedTuple):
    """All plots, and the moments that could not be loaded at all.

    Attributes:
        plots: In DVC's order.
        errors: By the name of the moment.
    """

    plots: tuple[Plot, ...]
    errors: Mapping[str, FourfoldError] = {}


class _Found(NamedTuple):
    """One moment: its plots, and what their files hold or why that is not known."""

    plots: dict[str, Definition]
    contents: dict[str, Any]
    errors: dict[str, FourfoldError]


def collect(
    project: "Project",
    targets: Sequence[str] = (),
    *,
    revs: Sequence[str] = (),
    props: Props | None = None,
    events: Sink = silent,
) -> tuple[Plot, ...]:
    """The plots of `load`, without the errors of whole moments."""
    return load(project, targets, revs=revs, props=props, events=events).plots


def load(
    project: "Project",
    targets: Sequence[str] = (),
    *,
    revs: Sequence[str] = (),
    props: Props | None = None,
    events: Sink = silent,
) -> Loaded:
    """The plots of the workspace, or of revisions.

    Args:
        project: Whose; paths are told relative to ``project.cwd``.
        targets: Beginnings of identities (regular expressions), or files; by default every plot.
        revs: Revisions; ``workspace`` is one and comes first; by default it alone.
        props: How all of them are to be drawn, whatever their definitions say.
        events: Hears which moment is read.

    Raises:
        NoRevisionsError, UnknownRevisionError: a revision cannot be had.
    """
    names = Names(project)
    asked = _ordered(revs)
    found: dict[str, _Found] = {}
    errors: dict[str, FourfoldError] = {}
    parsed: Parsed = {}
    commits = {rev: _resolve(project, rev) for rev in asked if rev != WORKSPACE}
    for rev in asked:
        try:
            moment = _moment(project, commits.get(rev), parsed)
            found[rev] = _read(moment, names, definitions(moment, names, targets, props), props or {})
        except FourfoldError as error:
            errors[rev] = error
    del events  # what is read is small; the phases of a moment tell themselves
    return Loaded(tuple(_joined(found, asked)), errors)


def compared(project: "Project", revs: Sequence[str], *, experiment: bool = False) -> tuple[str, ...] | None:
    """The moments that ``plots diff`` compares; None when there is no commit to compare with.

    One revision is compared with the workspace (an experiment with its baseline, and that); without any, HEAD
    is, when a tracked file changed.

    Raises:
        NoHistoryError: there is no Git repository.
        UnknownRevisionError: a revision cannot be had.
    """
    git = project.git
    if git is None:
        raise NoHistoryError("there is nothing to compare with: the project is not in a Git repository")
    if git.head() is None:
        return None
    found = list(revs)
    if experiment and len(found) == 1:
        found += _baseline(git, found[0])
    if len(found) <= 1:
        if not found and git.is_dirty():
            found.append("HEAD")
        found.append(WORKSPACE)
    return tuple(found)


def _baseline(git: "Git", rev: str) -> list[str]:
    """The commit that an experiment began from, abbreviated as DVC does; nothing when it is none."""
    commit = git.resolve(rev)
    for ref in git.refs("refs/exps/"):
        parts = ref.removeprefix("refs/exps/").split("/")
        if len(parts) == 3 and len(parts[0] + parts[1]) == 40 and git.resolve(ref) == commit:
            return [parts[0] + parts[1][:5]]
    return []


def _ordered(revs: Sequence[str]) -> tuple[str, ...]:
    once = tuple(dict.fromkeys(revs)) or (WORKSPACE,)
    return (WORKSPACE, *(rev for rev in once if rev != WORKSPACE)) if WORKSPACE in once else once


def _resolve(project: "Project", rev: str) -> str:
    if project.git is None:
        load_revision(project, rev)  # says that there is no Git
        raise UsageError(f"there is no revision '{rev}'")
    return project.git.resolve(rev)


def _moment(project: "Project", commit: str | None, parsed: Parsed) -> Moment:
    if commit is None:
        return Moment(project, load_tracked(project))
    return Moment(project, load_revision(project, commit, parsed=parsed))


def _read(moment: Moment, names: Names, plots: dict[str, Definition], overrides: Props) -> _Found:
    """Read every file that the plots of a moment name, once."""
    headers = {
        out.relpath: output_props(out.output.plot).get("header", True)
        for out in moment.tracking.outs
        if out.output.plot
    }
    contents: dict[str, Any] = {}
    errors: dict[str, FourfoldError] = {}
    for file in dict.fromkeys(file for definition in plots.values() for file in sources(definition)):
        path = names.rooted(file)
        try:
            data = moment.read(path)
            header = overrides.get("header", headers.get(path, True))
            contents[file] = data if is_image(path) else parse(data, file, header=header)
        except FourfoldError as error:
            errors[file] = error
    return _Found(plots, contents, errors)


def _joined(found: Mapping[str, _Found], asked: tuple[str, ...]) -> Iterable[Plot]:
    """One plot for each identity, in the order in which the moments have them."""
    groups: dict[str, list[str]] = {}
    for rev, moment in found.items():
        for identity in moment.plots:
            groups.setdefault(identity, []).append(rev)
    for identity, revs in groups.items():
        props: dict[str, Any] = {}
        for rev in reversed(revs):
            props |= found[rev].plots[identity].props
        name = found[revs[-1]].plots[identity].name
        join = _image if is_image(name) else _series
        yield join(identity, props, asked, {rev: found[rev] for rev in revs})


def _source_errors(identity: str, moments: Mapping[str, _Found]) -> dict[str, dict[str, FourfoldError]]:
    found = {
        rev: {file: moment.errors[file] for file in sources(moment.plots[identity]) if file in moment.errors}
        for rev, moment in moments.items()
    }
    return {rev: errors for rev, errors in found.items() if errors}


def _image(
    identity: str, props: dict[str, Any], asked: tuple[str, ...], moments: Mapping[str, _Found]
) -> Plot:
    pictures = []
    name = identity
    for rev, moment in moments.items():
        name = moment.plots[identity].name
        pictures += [
            Picture(rev, file, moment.contents[file])
            for file in sources(moment.plots[identity])
            if moment.contents.get(file)
        ]
    return Plot(
        name,
        str(props.get("title") or name),
        props=props,
        asked=asked,
        revs=tuple(dict.fromkeys(picture.rev for picture in pictures)),
        images=tuple(pictures),
        source_errors=_source_errors(identity, moments),
    )


def _series(
    identity: str, props: dict[str, Any], asked: tuple[str, ...], moments: Mapping[str, _Found]
) -> Plot:
    rows: list[Row] = []
    revs: list[str] = []
    full: dict[str, Any] = {}
    ys: tuple[tuple[str, str], ...] = ()
    errors: dict[str, FourfoldError] = {}
    for rev, moment in moments.items():
        definition = moment.plots[identity]
        contents = {file: moment.contents[file] for file in sources(definition) if moment.contents.get(file)}
        try:
            converted = convert(definition.name, contents, props, rev)
        except FourfoldError as error:
            errors[rev] = error
            continue
        if converted.rows:
            revs.append(rev)
            rows += converted.rows
            if not full:
                full, ys = converted.props, converted.ys
    full = full or props
    return Plot(
        identity,
        str(full.get("title", identity)),
        template=str(full.get("template") or DEFAULT_TEMPLATE),
        props=full,
        asked=asked,
        revs=tuple(revs),
        rows=tuple(rows),
        ys=ys,
        source_errors=_source_errors(identity, moments),
        definition_errors=errors,
    )


def folder_of(plot: Plot) -> str:
    """The folder of a picture: those of one folder stand beside each other."""
    return posixpath.dirname(plot.id)
