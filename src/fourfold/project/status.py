"""Status: which pointer files and stages differ from what they record, and how.

Read-only: takes no lock, writes nothing but the stat index. The remote half is `remote_status`.
"""

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from fourfold.base.events import Sink, silent
from fourfold.formats.dvc.pointer import is_external
from fourfold.project.changes import UPDATE_AVAILABLE, Change, Examiner
from fourfold.project.outs import PIPELINE_FILE, Owner
from fourfold.project.targets import select

if TYPE_CHECKING:
    from fourfold.project.project import Project


class OwnerStatus(NamedTuple):
    """One owner that is not what it records.

    Attributes:
        name: As DVC addresses it from where the user stands.
        owner: The pointer file or stage.
        changes: The reasons, at least one.
    """

    name: str
    owner: Owner
    changes: tuple[Change, ...]


class Status(NamedTuple):
    """The state of the workspace.

    Attributes:
        changed: Owners that differ.
        total: How many owners were looked at.
        stages: The stages among them.
    """

    changed: tuple[OwnerStatus, ...]
    total: int
    stages: tuple[Owner, ...] = ()


def status(
    project: "Project",
    targets: Iterable[str] = (),
    *,
    recursive: bool = False,
    with_deps: bool = False,
    check_updates: bool = True,
    events: Sink = silent,
) -> Status:
    """Compare the workspace with what its pointer files and lock files record.

    Args:
        project: Whose.
        targets: As typed; none stands for everything.
        recursive: Folders stand for what lies below.
        with_deps: Also what the targets depend on.
        check_updates: Ask the sources of imports for news.
        events: Hears the hashing, and which sources could not be asked.

    Raises:
        TargetNotFoundError: a target names nothing.
        FourfoldError: a file that had to be read is broken, hostile or unreadable.
    """
    selected = select(project, targets, recursive=recursive, with_deps=with_deps)
    examiner = Examiner(project, events)
    examiner.foresee(item.owner for item in selected)
    changed = []
    imports = [item.owner for item in selected if item.owner.is_import]
    told = _news(project, imports, check_updates=check_updates, events=events) if imports else {}
    for item in selected:
        changes = examiner.changes(item.owner, item.outs, item.inner)
        if item.owner.file in told:
            changes.insert(0, told[item.owner.file])
        if changes:
            changed.append(OwnerStatus(address_from(project, item.owner), item.owner, tuple(changes)))
    stages = tuple([item.owner for item in selected if item.owner.is_stage])
    return Status(tuple(changed), len(selected), stages)


def _news(
    project: "Project", imports: Iterable[Owner], *, check_updates: bool, events: Sink
) -> dict[str, Change]:
    from fourfold.project.updates import news  # noqa: PLC0415 - most projects have no imports

    return news(project, imports, check_updates=check_updates, events=events)


def address_from(project: "Project", owner: Owner) -> str:
    """An owner's name as DVC gives it from where the user stands."""
    file = project.display(owner.file)
    if owner.name is None:
        return file
    return owner.name if file == PIPELINE_FILE else f"{file}:{owner.name}"


def as_dvc(project: "Project", result: Status) -> dict[str, list[Any]]:
    """The result in the shape of ``dvc status --json``."""
    return {entry.name: _entry(project, entry) for entry in result.changed}


def _shown(project: "Project", wdir: str, change: Change) -> str:
    """A path as DVC shows it: from where the user stands, unless it is a URL or outside of the project."""
    if change.state == UPDATE_AVAILABLE or is_external(change.path) or os.path.isabs(change.path):
        return change.path
    path = os.path.normpath(os.path.join(wdir, change.path))
    return project.display(path) if project.contains(path) else path


def _entry(project: "Project", entry: OwnerStatus) -> list[Any]:
    deps: dict[str, Any] = {}
    outs: dict[str, Any] = {}
    rest: list[str] = []
    wdir = entry.owner.wdir
    for change in entry.changes:
        shown = _shown(project, wdir, change)
        if change.kind == "dependency":
            deps[shown] = change.state
        elif change.kind == "parameter":
            if change.key:
                keys = deps.setdefault(shown, {})
                keys[change.key] = change.state
            else:
                deps[shown] = change.state
        elif change.kind == "output":
            outs[shown] = change.state
        else:
            rest.append(
                {"always": "always changed", "command": "changed command"}.get(
                    change.kind, "changed checksum"
                )
            )
    lines: list[Any] = []
    if deps:
        lines.append({"changed deps": deps})
    if outs:
        lines.append({"changed outs": outs})
    return lines + rest
