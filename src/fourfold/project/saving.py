"""Saving: from outputs in the workspace to objects in the cache and to what pointer files say of them.

Shared by the verbs that record changes. The laws of the store order it: `Saver.take` hashes and hands
content to one intake, `Saver.settle` makes all of it durable, then the verb writes its pointer
files, and last `Saver.relink` touches the workspace. What is written for a path inside a tracked
directory follows DVC: its size is known only while files were just appended.
"""

import os
from typing import TYPE_CHECKING, NamedTuple, Self

from fourfold.base.errors import ConflictError, UnsupportedError
from fourfold.base.events import Sink, silent
from fourfold.base.ids import Oid, RelPath, is_tree
from fourfold.content.build import identify, ingest, remember_joined, save_tree
from fourfold.content.identity import Built
from fourfold.content.intake import Intake, Stored
from fourfold.content.tree import Tree, unpack
from fourfold.formats.dvc.pointer import Output
from fourfold.project.desk import desk_for, intake_of, journal, pruning

if TYPE_CHECKING:
    from fourfold.project.oplog import Operation
    from fourfold.project.project import Project


class TrackedAsFileError(ConflictError):
    """A path inside of an output was named, but the output is tracked as a file."""

    code = "tracked-as-file"


class LegacyDirectoryError(UnsupportedError):
    """A part of a directory that DVC 2 hashed cannot be recorded with DVC 3's hash."""

    code = "legacy-directory"


class _Linking(NamedTuple):
    """What is left to do in the workspace once the pointer files stand."""

    path: str
    built: Built
    legacy: bool


class Saver:
    """One batch of outputs on their way into the cache; to be used in a ``with`` block.

    Args:
        project: Whose.
        store: Save the content; otherwise it is only identified (``--no-commit``).
        relink: Let the workspace share bytes with the cache, as configured, when `relink` is called.
        events: Hears the phases.
    """

    def __init__(
        self, project: "Project", *, store: bool = True, relink: bool = True, events: Sink = silent
    ) -> None:
        self._project = project
        self._store = store
        self._relink = relink
        self._events = events
        self._intake = intake_of(project)
        self._legacy_intake: Intake | None = None
        self._linkings: list[_Linking] = []
        self._joined: list[_Linking] = []
        self._trees: dict[Oid, Tree] = {}
        self._types = project.config.cache_types if relink else ("copy",)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._intake.abort()
        if self._legacy_intake is not None:
            self._legacy_intake.abort()

    def take(self, path: str, output: Output) -> Output:
        """What a whole output is now, its content handed to the cache.

        Args:
            path: Where it is, absolute.
            output: What was said of it.

        Returns:
            The same, with what its content is now; an output that DVC 2 hashed stays so while it is
            unchanged.

        Raises:
            FileNotFoundError: it is not there.
            ChangedDuringReadError: it would not hold still.
            FourfoldError: what cannot be tracked: a dangling link, a socket, a name that is not UTF-8.
        """
        legacy = (
            output.legacy and output.oid is not None and self._identify(path, legacy=True).oid == output.oid
        )
        built = self._read(path, save=self._store and output.cache, legacy=legacy)
        return described(output, built, legacy=legacy)

    def take_inside(self, path: str, output: Output, inner: RelPath) -> Output:
        """What a tracked directory is after one file or folder in it is recorded anew, or gone.

        Args:
            path: Absolute path of the file or folder.
            output: What was said of the directory.
            inner: The same path, relative to the directory.

        Raises:
            FileNotFoundError: there is nothing, and the directory never had it.
            TrackedAsFileError: the output is a file.
            LegacyDirectoryError: DVC 2 hashed the directory.
            ObjectMissingError, CorruptObjectError: the directory's manifest cannot be read.
        """
        if output.oid is not None and not is_tree(output.oid):
            raise TrackedAsFileError(
                f"cannot modify '{output.path}' which is being tracked as a file",
                hint=f"if it is a directory now, track it anew: ff add {output.path}",
            )
        if output.legacy:
            raise LegacyDirectoryError(
                f"'{output.path}' has hashes of DVC 2: a part of it cannot be recorded alone",
                hint=f"record all of it with DVC 3's hashes: ff add {output.path}",
            )
        save = self._store and output.cache
        old = self._tree(output.oid)
        had = old.find(inner) >= 0 or bool(old.span(inner))
        try:
            built = self._read(path, save=save, legacy=False)
        except FileNotFoundError:
            if not had:
                raise
            new, size = old.replaced(inner, None), None
        else:
            new = _without_files_above(old, inner).replaced(
                inner, built.tree if built.is_directory else built.oid
            )
            size = _size_after(output, built, had=had, same=new.oid == output.oid)
        if save:
            save_tree(new, self._intake)
        self._trees[new.oid] = new
        self._project.index.forget(path)  # its files are on record below the directory
        self._joined = [joined for joined in self._joined if joined.path != path]
        return _without_cloud(output)._replace(oid=new.oid, legacy=False, size=size, nfiles=len(new))

    def _tree(self, oid: Oid | None) -> Tree:
        if oid is None:
            return Tree([], b"")
        return self._trees.get(oid) or self._project.store.read_tree(oid)

    def _read(self, path: str, *, save: bool, legacy: bool) -> Built:
        if not save:
            return self._identify(path, legacy=legacy)
        skip_file, skip_directory = pruning(self._project, path)
        built = ingest(
            path,
            self._project.index,
            self._intake_for(legacy=legacy),
            legacy=legacy,
            link_types=self._types,
            skip_file=skip_file,
            skip_directory=skip_directory,
            events=self._events,
        )
        if self._types[:1] == ("hardlink",):
            self._joined.append(_Linking(path, built, legacy))
        shares = self._types[:1] in {("hardlink",), ("symlink",)}
        if self._relink and (shares or built.scan.links or not built.is_directory):
            self._linkings.append(_Linking(path, built, legacy))
        return built

    def _identify(self, path: str, *, legacy: bool) -> Built:
        skip_file, skip_directory = pruning(self._project, path)
        return identify(
            path,
            self._project.index,
            legacy=legacy,
            skip_file=skip_file,
            skip_directory=skip_directory,
            events=self._events,
        )

    def _intake_for(self, *, legacy: bool) -> Intake:
        if not legacy:
            return self._intake
        if self._legacy_intake is None:
            self._legacy_intake = intake_of(self._project, legacy=True)
        return self._legacy_intake

    def settle(self) -> Stored:
        """Make everything that was taken durable in the cache.

        Raises:
            FourfoldError: the cache could not be written; what is named in it is whole.
        """
        stored = self._intake.commit()
        self._intake.proofs.flush()
        if self._legacy_intake is not None:
            more = self._legacy_intake.commit()
            self._legacy_intake.proofs.flush()
            stored = Stored(
                stored.added + more.added,
                stored.size + more.size,
                stored.present + more.present,
                stored.healed + more.healed,
            )
        for path, built, legacy in self._joined:
            remember_joined(path, built, self._project.index, legacy=legacy)
        self._joined.clear()
        return stored

    def relink(self, op: "Operation") -> int:
        """Let the workspace share bytes with the cache where that is configured; how many files changed.

        Args:
            op: Is told which symbolic links of the user are replaced by data.

        Raises:
            FourfoldError: a file could not be replaced; each is what it was or its link.
        """
        from fourfold.content.relink import relink  # noqa: PLC0415 - not with --no-commit or --no-relink

        made = 0
        for path, built, legacy in self._linkings:
            desk = desk_for(self._project, path, announce=journal(op))
            made += relink(path, built, desk, legacy=legacy, events=self._events)
        self._linkings.clear()
        return made


