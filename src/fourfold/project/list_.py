"""List and du: what a repository holds, tracked data too, and how much space that takes."""

import posixpath
from collections.abc import Iterator
from typing import NamedTuple

from fourfold.project.sourceview import Node, View, clean, is_bookkeeping


class Listed(NamedTuple):
    """One line of a listing.

    Attributes:
        path: Relative to what was listed.
        node: What it is.
    """

    path: str
    node: Node


def list_(
    view: View,
    path: str = "",
    *,
    recursive: bool = False,
    depth: int | None = None,
    tracked_only: bool = False,
) -> list[Listed]:
    """The files and folders below a path, sorted.

    Args:
        view: The repository.
        path: From its root.
        recursive: Files at every depth instead of the entries of one folder.
        depth: With ``recursive``, how deep; folders at the last level are listed themselves.
        tracked_only: Leave out what no project tracks.

    Raises:
        SourcePathError: there is nothing.
        FourfoldError: what is tracked cannot be understood, or the remote be asked.
    """
    node = view.node(path)
    if not node.is_dir or (recursive and depth == 0):
        return [Listed(posixpath.basename(path) or ".", node)]
    limit = (depth if recursive else 1) or None
    cut = len(node.path) + 1 if node.path else 0
    found = [Listed(one.path[cut:], one) for one in _below(view, node.path, limit, plain=not tracked_only)]
    return sorted(found, key=lambda one: one.path)


def _below(view: View, path: str, limit: int | None, *, plain: bool) -> Iterator[Node]:
    level, at = [path], 1
    while level:
        below = []
        for folder in level:
            for node in view.children(folder, plain=plain):
                if not node.is_dir or at == limit:
                    yield node
                else:
                    below.append(node.path)
        level, at = below, at + 1


class Branch(NamedTuple):
    """A folder or a file of a tree, with what is in it."""

    name: str
    node: Node
    children: "tuple[Branch, ...]"


def tree(view: View, path: str = "", *, depth: int | None = None, tracked_only: bool = False) -> Branch:
    """Everything below a path as a tree; arguments and errors as `list_`."""
    node = view.node(path)

    def grow(name: str, at: Node, left: int | None) -> Branch:
        below: tuple[Branch, ...] = ()
        if at.is_dir and left != 0:
            less = None if left is None else left - 1
            nodes = view.children(at.path, plain=not tracked_only)
            below = tuple(grow(one.name, one, less) for one in nodes)
        return Branch(name, at, below)

    return grow(path or ".", node, depth)


class Usage(NamedTuple):
    """How much space one path takes, in bytes."""

    path: str
    size: int


def du(view: View, path: str = "", *, summarize: bool = False) -> list[Usage]:
    """The space that each entry of a folder takes, and last the folder itself; DVC's own files do not count.

    Args:
        view: The repository.
        path: From its root.
        summarize: Only the sum.

    Raises:
        SourcePathError: there is nothing.
        FourfoldError: as `list_`.
    """
    node = view.node(path)
    start = clean(path)
    if summarize or not node.is_dir:
        return [Usage(start, _size(view, node))]
    entries = [one for one in view.children(node.path) if not is_bookkeeping(one.name)]
    found = [Usage(one.path, _size(view, one)) for one in entries]
    return [*found, Usage(start, sum(one.size for one in found))]


def _size(view: View, node: Node) -> int:
    if not node.is_dir:
        return node.size or 0
    if node.plain is None and node.data is not None and node.data.size is not None:
        return node.data.size
    return sum(_size(view, one) for one in view.children(node.path) if not is_bookkeeping(one.name))
