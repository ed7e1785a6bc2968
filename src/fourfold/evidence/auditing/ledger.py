"""The records of a place, all read and proven once: which form the chain, what is damaged, what is stated.

Each record names the one before it, so that none can be changed or taken out without the next one telling. A
record that was written anew under a fresh id leaves a gap, or forks the chain. Those that came from elsewhere
are beside the chain, which is usual.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from fourfold.base.errors import FourfoldError
from fourfold.evidence.auditing import statements
from fourfold.evidence.auditing.audited import SHORT, Finding, Weight
from fourfold.evidence.auditing.repeated import repeats
from fourfold.evidence.auditing.signing import PublicKey
from fourfold.evidence.auditing.statements import RECORD, Stated
from fourfold.formats.attest.intoto import FOLDER_DIGEST
from fourfold.formats.native.canonical import digest
from fourfold.formats.native.record import RunId, RunRecord, is_id, parts_of, render
from fourfold.runs import envelopes
from fourfold.runs.changes import rows_of, value_of

if TYPE_CHECKING:
    from fourfold.runs.store import Records

_FORKED = "one was written aside; or this folder is a copy, or a run was cut off as its record was written"
_MEND = "remove that file and bring the record from the remote: ff pull"


class Ledger:
    """The records of a place.

    Args:
        records: Where they are.
        keys: The public keys whose signatures count, by id.

    Attributes:
        known: Those that can be read, by id.
        chain: Those that the head leads to, the newest first.
        entries: Runs that succeeded, by the digest of the entry of ``dvc.lock`` that they made.
        by_stage: Runs of stages that succeeded, the newest first, by stage.
        stated: What is stated of runs, by the id of the statement; what cannot be read is not in it.
        about: The same by run.
    """

    def __init__(self, records: "Records", keys: Mapping[str, PublicKey]) -> None:
        self.records = records
        self._keys = keys
        self.known: dict[RunId, RunRecord] = {}
        self.chain: dict[RunId, None] = {}
        self.entries: dict[str, list[RunId]] = {}
        self.by_stage: dict[str, list[RunId]] = {}
        self.stated: dict[str, Stated] = {}
        self.about: dict[RunId, list[Stated]] = {}
        self.counts = {"records": 0, "parts": 0, "statements": 0}
        self._damaged: set[str] = set()

    def read(self) -> list[Finding]:
        """Read everything; what is wrong with it."""
        found = [*self._records(), *self._chain(), *self._parts(), *self._statements()]
        ordered = sorted(self.known.items(), key=lambda one: (one[1].times.started, one[0]), reverse=True)
        for run, record in ordered:
            entry = value_of(record.data, "entry")
            if record.outcome.state != "succeeded" or record.kind != "stage":
                continue
            self.by_stage.setdefault(record.stage, []).append(run)
            if isinstance(entry, str):
                self.entries.setdefault(entry, []).append(run)
        return found

    # -- records ------------------------------------------------------------------------------------------

    def _records(self) -> Iterator[Finding]:
        for name in self.records.ids("records"):
            self.counts["records"] += 1
            run = RunId(name)
            try:
                record = self.records.get(run)
            except FourfoldError as error:
                self._damaged.add(name)
                kind = "record-damaged" if error.code == "record-corrupt" else "record-unreadable"
                yield Finding("broken", kind, f"run {name[:SHORT]}", error.message, _MEND)
                continue
            self.known[run] = record
            yield from is_odd(run, record)

    def _chain(self) -> Iterator[Finding]:
        head = self._head()
        if head is None:
            if self.known:
                said = "there is no last record: every record here came from elsewhere, or the head was lost"
                yield Finding("note", "chain-missing", "chain", said)
        elif not is_id(head) or (head not in self.known and head not in self._damaged):
            said = f"the head names run {head[:SHORT]}, which is not here"
            yield Finding("broken", "chain-head-lost", "chain", said, "look for it on the remote: ff pull -A")
        else:
            yield from self._follow(RunId(head))
        yield from self._beside()

    def _head(self) -> str | None:
        try:
            with open(os.path.join(self.records.folder, "head"), encoding="ascii", errors="replace") as file:
                return file.read(80).strip()
        except OSError:
            return None

    def _follow(self, head: RunId) -> Iterator[Finding]:
        at: RunId | None = head
        after: RunId | None = None
        while at is not None:
            if at not in self.known:
                damaged = at in self._damaged
                state = (
                    "damaged" if damaged else "not here: it was taken out, or written anew under another id"
                )
                before = f"run {after[:SHORT]} came after it" if after else "the head names it"
                yield Finding(
                    "broken",
                    "chain-gap",
                    f"run {at[:SHORT]}",
                    f"the chain ends at run {at[:SHORT]}, which is {state}; {before}",
                    "what is older cannot be told from what was added; bring it from a remote: ff pull -A",
                )
                return
            self.chain[at] = None
            after, at = at, self.known[at].previous

    def _beside(self) -> Iterator[Finding]:
        """Records that the head does not lead to."""
        successors: dict[RunId | None, RunId] = {self.known[run].previous: run for run in self.chain}
        foreign = []
        for run in sorted(self.known):
            before = self.known[run].previous
            if run in self.chain:
                continue
            if before not in self.chain:
                foreign.append(run)
                continue
            other = successors.get(before)
            said = (
                f"it comes after run {before[:SHORT]}, as run {other[:SHORT]} does"
                if other is not None
                else f"it comes after run {before[:SHORT]}, and the head does not lead to it"
            )
            yield Finding("broken", "chain-fork", f"run {run[:SHORT]}", said, _FORKED)
        if foreign and self.chain:
            said = f"{len(foreign)} records are on no chain of this place: they came from elsewhere"
            lines = tuple(f"{run}  {self.known[run].stage or 'command'}" for run in foreign)
            yield Finding("note", "record-foreign", "records", said, "", lines)

    def noted(self, name: str) -> Finding | None:
        """What is wrong where a run that somebody noted elsewhere is no more on the chain; None for nothing.

        Args:
            name: Its id, or so much of it that nobody can make another one that begins so.
        """
        if any(run.startswith(name) for run in self.chain):
            return None
        said = (
            f"run {name[:SHORT]}, which was noted, is not on the chain: the chain was cut off, or is another"
        )
        return Finding("broken", "chain-cut", f"run {name[:SHORT]}", said, "look for it: ff pull -A")

    # -- parts --------------------------------------------------------------------------------------------

    def _parts(self) -> Iterator[Finding]:
        here = set()
        for name in self.records.ids("parts"):
            self.counts["parts"] += 1
            try:
                self.records.part(name)
            except FourfoldError as error:
                yield Finding("broken", "part-damaged", f"part {name[:SHORT]}", error.message, _MEND)
            here.add(name)
        for run in sorted(self.known):
            gone = [part for part in parts_of(self.known[run]) if part not in here]
            if gone:
                weight: Weight = "broken" if run in self.chain else "open"
                said = f"{len(gone)} parts that run {run[:SHORT]} names are not here"
                yield Finding(weight, "part-missing", f"run {run[:SHORT]}", said, "ff pull -A", tuple(gone))

    # -- statements ---------------------------------------------------------------------------------------

    def _statements(self) -> Iterator[Finding]:
        for run, name in envelopes.everything(self.records):
            self.counts["statements"] += 1
            try:
                data = envelopes.read(self.records, run, name)
                stated = statements.parse(data, run, name, self._keys)
            except FourfoldError as error:
                kind = error.code if error.code == "statement-misplaced" else "statement-damaged"
                yield Finding("broken", kind, f"statement {name[:SHORT]}", error.message, error.hint)
                continue
            self.stated[name] = stated
            self.about.setdefault(run, []).append(stated)
            yield from about(stated, self.known, self._bytes(run))

    def _bytes(self, run: RunId) -> bytes | None:
        try:
            return self.records.read("records", run)
        except FourfoldError:
            return None


def is_odd(run: RunId, record: RunRecord) -> Iterator[Finding]:
    """Told of a record whose bytes are not those of its meaning: a key stands twice, or is not known."""
    if record.more or digest(render(record)) != run:
        said = "it says more than this version knows, or says it otherwise than records do"
        yield Finding("open", "record-odd", f"run {run[:SHORT]}", said)


def about(stated: Stated, known: Mapping[RunId, RunRecord], data: bytes | None) -> Iterator[Finding]:
    """What is wrong with a statement that can be read.

    Args:
        stated: The statement.
        known: The records that are here: what it is about, and the replays that it names.
        data: The bytes of the record that it is about; None where that is not to be had.
    """
    subject = f"statement {stated.id[:SHORT]}"
    yield from _signed(stated, subject)
    record = known.get(stated.run)
    if record is None or data is None:
        said = f"it is about run {stated.run[:SHORT]}, which is not here"
        yield Finding("open", "statement-orphan", subject, said, "bring the record: ff pull -A")
        return
    rows = {row["path"]: row for row in rows_of(record, "outputs")}
    for one in stated.statement.subjects:
        said = ""
        if one.name == RECORD:
            if one.digest.get("sha256") not in {None, hashlib.sha256(data).hexdigest()}:
                said = f"the SHA-256 that it gives of run {stated.run[:SHORT]} is not that of the record"
        elif one.name not in rows:
            said = f"it is about '{one.name[:80]}', which run {stated.run[:SHORT]} did not write"
        else:
            given = one.digest.get("blake3") or one.digest.get(FOLDER_DIGEST)
            if given is not None and (rows[one.name].get("blake3") or given) != given:
                said = f"it is about another '{one.name[:80]}' than run {stated.run[:SHORT]} wrote"
        if said:
            yield Finding("broken", "statement-contradicts", subject, said)
    if stated.verdict is not None:
        yield from repeats(stated.verdict, record, known, subject)


def _signed(stated: Stated, subject: str) -> Iterator[Finding]:
    state = stated.checked.state
    ids = ", ".join(one[:SHORT] for one in stated.checked.keyids)
    if state == "bad":
        said = f"its signature is not of the key that it names ({ids})"
        yield Finding("broken", "signature-bad", subject, said, "it was changed, or never signed by that key")
    elif state == "unknown":
        said = f"it is signed by a key that is not trusted here ({ids})"
        yield Finding("open", "signature-unknown", subject, said, "trust a key by a line in fourfold.keys")
    elif state == "unsigned":
        yield Finding(
            "open", "statement-unsigned", subject, "nobody signed it", "make a key: ff audit keygen"
        )
    elif state == "unchecked":
        said = "its signature was not checked: the library 'cryptography' is not installed"
        yield Finding("open", "signature-unchecked", subject, said, "pip install 'fourfold[sign]'")
