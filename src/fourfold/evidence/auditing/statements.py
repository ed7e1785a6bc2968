"""What is stated of runs: verdicts written, signed where there is a key, kept beside the record; read again.

A statement is about the record of a run and its outputs, which are named by SHA-256 where their bytes are
had: MD5 can be forged, and nobody else knows our BLAKE3 of folders. What came from elsewhere is read with
care and shown for what it is. Envelopes on disk are `fourfold.runs.envelopes`; keys are `signing`.
"""

import hashlib
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from fourfold import __version__
from fourfold.base.errors import CorruptError, FourfoldError
from fourfold.base.events import Sink, Warned, silent
from fourfold.base.ids import is_tree, is_unsafe_path, parse_oid
from fourfold.evidence.auditing import signing
from fourfold.evidence.auditing.signing import KEYS_FILE, Checked, PublicKey, SigningKey, trusted_keys
from fourfold.evidence.proven import sha256_of
from fourfold.evidence.replaying.originals import Originals
from fourfold.formats.attest import dsse, intoto, verdict
from fourfold.formats.attest.dsse import Envelope
from fourfold.formats.attest.intoto import FOLDER_DIGEST, Resource, Statement
from fourfold.formats.attest.verdict import Verdict
from fourfold.formats.native.fact import Grade
from fourfold.formats.native.lockfile import LockVerdict
from fourfold.formats.native.record import RunId, RunRecord, is_id
from fourfold.runs import envelopes
from fourfold.runs.changes import rows_of

if TYPE_CHECKING:
    from fourfold.project.project import Project
    from fourfold.runs.place import Place
    from fourfold.runs.store import Records

#: Who says so, in statements of ours.
VERIFIER = "https://fourfold.dev/attestations/verifier/v1"
#: The name of the subject that is the record of a run; its BLAKE3 is the run's id.
RECORD = "fourfold-run-record"


class StatementMisplacedError(CorruptError):
    """A statement lies among those of a run that it is not about."""

    code = "statement-misplaced"
    default_hint = "remove that file; ask whoever made it for another"


class Stated(NamedTuple):
    """A statement about a run that is here.

    Attributes:
        id: BLAKE3 of the bytes of its envelope.
        run: The run.
        statement: What is said of what.
        verdict: The predicate, where it is a verdict of ours.
        checked: What its signatures are worth.
    """

    id: str
    run: RunId
    statement: Statement
    verdict: Verdict | None
    checked: Checked

    @property
    def grade(self) -> Grade:
        """How it is known: *attested* when a key that is trusted signed it, else *observed*."""
        return "attested" if self.checked.state == "signed" else "observed"

    def document(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            "id": self.id,
            "run": self.run,
            "grade": self.grade,
            "signature": self.checked.state,
            "by": [key.name for key in self.checked.by],
            "keyids": list(self.checked.keyids),
            "statement": self.statement.document(),
        }


# --- written ----------------------------------------------------------------------------------------------


def record_verdict(
    place: "Place",
    records: "Records",
    run: RunId,
    found: Mapping[str, Any],
    key: SigningKey | None = None,
    *,
    events: Sink = silent,
) -> str:
    """Keep a verdict on a run as a statement, signed where the user has a key; its id.

    Args:
        place: Where the run was; its environment says which key.
        records: Where the record is.
        run: What was verified.
        found: The document of the verdict (docs/formats/statements.md); ``run``, ``verifier`` and
            ``timeVerified`` are filled in where it has none.
        key: Signs; None for the user's own, if there is one.
        events: Hears that a key is there and cannot be used: the statement is kept unsigned then.

    Raises:
        RunNotFoundError, RecordCorruptError: there is no such record, or it is damaged.
        BadAttestationError: the document is no verdict.
        DeniedError, ExhaustedError: it cannot be written.
    """
    record = records.get(run)
    document: dict[str, Any] = {"timeVerified": _moment(place), **found, "run": run}
    document["verifier"] = document.get("verifier") or {"id": VERIFIER, "version": __version__}
    document["timeVerified"] = document["timeVerified"] or _moment(place)
    said = verdict.statement(verdict.parse(document), subjects_of(place, records, run, record))
    wrapped = intoto.envelope(said)
    if key is None:
        key = _own_key(place, events)
    if key is not None:
        wrapped = signing.sign(wrapped, key)
    return envelopes.keep(records, run, dsse.render(wrapped))


