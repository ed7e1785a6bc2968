"""A project on disk: the state that every verb is given, and nothing that a verb does.

`fourfold.wiring.open_project` builds it; opening reads the configuration and a few directory
entries, never a pointer file. This module has no verbs, knows no format, and prints nothing.
"""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from fourfold.base.errors import NotAProjectError, from_os_error
from fourfold.base.ids import UnsafePathError

if TYPE_CHECKING:
    from fourfold.base.clock import Clock
    from fourfold.content.objects import ObjectStore
    from fourfold.content.statindex import StatIndex
    from fourfold.project.config import Config
    from fourfold.project.ignore import Ignore
    from fourfold.scm.git import Git

DVC_DIR = ".dvc"
#: Our own folder below ``.dvc``: real DVC ignores it, and its own ``.gitignore`` keeps it from Git.
OWN_DIR = "fourfold"


class NotInProjectError(NotAProjectError):
    """No folder from here up to the mount point has a ``.dvc`` directory."""

    code = "not-in-a-project"


class ProjectUnreadableError(NotAProjectError):
    """``.dvc`` is there, but it is not a directory, or it may not be read."""

    code = "project-unreadable"


class Project:
    """One project: where it is, how it is configured, where its content lives.

    Attributes:
        root: Absolute path of the folder that holds ``.dvc``.
        cwd: The folder against which relative targets are read; below ``root`` or ``root`` itself.
        dvc_dir: ``<root>/.dvc``.
        scm_root: The root of the Git work tree around it; None without Git, or with ``core.no_scm``.
        config: The merged configuration.
        store: The local cache.
        index: Proofs of content by file status.
        ignore: What ``.dvcignore`` files exclude.
        clock: Where the time comes from.
        environ: The process environment as the caller gave it (credentials of remotes).
        wait_for_lock: Wait for other processes as long as it takes (``--wait-for-lock``).
        lock_depth: How many nested `locks.project_lock` blocks this process is in.
        operation: The running entry of the operation log, which only `oplog.operation` reads and sets.
    """

    __slots__ = (
        "_git",
        "_open_git",
        "ask_secret",
        "clock",
        "config",
        "cwd",
        "dvc_dir",
        "environ",
        "ignore",
        "index",
        "lock_depth",
        "opened_remotes",
        "operation",
        "root",
        "scm_root",
        "store",
        "wait_for_lock",
    )

    def __init__(
        self,
        *,
        root: str,
        cwd: str,
        scm_root: str | None,
        open_git: "Callable[[str], Git]",
        config: "Config",
        store: "ObjectStore",
        index: "StatIndex",
        ignore: "Ignore",
        clock: "Clock",
        environ: Mapping[str, str],
        wait_for_lock: bool = False,
    ) -> None:
        self.root = root
        self.cwd = cwd
        self.dvc_dir = os.path.join(root, DVC_DIR)
        self.scm_root = scm_root
        self._open_git = open_git
        self._git: Git | None = None
        self.config = config
        self.store = store
        self.index = index
        self.ignore = ignore
        self.clock = clock
        self.environ = environ
        self.wait_for_lock = wait_for_lock
        self.lock_depth = 0
        self.operation: object | None = None
        #: The names of the remotes that were opened, for messages of stores, which do not know theirs.
        self.opened_remotes: set[str] = set()
        #: Asks for a secret option of a remote; None without anybody to ask. Set by who has a terminal.
        self.ask_secret: Callable[[str, str], str | None] | None = None

    def __repr__(self) -> str:
        return f"Project({self.root!r})"

    @property
    def git(self) -> "Git | None":
        """The Git repository around it, opened when first asked for; None when ``scm_root`` is."""
        if self._git is None and self.scm_root is not None:
            self._git = self._open_git(self.scm_root)
        return self._git

    @property
    def cache_dir(self) -> str:
        """The root folder of the local cache."""
        return self.store.root

    @property
    def tmp_dir(self) -> str:
        """DVC's own folder of locks and temporary files."""
        return os.path.join(self.dvc_dir, "tmp")

    @property
    def own_dir(self) -> str:
        """Where our own state lives; may not exist yet (see `make_own_dir`)."""
        return os.path.join(self.dvc_dir, OWN_DIR)

    def relpath(self, path: str) -> str:
        """An absolute, normalized path as a POSIX path relative to the root; ``"."`` for the root itself."""
        prefix = self.root.rstrip(os.sep) + os.sep
        relative = path[len(prefix) :] if path.startswith(prefix) else os.path.relpath(path, self.root)
        return relative.replace(os.sep, "/") if os.sep != "/" else relative

    def display(self, path: str) -> str:
        """An absolute path as its user would type it: relative to where they stand."""
        return os.path.relpath(path, self.cwd)

    def absolute(self, path: str) -> str:
        """What the user typed as a normalized absolute path; symlinks stay as they are."""
        return os.path.normpath(os.path.join(self.cwd, path))

    def contains(self, path: str) -> bool:
        """Whether an absolute, normalized path is the root or lies below it."""
        return path == self.root or path.startswith(self.root.rstrip(os.sep) + os.sep)

    def make_own_dir(self, *parts: str) -> str:
        """Create (a folder of) our own state on first use and return its path.

        Raises:
            UnsafePathError: one of these folders is a symbolic link, which a repository could have planted.
            DeniedError, ExhaustedError: the file system refuses.
        """
        return make_hidden_dir(self.own_dir, *parts)


