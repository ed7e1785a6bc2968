"""Metrics: what stages measured, now and at revisions, and how two moments differ."""

import posixpath
from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from fourfold.base.errors import FourfoldError
from fourfold.pipeline.compare import Differences, between
from fourfold.pipeline.moments import WORKSPACE, FileValue, Moment, Values, gather
from fourfold.project.scope import Scope

if TYPE_CHECKING:
    from fourfold.project.project import Project


def show(
    project: "Project",
    targets: Iterable[str] = (),
    *,
    stages: Iterable[str] = (),
    scope: Scope = Scope(),  # noqa: B008 - a value, never changed
    revs: Sequence[str] = (),
    keep_workspace: bool = False,
) -> dict[str, Values]:
    """The metrics at each moment, by the name of the revision; ``""`` when only the workspace is asked for.

    Args:
        project: Whose.
        targets: Files or folders from the project's root; by default every metric of stages and ``dvc.yaml``.
        stages: Only the metrics of these stages.
        scope: Branches, tags, commits.
        revs: Revisions by name; ``workspace`` is one.
        keep_workspace: Keep the workspace when it equals the branch that is checked out.

    Raises:
        NoHistoryError, UnknownRevisionError: a revision cannot be had.
    """
    wanted, chosen = list(targets), set(stages)

    def read(moment: Moment) -> dict[str, FileValue]:
        files = wanted or _declared(moment, chosen)
        return {path: _value(moment, path) for path in _expanded(moment, files)}

    return gather(project, read, scope=scope, revs=revs, keep_workspace=keep_workspace)


def _declared(moment: Moment, stages: set[str]) -> list[str]:
    outs = [
        out.relpath
        for out in moment.tracking.outs
        if out.output.metric and (not stages or out.owner.addressing in stages)
    ]
    if stages:
        return outs
    top = [
        posixpath.normpath(posixpath.join(posixpath.dirname(path), file))
        for path, pipeline in moment.pipelines().items()
        for file in pipeline.metrics
    ]
    return [*outs, *top]


def _expanded(moment: Moment, files: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(path for file in files for path in moment.expand(file)))


def _value(moment: Moment, path: str) -> FileValue:
    try:
        return FileValue(_measured(moment.value(path)) or {})
    except FourfoldError as error:
        return FileValue(error=error)


def _measured(value: Any) -> Any:
    """The numbers and texts of a document; lists and whatever else is there are no metrics."""
    if isinstance(value, int | float | str):
        return value
    if not isinstance(value, dict):
        return None
    kept = {key: _measured(item) for key, item in value.items()}
    return {key: item for key, item in kept.items() if item is not None and item != {}}


def diff(
    project: "Project",
    old: str = "HEAD",
    new: str = WORKSPACE,
    *,
    targets: Iterable[str] = (),
    unchanged: bool = False,
) -> Differences:
    """How the metrics of two moments differ; see `compare.compare`.

    Args:
        project: Whose.
        old: A revision, or ``workspace``.
        new: Likewise.
        targets: As `show`.
        unchanged: Tell what is equal too.

    Raises:
        NoHistoryError, UnknownRevisionError: a revision cannot be had.
    """
    return between(project, partial(show, project, list(targets)), old, new, unchanged=unchanged)
