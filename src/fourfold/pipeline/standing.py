"""Where stages stand against ``fourfold.lock``: which of their four coordinates are not what it says.

Loaded only where there is such a file; what is compared, and how, is `fourfold.runs.drift`. Read-only.
"""

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from fourfold.formats.dvc.lock import DEFAULT_PARAMS
from fourfold.project.nativelock import lock_path, read_lock
from fourfold.project.outs import Owner
from fourfold.project.status import address_from
from fourfold.runs.drift import Drift, Drifts
from fourfold.runs.place import Place
from fourfold.runs.store import records_of
from fourfold.runs.task import Declared

if TYPE_CHECKING:
    from fourfold.formats.native.lockfile import LockDocument
    from fourfold.project.project import Project


class Standing(NamedTuple):
    """One stage that differs from what ``fourfold.lock`` says of it.

    Attributes:
        name: As the user would type it.
        run: The id of the run that the lock file names.
        drifts: What differs, at least one, by coordinate in their order.
    """

    name: str
    run: str
    drifts: tuple[Drift, ...]


def standings(project: "Project", owners: Iterable[Owner]) -> tuple[Standing, ...]:
    """The stages among some owners that differ from what is locked; those never recorded are left out.

    Raises:
        InvalidFileError: a ``fourfold.lock``, or what a stage declares, cannot be understood.
    """
    documents: dict[str, LockDocument | None] = {}
    drifts: Drifts | None = None
    found = []
    for owner in owners:
        if not owner.is_stage:
            continue
        if owner.file not in documents:
            there = os.path.lexists(lock_path(owner.file))
            documents[owner.file] = read_lock(project, owner.file) if there else None
        document = documents[owner.file]
        entry = document.stages.get(owner.name or "") if document is not None else None
        if entry is None:
            continue
        if drifts is None:
            # Git is asked only where a file differs: its module is not loaded to find out that none does.
            place = Place(
                project.root,
                project.own_dir,
                project.cwd,
                project.environ,
                project.clock,
                project,
                None,
            )
            drifts = Drifts(place, records_of(place))
        differing = drifts.of(entry, _declared(project, owner), _data(owner))
        if differing:
            found.append(Standing(address_from(project, owner), entry.run, differing))
    if drifts is not None:
        drifts.save()
    return tuple(found)


def _declared(project: "Project", owner: Owner) -> Declared:
    if not owner.meta:
        return Declared()
    from fourfold.pipeline.resources import declared_of  # noqa: PLC0415 - few stages say anything

    return declared_of(project, owner)


def _data(owner: Owner) -> frozenset[str]:
    """What ``dvc.lock`` and `status` tell about: what a stage declares to read and write."""
    names = [dep.path for dep in owner.deps] + [out.path for out in owner.outs]
    names += [spec.file or DEFAULT_PARAMS for spec in owner.params_wanted]
    paths = (os.path.normpath(os.path.join(owner.wdir, name)) for name in names if "://" not in name)
    return frozenset((*paths, owner.file))
