"""What is known of a run and of the runs that it stands on, in the words that all exports share.

Every value comes from a record; what a record does not know is listed with the reason, so that an export says
so instead of leaving it out. Nothing here knows a format.
"""

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from fourfold.base.errors import FourfoldError
from fourfold.base.ids import Oid, is_tree
from fourfold.evidence.lineage import Lineage, Makers, Step, metrics_of
from fourfold.evidence.proven import sha256_of
from fourfold.evidence.replaying.holdings import Holdings
from fourfold.formats.attest.intoto import FOLDER_DIGEST
from fourfold.formats.native.record import COORDINATES, RunId
from fourfold.runs.changes import mapping, opened, params_of, reference, rows_of, value_of
from fourfold.runs.codesources import is_code
from fourfold.scm.process import child_environment, run_git
from fourfold.scm.refs import is_full_id

if TYPE_CHECKING:
    from fourfold.formats.native.record import RunRecord
    from fourfold.runs.place import Place
    from fourfold.runs.store import Records


class Item(NamedTuple):
    """One file or folder that a run read or wrote.

    Attributes:
        path: As the record names it.
        role: ``dep``, ``params``, ``out``, ``metric``, ``plot``.
        md5: Its name in the cache; "" where it is not known.
        blake3: Digest of its content, likewise.
        sha256: Likewise, where the cache has it, with the very bytes of the record, and it is one file.
        size: Bytes; None where not known.
        nfiles: Files of a folder; None for a file.
    """

    path: str
    role: str
    md5: str
    blake3: str
    sha256: str
    size: int | None
    nfiles: int | None

    @property
    def digests(self) -> dict[str, str]:
        """Its digests by the names of algorithms, best first; those that are known."""
        ours = FOLDER_DIGEST if self.nfiles is not None else "blake3"
        found = {"sha256": self.sha256, ours: self.blake3, "md5": self.md5.removesuffix(".dir")}
        return {name: value for name, value in found.items() if value}


class Act(NamedTuple):
    """One run of the lineage.

    Attributes:
        run: Its id.
        record: All that is known of it.
        name: The stage, or the command in few words.
        inputs: What it read.
        outputs: What it wrote.
        metrics: ``FILE:NAME`` to number.
        params: Values by file and key.
        made_by: Path of an input to the run that wrote it.
    """

    run: RunId
    record: "RunRecord"
    name: str
    inputs: tuple[Item, ...]
    outputs: tuple[Item, ...]
    metrics: Mapping[str, float]
    params: Mapping[str, Mapping[str, Any]]
    made_by: Mapping[str, RunId]


class Package(NamedTuple):
    """One installed distribution.

    Attributes:
        name: As it is normalized.
        version: Its version.
        record: BLAKE3 of what its RECORD says of its files; "" where it has none.
        imported: Whether the run imported it.
        source: Where it came from when that was no index: a URL, a folder.
    """

    name: str
    version: str
    record: str
    imported: bool
    source: str

    @property
    def purl(self) -> str:
        """Its package URL."""
        return f"pkg:pypi/{self.name}@{self.version}"


class Said(NamedTuple):
    """A verdict on the run, and who vouches for it.

    Attributes:
        level: The strongest level that holds, or ``different``, ``inconclusive``.
        reason: Why it is no stronger one.
        signed: Who signed, in words.
        document: The statement.
    """

    level: str
    reason: str
    signed: str
    document: Mapping[str, Any]


class Dossier(NamedTuple):
    """A run, ready to be told.

    Attributes:
        run: Its id.
        acts: It and what it stands on, in the order in which they ran; it is the last.
        packages: Of its environment, by name.
        author: Who made the commit: name and address; empty where it is not known.
        statements: Verdicts of replays about it.
        unknown: What its record does not know, as ``coordinate.fact``, with the reason.
    """

    run: RunId
    acts: tuple[Act, ...]
    packages: tuple[Package, ...]
    author: tuple[str, str] | None
    statements: tuple[Said, ...]
    unknown: Mapping[str, str]

    @property
    def act(self) -> Act:
        """The run itself."""
        return self.acts[-1]

    @property
    def record(self) -> "RunRecord":
        """What is known of the run itself."""
        return self.act.record

    @property
    def commit(self) -> str:
        """The commit that it was made at; "" outside of Git."""
        found = self.value("code", "commit")
        return found if isinstance(found, str) and is_full_id(found) else ""

    def value(self, coordinate: str, name: str) -> Any:
        """A fact of the run; None where it is not known."""
        return value_of(self.record.section(coordinate), name)

    def raw(self) -> dict[str, Item]:
        """Inputs that no run made and that are data, by path."""
        return {
            item.path: item
            for act in self.acts
            for item in act.inputs
            if item.path not in act.made_by and item.role != "params" and item.md5 and not is_code(item.path)
        }


