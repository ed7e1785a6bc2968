"""Another seed for a replay: where a run took its seed from a parameter, the file in the box gets the other.

A seed that is declared as a number, given on a command line or drawn is put back by the capture alone, and
needs nothing here.
"""

import json
import os
from collections.abc import Callable, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

from blake3 import blake3

from fourfold.base.errors import UnsupportedError, from_os_error
from fourfold.formats.dvc.lock import DEFAULT_PARAMS
from fourfold.formats.native.record import RunId, RunRecord
from fourfold.runs.changes import value_of

if TYPE_CHECKING:
    from fourfold.evidence.replaying.box import Box

Params = Mapping[str, Mapping[str, Any]]
_FROM = "parameter "
#: Libraries take no larger one.
_MOST = 2**31


class SeedFixedError(UnsupportedError):
    """The seed of a run stands where no other one can be written."""

    code = "seed-fixed"
    default_hint = "declare the seed as a parameter of a YAML or JSON file, or as a number in 'meta'"


def seeds_of(run: RunId, record: RunRecord, count: int) -> tuple[int, ...]:
    """The seeds of so many replays of a run: its own, then others that follow from its id alone.

    Returns:
        The seeds; none where the run has none: its replays differ as they will.
    """
    own = value_of(record.randomness, "seed")
    if type(own) is not int:
        return ()
    found = [own]
    at = 0
    while len(found) < count:
        at += 1
        seed = int.from_bytes(blake3(f"{run} seed {at}".encode()).digest()[:8], "big") % _MOST
        if seed not in found:
            found.append(seed)
    return tuple(found[:count])


def reseeded(box: "Box", record: RunRecord, params: Params, seed: int) -> Params:
    """Write another seed into the file of parameters from which a run took its own.

    Args:
        box: Where it will run; its inputs are there.
        record: The run.
        params: The values that it read.
        seed: The other one.

    Returns:
        The values that it will read.

    Raises:
        SeedFixedError: the file is none of the box, or in a language that cannot be written.
        FourfoldError: the file cannot be read or written.
    """
    fact = record.randomness.get("seed")
    if fact is None or not fact.why.startswith(_FROM):
        return params
    file, _, key = fact.why.removeprefix(_FROM).rpartition(":")
    shown = os.path.relpath(os.path.join(box.cwd(record), file or DEFAULT_PARAMS), box.project_root)
    path = box.inside(shown.replace(os.sep, "/"))
    if path is None or os.path.islink(path) or not os.path.isfile(path):
        raise SeedFixedError(f"the seed of the run is parameter {key!r} of {shown}, which no replay has")
    try:
        with open(path, "rb") as source:
            data = source.read()
        data = _written(data, shown, key, seed)
        os.unlink(path)  # what is there may share its bytes with something else
        with open(path, "wb") as target:
            target.write(data)
    except OSError as error:
        raise from_os_error(error, f"writing another seed into {shown}") from error
    changed = {name: dict(values) for name, values in params.items()}
    if key in changed.get(shown, {}):
        changed[shown][key] = seed
    return changed


def _written(data: bytes, shown: str, key: str, seed: int) -> bytes:
    suffix = os.path.splitext(shown)[1].lower()

    def change(document: MutableMapping[Any, Any]) -> MutableMapping[Any, Any]:
        _put(document, shown, key, seed)
        return document

    if suffix == ".json":
        try:
            document = json.loads(data)
        except (ValueError, RecursionError):
            raise SeedFixedError(
                f"the seed of the run is parameter {key!r} of {shown}, which is no JSON"
            ) from None
        return json.dumps(change(document), indent=2).encode() + b"\n"
    if suffix in {".toml", ".py"}:
        raise SeedFixedError(f"the seed of the run is parameter {key!r} of {shown}, which is not rewritten")
    return _edit_yaml(data, change, shown)


def _edit_yaml(
    data: bytes, change: Callable[[MutableMapping[Any, Any]], MutableMapping[Any, Any]], shown: str
) -> bytes:
    from fourfold.formats.dvc import yamlio  # noqa: PLC0415 - few runs have their seed from a file

    return yamlio.edit(data, change, shown)


def _put(document: Any, shown: str, key: str, seed: int) -> None:
    *folders, last = key.split(".")
    for name in folders:
        document = document.get(name) if isinstance(document, MutableMapping) else None
    if not isinstance(document, MutableMapping) or last not in document:
        raise SeedFixedError(f"{shown} has no parameter {key!r} in which another seed could be put")
    document[last] = seed
