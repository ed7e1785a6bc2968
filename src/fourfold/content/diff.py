"""Diff: what differs between two trees, or between two identities of a path.

Works on identities and manifests alone; nothing is read from a workspace.
"""

from typing import NamedTuple

from fourfold.base.ids import Oid
from fourfold.content.tree import Tree


class Renamed(NamedTuple):
    """A file whose content is the same under another path."""

    old: str
    new: str


class TreeDiff(NamedTuple):
    """What changed from one tree to another; paths in code-point order."""

    added: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    modified: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether anything did."""
        return bool(self.added or self.deleted or self.modified)


def diff_trees(old: Tree, new: Tree, *, keep_unchanged: bool = False) -> TreeDiff:
    """Compare two trees in one pass over their sorted columns.

    Args:
        old: Before.
        new: After.
        keep_unchanged: Also list what is the same.
    """
    added: list[str] = []
    deleted: list[str] = []
    modified: list[str] = []
    same: list[str] = []
    if old.packed == new.packed and old.paths == new.paths:
        return TreeDiff(unchanged=tuple(old.paths) if keep_unchanged else ())
    before = {path: old.packed[at * 16 : at * 16 + 16] for at, path in enumerate(old.paths)}
    for at, path in enumerate(new.paths):
        was = before.pop(path, None)
        if was is None:
            added.append(path)
        elif was != new.packed[at * 16 : at * 16 + 16]:
            modified.append(path)
        elif keep_unchanged:
            same.append(path)
    deleted = list(before)
    return TreeDiff(tuple(added), tuple(deleted), tuple(modified), tuple(same))


def find_renames(
    added: dict[str, Oid], deleted: dict[str, Oid]
) -> tuple[list[Renamed], dict[str, Oid], dict[str, Oid]]:
    """Pair files that went with files that came where their content is the same.

    Args:
        added: Path -> object of what came.
        deleted: Path -> object of what went.

    Returns:
        The pairs, and what is left of ``added`` and ``deleted``.
    """
    by_oid: dict[Oid, list[str]] = {}
    for path in sorted(added, reverse=True):
        by_oid.setdefault(added[path], []).append(path)
    renamed = []
    came, went = dict(added), dict(deleted)
    for path in sorted(deleted):
        places = by_oid.get(deleted[path])
        if places:
            place = places.pop()
            renamed.append(Renamed(path, place))
            del came[place], went[path]
    return renamed, came, went
