"""Lock files against records: entries of ``dvc.lock`` that no run made, false words in ``fourfold.lock``.

*Forged* is an entry that a record speaks against: a run read the same, did the same, and wrote something
else; or the run that ``fourfold.lock`` names for it wrote that, and read something else. Where the two lock
files merely disagree, plain DVC may have run the stage since. Where nothing is known of an entry it is
*unrecorded*, and nothing worse.
"""

import os
import posixpath
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from fourfold.base.errors import FourfoldError
from fourfold.base.ids import CommitId
from fourfold.evidence.auditing.audited import SHORT, Finding
from fourfold.evidence.auditing.ledger import Ledger
from fourfold.evidence.auditing.statements import Stated
from fourfold.evidence.auditing.struckout import fits
from fourfold.formats.attest.verdict import LEVELS
from fourfold.formats.dvc import lock as dvc_lock
from fourfold.formats.dvc.lock import LockEntry, entry_document
from fourfold.formats.dvc.pointer import Dependency, Output
from fourfold.formats.native import lockfile as native_lock
from fourfold.formats.native.canonical import canonical, digest
from fourfold.formats.native.lockfile import LOCK_NAME, LockStage
from fourfold.formats.native.record import RunId, RunRecord
from fourfold.project.nativelock import files_at
from fourfold.project.outs import LOCK_FILE
from fourfold.runs.changes import mapping, opened, params_of, rows_of, value_of
from fourfold.runs.data import plain
from fourfold.runs.lockfile import entry_of
from fourfold.storage.redact import HIDDEN

if TYPE_CHECKING:
    from fourfold.project.project import Project

_NAMES = (LOCK_FILE, LOCK_NAME)
_Named = TypeVar("_Named", Dependency, Output)
#: The fields of a stage of ``fourfold.lock`` that its record has too.
_FIELDS = ("tree", "environment", "lock", "verified", "image", "seed", "determinism", "numerics", "env")


class Pair(NamedTuple):
    """The two lock files of one folder at some moment.

    Attributes:
        folder: Relative to the root of the project, POSIX; "" for the root itself.
        theirs: Bytes of ``dvc.lock``; None where there is none.
        ours: Bytes of ``fourfold.lock``, likewise.
        moments: Where it is so: "" for the workspace, else ids of commits.
        until: When the last of these commits was made, UTC, ISO 8601; "" for the workspace.
    """

    folder: str
    theirs: bytes | None
    ours: bytes | None
    moments: tuple[str, ...]
    until: str = ""

    @property
    def when(self) -> str:
        """The moments in few words."""
        if not self.moments or "" in self.moments:
            return ""
        more = f" and {len(self.moments) - 1} more commits" if len(self.moments) > 1 else ""
        return f" at {self.moments[0][:SHORT]}{more}"

    def name(self, file: str) -> str:
        """A lock file, as people call it."""
        return f"{self.folder}/{file}" if self.folder else file


# --- what lock files there are ----------------------------------------------------------------------------


def lock_files(project: "Project", revs: Sequence[str | None]) -> list[Pair]:
    """The lock files of some moments; the same content at several of them is one.

    Args:
        project: Whose.
        revs: Revisions; None is the workspace.

    Raises:
        UnknownRevisionError: there is no such revision.
        FourfoldError: a file cannot be read.
    """
    found: dict[tuple[str, bytes | None, bytes | None], list[str]] = {}
    contents: dict[str, bytes] = {}
    for rev in revs:
        moment = "" if rev is None or project.git is None else project.git.resolve(rev)
        files = files_at(project, moment, _NAMES, contents) if moment else _in_workspace(project)
        for folder in sorted({os.path.dirname(path) for path in files}):
            pair = [files.get(os.path.join(folder, name)) for name in _NAMES]
            found.setdefault((folder, pair[0], pair[1]), []).append(moment)
    times = dict(project.git.commit_times()) if project.git is not None and any(revs) else {}
    return [
        Pair(*key, tuple(dict.fromkeys(moments)), _until(moments, times)) for key, moments in found.items()
    ]


def _until(moments: Sequence[str], times: Mapping[CommitId, int]) -> str:
    known = [times.get(CommitId(moment)) for moment in moments]
    if None in known:  # the workspace, or a commit that nothing leads to
        return ""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(max(each or 0 for each in known)))


