"""Init: begin a project in a folder. The files are DVC's, byte for byte."""

import os
import shutil
from collections.abc import Mapping
from typing import NamedTuple

from fourfold.base.clock import SYSTEM, Clock
from fourfold.base.errors import ConflictError, FourfoldError, UsageError, from_os_error
from fourfold.base.fs.atomic import temp_name, write_atomic
from fourfold.base.fs.platform import sync_directory
from fourfold.base.ids import UnsafePathError
from fourfold.project.gitrules import GitRules
from fourfold.project.project import DVC_DIR
from fourfold.scm.git import Git, find_root

#: What DVC puts into every new ``.dvcignore``.
DVCIGNORE = (
    b"# Add patterns of files dvc should ignore, which could improve\n"
    b"# the performance. Learn more at\n"
    b"# https://dvc.org/doc/user-guide/dvcignore\n"
)
_NO_SCM = b"[core]\n    no_scm = True\n"
#: What Git must not see of ``.dvc``, in the order of its ``.gitignore``.
_PRIVATE = ("config.local", "tmp", "cache")


class InitRefusedError(ConflictError):
    """A project cannot begin here."""

    code = "init-refused"


class InitResult(NamedTuple):
    """What `init` did.

    Attributes:
        root: The new project's root.
        no_scm: Whether it lives without Git.
        files: The files for the next commit, absolute; they are in Git's index already.
        replaced: Whether an existing ``.dvc``, with its cache, went for it.
    """

    root: str
    no_scm: bool
    files: tuple[str, ...]
    replaced: bool


def init(
    root: str,
    *,
    environ: Mapping[str, str],
    no_scm: bool = False,
    subdir: bool = False,
    force: bool = False,
    clock: Clock = SYSTEM,
) -> InitResult:
    """Begin a project.

    The new ``.dvc`` is made whole beside its place and renamed into it.

    Args:
        root: Absolute path of its root, which is made when missing.
        environ: The process environment, for Git.
        no_scm: Without Git.
        subdir: Below the root of a Git repository instead of at it.
        force: Replace a ``.dvc`` that is there, with its configuration and its cache.
        clock: Tells when it began.

    Raises:
        UsageError: ``no_scm`` and ``subdir`` exclude each other.
        InitRefusedError: the folder is not the root of a Git repository, ``.dvc`` is there, or Git
            ignores it; nothing was changed.
        DeniedError, ExhaustedError: the file system refuses; what was there is there.
    """
    del clock  # the time of beginning is the file system's: the time of tmp/btime
    if no_scm and subdir:
        raise UsageError("Cannot initialize repo with `--no-scm` and `--subdir`")
    dvc_dir = os.path.join(root, DVC_DIR)
    git = None if no_scm else _git_for(root, environ, subdir=subdir)
    if git is not None and git.ignored([dvc_dir + os.sep]):
        raise InitRefusedError(
            f"'{dvc_dir}' is ignored by Git",
            hint="make sure that it is not, for example: echo '!.dvc' >> .gitignore",
        )
    there = os.path.lexists(dvc_dir)
    if there and not force:
        raise InitRefusedError(f"'{dvc_dir}' exists", hint="to replace it, with its cache, run: ff init -f")
    if os.path.islink(dvc_dir):
        raise UnsafePathError(f"'{dvc_dir}' is a symbolic link", hint="remove the link first")
    try:
        os.makedirs(root, exist_ok=True)
        _build(root, dvc_dir, git, no_scm=no_scm)
    except OSError as error:
        raise from_os_error(error, f"beginning a project in {root}") from error
    files = [os.path.join(dvc_dir, "config"), os.path.join(root, ".dvcignore")]
    if git is not None:
        files.append(os.path.join(dvc_dir, ".gitignore"))
        git.add([file for file in files if os.path.lexists(file)])
    return InitResult(root, no_scm, tuple(files), there)


def _git_for(root: str, environ: Mapping[str, str], *, subdir: bool) -> Git:
    found = find_root(root) if os.path.isdir(root) or subdir else None
    if found is None or (not subdir and found != root):
        raise InitRefusedError(
            f"{root} is not tracked by any supported SCM tool (e.g. Git)",
            hint="begin one with: git init  (or use --no-scm without Git, --subdir inside a repository)",
        )
    return Git(found, environ)


def _build(root: str, dvc_dir: str, git: Git | None, *, no_scm: bool) -> None:
    fresh = os.path.join(root, temp_name(DVC_DIR))
    old = os.path.join(root, temp_name(DVC_DIR)) if os.path.lexists(dvc_dir) else ""
    try:
        os.makedirs(os.path.join(fresh, "tmp"))
        write_atomic(os.path.join(fresh, "config"), _NO_SCM if no_scm else b"")
        with open(os.path.join(fresh, "tmp", "btime"), "xb"):
            pass
        if git is not None:
            known = _known_to_git(git, dvc_dir)
            lines = [f"/{name}\n" for name in _PRIVATE if name not in known]
            if lines:
                write_atomic(os.path.join(fresh, ".gitignore"), "".join(lines).encode())
        if not os.path.lexists(os.path.join(root, ".dvcignore")):
            write_atomic(os.path.join(root, ".dvcignore"), DVCIGNORE)
        if old:
            os.rename(dvc_dir, old)
        os.rename(fresh, dvc_dir)
        sync_directory(root)
    except (OSError, FourfoldError):
        if old and os.path.lexists(old) and not os.path.lexists(dvc_dir):
            os.rename(old, dvc_dir)
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    if old:
        shutil.rmtree(old, ignore_errors=True)


def _known_to_git(git: Git, dvc_dir: str) -> set[str]:
    """Which of the private names Git ignores already: DVC leaves those out of ``.dvc/.gitignore``."""
    # The folder tmp exists when DVC asks, the others do not: so rules for folders know tmp alone.
    if os.path.isdir(dvc_dir):  # its own .gitignore is about to go, and must not answer
        rules = GitRules(git.root)
        rules.enter(dvc_dir, has_rules=False)
        paths = {name: os.path.join(dvc_dir, name) for name in _PRIVATE}
        return {name for name, path in paths.items() if rules.is_ignored(path, is_dir=name == "tmp")}
    asked = [os.path.join(dvc_dir, name) + (os.sep if name == "tmp" else "") for name in _PRIVATE]
    return {os.path.basename(path.rstrip(os.sep)) for path in git.ignored(asked)}
