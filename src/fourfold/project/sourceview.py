"""What another repository holds, as one tree: its plain files, and what its projects track, merged.

A path is a plain file, tracked data, or both: data that is in the folder as well is read from there.
Directory manifests are read from the source's cache, or its remote. Nothing is written. Opening is
`elsewhere`, bringing content here `materialize`.
"""

from collections.abc import Iterator
from typing import NamedTuple

from fourfold.base.errors import FourfoldError
from fourfold.base.ids import Oid, is_tree, is_unsafe_path
from fourfold.content.objects import CorruptObjectError, ObjectMissingError, ObjectStore
from fourfold.content.tree import Tree
from fourfold.project.elsewhere import Part, Source
from fourfold.project.outs import Tracked, is_owner_file
from fourfold.project.sourcefiles import HIDDEN, Plain, SourcePathError
from fourfold.storage.blob.protocol import BlobNotFoundError

IGNORE_FILE = ".dvcignore"


class Data(NamedTuple):
    """What a project of the source tracks at a path.

    Attributes:
        part: The project.
        out: The output, or the directory output that holds it; None for a folder above outputs.
        inner: The path inside of the output.
        oid: The object of a file, the manifest of a whole output; None where neither names it.
        size: Bytes, where the pointer file knows them.
        is_dir: It is a directory, or a folder with tracked data somewhere below it.
    """

    part: Part
    out: Tracked | None = None
    inner: str = ""
    oid: Oid | None = None
    size: int | None = None
    is_dir: bool = False

    @property
    def is_out(self) -> bool:
        """Whether it is an output or lies inside one."""
        return self.out is not None

    @property
    def legacy(self) -> bool:
        """Whether it is hashed as DVC 2 did."""
        return self.out is not None and self.out.output.legacy


class Node(NamedTuple):
    """One path of a source.

    Attributes:
        path: From the source's root, POSIX; empty for the root.
        plain: What is there as a plain file or folder.
        data: What is tracked there.
    """

    path: str
    plain: Plain | None
    data: Data | None

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def is_dir(self) -> bool:
        """Whether it is a folder."""
        return self.plain.is_dir if self.plain is not None else self.data is not None and self.data.is_dir

    @property
    def is_out(self) -> bool:
        """Whether it is an output or lies inside one."""
        return self.data is not None and self.data.is_out

    @property
    def isexec(self) -> bool:
        """Whether it is a plain file that its owner may execute."""
        return self.plain is not None and self.plain.isexec

    @property
    def size(self) -> int | None:
        """Bytes; None where nobody knows without asking a remote."""
        if self.plain is not None:
            return self.plain.size
        return self.data.size if self.data is not None else None

    @property
    def oid(self) -> Oid | None:
        """The object that the source's pointer files name for it."""
        return self.data.oid if self.data is not None else None