def make_hidden_dir(own: str, *parts: str) -> str:
    """Create ``<own>/<parts>`` with the ``.gitignore`` in ``own`` that hides all of it from Git; its path.

    Raises:
        UnsafePathError: one of these folders is a symbolic link, which a repository could have planted.
        DeniedError, ExhaustedError: the file system refuses.
    """
    path = own
    for part in ("", *parts):
        path = os.path.join(path, part) if part else path
        if os.path.islink(path):
            raise UnsafePathError(
                f"'{path}' is a symbolic link", hint="remove it; that folder is ours to make"
            )
    try:
        os.makedirs(path, exist_ok=True)
        marker = os.path.join(own, ".gitignore")
        if not os.path.lexists(marker):
            # Another process may have made it between our two looks.
            with suppress(FileExistsError), open(marker, "xb") as file:
                file.write(b"*\n")
    except OSError as error:
        raise from_os_error(error, f"creating {path}") from error
    return path


def find_root(start: str) -> str:
    """The nearest folder, from ``start`` upward, that holds a ``.dvc`` directory.

    As DVC does, the search ends at a mount point, and a project inside another one is its own.

    Raises:
        NotInProjectError: there is none, or ``start`` does not exist.
        ProjectUnreadableError: ``.dvc`` is a file, or permissions hide it.
    """
    folder = os.path.abspath(start)
    if not os.path.isdir(folder):
        raise NotInProjectError(f"directory '{start}' does not exist")
    obstacle = ""
    while True:
        dvc_dir = os.path.join(folder, DVC_DIR)
        if os.path.isdir(dvc_dir):
            if not os.access(dvc_dir, os.R_OK | os.X_OK):
                raise ProjectUnreadableError(
                    f"'{dvc_dir}' may not be read", hint="check the owner and the mode of that folder"
                )
            return folder
        if not obstacle and os.path.lexists(dvc_dir):
            obstacle = dvc_dir
        parent = os.path.dirname(folder)
        if parent == folder or os.path.ismount(folder):
            break
        folder = parent
    if obstacle:
        raise ProjectUnreadableError(
            f"'{obstacle}' is not a directory", hint="move that file away, then run: ff init"
        )
    raise NotInProjectError(
        f"you are not inside of a DVC repository (checked up to mount point '{folder}')",
        hint="to start one here, run: ff init",
    )