def _own_key(place: "Place", events: Sink) -> SigningKey | None:
    try:
        return signing.find_key(place.environ)
    except FourfoldError as error:
        events(Warned(error.code, f"the statement is not signed: {error.message}", error.hint))
        return None


def _moment(place: "Place") -> str:
    seconds, rest = divmod(place.clock.now_ns(), 1_000_000_000)
    return time.strftime(f"%Y-%m-%dT%H:%M:%S.{rest // 1000:06}Z", time.gmtime(seconds))


def subjects_of(place: "Place", records: "Records", run: RunId, record: RunRecord) -> tuple[Resource, ...]:
    """What a statement about a run is about: its record, and its outputs.

    Outputs whose bytes are here have their SHA-256 (a folder, that of its manifest); others have the digests
    of the record only.

    Raises:
        RunNotFoundError, RecordCorruptError: there is no such record, or it is damaged.
    """
    data = records.read("records", run)
    own = Resource(RECORD, {"sha256": hashlib.sha256(data).hexdigest(), "blake3": run})
    with Originals(place, records, remote=False) as originals:
        found = [_subject(place, originals, record, row) for row in rows_of(record, "outputs")]
    return (own, *(one for one in found if one.digest))


def _subject(place: "Place", originals: Originals, record: RunRecord, row: Mapping[str, Any]) -> Resource:
    known, digest = row.get("blake3"), {}
    folder = row.get("nfiles") is not None
    if isinstance(known, str) and is_id(known):
        digest[FOLDER_DIGEST if folder else "blake3"] = known
    with suppress(FourfoldError, OSError):
        sha256 = _manifest_sha256(place.project, row) if folder else _sha256(place, originals, record, row)
        if sha256 is not None:
            digest["sha256"] = sha256
    return Resource(row["path"], digest)


def _manifest_sha256(project: "Project | None", row: Mapping[str, Any]) -> str | None:
    """SHA-256 of the manifest of a folder, which names each file of it."""
    oid = parse_oid(row.get("md5"))
    if project is None or not is_tree(oid) or not project.store.has(oid):
        return None
    return hashlib.sha256(project.store.read(oid)).hexdigest()


def _sha256(place: "Place", originals: Originals, record: RunRecord, row: Mapping[str, Any]) -> str | None:
    """SHA-256 of a file, from the first copy whose bytes are those of the record."""
    project, known = place.project, row.get("blake3")
    if not isinstance(known, str):
        return None
    paths: list[str | None] = []
    with suppress(FourfoldError):
        oid = parse_oid(row.get("md5"))
        if project is not None and project.store.has(oid):
            paths.append(project.store.path(oid))
    for path in (*paths, None):
        path = path or originals.path(record, row)  # noqa: PLW2901 - copies are made only where they are needed
        if path is not None and os.path.isfile(path):
            found = sha256_of(path, known)
            if found is not None:
                return found
    return None


# --- read -------------------------------------------------------------------------------------------------


def keys_of(place: "Place") -> dict[str, PublicKey]:
    """The keys that the project trusts, by id.

    Raises:
        BadKeysFileError: its list cannot be understood.
    """
    return trusted_keys(os.path.join(place.root, KEYS_FILE))


def statements_of(place: "Place", records: "Records", run: RunId) -> tuple[Stated, ...]:
    """What is stated of a run, the oldest first; what cannot be read, or is not about it, is left out."""
    keys: Mapping[str, PublicKey] = {}
    with suppress(FourfoldError):
        keys = keys_of(place)
    found = []
    for name in envelopes.names(records, run):
        with suppress(FourfoldError):
            found.append(read(records, run, name, keys))
    return tuple(sorted(found, key=lambda one: (one.verdict.time if one.verdict else "", one.id)))


