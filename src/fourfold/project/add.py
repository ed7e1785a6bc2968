"""Add: begin to track files and directories, or record what they are now.

Every target is judged before the first is read; then the content of all of them goes into the cache
in one durable batch, then the pointer files are written, then the workspace may be linked. What
must not be tracked, and why, is decided here; saving is `saving`.
"""

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import ConflictError, InvalidFileError, NotFoundError, UsageError, from_os_error
from fourfold.base.events import Sink, silent
from fourfold.base.fs.walk import refuse_not_utf8
from fourfold.base.ids import UnsafePathError, safe_relpath
from fourfold.content.intake import Stored
from fourfold.formats.dvc.pointer import Output
from fourfold.project.files import Tracking, load_tracked
from fourfold.project.locks import project_lock
from fourfold.project.oplog import operation
from fourfold.project.outs import (
    POINTER_SUFFIX,
    OverlappingOutputError,
    OwnerInsideOutputError,
    Tracked,
    folders_above,
    inside,
    is_owner_file,
)
from fourfold.project.placed import note_placed
from fourfold.project.pointerfiles import refuse_ignored
from fourfold.project.recording import Added, Aim, record, refuse_tracked_by_git
from fourfold.project.saving import Saver
from fourfold.project.staging import Staged, stage_changes
from fourfold.project.targets import expand_globs

if TYPE_CHECKING:
    from fourfold.project.project import Project


class NothingToAddError(NotFoundError):
    """A target does not exist."""

    code = "nothing-to-add"


class CannotBeTrackedError(InvalidFileError):
    """A target is of a kind that cannot be an output: a pointer file, the root, something ignored."""

    code = "cannot-be-tracked"


class BehindSymlinkError(CannotBeTrackedError):
    """A target is a directory behind a symbolic link, or lies in one."""

    code = "behind-symlink"


class MadeByStageError(ConflictError):
    """A stage of the pipeline makes the target."""

    code = "made-by-stage"


class PointerTakenError(ConflictError):
    """The pointer file of the target is there, and tracks something else."""

    code = "pointer-file-taken"


class AddResult(NamedTuple):
    """What `add` did.

    Attributes:
        added: The targets in their order.
        stored: What went into the cache; None with ``no_commit``.
        staged: What belongs into the next commit.
    """

    added: tuple[Added, ...]
    stored: Stored | None
    staged: Staged


def add(
    project: "Project",
    targets: Iterable[str],
    *,
    glob: bool = False,
    no_commit: bool = False,
    relink: bool = True,
    force: bool = False,
    events: Sink = silent,
) -> AddResult:
    """Track files or directories: store their content, write one pointer file each.

    Durable when it returns. A path inside a tracked directory is recorded in that directory's manifest.

    Args:
        project: Whose.
        targets: Paths as typed.
        glob: They are patterns.
        no_commit: Write the pointer files only; the content goes to the cache with ``commit``.
        relink: Let the workspace share bytes with the cache, where that is configured.
        force: Take over a pointer file that tracks something else.
        events: Hears the phases.

    Raises:
        NothingToAddError: a target does not exist.
        CannotBeTrackedError: it is no kind of thing that can be an output.
        OverlappingOutputError, OwnerInsideOutputError: it lies around what is tracked already.
        MadeByStageError, TrackedByGitError, PointerTakenError: somebody else has it.
        ChangedDuringReadError: a file changed while it was read; nothing was recorded.
        RepositoryLockedError: another process works on the project.
    """
    names = list(targets)
    if not names:
        raise UsageError("nothing to add was named")
    flags = ["--no-commit"] * no_commit + ["--glob"] * glob + ["--no-relink"] * (not relink)
    with project_lock(project), operation(project, "add", [*names, *flags]) as op:
        if glob:
            names = expand_globs(project, names)
        aims = plan(project, names, force=force)
        with Saver(project, store=not no_commit, relink=relink and not no_commit, events=events) as saver:
            outputs = _take(project, saver, aims)
            stored = None if no_commit else saver.settle()
            added, changed = record(project, op, aims, outputs)
            saver.relink(op)
        note_placed(project, op, {aim.out_path: outputs[aim.out_path] for aim in aims})
    return AddResult(tuple(added), stored, stage_changes(project, changed))


