"""Audit: whether records, statements and lock files are what they say they are, and say the same.

Read-only, and nothing is asked of a network. What stands on what: an entry of ``dvc.lock`` on the record of
the run that made it, a record on its id and on the record after it, a statement on a key that the project
trusts. Documents that were exported are held to the same: `documents`. Kinds of findings:
``docs/guides/audit.md``.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from fourfold.base.errors import FourfoldError
from fourfold.base.events import Advanced, PhaseEnded, PhaseStarted, Sink, silent
from fourfold.base.ids import Oid, is_tree, is_unsafe_path, parse_oid
from fourfold.content.hashing import digest_stream
from fourfold.evidence.auditing.audited import SHORT, Audited, Finding, in_order
from fourfold.evidence.auditing.forgery import LockAudit, lock_files
from fourfold.evidence.auditing.ledger import Ledger
from fourfold.evidence.auditing.signing import PublicKey
from fourfold.evidence.auditing.statements import keys_of
from fourfold.formats.native.record import RunId
from fourfold.runs.changes import rows_of
from fourfold.runs.contents import folder_digest

if TYPE_CHECKING:
    from fourfold.project.project import Project
    from fourfold.runs.place import Place
    from fourfold.runs.store import Records

_HEAL = "bring a good copy from the remote: ff repair"


def audit(
    place: "Place",
    records: "Records",
    *,
    revs: Sequence[str | None] = (None,),
    keys: Mapping[str, PublicKey] | None = None,
    data: bool = False,
    signed: bool = False,
    noted: Sequence[str] = (),
    events: Sink = silent,
) -> Audited:
    """Look at everything that can be checked here.

    Args:
        place: Where.
        records: Those of the place.
        revs: At which moments lock files are looked at: revisions; None is the workspace.
        keys: The public keys whose signatures count, by id; None for those of the project's list.
        signed: Whether each entry needs a verdict that one of the keys signed.
        noted: Ids of runs that were noted elsewhere: the chain must have them.
        data: Whether the bytes of outputs are read too: of those that lock files of the workspace name.
        events: Hears the phases.

    Raises:
        UnknownRevisionError: there is no such revision.
        BadKeysFileError: the list of keys cannot be understood.
        FourfoldError: the file system refuses.
    """
    ledger = Ledger(records, keys_of(place) if keys is None else keys)
    events(PhaseStarted("checking records"))
    found = ledger.read()
    found += [cut for name in noted if (cut := ledger.noted(name)) is not None]
    events(PhaseEnded("checking records"))
    counts = dict(ledger.counts)
    project = place.project
    if project is not None:
        locks = LockAudit(ledger, signed=signed)
        for pair in lock_files(project, revs):
            found += locks.of(pair)
        counts["entries"] = locks.entries
        if data:
            bytes_ = _Bytes(project, events)
            for run in dict.fromkeys(locks.current):
                found += bytes_.of(ledger, run)
            counts["files"] = bytes_.files
    if not ledger.counts["records"]:
        found = _unknown(found)
    return Audited(in_order(found), counts, next(iter(ledger.chain), ""))


def _unknown(found: list[Finding]) -> list[Finding]:
    """The same where there is no record at all, as in a clone before it is pulled into: one finding."""
    about = [one for one in found if one.kind in {"run-missing", "entry-unrecorded"}]
    runs = [one for one in about if one.kind == "run-missing"]
    if not about:
        return found
    entries = "1 entry" if len(runs or about) == 1 else f"{len(runs or about)} entries"
    said = f"there is no record here, though fourfold.lock names runs: {entries}"
    if not runs:
        said = f"there is no record here: nothing is known of {entries} of dvc.lock"
    lines = tuple(one.subject for one in runs or about)
    whole = Finding(
        "broken" if runs else "open", "records-missing", "records", said, "bring them: ff pull", lines
    )
    return [*(one for one in found if one not in about), whole]


class _Found(NamedTuple):
    """What a file holds."""

    md5: str
    blake3: str
    size: int


class _Bytes:
    """Reads outputs of runs again: in the cache, and in the workspace where it has files of its own."""

    def __init__(self, project: "Project", events: Sink) -> None:
        self._project = project
        self._events = events
        self.files = 0

    def of(self, ledger: Ledger, run: RunId) -> Iterator[Finding]:
        """What is wrong with the outputs of a run."""
        self._events(PhaseStarted("reading outputs"))
        for row in rows_of(ledger.known[run], "outputs"):
            try:
                yield from self._output(row, run)
            except (OSError, FourfoldError) as error:
                yield Finding("broken", "output-unreadable", row["path"], str(error), _HEAL)
        self._events(PhaseEnded("reading outputs"))

    def _output(self, row: Mapping[str, Any], run: RunId) -> Iterator[Finding]:
        store = self._project.store
        if not row.get("md5"):
            return
        oid = parse_oid(row["md5"])
        if store.has(oid):
            found = self._tree(oid) if is_tree(oid) else self._file(store.path(oid))
            yield from _held(row, found, run, "the cache")
        if is_tree(oid) or is_unsafe_path(row["path"]):
            return
        path = os.path.join(self._project.root, row["path"])
        if os.path.isfile(path) and not (store.has(oid) and os.path.samefile(path, store.path(oid))):
            found = self._file(path)
            if found.md5 != oid:
                said = f"it is not what run {run[:SHORT]} wrote"
                yield Finding("open", "output-changed", row["path"], said, "ff status")
            else:
                yield from _held(row, found, run, "the workspace")

    def _file(self, path: str) -> _Found:
        with open(path, "rb") as file:
            digests = digest_stream(file.fileno())
        self.files += 1
        self._events(Advanced("reading outputs", 1))
        return _Found(digests.name.hex(), digests.proof.hex(), digests.size)

    def _tree(self, oid: Oid) -> _Found:
        store = self._project.store
        tree = store.read_tree(oid)
        names, proofs, sizes = [], bytearray(), []
        for path, each in tree.items():
            found = self._file(store.path(each))
            if found.md5 != each:
                return _Found(f"{path} is {found.md5}", "", 0)
            names.append(path)
            proofs += bytes.fromhex(found.blake3)
            sizes.append(found.size)
        return _Found(oid, folder_digest(names, proofs, sizes), sum(sizes))


def _held(row: Mapping[str, Any], found: _Found, run: RunId, where: str) -> Iterator[Finding]:
    if found.md5 != row["md5"]:
        said = f"in {where} it has other bytes than its name says ({found.md5[:120]})"
        yield Finding("broken", "output-damaged", row["path"], said, _HEAL)
    elif (row.get("blake3") or found.blake3) != found.blake3:
        said = f"in {where} it has the MD5 that run {run[:SHORT]} wrote, and other bytes: somebody made it so"
        yield Finding("broken", "output-collides", row["path"], said, _HEAL)