def _in_workspace(project: "Project") -> dict[str, bytes]:
    from fourfold.project.files import load_tracked, read_owner_file  # noqa: PLC0415 - not for revisions

    folders = {os.path.dirname(out.file) for out in load_tracked(project, strict=False).outs if out.stage}
    folders.add(project.root)
    found = {}
    for folder in sorted(folders):
        for name in _NAMES:
            path = os.path.join(folder, name)
            data = read_owner_file(project.root, path)
            if data is not None:
                found[project.relpath(path)] = data
    return found


# --- what is wrong with them ------------------------------------------------------------------------------


class _Said(NamedTuple):
    """An entry of ``dvc.lock``, and what ``fourfold.lock`` says of the same stage."""

    subject: str
    stage: str
    entry: LockEntry
    locked: LockStage | None
    until: str

    @property
    def named(self) -> RunId | None:
        """The run that is said to have made it."""
        return RunId(self.locked.run) if self.locked is not None else None


class LockAudit:
    """Holds lock files against the records of a ledger.

    Args:
        ledger: What is known.
        signed: Whether each entry needs a verdict that holds and that somebody who is trusted signed.

    Attributes:
        entries: How many different entries were looked at.
        current: The runs that made what lock files of the workspace name.
    """

    def __init__(self, ledger: Ledger, *, signed: bool = False) -> None:
        self._ledger = ledger
        self._is_signed = signed
        self._seen: set[tuple[str, str, str]] = set()
        self.entries = 0
        self.current: list[RunId] = []

    def of(self, pair: Pair) -> Iterator[Finding]:
        """What is wrong with the lock files of a folder."""
        theirs: Mapping[str, LockEntry] = {}
        ours: Mapping[str, LockStage] = {}
        try:
            if pair.theirs is not None:
                theirs = dvc_lock.parse(pair.theirs, pair.name(LOCK_FILE)).stages
            if pair.ours is not None:
                ours = native_lock.parse(pair.ours, pair.name(LOCK_NAME)).stages
        except FourfoldError as error:
            subject = f"lock files of {pair.folder or '.'}{pair.when}"
            yield Finding("broken", "lock-unreadable", subject, error.message, error.hint)
        for name in sorted({*theirs, *ours}):
            stage = f"{pair.folder}/dvc.yaml:{name}" if pair.folder else name
            entry, locked = theirs.get(name), ours.get(name)
            found = digest(canonical(entry_document(entry))) if entry is not None else ""
            key = (stage, found, repr(locked))
            if key in self._seen:
                continue
            self._seen.add(key)
            if locked is not None:
                made = locked.run in self._ledger.entries.get(found, ())
                yield from self._locked(pair, name, locked, "" if made else stage)
            if entry is not None:
                self.entries += 1
                if not pair.when:
                    self.current += self._ledger.entries.get(found, ())[:1]
                subject = f"{pair.name(LOCK_FILE)}: {name}{pair.when}"
                yield from self._entry(_Said(subject, stage, entry, locked, pair.until), found)
                if self._is_signed:
                    yield from self._unsigned(subject, entry, found, locked)

    # -- dvc.lock -----------------------------------------------------------------------------------------

    def _entry(self, one: _Said, name: str) -> Iterator[Finding]:
        ledger, subject = self._ledger, one.subject
        makers = ledger.entries.get(name, [])
        for run in makers:
            record = ledger.known[run]
            entry, old = _in_words_of(record, one.entry)
            wrong = _differing(_outs(entry), record) or _misplaced(entry.outs, record, "outputs")
            if old:
                said = (
                    f"it names '{old[0]}' by a digest of DVC 2, which the record of run {run[:SHORT]} lacks"
                )
                yield Finding(
                    "open", "entry-legacy", subject, said, "name it anew: ff cache migrate --dvc-files", old
                )
            if wrong:
                said = f"run {run[:SHORT]} says that it made this entry, and that it wrote another {wrong}"
                yield Finding("broken", "record-contradicts-itself", subject, said)
            elif self._has_inputs(run) and (
                not self._same_inputs(entry, record) or _misplaced(entry.deps, record, "inputs")
            ):
                said = f"run {run[:SHORT]} says that it made this entry, and that it read or did other things"
                yield Finding("broken", "record-contradicts-itself", subject, said)
        if makers:
            named = one.named
            if named is not None and named in ledger.known and named not in makers:
                said = f"fourfold.lock names run {named[:SHORT]}, and run {makers[0][:SHORT]} made it"
                yield Finding("open", "entry-of-another-run", subject, said, f"ff repro -f {one.stage}")
            return
        yield self._unmade(one)

    def _unsigned(
        self, subject: str, entry: LockEntry, name: str, locked: LockStage | None
    ) -> Iterator[Finding]:
        """Told of an entry that no signature vouches for: whoever writes records and lock files has none."""
        makers = self._ledger.entries.get(name, [])
        runs = [run for run in makers if locked is None or run == locked.run]
        if any(self._is_vouched(run) and not _in_words_of(self._ledger.known[run], entry)[1] for run in runs):
            return
        whose = f"of run {runs[0][:SHORT]}, which made it, " if runs else ""
        said = f"nobody who is trusted here signed a verdict {whose}that holds"
        hint = f"verify it where the key is: ff verify {runs[0][:SHORT]}" if runs else ""
        yield Finding("broken", "entry-unsigned", subject, said, hint)

    def _is_vouched(self, run: RunId) -> bool:
        stated = [one for one in self._ledger.about.get(run, ()) if one.checked.state == "signed"]
        held = [one for one in stated if one.verdict is not None and one.verdict.holds]
        return self._has_inputs(run) and any(
            not any(_overrules(other, one) for other in stated) for one in held
        )

    def _unmade(self, one: _Said) -> Finding:
        """What is to be said of an entry that no record has."""
        subject, stage, entry, named = one.subject, one.stage, one.entry, one.named
        ledger, outs = self._ledger, _outs(entry)
        runs = list(ledger.by_stage.get(stage, ()))
        if named is not None and named in runs:
            runs.insert(0, named)
        for run in runs:
            record = ledger.known[run]
            if not _differing(outs, record):
                return self._edited(subject, entry, run, record, named == run)
        for run in runs:
            record = ledger.known[run]
            # What was committed before recording began was not made by what was recorded later.
            later = named is None and one.until and record.times.started > one.until
            if not later and self._same_inputs(entry, record):
                said = (
                    f"run {run[:SHORT]} read and did the same, and wrote another {_differing(outs, record)}"
                )
                if named is None or named in ledger.known:
                    return _forged(subject, said, entry, record)
                # Without a seed two honest runs may differ; whoever made this one is not here to be asked.
                said += f"; run {named[:SHORT]}, which fourfold.lock names, is not here"
                return Finding("open", "entry-unrecorded", subject, said, "bring it: ff pull")
        if named is not None and named in ledger.known:
            said = f"fourfold.lock names run {named[:SHORT]} for it, which read, did and wrote something else"
            hint = f"if plain DVC ran it since, run it here: ff repro -f {stage}"
            return Finding("broken", "lock-files-disagree", subject, said, hint)
        said = "no run that is recorded here made it"
        hint = f"bring records: ff pull; or record a run: ff repro -f {stage}"
        return Finding("open", "entry-unrecorded", subject, said, hint)

    def _edited(
        self, subject: str, entry: LockEntry, run: RunId, record: RunRecord, is_named: bool
    ) -> Finding:
        """An entry with the outputs of a run, and with other inputs, parameters or commands."""
        more = _deps(entry) - _inputs(record)
        if not more and self._same_inputs(entry, record):
            said = f"run {run[:SHORT]} made it, and it has other sizes or modes than that run found"
            return Finding("open", "entry-edited", subject, said, "ff commit, or an editor, wrote it")
        if self._same_inputs(entry, record, more) and not more - _read(record):
            said = f"run {run[:SHORT]} made it; what it read besides was declared afterwards"
            return Finding("note", "entry-declared-later", subject, said)
        if is_named:
            said = f"fourfold.lock says that run {run[:SHORT]} made it, which read, or did, something else"
            return _forged(subject, said, entry, record)
        said = f"its outputs are those of run {run[:SHORT]}, which did not read, or do, what it says"
        return Finding("open", "entry-edited", subject, said, "ff commit, or an editor, wrote it")

    def _has_inputs(self, run: RunId) -> bool:
        """Whether it is known what a run read, and it was the same from its begin to its end."""
        record, part = self._ledger.known[run], self._ledger.records.part
        found = (opened(value_of(record.data, name), part) for name in ("inputs", "params"))
        return (
            None not in found
            and all(row.get("md5") for row in rows_of(record, "inputs"))
            and not any(value_of(record.data, name) for name in ("changed_during", "missing", "unread"))
        )

    def _same_inputs(self, entry: LockEntry, record: RunRecord, more: Counter[str] | None = None) -> bool:
        """Whether a run did what an entry says, with the inputs that it says, but for some."""
        commands = [entry.cmd] if isinstance(entry.cmd, str) else entry.cmd
        if not fits(_lines(commands), _lines(record.command)):
            return False
        if _deps(entry) - (more or Counter()) != _inputs(record):
            return False
        said = {file: plain(dict(keys)) for file, keys in entry.params.items()}
        return fits(said, params_of(record, self._ledger.records.part))

    # -- fourfold.lock ------------------------------------------------------------------------------------

    def _locked(self, pair: Pair, name: str, locked: LockStage, stage: str) -> Iterator[Finding]:
        """What of an entry of ``fourfold.lock`` is not so.

        Args:
            pair: Where it stands.
            name: The stage, as that file calls it.
            locked: What it says.
            stage: The stage that the run must be of; "" where it made the very entry, as a stage that was
                renamed, or shares the cache of runs, may have it of another.
        """
        subject = f"{pair.name(LOCK_NAME)}: {name}{pair.when}"
        run = RunId(locked.run)
        record = self._ledger.known.get(run)
        if record is None:
            said = f"it names run {run[:SHORT]}, of which no sound record is here"
            hint = "bring it: ff pull; where it is nowhere, no such run is known"
            yield Finding("broken", "run-missing", subject, said, hint)
            return
        if (
            record.stage != (stage or record.stage)
            or record.kind != "stage"
            or record.outcome.state != "succeeded"
        ):
            said = f"run {run[:SHORT]} is no run of this stage that succeeded"
            yield Finding("broken", "lock-contradicts-record", subject, said)
            return
        true = entry_of(record, run)
        for field in _FIELDS:
            says, is_ = getattr(locked, field), getattr(true, field)
            if says != is_:
                said = f"{field}: it says {_short(says)}, and the record of run {run[:SHORT]} {_short(is_)}"
                yield Finding(
                    "broken", "lock-contradicts-record", subject, said, "git diff shows who changed it"
                )
        yield from self._verdict(subject, run, locked)

    def _verdict(self, subject: str, run: RunId, locked: LockStage) -> Iterator[Finding]:
        if locked.verdict is None:
            return
        stated = self._ledger.stated.get(locked.verdict.statement)
        if stated is None:
            said = f"statement {locked.verdict.statement[:SHORT]}, which it names, is not here, or damaged"
            yield Finding("broken", "verdict-missing", subject, said, "bring it: ff pull")
            return
        found = stated.verdict
        if stated.run != run or found is None or found.level != locked.verdict.level or not found.holds:
            level = locked.verdict.level[:40]
            said = f"statement {stated.id[:SHORT]} does not say '{level}' of run {run[:SHORT]}"
            yield Finding("broken", "verdict-contradicts", subject, said)
            return
        for other in self._ledger.about.get(run, ()):
            if _overrules(other, stated):
                said = f"statement {other.id[:SHORT]}, made later, found that '{found.level}' does not hold"
                yield Finding("open", "verdict-overruled", subject, said, f"ff verify {run[:SHORT]}")
                return