def gather(place: "Place", records: "Records", run: RunId, statements: tuple[Said, ...] = ()) -> Dossier:
    """Everything that is known of a run.

    Args:
        place: Where it is recorded.
        records: Those of the place.
        run: Which.
        statements: Verdicts about it.

    Raises:
        RunNotFoundError, RecordCorruptError: a record is not here, or damaged.
    """
    lineage = Makers(records, Holdings(place, records).inside).lineage(run)
    shas = _Shas(place)
    acts = tuple(_act(step, records, shas) for step in lineage.steps)
    return Dossier(
        run,
        acts,
        _packages(lineage, records),
        _author(place, acts[-1]),
        statements,
        _unknown(acts[-1].record),
    )


def _act(step: Step, records: "Records", shas: "_Shas") -> Act:
    record = step.record
    return Act(
        step.run,
        record,
        record.stage or " ".join(" ".join(record.command).split())[:60],
        tuple(_item(row, shas) for row in rows_of(record, "inputs")),
        tuple(_item(row, shas) for row in rows_of(record, "outputs")),
        metrics_of(record, records.part),
        params_of(record, records.part),
        step.made_by,
    )


class _Shas:
    """SHA-256 of what the cache has: what supply-chain formats name content by."""

    def __init__(self, place: "Place") -> None:
        self._store = place.project.store if place.project is not None else None

    def of(self, md5: str, blake3: str) -> str:
        if self._store is None or not md5 or not blake3 or is_tree(Oid(md5)):
            return ""
        try:
            return sha256_of(self._store.path(Oid(md5)), blake3) or ""
        except OSError:
            return ""


def _item(row: Mapping[str, Any], shas: _Shas) -> Item:
    md5, blake3 = row.get("md5") or "", row.get("blake3") or ""
    return Item(
        row["path"],
        row.get("role") or "",
        md5,
        blake3,
        shas.of(md5, blake3),
        row.get("size"),
        row.get("nfiles"),
    )


def _packages(lineage: Lineage, records: "Records") -> tuple[Package, ...]:
    found: dict[str, Package] = {}
    for step in lineage.steps:
        value = value_of(step.record.environment, "distributions")
        listed = mapping(opened(value, records.part)) if reference(value) else mapping(value)
        for name, said in listed.items():
            about = mapping(said)
            imported = bool(about.get("imported")) or (name in found and found[name].imported)
            found[name] = Package(
                name,
                str(about.get("version", "")),
                str(about.get("record") or ""),
                imported,
                str(about.get("source") or ""),
            )
    return tuple(found[name] for name in sorted(found))


def _author(place: "Place", act: Act) -> tuple[str, str] | None:
    commit = value_of(act.record.code, "commit")
    if place.git is None or not isinstance(commit, str) or not is_full_id(commit):
        return None
    try:
        done = run_git(
            ("--git-dir", place.git.git_dir),
            ["show", "--no-patch", "--format=%an%x00%ae", commit, "--"],
            child_environment(place.environ),
        )
    except FourfoldError:
        return None
    name, _, address = done.out.decode("utf-8", "replace").strip("\n").partition("\0")
    return (name, address) if done.code == 0 and name else None


def _unknown(record: "RunRecord") -> dict[str, str]:
    return {
        f"{coordinate}.{name}": fact.why
        for coordinate in (*COORDINATES, "trace")
        for name, fact in sorted(record.section(coordinate).items())
        if fact.grade == "absent"
    }


def utf8(text: str) -> bytes:
    """Text as a file has it; what is no letter, as in names that are not Unicode, as JSON shows it."""
    return text.encode("utf-8", "backslashreplace")


def shown_size(size: int) -> str:
    """A number of bytes for people: ``1.2 MB``."""
    number = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000 or unit == "GB":
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return ""


def leaves(values: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Parameters by one name: that of their file where it is not the usual one, and their key."""
    for file, keys in sorted(values.items()):
        for key, value in sorted(keys.items()):
            yield (key if os.path.basename(file) == "params.yaml" else f"{file}:{key}"), value
