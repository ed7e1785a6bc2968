"""Which tracked data differs between two moments: files, bytes, and what its tables look like.

Everything comes from pointer and lock files and from the cache; no data has to be in the workspace. The
manifests of directories are read from the remote where the cache has them not, and are not kept.
"""

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import CorruptError, FourfoldError, NotFoundError
from fourfold.base.events import Sink, silent
from fourfold.base.ids import Oid
from fourfold.content.diff import diff_trees
from fourfold.content.transfer import remote_tree
from fourfold.content.tree import Tree
from fourfold.formats.tabular import TableSummary, format_of, summarize
from fourfold.pipeline.report.value import ADDED, CHANGED, REMOVED, DataChange, TableChange
from fourfold.project.outs import Tracked
from fourfold.project.push import Opened
from fourfold.project.snapshot import tree_of

if TYPE_CHECKING:
    from fourfold.project.files import Tracking
    from fourfold.project.project import Project

#: Tables that one report looks into, and the bytes that it reads of each.
MAX_TABLES = 20
MAX_TABLE_BYTES = 64 << 20


class Pair(NamedTuple):
    """One file that may hold a table, with its content before and after, and whether DVC 2 named each."""

    path: str
    old: tuple[Oid, bool] | None
    new: tuple[Oid, bool] | None


class Manifests:
    """The lists of files of directories.

    Args:
        project: Whose.
        ask: Whether to ask a remote for what the cache has not.
        remote: Its name; None for each output's own, or the default one.
        events: Hears warnings of the remotes.
    """

    def __init__(
        self, project: "Project", *, ask: bool = True, remote: str | None = None, events: Sink = silent
    ) -> None:
        self._project = project
        self._ask = ask
        self._remote = remote
        self._opened = Opened(project, None, events=events)

    def of(self, out: Tracked) -> Tree | None:
        """The list of one directory; None when nobody has it."""
        oid, legacy = _content(out)
        found = tree_of(self._project, oid, legacy=legacy)
        if found is not None or not self._ask:
            return found
        try:
            remote = self._opened.get(self._remote or out.output.remote)
            return None if remote.version_aware else remote_tree(oid, remote.store, legacy=legacy)
        except (NotFoundError, CorruptError):
            return None
        except FourfoldError:  # nobody is there: one wait is enough
            self._ask = False
            return None


def data_changes(
    old: "Tracking", new: "Tracking", manifests: Manifests
) -> tuple[tuple[DataChange, ...], tuple[Pair, ...]]:
    """The outputs whose content differs, by path, and the files among it whose names tell of tables."""
    before, after = _cached(old), _cached(new)
    changes, pairs = [], []
    for path in sorted({*before, *after}):
        was, now = before.get(path), after.get(path)
        if was is not None and now is not None and _content(was) == _content(now):
            continue
        change, files = _change(manifests, path, was, now)
        changes.append(change)
        pairs += [pair for pair in files if format_of(pair.path) is not None]
    return tuple(changes), tuple(pairs)


def _cached(tracking: "Tracking") -> dict[str, Tracked]:
    return {out.relpath: out for out in tracking.outs if out.output.cache and out.oid is not None}


def _content(out: Tracked) -> tuple[Oid, bool]:
    return Oid(str(out.oid)), out.output.legacy


def _change(
    manifests: Manifests, path: str, was: Tracked | None, now: Tracked | None
) -> tuple[DataChange, list[Pair]]:
    state = ADDED if was is None else REMOVED if now is None else CHANGED
    files = (_files(was), _files(now))
    size = (was.output.size if was is not None else None, now.output.size if now is not None else None)
    plain = DataChange(path, state, files, size)
    if not any(out is not None and out.is_dir for out in (was, now)):
        return plain, [Pair(path, _content(was) if was else None, _content(now) if now else None)]
    trees: list[Tree | None] = []
    for out in (was, now):
        if out is None or not out.is_dir:
            trees.append(None)
            continue
        tree = manifests.of(out)
        if tree is None:
            return plain._replace(blind=True), []
        trees.append(tree)
    first, second = trees
    if first is None or second is None:
        return plain, []
    found = diff_trees(first, second)
    pairs = [
        Pair(
            f"{path}/{name}",
            _named(first.get(name), was),
            _named(second.get(name), now),
        )
        for name in (*found.modified, *found.added, *found.deleted)
    ]
    inside = [
        tuple(f"{path}/{name}" for name in names) for names in (found.added, found.deleted, found.modified)
    ]
    return plain._replace(added=inside[0], removed=inside[1], changed=inside[2]), pairs


def _named(oid: Oid | None, out: Tracked | None) -> tuple[Oid, bool] | None:
    return (oid, out.output.legacy) if oid is not None and out is not None else None


def _files(out: Tracked | None) -> int | None:
    if out is None:
        return 0
    return out.output.nfiles if out.is_dir else 1


class Tables(NamedTuple):
    """Tables that differ, how many were not looked into, and how many are not in the cache here."""

    changes: tuple[TableChange, ...]
    left: int
    absent: int


def tables_of(project: "Project", pairs: Iterable[Pair]) -> Tables:
    """Look into the tables among changed data, as far as the cache has them."""
    wanted = list(pairs)
    found, absent = [], 0
    for pair in wanted[:MAX_TABLES]:
        old, new = (_look(project, pair.path, side) for side in (pair.old, pair.new))
        if old is None and new is None:
            absent += 1
        else:
            found.append(TableChange(pair.path, old, new))
    return Tables(tuple(found), max(len(wanted) - MAX_TABLES, 0), absent)


def _look(project: "Project", path: str, content: tuple[Oid, bool] | None) -> TableSummary | None:
    if content is None:
        return None
    oid, legacy = content
    try:
        with open(project.store.path(oid, legacy=legacy), "rb") as file:
            return summarize(file, os.path.basename(path), max_bytes=MAX_TABLE_BYTES)
    except OSError:
        return None