def _without_cloud(output: Output) -> Output:
    """The output without what a cloud said of its old content."""
    return output._replace(files=None, cloud=None, version_id=None, etag=None, checksum=None)


def described(output: Output, built: Built, *, legacy: bool = False) -> Output:
    """An output as its pointer file describes it, with its content of now; its options stay."""
    if output.oid == built.oid and output.legacy == legacy and (output.files or output.cloud):
        return output  # the same content: what the cloud said of it still holds
    nfiles = built.nfiles if built.is_directory else None
    now = described_as(output, built.oid, built.size, nfiles, isexec=built.isexec, legacy=legacy)
    return _listed(output, built, now) if output.files and built.is_directory else now


def _listed(output: Output, built: Built, now: Output) -> Output:
    """A directory that lists its files goes on doing so; what did not change keeps its version."""
    from fourfold.base.fs.walk import WIDTH  # noqa: PLC0415 - only what a cloud keeps in versions
    from fourfold.formats.dvc import cloudfiles  # noqa: PLC0415 - likewise

    rows = zip(built.scan.names, unpack(built.packed), built.scan.stats[0::WIDTH], strict=True)
    return now._replace(files=cloudfiles.kept(output.files or (), rows))


def described_as(
    output: Output, oid: Oid, size: int, nfiles: int | None, *, isexec: bool = False, legacy: bool = False
) -> Output:
    """An output with content that is known by name; its options stay."""
    return _without_cloud(output)._replace(oid=oid, legacy=legacy, size=size, nfiles=nfiles, isexec=isexec)


def _without_files_above(tree: Tree, inner: str) -> Tree:
    """The tree without files that stand where ``inner`` needs folders."""
    folder = os.path.dirname(inner)
    while folder:
        if tree.find(folder) >= 0:
            tree = tree.replaced(folder, None)
        folder = os.path.dirname(folder)
    return tree


def _size_after(output: Output, built: Built, *, had: bool, same: bool) -> int | None:
    """The size that DVC writes: a sum for an append, the old one for no change, else none."""
    if not had and output.size:
        return output.size + built.size
    return output.size if same and output.oid is not None else None
