"""Diff: what tracked data differs between two revisions, or a revision and the workspace."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import NotFoundError, UnsupportedError
from fourfold.base.events import Sink, silent
from fourfold.base.ids import Oid
from fourfold.content.diff import find_renames
from fourfold.project.changes import Examiner
from fourfold.project.files import load_tracked
from fourfold.project.snapshot import (
    Snapshot,
    hidden_folders,
    keep_below,
    present,
    recorded,
    rehashed_paths,
    root_relative,
    rows,
    share_trees,
)

if TYPE_CHECKING:
    from fourfold.project.project import Project


class NoGitError(UnsupportedError):
    """Revisions were asked for in a project without Git."""

    code = "no-git"


class DiffTargetNotFoundError(NotFoundError):
    """A target is tracked in neither of the two revisions."""

    code = "diff-target-not-found"


class Entry(NamedTuple):
    """One path that differs: its content before and after, and its new place if it moved."""

    path: str
    old: Oid | None
    new: Oid | None
    moved_to: str = ""


class Diff(NamedTuple):
    """The result of `diff`; sorted by path.

    Attributes:
        added: Only in the second.
        deleted: Only in the first.
        modified: In both, different.
        renamed: The same content elsewhere.
        not_in_cache: Recorded by the first, content not in the cache; only against the workspace.
        is_empty_repository: There is no commit to compare with.
        with_workspace: Whether the second is the workspace.
    """

    added: tuple[Entry, ...] = ()
    deleted: tuple[Entry, ...] = ()
    modified: tuple[Entry, ...] = ()
    renamed: tuple[Entry, ...] = ()
    not_in_cache: tuple[Entry, ...] = ()
    is_empty_repository: bool = False
    with_workspace: bool = True


def diff(
    project: "Project",
    old: str = "HEAD",
    new: str | None = None,
    *,
    targets: Iterable[str] = (),
    events: Sink = silent,
) -> Diff:
    """Compare what is tracked at two moments, file by file.

    Args:
        project: Whose.
        old: A revision.
        new: A revision; None for the files of the workspace.
        targets: Paths to look at; all by default.
        events: Hears the hashing.

    Raises:
        NoGitError: the project lives without Git.
        UnknownRevisionError: Git has no such revision.
        DiffTargetNotFoundError: a target is tracked in neither.
    """
    git = project.git
    if git is None:
        raise NoGitError(
            "comparing revisions needs a Git repository", hint="compare with what is recorded: ff data status"
        )
    if git.head() is None:
        return Diff(is_empty_repository=True)
    roots = root_relative(project, targets)
    before = recorded(project, load_tracked(project, old, strict=False))
    if new is None:
        tracking = load_tracked(project)
        after = present(Examiner(project, events), tracking.outs)
    else:
        after = recorded(project, load_tracked(project, new, strict=False))
    _check_targets(roots, before, after)
    return _compare(project, before, after, roots, with_workspace=new is None)


def _check_targets(roots: list[str], before: Snapshot, after: Snapshot) -> None:
    if not roots:
        return
    known = {
        path.rstrip("/") for side in (before, after) for path, _oid, _legacy in rows(side, granular=True)
    }
    for root in roots:
        if root not in known and not any(path.startswith(f"{root}/") for path in known):
            raise DiffTargetNotFoundError(
                f"'{root}' is tracked in neither of the two revisions", hint="see all changes with: ff diff"
            )


def _compare(
    project: "Project", before: Snapshot, after: Snapshot, roots: list[str], *, with_workspace: bool
) -> Diff:
    before, after = share_trees(before, after)
    olds = {path: oid for path, oid, _legacy in rows(before, granular=True)}
    news = {path: oid for path, oid, _legacy in rows(after, granular=True)}
    # The files of a directory are not compared when they are known at one of the moments only.
    blind = (*hidden_folders(before, after), *hidden_folders(after, before))

    def is_comparable(path: str) -> bool:
        return path in blind or not path.startswith(blind)

    added = {path: oid for path, oid in news.items() if path not in olds and is_comparable(path)}
    deleted = {path: oid for path, oid in olds.items() if path not in news and is_comparable(path)}
    rehashed = rehashed_paths(before, after, granular=True)
    modified = [
        Entry(path, olds[path], oid)
        for path, oid in news.items()
        if path in olds and (olds[path] != oid or path in rehashed)
    ]
    renamed, added, deleted = find_renames(added, deleted)
    missing = _missing(project, before, roots) if with_workspace else []
    return Diff(
        tuple(Entry(path, None, added[path]) for path in sorted(keep_below(added, roots))),
        tuple(Entry(path, deleted[path], None) for path in sorted(keep_below(deleted, roots))),
        tuple(entry for entry in sorted(modified) if keep_below([entry.path], roots)),
        tuple(
            Entry(pair.old, olds[pair.old], olds[pair.old], pair.new)
            for pair in renamed
            if keep_below([pair.new], roots)
        ),
        tuple(missing),
        with_workspace=with_workspace,
    )


def _missing(project: "Project", before: Snapshot, roots: list[str]) -> list[Entry]:
    pairs: dict[bool, list[tuple[str, Oid]]] = {}
    for path, oid, legacy in rows(before, granular=True):
        pairs.setdefault(legacy, []).append((path, oid))
    found = []
    for legacy, known in pairs.items():
        absent = set(project.store.missing([oid for _path, oid in known], legacy=legacy))
        found += [
            Entry(path, oid, None) for path, oid in known if oid in absent and keep_below([path], roots)
        ]
    return sorted(found)