def _overrules(other: Stated, stated: Stated) -> bool:
    """Whether a later verdict, worth as much, looked for the level of a verdict and did not find it."""
    late, found = other.verdict, stated.verdict
    if late is None or found is None or late.time <= found.time or late.level == "inconclusive":
        return False
    tried = late.more.get("tried")
    return (
        isinstance(tried, list)
        and found.level in tried
        and LEVELS.index(late.level) > LEVELS.index(found.level)
        and other.checked.state != "bad"
        and (other.grade == "attested" or stated.grade == "observed")
    )


def _forged(subject: str, said: str, entry: LockEntry, record: RunRecord) -> Finding:
    mine = {row["path"].rpartition("/")[2]: row.get("md5") for row in rows_of(record, "outputs")}
    lines = tuple(
        f"{out.path}: the entry says {out.oid}, the run wrote {mine.get(out.path.rpartition('/')[2])}"
        for out in entry.outs
        if out.oid is not None and mine.get(out.path.rpartition("/")[2]) != out.oid
    )
    hint = "git log -p shows who wrote it; make it true again: ff repro -f"
    return Finding("broken", "entry-forged", subject, f"no run made it: {said}", hint, lines)


def _lines(commands: Iterable[str]) -> str:
    """Commands as a shell has them: a text of several lines is several commands."""
    return "\n".join(line.strip() for each in commands for line in each.splitlines() if line.strip())


