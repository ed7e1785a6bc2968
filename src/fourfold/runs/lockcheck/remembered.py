"""Verdicts on environments that were compared before: a cache that may be lost, named by all that decides.

Reading a lock of a megabyte takes longer than a short run may wait.
"""

import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from fourfold.base.errors import FourfoldError
from fourfold.base.fs.atomic import write_atomic
from fourfold.formats.native.canonical import canonical, digest
from fourfold.formats.native.fact import Fact, parse_fact

if TYPE_CHECKING:
    from fourfold.runs.place import Place

_FOLDER = ("runs", "facts")
_FILE = "lock.json"
_VERSION = 1
#: Bytes: a larger cache is no cache of ours.
_LARGEST = 4 * 1024 * 1024
#: So many verdicts stay, the newest.
_MOST = 40


def key_of(*parts: Any) -> str:
    """The name of a verdict: a digest of all that decides about it."""
    return digest(canonical([_VERSION, *parts]))


def recall(place: "Place", key: str) -> Fact | None:
    """A verdict of before; None where there is none."""
    held = _read(place).get(key)
    try:
        return None if held is None else parse_fact(held, _FILE)
    except FourfoldError:
        return None


def remember(place: "Place", key: str, fact: Fact) -> None:
    """Keep a verdict; a file system that refuses loses nothing but time."""
    held = _read(place)
    held.pop(key, None)
    held[key] = fact.document()
    kept = dict(list(held.items())[-_MOST:])
    with suppress(OSError, FourfoldError):
        path = os.path.join(place.make(*_FOLDER), _FILE)
        document = {"version": _VERSION, "verdicts": kept}
        write_atomic(path, json.dumps(document).encode(), durable=False)


def _read(place: "Place") -> dict[str, Any]:
    with suppress(OSError, ValueError, RecursionError, AttributeError):
        with open(os.path.join(place.own, *_FOLDER, _FILE), "rb") as file:
            document = json.loads(file.read(_LARGEST))
        if document.get("version") == _VERSION and isinstance(document.get("verdicts"), dict):
            return dict(document["verdicts"])
    return {}
