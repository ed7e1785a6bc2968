"""Adopt: bring data from elsewhere into the project, or straight to its remote, and track it.

What ``add`` does with ``--out`` and ``--to-remote``. Where the data came from is not remembered; that is
``import-url``. With a remote as its goal, the data makes no stop in the cache or in the workspace.
"""

import os
from typing import TYPE_CHECKING

from fourfold.base.errors import ConflictError, UnsupportedError
from fourfold.base.events import Sink, silent
from fourfold.content.bring import Brought, Destination, Download, Upload, bring_blobs, bring_path
from fourfold.content.intake import Intake, Stored
from fourfold.content.objects import ObjectStore
from fourfold.content.proofs import ProofBook
from fourfold.content.staging import Staging
from fourfold.project.add import AddResult, plan
from fourfold.project.desk import desk_for, intake_of, journal
from fourfold.project.locks import project_lock
from fourfold.project.oplog import operation
from fourfold.project.placed import note_placed
from fourfold.project.recording import record
from fourfold.project.remotes import Remote, open_remote
from fourfold.project.saving import described_as
from fourfold.project.staging import stage_changes
from fourfold.project.urls import Place, locate

if TYPE_CHECKING:
    from fourfold.project.project import Project


class TargetInTheWayError(ConflictError):
    """Something is where the data was to go."""

    code = "target-in-the-way"


class InsideTrackedError(UnsupportedError):
    """The data was to go into a directory that is tracked as a whole."""

    code = "inside-tracked-directory"


def adopt(
    project: "Project",
    source: str,
    *,
    out: str | None = None,
    to_remote: bool = False,
    remote: str | None = None,
    jobs: int | None = None,
    force: bool = False,
    events: Sink = silent,
) -> AddResult:
    """Bring a file or a directory from elsewhere, and track it.

    Args:
        project: Whose.
        source: A path, a URL, or ``remote://name/path``.
        out: Its path here, or an existing folder to put it into; by default its own name, here.
        to_remote: Send it to a remote, not into cache and workspace.
        remote: Which remote; the default one by default.
        jobs: Requests to the remote at once.
        force: Replace what is at its path here.
        events: Hears the phases.

    Raises:
        SourceMissingError: there is nothing.
        TargetInTheWayError: something is at its path here, and ``force`` was not given.
        InsideTrackedError: its path here lies inside a tracked directory.
        FourfoldError: as `fourfold.project.add.add`, and what remotes fail with.
    """
    flags = [*(["-o", out] if out else []), *(["--to-remote"] * to_remote)]
    with project_lock(project), operation(project, "add", [source, *flags]) as op:
        found = locate(project, source, jobs=jobs)
        target = _target(project, found, out, force=force)
        (aim,) = plan(project, [target], force=force, must_exist=False)
        if aim.inner is not None:
            shown, above = project.display(aim.path), project.display(aim.out_path)
            raise InsideTrackedError(
                f"'{shown}' lies in the tracked directory '{above}'",
                hint=f"copy it there, then run: ff add {shown}",
            )
        if to_remote:
            brought = bring_to_remote(
                project, found, open_remote(project, remote, jobs=jobs, access="write"), events
            )
            stored = None
        else:
            brought, stored = bring_to_cache(project, found, events)
        output = described_as(aim.output, brought.oid, brought.size, brought.nfiles, isexec=brought.isexec)
        added, changed = record(project, op, [aim], {aim.path: output}, hide=not to_remote)
        if not to_remote:
            from fourfold.content.checkout import checkout  # noqa: PLC0415 - not on the way to a remote

            desk = desk_for(project, aim.path, announce=journal(op))
            checkout(brought.oid, aim.path, desk, isexec=brought.isexec, force=force, events=events)
            op.became(aim.path, brought.oid)
            note_placed(project, op, {aim.path: output})
    return AddResult(tuple(added), stored, stage_changes(project, changed))


def _target(project: "Project", found: Place, out: str | None, *, force: bool) -> str:
    """The path that the data gets here, absolute."""
    if out is None:
        if found.path is not None and project.contains(found.path):
            return found.path
        return project.absolute(found.name)
    path = project.absolute(out)
    if os.path.isdir(path):
        path = os.path.join(path, found.name)
    if os.path.lexists(path) and not force:
        raise TargetInTheWayError(
            f"the file '{project.display(path)}' already exists locally", hint="replace it with --force"
        )
    return path


def bring_to_cache(project: "Project", found: Place, events: Sink) -> tuple[Brought, Stored]:
    """Bring a place's content into the project's cache; errors as `adopt`."""
    with intake_of(project) as intake:
        brought = _bring(project, found, Download(intake), events)
        stored = intake.commit()
        intake.proofs.flush()
    return brought, stored


def bring_to_remote(project: "Project", found: Place, remote: Remote, events: Sink) -> Brought:
    """Bring a place's content onto a remote, and nowhere else; errors as `adopt`."""
    if remote.version_aware:
        raise remote.unsupported("--to-remote")
    if remote.store.local_root is not None:
        target = ObjectStore(remote.store.local_root)
        with Intake(target, ProofBook(project.index, target)) as intake:
            brought = _bring(project, found, Download(intake), events)
            intake.commit()
            intake.proofs.flush()
        return brought
    with Staging(os.path.join(project.make_own_dir(), "staging"), project.root) as staging:
        upload = Upload(remote.store, staging)
        brought = _bring(project, found, upload, events)
        upload.flush()
    return brought


def _bring(project: "Project", found: Place, destination: Destination, events: Sink) -> Brought:
    if found.store is not None:
        return bring_blobs(found.store, found.key, destination, events=events)
    path = str(found.path)
    skip_file, skip_directory = project.ignore.pruning(path)
    return bring_path(path, destination, skip_file=skip_file, skip_directory=skip_directory, events=events)