def _outs(entry: LockEntry) -> Counter[tuple[str, str]]:
    """Outputs by name and content, without those at URLs, which records describe in other words."""
    return Counter(
        (out.path.rpartition("/")[2], out.oid or "") for out in entry.outs if "://" not in out.path
    )


def _differing(outs: Counter[tuple[str, str]], record: RunRecord) -> str:
    """The name of an output that a run wrote otherwise; "" where all are the same."""
    mine: Counter[tuple[str, str]] = Counter()
    for row in rows_of(record, "outputs"):
        mine[row["path"].rpartition("/")[2], str(row.get("md5") or "")] += 1
    more, lacking = outs - mine, mine - outs
    for name, content in [one for one in lacking.elements() if HIDDEN in one[0]]:
        same = next((one for one in more if one[1] == content and fits(one[0], name)), None)
        if same is not None:
            more, lacking = more - Counter([same]), lacking - Counter([(name, content)])
    wrong = sorted({name for name, _ in more + lacking})
    return f"'{wrong[0]}'" if wrong else ""


def _in_words_of(record: RunRecord, entry: LockEntry) -> tuple[LockEntry, tuple[str, ...]]:
    """An entry with the digests that a record has; and what it calls otherwise, by digests of DVC 2.

    That had the MD5 of texts with their line ends changed, which nobody knows who has not the bytes.
    """
    old: list[str] = []

    def named(items: Iterable[_Named], fact: str) -> tuple[_Named, ...]:
        rows = {row["path"]: row for row in rows_of(record, fact) if row.get("role") != "params"}
        found = []
        for item in items:
            row = rows.get(_place(record, item.path), {})
            md5 = row.get("md5")
            if item.legacy and item.oid and md5 not in {None, item.oid} and row.get("size") == item.size:
                old.append(item.path)
                item = item._replace(oid=md5)  # noqa: PLW2901 - the same one, named otherwise
            found.append(item)
        return tuple(found)

    deps, outs = named(entry.deps, "inputs"), named(entry.outs, "outputs")
    return entry._replace(deps=deps, outs=outs), tuple(old)


