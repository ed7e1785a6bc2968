"""Pushing to remotes whose versions the cloud keeps: files under their own names, versions into pointers.

The order is the law of the store: every file of an output is up, and proven, before its pointer file says
so; a push that fails leaves the pointer file as it is, and the next one finds what was sent. On a
``worktree`` remote, files that were deleted here since a version of them was committed are deleted there
too; what others put there stays. Fetching is `versioned`.
"""

import os
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import FourfoldError, UnsupportedError, from_os_error
from fourfold.base.events import Advanced, PhaseEnded, PhaseStarted, Sink, Warned
from fourfold.base.ids import Oid, is_tree
from fourfold.base.pool import map_batches
from fourfold.content.hashing import digest_stream
from fourfold.formats.dvc import cloudfiles, lock
from fourfold.formats.dvc.cloudfiles import Tag
from fourfold.formats.dvc.pointer import Output
from fourfold.project.collect import Want
from fourfold.project.files import load_file, read_owner_file
from fourfold.project.locks import project_lock
from fourfold.project.oplog import Operation, operation
from fourfold.project.outs import LOCK_FILE, Owner, Tracked
from fourfold.project.pointerfiles import write_pointer
from fourfold.project.remotes import Remote
from fourfold.project.troubles import Trouble
from fourfold.project.versioned import JOBS, Row, known_rows, ready, rows_of
from fourfold.storage.blob.protocol import BlobInfo, NoVersionsError, VersionedStore

if TYPE_CHECKING:
    from fourfold.project.project import Project

#: Commits that are looked through for files that were deleted since.
_HISTORY = 50


class OtherCloudError(UnsupportedError):
    """A pointer file names versions of another remote, and can name one remote only."""

    code = "versions-of-another-remote"


class Pushed(NamedTuple):
    """What a push to such a remote did.

    Attributes:
        done: Files that were sent.
        size: Their bytes.
        present: Files that were there.
        deleted: Keys that were deleted on a worktree remote.
        troubles: Files that are not there.
    """

    done: int
    size: int
    present: int
    deleted: tuple[str, ...]
    troubles: tuple[Trouble, ...]


class _Placed(NamedTuple):
    """Where one row is now, or why not."""

    row: Row
    tag: Tag | None = None
    size: int = 0
    sent: bool = False
    kind: str = ""
    error: FourfoldError | None = None


def push_versions(
    project: "Project", wants: Sequence[Want], remote: Remote, arguments: Sequence[str], events: Sink
) -> Pushed:
    """Bring the content of outputs onto a remote that keeps versions, and the versions into pointer files.

    Args:
        project: Whose.
        wants: Outputs of the workspace.
        remote: Where to.
        arguments: What the user typed, for the operation log.
        events: Hears "querying remote" and "pushing".

    Raises:
        CloudVersionedError: versions of that kind of remote are not supported.
        NoVersionsError: the bucket keeps no versions; nothing of what it holds was replaced.
        OtherCloudError: the pointer file names another remote that is configured.
        FourfoldError: the remote cannot be asked at all.
    """
    return _Push(project, remote, ready(remote, "push"), events).run(wants, arguments)


