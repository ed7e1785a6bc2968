"""Merging pointer files and lock files three ways: what ``ff install`` teaches Git.

A directory merges file by file, a lock file (``dvc.lock``, ``fourfold.lock``) stage by stage; what both
sides changed differently is a conflict, and is told by name. Pure over bytes, but for the manifests that it
reads from and adds to the cache.
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from fourfold.base.errors import ConflictError, FourfoldError
from fourfold.base.ids import Oid
from fourfold.content.build import save_tree
from fourfold.content.tree import Tree
from fourfold.formats.dvc import lock, pointer, yamlio
from fourfold.formats.dvc.lock import LockEntry, LockFile
from fourfold.formats.dvc.pointer import Output, Pointer
from fourfold.formats.native import lockfile as native
from fourfold.project.desk import intake_of
from fourfold.project.versioned import listed_tree

if TYPE_CHECKING:
    from fourfold.project.project import Project

Value = TypeVar("Value")


class MergeConflictError(ConflictError):
    """Both sides changed the same thing differently; the details name each.

    Attributes:
        partial: Our side's file with everything merged but that; None where there is no such thing.
    """

    code = "merge-conflict"
    partial: bytes | None = None


class Merged(NamedTuple):
    """The outcome of a clean merge: new bytes for our side's file."""

    data: bytes


def merge_file(project: "Project", ancestor: bytes, ours: bytes, theirs: bytes, *, name: str) -> Merged:
    """Merge one ``.dvc`` file, ``dvc.lock`` or ``fourfold.lock``.

    Args:
        project: Whose cache has the manifests.
        ancestor: What both sides began with; empty where both added the file.
        ours: Our side.
        theirs: The other side.
        name: How messages call the file.

    Raises:
        MergeConflictError: the sides contradict; nothing was written. Of a lock file it has what could be
            merged, with our side's entries where they do.
        InvalidFileError: one of the three cannot be understood.
        ObjectMissingError: a directory's manifest is not in the cache, so that it cannot be merged.
    """
    if theirs in (ours, ancestor):
        return Merged(ours)
    if ours == ancestor:
        return Merged(theirs)
    if native.is_lock(ours) or native.is_lock(theirs):
        return Merged(_merge_native(ancestor, ours, theirs, name))
    if _is_lock(ours) or _is_lock(theirs):
        return Merged(_merge_locks(ancestor, ours, theirs, name))
    return Merged(_merge_pointers(project, ancestor, ours, theirs, name))


def _is_lock(data: bytes) -> bool:
    return data.startswith((b"schema:", b"stages:", b"datasets:")) or b"\nschema:" in data


def _merge_maps(
    ancestor: Mapping[str, Value], ours: Mapping[str, Value], theirs: Mapping[str, Value]
) -> tuple[dict[str, Value], list[str]]:
    """Three mappings as one, and the keys that both sides changed differently."""
    merged: dict[str, Value] = {}
    conflicts = []
    for key in dict.fromkeys([*ours, *theirs]):
        base, mine, other = ancestor.get(key), ours.get(key), theirs.get(key)
        if other in (mine, base):
            kept = mine
        elif mine == base:
            kept = other
        else:
            conflicts.append(key)
            continue
        if kept is not None:
            merged[key] = kept
    return merged, conflicts


# -- lock files -------------------------------------------------------------------------------------


def _merge_locks(ancestor: bytes, ours: bytes, theirs: bytes, name: str) -> bytes:
    """Stage by stage, and data set by data set; our order, and what is new where their order has it."""
    base, mine, other = (_read_lock(side, name) for side in (ancestor, ours, theirs))
    stages, conflicts = _merge_maps(base.stages, mine.stages, other.stages)
    data_sets, contested = _merge_maps(*(_by_name(side.datasets) for side in (base, mine, other)))
    named = [*conflicts, *(f"data set {key}" for key in contested)]
    stages |= {key: mine.stages[key] for key in conflicts if key in mine.stages}
    known = _by_name(mine.datasets)
    kept = data_sets | {key: known[key] for key in contested if key in known}
    data_sets = {key: kept[key] for key in (*known, *kept) if key in kept}
    return _told(_written(ours, mine, other, stages, data_sets, name), named, name)


def _told(merged: bytes, named: list[str], name: str) -> bytes:
    """What was merged, unless both sides differ somewhere: then it goes along with the error."""
    if not named:
        return merged
    error = MergeConflictError(
        f"{len(named)} entr{'y' if len(named) == 1 else 'ies'} of {name} differ on both sides",
        hint="it has our entries there and all else merged; to bring it up to date, run: ff repro",
        details=named,
    )
    error.partial = merged
    raise error


def _merge_native(ancestor: bytes, ours: bytes, theirs: bytes, name: str) -> bytes:
    """``fourfold.lock``, stage by stage, and by what else a later version says."""
    base, mine, other = (native.parse(side, name) for side in (ancestor, ours, theirs))
    stages, conflicts = _merge_maps(base.stages, mine.stages, other.stages)
    extra, contested = _merge_maps(base.extra, mine.extra, other.extra)
    stages |= {key: mine.stages[key] for key in conflicts if key in mine.stages}
    extra |= {key: mine.extra[key] for key in contested if key in mine.extra}
    return _told(native.render(native.LockDocument(stages, extra)), [*conflicts, *contested], name)


