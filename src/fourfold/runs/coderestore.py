"""The code of a record again: is a commit the code of that run, and its files written into a folder.

The commit has most of it; what it lacks is in parts of the record. What `code` left out is told, and cannot
be had.
"""

import base64
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from fourfold.base.errors import CorruptError, InvalidFileError, NotFoundError, from_os_error
from fourfold.base.fs.atomic import write_atomic
from fourfold.base.ids import is_unsafe_path
from fourfold.runs.codetree import EMPTY, Outputs, base_of, code_tree_of_commit, tree_of, without
from fourfold.scm import worktree
from fourfold.scm.refs import is_full_id
from fourfold.scm.unpack import unpack
from fourfold.scm.worktree import Entry, lfs_name

if TYPE_CHECKING:
    from fourfold.formats.native.fact import Section
    from fourfold.scm.git import Git

#: Reads a part by its id.
Part = Callable[[str], Mapping[str, Any]]
_MODES = frozenset({worktree.FILE, worktree.PROGRAM, worktree.LINK, worktree.COMMIT})
_HEX = frozenset("0123456789abcdef")


class CodeNotRecordedError(NotFoundError):
    """A record does not say what its code was: there was no Git, or it refused."""

    code = "code-not-recorded"


class BadCodePartError(InvalidFileError):
    """The part of a record that has its changed files cannot be understood."""

    code = "bad-code-part"


class CodeTreeDiffersError(CorruptError):
    """The code that was put together again is not the tree that the record names."""

    code = "code-tree-differs"
    default_hint = "parts of the record were altered, or left out: see them with ff runs show"


class Restored(NamedTuple):
    """What was written.

    Attributes:
        tree: The code tree, which was proven to be the record's.
        left_out: Paths that the run may have used and that no record keeps: too large, or secrets.
        filtered: Why some files may look other than in a checkout; "" mostly.
        files: Those of the commit, by path.
    """

    tree: str
    left_out: tuple[str, ...]
    filtered: str
    files: Mapping[str, Entry] = {}


class _Kept(NamedTuple):
    commit: str | None
    tree: str
    outputs: list[str]
    left_out: list[str]
    changes: dict[str, Entry | None]
    blobs: dict[str, bytes]
    lfs: dict[str, bytes]


def matches(git: "Git", environ: Mapping[str, str], code: "Section", commit: str, part: Part) -> bool:
    """Whether a commit has exactly the code that a run was made with.

    What runs write makes no difference, nor do files that the record left out.

    Args:
        git: The repository.
        environ: The caller's environment.
        code: The section of the record.
        commit: A full id.
        part: Reads a part.

    Raises:
        CodeNotRecordedError: the record names no tree.
        GitFailedError: the commit is not there.
    """
    tree = _tree(code)
    outputs = _rows(code, "outputs", part)
    left_out = [str(row.get("path")) for row in _rows(code, "left_out", part) if isinstance(row, Mapping)]
    found = code_tree_of_commit(git, environ, commit, outputs=map(str, outputs), left_out=left_out)
    return found == tree


def restore(git: "Git", environ: Mapping[str, str], code: "Section", part: Part, folder: str) -> Restored:
    """Write the code of a run into a folder: the files of its commit, as they were when it began.

    Also what the code tree leaves out (``dvc.lock``, ``.gitignore``) is written, as the commit has it. The
    repository is not changed.

    Args:
        git: The repository, or any clone that has the commit.
        environ: The caller's environment.
        code: The section of the record.
        part: Reads a part.
        folder: Absolute; must be empty, or not there.

    Raises:
        CodeNotRecordedError: the record names no tree.
        BadCodePartError, CodeTreeDiffersError: its parts are not what they must be; nothing was written.
        FolderNotEmptyError: the folder has files.
        GitFailedError: the repository has not the commit, or not all of it.
    """
    kept = _kept(code, part)
    base = base_of(worktree.listing(git, environ, kept.commit)) if kept.commit else EMPTY
    places = Outputs([*kept.outputs, *kept.left_out])
    ruled = {**without(base, places), **_ordered(kept.changes)}
    long = len(kept.tree) > 40
    if tree_of(base, ruled, long=long).root != kept.tree:
        raise CodeTreeDiffersError(f"the code of the run does not make tree {kept.tree[:12]}")
    gone = dict.fromkeys(path for path in kept.left_out if path in base.files)
    unpack(git, environ, kept.commit, {**gone, **kept.changes}, kept.blobs, folder)
    _put_large(kept, folder)
    fact = code["tree"]
    return Restored(kept.tree, tuple(kept.left_out), fact.why, base.files)


