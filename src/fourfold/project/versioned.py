"""Remotes whose versions the cloud keeps: data under its own names, found again by the id of its version.

A ``version_aware`` remote holds ``d/a`` as ``d/a``; which version of it belongs to which commit stands in the
pointer files. Here is what all verbs share, and fetching, which only reads; `versioned_push` is the other
half. What such a remote cannot do is refused by `Remote.unsupported`.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from fourfold.base.errors import FourfoldError, from_os_error
from fourfold.base.events import Advanced, PhaseEnded, PhaseStarted, Sink
from fourfold.base.fs.atomic import write_all
from fourfold.base.ids import Oid, RelPath, is_tree
from fourfold.base.pool import chunks, map_batches
from fourfold.content.build import SMALL, save_tree
from fourfold.content.hashing import digest_bytes, digest_stream
from fourfold.content.intake import Intake
from fourfold.content.tree import Tree
from fourfold.formats.dvc import cloudfiles
from fourfold.formats.dvc.cloudfiles import Tag
from fourfold.formats.dvc.pointer import Output
from fourfold.project.collect import Want
from fourfold.project.desk import intake_of
from fourfold.project.outs import Tracked
from fourfold.project.remotes import Remote
from fourfold.project.troubles import Trouble
from fourfold.storage.blob.protocol import BlobNotFoundError, VersionedStore

if TYPE_CHECKING:
    from fourfold.project.project import Project

#: Schemes whose versions are recorded as DVC records them.
SCHEMES = frozenset({"s3"})
#: Requests at once, where nobody says.
JOBS = 16
#: Files that get their names together.
_ROUND = 4096


class Row(NamedTuple):
    """One file of an output, on its way to or from such a remote.

    Attributes:
        key: Its name on the remote: its path from the project's root.
        inner: Its path inside of the directory; empty for an output that is a file.
        oid: Its content.
        size: Its bytes, as recorded.
        tag: The version that the pointer file names for this remote; None for none.
    """

    key: str
    inner: str
    oid: Oid
    size: int | None
    tag: Tag | None


class Fetched(NamedTuple):
    """What came from a remote that keeps versions."""

    done: int
    size: int
    present: int
    troubles: tuple[Trouble, ...]


def ready(remote: Remote, verb: str) -> VersionedStore:
    """The remote as a store of versions.

    Raises:
        CloudVersionedError: versions of that kind of remote are not supported.
    """
    if remote.config.scheme not in SCHEMES or not isinstance(remote.store, VersionedStore):
        raise remote.unsupported(verb)
    return remote.store


def listed_tree(output: Output, source: str) -> Tree | None:
    """The manifest that a pointer file spells out; None for every other output."""
    found = cloudfiles.columns(output.files, source) if output.files else None
    return Tree(*found) if found is not None else None


def tree_of(project: "Project", want: Want) -> Tree:
    """The manifest of a directory: what its pointer file spells out, else the cache's.

    Raises:
        ObjectMissingError, CorruptObjectError: the cache does not have it.
    """
    listed = listed_tree(want.out.output, want.out.owner.relpath)
    return listed or project.store.read_tree(want.oid, legacy=want.legacy)


def save_listed(project: "Project", wants: Iterable[Want]) -> None:
    """Give the cache the manifests that pointer files spell out: checkout and comparisons read them there."""
    found = [want for want in wants if want.out.output.files]
    absent = set(project.store.missing([want.oid for want in found]))
    if not absent:
        return
    with intake_of(project) as intake:
        for want in found:
            tree = listed_tree(want.out.output, want.out.owner.relpath)
            if tree is not None and want.oid in absent:
                absent.discard(want.oid)
                save_tree(tree, intake)
        intake.commit()
        intake.proofs.flush()


def rows_of(project: "Project", want: Want, remote: Remote) -> list[Row]:
    """The files of one output that are wanted.

    Raises:
        ObjectMissingError, CorruptObjectError: nobody knows the files of the directory.
    """
    out = want.out
    if not is_tree(want.oid):
        tag = _usable(project, cloudfiles.tag_of(out.output.cloud), remote)
        return [Row(out.relpath, "", want.oid, out.output.size, tag)]
    tree = tree_of(project, want)
    known = {item["relpath"]: item for item in out.output.files or ()}
    found = []
    for inner, oid in _within(tree, want.inner):
        item = known.get(inner, {})
        tag = _usable(project, cloudfiles.tag_of(item.get("cloud")), remote)
        found.append(Row(f"{out.relpath}/{inner}", inner, oid, item.get("size"), tag))
    return found


def _within(tree: Tree, inner: RelPath | None) -> Iterator[tuple[str, Oid]]:
    for path, oid in tree.items():
        if inner is None or path == inner or path.startswith(f"{inner}/"):
            yield path, oid


def _usable(project: "Project", tag: Tag | None, remote: Remote) -> Tag | None:
    """A version that this remote may have: one of its own, or of a name that is not configured any more."""
    if tag is None or tag.remote == remote.name:
        return tag
    return None if tag.remote in project.config.remote_names() else tag


# -- fetching -------------------------------------------------------------------------------------


def fetch_versions(
    project: "Project", wants: Sequence[Want], remote: Remote, *, heal: Iterable[Oid] = (), events: Sink
) -> Fetched:
    """Bring the content of outputs from a remote that keeps versions, each byte proven.

    A file without a recorded version is taken from the newest one, if that has the right content.

    Args:
        project: Whose.
        wants: Outputs.
        remote: Where they are.
        heal: Damaged objects of the cache, to be replaced.
        events: Hears "fetching".

    Raises:
        CloudVersionedError: versions of that kind of remote are not supported.
        FourfoldError: the cache cannot be written.
    """
    store = ready(remote, "fetch")
    save_listed(project, wants)
    rows, troubles = known_rows(project, wants, remote)
    by_oid: dict[Oid, Row] = {}
    for row in rows:
        if row.oid not in by_oid or (by_oid[row.oid].tag is None and row.tag is not None):
            by_oid[row.oid] = row
    again = set(heal)
    absent = [
        *dict.fromkeys([*project.store.missing(list(by_oid)), *(oid for oid in by_oid if oid in again)])
    ]
    job = _Fetch(lambda: intake_of(project), store, remote, events)
    if absent:
        job.run([by_oid[oid] for oid in absent], again)
    return Fetched(job.done, job.size, len(by_oid) - len(absent), (*troubles, *job.troubles))


def fetch_rows(
    rows: Sequence[Row], begin: Callable[[], Intake], remote: Remote, *, events: Sink
) -> tuple[Trouble, ...]:
    """Bring single files, each byte proven, into the store that ``begin`` opens; what could not be had.

    Raises:
        CloudVersionedError: versions of that kind of remote are not supported.
        FourfoldError: the store cannot be written.
    """
    job = _Fetch(begin, ready(remote, "reading from elsewhere"), remote, events)
    job.run(rows, set())
    return tuple(job.troubles)


def rows_at(project: "Project", places: Iterable[tuple[Tracked, str]], remote: Remote) -> list[Row]:
    """The files at paths inside of outputs; an empty path is an output that is a file."""
    known: dict[str, dict[str, Mapping[str, Any]]] = {}
    found = []
    for out, inner in places:
        if inner and out.relpath not in known:
            known[out.relpath] = {item["relpath"]: item for item in out.output.files or ()}
        item = known[out.relpath].get(inner, {}) if inner else out.output._asdict()
        oid = item.get("md5") if inner else out.oid
        if oid:
            tag = _usable(project, cloudfiles.tag_of(item.get("cloud")), remote)
            key = f"{out.relpath}/{inner}" if inner else out.relpath
            found.append(Row(key, inner, Oid(str(oid)), item.get("size"), tag))
    return found


def compare_versions(
    project: "Project", wants: Iterable[Want], remote: Remote, events: Sink
) -> dict[str, str]:
    """What each file is to cache and remote: ``new``, ``deleted`` or ``missing``; empty where both have it.

    A file is on the remote when the version is there that the pointer file names.

    Raises:
        CloudVersionedError: versions of that kind of remote are not supported.
        FourfoldError: the remote could not be asked, or nobody knows the files of a directory.
    """
    store = ready(remote, "status --cloud")
    rows = list({row.key: row for want in wants for row in rows_of(project, want, remote)}.values())
    absent = set(project.store.missing([row.oid for row in rows]))

    def look(row: Row) -> bool:
        return row.tag is not None and store.head_version(row.key, row.tag.version) is not None

    events(PhaseStarted("querying remote", len(rows), unit="objects"))
    found = {}
    for row, there in zip(rows, map_batches(look, rows, jobs=remote.config.jobs or JOBS), strict=True):
        here = row.oid not in absent
        found[row.key] = "" if here and there else "new" if here else "deleted" if there else "missing"
        events(Advanced("querying remote", 1))
    events(PhaseEnded("querying remote"))
    return found


def known_rows(project: "Project", wants: Iterable[Want], remote: Remote) -> tuple[list[Row], list[Trouble]]:
    """All rows, and a trouble for each directory whose files nobody knows."""
    rows: list[Row] = []
    troubles: list[Trouble] = []
    for want in wants:
        try:
            rows += rows_of(project, want, remote)
        except FourfoldError as error:
            troubles.append(Trouble("missing", want.oid, want.out.relpath, remote.name, error))
    return rows, troubles


class _Fetch:
    """One fetch: files by threads, large ones one after the other."""

    def __init__(
        self, begin: Callable[[], Intake], store: VersionedStore, remote: Remote, events: Sink
    ) -> None:
        self._begin = begin
        self._store = store
        self._remote = remote
        self._events = events
        self.done = 0
        self.size = 0
        self.troubles: list[Trouble] = []

    def run(self, rows: Sequence[Row], again: set[Oid]) -> None:
        self._events(PhaseStarted("fetching", len(rows), unit="objects"))
        for span in chunks(len(rows), _ROUND):
            some = rows[span.start : span.stop]
            with self._begin() as intake:
                for oid in again:
                    intake.proofs.forget(oid)
                large = [row for row in some if row.size is None or row.size > SMALL]
                small = [row for row in some if not (row.size is None or row.size > SMALL)]
                for row, got in map_batches(self._get, small, jobs=self._remote.config.jobs or JOBS):
                    self._take_small(row, got, intake)
                for row in large:
                    self._take_large(row, intake)
                intake.commit()
                intake.proofs.flush()
        self._events(PhaseEnded("fetching"))

    def _get(self, row: Row) -> tuple[Row, bytes | FourfoldError]:
        try:
            if row.tag is not None:
                return row, self._store.get_version(row.key, row.tag.version, SMALL)
            return row, self._remote.store.get(row.key, SMALL)
        except FourfoldError as error:
            return row, error

    def _take_small(self, row: Row, got: bytes | FourfoldError, intake: Intake) -> None:
        if isinstance(got, bytes):
            name, proof = digest_bytes(got)
            if self._is_right(row, name):
                intake.add_bytes(row.oid, got, proof)
                self._count(len(got))
        else:
            self._failed(row, got)

    def _take_large(self, row: Row, intake: Intake) -> None:
        fd, path = intake.open_stream()
        try:
            for part in self._open(row):
                write_all(fd, part)
                self._events(Advanced("fetching", 0, len(part)))
            os.lseek(fd, 0, os.SEEK_SET)
            digests = digest_stream(fd)
        except OSError as error:
            intake.drop_stream(fd, path)
            raise from_os_error(error, "writing the cache") from error
        except FourfoldError as error:
            intake.drop_stream(fd, path)
            self._failed(row, error)
            return
        if not self._is_right(row, digests.name):
            intake.drop_stream(fd, path)
            return
        intake.add_stream(fd, path, row.oid, digests.proof, digests.size)
        self._count(digests.size)

    def _open(self, row: Row) -> Iterator[bytes]:
        if row.tag is not None:
            return self._store.open_version(row.key, row.tag.version)
        return self._remote.store.open(row.key)

    def _is_right(self, row: Row, name: bytes) -> bool:
        if name.hex() == row.oid:
            return True
        # The newest version of a file that has none on record may well be another one: that is no damage.
        self._trouble("corrupt" if row.tag is not None else "missing", row)
        return False

    def _failed(self, row: Row, error: FourfoldError) -> None:
        if isinstance(error, BlobNotFoundError):
            self._trouble("missing", row)
        else:
            self._trouble("failed", row, error)

    def _trouble(self, kind: str, row: Row, error: FourfoldError | None = None) -> None:
        self.troubles.append(Trouble(kind, row.oid, row.key, self._remote.name, error))

    def _count(self, size: int) -> None:
        self.done += 1
        self.size += size
        self._events(Advanced("fetching", 1, size))