def _read_lock(data: bytes, name: str) -> LockFile:
    return lock.parse(data, name) if data.strip() else LockFile(lock.SCHEMA, {})


def _by_name(entries: Any) -> dict[str, Any]:
    """Data sets by their names; such without one by their place."""
    listed = entries if isinstance(entries, list) else []
    return {
        str(entry.get("name") if isinstance(entry, dict) else f"#{at}"): entry
        for at, entry in enumerate(listed, 1)
    }


def _written(
    ours: bytes,
    mine: LockFile,
    other: LockFile,
    stages: Mapping[str, LockEntry],
    data_sets: Mapping[str, Any],
    name: str,
) -> bytes:
    """The bytes of our file with these stages and data sets; what did not change keeps its lines."""
    kept = {stage: entry for stage, entry in mine.stages.items() if stage in stages}
    if data_sets != _by_name(mine.datasets) or not kept:
        data = lock.render(LockFile(mine.schema, kept, list(data_sets.values()) or None))
    elif len(kept) < len(mine.stages):

        def drop(document: yamlio.Document) -> yamlio.Document:
            for stage in mine.stages.keys() - kept.keys():
                del document["stages"][stage]
            return document

        data = yamlio.edit(ours, drop, name)
    else:
        data = ours
    fresh = {stage: entry for stage, entry in stages.items() if mine.stages.get(stage) != entry}
    rank = {stage: at for at, stage in enumerate(other.stages)}
    return lock.update_many(data, fresh, name, rank) if fresh else data


# -- pointer files ----------------------------------------------------------------------------------


def _merge_pointers(project: "Project", ancestor: bytes, ours: bytes, theirs: bytes, name: str) -> bytes:
    base = pointer.parse(ancestor, name) if ancestor.strip() else None
    mine, other = pointer.parse(ours, name), pointer.parse(theirs, name)
    outs = [_only_output(side, name) for side in (mine, other)]
    old = _only_output(base, name) if base is not None and base.outs else None
    if outs[0].path != outs[1].path:
        raise MergeConflictError(f"the two sides of {name} track different paths", hint="take one side")
    tree = _merge_trees(project, old, outs[0], outs[1], name)
    size = _size_of(project, tree)
    output = outs[0]._replace(oid=tree.oid, size=size, nfiles=len(tree), legacy=False)
    if outs[0].files or outs[1].files:
        output = output._replace(files=_merged_files(project, outs[0], outs[1], tree))
    with intake_of(project) as intake:
        save_tree(tree, intake)
        intake.commit()
        intake.proofs.flush()
    return pointer.update(ours, mine._replace(outs=(output,)), name)


def _only_output(side: Pointer, name: str) -> Output:
    if len(side.outs) != 1 or side.deps:
        raise MergeConflictError(
            f"{name} is an import, or has several outputs: both sides changed it", hint="take one side"
        )
    return side.outs[0]


def _merge_trees(project: "Project", old: Output | None, mine: Output, other: Output, name: str) -> Tree:
    trees = []
    for side in (old, mine, other):
        oid = side.oid if side is not None else None
        if side is None or oid is None:
            trees.append(Tree([], b""))
        elif not oid.endswith(".dir"):
            raise MergeConflictError(
                f"both sides of {name} changed the file {mine.path}",
                hint="take one side: git checkout --ours or --theirs",
            )
        else:
            trees.append(listed_tree(side, name) or project.store.read_tree(oid, legacy=side.legacy))
    base, ours, theirs = (dict(tree.items()) for tree in trees)
    merged, conflicts = _merge_maps(base, ours, theirs)
    if conflicts:
        raise MergeConflictError(
            f"{len(conflicts)} file{'s' * (len(conflicts) != 1)} of {mine.path} changed on both sides",
            hint="take one side, then add the other's changes by hand",
            details=conflicts,
        )
    return Tree.of(merged.items())


def _merged_files(project: "Project", mine: Output, other: Output, tree: Tree) -> list[Mapping[str, Any]]:
    """The merged directory file by file, with what either side knows of a cloud's versions."""
    known = {(item["relpath"], item.get("md5")): item for item in (*(other.files or ()), *(mine.files or ()))}
    found = []
    for path, oid in tree.items():
        item = known.get((path, oid))
        if item is None:
            size = _size_of(project, Tree.of([(path, oid)]))
            item = {"relpath": path, "md5": str(oid)} | ({} if size is None else {"size": size})
        found.append(item)
    return found


def _size_of(project: "Project", tree: Tree) -> int | None:
    """Bytes of all files, if the cache has them all."""
    total = 0
    for oid in tree.digests():
        try:
            total += os.stat(project.store.path(Oid(oid))).st_size
        except OSError:
            return None
    return total


def reason(error: FourfoldError) -> str:
    """A conflict in one line, for Git's output."""
    return f"{error.message}: {', '.join(error.details[:5])}" if error.details else error.message
