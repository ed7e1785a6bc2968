"""Where records and parts lie: files named by the BLAKE3 of their bytes, a chain, a list that can be lost.

Each record names the run before it, so that none can be taken out or altered without the next one telling.
Every byte is checked against its name when it is read. ``list`` repeats a few fields of each record so
that finding one needs not read all; it is a cache. What a record says is `fourfold.formats.native.record`.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from fourfold.base.clock import SYSTEM
from fourfold.base.errors import ConflictError, CorruptError, NotFoundError, from_os_error
from fourfold.base.fs.atomic import sweep_claimed, write_claimed
from fourfold.base.fs.locks import FileLock
from fourfold.formats.native.canonical import canonical, digest, parse
from fourfold.formats.native.record import (
    PartId,
    RunId,
    RunRecord,
    is_id,
    parse_record,
    part_reference,
    render,
    run_id,
)
from fourfold.runs.order import Summary, in_order

if TYPE_CHECKING:
    from fourfold.runs.place import Place

FOLDER = "runs"
#: Seconds to wait for another process that appends.
_PATIENCE = 30.0
#: A prefix of an id must be this long to be taken for one.
SHORTEST = 4
#: So many digits of ``train~N`` are read: nobody has as many runs as these can say.
_DIGITS = 18
#: No record was written before this: copies and archives that keep no times make files older, in seconds.
_NO_TIME = 946_684_800
#: Of a line of the list.
_SHAPES = {(str, str, str, str, seconds, str, str, str) for seconds in (int, float)}
#: What leads to the first one.
_NOTHING = "ff repro and ff run leave records; in a clone, bring those of others with: ff pull"


class RunNotFoundError(NotFoundError):
    """No record has that id, and no stage that name."""

    code = "run-not-found"
    default_hint = "see which there are: ff runs list"


class NotSoManyRunsError(RunNotFoundError):
    """A stage has runs, but not as many as ``stage~N`` goes back."""

    code = "not-so-many-runs"


class RunAmbiguousError(ConflictError):
    """Several records begin with the same letters of an id."""

    code = "run-ambiguous"


class RecordCorruptError(CorruptError):
    """The bytes of a record or part are not those that its name says."""

    code = "record-corrupt"
    default_hint = "bring it from the remote once that file is removed: ff pull"


class Records:
    """The records of one place.

    Args:
        folder: Absolute path of the folder ``runs``; made on first writing.
        make: Makes that folder, or one below it, and returns its path.
    """

    def __init__(self, folder: str, make: Callable[..., str]) -> None:
        self.folder = folder
        self._make = make
        self._kept: set[str] = set()

    # -- writing ----------------------------------------------------------------------------------

    def keep(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Keep a part, once, and give the reference to it that a fact holds.

        Raises:
            FourfoldError: the file system refuses.
        """
        data = canonical(document)
        name = digest(data)
        if name not in self._kept:
            self._write("parts", name, data)
            self._kept.add(name)
        return part_reference(PartId(name), len(data))

    def append(self, make: Callable[[RunId | None], RunRecord]) -> RunId:
        """Add a record to the chain.

        Args:
            make: Makes the record, given the id of the run before it.

        Raises:
            FourfoldError: the file system refuses; the chain is as it was.
        """
        self._make(FOLDER)
        try:
            with FileLock(os.path.join(self.folder, "lock"), wait=_PATIENCE):
                record = make(self.head())
                data = render(record)
                name = run_id(data)
                sweep_claimed(self.folder)
                self._write("records", name, data, durable=True)
                write_claimed(os.path.join(self.folder, "head"), [name.encode() + b"\n"])
                self._note([_summary(name, record)])
        except OSError as error:
            raise from_os_error(error, "writing the run record") from error
        return name

    def adopt(self, name: str, data: bytes, kind: str, *, durable: bool = False) -> None:
        """Keep bytes that came from elsewhere: a record or a part, which stay outside of our chain.

        Args:
            name: The id.
            data: All of its bytes.
            kind: ``records``, ``parts``, or the statements of a run (see `envelopes`).
            durable: Wait until they would survive a power cut.

        Raises:
            RecordCorruptError: the bytes are not those that the name says.
            FourfoldError: they are no record, or the file system refuses.
        """
        if digest(data) != name:
            raise RecordCorruptError(f"what came as {name[:12]} has other bytes than its name says")
        if kind == "records":
            parse_record(data, name[:12])
        self._write(kind, name, data, durable=durable)

    def _write(self, kind: str, name: str, data: bytes, *, durable: bool = False) -> None:
        path = self._path(kind, name)
        if os.path.exists(path):
            return
        try:
            folder = os.path.dirname(path)
            if not os.path.isdir(folder):
                self._make(FOLDER, kind, name[:2])
            # A part that a power cut took is told by its reader; a record that names it must not be lost.
            try:
                write_claimed(path, [data], folder=self.folder, durable=durable)
            except FileNotFoundError:  # somebody swept in a moment without a lock
                write_claimed(path, [data], folder=self.folder, durable=durable)
        except OSError as error:
            raise from_os_error(error, "writing a run record") from error

    def _note(self, summaries: Iterable[Summary]) -> None:
        lines = "".join(json.dumps(list(summary), ensure_ascii=True) + "\n" for summary in summaries)
        with suppress(OSError), open(os.path.join(self.folder, "list"), "a", encoding="ascii") as file:
            file.write(lines)

    # -- reading ----------------------------------------------------------------------------------

    def head(self) -> RunId | None:
        """The last run of the chain, whether its record is still here or not; None before the first.

        The next record names it in any case: one that was taken out leaves a gap that stays.
        """
        try:
            with open(os.path.join(self.folder, "head"), encoding="ascii", errors="replace") as file:
                text = file.read(80).strip()
        except OSError:
            return None
        return RunId(text) if is_id(text) else None

    def get(self, name: RunId) -> RunRecord:
        """One record.

        Raises:
            RunNotFoundError: there is none of that id.
            RecordCorruptError: its bytes are not those that its name says.
            FourfoldError: it cannot be understood.
        """
        return parse_record(self.read("records", name), f"run {name[:12]}")

    def part(self, name: str) -> dict[str, Any]:
        """One part.

        Raises:
            RunNotFoundError, RecordCorruptError, BadDocumentError: as for `get`.
        """
        return parse(self.read("parts", name), f"part {name[:12]}")

    def has(self, kind: str, name: str) -> bool:
        """Whether a record or part is here."""
        return os.path.exists(self._path(kind, name))

    def read(self, kind: str, name: str) -> bytes:
        """The bytes of a record or part, checked.

        Raises:
            RunNotFoundError: it is not here.
            RecordCorruptError: its bytes are not those that its name says.
        """
        what = {"records": "run", "parts": "part"}.get(kind, "statement")
        if not is_id(name):  # a record may come from elsewhere, and name anything as its part
            raise RunNotFoundError(f"no {what} is called {name[:80]!r}")
        try:
            with open(self._path(kind, name), "rb") as file:
                data = file.read()
        except FileNotFoundError:
            raise RunNotFoundError(f"no {what} {name[:12]} is here", hint="bring it with: ff pull") from None
        except OSError as error:
            raise from_os_error(error, f"reading {what} {name[:12]}") from error
        if digest(data) != name:
            raise RecordCorruptError(f"{what} {name[:12]} is damaged: its bytes are not those of its name")
        return data

    def ids(self, kind: str = "records") -> list[str]:
        """The ids of all that is here, sorted."""
        found = []
        top = os.path.join(self.folder, kind)
        with suppress(OSError):
            for prefix in os.listdir(top):
                with suppress(OSError):
                    found += [prefix + rest for rest in os.listdir(os.path.join(top, prefix))]
        return sorted(name for name in found if is_id(name))

    def summaries(self) -> list[Summary]:
        """Every record in short, oldest first (see `order`); those that cannot be read are left out."""
        known = {summary.id: summary for summary in self._listed()}
        here = self.ids()
        new = []
        for name in here:
            if name not in known:
                with suppress(CorruptError, NotFoundError, ValueError):
                    new.append(_summary(RunId(name), self.get(RunId(name))))
        if new:
            self._note(new)
        everything = [*(known[RunId(name)] for name in here if name in known), *new]
        return in_order(everything, self.head(), self._arrived)

    def _arrived(self, summary: Summary) -> float:
        """When a record came here: its file was written then, and never since.

        Where a copy lost the time of the file, it came at some time until now.
        """
        try:
            seconds = os.stat(self._path("records", summary.id)).st_mtime
        except OSError:
            seconds = 0.0
        return seconds if seconds > _NO_TIME else SYSTEM.now_ns() / 1e9

    def _listed(self) -> Iterator[Summary]:
        try:
            with open(os.path.join(self.folder, "list"), encoding="ascii", errors="replace") as file:
                lines = file.readlines()
        except OSError:
            return
        for line in lines:
            try:
                said = list(json.loads(line))
            except (ValueError, TypeError, RecursionError):
                continue
            if tuple(map(type, said)) in _SHAPES:
                yield Summary(*said)

    def resolve(self, text: str) -> RunId:
        """The run that a user means: an id or the beginning of one, a stage, ``stage~2``, ``@`` for the last.

        A replay is meant by its id only. ``train~`` is ``train~1``, as Git has it.

        Raises:
            RunNotFoundError: there is none.
            NotSoManyRunsError: there are runs of that stage, but not as many.
            RunAmbiguousError: several begin so.
        """
        name, steps = _spelled(text)
        summaries = self.summaries()
        if not summaries:
            raise RunNotFoundError("no run is recorded here", hint=_NOTHING)
        original = [one for one in summaries if one.kind != "replay"]
        chosen = original if name == "@" else [one for one in original if name and one.stage == name]
        if chosen and steps >= len(chosen):
            raise NotSoManyRunsError(
                f"no run '{text[:80]}': there are {len(chosen)} of '{name}'",
                hint=f"the first is {name}~{len(chosen) - 1}",
            )
        if not chosen and len(name) >= SHORTEST:
            begun = [one for one in summaries if one.id.startswith(name.lower())]
            if len(begun) > 1:
                raise RunAmbiguousError(
                    f"{len(begun)} runs begin with '{name}'",
                    hint="give more of the id",
                    details=[f"{one.id[:16]}  {one.stage or 'command'}  {one.started}" for one in begun[:10]],
                )
            chosen = begun
        if steps >= len(chosen):
            raise RunNotFoundError(f"no run '{text[:80]}'")
        return chosen[-1 - steps].id

    def made(self, entry: str) -> RunId | None:
        """The newest run that succeeded and made an entry of ``dvc.lock``, by the digest of that entry."""
        for summary in reversed(self.summaries()):
            if summary.entry == entry and summary.state == "succeeded":
                return summary.id
        return None

    def _path(self, kind: str, name: str) -> str:
        return os.path.join(self.folder, kind, name[:2], name[2:])


def records_of(place: "Place") -> Records:
    """The records of a place."""
    return Records(os.path.join(place.own, FOLDER), place.make)


def _spelled(text: str) -> tuple[str, int]:
    """A name, and how many runs before its newest are meant; the whole text and 0 where it says no number."""
    name, tilde, back = text.partition("~")
    if not tilde:
        return name, 0
    if back and not (back.isascii() and back.isdecimal()):
        return text, 0
    # No place has more runs than that; a longer number costs time to read.
    return name, int(back.lstrip("0")[:_DIGITS] or (0 if back else 1))


def _summary(name: RunId, record: RunRecord) -> Summary:
    entry = record.data.get("entry")
    return Summary(
        name,
        record.kind,
        record.stage,
        record.times.started,
        record.times.seconds,
        record.outcome.state,
        str(entry.value) if entry is not None and entry.value is not None else "",
        record.previous or "",
    )