class _Push:
    def __init__(self, project: "Project", remote: Remote, store: VersionedStore, events: Sink) -> None:
        self._project = project
        self._remote = remote
        self._store = store
        self._events = events
        self._jobs = remote.config.jobs or JOBS

    def run(self, wants: Sequence[Want], arguments: Sequence[str]) -> Pushed:
        for want in wants:
            self._refuse_other(want.out)
        known, troubles = known_rows(self._project, wants, self._remote)
        lost = {trouble.oid for trouble in troubles}
        latest = self._latest(wants)
        placed = {one.row.key: one for one in self._place(known, latest)}
        troubles += [
            Trouble(one.kind, one.row.oid, one.row.key, self._remote.name, one.error)
            for one in placed.values()
            if one.kind
        ]
        news: dict[str, tuple[Tracked, Output]] = {}
        whole: list[Want] = []
        for want in wants:
            if want.oid in lost:
                continue
            mine = [placed[row.key] for row in rows_of(self._project, want, self._remote)]
            if not any(one.kind for one in mine):
                _out, said = news.get(want.out.relpath, (want.out, want.out.output))
                news[want.out.relpath] = want.out, self._described(said, want, mine)
                whole += [want] if want.inner is None else []
        self._record(news.values(), arguments)
        return Pushed(
            sum(one.sent for one in placed.values()),
            sum(one.size for one in placed.values() if one.sent),
            sum(bool(one.tag) and not one.sent for one in placed.values()),
            tuple(self._delete(whole, latest)) if self._remote.worktree else (),
            tuple(troubles),
        )

    def _refuse_other(self, out: Tracked) -> None:
        clouds = [out.output.cloud, *(item.get("cloud") for item in out.output.files or ())]
        for tag in map(cloudfiles.tag_of, clouds):
            others = set(self._project.config.remote_names()) - {self._remote.name}
            if tag is not None and tag.remote in others:
                raise OtherCloudError(
                    f"'{out.relpath}' has its versions on '{tag.remote}', and a pointer file names one",
                    hint=f"push there: ff push -r {tag.remote} {out.relpath}",
                )

    # -- the remote -------------------------------------------------------------------------------

    def _latest(self, wants: Iterable[Want]) -> dict[str, BlobInfo]:
        """The newest version of every file below the outputs, by key; a file's version is not told."""
        self._events(PhaseStarted("querying remote", None))
        found: dict[str, BlobInfo] = {}
        files = [want.out.relpath for want in wants if not is_tree(want.oid)]
        for info in map_batches(self._remote.store.head, files, jobs=self._jobs):
            if info is not None:
                found[info.key] = info
        for folder in dict.fromkeys(want.out.relpath for want in wants if is_tree(want.oid)):
            for page in self._remote.store.list(folder):
                found.update((info.key, info) for info in page)
        self._events(PhaseEnded("querying remote"))
        return found

    def _place(self, rows: Sequence[Row], latest: Mapping[str, BlobInfo]) -> Iterator[_Placed]:
        rows = list({row.key: row for row in rows}.values())

        def look(row: Row) -> _Placed | None:
            try:
                return self._there(row, latest.get(row.key))
            except FourfoldError as error:
                return _Placed(row, kind="failed", error=error)

        pending = []
        for row, found in zip(rows, map_batches(look, rows, jobs=self._jobs), strict=True):
            if found is None:
                pending.append(row)
            else:
                yield found
        if not pending:
            return
        self._events(PhaseStarted("pushing", len(pending), unit="objects"))
        first = self._prove_versions(pending, latest)
        yield from first
        done = {one.row.key for one in first}
        yield from map_batches(self._send, [row for row in pending if row.key not in done], jobs=self._jobs)
        self._events(PhaseEnded("pushing"))

    def _there(self, row: Row, latest: BlobInfo | None) -> _Placed | None:
        """The row, if the remote has it: the version on record, or the newest with the same content."""
        tag = row.tag
        if tag is not None:
            if latest is not None and latest.etag == tag.etag:
                return _Placed(row, tag, row.size or latest.size)
            found = self._store.head_version(row.key, tag.version)
            if found is not None:
                return _Placed(row, tag, row.size or found.size)
        if latest is not None and latest.etag == row.oid:  # the tag of what was sent in one part is its MD5
            found = self._remote.store.head(row.key)
            if found is not None and found.etag == row.oid and found.version:
                return _Placed(row, Tag(self._remote.name, found.version, found.etag), found.size)
        return None

    def _prove_versions(self, pending: Sequence[Row], latest: Mapping[str, BlobInfo]) -> list[_Placed]:
        """Make sure that the bucket keeps versions before anything in it is replaced.

        A file whose name is free is sent first; where there is none, an empty probe that is taken away.

        Raises:
            NoVersionsError: it keeps none; what was sent for the proof is gone again.
        """
        for row in pending:
            if row.key not in latest:
                try:
                    return [self._send(row)]
                except NoVersionsError:
                    self._remote.store.delete([row.key])
                    raise
        key = f".fourfold/probe-{secrets.token_hex(8)}"
        self._remote.store.put(key, b"")
        try:
            found = self._remote.store.head(key)
            self._require_version(found)
        finally:
            self._remote.store.delete([key])
        return []

    def _require_version(self, info: BlobInfo | None) -> str:
        if info is None or not info.version:
            raise NoVersionsError(
                f"the bucket of remote '{self._remote.name}' keeps no versions: {self._remote.store.url}",
                hint="turn its versioning on with the provider's tool, or use it without: "
                f"ff remote modify {self._remote.name} version_aware false",
            )
        return info.version

    def _send(self, row: Row) -> _Placed:
        path = self._project.store.path(row.oid)
        try:
            with open(path, "rb", buffering=0) as file:
                size = os.fstat(file.fileno()).st_size
                digest = digest_stream(file.fileno()).name
        except FileNotFoundError:
            return _Placed(row, kind="missing")
        except OSError as error:
            return _Placed(row, kind="failed", error=from_os_error(error, "reading the cache"))
        if digest.hex() != row.oid:
            return _Placed(row, kind="corrupt")
        try:
            made = self._store.put_version(row.key, path)
            version = self._require_version(made)
        except NoVersionsError:
            raise
        except FourfoldError as error:
            return _Placed(row, kind="failed", error=error)
        self._events(Advanced("pushing", 1, size))
        return _Placed(row, Tag(self._remote.name, version, made.etag), size, sent=True)

    # -- pointer files ----------------------------------------------------------------------------

    def _described(self, output: Output, want: Want, placed: Sequence[_Placed]) -> Output:
        """The output with the versions of what is up now."""
        if not placed:
            return output  # an empty directory: a list of no files would say nothing
        if not is_tree(want.oid):
            tag = placed[0].tag
            return output._replace(cloud=cloudfiles.cloud_of(tag)) if tag is not None else output
        known = {item["relpath"]: item for item in output.files or ()}
        now = {
            one.row.inner: cloudfiles.entry(one.row.inner, one.row.oid, one.size, one.tag) for one in placed
        }
        files = []
        for row in rows_of(self._project, want._replace(inner=None), self._remote):
            item = now.get(row.inner) or known.get(row.inner)
            files.append(item or cloudfiles.entry(row.inner, row.oid, self._size(row.oid), None))
        return output._replace(files=files)

    def _size(self, oid: Oid) -> int | None:
        try:
            return os.stat(self._project.store.path(oid)).st_size
        except OSError:
            return None

    def _record(self, news: Iterable[tuple[Tracked, Output]], arguments: Sequence[str]) -> None:
        """Write what is up into pointer files and lock files, where they still say the same content."""
        changed = [(out, output) for out, output in news if output != out.output]
        if not changed:
            return
        with project_lock(self._project), operation(self._project, "push", arguments) as op:
            for file in dict.fromkeys(out.file for out, _output in changed):
                mine = [(out, output) for out, output in changed if out.file == file]
                try:
                    owners = load_file(self._project, file)
                except FourfoldError as error:
                    self._events(Warned("versions-not-recorded", error.message, error.hint))
                    continue
                record(self._project, op, owners, mine)

    # -- worktree ---------------------------------------------------------------------------------

    def _delete(self, wants: Sequence[Want], latest: Mapping[str, BlobInfo]) -> list[str]:
        """Delete there what was deleted here: files that a committed pointer file knew as they are there."""
        gone: list[str] = []
        for want in wants:
            if not is_tree(want.oid):
                continue
            have = {row.key for row in rows_of(self._project, want, self._remote)}
            folder = f"{want.out.relpath}/"
            extra = [key for key in latest if key.startswith(folder) and key not in have]
            if extra:
                known = committed_tags(self._project, want.out)
                gone += [key for key in extra if latest[key].etag in known.get(key, ())]
                left = len(extra) - sum(key in gone for key in extra)
                if left:
                    self._events(Warned("not-in-workspace", _left(left, want.out.relpath, self._remote.name)))
        if gone:
            self._remote.store.delete(gone)
        return gone


