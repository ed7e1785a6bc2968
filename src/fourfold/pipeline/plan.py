"""The plan: which owners a run has to look at, in which order, and why one of them has to run.

What differs is found by `project.changes`; what of it counts for a run is decided here, as DVC decides it.
"""

import os
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from fourfold.base.errors import UnsupportedError
from fourfold.pipeline.graph import Graph, Key, active, component, key_of, postorder, reach
from fourfold.project.changes import DELETED, NOT_IN_CACHE, Change, Examiner
from fourfold.project.files import OwnerFileNotFoundError, load_file, read_owner_file
from fourfold.project.outs import PIPELINE_FILE, Owner, Tracked
from fourfold.project.targets import GlobMatchesNothingError, StageNotFoundError, named_owners, parse_target

if TYPE_CHECKING:
    from fourfold.formats.dvc.stages import StageSpec
    from fourfold.project.project import Project

_TEMPLATE = re.compile(r"\$\{[^}]*\}")


class TemplatedRunError(UnsupportedError):
    """A stage has to be resolved before it can run, and this version does not resolve templates."""

    code = "templated-stage-run"


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
        TemplatedRunError: a target names a stage that comes from a template.
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
            refuse_templates(project, target)
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


def refuse_templates(project: "Project", target: str) -> None:
    """Refuse a target that names a stage with ``foreach``, ``matrix``, ``vars`` or ``${...}``.

    Raises:
        TemplatedRunError: it does; the stage and its line are named.
        OwnerFileNotFoundError: the ``dvc.yaml`` is not there.
    """
    file, name = parse_target(target)
    path = project.absolute(file or PIPELINE_FILE)
    if os.path.basename(path) != PIPELINE_FILE or not project.contains(path):
        return
    data = read_owner_file(project.root, path)
    if data is None:
        if not name:
            raise OwnerFileNotFoundError(
                f"'{project.display(path)}' does not exist",
                hint="write the pipeline's stages into it; a stage of another file is: dir/dvc.yaml:stage",
            )
        return
    _refuse_in(data, project.display(path), None if name is None else name.partition("@")[0])


def refuse_templated(project: "Project", owners: Iterable[Owner]) -> None:
    """Refuse owners that come from templates.

    Raises:
        TemplatedRunError: one of them does; the stage and its line are named.
    """
    by_file: dict[str, set[str]] = {}
    for owner in owners:
        if owner.name is not None:
            by_file.setdefault(owner.file, set()).add(owner.name.partition("@")[0])
    for path, names in by_file.items():
        data = read_owner_file(project.root, path) or b""
        for name in sorted(names):
            _refuse_in(data, project.display(path), name)


def refuse_unresolved(project: "Project", pipelines: Iterable[str], owners: Sequence[Owner] | None) -> None:
    """Refuse to leave out, in silence, templated stages that never ran and are therefore unknown.

    Args:
        project: Whose.
        pipelines: Paths of all ``dvc.yaml`` files from the root.
        owners: What is about to run; only a template that may make what these need is refused. None
            stands for everything: any template is refused.

    Raises:
        TemplatedRunError: there is one; the stage and its line are named.
    """
    from fourfold.formats.dvc import stages  # noqa: PLC0415 - status never comes here

    needed = None
    if owners is not None:
        paths = (os.path.join(owner.wdir, dep.path) for owner in owners for dep in owner.deps)
        needed = "\n".join(project.relpath(os.path.normpath(path)) for path in paths)
    for relpath in pipelines:
        path = os.path.join(project.root, relpath)
        data = read_owner_file(project.root, path) or b""
        for spec in stages.parse(data, project.display(path)).stages.values():
            if spec.templated and (needed is None or _may_make(spec, needed)):
                _refuse_in(data, project.display(path), spec.name)


def _may_make(spec: "StageSpec", needed: str) -> bool:
    """Whether an output of a template can have one of the paths, one a line."""
    from fourfold.formats.dvc.stages import parse_stage  # noqa: PLC0415 - as above

    shape = parse_stage(spec.name, spec.raw["do"], ()) if "do" in spec.raw else spec
    for out in shape.outs:
        literal = [re.escape(part) for part in _TEMPLATE.split(os.path.normpath(out.path))]
        if re.search(f"(?:^|/){'.*'.join(literal)}(?:/|$)", needed, re.MULTILINE):
            return True
    return False


def _refuse_in(data: bytes, shown: str, name: str | None) -> None:
    from fourfold.formats.dvc import stages  # noqa: PLC0415 - status never comes here

    for spec in stages.parse(data, shown).stages.values():
        if spec.templated and name in {None, spec.name}:
            line = stages.line_of(data, spec.name, shown)
            raise TemplatedRunError(
                f"{shown}:{line}: stage '{spec.name}' is a template (foreach, matrix, vars or ${{...}}), "
                "and running those is not supported yet",
                hint="write the stage out in full, or run it with dvc: its results are read as they are",
            )


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
