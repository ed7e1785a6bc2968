"""Parameters: what stages are run with, now and at revisions, and how two moments differ."""

import os
import posixpath
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from fourfold.base.errors import FourfoldError
from fourfold.formats.dvc.lock import DEFAULT_PARAMS
from fourfold.pipeline.compare import Differences, between
from fourfold.pipeline.moments import WORKSPACE, FileValue, Moment, Values, gather
from fourfold.project.scope import Scope

if TYPE_CHECKING:
    from fourfold.project.outs import Owner
    from fourfold.project.project import Project

#: Keys to show of each file; none for all of it.
Wanted = dict[str, list[str]]


def show(
    project: "Project",
    targets: Iterable[str] = (),
    *,
    stages: Iterable[str] = (),
    deps_only: bool = False,
    scope: Scope = Scope(),  # noqa: B008 - a value, never changed
    revs: Sequence[str] = (),
    keep_workspace: bool = False,
) -> dict[str, Values]:
    """The parameters at each moment, by its name; ``""`` when only the workspace is asked for.

    Args:
        project: Whose.
        targets: Files from the project's root; by default those of the stages, those that ``dvc.yaml`` lists,
            and ``params.yaml``.
        stages: Only what these stages depend on.
        deps_only: Only what stages depend on.
        scope: Branches, tags, commits.
        revs: Revisions by name; ``workspace`` is one.
        keep_workspace: Keep the workspace when it equals the branch that is checked out.

    Raises:
        NoHistoryError, UnknownRevisionError: a revision cannot be had.
    """
    named: Wanted = {target: [] for target in targets}
    chosen = set(stages)

    def read(moment: Moment) -> dict[str, FileValue]:
        parts = [named] if named else []
        if chosen or not named:
            parts.append(_declared(project, moment, chosen, deps_only=deps_only))
        files = {path: keys for file, keys in _merged(parts).items() for path in moment.expand(file)}
        values = {path: _value(moment, path, keys) for path, keys in files.items()}
        if not named and not chosen:
            for path, used in _of_templates(project, moment).items():
                values.setdefault(path, FileValue(used))
        return values

    return gather(project, read, scope=scope, revs=revs, keep_workspace=keep_workspace)


def _declared(project: "Project", moment: Moment, stages: set[str], *, deps_only: bool) -> Wanted:
    parts = [
        wanted
        for owner in moment.tracking.owners
        if owner.is_stage and (not stages or owner.addressing in stages)
        for wanted in _of_stage(project, owner)
    ]
    if not stages and not deps_only:
        parts += [
            {posixpath.normpath(posixpath.join(posixpath.dirname(path), file)): []}
            for path, pipeline in moment.pipelines().items()
            for file in pipeline.params
        ]
        if moment.has(DEFAULT_PARAMS):
            parts.append({DEFAULT_PARAMS: []})
    return _merged(parts)


def _of_stage(project: "Project", owner: "Owner") -> Iterable[Wanted]:
    for spec in owner.params_wanted:
        path = os.path.normpath(os.path.join(owner.wdir, spec.file or DEFAULT_PARAMS))
        yield {project.relpath(path): list(spec.keys or ())}


def _of_templates(project: "Project", moment: Moment) -> dict[str, dict[str, Any]]:
    """The values that templates of stages took from files, by dotted name; DVC shows them as parameters."""
    found: dict[str, dict[str, Any]] = {}
    for owner in moment.tracking.owners:
        for path, values in owner.variables.items():
            found.setdefault(project.relpath(path), {}).update(values)
    return found


def _merged(parts: Iterable[Wanted]) -> Wanted:
    """All keys of each file together; a file that is wanted whole once is wanted whole."""
    found: Wanted = {}
    for part in parts:
        for file, keys in part.items():
            known = found.get(file)
            if known is None:
                found[file] = list(keys)
            elif not known or not keys:
                found[file] = []
            else:
                known += [key for key in keys if key not in known]
    return found


def _value(moment: Moment, path: str, keys: Sequence[str]) -> FileValue:
    try:
        values = moment.value(path)
    except FourfoldError as error:
        return FileValue(error=error)
    if not keys:
        return FileValue(values)
    picked: dict[str, Any] = {}
    for key in keys:
        _pick(values, key.split("."), picked)
    return FileValue(picked)


def _pick(values: Any, parts: Sequence[str], into: dict[str, Any]) -> None:
    """Copy the value at a dotted key, with the mappings around it; what is not there is left out."""
    at, trail = values, []
    for part in parts:
        if isinstance(at, Mapping) and part in at:
            at = at[part]
        elif isinstance(at, list | tuple) and part.isdigit() and int(part) < len(at):
            at = at[int(part)]
        else:
            return
        trail.append(part)
    for part in trail[:-1]:
        inner = into.setdefault(part, {})
        if not isinstance(inner, dict):
            return
        into = inner
    last = trail[-1]
    known = into.get(last)
    into[last] = {**known, **at} if isinstance(known, dict) and isinstance(at, Mapping) else at


def diff(
    project: "Project",
    old: str = "HEAD",
    new: str = WORKSPACE,
    *,
    targets: Iterable[str] = (),
    deps_only: bool = False,
    unchanged: bool = False,
) -> Differences:
    """How the parameters of two moments differ; see `compare.compare`.

    Args:
        project: Whose.
        old: A revision, or ``workspace``.
        new: Likewise.
        targets: As `show`.
        deps_only: As `show`.
        unchanged: Tell what is equal too.

    Raises:
        NoHistoryError, UnknownRevisionError: a revision cannot be had.
    """
    asked = partial(show, project, list(targets), deps_only=deps_only)
    return between(project, asked, old, new, unchanged=unchanged)
