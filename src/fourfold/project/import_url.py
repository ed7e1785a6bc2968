"""Import-url: data from a path or a URL into the project, with where it is from and what it was on record.

The same order as every verb that tracks: content into the cache (or straight to a remote), then the pointer
file, then the workspace. What a dependency records of each kind of URL is `urls`.
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fourfold.base.errors import ConflictError
from fourfold.base.events import Sink, silent
from fourfold.content.bring import Brought
from fourfold.formats.dvc.pointer import Dependency, Output, Pointer, import_checksum
from fourfold.project.adopt import bring_to_cache, bring_to_remote
from fourfold.project.get import goal, own_name
from fourfold.project.import_ import Imported, SettingsConflictError, plan_import, settle
from fourfold.project.locks import project_lock
from fourfold.project.oplog import operation
from fourfold.project.saving import described_as
from fourfold.project.staging import stage_changes
from fourfold.project.urls import Content, Place, is_version_aware, locate, state_of
from fourfold.project.vetting import vet_store

if TYPE_CHECKING:
    from fourfold.project.project import Project


class SourceMovedError(ConflictError):
    """What is at a URL changed while it was brought."""

    code = "source-changed-while-read"


def import_url(
    project: "Project",
    url: str,
    *,
    out: str | None = None,
    no_exec: bool = False,
    no_download: bool = False,
    to_remote: bool = False,
    remote: str | None = None,
    version_aware: bool = False,
    fs_config: Mapping[str, Any] | None = None,
    jobs: int | None = None,
    force: bool = False,
    events: Sink = silent,
) -> Imported:
    """Bring a file or a directory from a path or a URL, and remember where it is from.

    Args:
        project: Where to.
        url: A path, a URL, or ``remote://name/path``.
        out: Where to put it; by default its own name, here.
        no_exec: Only write the pointer file; the source is not asked at all.
        no_download: Only write the pointer file, with the state of the source.
        to_remote: Send it to a remote, not into cache and workspace.
        remote: Which remote; by default the default one.
        version_aware: Record the versions that the source keeps.
        fs_config: Options of the URL's kind of remote; they are recorded.
        jobs: Requests at once.
        force: Replace what is there.
        events: Hears the phases.

    Raises:
        SettingsConflictError: options exclude each other.
        TargetInTheWayError: something is there, and ``force`` was not given.
        SourceMissingError: there is nothing at the URL.
        SourceMovedError: it changed while it was read; nothing was recorded.
        FourfoldError: the source or the remote fails; as `add.plan`.
    """
    _refuse(to_remote, remote, lazy=no_exec or no_download or version_aware)
    target = goal(own_name(url), out, project.cwd, force=force)
    settings = {**(fs_config or {}), **({"version_aware": True} if version_aware else {})}
    with project_lock(project), operation(project, "import-url", [url, *([out] if out else [])]) as op:
        aim = plan_import(project, target, force=force)
        dep = Dependency(recorded_path(project, url, os.path.dirname(aim.path)), fs_config=settings or None)
        output = aim.output._replace(push=no_exec or not version_aware)
        found: Brought | None = None
        if not no_exec:
            place = locate(project, url, jobs=jobs, options=settings)
            dep = state_of(dep, place, project.index)
            if not no_download:
                found = bring(project, dep, place, remote, jobs, to_remote=to_remote, events=events)
                output = described_as(output, found.oid, found.size, found.nfiles)
        pointer = Pointer(outs=(output,), deps=(dep,), frozen=True)
        if not no_exec:
            pointer = pointer._replace(md5=import_checksum(pointer))
        oid = None if found is None or to_remote else found.oid
        changed = settle(project, op, aim, pointer, oid, force=force, events=events)
    return imported(project, aim.path, aim.file, url, output, changed)


def imported(
    project: "Project", path: str, file: str, url: str, output: Output, changed: list[str]
) -> Imported:
    """The result of an import from a URL."""
    return Imported(
        path, file, url, "", output.oid, output.size, output.nfiles, stage_changes(project, changed)
    )


def _refuse(to_remote: bool, remote: str | None, *, lazy: bool) -> None:
    if to_remote and lazy:
        raise SettingsConflictError(
            "--no-exec, --no-download and --version-aware cannot be combined with --to-remote"
        )
    if remote and not to_remote:
        raise SettingsConflictError("--remote can't be used without --to-remote")


def recorded_path(project: "Project", url: str, wdir: str) -> str:
    """A URL as it is; a path relative to the pointer file, unless it was absolute and outside."""
    if "://" in url:
        return url
    path = project.absolute(url)
    if os.path.isabs(url) and not project.contains(path):
        return url
    return os.path.relpath(path, wdir).replace(os.sep, "/")


def bring(
    project: "Project",
    dep: Dependency,
    place: Place,
    remote: str | None,
    jobs: int | None,
    *,
    to_remote: bool,
    events: Sink,
) -> Brought:
    """Bring the content of a place into the cache or onto a remote.

    Raises:
        SourceMovedError: it is not what it was when ``dep`` was recorded.
        FourfoldError: the source or the goal fails.
    """
    if to_remote:
        from fourfold.project.remotes import open_remote  # noqa: PLC0415 - few imports go there

        opened = open_remote(project, remote, jobs=jobs, access="write")
        found = bring_to_remote(project, place, opened, events)
    else:
        vet_store(project, "write")
        found, _stored = bring_to_cache(project, place, events)
    now = state_of(dep, place, project.index, content=Content(found.oid, found.size, found.nfiles))
    if now != dep:
        versions = " (its versions)" if is_version_aware(dep) else ""
        raise SourceMovedError(
            f"'{place.url}' changed{versions} while it was brought",
            hint="let its writer finish, then run the same command again",
        )
    return found
