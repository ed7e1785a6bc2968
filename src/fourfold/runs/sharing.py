"""Records travel with the data: sent to a remote after it, brought from a remote beside it.

On a remote they lie below ``fourfold/runs/``, beside DVC's own ``files/`` and ``runs/``; no DVC touches it.
The parts of a record go first and the record last, so that a record that is there is whole; what is stated of
runs (`envelopes`) goes after them. What comes gets its name here only after its bytes were found to be those
of its name; whether a signature is good is not asked here. That a remote takes no records stops
nothing: it is told. Remotes that hold data under the names of the workspace take none.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import FourfoldError
from fourfold.base.events import Advanced, PhaseEnded, PhaseStarted, Sink, Warned, silent
from fourfold.formats.attest import dsse, intoto, verdict
from fourfold.formats.native.canonical import MOST, digest
from fourfold.formats.native.record import MOST_RECORD, RunId, RunRecord, is_id, parse_record, parts_of
from fourfold.runs import envelopes
from fourfold.runs.changes import mapping, rows_of, value_of
from fourfold.storage.blob.protocol import BlobNotFoundError, NoListingError

if TYPE_CHECKING:
    from fourfold.project.remotes import Remote
    from fourfold.runs.store import Records

#: Where they lie on a remote.
PREFIX = "fourfold/runs/"
_KEY = re.compile(r"fourfold/runs/(records|parts)/([0-9a-f]{2})/([0-9a-f]{62})", re.ASCII)
_STATED = re.compile(
    r"fourfold/runs/statements/([0-9a-f]{2})/([0-9a-f]{62})/([0-9a-f]{2})/([0-9a-f]{62})", re.ASCII
)
#: So many statements of one run are brought.
_MOST_STATED = 1000
#: For more runs, a remote is asked once what it has of statements at all.
_ASKED_APART = 50
#: Likewise of the replays that one statement names.
_MOST_REPLAYS = 1000


class Shared(NamedTuple):
    """What was sent, or brought.

    Attributes:
        runs: Records that went.
        parts: Parts that went.
        size: Bytes of all.
        present: Records that were there already.
        statements: What is stated of runs, that went.
    """

    runs: int = 0
    parts: int = 0
    size: int = 0
    present: int = 0
    statements: int = 0


def key_of(kind: str, name: str) -> str:
    """The key of a record, a part, or a statement on a remote."""
    return f"{PREFIX}{kind}/{name[:2]}/{name[2:]}"


def chosen(records: "Records", targets: Iterable[str] = ()) -> list[RunId]:
    """The runs to send: all of them, or those of some stages and those that wrote some paths.

    Args:
        records: Those that are here.
        targets: Names of stages, files ``dvc.yaml``, and paths relative to the root; none for everything.
    """
    wanted = set(targets)
    if not wanted:
        return [RunId(name) for name in records.ids()]
    found = []
    for summary in records.summaries():
        file, colon, name = summary.stage.rpartition(":")
        names = {summary.stage, f"{file}:{name}" if colon else f"dvc.yaml:{name}", file or "dvc.yaml"}
        if (summary.kind == "stage" and wanted & names) or any(
            row["path"] in wanted for row in rows_of(records.get(summary.id), "outputs")
        ):
            found.append(summary.id)
    return found


def push_records(
    records: "Records", remote: "Remote", names: Collection[RunId], *, events: Sink = silent
) -> Shared:
    """Send the runs that a remote lacks, and replays of them that statements name.

    What keeps it from taking them is a warning.

    Args:
        records: Where they are.
        remote: Where they go.
        names: Which; those that are not here are passed over.
        events: Hears the phase, and what could not be sent.
    """
    here = [name for name in dict.fromkeys(names) if records.has("records", name)]
    if not here or not _takes(remote, events):
        return Shared()
    try:
        if len(here) < len(records.ids()):  # where all that is here goes, nothing has to be looked for
            replays = (name for name in _replays(records, here) if records.has("records", name))
            repeated = {*here}
            here += [
                name for name in replays if name not in repeated and _repeats(records.get(name)) in repeated
            ]
        return _push(records, remote, here, events)
    except FourfoldError as error:
        events(_told(remote, "were not sent to", error))
        return Shared()


def _push(records: "Records", remote: "Remote", here: list[RunId], events: Sink) -> Shared:
    there = _Listing(remote)
    new = [name for name in here if not there.has("records", name)]
    parts = sorted({part for name in new for part in parts_of(records.get(name))})
    fresh = [part for part in parts if records.has("parts", part) and not there.has("parts", part)]
    stated = [
        (kind, name)
        for run in here
        for kind in (envelopes.kind_of(run),)
        for name in records.ids(kind)
        if not there.has(kind, name)
    ]
    events(PhaseStarted("pushing records", len(new) + len(fresh) + len(stated), unit="records"))
    size = _send(remote, [("parts", name) for name in fresh], records, events)
    size += _send(remote, [("records", name) for name in new], records, events)
    size += _send(remote, stated, records, events)
    events(PhaseEnded("pushing records"))
    return Shared(len(new), len(fresh), size, len(here) - len(new), len(stated))


def _send(remote: "Remote", named: Collection[tuple[str, str]], records: "Records", events: Sink) -> int:
    """Send documents, each proven against its name when it is read; the bytes that went."""
    sent = 0

    def items() -> Iterator[tuple[str, bytes]]:
        nonlocal sent
        for kind, name in named:
            data = records.read(kind, name)
            sent += len(data)
            yield key_of(kind, name), data

    for _key, error in remote.store.put_many(items()):
        if error is not None:
            raise error
        events(Advanced("pushing records", 1))
    return sent


class _Listing:
    """What a remote has; asked once where it can be listed, else document by document."""

    def __init__(self, remote: "Remote") -> None:
        self._remote = remote
        self._keys: set[str] | None = None
        try:
            self._keys = {info.key for page in remote.store.list(PREFIX) for info in page}
        except NoListingError:
            self._keys = None

    def has(self, kind: str, name: str) -> bool:
        key = key_of(kind, name)
        return key in self._keys if self._keys is not None else self._remote.store.head(key) is not None


def on_remote(remote: "Remote", *, events: Sink = silent) -> list[RunId]:
    """All runs that a remote has; none where it cannot be asked, which is told."""
    if not _takes(remote, events):
        return []
    try:
        keys = [info.key for page in remote.store.list(f"{PREFIX}records/") for info in page]
    except FourfoldError as error:
        events(_told(remote, "were not listed on", error))
        return []
    found = (_KEY.fullmatch(key) for key in keys)
    return sorted(RunId(match[2] + match[3]) for match in found if match is not None)


def pull_records(
    records: "Records",
    remote: "Remote",
    names: Iterable[str],
    *,
    stated: Iterable[tuple[str, str]] = (),
    events: Sink = silent,
) -> Shared:
    """Bring runs that are not here, what is stated of them, and the replays that statements name.

    One that the remote lacks is passed over.

    Args:
        records: Where they go.
        remote: Where they are.
        names: Which.
        stated: Statements to bring besides: ids of runs, and of what is stated of them.
        events: Hears the phase, and of what came damaged or could not be brought.
    """
    asked = [name for name in dict.fromkeys(names) if is_id(name)]
    # One whose parts did not all come the last time is completed.
    lacking = [name for name in asked if not _is_whole(records, name)]
    besides = [(run, name) for run, name in stated if is_id(run) and not _has_stated(records, run, name)]
    if not (lacking or besides) or not _takes(remote, events):
        return Shared(present=len(asked) - len(lacking))
    brought = Shared()
    try:
        brought = _pull(records, remote, lacking, events)
        brought = _pull_stated(records, remote, lacking, besides, brought, events)
        replays = _replays(records, [*lacking, *(run for run, _ in besides)])
        if replays := [name for name in replays if not _is_whole(records, name)]:
            more = _pull(records, remote, replays, events, of={*asked, *(run for run, _ in besides)})
            brought = brought._replace(
                runs=brought.runs + more.runs,
                parts=brought.parts + more.parts,
                size=brought.size + more.size,
            )
    except FourfoldError as error:
        events(_told(remote, "were not brought from", error))
    return brought._replace(present=len(asked) - len(lacking))


def _is_whole(records: "Records", name: str) -> bool:
    if not records.has("records", name):
        return False
    try:
        return all(records.has("parts", part) for part in parts_of(records.get(RunId(name))))
    except FourfoldError:
        return True  # damaged, or of a later version: what is here is not written over


def _pull(
    records: "Records",
    remote: "Remote",
    names: Collection[str],
    events: Sink,
    *,
    of: Collection[str] | None = None,
) -> Shared:
    """Bring records with their parts; with ``of`` only replays of these runs.

    What stands in a statement was named by whoever wrote it: it must not bring a run that is taken for the
    newest of its stage.
    """
    events(PhaseStarted("fetching records", len(names), unit="records"))
    came: dict[str, bytes] = {}
    wanted: dict[str, None] = {}
    for name, data in _get(
        remote, "records", [name for name in names if not records.has("records", name)], events
    ):
        try:
            record = parse_record(data, f"run {name[:12]} on remote '{remote.name}'")
        except FourfoldError as error:
            events(Warned(error.code, f"run {name[:12]} was left out: {error.message}", error.hint))
            continue
        if of is None or _repeats(record) in of:
            came[name] = data
            wanted |= dict.fromkeys(parts_of(record))
    for name in names:
        if records.has("records", name):
            wanted |= dict.fromkeys(parts_of(records.get(RunId(name))))
    count, size = 0, 0
    for name, data in _get(
        remote, "parts", [part for part in wanted if not records.has("parts", part)], events
    ):
        records.adopt(name, data, "parts")
        count, size = count + 1, size + len(data)
    for name, data in came.items():
        records.adopt(name, data, "records")
        size += len(data)
        events(Advanced("fetching records", 1))
    events(PhaseEnded("fetching records"))
    return Shared(len(came), count, size)


def _repeats(record: RunRecord) -> str:
    """The run that a replay repeats; "" for a run that is none."""
    of = mapping(value_of(record.trace, "replay")).get("of")
    return of if record.kind == "replay" and isinstance(of, str) else ""


def _replays(records: "Records", runs: Iterable[str]) -> list[RunId]:
    """The replays that statements of runs name: without their records, nobody could check a verdict."""
    found: dict[RunId, None] = {}
    for run in dict.fromkeys(runs):
        for name in envelopes.names(records, RunId(run)):
            with suppress(FourfoldError):
                wrapped = dsse.parse(envelopes.read(records, RunId(run), name))
                said = intoto.opened(wrapped)
                if said.predicate_type == verdict.TYPE:
                    found |= dict.fromkeys(verdict.parse(said.predicate).replays()[:_MOST_REPLAYS])
    return list(found)


def _has_stated(records: "Records", run: str, name: str) -> bool:
    return not is_id(name) or records.has(envelopes.kind_of(run), name)


def _pull_stated(
    records: "Records",
    remote: "Remote",
    runs: Collection[str],
    besides: Iterable[tuple[str, str]],
    brought: Shared,
    events: Sink,
) -> Shared:
    """Bring what is stated of runs: all of those that came, and what is asked for by name."""
    wanted: dict[str, dict[str, None]] = {}
    for run, name in (*_stated_on(remote, runs), *besides):
        if not _has_stated(records, run, name):
            wanted.setdefault(run, {})[name] = None
    count, size = 0, 0
    for run, listed in wanted.items():
        kind = envelopes.kind_of(run)
        for name, data in _get(remote, kind, list(listed)[:_MOST_STATED], events):
            records.adopt(name, data, kind)
            count, size = count + 1, size + len(data)
    return brought._replace(statements=count, size=brought.size + size)


def _stated_on(remote: "Remote", runs: Collection[str]) -> list[tuple[str, str]]:
    """What a remote has of statements of some runs; nothing where it cannot be listed."""
    asked = sorted(set(runs))
    folders = [envelopes.kind_of(run) for run in asked] if len(asked) <= _ASKED_APART else [envelopes.FOLDER]
    try:
        keys = [
            info.key
            for folder in folders
            for page in remote.store.list(f"{PREFIX}{folder}/")
            for info in page
        ]
    except NoListingError:
        return []
    matches = (_STATED.fullmatch(key) for key in keys)
    found = sorted((one[1] + one[2], one[3] + one[4]) for one in matches if one is not None)
    wanted = set(asked)
    return [(run, name) for run, name in found if run in wanted]


def _get(remote: "Remote", kind: str, names: list[str], events: Sink) -> Iterator[tuple[str, bytes]]:
    """Documents of a remote whose bytes are those of their names; the others are told, or not there."""
    most = MOST if kind == "parts" else MOST_RECORD
    for key, got in remote.store.get_many([key_of(kind, name) for name in names], max_size=most):
        name = "".join(key.rsplit("/", 2)[1:])
        if isinstance(got, BlobNotFoundError):
            continue
        if not isinstance(got, bytes):
            raise got
        if digest(got) != name:
            what = {"records": "run", "parts": "part of a run"}.get(kind, "statement of a run")
            events(
                Warned(
                    "record-corrupt",
                    f"{what} {name[:12]} on remote '{remote.name}' is damaged, and was left there",
                    "whoever has it can send it again, once it is removed there: ff push",
                )
            )
            continue
        yield name, got


def _takes(remote: "Remote", events: Sink) -> bool:
    if not remote.version_aware:
        return True
    kind = "worktree" if remote.worktree else "version_aware"
    events(
        Warned(
            "records-left-out",
            f"run records stay here: remote '{remote.name}' is '{kind}', with files of the workspace only",
            "share them by a remote that holds objects by their hashes: ff push -r <name>",
        )
    )
    return False


def _told(remote: "Remote", what: str, error: FourfoldError) -> Warned:
    return Warned(
        "records-not-shared", f"run records {what} remote '{remote.name}': {error.message}", error.hint
    )
