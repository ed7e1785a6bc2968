"""Snapshots: what is tracked at one moment, as paths and identities, for commands that compare moments.

A moment is a revision, the pointer files of the workspace, or the workspace's own files. A snapshot names
outputs, and on demand the files inside of them; a directory whose manifest nobody has keeps its name and
hides its files.
"""

import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.ids import Oid, is_tree
from fourfold.content.objects import CorruptObjectError, ObjectMissingError
from fourfold.content.tree import Tree
from fourfold.project.changes import Examiner
from fourfold.project.files import Tracking
from fourfold.project.outs import Tracked

if TYPE_CHECKING:
    from fourfold.project.project import Project


class Item(NamedTuple):
    """One output at one moment.

    Attributes:
        oid: What it is.
        legacy: Hashed as DVC 2 did.
        tree: The manifest of a directory; None for a file, and when nobody has it.
    """

    oid: Oid
    legacy: bool = False
    tree: Tree | None = None

    @property
    def is_dir(self) -> bool:
        """Whether it is a directory."""
        return is_tree(self.oid)


#: Root-relative path of an output -> what it is.
Snapshot = dict[str, Item]


def recorded(project: "Project", tracking: Tracking) -> Snapshot:
    """What pointer files and lock files record: cached outputs of the workspace that have content.

    Of an import that was made without its data, that is what its URL had, where an MD5 says so.
    """
    found = {}
    for out in tracking.outs:
        owner = out.owner
        item = owner.deps[0] if owner.is_partial_import else out.output
        if item.oid is not None and out.output.cache:
            found[out.relpath] = Item(item.oid, item.legacy, tree_of(project, item.oid, legacy=item.legacy))
    return found


def tree_of(project: "Project", oid: Oid, *, legacy: bool = False) -> Tree | None:
    """The manifest of a directory, if the cache has it whole."""
    if not is_tree(oid):
        return None
    try:
        return project.store.read_tree(oid, legacy=legacy)
    except (ObjectMissingError, CorruptObjectError):
        return None


def present(examiner: Examiner, outs: Iterable[Tracked]) -> Snapshot:
    """What the workspace holds at the places of cached outputs."""
    found = {}
    for out in outs:
        if not out.output.cache:
            continue
        current = examiner.current(out.path, legacy=out.output.legacy)
        if current is not None:
            tree = current.tree if current.is_directory else None
            found[out.relpath] = Item(current.oid, out.output.legacy, tree)
    return found


def share_trees(one: Snapshot, other: Snapshot) -> tuple[Snapshot, Snapshot]:
    """The two with the manifests that only one of them knows, where a directory is the same in both."""
    return _with_trees(one, other), _with_trees(other, one)


def _with_trees(here: Snapshot, there: Snapshot) -> Snapshot:
    filled = dict(here)
    for path, item in here.items():
        twin = there.get(path)
        if item.is_dir and item.tree is None and twin is not None and twin.oid == item.oid:
            filled[path] = item._replace(tree=twin.tree)
    return filled


def hidden_folders(here: Snapshot, there: Snapshot) -> tuple[str, ...]:
    """Prefixes of directories that are at both moments and whose files are unknown here."""
    return tuple(
        f"{path}/" for path, item in here.items() if item.is_dir and item.tree is None and path in there
    )


def rehashed_paths(old: Snapshot, new: Snapshot, *, granular: bool) -> set[str]:
    """The `rows` that were hashed as DVC 2 did at one of the moments only.

    DVC calls them modified, and so do we: two kinds of hash cannot be compared, even where they are equal.
    """
    changed = {p: item for p, item in new.items() if p in old and old[p].legacy != item.legacy}
    return {path for path, _oid, _legacy in rows(changed, granular=granular)}


def rows(snapshot: Snapshot, *, granular: bool) -> Iterator[tuple[str, Oid, bool]]:
    """(path, identity, legacy) of every output, and of every file inside; directories end in a slash."""
    for path, item in snapshot.items():
        yield (f"{path}/" if item.is_dir else path), item.oid, item.legacy
        if granular and item.tree is not None:
            for name, oid in item.tree.items():
                yield f"{path}/{name}", oid, item.legacy


def keep_below(paths: Iterable[str], roots: Iterable[str]) -> list[str]:
    """Those of ``paths`` that are one of the ``roots``, or lie below one; all when there are no roots."""
    wanted = tuple(roots)
    if not wanted:
        return list(paths)
    prefixes = tuple(f"{root}/" for root in wanted)
    return [path for path in paths if path.rstrip("/") in wanted or path.startswith(prefixes)]


def root_relative(project: "Project", targets: Iterable[str]) -> list[str]:
    """Paths that the user typed, from the root of the project."""
    return [
        project.relpath(os.path.normpath(os.path.join(project.cwd, target))) for target in targets if target
    ]
