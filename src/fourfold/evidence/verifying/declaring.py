"""What the code of a run declares about its verification, below ``meta: fourfold: verify:`` of its stage.

    meta:
      fourfold:
        verify: {level: statistical, metric: auc, margin: 0.01, seeds: 8, repeats: 5}

It is read from the code that was recorded, never from the workspace: what stands there was declared before
the run. Who says otherwise on the command line is believed, and the verdict says so.
"""

import posixpath
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from fourfold.base.errors import FourfoldError, InvalidFileError
from fourfold.base.ids import is_unsafe_path
from fourfold.evidence.verifying.verdict import LEVELS, Asked
from fourfold.formats.dvc.fields import Fault
from fourfold.pipeline.resources import check_terms
from fourfold.runs.changes import by_path, mapping, opened, value_of
from fourfold.runs.coderestore import unpacked
from fourfold.scm.refs import is_full_id

if TYPE_CHECKING:
    from fourfold.formats.native.record import RunRecord
    from fourfold.runs.place import Place
    from fourfold.runs.store import Records

_PIPELINE = "dvc.yaml"


class BadTermsError(InvalidFileError):
    """``meta: fourfold: verify:`` of a stage says something that means nothing."""

    code = "bad-verify-terms"
    default_hint = "write it like this: verify: {level: statistical, metric: auc, margin: 0.01}"


class Declared(NamedTuple):
    """What a stage says of how it is to be verified; None and "" for what it does not say.

    Attributes:
        level: Which level its results are meant to reach.
        metric: ``FILE:NAME``, or NAME.
        margin: Which difference of it does not matter.
        seeds: How many a statistical verdict takes.
        repeats: How many its noise is judged by.
    """

    level: Asked | None = None
    metric: str = ""
    margin: float | None = None
    seeds: int | None = None
    repeats: int | None = None


NOTHING = Declared()


def declared(place: "Place", records: "Records", record: "RunRecord") -> Declared:
    """What the stage of a run declared when it ran; nothing for a command, or where its code is not had.

    Raises:
        BadTermsError: it declared something that means nothing.
    """
    if not record.stage:
        return NOTHING
    file, _, name = record.stage.rpartition(":")
    try:
        data = _file_of(place, records, record, file or _PIPELINE)
        item = _stage(data, name) if data is not None else {}
    except FourfoldError:
        return NOTHING
    meta = mapping(mapping(mapping(item.get("meta")).get("fourfold")).get("verify"))
    return parse_terms(meta, record.stage) if meta else NOTHING


def _file_of(place: "Place", records: "Records", record: "RunRecord", shown: str) -> bytes | None:
    """A file of the code of a run, by its path from the root of the project."""
    folder = value_of(record.code, "folder")
    path = posixpath.normpath(posixpath.join(folder if isinstance(folder, str) else ".", shown))
    if is_unsafe_path(path):
        return None
    kept = mapping(opened(value_of(record.code, "objects"), records.part))
    row = by_path(kept.get("changes")).get(path)
    if row is not None:
        blob = mapping(kept.get("blobs")).get(str(row.get("oid")))
        try:
            return unpacked(blob) if isinstance(blob, dict) else None
        except (KeyError, TypeError, ValueError, AttributeError):
            return None
    commit = value_of(record.code, "commit")
    if place.git is None or not isinstance(commit, str) or not is_full_id(commit):
        return None
    return place.git.read(commit, path)


def _stage(data: bytes, name: str) -> Mapping[str, Any]:
    from fourfold.formats.dvc import yamlio  # noqa: PLC0415 - most runs that are verified are in one process

    stages = mapping(mapping(yamlio.load(data, _PIPELINE)).get("stages"))
    found = mapping(stages.get(name) or stages.get(name.partition("@")[0]))
    return mapping(found.get("do")) or found


def parse_terms(item: Mapping[str, Any], stage: str) -> Declared:
    """Read what stands below ``verify`` of a stage.

    Raises:
        BadTermsError: it means nothing.
    """
    try:
        found = check_terms(dict(item))
    except Fault as fault:
        raise BadTermsError(f"stage '{stage}' as it ran: verify: {fault.problem}") from None
    level = next((each for each in LEVELS if each == found.get("level")), None)
    return Declared(
        level, found.get("metric", ""), found.get("margin"), found.get("seeds"), found.get("repeats")
    )