class View:
    """The tree of one source.

    Args:
        source: The opened repository.
        known: Where manifests may lie besides the source: the caller's own cache.
        jobs: Requests to the source's remote at once.
    """

    def __init__(self, source: Source, known: ObjectStore | None = None, jobs: int | None = None) -> None:
        self.source = source
        self._known = known
        self._jobs = jobs
        self._indexes: dict[str, _Index] = {}

    # --- one path ---

    def node(self, path: str) -> Node:
        """What is at a path from the root; empty for the root itself.

        Raises:
            SourcePathError: nothing, or it is ignored or hidden.
            FourfoldError: what the source tracks cannot be understood, or its remote be asked.
        """
        path = clean(path)
        found = self._node(path)
        if found is None:
            raise SourcePathError(
                f"'{path}' does not exist in {self._where()}",
                hint=f"see what is there: ff list {self.source.shown}",
            )
        return found

    def _where(self) -> str:
        at = f" at {self.source.rev[:12]}" if self.source.rev and not self.source.is_workspace else ""
        return f"'{self.source.shown}'{at}"

    def _node(self, path: str) -> Node | None:
        if HIDDEN.intersection(path.split("/")):
            return None
        part, inner = self.source.part_at(path)
        plain = self.source.files.info(path)
        if plain is not None and self._ignored(part, inner, plain):
            plain = None
        data = None
        if part is not None:
            data = self._index(part).find(inner)
        return _merged(path, plain, data)

    def _ignored(self, part: Part | None, inner: str, plain: Plain) -> bool:
        if part is None or not inner:
            return False
        if self.source.part(f"{part.prefix}/{inner}".lstrip("/")) is not None:
            return False
        return part.project.ignore.is_ignored(inner, is_dir=plain.is_dir)

    def _index(self, part: Part) -> "_Index":
        if part.prefix not in self._indexes:
            self._indexes[part.prefix] = _Index(part, self)
        return self._indexes[part.prefix]

    # --- folders ---

    def children(self, path: str, *, plain: bool = True) -> list[Node]:
        """What is in a folder, by name.

        Args:
            path: From the root.
            plain: Also what is not tracked.
        """
        part, inner = self.source.part_at(path)
        files = self.source.files.names(path) if plain else {}
        data = self._index(part).children(inner) if part is not None else {}
        found = []
        for name in sorted({*files, *data}):
            full = f"{path}/{name}" if path else name
            if name in HIDDEN:
                continue
            file = files.get(name)
            if file is not None and self._ignored(part, f"{inner}/{name}".lstrip("/"), file):
                file = None
            node = _merged(full, file, data.get(name))
            if node is not None and not (node.is_dir and self.source.hides(full)):
                found.append(node)
        return found

    def walk(self, path: str, *, plain: bool = True) -> Iterator[Node]:
        """Every file below a folder, folder by folder."""
        level = [path]
        while level:
            below = []
            for folder in level:
                for node in self.children(folder, plain=plain):
                    if node.is_dir:
                        below.append(node.path)
                    else:
                        yield node
            level = below

    # --- manifests ---

    def tree(self, part: Part, out: Tracked) -> Tree:
        """The manifest of a directory output, proven.

        Raises:
            SourceDataMissingError: neither the caches nor the remote have it.
            CorruptObjectError, BadManifestError, UnsafePathError: it is damaged, or hostile.
            FourfoldError: the remote cannot be asked.
        """
        oid = Oid(str(out.oid))
        found = part.trees.get(oid)
        if found is None:
            found = part.trees[oid] = self._read_tree(part, out, oid)
        return found

    def _read_tree(self, part: Part, out: Tracked, oid: Oid) -> Tree:
        legacy = out.output.legacy
        if out.output.files:
            from fourfold.project.versioned import listed_tree  # noqa: PLC0415 - few outputs list files

            listed = listed_tree(out.output, out.owner.relpath)
            if listed is not None:
                return listed
        trouble: FourfoldError | None = None
        for store in (part.project.store, self._known):
            if store is not None:
                try:
                    return store.read_tree(oid, legacy=legacy)
                except ObjectMissingError:
                    continue
                except CorruptObjectError as error:
                    trouble = error
        remote = part.remote(out.output.remote, self._jobs)
        if remote is not None:
            from fourfold.content.transfer import remote_tree  # noqa: PLC0415 - when caches lack it

            if remote.version_aware:
                raise remote.unsupported("reading from elsewhere")
            try:
                return remote_tree(oid, remote.store, legacy=legacy)
            except BlobNotFoundError:
                pass
        raise trouble or missing(self.source, [(_join(part.prefix, out.relpath), oid)])


class SourceDataMissingError(SourcePathError):
    """Data that the source tracks is neither in its cache nor on its remote."""

    code = "source-data-missing"


def missing(source: Source, items: "list[tuple[str, Oid]]") -> SourceDataMissingError:
    """The error for data of a source that is nowhere to be had."""
    count = f"{len(items)} object{'s' * (len(items) != 1)}"
    return SourceDataMissingError(
        f"{count} of '{source.shown}' {'is' if len(items) == 1 else 'are'} not on its remote",
        hint="whoever has them can run there: ff push; or name another remote with --remote",
        details=[f"{path}  md5 {oid}" for path, oid in items],
    )


