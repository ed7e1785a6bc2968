"""Elsewhere: another repository, opened to read from: a folder of this machine, or a Git address.

A folder is read as it is now, or at a revision; anything else through a mirror in the user's own cache
folder. Nothing of the source runs, nothing is written there, and what its configuration may decide is
what any committed configuration may. What it holds is `sourceview`; bringing it here is `materialize`.
"""

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import NotFoundError
from fourfold.base.ids import CommitId
from fourfold.content.objects import ObjectStore
from fourfold.content.statindex import StatIndex
from fourfold.project.config import Config, Level, NoRemoteError, config_files
from fourfold.project.files import Tracking, load_tracked
from fourfold.project.ignore import Ignore
from fourfold.project.project import DVC_DIR, Project, find_root
from fourfold.project.sourceconfig import MAX_CONFIG, RemoteSettings, committed, with_settings
from fourfold.project.sourcefiles import FolderFiles, GitFiles, SourceFiles
from fourfold.scm.git import Git
from fourfold.scm.git import find_root as find_git_root
from fourfold.scm.refs import is_full_id
from fourfold.scm.urls import parse_url, shown

if TYPE_CHECKING:
    from fourfold.base.clock import Clock
    from fourfold.content.tree import Tree
    from fourfold.project.remotes import Remote


class SourceNotFoundError(NotFoundError):
    """There is no repository at that place."""

    code = "source-not-found"


class Surroundings(NamedTuple):
    """What opening needs of the caller.

    Attributes:
        environ: The process environment.
        base: The absolute folder against which a relative address is meant.
        clock: Where the time comes from.
    """

    environ: Mapping[str, str]
    base: str
    clock: "Clock"


class Part:
    """One DVC project inside of a source.

    Attributes:
        prefix: Its folder from the source's root; empty for the root.
        project: Its configuration and cache. It has no index: nothing of it is ever written.
    """

    def __init__(self, prefix: str, project: Project, git: Git | None, rev: CommitId | None) -> None:
        self.prefix = prefix
        self.project = project
        self._git = git
        self._rev = rev
        self._tracking: Tracking | None = None
        self._remotes: dict[str | None, Remote] = {}
        #: Manifests that were read already.
        self.trees: dict[str, Tree] = {}

    @property
    def tracking(self) -> Tracking:
        """What it tracks.

        Raises:
            InvalidFileError, UnsafePathError, ConflictError: as `files.load_tracked`.
        """
        if self._tracking is None:
            if self._rev is None or self._git is None:
                self._tracking = load_tracked(self.project)
            else:
                from fourfold.project.revisions import load_from_git  # noqa: PLC0415 - only with a revision

                self._tracking = load_from_git(self._git, self._rev, self.project.root)
        return self._tracking

    def remote(self, name: str | None, jobs: int | None = None) -> "Remote | None":
        """A remote of it, by default the default one; None when there is no default.

        Raises:
            RemoteNotFoundError, ConfigError, UnsafeError: it cannot be used.
        """
        if name not in self._remotes:
            from fourfold.project.remotes import open_remote  # noqa: PLC0415 - only when the cache lacks data

            try:
                self._remotes[name] = open_remote(self.project, name, jobs=jobs)
            except NoRemoteError:
                return None
        return self._remotes[name]


