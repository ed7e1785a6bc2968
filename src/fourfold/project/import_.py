"""Import: data of another repository into the project, with the repository, path and commit on record.

The content goes into the cache first, then the pointer file is written, then the workspace. What is
recorded of it is DVC's: the address as the user typed it, and the commit that was read.
"""

import os
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import UsageError
from fourfold.base.events import Sink, silent
from fourfold.base.ids import Oid
from fourfold.content.checkout import checkout
from fourfold.content.tree import Tree
from fourfold.formats.dvc.pointer import Dependency, Output, Pointer, RepoSource, import_checksum
from fourfold.project.add import plan
from fourfold.project.desk import desk_for, journal
from fourfold.project.elsewhere import open_source
from fourfold.project.get import PointerFileWantedError, goal, own_name
from fourfold.project.gitignore import gitignore_of, ignore_all
from fourfold.project.importsources import surroundings_of
from fourfold.project.locks import project_lock
from fourfold.project.materialize import Materialized, Shelf, materialize
from fourfold.project.oplog import Operation, operation
from fourfold.project.outs import is_owner_file
from fourfold.project.placed import note_placed
from fourfold.project.pointerfiles import write_pointer
from fourfold.project.recording import Aim
from fourfold.project.saving import described_as
from fourfold.project.sourceconfig import RemoteSettings
from fourfold.project.sourceview import View
from fourfold.project.staging import Staged, stage_changes

if TYPE_CHECKING:
    from fourfold.project.project import Project


class SettingsConflictError(UsageError):
    """Options of one command exclude each other."""

    code = "options-exclude-each-other"
    exit_code = 1


class Imported(NamedTuple):
    """What was imported.

    Attributes:
        path: Absolute path of the data here.
        file: The pointer file.
        source: What it comes from, for people.
        rev: The commit of the source, where there is one.
        oid: The content; None when it was not brought.
        size: Bytes.
        nfiles: Files in a directory.
        staged: What belongs into the next commit.
    """

    path: str
    file: str
    source: str
    rev: str
    oid: Oid | None
    size: int | None
    nfiles: int | None
    staged: Staged


def import_(
    project: "Project",
    url: str,
    path: str,
    *,
    out: str | None = None,
    rev: str | None = None,
    no_exec: bool = False,
    no_download: bool = False,
    settings: RemoteSettings = RemoteSettings(),  # noqa: B008 - a value, never changed
    jobs: int | None = None,
    force: bool = False,
    events: Sink = silent,
) -> Imported:
    """Bring a file or a directory of another repository into the project, and remember where it is from.

    Args:
        project: Where to.
        url: A folder of this machine, or a Git address.
        path: From the root of the repository.
        out: Where to put it; by default its own name, here.
        rev: The branch, tag or commit to follow; by default the default branch.
        no_exec: Only write the pointer file; the source is not asked at all.
        no_download: Only write the pointer file, with the commit of the source.
        settings: Which remote of the repository, and how; it is recorded.
        jobs: Requests at once.
        force: Replace what is there.
        events: Hears the phases.

    Raises:
        TargetInTheWayError: something is there, and ``force`` was not given.
        SourcePathError, SourceDataMissingError: the repository does not have it.
        FourfoldError: as `elsewhere.open_source`, `materialize.materialize` and `add.plan`.
    """
    target = goal(own_name(path), out, project.cwd, force=force)
    if is_owner_file(own_name(path)):
        raise PointerFileWantedError(
            f"DVC file '{path}' cannot be a dependency", hint="name the data: the path without '.dvc'"
        )
    repo = _described(url, rev, settings)
    with (
        project_lock(project),
        operation(project, "import", [url, path, *(["-o", out] if out else [])]) as op,
    ):
        aim = plan_import(project, target, force=force)
        found, commit = None, None
        if not no_exec:
            source = open_source(url, surroundings_of(project), rev=rev, settings=settings)
            commit = source.rev
            view = View(source, known=project.store, jobs=jobs)
            view.node(path)
            if not no_download:
                found = materialize(view, path, shelf_of(project), events=events)
        dep = Dependency(path, repo=repo._replace(rev_lock=commit))
        output = aim.output if found is None else described(aim.output, found)
        pointer = Pointer(outs=(output,), deps=(dep,), frozen=True)
        if not no_exec:
            pointer = pointer._replace(md5=import_checksum(pointer))
        content = None if found is None else found.tree or found.oid
        changed = settle(project, op, aim, pointer, content, force=force, events=events)
    return Imported(
        aim.path,
        aim.file,
        f"{path} ({url})",
        commit or "",
        output.oid,
        output.size,
        output.nfiles,
        stage_changes(project, changed),
    )


def _described(url: str, rev: str | None, settings: RemoteSettings) -> RepoSource:
    """The source as the pointer file records it."""
    if settings.remote and settings.options and isinstance(settings.config, str):
        raise SettingsConflictError(
            "a configuration file cannot be combined with both a remote and options of it",
            hint="put the options into that file",
        )
    options = dict(settings.options or {})
    if settings.remote and options:
        config = {**(settings.config if isinstance(settings.config, dict) else {})}
        config["core"] = {**config.get("core", {}), "remote": settings.remote}
        remotes = config.get("remote", {})
        config["remote"] = {**remotes, settings.remote: {**remotes.get(settings.remote, {}), **options}}
        return RepoSource(url, rev, config=config)
    return RepoSource(url, rev, config=settings.config, remote=settings.remote or options or None)


def plan_import(project: "Project", target: str, *, force: bool) -> Aim:
    """Judge the place of an import; errors as `add.plan`."""
    (aim,) = plan(project, [target], force=force, must_exist=False)
    if aim.inner is not None:
        from fourfold.project.adopt import InsideTrackedError  # noqa: PLC0415 - only this refusal needs it

        raise InsideTrackedError(
            f"'{project.display(aim.path)}' lies in the tracked directory '{project.display(aim.out_path)}'",
            hint="name another place with -o",
        )
    return aim._replace(output=Output(os.path.basename(aim.path)))


def shelf_of(project: "Project") -> Shelf:
    """The project's cache as the place where materialized content goes."""
    from fourfold.project.vetting import vet_store  # noqa: PLC0415 - only when content comes

    vet_store(project, "write")
    return Shelf(project.store, project.index, os.path.join(project.make_own_dir(), "staging"))


def described(output: Output, found: Materialized) -> Output:
    """An output that holds what was materialized."""
    return described_as(output, found.oid, found.size, found.nfiles)


def settle(
    project: "Project",
    op: Operation,
    aim: Aim,
    pointer: Pointer,
    content: Oid | Tree | None,
    *,
    force: bool,
    events: Sink,
    old: bytes = b"",
) -> list[str]:
    """Write the pointer file and the ``.gitignore`` line, then place the content; the files that changed."""
    if project.git is not None:
        op.will_write(gitignore_of(aim.path))
    changed = ignore_all(project, [aim.path])
    if write_pointer(project, op, aim.file, pointer, old):
        changed.append(aim.file)
    if content is not None:
        desk = desk_for(project, aim.path, announce=journal(op))
        checkout(content, aim.path, desk, force=force, events=events)
        op.became(aim.path, pointer.outs[0].oid)
        note_placed(project, op, {aim.path: pointer.outs[0]})
    return changed
