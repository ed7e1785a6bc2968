"""What a checkout has besides the files of its commit: submodules, and what pointers of Git LFS stand for.

Both are taken from the user's own clone, where it has them; nothing is fetched and no filter runs. What is
not to be had so is told. The files themselves are `fourfold.runs.coderestore`.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from fourfold.base.errors import FourfoldError
from fourfold.base.fs.atomic import temp_name
from fourfold.base.ids import is_unsafe_path
from fourfold.formats.native.record import RunRecord
from fourfold.runs.changes import Part, opened, value_of
from fourfold.scm import worktree
from fourfold.scm.git import Git
from fourfold.scm.refs import is_full_id
from fourfold.scm.unpack import unpack

#: A pointer of Git LFS is smaller, in bytes.
_POINTER = 1024
_MARK = b"version https://git-lfs.github.com/spec/"
_PIECE = 1 << 20


def attach(
    git: Git,
    environ: Mapping[str, str],
    code: RunRecord,
    part: Part,
    root: str,
    files: Mapping[str, worktree.Entry],
) -> tuple[str, ...]:
    """Fill in submodules and large files of a worktree that has the files of its commit.

    Args:
        git: The user's repository.
        environ: The caller's environment.
        code: The run whose code it is.
        part: Reads a part.
        root: The worktree.
        files: Those of the run's commit, by path.

    Returns:
        What could not be had, in words, by path.
    """
    regular = [path for path, entry in files.items() if entry.mode in {worktree.FILE, worktree.PROGRAM}]
    return (*_submodules(git, environ, code, part, root), *_large(git, regular, root))


def _submodules(
    git: Git, environ: Mapping[str, str], code: RunRecord, part: Part, root: str
) -> Iterator[str]:
    found: Any = opened(value_of(code.code, "submodules"), part)
    rows = found.get("rows") if isinstance(found, Mapping) else found
    for row in rows if isinstance(rows, list) else ():
        path, commit = (row.get("path"), row.get("commit")) if isinstance(row, Mapping) else (None, None)
        if not isinstance(path, str) or not isinstance(commit, str):
            continue
        if is_unsafe_path(path) or not is_full_id(commit) or not path.isprintable():
            continue
        where, target = os.path.join(git.root, path), os.path.join(root, path)
        if os.path.realpath(target) != os.path.join(os.path.realpath(root), *path.split("/")):
            continue  # a link of the code leads elsewhere: Git has no submodule there
        try:  # of its own: a folder that nobody initialised is one of the repository around it
            unpack(Git(where, environ), environ, commit, {}, {}, target)
        except FourfoldError:
            yield f"{path} (submodule at {commit[:12]}, which is not in this clone)"
            continue
        if row.get("dirty"):
            yield f"{path} (submodule: what was changed in it is not recorded)"


def _large(git: Git, files: Sequence[str], root: str) -> Iterator[str]:
    """Put the files of Git LFS in place of their pointers."""
    if not any(_is_used(os.path.join(root, path)) for path in files if path.endswith(".gitattributes")):
        return
    for path in files:
        target = os.path.join(root, path)
        name = _pointed(target)
        if not name:
            continue
        source = os.path.join(git.common_dir, "lfs", "objects", name[:2], name[2:4], name)
        if not _copy_proven(source, target, name):
            yield f"{path} (its content in Git LFS is not in this clone)"


def _is_used(attributes: str) -> bool:
    with suppress(OSError), open(attributes, "rb") as file:
        return b"filter=lfs" in file.read(_PIECE)
    return False


def _pointed(path: str) -> str:
    """The SHA-256 that a pointer names; "" for what is none."""
    with suppress(OSError):
        if os.path.islink(path) or not os.path.isfile(path) or os.path.getsize(path) >= _POINTER:
            return ""
        with open(path, "rb") as file:
            data = file.read()
        name = data.partition(b"oid sha256:")[2][:64].decode("ascii", "replace")
        if data.startswith(_MARK) and len(name) == 64 and not name.strip("0123456789abcdef"):
            return name
    return ""


def _copy_proven(source: str, target: str, name: str) -> bool:
    """Copy an object of Git LFS; what is there stays where it is not the one."""
    half = os.path.join(os.path.dirname(target), temp_name(os.path.basename(target)))
    digest = hashlib.sha256()
    try:
        with open(source, "rb") as file, open(half, "xb") as out:
            while piece := file.read(_PIECE):
                digest.update(piece)
                out.write(piece)
        if digest.hexdigest() == name:
            os.chmod(half, os.stat(target).st_mode & 0o777)
            os.replace(half, target)
            return True
    except OSError:
        pass
    with suppress(OSError):
        os.unlink(half)
    return False