def read(records: "Records", run: RunId, name: str, keys: Mapping[str, PublicKey]) -> Stated:
    """One statement.

    Raises:
        RunNotFoundError, RecordCorruptError: it is not here, or damaged.
        BadAttestationError: it cannot be understood.
        StatementMisplacedError: it is about something else.
    """
    return parse(envelopes.read(records, run, name), run, name, keys)


def parse(data: bytes, run: RunId, name: str, keys: Mapping[str, PublicKey]) -> Stated:
    """A statement about a run, from the bytes of its envelope.

    Raises:
        BadAttestationError: it cannot be understood.
        StatementMisplacedError: it is about something else.
    """
    source = f"statement {name[:12]}"
    wrapped, said, found = _opened(data, source)
    if run not in runs_of(said) or (found is not None and found.run != run):
        raise StatementMisplacedError(f"{source} lies with run {run[:12]} and is not about it")
    return Stated(name, run, said, found, signing.check(wrapped, keys))


def _opened(data: bytes, source: str) -> tuple[Envelope, Statement, Verdict | None]:
    wrapped = dsse.parse(data, source)
    said = intoto.opened(wrapped, source)
    found = verdict.parse(said.predicate, source) if said.predicate_type == verdict.TYPE else None
    return wrapped, said, found


def runs_of(said: Statement) -> list[str]:
    """The runs that a statement names."""
    return [one.digest.get("blake3", "") for one in said.subjects if one.name == RECORD]


# --- noted ------------------------------------------------------------------------------------------------


def note_in_lock(place: "Place", records: "Records", run: RunId, statement: str) -> str | None:
    """Let ``fourfold.lock`` say that the run it names was verified; what was found must hold.

    Returns:
        The absolute path of the file; None where it names another run, says so already, or where the
        verdict does not hold.

    Raises:
        RunNotFoundError, RecordCorruptError, BadAttestationError: the record or statement cannot be read.
        RepositoryLockedError: another process works on the project.
        InvalidFileError: the file cannot be understood; it is as it was.
        DeniedError, ExhaustedError: it cannot be written; it is as it was.
    """
    project = place.project
    record = records.get(run)
    said = read(records, run, statement, {}).verdict
    if project is None or record.kind != "stage" or said is None or not said.holds:
        return None
    from fourfold.project.locks import project_lock  # noqa: PLC0415 - most callers only read
    from fourfold.project.nativelock import change_lock, read_lock  # noqa: PLC0415 - likewise
    from fourfold.project.oplog import operation  # noqa: PLC0415 - likewise

    file, _, stage = record.stage.rpartition(":")
    if file and is_unsafe_path(file):
        return None
    pipeline = os.path.join(project.root, file or "dvc.yaml")
    with project_lock(project), operation(project, "verify", [run[:12]]) as op:
        entry = read_lock(project, pipeline).stages.get(stage)
        if entry is None or entry.run != run:
            return None
        noted = entry._replace(verdict=LockVerdict(said.level, statement))
        return change_lock(project, op, pipeline, {stage: noted})


def lines(found: tuple[Stated, ...]) -> Iterator[str]:
    """What is stated of a run, in a line each, for people."""
    for one in found:
        signed = signed_by(one)
        if one.verdict is None:
            yield f"{one.statement.predicate_type}, {signed}"
            continue
        held = "verified" if one.verdict.holds else "not as asked"
        if one.checked.state == "bad":
            held = "not to be believed"
        words = " ".join(one.verdict.reason.split())
        reason = f": {words}" if words else ""
        yield f"{held}, {one.verdict.level}{reason} ({signed}, {one.verdict.time[:16].replace('T', ' ')})"


def signed_by(one: Stated) -> str:
    """Who vouches for a statement, in words."""
    if one.checked.state == "signed":
        return f"signed by {', '.join(key.name for key in one.checked.by)}"
    return _SIGNED[one.checked.state]


_SIGNED = {
    "unsigned": "not signed",
    "unknown": "signed by a key that is not trusted here",
    "bad": "with a WRONG signature",
    "unchecked": "signature not checked",
}
