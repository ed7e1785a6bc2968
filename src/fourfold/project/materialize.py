"""Materialize: bring everything below a path of another repository into an object store of ours.

Tracked objects come from the source's cache when it is a folder of this machine, else from its remote; plain
files and Git's are read and hashed here. Every byte is proven before it has a name, whoever sent it.
"""

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import FourfoldError
from fourfold.base.events import Advanced, PhaseEnded, PhaseStarted, Sink, silent
from fourfold.base.ids import Oid, is_tree, safe_relpaths
from fourfold.content import transfer
from fourfold.content.bring import Download
from fourfold.content.build import SMALL, save_tree
from fourfold.content.intake import Intake
from fourfold.content.objects import ObjectStore
from fourfold.content.proofs import ProofBook
from fourfold.content.staging import Staging
from fourfold.content.statindex import StatIndex
from fourfold.content.transfer import Transferred
from fourfold.content.tree import Tree
from fourfold.project.elsewhere import Part
from fourfold.project.sourceview import Data, Node, View, is_bookkeeping, is_whole_tree, missing
from fourfold.project.troubles import CorruptOnRemoteError

if TYPE_CHECKING:
    from fourfold.project.remotes import Remote
    from fourfold.storage.blob.protocol import BlobStore


class Materialized(NamedTuple):
    """What a path of a source is, now that its content is in the store.

    Attributes:
        oid: A file's object, or a directory's tree.
        size: Bytes of all files.
        nfiles: How many files; None for a single file.
        tree: The directory's manifest.
    """

    oid: Oid
    size: int
    nfiles: int | None
    tree: Tree | None


class Shelf(NamedTuple):
    """Where materialized content goes: a store, what is known of it, and a folder for half-made files."""

    store: ObjectStore
    proofs: StatIndex
    staging: str


def materialize(view: View, path: str, shelf: Shelf, *, events: Sink = silent) -> Materialized:
    """Bring a file, or everything below a folder, of a source.

    Args:
        view: The source.
        path: From its root.
        shelf: Where it goes.
        events: Hears the phases.

    Raises:
        SourcePathError: there is nothing at that path.
        SourceDataMissingError: tracked data is nowhere to be had.
        CorruptOnRemoteError, BadManifestError, UnsafePathError: what is there is damaged or hostile.
        FourfoldError: the source cannot be asked, or the store be written.
    """
    node = view.node(path)
    job = _Job(view, shelf, events)
    if not node.is_dir:
        found = job.bring([node])
        oid, size = found[node.path]
        return Materialized(oid, size, None, None)
    if is_whole_tree(node) and node.data is not None and node.data.out is not None and not node.data.legacy:
        tree = view.tree(node.data.part, node.data.out)
        prefix = f"{node.path}/" if node.path else ""
        data = node.data
        nodes = [
            Node(prefix + name, None, data._replace(is_dir=False, inner=name, oid=oid, size=None))
            for name, oid in tree.items()
        ]
    else:
        nodes = [one for one in view.walk(node.path) if not is_bookkeeping(one.name)]
    found = job.bring(nodes)
    cut = len(node.path) + 1 if node.path else 0
    names = [one.path[cut:] for one in nodes]
    safe_relpaths(names, view.source.shown)
    tree = Tree.of((name, found[one.path][0]) for name, one in zip(names, nodes, strict=True))
    job.keep_tree(tree)
    return Materialized(tree.oid, sum(size for _oid, size in found.values()), len(tree), tree)


