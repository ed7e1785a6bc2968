"""The code tree: the Git tree of what people wrote, without what runs write, and how it is made.

Left out by name, in every folder: ``dvc.lock``, ``fourfold.lock``, ``.gitignore`` (runs hide outputs there)
and bytecode of Python; left out by place: whatever the project tracks or makes, also where Git keeps it
(``cache: false``). So the tree before a run is the tree of the commit made after it. Everything else that
Git has, or would take, is in it. Ids are Git's own; where the same files are, the same tree is. What is
recorded of it is `fourfold.runs.code`.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from fourfold.scm.worktree import COMMIT, FOLDER, Entry, listing

if TYPE_CHECKING:
    from fourfold.scm.git import Git

#: What runs write, by its name.
_WRITTEN = re.compile(
    r"(?:^|/)(?:dvc\.lock|fourfold\.lock|\.gitignore|__pycache__(?:/.*)?|[^/]*\.py[co])\Z", re.DOTALL
)


def is_written(path: str) -> bool:
    """Whether a path has a name that runs write."""
    return _WRITTEN.search(path) is not None


class Outputs:
    """Places that hold data and no code.

    Args:
        paths: Relative to the root of the repository, POSIX.
    """

    def __init__(self, paths: Iterable[str] = ()) -> None:
        self.paths = frozenset(path for path in paths if path and path != ".")

    def __contains__(self, path: object) -> bool:
        """Whether a path is one of the places, or below one."""
        text = str(path)
        if not self.paths:
            return False
        if text in self.paths:
            return True
        at = text.find("/")
        while at >= 0:
            if text[:at] in self.paths:
                return True
            at = text.find("/", at + 1)
        return False


class Base(NamedTuple):
    """The tree of a commit, cut into folders.

    Attributes:
        files: Every file by its path.
        folders: The entries of every folder by its path ("" is the root), by name.
        written: Paths that runs write, by their names.
        modules: Paths of submodules.
    """

    files: Mapping[str, Entry]
    folders: Mapping[str, Mapping[str, Entry]]
    written: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()


EMPTY = Base({}, {})


def base_of(rows: Iterable[tuple[str, Entry]]) -> Base:
    """A listing (`fourfold.scm.worktree.listing`) cut into folders."""
    files: dict[str, Entry] = {}
    folders: dict[str, dict[str, Entry]] = {"": {}}
    written = []
    for path, entry in rows:
        folder, _, name = path.rpartition("/")
        folders[folder][name] = entry
        if entry.mode == FOLDER:
            folders[path] = {}
        else:
            files[path] = entry
            if is_written(path):
                written.append(path)
    modules = tuple([path for path, entry in files.items() if entry.mode == COMMIT])
    return Base(files, folders, tuple(written), modules)


class Trees(NamedTuple):
    """A tree that was made of another one.

    Attributes:
        root: Its id.
        objects: The trees that were made for it: their bytes by id.
    """

    root: str
    objects: Mapping[str, bytes]


def tree_of(base: Base, changes: Mapping[str, Entry | None], *, long: bool = False) -> Trees:
    """The tree that a base becomes with some paths set, and others (None) gone, files or whole folders.

    Args:
        base: What it begins with.
        changes: By path, in an order where what is gone comes before what is new in its place.
        long: Whether ids are SHA-256.
    """
    inside: dict[str, dict[str, Entry | None]] = {"": {}}
    below: dict[str, set[str]] = {"": set()}
    for path, entry in changes.items():
        folder, _, name = path.rpartition("/")
        inside.setdefault(folder, {})[name] = entry
        while folder:
            above, _, own = folder.rpartition("/")
            known = below.setdefault(above, set())
            if own in known:
                break
            known.add(own)
            folder = above
    objects: dict[str, bytes] = {}
    made: dict[str, str] = {}
    # The deepest first, so that no depth of folders is too much.
    for folder in sorted(inside.keys() | below.keys(), key=_depth, reverse=True):
        entries = dict(base.folders.get(folder, {}))
        for name, entry in inside.get(folder, {}).items():
            if entry is None:
                entries.pop(name, None)
            else:
                entries[name] = entry
        for name in below.get(folder, ()):
            inner = made.get(f"{folder}/{name}" if folder else name)
            if inner is not None:
                entries[name] = Entry(FOLDER, inner)
            elif name in entries and entries[name].mode == FOLDER:
                del entries[name]
        if entries or not folder:
            made[folder], data = _tree(entries, long=long)
            objects[made[folder]] = data
    return Trees(made[""], objects)


def _depth(folder: str) -> int:
    return folder.count("/") + 1 if folder else 0


def _tree(entries: Mapping[str, Entry], *, long: bool) -> tuple[str, bytes]:
    """The id and the bytes of one tree object."""
    rows = []
    for name, (mode, oid) in entries.items():
        raw = name.encode("utf-8", "surrogateescape")
        key = raw + b"/" if mode == FOLDER else raw
        rows.append((key, mode.lstrip("0").encode() + b" " + raw + b"\0" + bytes.fromhex(oid)))
    data = b"".join(row for _, row in sorted(rows))
    found = hashlib.new("sha256" if long else "sha1", usedforsecurity=False)
    found.update(b"tree %d\0" % len(data))
    found.update(data)
    return found.hexdigest(), data


def without(base: Base, outputs: Outputs) -> dict[str, Entry | None]:
    """The changes that take what is no code out of a base."""
    gone: dict[str, Entry | None] = dict.fromkeys(path for path in base.written if path not in outputs)
    for path in sorted(outputs.paths):
        inner = path.rpartition("/")[0] in outputs
        if not inner and (path in base.files or path in base.folders):
            gone[path] = None
    return gone


def code_tree_of_commit(
    git: "Git",
    environ: Mapping[str, str],
    commit: str,
    *,
    outputs: Iterable[str] = (),
    left_out: Iterable[str] = (),
) -> str:
    """The code tree of a commit: what a run of exactly that commit records.

    Args:
        git: The repository.
        environ: The caller's environment.
        commit: A full id.
        outputs: What the project tracks or makes, relative to the root of the repository.
        left_out: Paths that a record left out because they are too large to be code.

    Raises:
        GitFailedError: the commit is not there.
    """
    base = base_of(listing(git, environ, commit))
    return tree_of(base, without(base, Outputs([*outputs, *left_out])), long=len(commit) > 40).root