class Source:
    """An opened repository.

    Attributes:
        url: As it was given.
        root: Absolute folder of its root; for a Git address that of the mirror.
        rev: The commit that is read, or that is checked out while the folder is read as it is; None
            without Git or commits.
        is_workspace: The folder is read as it is.
        git: The Git repository.
        files: Its plain files.
    """

    def __init__(
        self,
        url: str,
        root: str,
        *,
        git: Git | None,
        rev: CommitId | None,
        is_workspace: bool,
        settings: RemoteSettings,
        surroundings: Surroundings,
        is_mirror: bool = False,
        subrepos: bool = True,
    ) -> None:
        self.url = url
        self.root = root
        self.git = git
        self.rev = rev
        self.is_workspace = is_workspace
        self._settings = settings
        self._around = surroundings
        self._is_mirror = is_mirror
        self._subrepos = subrepos
        self._parts: dict[str, Part | None] = {}
        self.files: SourceFiles = self._files()
        self._folders = _project_folders(self.files) if isinstance(self.files, GitFiles) else None

    @property
    def shown(self) -> str:
        """Its address for messages."""
        return shown(self.url)

    @property
    def has_cache(self) -> bool:
        """Whether it is a folder of this machine, with its own cache, and not the mirror of an address."""
        return not self._is_mirror

    @property
    def environ(self) -> Mapping[str, str]:
        """The environment it was opened with."""
        return self._around.environ

    @property
    def clock(self) -> "Clock":
        """The clock it was opened with."""
        return self._around.clock

    def at(self, rev: CommitId) -> "Source":
        """The same repository at one of its commits; nobody is asked for news."""
        return Source(
            self.url,
            self.root,
            git=self.git,
            rev=rev,
            is_workspace=False,
            settings=self._settings,
            surroundings=self._around,
            is_mirror=self._is_mirror,
            subrepos=self._subrepos,
        )

    def _files(self) -> SourceFiles:
        if self.is_workspace or self.git is None or self.rev is None:
            return FolderFiles(self.root)
        return GitFiles(self.git, self.rev, self._git_prefix())

    def _git_prefix(self) -> str:
        if self.git is None or self.root == self.git.root:
            return ""
        return os.path.relpath(self.root, self.git.root).replace(os.sep, "/") + "/"

    def part_at(self, path: str) -> tuple[Part | None, str]:
        """The project that a path belongs to, and the path in it."""
        parts = path.split("/") if path else []
        for at in range(len(parts) if self._subrepos else 0, -1, -1):
            prefix = "/".join(parts[:at])
            part = self.part(prefix)
            if part is not None:
                return part, "/".join(parts[at:])
        return None, path

    def part(self, prefix: str) -> Part | None:
        """The project whose root is a folder of the source; None when it is none's."""
        if prefix not in self._parts:
            self._parts[prefix] = self._load_part(prefix) if self._is_project(prefix) else None
        return self._parts[prefix]

    def _is_project(self, prefix: str) -> bool:
        if self._folders is not None:
            return prefix in self._folders
        folder = os.path.join(self.root, prefix) if prefix else self.root
        return os.path.isdir(os.path.join(folder, DVC_DIR))

    def hides(self, path: str) -> bool:
        """Whether a folder is a project of its own: it is found by its name, and not listed, as with DVC."""
        return bool(path) and self._is_project(path)

    def _load_part(self, prefix: str) -> Part:
        root = os.path.join(self.root, *prefix.split("/")) if prefix else self.root
        config = self._config(root, prefix)
        contents = None
        if isinstance(self.files, GitFiles):
            start = f"{prefix}/" if prefix else ""
            names = [
                path
                for path in self.files.paths
                if path.startswith(start) and path.rpartition("/")[2] == ".dvcignore"
            ]
            contents = {path[len(start) :]: data for path, data in self.files.read_many(names)}
        dvc_dir = os.path.join(root, DVC_DIR)
        cache = None if self._is_mirror else config.cache_dir
        git = self.git
        project = Project(
            root=root,
            cwd=root,
            scm_root=None if git is None or (config.no_scm and self.is_workspace) else git.root,
            open_git=lambda _folder: git,  # type: ignore[arg-type,return-value] # not asked without one
            config=config,
            store=ObjectStore(cache or os.path.join(dvc_dir, "cache")),
            index=StatIndex(None),
            ignore=Ignore(root, contents),
            clock=self._around.clock,
            environ=self._around.environ,
        )
        if isinstance(self.files, FolderFiles):
            self.files.allow(project.store.root)
        return Part(prefix, project, self.git, None if self.is_workspace else self.rev)

    def _config(self, root: str, prefix: str) -> Config:
        environ = self._around.environ
        home = environ.get("HOME") or environ.get("USERPROFILE") or ""
        dvc_dir = os.path.join(root, DVC_DIR)
        if os.path.isdir(dvc_dir) and not self._is_mirror:
            config = Config.load(config_files(dvc_dir, environ), home=home)
        else:
            users = Config.load(config_files(None, environ), home=home)
            folder = os.path.join(self._meant_at(), prefix, DVC_DIR)
            config = Config([*users.levels, self._committed(prefix, folder)], users.files)
            config.validate()
        return with_settings(config, self._settings, self._around.base, home)

    def _meant_at(self) -> str:
        """The folder against which relative paths of a mirrored configuration are meant."""
        path = parse_url(self.url, self._around.base).path if self._is_mirror else None
        return path if path is not None and os.path.isdir(path) else self.root

    def _committed(self, prefix: str, folder: str) -> Level:
        name = f"{prefix}/{DVC_DIR}/config" if prefix else f"{DVC_DIR}/config"
        info = self.files.info(name)
        readable = info is not None and not info.is_dir and info.size <= MAX_CONFIG
        data = b"".join(self.files.chunks(name)) if readable else b""
        return committed(data, f"{name} of {self.shown}", folder)


def _project_folders(files: GitFiles) -> set[str]:
    """The folders of a revision that hold a ``.dvc``."""
    marker = f"/{DVC_DIR}/"
    paths = (f"/{path}" for path in files.paths)
    return {path[: path.index(marker)].lstrip("/") for path in paths if marker in path}


