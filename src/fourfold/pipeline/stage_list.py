"""Stage list: what stages there are, each with one line about it."""

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import FourfoldError
from fourfold.pipeline.graph import Key, build_graph, key_of, postorder
from fourfold.project.files import load_tracked
from fourfold.project.outs import PIPELINE_FILE, Owner
from fourfold.project.status import address_from
from fourfold.project.targets import named_owners

if TYPE_CHECKING:
    from fourfold.project.project import Project

#: How long a line about a stage may be, in characters.
WIDTH = 80


class Listed(NamedTuple):
    """One stage or pointer file.

    Attributes:
        name: As it is called from where the user stands.
        owner: The stage or pointer file itself.
        about: The first line of its description, else what it makes or needs.
    """

    name: str
    owner: Owner
    about: str


class StageList(NamedTuple):
    """What `list_stages` found.

    Attributes:
        stages: In the order of the files, or of the targets.
        errors: Why files were left out.
    """

    stages: tuple[Listed, ...]
    errors: tuple[FourfoldError, ...] = ()


def list_stages(
    project: "Project",
    targets: Iterable[str] = (),
    *,
    everything: bool = False,
    recursive: bool = False,
    strict: bool = False,
) -> StageList:
    """The stages that the targets name, each once; by default those of the ``dvc.yaml`` at hand.

    Args:
        project: Whose.
        targets: Stages, groups of stages, pointer files, ``dvc.yaml`` files; folders with ``recursive``.
        everything: All stages and pointer files of the project, whatever the targets.
        recursive: A folder stands for the owners whose files lie below it, in the order in which they run.
        strict: Fail at the first file of the project that cannot be understood, instead of leaving it out.

    Raises:
        OwnerFileNotFoundError, BadOwnerNameError, StageNotFoundError: a target names nothing.
        InvalidFileError, UnsafePathError: a file that a target names cannot be understood.
        CycleError: the order of a folder was asked for, and stages wait for each other.
    """
    errors: tuple[FourfoldError, ...] = ()
    if everything:
        tracking = load_tracked(project, strict=strict)
        return StageList(_listed(project, tracking.owners), tracking.errors)
    found: dict[Key, Owner] = {}
    for target in list(targets) or [PIPELINE_FILE]:
        if recursive and os.path.isdir(project.absolute(target)):
            owners, errors = _below(project, project.absolute(target), strict=strict)
        else:
            owners = named_owners(project, target)
        for owner in owners:
            found.setdefault(key_of(owner), owner)
    return StageList(_listed(project, found.values()), errors)


def _below(project: "Project", folder: str, *, strict: bool) -> tuple[list[Owner], tuple[FourfoldError, ...]]:
    tracking = load_tracked(project, strict=strict)
    graph = build_graph(tracking)
    inside = folder.rstrip(os.sep) + os.sep
    return [owner for owner in graph.of(postorder(graph)) if owner.file.startswith(inside)], tracking.errors


def _listed(project: "Project", owners: Iterable[Owner]) -> tuple[Listed, ...]:
    return tuple(Listed(address_from(project, owner), owner, about(owner)) for owner in owners)


def about(owner: Owner) -> str:
    """One line about a stage, as DVC writes it."""
    text = next((line.strip() for line in (_desc(owner) or "").splitlines() if line), "")
    text = text or _summary(owner)
    return text if len(text) <= WIDTH else text[: WIDTH - 1] + "…"


def _desc(owner: Owner) -> str | None:
    return owner.pointer.desc if owner.pointer is not None else owner.desc


def _summary(owner: Owner) -> str:
    needs = [dep.path for dep in owner.deps]
    needs += [spec.file or "params.yaml" for spec in owner.params_wanted]
    if not owner.outs:
        return f"Depends on {', '.join(needs)}" if needs else "No outputs or dependencies"
    plain = [out.path for out in owner.outs if not (out.metric or out.plot)]
    shown = [out.path for out in owner.outs if out.metric or out.plot]
    parts = [f"Outputs {', '.join(plain)}"] if plain else []
    parts += [f"Reports {', '.join(shown)}"] if shown else []
    return "; ".join(parts)
