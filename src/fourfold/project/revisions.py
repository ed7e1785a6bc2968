"""Loading what a revision tracks, from Git's objects alone: no work tree is touched.

The same rules as for the workspace (`files`), but for Git's ignore rules, which a commit has behind
it. Whoever goes through many revisions passes one `Parsed` to all of them: a file that did not change
between two commits is parsed once.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import UnsupportedError
from fourfold.project.outs import LOCK_FILE, PIPELINE_FILE, Owner, folders_above, is_owner_file
from fourfold.project.owners import Collector, Tracking, parse_file
from fourfold.project.project import DVC_DIR

if TYPE_CHECKING:
    from fourfold.base.ids import CommitId
    from fourfold.project.config import Config
    from fourfold.project.project import Project
    from fourfold.scm.git import Git

#: Git's ids of the files that templates read, by path; None for one that was not there.
_Consulted = Mapping[str, str | None]
#: (path of an owner file, Git's ids of it and of its lock file) -> what it declares, for each state of the
#: files that its templates read.
Parsed = dict[tuple[str, str, str], list[tuple[_Consulted, tuple[Owner, ...]]]]


#: Git's modes of files that are no links.
_REGULAR = frozenset(("100644", "100755"))


class NoRevisionsError(UnsupportedError):
    """A revision was named in a project without Git."""

    code = "no-revisions"


class _Files(NamedTuple):
    """The files of a revision that matter, relative to the project's root -> Git's object id."""

    owners: dict[str, str]
    locks: dict[str, str]
    ignores: dict[str, str]


def load_revision(
    project: "Project", rev: str, *, strict: bool = True, parsed: Parsed | None = None
) -> Tracking:
    """Everything that a revision of the project tracks.

    Args:
        project: Whose; its root is also where the paths of the result lie.
        rev: Anything Git can resolve to a commit.
        strict: Fail on the first broken file. Otherwise collect the errors and go on.
        parsed: What earlier calls parsed; this call adds to it.

    Raises:
        NoRevisionsError: the project has no Git repository.
        UnknownRevisionError: Git has no such revision.
        InvalidFileError, UnsafePathError, ConflictError: as `files.load_tracked`.
    """
    if project.git is None:
        raise NoRevisionsError(
            f"there is no revision '{rev}': the project is not in a Git repository",
            hint="if it is in one now, run: ff config --unset core.no_scm",
        )
    return load_from_git(project.git, rev, project.root, strict=strict, parsed=parsed, config=project.config)


def load_from_git(
    git: "Git",
    rev: str,
    root: str,
    *,
    strict: bool = True,
    parsed: Parsed | None = None,
    config: "Config | None" = None,
) -> Tracking:
    """Everything that a revision of a repository tracks, also of a bare one.

    Args:
        git: The repository.
        rev: Anything Git can resolve to a commit.
        root: The project's root: an absolute path at or below ``git.root``, which need not exist.
        strict: As in `load_revision`.
        parsed: As in `load_revision`.
        config: Of the project, for templates of commands.
    """
    commit = git.resolve(rev)
    prefix = "" if root == git.root else os.path.relpath(root, git.root).replace(os.sep, "/") + "/"
    entries = git.ls_tree(commit, prefix)
    files = _sort_out((entry.path[len(prefix) :], entry.oid) for entry in entries if entry.mode in _REGULAR)
    cache: Parsed = {} if parsed is None else parsed
    keys = {path: _key(path, oid, files) for path, oid in files.owners.items()}
    fresh = [path for path, key in keys.items() if key not in cache]
    wanted = [*fresh, *(lock for path in fresh if (lock := _lock_of(path)) in files.locks), *files.ignores]
    blobs = git.read_many(commit, [prefix + path for path in wanted]) if wanted else {}
    tree = {entry.path[len(prefix) :]: entry.oid for entry in entries if entry.mode in _REGULAR}
    reading = _Reading(git, commit, prefix, root, tree, blobs)
    ignored = _ignored({path: blobs[prefix + path] for path in files.ignores}, root)
    collector = Collector(root, strict=strict, config=config)

    def load(relpath: str) -> None:
        key = keys[relpath]
        collector.saw(os.path.join(root, relpath))
        for consulted, owners in cache.get(key, ()):
            if all(tree.get(path) == oid for path, oid in consulted.items()):
                collector.add(owners)
                return
        reading.consulted = {}
        owners = parse_file(root, os.path.join(root, relpath), reading.read, config)
        cache.setdefault(key, []).append((reading.consulted, owners))
        collector.add(owners)

    for relpath in sorted(files.owners, key=lambda path: (path.count("/"), path)):
        path = os.path.join(root, relpath)
        if not ignored(path) and not any(folder in collector.paths for folder in folders_above(path)):
            collector.guard(lambda relpath=relpath: load(relpath))  # type: ignore[misc]
    return collector.finish(commit)


class _Reading:
    """The files of one revision, those that only templates ask for read when they do.

    Attributes:
        consulted: What was asked for since this was last emptied, but for pipeline and lock files.
    """

    def __init__(
        self,
        git: "Git",
        commit: "CommitId",
        prefix: str,
        root: str,
        tree: Mapping[str, str],
        blobs: dict[str, bytes],
    ) -> None:
        self._git = git
        self._commit = commit
        self._prefix = prefix
        self._root = root
        self._tree = tree
        self._blobs = blobs
        self.consulted: dict[str, str | None] = {}

    def read(self, path: str) -> bytes | None:
        """The bytes of a file by its absolute path; None when the revision has none."""
        relpath = os.path.relpath(path, self._root).replace(os.sep, "/")
        oid = self._tree.get(relpath)
        if os.path.basename(relpath) != LOCK_FILE and not is_owner_file(os.path.basename(relpath)):
            self.consulted[relpath] = oid
        if oid is None:
            return None
        name = self._prefix + relpath
        if name not in self._blobs:
            self._blobs |= self._git.read_many(self._commit, [name])
        return self._blobs.get(name)


def _key(path: str, oid: str, files: _Files) -> tuple[str, str, str]:
    return path, oid, files.locks.get(_lock_of(path), "") if path.endswith(PIPELINE_FILE) else ""


def _lock_of(path: str) -> str:
    """Where the lock file of a ``dvc.yaml`` would be; a name that exists nowhere for pointer files."""
    folder, name = os.path.split(path)
    return os.path.join(folder, LOCK_FILE) if name == PIPELINE_FILE else ""


def _sort_out(entries: Iterable[tuple[str, str]]) -> _Files:
    """Pick what matters, leaving out everything below projects of their own."""
    files = _Files({}, {}, {})
    others: set[str] = set()
    for path, oid in entries:
        folder, name = os.path.split(path)
        if f"/{DVC_DIR}/" in path:
            others.add(path[: path.index(f"/{DVC_DIR}/")])
        elif name == LOCK_FILE:
            files.locks[path] = oid
        elif name == ".dvcignore":
            files.ignores[path] = oid
        elif is_owner_file(name) and not folder.startswith(DVC_DIR + "/") and folder != DVC_DIR:
            files.owners[path] = oid
    if not others:
        return files

    def own(found: dict[str, str]) -> dict[str, str]:
        return {
            path: oid
            for path, oid in found.items()
            if not any(path.startswith(other + "/") for other in others)
        }

    return _Files(own(files.owners), own(files.locks), own(files.ignores))


def _ignored(contents: dict[str, bytes], root: str) -> Callable[[str], bool]:
    """Whether the ``.dvcignore`` files of the revision hide an absolute path."""
    if not contents:
        return lambda _path: False
    from fourfold.project.ignore import Ignore  # noqa: PLC0415 - few revisions have one with rules

    ignore = Ignore(root, contents)
    return lambda path: ignore.is_ignored(path, is_dir=False)
