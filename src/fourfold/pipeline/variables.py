"""Environment variables that stages depend on: whether one has another value than when its stage last ran.

What a stage declares stands below ``meta: fourfold: env:``, the keyed hash of what a run had in
``fourfold.lock``. Values are never told; a hash by another key tells nothing, and is no reason to run.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from fourfold.project.changes import MODIFIED, NEW, Change
from fourfold.project.outs import Owner

if TYPE_CHECKING:
    from fourfold.project.project import Project

#: The kind of such a `Change`; its ``key`` is the variable, and it has neither old nor new value.
KIND = "variable"


def declares_any(owner: Owner) -> bool:
    """Whether a stage depends on environment variables."""
    own = owner.meta.get("fourfold") if isinstance(owner.meta, Mapping) else None
    return isinstance(own, Mapping) and bool(own.get("env"))


def changes(project: "Project", owner: Owner) -> list[Change]:
    """The variables that a stage declares whose values are not those of its last run.

    Where nothing was recorded of a stage, or with another key, nobody can tell: that is no change.

    Raises:
        InvalidFileError: ``fourfold.lock``, or what the stage declares, cannot be understood.
        ConfigError: the key of a team is too short.
    """
    if not owner.is_stage or owner.frozen or not owner.locked or not declares_any(owner):
        return []
    from fourfold.pipeline.resources import declared_of  # noqa: PLC0415 - few stages declare any
    from fourfold.project.nativelock import read_lock  # noqa: PLC0415
    from fourfold.runs import envdeps  # noqa: PLC0415
    from fourfold.runs.place import place_of  # noqa: PLC0415

    entry = read_lock(project, owner.file).stages.get(owner.name or "")
    if entry is None:
        return []
    names = declared_of(project, owner).env
    now = envdeps.digests(place_of(project), names, project.environ, draw=False)
    found = []
    for name in names:
        if name not in entry.env:
            found.append(Change(KIND, state=NEW, key=name))
        elif envdeps.compare(entry.env[name], now.get(name)) == "changed":
            found.append(Change(KIND, state=MODIFIED, key=name))
    return found