class _Index:
    """The outputs of one project by folder."""

    def __init__(self, part: Part, view: View) -> None:
        self._part = part
        self._view = view
        self._outs: dict[str, Tracked] = {}
        self._folders: dict[str, set[str]] = {"": set()}
        for out in part.tracking.outs:
            if not out.output.cache or (out.oid is None and out.output.files is None):
                continue
            self._outs[out.relpath] = out
            folder, _, name = out.relpath.rpartition("/")
            self._folders.setdefault(folder, set()).add(name)
            while folder:
                folder, _, name = folder.rpartition("/")
                self._folders.setdefault(folder, set()).add(name)

    def find(self, path: str) -> Data | None:
        out = self._outs.get(path)
        if out is not None:
            return self._whole(out)
        above, _, _name = path.rpartition("/")
        while above:
            out = self._outs.get(above)
            if out is not None:
                return self._inside(out, path[len(above) + 1 :])
            above, _, _name = above.rpartition("/")
        return Data(self._part, is_dir=True) if path in self._folders else None

    def _whole(self, out: Tracked) -> Data:
        is_dir = out.is_dir or out.output.files is not None
        return Data(self._part, out, "", out.oid, out.output.size, is_dir=is_dir)

    def _inside(self, out: Tracked, inner: str) -> Data | None:
        if not out.is_dir:
            return None
        tree = self._view.tree(self._part, out)
        oid = tree.get(inner)
        if oid is not None:
            return Data(self._part, out, inner, oid)
        return Data(self._part, out, inner, is_dir=True) if tree.span(inner) else None

    def children(self, path: str) -> dict[str, Data]:
        found: dict[str, Data] = {}
        for name in self._folders.get(path, ()):
            data = self.find(_join(path, name))
            if data is not None:
                found[name] = data
        if path in self._folders and path not in self._outs:
            return found
        at = path
        while at:
            out = self._outs.get(at)
            if out is not None:
                if out.is_dir:
                    found.update(self._listing(out, path[len(at) + 1 :]))
                break
            at = at.rpartition("/")[0]
        return found

    def _listing(self, out: Tracked, inner: str) -> Iterator[tuple[str, Data]]:
        tree = self._view.tree(self._part, out)
        cut = len(inner) + 1 if inner else 0
        seen = ""
        for at in tree.span(inner):
            name, slash, _rest = tree.paths[at][cut:].partition("/")
            if slash:
                if name != seen:
                    seen = name
                    yield name, Data(self._part, out, _join(inner, name), is_dir=True)
            else:
                yield name, Data(self._part, out, _join(inner, name), tree.digest(at))


def _merged(path: str, plain: Plain | None, data: Data | None) -> Node | None:
    if plain is None and data is None:
        return None
    if plain is not None and data is not None and plain.is_dir != data.is_dir:
        data = None
    return Node(path, plain, data)


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder and name else folder or name


def is_bookkeeping(name: str) -> bool:
    """Whether a file is DVC's own: pointer files, pipelines and ignore files are no data to take along."""
    return is_owner_file(name) or name in {IGNORE_FILE, "dvc.lock"}


def is_whole_tree(node: Node) -> bool:
    """Whether a node is a directory output of which nothing lies there as plain files."""
    data = node.data
    return (
        node.plain is None
        and data is not None
        and data.out is not None
        and not data.inner
        and data.oid is not None
        and is_tree(data.oid)
    )


def clean(path: str) -> str:
    """A path of a source as typed, from its root: no empty parts, no dots.

    Raises:
        SourcePathError: it leaves the source.
    """
    import posixpath  # noqa: PLC0415 - a name that others would shadow

    found = posixpath.normpath(path.replace("\\", "/") if "\\" in path and "/" not in path else path)
    found = found.lstrip("/") if path.startswith("/") else found
    if found in {".", ""}:
        return ""
    if found == ".." or found.startswith("../") or is_unsafe_path(found):
        raise SourcePathError(f"'{path[:120]}' is no path of a repository")
    return found