def _place(record: RunRecord, path: str) -> str:
    """What a record calls a path of its entry."""
    return posixpath.normpath(posixpath.join(str(value_of(record.code, "cwd") or "."), path))


def _misplaced(said: Iterable[Dependency | Output], record: RunRecord, fact: str) -> str:
    """A path of an entry at which its run had something else: two files can have changed places."""
    rows = [(row["path"], row.get("md5")) for row in rows_of(record, fact) if row.get("role") != "params"]
    known = set(rows)
    for one in said:
        if one.oid is None or "://" in one.path:
            continue
        path = _place(record, one.path)
        outside = path.startswith(("/", "../"))  # records know such paths by others: by name, then
        name = path.rpartition("/")[2] if outside else path
        if (path, one.oid) not in known and not any(
            md5 == one.oid and fits(name, each.rpartition("/")[2] if outside else each) for each, md5 in rows
        ):
            return f"'{one.path}'"
    return ""


def _deps(entry: LockEntry) -> Counter[str]:
    return Counter(dep.oid for dep in entry.deps if dep.oid)


def _inputs(record: RunRecord) -> Counter[str]:
    rows: Iterable[Mapping[str, Any]] = (
        *rows_of(record, "inputs"),
        *(row for row in rows_of(record, "elsewhere") if row.get("role") == "dep"),
    )
    return Counter(str(row["md5"]) for row in rows if row.get("role") != "params" and row.get("md5"))


def _read(record: RunRecord) -> Counter[str]:
    """What a run read and did not declare, by content."""
    files = mapping(value_of(record.trace, "undeclared_reads")).get("files")
    rows = files if isinstance(files, list) else ()
    return Counter(str(mapping(row).get("md5")) for row in rows if mapping(row).get("md5"))


def _short(value: Any) -> str:
    if value is None or value == {}:
        return "nothing"
    text = value if isinstance(value, str) else canonical(value).decode(errors="replace")
    return text if len(text) <= 60 else f"{text[:60]}..."