def _take(project: "Project", saver: Saver, aims: Iterable[Aim]) -> dict[str, Output]:
    """Hand the content of every target to the cache; the outputs as they are now, by path."""
    outputs: dict[str, Output] = {}
    for aim in aims:
        output = outputs.get(aim.out_path, aim.output)
        try:
            if aim.inner is None:
                outputs[aim.out_path] = saver.take(aim.path, output)
            else:
                outputs[aim.out_path] = saver.take_inside(aim.path, output, aim.inner)
        except FileNotFoundError as error:
            raise _missing(project, aim.path) from error
        except OSError as error:
            raise from_os_error(error, f"reading {project.display(aim.path)}") from error
    return outputs


# --- judging targets --------------------------------------------------------------------------------------


def plan(
    project: "Project", names: Iterable[str], *, force: bool = False, must_exist: bool = True
) -> list[Aim]:
    """Judge every target before any is read; repetitions are dropped.

    Args:
        project: Whose.
        names: Paths as typed.
        force: Take over a pointer file that tracks something else.
        must_exist: The targets are there already. Otherwise their folders must be.

    Raises:
        FourfoldError: as `add`.
    """
    tracking = load_tracked(project)
    planner = _Planner(project, tracking, force=force, must_exist=must_exist)
    aims = {aim.path: aim for aim in (planner.aim(name) for name in names)}
    planner.refuse_overlaps(aims.values())
    refuse_tracked_by_git(project, [aim.path for aim in aims.values() if aim.output.cache])
    for aim in aims.values():
        if aim.new:
            refuse_ignored(project, aim.file)
    return list(aims.values())


