"""Adopt: bring data from elsewhere into the project, or straight to its remote, and track it.

What ``add`` does with ``--out`` and ``--to-remote``. Where the data came from is not remembered; that is
``import-url``. With a remote as its goal, the data makes no stop in the cache or in the workspace.
"""

import os
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import ConflictError, NotFoundError, UnsupportedError
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
from fourfold.project.remotes import Remote, open_configured, open_remote
from fourfold.project.saving import described_as
from fourfold.project.staging import stage_changes

if TYPE_CHECKING:
    from fourfold.project.project import Project
    from fourfold.storage.blob.protocol import BlobStore


class SourceMissingError(NotFoundError):
    """What was to be brought does not exist."""

    code = "source-missing"


class TargetInTheWayError(ConflictError):
    """Something is where the data was to go."""

    code = "target-in-the-way"


class InsideTrackedError(UnsupportedError):
    """The data was to go into a directory that is tracked as a whole."""

    code = "inside-tracked-directory"


class Source(NamedTuple):
    """Where data comes from.

    Attributes:
        name: Its last part, by which it is called here.
        path: Absolute path on this machine; None for a URL.
        store: What the URL is in; None for a path.
        key: The object, or the folder, in the store.
    """

    name: str
    path: str | None = None
    store: "BlobStore | None" = None
    key: str = ""


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
            brought = _to_remote(
                project, found, open_remote(project, remote, jobs=jobs, access="write"), events
            )
            stored = None
        else:
            brought, stored = _to_cache(project, found, events)
        output = described_as(aim.output, brought.oid, brought.size, brought.nfiles, isexec=brought.isexec)
        added, changed = record(project, op, [aim], {aim.path: output}, hide=not to_remote)
        if not to_remote:
            from fourfold.content.checkout import checkout  # noqa: PLC0415 - not on the way to a remote

            desk = desk_for(project, aim.path, announce=journal(op))
            checkout(brought.oid, aim.path, desk, isexec=brought.isexec, force=force, events=events)
            op.became(aim.path, brought.oid)
            note_placed(project, op, {aim.path: output})
    return AddResult(tuple(added), stored, stage_changes(project, changed))


def locate(project: "Project", source: str, *, jobs: int | None = None) -> Source:
    """Find out what a path or URL names; nothing is read yet.

    Raises:
        SourceMissingError: a path does not exist.
        ConfigError: the URL cannot be understood, or names a remote that is not configured.
    """
    from fourfold.storage.schemes import is_local, local_path, open_store  # noqa: PLC0415 - as in `remotes`
    from fourfold.storage.wrap.retry import Retry  # noqa: PLC0415 - likewise

    if source.startswith("remote://"):
        name, _, key = source.removeprefix("remote://").partition("/")
        store = open_configured(project, project.config.remote(name), jobs=jobs).store
        return Source(key.rstrip("/").rpartition("/")[2] or name, None, store, key.strip("/"))
    if is_local(source):
        path = project.absolute(local_path(source))
        if not os.path.lexists(path):
            raise SourceMissingError(f"'{source}' does not exist")
        return Source(os.path.basename(path), path)
    folder, _, name = source.rstrip("/").rpartition("/")
    is_top = folder.endswith(("/", ":"))  # the bucket or the host itself
    opened = open_store(source if is_top else folder, {}, environ=project.environ, jobs=jobs)
    return Source(name, None, Retry(opened, clock=project.clock), "" if is_top else name)


def _target(project: "Project", found: Source, out: str | None, *, force: bool) -> str:
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


def _to_cache(project: "Project", found: Source, events: Sink) -> tuple[Brought, Stored]:
    with intake_of(project) as intake:
        brought = _bring(project, found, Download(intake), events)
        stored = intake.commit()
        intake.proofs.flush()
    return brought, stored


def _to_remote(project: "Project", found: Source, remote: Remote, events: Sink) -> Brought:
    if remote.version_aware:
        raise remote.unsupported("add --to-remote")
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


def _bring(project: "Project", found: Source, destination: Destination, events: Sink) -> Brought:
    if found.store is not None:
        return bring_blobs(found.store, found.key, destination, events=events)
    path = str(found.path)
    skip_file, skip_directory = project.ignore.pruning(path)
    return bring_path(path, destination, skip_file=skip_file, skip_directory=skip_directory, events=events)
