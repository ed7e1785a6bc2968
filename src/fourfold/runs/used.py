"""What runs used of the code, in short: their source files, and whether their seed was declared.

A cache of what records say, so that looking at many stages does not read a record of each. It may be lost.
"""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from fourfold.base.errors import FourfoldError
from fourfold.base.fs.atomic import write_atomic
from fourfold.base.ids import is_unsafe_path

if TYPE_CHECKING:
    from fourfold.formats.native.record import RunRecord
    from fourfold.runs.place import Place
    from fourfold.runs.store import Records

_FOLDER = ("runs", "facts")
_FILE = "used.json"
VERSION = 1


class Used(NamedTuple):
    """What one run used.

    Attributes:
        files: The Git id of each source file, by its path from the root of the repository.
        declared: Whether the stage declared its seed.
    """

    files: Mapping[str, str]
    declared: bool


class UsedBook:
    """What the runs of one place used.

    Args:
        place: Whose cache.
        records: Those of the place.
    """

    def __init__(self, place: "Place", records: "Records") -> None:
        self._place = place
        self._records = records
        self._runs: dict[str, tuple[str, bool]] = {}
        self._parts: dict[str, dict[str, str]] = {}
        self._asked: set[str] = set()
        self._moved = False
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            with open(os.path.join(place.own, *_FOLDER, _FILE), "rb") as file:
                document = json.loads(file.read())
            if document["version"] == VERSION:
                self._runs = {run: (part, declared) for run, (part, declared) in document["runs"].items()}
                self._parts = document["parts"]

    def of(self, run: str) -> Used | None:
        """What a run used; None where its record is not here."""
        if run not in self._runs or self._runs[run][0] not in self._parts:
            record = self.record(run)
            if record is None:
                return None
            self._take(run, record)
        self._asked.add(run)
        part, declared = self._runs[run]
        return Used(self._parts[part], declared)

    def record(self, run: str) -> "RunRecord | None":
        """The record of a run; None where it is not here, or damaged."""
        from fourfold.formats.native.record import RunId  # noqa: PLC0415 - what is remembered is not read

        try:
            return self._records.get(RunId(run))
        except FourfoldError:
            return None

    def part(self, value: object) -> Mapping[str, Any]:
        """A part by what names it in a fact; empty where it is not here, or damaged."""
        if isinstance(value, Mapping) and isinstance(value.get("part"), str):
            with suppress(FourfoldError):
                return self._records.part(value["part"])
        return {}

    def _take(self, run: str, record: "RunRecord") -> None:
        fact = record.code.get("sources")
        reference = fact.value.get("files") if fact is not None and isinstance(fact.value, Mapping) else None
        name = str(reference.get("part")) if isinstance(reference, Mapping) else ""
        if name not in self._parts:
            files = self.part(reference).get("files")
            listed = files.items() if isinstance(files, Mapping) else ()
            self._parts[name] = {
                path: oid for path, oid in listed if isinstance(oid, str) and not is_unsafe_path(path)
            }
        seed = record.randomness.get("seed")
        # A seed from the environment is of one run, and not declared by the stage.
        declared = seed is not None and seed.grade == "declared" and seed.why != "FOURFOLD_SEED"
        self._runs[run] = name, declared
        self._moved = True

    def save(self) -> None:
        """Remember what was asked for; a file system that refuses loses nothing but time."""
        if not self._moved:
            return
        runs = {run: self._runs[run] for run in sorted(self._asked)}
        parts = {part: self._parts[part] for part in sorted({part for part, _ in runs.values()})}
        document = {"version": VERSION, "runs": runs, "parts": parts}
        with suppress(OSError, FourfoldError):
            folder = self._place.make(*_FOLDER)
            write_atomic(os.path.join(folder, _FILE), json.dumps(document).encode(), durable=False)