class _Planner:
    """Finds who owns a target, or will."""

    def __init__(self, project: "Project", tracking: Tracking, *, force: bool, must_exist: bool) -> None:
        self.project = project
        self.force = force
        self.must_exist = must_exist
        self.by_path = {out.path: out for out in tracking.outs}
        self.owners = tracking.owners
        self.by_file = {owner.file: owner for owner in tracking.owners if not owner.is_stage}

    def aim(self, name: str) -> Aim:
        path = self.project.absolute(name)
        self._check_kind(name, path)
        for above in (path, *folders_above(path)):
            out = self.by_path.get(above)
            if out is not None:
                return self._existing(name, path, out)
            if above == self.project.root:
                break
        if self.must_exist and not os.path.lexists(path):
            raise _missing(self.project, path)
        folder = os.path.dirname(path)
        if not os.path.isdir(folder):
            raise NothingToAddError(
                f"the folder '{self.project.display(folder)}' does not exist",
                hint=f"make it first: mkdir -p {self.project.display(folder)}",
            )
        return self._fresh(path)

    def _check_kind(self, name: str, path: str) -> None:
        project = self.project
        refuse_not_utf8(path)
        if path == project.root:
            raise CannotBeTrackedError(
                f"'{name}' is the root of the project",
                hint="name the files and directories in it, one by one",
            )
        if not project.contains(path):
            raise UnsafePathError(
                f"'{name}' is outside of the project '{project.root}'",
                hint=self._advice(name, path),
            )
        if project.relpath(path).partition("/")[0] in {".dvc", ".git"}:
            own = "DVC" if ".dvc" in project.relpath(path)[:4] else "Git"
            raise CannotBeTrackedError(
                f"'{name}' belongs to {own} itself and cannot be tracked",
                hint="name the files and directories of your data",
            )
        if is_owner_file(os.path.basename(path)) or os.path.basename(path) == POINTER_SUFFIX:
            raise CannotBeTrackedError(
                f"DVC file '{name}' cannot be an output",
                hint=f"it is metadata, and belongs into Git: git add {name}",
            )
        self._check_links(name, path)
        if project.ignore.is_ignored(path, is_dir=os.path.isdir(path)):
            raise CannotBeTrackedError(
                f"'{name}' is ignored by .dvcignore",
                hint=f"see which rule does it: ff check-ignore -d {name}",
            )
        inside(project.root, path, "the command line", name)

    def _advice(self, name: str, path: str) -> str:
        """What to do about a path outside of the project."""
        if not self.must_exist or not os.path.lexists(path):
            return "name a path inside of the project"
        at = os.path.basename(path) or "<path>"
        return (
            f"bring a copy in: ff add {name} --out {at}; or one that knows its source: ff import-url {name}"
        )

    def _check_links(self, name: str, path: str) -> None:
        places = [path] if os.path.isdir(path) else []
        for folder in (*places, *folders_above(path)):
            if folder == self.project.root:
                return
            if os.path.islink(folder):
                raise BehindSymlinkError(
                    f"cannot add '{name}': '{self.project.display(folder)}' is a symbolic link",
                    hint="replace the link by a directory, or add what it leads to from its own place",
                )

    def _existing(self, name: str, path: str, out: Tracked) -> Aim:
        owner = out.owner
        if owner.pointer is None:
            raise MadeByStageError(
                f"cannot update '{name}': it is made by the stage '{owner.addressing}'",
                hint=f"run the pipeline, or record what is there with: ff commit -f {owner.addressing}",
            )
        inner = None
        if path != out.path:
            relative = path[len(out.path) + 1 :].replace(os.sep, "/")
            inner = safe_relpath(relative, "the command line")
        at = owner.pointer.outs.index(out.output)
        return Aim(path, owner.file, at, out.output, out.path, inner, owner, new=False)

    def _fresh(self, path: str) -> Aim:
        file = path + POINTER_SUFFIX
        shown = self.project.display(file)
        owner = self.by_file.get(file)
        if owner is None and os.path.lexists(file):
            raise PointerTakenError(
                f"'{shown}' is there, and is not a pointer file of this project",
                hint="see why it is left out (.dvcignore, .gitignore), or rename it",
            )
        if owner is not None and owner.outs and not self.force:
            others = ", ".join(repr(out.path) for out in owner.outs)
            raise PointerTakenError(
                f"'{shown}' already tracks {others}", hint="rename it, or replace what it says with --force"
            )
        output = Output(os.path.basename(path))
        if owner is not None and owner.pointer is not None:
            owner = owner._replace(pointer=owner.pointer._replace(outs=(), deps=(), md5=None, wdir=None))
        return Aim(path, file, 0, output, path, None, owner, new=True)

    def refuse_overlaps(self, aims: Iterable[Aim]) -> None:
        """Refuse new outputs around what is tracked already, or around each other."""
        fresh = {aim.path for aim in aims if aim.new}
        if not fresh:
            return
        show = self.project.display
        for inner in (*self.by_path, *fresh):
            for above in folders_above(inner):
                if above in fresh:
                    out = self.by_path.get(inner)
                    owner = out.owner.addressing if out is not None else show(inner) + POINTER_SUFFIX
                    raise OverlappingOutputError(
                        f"cannot add '{show(above)}', because it overlaps with '{show(inner)}'",
                        hint=f"to include it there, run: ff remove {owner}, and then: ff add {show(above)}",
                    )
        for owned in self.owners:
            for above in folders_above(owned.file):
                if above in fresh:
                    raise OwnerInsideOutputError(
                        f"cannot add '{show(above)}': '{show(owned.file)}' lies in it",
                        hint="move that file out of the directory, or leave it out with .dvcignore",
                    )


def _missing(project: "Project", path: str) -> NothingToAddError:
    from fourfold.base.suggest import did_you_mean  # noqa: PLC0415 - only a mistake pays for it

    shown = project.display(path)
    try:
        names = os.listdir(os.path.dirname(path))
    except OSError:
        names = []
    names = [os.path.join(os.path.dirname(shown), name) for name in names]
    return NothingToAddError(
        f"'{shown}' does not exist", hint=did_you_mean(shown, names, "check the name, and where you are")
    )
