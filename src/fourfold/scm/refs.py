"""Git's files, read by hand where starting a process would cost more than the answer.

Finding the work tree, the Git directory (also of a linked work tree or a submodule, whose ``.git`` is a
file), HEAD, and the names of branches and tags, from loose refs and ``packed-refs``. Formats:
gitrepository-layout(5). Repositories with another ref storage (reftable) are recognised and left to the
git command. Nothing here writes, or runs anything.
"""

import os
import re
from typing import NamedTuple

from fourfold.base.errors import UnsafeError
from fourfold.base.ids import CommitId

GIT_DIR = ".git"
_HEX = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?", re.ASCII)
#: A ref file holds one line; more is not one of Git's.
_MAX_REF = 4096
_MAX_PACKED = 256 << 20
_MAX_HOPS = 5


class BadRevisionTextError(UnsafeError):
    """A revision or a path looks like an option, or holds characters that no revision holds."""

    code = "bad-revision-text"


class GitDirs(NamedTuple):
    """Where a repository keeps its own (``git_dir``: HEAD, index) and its common files (refs, objects)."""

    git_dir: str
    common_dir: str


class Head(NamedTuple):
    """What HEAD says: the branch it is on (None when detached) and its commit (None when unborn)."""

    branch: str | None
    commit: CommitId | None


def find_root(path: str) -> str | None:
    """The nearest folder, from ``path`` upward, that is a Git work tree; None when there is none."""
    folder = os.path.abspath(path)
    while True:
        if find_dirs(folder) is not None:
            return folder
        parent = os.path.dirname(folder)
        if parent == folder:
            return None
        folder = parent


def find_dirs(root: str) -> GitDirs | None:
    """The Git directories of the work tree ``root``; None when it is not one."""
    dot_git = os.path.join(root, GIT_DIR)
    if os.path.isdir(dot_git):
        return dirs_of(dot_git)
    pointer = _read_line(dot_git)
    if not pointer.startswith("gitdir: "):
        return None
    return dirs_of(os.path.normpath(os.path.join(root, pointer[8:])))


def dirs_of(git_dir: str) -> GitDirs | None:
    """``git_dir`` with the folder it shares with other work trees; None when it is not a repository."""
    if not os.path.lexists(os.path.join(git_dir, "HEAD")):
        return None
    common = _read_line(os.path.join(git_dir, "commondir"))
    common_dir = os.path.normpath(os.path.join(git_dir, common)) if common else git_dir
    return GitDirs(git_dir, common_dir) if os.path.isdir(os.path.join(common_dir, "objects")) else None


def _read_line(path: str) -> str:
    """The only line of a small file, without its end; empty when there is none."""
    try:
        with open(path, "rb") as file:
            return os.fsdecode(file.read(_MAX_REF)).split("\n", 1)[0].rstrip()
    except OSError:
        return ""


def uses_files(dirs: GitDirs) -> bool:
    """Whether refs are stored as files, the storage that this module reads."""
    return not os.path.isdir(os.path.join(dirs.common_dir, "reftable"))


def read_head(dirs: GitDirs) -> Head:
    """What HEAD says."""
    line = _read_line(os.path.join(dirs.git_dir, "HEAD"))
    if _HEX.fullmatch(line):
        return Head(None, CommitId(line))
    if not line.startswith("ref: "):
        return Head(None, None)
    ref = line[5:].strip()
    branch = ref.removeprefix("refs/heads/") if ref.startswith("refs/heads/") else None
    return Head(branch, read_ref(dirs, ref))


def read_ref(dirs: GitDirs, ref: str) -> CommitId | None:
    """The object that a full ref name (``refs/...``) stands for, not peeled; None when there is none."""
    for _ in range(_MAX_HOPS):
        if not ref.startswith("refs/") or "/../" in f"/{ref}/":
            return None
        line = _read_line(os.path.join(dirs.git_dir, ref)) if dirs.git_dir != dirs.common_dir else ""
        line = line or _read_line(os.path.join(dirs.common_dir, ref))
        if not line:
            return packed_refs(dirs).get(ref)
        if _HEX.fullmatch(line):
            return CommitId(line)
        if not line.startswith("ref: "):
            return None
        ref = line[5:].strip()
    return None


def packed_refs(dirs: GitDirs) -> dict[str, CommitId]:
    """The refs in ``packed-refs``, not peeled."""
    try:
        with open(os.path.join(dirs.common_dir, "packed-refs"), "rb") as file:
            data = file.read(_MAX_PACKED)
    except OSError:
        return {}
    refs: dict[str, CommitId] = {}
    for line in os.fsdecode(data).split("\n"):
        oid, _, name = line.partition(" ")
        if name and _HEX.fullmatch(oid):
            refs[name.rstrip("\r")] = CommitId(oid)
    return refs


def ref_names(dirs: GitDirs, prefix: str) -> list[str]:
    """The sorted full names of all refs below ``prefix`` (``"refs/heads/"``)."""
    names = {name for name in packed_refs(dirs) if name.startswith(prefix)}
    top = os.path.join(dirs.common_dir, *prefix.strip("/").split("/"))
    pending = [(top, prefix)]
    while pending:
        folder, name = pending.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        pending.append((entry.path, f"{name}{entry.name}/"))
                    elif not entry.name.endswith(".lock") and read_ref(dirs, name + entry.name):
                        names.add(name + entry.name)
        except OSError:
            continue
    return sorted(names)


def is_full_id(text: str) -> bool:
    """Whether a text is a whole commit id, SHA-1 or SHA-256."""
    return _HEX.fullmatch(text) is not None


def check_text(text: str, what: str) -> str:
    """A revision or name that git cannot take for an option.

    Raises:
        BadRevisionTextError: it is empty, begins with a dash, or holds a control character.
    """
    if not text or text[0] == "-" or any(ord(character) < 32 for character in text):
        raise BadRevisionTextError(f"not a {what}: {text[:80]!r}", hint=f"a {what} does not begin with '-'")
    return text
