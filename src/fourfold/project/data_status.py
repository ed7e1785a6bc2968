"""The state of tracked data across three moments: the last commit, the pointer files, the workspace.

Read-only. Names are root-relative as DVC gives them: a directory ends in a slash, and with ``granular``
its files are listed too.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.events import Sink, silent
from fourfold.base.ids import Oid
from fourfold.content.diff import Renamed, find_renames
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
)

if TYPE_CHECKING:
    from fourfold.project.project import Project
    from fourfold.project.remotes import Remote


class Changes(NamedTuple):
    """What differs between two moments; ``unknown`` are files of a directory whose manifest is not here."""

    modified: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    renamed: tuple[Renamed, ...] = ()
    unknown: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()


class DataStatus(NamedTuple):
    """The result of `data_status`.

    Attributes:
        not_in_cache: Recorded content that the cache does not have.
        not_in_remote: Recorded content that the remote does not have; empty unless asked for.
        committed: From the last commit to the pointer files.
        uncommitted: From the pointer files to the workspace.
        untracked: Files that neither Git nor DVC knows.
        unchanged: The same at all three moments.
        git_empty: The Git repository has no commit.
        git_dirty: Git sees changes of its own.
    """

    not_in_cache: tuple[str, ...]
    not_in_remote: tuple[str, ...]
    committed: Changes
    uncommitted: Changes
    untracked: tuple[str, ...]
    unchanged: tuple[str, ...]
    git_empty: bool = False
    git_dirty: bool = False


def data_status(
    project: "Project",
    targets: Iterable[str] = (),
    *,
    granular: bool = False,
    untracked: bool = False,
    not_in_remote: bool = False,
    remote: str | None = None,
    events: Sink = silent,
) -> DataStatus:
    """Compare last commit, pointer files and workspace.

    Args:
        project: Whose.
        targets: Paths to look at; all by default.
        granular: Also the files inside of directories.
        untracked: Also list what nobody tracks.
        not_in_remote: Also ask the remote.
        remote: Which; the default one otherwise.
        events: Hears the hashing.

    Raises:
        FourfoldError: a pointer file is broken; the remote cannot be asked.
    """
    roots = root_relative(project, targets)
    tracking = load_tracked(project)
    now = recorded(project, tracking)
    there = present(Examiner(project, events), tracking.outs)
    uncommitted = _compare(now, there, granular=granular, roots=roots)
    git = project.git
    head = git.head() if git is not None else None
    before = recorded(project, load_tracked(project, head, strict=False)) if head is not None else {}
    committed = _compare(before, now, granular=granular, roots=roots) if git is not None else Changes()
    same = set(uncommitted.unchanged)
    if git is not None:
        same &= set(committed.unchanged)
    loose = _untracked(project, roots) if untracked else ()
    return DataStatus(
        not_in_cache=tuple(_not_in_cache(project, now, granular=granular, roots=roots)),
        not_in_remote=_not_in_remote(project, now, remote, granular=granular, roots=roots)
        if not_in_remote
        else (),
        committed=committed,
        uncommitted=uncommitted,
        untracked=loose,
        unchanged=tuple(path for path in uncommitted.unchanged if path in same),
        git_empty=git is not None and head is None,
        git_dirty=git is not None and git.is_dirty(),
    )


def _compare(old: Snapshot, new: Snapshot, *, granular: bool, roots: list[str]) -> Changes:
    before = {path: oid for path, oid, _legacy in rows(old, granular=granular)}
    after = {path: oid for path, oid, _legacy in rows(new, granular=granular)}
    rehashed = rehashed_paths(old, new, granular=granular)
    hidden = hidden_folders(old, new)
    blank = hidden_folders(new, old)
    modified, unchanged, unknown = [], [], []
    added: dict[str, Oid] = {}
    for path, oid in after.items():
        was = before.get(path)
        if was == oid and path not in rehashed:
            unchanged.append(path)
        elif was is not None:
            modified.append(path)
        elif path.startswith(hidden) and path not in hidden:
            unknown.append(path)
        else:
            added[path] = oid
    deleted = {
        path: oid
        for path, oid in before.items()
        if path not in after and (path in blank or not path.startswith(blank))
    }
    renamed, added, deleted = find_renames(added, deleted)
    return Changes(
        tuple(keep_below(modified, roots)),
        tuple(keep_below(added, roots)),
        tuple(keep_below(deleted, roots)),
        tuple(pair for pair in renamed if keep_below([pair.new], roots)),
        tuple(keep_below(_with_folders(unknown, hidden), roots)),
        tuple(keep_below(unchanged, roots)),
    )


def _with_folders(paths: list[str], roots: tuple[str, ...]) -> list[str]:
    """Files and, as DVC names them too, the folders between them and the directory that hides them."""
    found: dict[str, None] = {}
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder and f"{folder}/" not in roots:
            found[f"{folder}/"] = None
            folder = folder.rpartition("/")[0]
        found[path] = None
    return list(found)


def _not_in_cache(project: "Project", now: Snapshot, *, granular: bool, roots: list[str]) -> list[str]:
    by_layout: dict[bool, list[tuple[str, Oid]]] = {}
    for path, oid, legacy in rows(now, granular=granular):
        by_layout.setdefault(legacy, []).append((path, oid))
    found = []
    for legacy, pairs in by_layout.items():
        absent = set(project.store.missing(list(dict.fromkeys(oid for _path, oid in pairs)), legacy=legacy))
        found += [path for path, oid in pairs if oid in absent]
    return keep_below(found, roots)


def _not_in_remote(
    project: "Project", now: Snapshot, name: str | None, *, granular: bool, roots: list[str]
) -> tuple[str, ...]:
    from fourfold.content.presence import sizes_on  # noqa: PLC0415 - only when a remote is asked
    from fourfold.project.remotes import open_remote  # noqa: PLC0415 - likewise

    remote = open_remote(project, name)
    if remote.version_aware:
        return tuple(keep_below(_without_version(project, now, remote, granular=granular), roots))
    by_layout: dict[bool, list[tuple[str, Oid]]] = {}
    for path, oid, legacy in rows(now, granular=granular):
        by_layout.setdefault(legacy, []).append((path, oid))
    found = []
    for legacy, pairs in by_layout.items():
        has = sizes_on(remote.store, [oid for _path, oid in pairs], legacy=legacy)
        found += [path for path, oid in pairs if oid not in has]
    return tuple(keep_below(found, roots))


def _without_version(project: "Project", now: Snapshot, remote: "Remote", *, granular: bool) -> list[str]:
    """What a remote that keeps versions does not have as the pointer files name it."""
    from fourfold.project.collect import collect  # noqa: PLC0415 - only when a remote is asked
    from fourfold.project.versioned import compare_versions  # noqa: PLC0415 - likewise

    compared = compare_versions(project, collect(project, remote=remote.name).wants, remote, silent)
    lacking = {path for path, state in compared.items() if state in {"new", "missing"}}
    found = []
    for path, _oid, _legacy in rows(now, granular=granular):
        if path in lacking or (path.endswith("/") and any(one.startswith(path) for one in lacking)):
            found.append(path)
    return found


def _untracked(project: "Project", roots: list[str]) -> tuple[str, ...]:
    git = project.git
    if git is None:
        return ()
    prefix = git.relative(project.root) or ""
    prefix = "" if prefix == "." else prefix
    below = [path[len(prefix) :].lstrip("/") for path in git.untracked(prefix)]
    return tuple(keep_below(below, roots))