class _Job:
    """One materialization."""

    def __init__(self, view: View, shelf: Shelf, events: Sink) -> None:
        self._view = view
        self._shelf = shelf
        self._proofs = ProofBook(shelf.proofs, shelf.store)
        self._events = events
        self._found: dict[str, tuple[Oid, int]] = {}

    def bring(self, nodes: Sequence[Node]) -> dict[str, tuple[Oid, int]]:
        """Bring files; the object and the size of each by path."""
        self._plain([node for node in nodes if node.plain is not None])
        tracked = [(node.path, node.data) for node in nodes if node.plain is None and node.data is not None]
        groups: dict[tuple[str, str | None, bool], list[tuple[str, Data]]] = {}
        for path, data in tracked:
            own = data.out.output.remote if data.out is not None else None
            groups.setdefault((data.part.prefix, own, data.legacy), []).append((path, data))
        for (_prefix, remote, legacy), items in groups.items():
            if legacy:
                self._legacy(items, remote)
            else:
                self._objects(items, remote, self._shelf.store, self._shelf.proofs, legacy=False)
                for path, data in items:
                    oid = Oid(str(data.oid))
                    self._found[path] = oid, os.stat(self._shelf.store.path(oid)).st_size
        return self._found

    def keep_tree(self, tree: Tree) -> None:
        """Name a manifest whose files are all there."""
        with Intake(self._shelf.store, self._proofs) as intake:
            save_tree(tree, intake)
            intake.commit()
        self._proofs.flush()

    # --- plain files ---

    def _plain(self, nodes: Sequence[Node]) -> None:
        if not nodes:
            return
        files = self._view.source.files
        sizes = {node.path: node.plain.size for node in nodes if node.plain is not None}
        self._events(PhaseStarted("reading the source", len(nodes), sum(sizes.values())))
        with Intake(self._shelf.store, self._proofs) as intake:
            download = Download(intake)
            for path, data in files.read_many([path for path, size in sizes.items() if size <= SMALL]):
                self._found[path] = Oid(download.take(data).hex()), len(data)
                self._events(Advanced("reading the source", 1, len(data)))
            for path in (path for path, size in sizes.items() if size > SMALL):
                digest, size = download.stream(files.chunks(path))
                self._found[path] = Oid(digest.hex()), size
                self._events(Advanced("reading the source", 1, size))
            intake.commit()
        self._proofs.flush()
        self._events(PhaseEnded("reading the source"))

    # --- tracked objects ---

    def _objects(
        self,
        items: Sequence[tuple[str, Data]],
        remote: str | None,
        store: ObjectStore,
        index: StatIndex,
        *,
        legacy: bool,
    ) -> None:
        """Bring objects from the source's cache, what lacks there from its remote."""
        part = items[0][1].part
        for path, data in items:
            if data.oid is None or is_tree(data.oid):
                raise missing(self._view.source, [(path, data.oid or Oid("unknown"))])
        oids = list(dict.fromkeys(Oid(str(data.oid)) for _path, data in items))
        for origin in self._origins(part, remote):
            absent = store.missing(oids, legacy=legacy)
            if not absent:
                return
            done = transfer.fetch(absent, store, origin, index, legacy=legacy, events=self._events)
            _refuse_damaged(done, origin, items)
        self._versions(part, part.remote(remote), items, store, index)
        absent_now = set(store.missing(oids, legacy=legacy))
        if absent_now:
            lost = [(path, Oid(str(data.oid))) for path, data in items if data.oid in absent_now]
            raise missing(self._view.source, lost)

    def _origins(self, part: Part, remote: str | None) -> "Iterable[BlobStore]":
        if os.path.isdir(part.project.store.root):
            from fourfold.project.vetting import vet_store  # noqa: PLC0415 - only for a source on this machine
            from fourfold.storage.blob.local import LocalStore  # noqa: PLC0415 - likewise

            vet_store(part.project, "read")
            yield LocalStore(part.project.store.root)
        opened = part.remote(remote)
        if opened is not None and not opened.version_aware:
            yield opened.store

    def _versions(
        self,
        part: Part,
        remote: "Remote | None",
        items: Sequence[tuple[str, Data]],
        store: ObjectStore,
        index: StatIndex,
    ) -> None:
        """What is still absent, from a remote whose versions the cloud keeps."""
        if remote is None or not remote.version_aware:
            return
        absent = set(store.missing([Oid(str(data.oid)) for _path, data in items]))
        places = {str(data.oid): (data.out, data.inner) for _path, data in items if data.out is not None}
        wanted = [place for oid, place in places.items() if oid in absent]
        if not wanted:
            return
        from fourfold.project.versioned import fetch_rows, rows_at  # noqa: PLC0415 - few remotes keep versions

        proofs = ProofBook(index, store)
        rows = rows_at(part.project, wanted, remote)
        for trouble in fetch_rows(rows, lambda: Intake(store, proofs), remote, events=self._events):
            if trouble.error is not None:
                raise trouble.error
            if trouble.kind == "corrupt":
                raise damaged([trouble.oid], remote.store, items)

    def _legacy(self, items: Sequence[tuple[str, Data]], remote: str | None) -> None:
        """Objects that DVC 2 named: fetched aside, proven by their old names, taken in under new ones."""
        with Staging(self._shelf.staging, self._shelf.staging) as staging:
            aside = ObjectStore(f"{staging.path}/legacy")
            self._objects(items, remote, aside, StatIndex(None), legacy=True)
            with Intake(self._shelf.store, self._proofs) as intake:
                download = Download(intake)
                for path, data in items:
                    content = aside.read(Oid(str(data.oid)), legacy=True)
                    self._found[path] = Oid(download.take(content).hex()), len(content)
                intake.commit()
            self._proofs.flush()


def _refuse_damaged(done: Transferred, origin: "BlobStore", items: Sequence[tuple[str, Data]]) -> None:
    """Damage at one place is no harm while the next place has a good copy, but failing to ask is."""
    if done.failed:
        raise done.failed[0][1]
    if done.corrupt and origin.local_root is None:
        raise damaged(done.corrupt, origin, items)


def damaged(oids: Iterable[Oid], origin: "BlobStore", items: Sequence[tuple[str, Data]]) -> FourfoldError:
    """The error for objects whose bytes at the source are not what their names say."""
    bad = set(oids)
    details = [f"{path}  md5 {data.oid}" for path, data in items if data.oid in bad]
    return CorruptOnRemoteError(
        f"{len(bad)} object{'s' * (len(bad) != 1)} on {origin.url} are damaged; none was taken over",
        hint="whoever has good copies can heal them there: ff repair -r <remote>",
        details=details,
    )
