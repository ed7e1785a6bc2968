"""The box: a clean worktree in a folder of our own, in which something that ran once runs again.

The code of a record, in a Git repository of its own that reads the objects of the user's; inputs copied (or
cloned) from where their bytes are had, each byte proven. The user's repository, index, refs and workspace
are read and never written, and nothing in a box is a link to anything of theirs. Where bytes are had is
`originals`; what is run in a box, and when, is `replay`.
"""

import os
import shutil
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self

from fourfold.base.errors import FourfoldError, NotFoundError, UnsupportedError, from_os_error
from fourfold.base.ids import UnsafePathError, is_unsafe_path
from fourfold.content.statindex import StatIndex
from fourfold.evidence.replaying.attached import attach
from fourfold.evidence.replaying.boxgit import borrow_repository, hide
from fourfold.formats.native.record import RunRecord
from fourfold.project.ignore import Ignore
from fourfold.project.project import Project
from fourfold.runs import coderestore
from fourfold.runs.changes import is_named, paths_in, value_of
from fourfold.runs.contents import Content, Contents
from fourfold.runs.place import Place
from fourfold.runs.scratch import KEPT, claim, drop, empty, release, remove
from fourfold.scm.git import Git, UnknownRevisionError
from fourfold.scm.process import GitFailedError
from fourfold.scm.unpack import FolderNotEmptyError

if TYPE_CHECKING:
    from fourfold.runs.store import Records

#: Below the folder of ours: one folder a replay, named by its process.
REPLAYS = "replays"


class CodeUnknownError(UnsupportedError):
    """A run was recorded outside of Git, or its code could not be: nobody can put it back."""

    code = "replay-without-code"


class CommitGoneError(NotFoundError):
    """The commit of a run is not in this repository: it was never fetched, or is rewritten and gone."""

    code = "replay-commit-gone"


class RecordPathError(UnsafePathError):
    """A record names a folder or file that could lie outside of a box."""

    code = "record-path-unsafe"


class BoxPlace(Place):
    """The place of a box: what is remembered and kept, is kept in the user's own folder."""

    def make(self, *parts: str) -> str:
        """See `Place.make`; never in the box."""
        return Place(self.root, self.own, self.cwd, self.environ, self.clock, None, None).make(*parts)


