"""The four coordinates of what is recorded, stage by stage: code, data, environment, randomness.

Data is what ``dvc.lock`` records of dependencies, parameters and outputs. The other three are told by the
record of the run that made that entry; a stage whose run was recorded nowhere (DVC ran it, or the records
were not brought) says so, and only the seeds among its parameters are known. Nothing is asked of the
present: how it differs, `ff status` and `ff env diff` say.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from fourfold.base.errors import FourfoldError
from fourfold.formats.dvc.lock import DEFAULT_PARAMS
from fourfold.pipeline.compare import flatten
from fourfold.pipeline.witness import entry_digest
from fourfold.project.files import load_tracked
from fourfold.project.outs import Owner
from fourfold.project.status import address_from
from fourfold.project.targets import named_owners
from fourfold.runs.place import place_of
from fourfold.runs.store import Records, records_of

if TYPE_CHECKING:
    from fourfold.base.ids import Oid
    from fourfold.formats.native.record import RunId, RunRecord
    from fourfold.project.project import Project

#: Names of parameters, in lower case, that hold a seed.
_SEEDS = ("seed", "random_state", "random_seed", "randomstate", "rng_seed")


class StageCoordinates(NamedTuple):
    """One stage as ``dvc.lock`` records it, and the run that made it so.

    Attributes:
        name: As it is called from where the user stands.
        command: What ran; None for a stage that never did.
        deps: Paths -> content.
        outs: Paths -> content.
        params: The recorded values, by file and dotted key.
        seeds: Those of them that are seeds by their names.
        run: The run that made it; None when no record of it is here.
        record: Its record.
        packages: Name -> version of the distributions that it imported.
        why: Why there is no record, or not all of it; "".
    """

    name: str
    command: str | list[str] | None
    deps: "Mapping[str, Oid | None]"
    outs: "Mapping[str, Oid | None]"
    params: Mapping[str, Any]
    seeds: Mapping[str, Any]
    run: "RunId | None" = None
    record: "RunRecord | None" = None
    packages: Mapping[str, str] = {}
    why: str = ""


def coordinates(project: "Project", targets: Iterable[str] = ()) -> tuple[StageCoordinates, ...]:
    """The coordinates of what some stages, or all, have made.

    Raises:
        OwnerFileNotFoundError, StageNotFoundError: a target names no stage.
        InvalidFileError: a file cannot be understood.
    """
    names = list(targets)
    owners = (
        [owner for name in names for owner in named_owners(project, name)]
        if names
        else load_tracked(project).owners
    )
    records = records_of(place_of(project))
    made = {one.entry: one.id for one in records.summaries() if one.entry and one.state == "succeeded"}
    return tuple(_of_stage(project, owner, records, made) for owner in owners if owner.is_stage)


def _of_stage(
    project: "Project", owner: Owner, records: Records, made: "Mapping[str, RunId]"
) -> StageCoordinates:
    command = owner.locked_cmd
    params = {
        f"{file}:{key}": value
        for file, values in (owner.params or {}).items()
        for key, value in flatten(values if isinstance(values, Mapping) else {})
    }
    found = StageCoordinates(
        address_from(project, owner),
        command if command is None or isinstance(command, str) else list(command),
        {dep.path: dep.oid for dep in owner.deps},
        {out.path: out.oid for out in owner.outs},
        params,
        dict(_seeds(params)),
    )
    if command is None:
        return found._replace(why="it has not run")
    run = made.get(entry_digest(owner))
    if run is None:
        return found._replace(why="no record of the run that made it is here")
    try:
        record = records.get(run)
    except FourfoldError as error:
        return found._replace(run=run, why=error.message)
    found = found._replace(run=run, record=record)
    try:
        return found._replace(packages=_packages(record, records))
    except FourfoldError as error:
        return found._replace(why=error.message)


def _packages(record: "RunRecord", records: Records) -> dict[str, str]:
    fact = record.environment.get("distributions")
    reference = fact.value.get("part") if fact is not None and isinstance(fact.value, Mapping) else None
    listing = records.part(reference) if isinstance(reference, str) else {}
    return {
        name: str(entry.get("version", ""))
        for name, entry in listing.items()
        if isinstance(entry, Mapping) and entry.get("imported") is True
    }


def _seeds(params: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in params.items():
        key = name.rpartition(":")[2].rpartition(".")[2].lower()
        if key in _SEEDS or key.endswith("_seed"):
            yield name.removeprefix(f"{DEFAULT_PARAMS}:"), value