def _left(count: int, path: str, remote: str) -> str:
    some = f"{count:,} file{'s' * (count != 1)}"
    return f"{some} below '{path}' on remote '{remote}' did not come from here; left there"


def committed_tags(project: "Project", out: Tracked) -> dict[str, set[str]]:
    """The entity tags that the last commits of a pointer file name, by key on the remote."""
    git = project.git
    head = git.head() if git is not None else None
    if git is None or head is None:
        return {}
    from fourfold.project.revisions import load_revision  # noqa: PLC0415 - only for files that vanished

    found: dict[str, set[str]] = {}
    for commit in git.history(head, _HISTORY):
        for old in load_revision(project, commit, strict=False).outs:
            if old.relpath != out.relpath:
                continue
            for item in old.output.files or ():
                tag = cloudfiles.tag_of(item.get("cloud"))
                if tag is not None and tag.etag:
                    found.setdefault(f"{out.relpath}/{item['relpath']}", set()).add(tag.etag)
    return found


def record(
    project: "Project", op: Operation, owners: Iterable[Owner], news: Sequence[tuple[Tracked, Output]]
) -> None:
    """Put outputs with their versions into one pointer file, or into the lock file of its stages.

    What says another content by now is left alone.
    """
    for owner in owners:
        mine = {out.output.path: (out.output, output) for out, output in news if out.stage == owner.name}
        if not mine:
            continue

        def renewed(out: Output, mine: Mapping[str, tuple[Output, Output]] = mine) -> Output:
            old, new = mine.get(out.path, (out, out))
            if out.oid != old.oid:
                return out
            return out._replace(files=new.files, cloud=new.cloud)

        if owner.pointer is not None:
            outs = tuple(renewed(out) for out in owner.pointer.outs)
            write_pointer(project, op, owner.file, owner.pointer._replace(outs=outs), owner.source)
            continue
        path = os.path.join(os.path.dirname(owner.file), LOCK_FILE)
        data, name = read_owner_file(project.root, path), project.relpath(path)
        entry = lock.parse(data, name).stages.get(str(owner.name)) if data is not None else None
        if data is not None and entry is not None:
            fresh = entry._replace(outs=tuple(renewed(out) for out in entry.outs))
            op.write(path, lock.update_many(data, {str(owner.name): fresh}, name))
