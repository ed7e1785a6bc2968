"""The plan: which owners a run has to look at, in which order, and why one of them has to run.

What differs is found by `project.changes`; what of it counts for a run is decided here, as DVC decides it.
"""

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from fourfold.pipeline.graph import Graph, Key, active, component, key_of, postorder, reach
from fourfold.project.changes import DELETED, NOT_IN_CACHE, Change, Examiner
from fourfold.project.files import load_file
from fourfold.project.outs import PIPELINE_FILE, Owner, Tracked
from fourfold.project.targets import GlobMatchesNothingError, StageNotFoundError, named_owners, parse_target

if TYPE_CHECKING:
    from fourfold.project.project import Project


def choose(
    project: "Project",
    targets: Iterable[str],
    owners: Iterable[Owner],
    *,
    recursive: bool = False,
    glob: bool = False,
) -> list[Owner]:
    """The owners that the targets of a run name, each once.

    Args:
        project: Whose.
        targets: As typed; none stands for the ``dvc.yaml`` at hand.
        owners: All owners of the project.
        recursive: A target that is a folder stands for the owners whose files lie below it.
        glob: Targets are patterns for names of stages.

    Raises:
        OwnerFileNotFoundError, BadOwnerNameError, StageNotFoundError: a target names nothing.
        GlobMatchesNothingError: a pattern matches no stage.
    """
    everything = list(owners)
    chosen: dict[Key, Owner] = {}
    for target in list(targets) or [PIPELINE_FILE]:
        path = project.absolute(target)
        if recursive and os.path.isdir(path):
            inside = path + os.sep
            found = [owner for owner in everything if owner.file.startswith(inside)]
            if not found:
                raise StageNotFoundError(f"there is no stage below '{target}'")
        elif glob:
            found = _matching(project, target)
        else:
            found = named_owners(project, target)
        chosen.update((key_of(owner), owner) for owner in found)
    return list(chosen.values())


def _matching(project: "Project", pattern: str) -> list[Owner]:
    from fnmatch import fnmatch  # noqa: PLC0415 - only --glob needs it

    file, name = parse_target(pattern)
    path = project.absolute(file or PIPELINE_FILE)
    found = [owner for owner in load_file(project, path) if fnmatch(owner.name or "", name or "*")]
    if not found:
        raise GlobMatchesNothingError(
            f"no stage of '{project.display(path)}' matches '{pattern}'",
            hint="quote patterns for the shell: 'train-*'",
        )
    return found


def steps(
    graph: Graph,
    chosen: Sequence[Owner],
    *,
    single_item: bool = False,
    pipeline: bool = False,
    downstream: bool = False,
) -> list[Owner]:
    """The owners to look at, in order.

    Args:
        graph: Of the project.
        chosen: What the targets name; empty stands for everything.
        single_item: Only these, in the order in which they were named.
        pipeline: Everything connected with them.
        downstream: They and what depends on them, instead of what they depend on.
    """
    if single_item:
        return list(chosen)
    keys = [key_of(owner) for owner in chosen]
    live = active(graph)
    if not keys:
        within = None
    elif pipeline:
        within = component(live, keys)
    else:
        within = reach(live.users if downstream else live.makers, keys)
    return [graph.owners[key] for key in postorder(live, within)]


def reasons(
    examiner: Examiner,
    owner: Owner,
    outs: Iterable[Tracked],
    *,
    allow_missing: bool = False,
    upstream: Sequence[Owner] = (),
) -> list[Change]:
    """Why an owner has to run; nothing when it has not.

    Args:
        examiner: Looks at the workspace.
        owner: The owner, with what it records now.
        outs: Its outputs.
        allow_missing: Data that is not there is no reason, unless it was made anew upstream.
        upstream: What it depends on directly, with what that records now.
    """
    found = []
    for change in examiner.changes(owner, outs):
        if change.kind == "always" and owner.frozen:
            continue
        if allow_missing and change.kind == "output" and change.state in {NOT_IN_CACHE, DELETED}:
            continue
        if allow_missing and _is_mere_absence(change, owner, upstream):
            continue
        found.append(change)
    return found


def _is_mere_absence(change: Change, owner: Owner, upstream: Sequence[Owner]) -> bool:
    if change.state != DELETED or change.kind not in {"dependency", "parameter"} or change.key:
        return False
    path = os.path.normpath(os.path.join(owner.wdir, change.path))
    return not any(
        os.path.normpath(os.path.join(maker.wdir, out.path)) == path and out.oid != change.old
        for maker in upstream
        for out in maker.outs
    )
