"""A moment of a project (the workspace, or a revision), as metrics and parameters are read from it.

A file is read from where it is at that moment: the workspace or Git, else the cache, when it is an output
or lies inside one. Nothing is checked out.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from fourfold.base.errors import FourfoldError, NotFoundError, from_os_error
from fourfold.base.fs.reading import read_file
from fourfold.base.ids import CommitId, is_tree
from fourfold.formats.dvc import params
from fourfold.formats.dvc.stages import PipelineFile
from fourfold.project.files import Tracking, load_tracked, read_owner_file
from fourfold.project.outs import Tracked
from fourfold.project.revisions import Parsed, load_revision
from fourfold.project.scope import Scope, revision_names
from fourfold.project.stagefiles import pipeline_file

if TYPE_CHECKING:
    from fourfold.project.project import Project
    from fourfold.scm.git import Git

WORKSPACE = "workspace"


class FileAbsentError(NotFoundError):
    """A file of metrics or parameters is nowhere at that moment, not in the cache either."""

    code = "file-absent"

    def __init__(self, path: str, *, cached: bool = False) -> None:
        super().__init__(f"'{path}' does not exist", hint="bring tracked data with: ff pull")
        self.path = path
        #: Whether the cache is where it should be.
        self.cached = cached


class FileValue(NamedTuple):
    """What one file holds, or why that is not known."""

    data: Any = None
    error: FourfoldError | None = None


class Values(NamedTuple):
    """Everything asked for at one moment.

    Attributes:
        files: By path from the project's root.
        error: Why there is nothing, when what the moment tracks cannot be loaded.
    """

    files: dict[str, FileValue]
    error: FourfoldError | None = None


class Moment:
    """What a project tracks at one moment, and the content of its files then.

    Args:
        project: Whose.
        tracking: What it tracks.
        git: Reads files of revisions instead of the project's own.
    """

    def __init__(self, project: "Project", tracking: Tracking, git: "Git | None" = None) -> None:
        self._project = project
        self.tracking = tracking
        self._outs = {out.relpath: out for out in tracking.outs}
        self._git = git = git or project.git
        self._prefix = ""
        if git is not None and project.root != git.root:
            self._prefix = os.path.relpath(project.root, git.root).replace(os.sep, "/") + "/"
        self._pipelines: dict[str, PipelineFile] | None = None

    @property
    def _rev(self) -> CommitId | None:
        return self.tracking.rev

    def pipelines(self) -> dict[str, PipelineFile]:
        """The ``dvc.yaml`` files, their templates resolved, by path from the root."""
        if self._pipelines is None:
            root = self._project.root
            self._pipelines = {}
            for relpath in self.tracking.pipelines:
                path = os.path.join(root, relpath)
                data = self._owner_bytes(path) or b""
                self._pipelines[relpath] = pipeline_file(
                    root, path, data, self._owner_bytes, self._project.config
                )
        return self._pipelines

    def _owner_bytes(self, path: str) -> bytes | None:
        """A file that tells of the pipeline, by its absolute path."""
        if self._rev is None:
            return read_owner_file(self._project.root, path)
        return self._from_git(os.path.relpath(path, self._project.root).replace(os.sep, "/"))

    def _from_git(self, path: str) -> bytes | None:
        git = self._git
        if git is None or self._rev is None:
            return None
        return git.read_many(self._rev, [self._prefix + path]).get(self._prefix + path)

    def has(self, path: str) -> bool:
        """Whether there is a file at a path from the root."""
        try:
            self.read(path)
        except FourfoldError:
            return False
        return True

    def read(self, path: str) -> bytes:
        """The bytes of a file.

        Raises:
            FileAbsentError: it is nowhere to be had here.
            CorruptObjectError: the cache's copy is damaged.
        """
        data = self._plain(path)
        if data is None:
            data = self._cached(path)
        if data is None:
            out, _inner = self._out_at(path)
            raise FileAbsentError(path, cached=out is not None and out.output.cache)
        return data

    def _plain(self, path: str) -> bytes | None:
        if self._rev is not None:
            return self._from_git(path)
        try:
            return read_file(os.path.join(self._project.root, path))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise from_os_error(error, f"reading {path}") from error

    def _cached(self, path: str) -> bytes | None:
        out, inner = self._out_at(path)
        if out is None or out.oid is None:
            return None
        store, legacy = self._project.store, out.output.legacy
        oid = out.oid
        if is_tree(oid):
            if not inner or not store.has(oid, legacy=legacy):
                return None
            found = store.read_tree(oid, legacy=legacy).get(inner)
            if found is None:
                return None
            oid = found
        elif inner:
            return None
        return store.read(oid, legacy=legacy) if store.has(oid, legacy=legacy) else None

    def _out_at(self, path: str) -> tuple[Tracked | None, str]:
        """The output at, or around, a path, and the rest of the path."""
        at = path
        while at:
            if at in self._outs:
                return self._outs[at], path[len(at) + 1 :]
            at = at.rpartition("/")[0]
        return None, ""

    def expand(self, path: str) -> list[str]:
        """A file as it is, a folder as the files below it, sorted."""
        found = self._below(path)
        return found or [path]

    def _below(self, path: str) -> list[str]:
        root = self._project.root
        if self._rev is None and os.path.isdir(os.path.join(root, path)):
            return sorted(
                self._project.relpath(os.path.join(folder, name))
                for folder, _folders, names in os.walk(os.path.join(root, path))
                for name in names
            )
        out, inner = self._out_at(path)
        kept = out is not None and out.output.cache  # what is not cached lies in Git
        if kept and out is not None and out.oid is not None and is_tree(out.oid):
            if not self._project.store.has(out.oid, legacy=out.output.legacy):
                return []
            tree = self._project.store.read_tree(out.oid, legacy=out.output.legacy)
            part = tree.subtree(inner) if inner and tree.span(inner) else None if inner else tree
            return [f"{path}/{name}" for name in part.paths] if part is not None else []
        if kept:
            return []
        below = [name for name in self._outs if name.startswith(path + "/")]
        names = [inner for name in below for inner in self.expand(name)]
        if self._rev is not None and self._git is not None:
            entries = self._git.ls_tree(self._rev, self._prefix + path)
            found = (entry.path[len(self._prefix) :] for entry in entries)
            names += [name for name in found if name.startswith(path + "/")]
        return sorted(set(names))

    def value(self, path: str) -> Any:
        """The plain value of a file of parameters or metrics.

        Raises:
            FileAbsentError, InvalidFileError: it is not there, or cannot be understood.
        """
        return params.parse(self.read(path), os.path.basename(path), path)


def moments(
    project: "Project", scope: Scope, *, revs: Sequence[str] = ()
) -> Iterator[tuple[str, Moment | FourfoldError]]:
    """The moments that DVC would show, by name: the workspace first.

    A project without revisions asked for gives one moment, called ``""``.

    Args:
        project: Whose.
        scope: Branches, tags, commits.
        revs: Names of revisions; ``workspace`` is one.

    Raises:
        NoHistoryError: revisions were asked for without Git.
        UnknownRevisionError: Git has no such revision.
    """
    named = tuple(rev for rev in revs if rev != WORKSPACE)
    asked = scope._replace(revs=(*scope.revs, *named))
    alone = asked.is_workspace and not revs
    yield "" if alone else WORKSPACE, _load(project, None, {})
    if alone:
        return
    parsed: Parsed = {}
    for commit, names in revision_names(project, asked).items():
        yield ",".join(names), _load(project, commit, parsed)


def _load(project: "Project", commit: CommitId | None, parsed: Parsed) -> Moment | FourfoldError:
    try:
        tracking = load_tracked(project) if commit is None else load_revision(project, commit, parsed=parsed)
    except FourfoldError as error:
        return error
    return Moment(project, tracking)


def gather(
    project: "Project",
    read: Callable[[Moment], dict[str, FileValue]],
    *,
    scope: Scope,
    revs: Sequence[str] = (),
    keep_workspace: bool = False,
) -> dict[str, Values]:
    """What is read at each moment, by its name; what fails is told there and stops nothing.

    Args:
        project: Whose.
        read: The files of one moment with what they hold.
        scope: Branches, tags, commits.
        revs: Revisions by name; ``workspace`` is one.
        keep_workspace: Keep the workspace when it equals the branch that is checked out.

    Raises:
        NoHistoryError, UnknownRevisionError: a revision cannot be had.
    """
    found: dict[str, Values] = {}
    for name, moment in moments(project, scope, revs=revs):
        if isinstance(moment, FourfoldError):
            found[name] = Values({}, moment)
            continue
        try:
            found[name] = Values(read(moment))
        except FourfoldError as error:
            found[name] = Values({}, error)
    return found if keep_workspace else _hide_workspace(project, found)


def _hide_workspace(project: "Project", found: dict[str, Values]) -> dict[str, Values]:
    """Leave the workspace out when it equals the branch that is checked out."""
    branch = project.git.branch() if project.git is not None else None
    if branch is not None and found.get(WORKSPACE) is not None and found.get(WORKSPACE) == found.get(branch):
        return {name: values for name, values in found.items() if name != WORKSPACE}
    return found
