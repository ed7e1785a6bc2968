"""``fourfold.lock``: what a record says there, and writing it when a stage has run.

The format is `fourfold.formats.native.lockfile`; where the file is, and how it changes within an operation,
is `fourfold.project.nativelock`.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fourfold.formats.native.lockfile import LockBook, LockDocument, LockStage
from fourfold.project.nativelock import change_lock, read_lock

__all__ = ["LockBook", "entry_of", "read", "update"]

if TYPE_CHECKING:
    from fourfold.formats.native.fact import Section
    from fourfold.formats.native.record import RunId, RunRecord
    from fourfold.project.oplog import Operation
    from fourfold.project.project import Project


def entry_of(record: "RunRecord", run_id: "RunId") -> LockStage:
    """What ``fourfold.lock`` says of a stage that this run made."""
    environment, randomness = record.environment, record.randomness
    lock = _value(environment, "lock")
    seed = _value(randomness, "seed")
    numerics = _value(randomness, "numerics")
    return LockStage(
        run=run_id,
        tree=_text(record.code, "tree"),
        environment=_text(environment, "digest"),
        lock=_lock_text(lock),
        verified=lock.get("verified") if isinstance(lock, Mapping) else None,
        image=_image_text(_value(environment, "image")),
        seed=seed if type(seed) is int else None,
        determinism=_text(randomness, "determinism"),
        numerics=_asked(numerics),
        env=_hashes(record),
    )


def _value(section: "Section", name: str) -> Any:
    fact = section.get(name)
    return fact.value if fact is not None else None


def _text(section: "Section", name: str) -> str | None:
    value = _value(section, name)
    return value if isinstance(value, str) and value else None


def _lock_text(value: Any) -> str | None:
    """The lock file of an environment by path and digest."""
    if not isinstance(value, Mapping) or not value.get("file"):
        return None
    return "@".join(str(value[key]) for key in ("file", "digest") if value.get(key))


def _image_text(value: Any) -> str | None:
    """An image by name and by the digest of its index, else of its manifest, else of its configuration.

    As it was pulled, where a cluster or an engine says that; by the engine's id where it says no more.
    """
    if not isinstance(value, Mapping):
        return None
    if value.get("pulled"):
        return str(value["pulled"])
    name = str(value.get("reference") or "")
    digest = next((str(value[key]) for key in ("index", "manifest", "config", "id") if value.get(key)), "")
    if not digest:
        return name or None
    return f"{name.partition('@')[0]}@{digest}" if name else digest


def _asked(value: Any) -> dict[str, Any]:
    """What was asked for of a profile."""
    asked = value.get("asked") if isinstance(value, Mapping) else None
    if not isinstance(asked, Mapping):
        return {}
    return {str(key): inner for key, inner in asked.items() if isinstance(inner, str | int | float | bool)}


def _hashes(record: "RunRecord") -> dict[str, str]:
    """Keyed hashes of the environment variables that the stage declares."""
    value = _value(record.trace, "env")
    hashes = value.get("declared") if isinstance(value, Mapping) else None
    if not isinstance(hashes, Mapping):
        return {}
    return {str(name): found for name, found in hashes.items() if isinstance(found, str)}


def update(
    project: "Project",
    op: "Operation",
    pipeline_file: str,
    stage_name: str,
    entry: LockStage | None,
    book: LockBook | None = None,
) -> str | None:
    """Say a stage in the ``fourfold.lock`` beside its ``dvc.yaml``; with None it is said no longer.

    Args:
        project: Whose.
        op: The running operation; it can be undone.
        pipeline_file: The ``dvc.yaml``, absolute.
        stage_name: As that file calls it.
        entry: From `entry_of`.
        book: Of the run, which spares reading the file as YAML for each of many stages.

    Returns:
        The absolute path of the file; None when its bytes are what they were.

    Raises:
        InvalidFileError: the file that is there cannot be understood; it is as it was.
        DeniedError, ExhaustedError: it cannot be written; it is as it was.
    """
    return change_lock(project, op, pipeline_file, {stage_name: entry}, book)


def read(project: "Project", pipeline_file: str) -> LockDocument:
    """What the ``fourfold.lock`` beside a ``dvc.yaml`` says; where there is none, it has no stages.

    Raises:
        InvalidFileError: it cannot be understood.
    """
    return read_lock(project, pipeline_file)