def _ordered(changes: Mapping[str, Entry | None]) -> dict[str, Entry | None]:
    return dict(sorted(changes.items(), key=lambda item: item[1] is not None))


def _put_large(kept: _Kept, folder: str) -> None:
    """The files that pointers of Git LFS stand for, as far as the record has them."""
    for path, entry in kept.changes.items():
        pointer = kept.blobs.get(entry.oid, b"") if entry is not None else b""
        name = pointer.partition(b"oid sha256:")[2][:64].decode("ascii", "replace")
        content = kept.lfs.get(name)
        if content is None or lfs_name(content) != name:
            continue
        mode = 0o755 if entry is not None and entry.mode == worktree.PROGRAM else 0o644
        try:
            write_atomic(os.path.join(folder, path), content, mode=mode)
        except OSError as error:
            raise from_os_error(error, f"writing {path}") from error


def _tree(code: "Section") -> str:
    fact = code.get("tree")
    if fact is None or not isinstance(fact.value, str):
        why = fact.why if fact is not None else "it was not captured"
        raise CodeNotRecordedError(f"the record does not say what the code was: {why}")
    return fact.value


def _rows(code: "Section", name: str, part: Part) -> list[Any]:
    """A list of a section, which may be a part."""
    fact = code.get(name)
    value = fact.value if fact is not None else None
    if isinstance(value, Mapping) and isinstance(value.get("part"), str):
        value = part(value["part"]).get("rows")
    return value if isinstance(value, list) else []


def _kept(code: "Section", part: Part) -> _Kept:
    commit = code["commit"].value if "commit" in code else None
    objects = code["objects"].value if "objects" in code else None
    document: Mapping[str, Any] = {}
    if isinstance(objects, Mapping) and isinstance(objects.get("part"), str):
        document = part(objects["part"])
    left_out = [row["path"] for row in _rows(code, "left_out", part) if isinstance(row, Mapping)]
    try:
        return _Kept(
            _commit(commit),
            _tree(code),
            [str(path) for path in _rows(code, "outputs", part)],
            left_out,
            dict(map(_change, document.get("changes", []))),
            {oid: unpacked(item) for oid, item in document.get("blobs", {}).items()},
            {name: unpacked(item) for name, item in document.get("lfs", {}).items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadCodePartError(
            f"the changed files of the record cannot be understood: {error!r:.80}"
        ) from error


def _commit(value: Any) -> str | None:
    """A commit: a record may come from elsewhere, and nothing else is handed to Git."""
    if value is None:
        return None
    if isinstance(value, str) and is_full_id(value):
        return value
    raise ValueError(f"no commit: {value!r:.60}")


def _change(row: Mapping[str, Any]) -> tuple[str, Entry | None]:
    path = row["path"]
    if not isinstance(path, str) or is_unsafe_path(_past_settings(path)):
        raise ValueError(f"no path of a file: {path!r:.60}")
    if "oid" not in row:
        return path, None
    mode, oid = row["mode"], row["oid"]
    if mode not in _MODES or len(oid) not in {40, 64} or not _HEX.issuperset(oid):
        raise ValueError(f"no entry of a tree: {mode!r:.20} {oid!r:.70}")
    return path, Entry(mode, oid)


def _past_settings(path: str) -> str:
    """A path without the folder of a project's settings, which Git keeps too: ``.dvc/config``."""
    *folders, name = path.split("/")
    return "/".join([*(folder for folder in folders if folder != ".dvc"), name])


def unpacked(item: Mapping[str, str]) -> bytes:
    """The bytes that `fourfold.runs.code.packed` wrote.

    Raises:
        KeyError, ValueError: it wrote nothing of the kind.
    """
    if "text" in item:
        return item["text"].encode()
    return base64.b64decode(item["base64"], validate=True)