# --- opening ----------------------------------------------------------------------------------------------


def mirrors_dir(environ: Mapping[str, str], platform: str = sys.platform) -> str:
    """The user's folder of mirrors: below ``XDG_CACHE_HOME``, or where the platform keeps caches."""
    base = environ.get("XDG_CACHE_HOME", "")
    home = environ.get("HOME") or environ.get("USERPROFILE") or "/"
    if not os.path.isabs(base):
        if platform == "win32":
            base = environ.get("LOCALAPPDATA") or os.path.join(home, "AppData", "Local")
        elif platform == "darwin":
            base = os.path.join(home, "Library", "Caches")
        else:
            base = os.path.join(home, ".cache")
    return os.path.join(base, "fourfold", "repos")


def open_source(
    url: str,
    surroundings: Surroundings,
    *,
    rev: str | None = None,
    settings: RemoteSettings = RemoteSettings(),  # noqa: B008 - a value, never changed
    subrepos: bool = True,
    refresh: bool = True,
) -> Source:
    """Open another repository.

    Args:
        url: A folder of this machine, or a Git address.
        surroundings: The environment, the folder of relative addresses, the clock.
        rev: The revision; by default a folder as it is, and the default branch of an address.
        settings: Which remote, and how.
        subrepos: Look into projects inside of the source too.
        refresh: Ask the address for news, unless ``rev`` is a commit that the mirror has.

    Raises:
        SourceNotFoundError: a folder holds no repository.
        UnknownRevisionError: there is no such revision.
        UnsafeGitUrlError: the address is of no allowed kind.
        UnavailableError, AuthError, NotFoundError: the address does not answer, or refuses.
    """
    folder = folder_of(url, surroundings.base)
    if folder is not None:
        root, git = _roots(folder, surroundings.environ)
        if root is not None:
            commit = git.resolve(rev) if git is not None and rev else git.head() if git is not None else None
            return Source(
                url,
                root,
                git=git,
                rev=commit,
                is_workspace=git is None or not rev,
                settings=settings,
                surroundings=surroundings,
                subrepos=subrepos,
            )
    elif not _looks_remote(url):
        raise SourceNotFoundError(f"there is no repository at '{shown(url)}': no such folder")
    git, commit = _mirror(url, rev, surroundings, refresh=refresh)
    return Source(
        url,
        git.root,
        git=git,
        rev=commit,
        is_workspace=False,
        settings=settings,
        surroundings=surroundings,
        is_mirror=True,
        subrepos=subrepos,
    )


def folder_of(url: str, base: str) -> str | None:
    """The folder of this machine that an address names; None when it names none that exists."""
    path = os.path.normpath(os.path.join(base, url))
    return path if os.path.isdir(path) else None


def _looks_remote(url: str) -> bool:
    return "://" in url or ":" in url.split("/", 1)[0]


def _roots(folder: str, environ: Mapping[str, str]) -> tuple[str | None, Git | None]:
    """The root of the project around a folder, else of the Git work tree, and Git; (None, None) if bare."""
    from fourfold.base.errors import NotAProjectError  # noqa: PLC0415 - one of two answers

    top = find_git_root(folder)
    try:
        root: str | None = find_root(folder)
    except NotAProjectError:
        root = top
    if root is None:
        if os.path.isfile(os.path.join(folder, "HEAD")) and os.path.isdir(os.path.join(folder, "objects")):
            return None, None
        raise SourceNotFoundError(
            f"'{folder}' is neither a DVC nor a Git repository", hint="name the root of a repository"
        )
    top = find_git_root(root)
    return root, Git(top, environ) if top is not None else None


def _mirror(url: str, rev: str | None, surroundings: Surroundings, *, refresh: bool) -> tuple[Git, CommitId]:
    import hashlib  # noqa: PLC0415 - only for addresses

    from fourfold.scm.git import UnknownRevisionError  # noqa: PLC0415 - likewise
    from fourfold.scm.mirror import fetch_commit, mirror  # noqa: PLC0415 - likewise

    environ, base = surroundings.environ, surroundings.base
    address = parse_url(url, base)
    name = hashlib.sha256(address.text.encode()).hexdigest()[:40]
    dest = os.path.join(mirrors_dir(environ), name)
    exact = rev is not None and is_full_id(rev)
    git = mirror(url, dest, environ, base=base, refresh=refresh and not exact)
    try:
        return git, git.resolve(rev or "HEAD")
    except UnknownRevisionError:
        if not exact:
            raise
    git = mirror(url, dest, environ, base=base)
    try:
        return git, git.resolve(str(rev))
    except UnknownRevisionError:
        if not fetch_commit(git, url, str(rev), environ, base=base):
            raise
    return git, git.resolve(str(rev))
