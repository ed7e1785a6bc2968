"""Which plots a moment has, and how each is to be drawn: from ``dvc.yaml`` and from the outputs of stages.

Facts (DVC 3.67.1): a plot at the top of a ``dvc.yaml`` is a file, a folder (each file in it is a plot), or
a name whose ``y`` says where the data is; an output of a stage that is marked as a plot is one too. Paths
are told relative to where the user stands. The same identity in two files is told apart by
``<dvc.yaml>::<identity>``. A target is a regular expression for the beginning of an identity, or a file.
Nothing is read here but the names of files.
"""

import os
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from fourfold.pipeline.moments import Moment

if TYPE_CHECKING:
    from fourfold.project.project import Project

#: What may be said about how a plot is drawn.
PROPERTIES = ("template", "x", "y", "x_label", "y_label", "title", "header")

Props = Mapping[str, Any]


class Definition(NamedTuple):
    """One plot of one moment.

    Attributes:
        name: As it was defined: a path from where the user stands, or a name.
        props: How it is to be drawn; ``x`` and ``y`` may be mappings of files to fields.
    """

    name: str
    props: Props


class Names:
    """Paths as users see them, from where they stand, and as the project knows them, from its root."""

    def __init__(self, project: "Project") -> None:
        self._project = project
        self._here = "/" + project.relpath(project.cwd) if project.cwd != project.root else "/"

    def shown(self, path: str) -> str:
        """A path from the root, as a path from where the user stands."""
        return posixpath.relpath("/" + path, self._here)

    def shown_folder(self, path: str) -> str:
        """A folder by its absolute path, from where the user stands."""
        return self.shown(self._project.relpath(path)) if path != self._project.root else self.shown("")

    def rooted(self, path: str) -> str:
        """A path from where the user stands, as a path from the root; it never leads above the root."""
        return posixpath.normpath(posixpath.join(self._here, path)).lstrip("/")

    def typed(self, target: str) -> str:
        """A target as typed, in the form of an identity."""
        if os.path.isabs(target):
            return self.shown(self._project.relpath(target))
        return posixpath.normpath(target) if target.startswith("./") else target.replace(os.sep, "/")


def definitions(
    moment: Moment, names: Names, targets: Sequence[str] = (), overrides: Props | None = None
) -> dict[str, Definition]:
    """The plots of a moment, by identity, in DVC's order.

    Args:
        moment: Of which.
        names: From where the user looks.
        targets: As typed; by default every plot.
        overrides: What the user says about all of them.
    """
    props = overrides or {}
    wanted = [names.typed(target) for target in targets]
    files: dict[str, dict[str, dict[str, Any]]] = {}
    for path, pipeline in moment.pipelines().items():
        if pipeline.plots:
            shown = names.shown(path)
            files[shown] = dict(_at_the_top(moment, names, shown, pipeline.plots, wanted, props))
    outputs: dict[str, dict[str, Any]] = {}
    for name, found in _of_outputs(moment, names, wanted, props):
        outputs.setdefault(name, {}).update(found)
    if outputs:
        files[""] = outputs
    for target in wanted:
        rooted = names.rooted(target)
        if not files or _exists(moment, rooted):
            for name in _unpacked(moment, names, target):
                files.setdefault("", {}).setdefault(name, {}).update(props)
    return _identified(files)


def _identified(files: Mapping[str, Mapping[str, dict[str, Any]]]) -> dict[str, Definition]:
    """Names as identities: with the file before them where two files have the same."""
    owners: dict[str, list[str]] = {}
    for file, plots in files.items():
        for name in plots:
            owners.setdefault(name, []).append(file)
    return {
        _full(name, file if len(found) > 1 else ""): Definition(name, files[file][name])
        for name, found in owners.items()
        for file in found
    }


def _full(name: str, file: str) -> str:
    return f"{file}::{name}" if file else name


def _wanted(targets: Sequence[str], file: str, name: str) -> bool:
    return not targets or any(
        _begins(target, name) or _begins(target, _full(name, file)) for target in targets
    )


def _begins(pattern: str, text: str) -> bool:
    try:
        return re.match(pattern, text) is not None
    except re.error:
        return text.startswith(pattern)


def _at_the_top(
    moment: Moment,
    names: Names,
    file: str,
    entries: Iterable[str | Mapping[str, Any]],
    targets: Sequence[str],
    overrides: Props,
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The plots that one ``dvc.yaml`` lists beside its stages."""
    folder = posixpath.dirname(file)
    listed: dict[str, Props] = {}
    for entry in entries:
        if isinstance(entry, str):
            listed[entry] = {}
        else:
            listed.update({name: props or {} for name, props in entry.items()})
    parents = [posixpath.normpath(posixpath.join(folder, name)) for name in listed]
    for name, props in listed.items():
        if not _wanted(targets, file, name):
            continue
        if isinstance(props.get("y"), Mapping):
            yield name, {**_from_folder(props, folder), **overrides}
            continue
        path = posixpath.normpath(posixpath.join(folder, name))
        for inner in _unpacked(moment, names, path):
            if _closest(inner, parents) == path:
                yield inner, {**props, **overrides}


def _from_folder(props: Props, folder: str) -> dict[str, Any]:
    """The files of both axes, which are written relative to their ``dvc.yaml``."""
    return {
        key: {posixpath.normpath(posixpath.join(folder, file)): field for file, field in value.items()}
        if key in {"x", "y"} and isinstance(value, Mapping)
        else value
        for key, value in props.items()
    }


def _closest(path: str, parents: Iterable[str]) -> str:
    """The longest of the parents that a path is, or lies in."""
    return max(
        (parent for parent in parents if path == parent or path.startswith(parent + "/")), key=len, default=""
    )


def _of_outputs(
    moment: Moment, names: Names, targets: Sequence[str], overrides: Props
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The outputs of stages that are plots."""
    for out in moment.tracking.outs:
        if not out.output.plot:
            continue
        path = posixpath.normpath(posixpath.join(names.shown_folder(out.wdir), out.output.path))
        if _wanted(targets, names.shown(out.owner.relpath), names.shown(out.relpath)):
            props = output_props(out.output.plot)
            for name in _unpacked(moment, names, path):
                yield name, {**props, **overrides}


def output_props(flag: object) -> dict[str, Any]:
    """What the entry of an output says about its plot."""
    if not isinstance(flag, Mapping):
        return {}
    return {key: flag[key] for key in PROPERTIES if key in flag}


def _unpacked(moment: Moment, names: Names, path: str) -> list[str]:
    """A file as it is, a folder as the files below it; paths from where the user stands."""
    rooted = names.rooted(path)
    below = _below(moment, rooted)
    return [path + one[len(rooted) :] for one in below] if below is not None else [path]


def _exists(moment: Moment, path: str) -> bool:
    return _below(moment, path) is not None or moment.has(path)


def _below(moment: Moment, path: str) -> list[str] | None:
    """The files below a folder, of the workspace or of Git and of the outputs in it; None when it is none."""
    if not path:
        return None
    found = set(moment.expand(path)) - {path}
    for out in moment.tracking.outs:
        if out.relpath.startswith(path + "/"):
            found.update(moment.expand(out.relpath))
    kept = sorted(one for one in found if not {".git", ".dvc"} & set(one.split("/")))
    return kept or None


def sources(definition: Definition) -> list[str]:
    """The files that a plot reads, as written in its definition."""
    x, y = definition.props.get("x"), definition.props.get("y")
    found = list(y) if isinstance(y, Mapping) else [definition.name]
    if isinstance(x, Mapping) and x:
        found.append(next(iter(x)))
    return list(dict.fromkeys(found))