class Bytes(Protocol):
    """Whoever has the bytes that rows name: `fourfold.evidence.replaying.originals`."""

    def fetch(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Bring them near, as far as that can be done at once."""
        ...

    def put(self, row: Mapping[str, Any], target: str) -> str:
        """Make a path hold them: where they came from; "" from nowhere."""
        ...


class Missing(NamedTuple):
    """What a run read and nobody has.

    Attributes:
        path: As the record names it.
        why: In words.
        declared: Whether the run said that it reads it.
    """

    path: str
    why: str
    declared: bool = True


class Box:
    """A worktree of its own; a context manager, which removes it at its end unless it is to be kept.

    Attributes:
        root: Absolute path of the worktree: the root of its Git repository.
        project_root: Absolute path of the project in it, which is the root mostly.
        git: Its repository.
        place: Where runs happen that run in it.
        left_out: What the run may have used of its code and no record keeps: relative to the repository.
        filtered: Why some files may look other than in a checkout; "" mostly.
        kept: Whether the worktree stays when the box is closed.
        borrowed: Inputs that only the workspace still had, as the record names them.
        strays: Outputs outside of it, absolute, that were not there before: they go with it.
    """

    def __init__(
        self,
        root: str,
        scratch: str,
        place: Place,
        restored: coderestore.Restored,
        user_root: str,
        *,
        was_there: bool = False,
    ) -> None:
        self.root = root
        self.place = place
        self.project_root = place.root
        self.git = place.git
        self.left_out = restored.left_out
        self.filtered = restored.filtered
        self.kept = False
        self.borrowed: tuple[str, ...] = ()
        self.strays: tuple[str, ...] = ()
        self.scratch = scratch
        self._user_root = user_root
        self._was_there = was_there
        self._contents = Contents(place)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove it, unless it is to be kept; what its run wrote elsewhere goes in any case."""
        if not self.kept:
            self.discard()
            return
        self._drop_strays()
        if not self.root.startswith(self.scratch + os.sep):
            drop(self.scratch)
        else:
            release(self.scratch)

    def discard(self) -> None:
        """Remove it, whatever was said of keeping; a folder that was there before stays, empty."""
        self._drop_strays()
        if self._was_there:
            empty(self.root)
        else:
            remove(self.root)
        drop(self.scratch)

    def _drop_strays(self) -> None:
        for path in self.strays:
            remove(path)
        self.strays = ()

    def keep(self) -> None:
        """Let the worktree stay.

        Raises:
            FourfoldError: the file system refuses.
        """
        self.kept = True
        try:
            with open(os.path.join(self.scratch, KEPT), "wb"):
                pass
        except OSError as error:
            raise from_os_error(error, f"writing {self.scratch}") from error

    # -- paths -------------------------------------------------------------------------------------

    def inside(self, shown: str) -> str | None:
        """The path in the box of what a record names; None for what lies outside of the repository.

        Args:
            shown: Relative to the root of the project, perhaps with leading ``../``; or absolute.

        Raises:
            RecordPathError: it could lead out of the box, or into the files of Git or the project.
        """
        if shown.startswith("~/") or "://" in shown:
            return None
        if os.path.isabs(shown):
            folder = self._user_root.rstrip("/") + "/"
            path = os.path.normpath(shown)
            if not path.startswith(folder):
                return None
            relative = path[len(folder) :]
        else:
            above = os.path.relpath(self.project_root, self.root).replace(os.sep, "/")
            relative = os.path.normpath(os.path.join(above, shown)).replace(os.sep, "/")
            if relative == ".." or relative.startswith("../"):
                return None
        if relative == ".":
            return self.root
        if is_unsafe_path(relative):
            raise RecordPathError(f"the record names a path that no run may touch: {shown!r:.120}")
        return os.path.join(self.root, relative)

    def outside(self, shown: str) -> str:
        """The path of what a record names outside of the repository; a relative one stays as it is."""
        home = self.place.environ.get("HOME", "")
        return os.path.normpath(os.path.join(home, shown[2:])) if home and shown.startswith("~/") else shown

    def where(self, shown: str) -> str:
        """The absolute path of what a record names: in the box, or where it lies; a URL stays as it is.

        Raises:
            RecordPathError: as `inside`.
        """
        path = self.inside(shown)
        if path is not None or "://" in shown:
            return path or shown
        return os.path.normpath(os.path.join(self.project_root, self.outside(shown)))

    def of_user(self, path: str) -> str:
        """Where a path of the box lies in the user's workspace."""
        return os.path.normpath(os.path.join(self._user_root, os.path.relpath(path, self.root)))

    def cwd(self, record: RunRecord) -> str:
        """The folder in which the commands of a record ran, in the box; made when it is not there.

        Raises:
            RecordPathError: it is none of the box.
        """
        shown = value_of(record.code, "cwd")
        path = self.inside(shown) if isinstance(shown, str) else self.project_root
        if path is None:
            raise RecordPathError(f"the run stood outside of its repository: {shown!r:.120}")
        self._make_folder(path)
        return path

    def content(self, path: str) -> Content | None:
        """What a path of the box holds; None when it is not there or cannot be read."""
        try:
            seen = self._contents.glimpse(path)
            return None if seen is None else self._contents.recall(path, seen) or self._contents.read(path)
        except (FourfoldError, FileNotFoundError):
            return None

    def has(self, row: Mapping[str, Any], path: str) -> bool:
        """Whether a path holds what a row of a record says."""
        found = self.content(path) if os.path.lexists(path) else None
        return found is not None and is_same(row, found)

    # -- data --------------------------------------------------------------------------------------

    def bring(
        self, rows: Iterable[Mapping[str, Any]], originals: Bytes, *, declared: bool = True
    ) -> list[Missing]:
        """Put inputs where they were, each byte proven; what is in the code with these bytes stays.

        Args:
            rows: As records name inputs: ``path``, ``md5``, perhaps ``blake3``.
            originals: Has the bytes.
            declared: Whether the run said that it reads them.

        Returns:
            What nobody has.

        Raises:
            RecordPathError: a path could lead out of the box.
            FourfoldError: the file system refuses.
        """
        wanted: list[tuple[Mapping[str, Any], str]] = []
        missing: list[Missing] = []
        for row in rows:
            path = self.inside(row["path"])
            if path == self.root:
                raise RecordPathError("the record names its whole repository as an input")
            if path is None:
                missing += self._outside(row, declared=declared)
            elif not self.has(row, path):
                wanted.append((row, path))
        originals.fetch(row for row, _ in wanted)
        for row, path in wanted:
            if not (row.get("md5") or row.get("blake3")):
                if not os.path.lexists(path):
                    missing.append(Missing(row["path"], "its content is not in the record", declared))
                continue
            self._make_folder(os.path.dirname(path))
            origin = originals.put(row, path)
            if not origin:
                why = "neither code, cache, remote, records nor workspace have its bytes"
                missing.append(Missing(row["path"], why, declared))
            elif origin == "workspace":
                self.borrowed += (row["path"],)
        return missing

    def _outside(self, row: Mapping[str, Any], *, declared: bool) -> list[Missing]:
        """What lies outside of the repository is read where it is: whether it is still the same."""
        shown: str = row["path"]
        if "://" in shown:
            return []
        path = self.outside(shown)
        if not os.path.isabs(path):
            return [Missing(shown, "it lies outside of the repository, and no box has it", declared)]
        if not (row.get("md5") or row.get("blake3")) or self.has(row, path):
            return []
        why = "it is another one now" if os.path.lexists(path) else "it is not there any more"
        return [Missing(shown, f"outside of the repository: {why}", declared)]

    def take(self, source: str, path: str) -> None:
        """Copy a file or folder into the box, in place of what is there.

        Raises:
            RecordPathError: the path could lead out of the box, or is all of it.
            FourfoldError: the file system refuses.
        """
        if path == self.root:
            raise RecordPathError("the record names its whole repository as an input")
        self._make_folder(os.path.dirname(path))
        remove(path)
        try:
            if os.path.isdir(source):
                # What a run made may have links to anywhere: they are copied, not what they lead to.
                shutil.copytree(source, path, symlinks=True)
            else:
                shutil.copyfile(source, path)
        except OSError as error:
            raise from_os_error(error, f"copying {source}") from error

    def clear(self, rows: Iterable[Mapping[str, Any]], read: Iterable[str] = ()) -> None:
        """Remove outputs, as a stage does before it runs; their folders are made.

        Args:
            rows: As records name outputs.
            read: Paths of inputs, as records name them: what holds one of them stays.

        Raises:
            RecordPathError: a path could lead out of the box.
        """
        needed: set[str] = set()
        for shown in read:
            path = self.inside(shown)
            while path is not None and path not in needed and len(path) > len(self.root):
                needed.add(path)
                path = os.path.dirname(path)
        for row in rows:
            path = self.inside(row["path"])
            if path is None or path == self.root or path in needed:
                continue
            self._make_folder(os.path.dirname(path))
            remove(path)

    def _make_folder(self, path: str) -> None:
        """A folder of the box, never by way of a symbolic link that leads out of it."""
        real, top = os.path.realpath(path), os.path.realpath(self.root)
        if real != top and not real.startswith(top + os.sep):
            shown = os.path.relpath(path, self.root)
            raise RecordPathError(f"a link of the code leads out of the box: {shown}")
        try:
            os.makedirs(path, exist_ok=True)
        except OSError as error:
            raise from_os_error(error, f"creating {path}") from error


def is_same(row: Mapping[str, Any], content: Content) -> bool:
    """Whether content is what a row of a record says."""
    return is_named(row, content.blake3, content.md5)


def open_box(
    place: Place, records: "Records", code: RunRecord, folder: str | None = None, *, name: str = "tree"
) -> Box:
    """Make a box with the code of a run.

    Args:
        place: The user's.
        records: Has the parts of the record.
        code: The run whose code it gets.
        folder: Where the worktree goes, absolute: empty, or not there; None for a folder of ours.
        name: What a worktree in a folder of ours is called.

    Raises:
        CodeUnknownError: the run was made outside of Git, or this folder is in none.
        CommitGoneError: this repository has not the commit of the run.
        FolderNotEmptyError: the folder has files.
        RecordPathError: the record names an odd folder.
        FourfoldError: Git, or the file system, refuses; the record's parts are not whole. Nothing stays.
    """
    git = place.git
    if git is None or code.code.get("tree") is None or value_of(code.code, "tree") is None:
        fact = code.code.get("tree")
        why = fact.why if fact is not None and fact.why else "this folder is in no Git repository"
        raise CodeUnknownError(
            f"the code of this run cannot be put back: {why}",
            hint="only runs that were recorded in a Git repository can be replayed",
        )
    scratch = claim(place.make(REPLAYS))
    root = folder if folder is not None else os.path.join(scratch, name)
    was_there = os.path.lexists(root)
    try:
        _refuse_full(root)
        try:
            restored = _restored(git, place, code, records, root)
            borrow_repository(git, place.environ, value_of(code.code, "commit"), root)
            hide(paths_in(value_of(code.code, "outputs"), records.part), root)
            more = attach(git, place.environ, code, records.part, root, restored.files)
            restored = restored._replace(left_out=(*restored.left_out, *more))
            inner = _place_in(place, code, root, scratch)
            return Box(root, scratch, inner, restored, git.root, was_there=was_there)
        except FolderNotEmptyError:
            raise  # somebody else's by now
        except BaseException:
            if was_there:
                empty(root)
            else:
                remove(root)
            raise
    except BaseException:
        drop(scratch)
        raise


def _restored(git: Git, place: Place, code: RunRecord, records: "Records", root: str) -> coderestore.Restored:
    """The code in its folder; where that fails, it is asked whether the repository has the commit at all."""
    try:
        return coderestore.restore(git, place.environ, code.code, records.part, root)
    except GitFailedError as error:
        commit = value_of(code.code, "commit")
        try:
            git.resolve(str(commit))
        except UnknownRevisionError:
            raise CommitGoneError(
                f"commit {str(commit)[:12]}, which the run was made at, is not in this repository",
                hint="bring it with: git fetch; or replay where it was made, or from an archive (ff export)",
            ) from error
        raise


def _refuse_full(folder: str) -> None:
    if os.path.lexists(folder) and not (os.path.isdir(folder) and not os.listdir(folder)):
        raise FolderNotEmptyError(
            f"'{folder}' is not an empty directory", hint="name one that is not there yet"
        )


def _place_in(place: Place, code: RunRecord, root: str, scratch: str) -> Place:
    shown = value_of(code.code, "folder")
    folder = shown if isinstance(shown, str) else "."
    if folder != "." and is_unsafe_path(folder):
        raise RecordPathError(f"the record names an odd folder of its project: {folder!r:.120}")
    project_root = root if folder == "." else os.path.join(root, folder)
    try:
        os.makedirs(project_root, exist_ok=True)
    except OSError as error:
        raise from_os_error(error, f"creating {project_root}") from error
    git = Git(root, place.environ)
    project = None
    if place.project is not None:
        project = Project(
            root=project_root,
            cwd=project_root,
            scm_root=root,
            open_git=lambda _folder: git,
            config=place.project.config,
            store=place.project.store,
            index=StatIndex(os.path.join(scratch, "index"), place.clock),
            ignore=Ignore(project_root),
            clock=place.clock,
            environ=place.environ,
        )
    return BoxPlace(project_root, place.own, project_root, place.environ, place.clock, project, git)
