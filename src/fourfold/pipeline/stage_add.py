"""Stage add: write a new stage into the ``dvc.yaml`` at hand, after proving that the graph can have it.

What the command line says is read here too (commands in several words, parameters as ``file:key,key``), since
its meaning is DVC's format, not the terminal's. Nothing is run; `repro` does that.
"""

import os
import string
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import ConflictError, NotFoundError, UsageError
from fourfold.base.events import Sink, Warned, silent
from fourfold.base.fs.walk import refuse_not_utf8
from fourfold.base.ids import UnsafePathError
from fourfold.formats.dvc import stages
from fourfold.formats.dvc.pointer import Dependency, Output, is_external
from fourfold.formats.dvc.stages import DEFAULT_PARAMS, ParamsSpec, StageSpec
from fourfold.pipeline.graph import build_graph, key_of
from fourfold.project.add import CannotBeTrackedError
from fourfold.project.files import load_tracked
from fourfold.project.gitignore import gitignore_of, ignore_all
from fourfold.project.locks import project_lock
from fourfold.project.oplog import Operation, operation
from fourfold.project.outs import (
    PIPELINE_FILE,
    DuplicateOutputError,
    Owner,
    Tracked,
    check_overlaps,
    check_parents,
    folders_above,
    is_owner_file,
    place,
)
from fourfold.project.owners import Tracking, read_owner_file
from fourfold.project.pointerfiles import refuse_ignored
from fourfold.project.project import DVC_DIR
from fourfold.project.recording import refuse_tracked_by_git
from fourfold.project.staging import Staged, stage_changes

if TYPE_CHECKING:
    from fourfold.project.project import Project

#: What no name of a stage may contain; DVC's.
_FORBIDDEN = frozenset(string.punctuation) - {"_", "-"}


class BadStageNameError(UsageError):
    """A name that a stage cannot have."""

    code = "bad-stage-name"
    exit_code = 255  # DVC's


class NoStageCommandError(UsageError):
    """A stage was described without the command that it runs."""

    code = "no-stage-command"
    exit_code = 255  # DVC's


class NotUtf8Error(UsageError):
    """A command, a description or the name of a parameter is not UTF-8."""

    code = "stage-not-utf8"
    exit_code = 255


class StageExistsError(ConflictError):
    """The ``dvc.yaml`` has a stage of this name already."""

    code = "stage-exists"


class NamedTwiceError(ConflictError):
    """One path was given twice: as dependencies, outputs, or as both."""

    code = "path-named-twice"


class BadStageFolderError(NotFoundError):
    """The working directory of a stage is missing, or is no directory."""

    code = "bad-stage-folder"


class StageAdded(NamedTuple):
    """What `add_stage` did.

    Attributes:
        owner: The stage, as the graph has it.
        replaced: Whether it took the place of one of the same name.
        staged: What belongs into the next commit.
    """

    owner: Owner
    replaced: bool
    staged: Staged


def command_line(words: Sequence[str]) -> str:
    """The command of a stage from the words on the command line, quoted as DVC quotes them.

    One word is a whole command. Of several, those with blanks get double quotes (unless they have some), an
    empty one becomes ``""``; nothing else is quoted. A leading ``--`` only ends the options.
    """
    given = list(words)[1:] if words and words[0] == "--" else list(words)
    if len(given) < 2:
        return " ".join(given)
    return " ".join('""' if not word else f'"{word}"' if _is_bare(word) else word for word in given)


def _is_bare(word: str) -> bool:
    return " " in word and '"' not in word


def parameters(texts: Iterable[str]) -> tuple[ParamsSpec, ...]:
    """Parameters from ``[file:]key,key``; ``file:`` stands for the whole file.

    Keys of one file come together, in the order of their first mention.
    """
    files: dict[str, list[str]] = {}
    for text in texts:
        file, _colon, keys = text.rpartition(":")
        files.setdefault(file or DEFAULT_PARAMS, []).extend(key for key in keys.split(",") if key)
    return tuple(
        ParamsSpec(None if file == DEFAULT_PARAMS else file, tuple(keys) or None)
        for file, keys in files.items()
    )


def add_stage(
    project: "Project", wanted: StageSpec, *, force: bool = False, events: Sink = silent
) -> StageAdded:
    """Write one stage into the ``dvc.yaml`` where the user stands, and hide its cached outputs from Git.

    A stage that is replaced keeps its place, its comments, and what the command line cannot say: its
    ``meta``, descriptions and other notes of its outputs.

    Args:
        project: Whose.
        wanted: The stage; ``wdir`` as typed, the paths relative to it. Absolute paths inside the project are
            written relative.
        force: Replace a stage of the same name.
        events: Hears of what could not be hidden from Git yet.

    Raises:
        BadStageNameError, NoStageCommandError, NotUtf8Error: there is no name, or a bad one; or no command,
            or one that no file can hold.
        BadStageFolderError: the working directory is not there.
        StageExistsError: there is such a stage, without ``force``.
        NamedTwiceError, CannotBeTrackedError: the paths cannot be what they were said to be.
        UnsafePathError: an output to be cached lies outside of the project.
        DuplicateOutputError, OverlappingOutputError, OwnerInsideOutputError: somebody else has an output.
        CycleError: stages would wait for each other.
        InvalidFileError: a file of the project cannot be understood.
        RepositoryLockedError: another process works on the project.
    """
    _refuse_name(wanted)
    file = os.path.join(project.cwd, PIPELINE_FILE)
    wdir = _folder(project, wanted.wdir)
    with project_lock(project), operation(project, "stage add", [wanted.name]) as op:
        refuse_ignored(project, file)
        relpath = project.relpath(file)
        old = read_owner_file(project.root, file) or b""
        known = stages.parse(old, relpath).stages.get(wanted.name)
        if known is not None and not force:
            raise StageExistsError(
                f"stage '{wanted.name}' already exists in '{project.display(file)}'",
                hint="to replace it, use --force; to see it, run: ff stage list",
            )
        spec = _restored(_written(project, wanted, file, wdir), known)
        owner = _owner(file, relpath, wdir, spec)
        outs = _judge(project, owner)
        op.write(file, stages.update(old, spec, relpath))
        changed = [file, *_hide(project, op, outs, events)]
    return StageAdded(owner, known is not None, stage_changes(project, changed))


# --- what was asked for -----------------------------------------------------------------------------------


def _refuse_name(wanted: StageSpec) -> None:
    if not wanted.name:
        raise BadStageNameError("a stage needs a name", hint="give it one: --name <name>")
    bad = sorted(_FORBIDDEN & set(wanted.name))
    if bad or not wanted.name.isprintable():
        shown = "".join(bad) or "characters that do not print"
        raise BadStageNameError(
            f"{wanted.name!r} cannot be the name of a stage: it contains {shown}",
            hint="use letters, digits, '_' and '-'",
        )
    if not wanted.cmd:
        raise NoStageCommandError(
            "command is not specified", hint="write it after the options: ff stage add -n <name> <command>"
        )
    keys = [key for spec in wanted.params for key in spec.keys or ()]
    for text in (str(wanted.cmd), wanted.desc or "", *keys):
        if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
            raise NotUtf8Error(f"not UTF-8: {os.fsencode(text)!r:.120}", hint="dvc.yaml holds only UTF-8")


def _folder(project: "Project", wdir: str | None) -> str:
    """The absolute working directory.

    Raises:
        BadStageFolderError, UnsafePathError: it cannot be one.
    """
    path = project.absolute(wdir or ".")
    if not os.path.isdir(path):
        problem = "is not a directory" if os.path.lexists(path) else "does not exist"
        raise BadStageFolderError(
            f"the working directory '{wdir}' {problem}", hint=f"make it first: mkdir -p {wdir}"
        )
    if not project.contains(path):
        raise UnsafePathError(
            f"the working directory '{wdir}' is outside of the project '{project.root}'",
            hint="stages run inside of the project; a command may change its directory itself",
        )
    return path


def _written(project: "Project", wanted: StageSpec, file: str, wdir: str) -> StageSpec:
    """``wanted`` as the file says it: ``wdir`` from the file, absolute paths of the project relative."""

    def path(text: str) -> str:
        refuse_not_utf8(text)
        if not os.path.isabs(text):
            return text
        normal = os.path.normpath(text)
        inside = project.contains(normal) and normal != project.root
        return os.path.relpath(normal, wdir).replace(os.sep, "/") if inside else text

    shown = os.path.relpath(wdir, os.path.dirname(file)).replace(os.sep, "/")
    return wanted._replace(
        wdir=None if shown == "." else shown,
        deps=tuple(path(dep) for dep in wanted.deps),
        params=tuple(
            spec if spec.file is None else spec._replace(file=path(spec.file)) for spec in wanted.params
        ),
        outs=tuple(out._replace(path=path(out.path)) for out in wanted.outs),
    )


def _restored(spec: StageSpec, known: StageSpec | None) -> StageSpec:
    """``spec`` with what the command line cannot say taken from the stage that it replaces."""
    if known is None:
        return spec
    old = {out.path: out for out in known.outs}
    return spec._replace(
        desc=spec.desc or known.desc,
        meta=known.meta,
        outs=tuple(_annotated(out, old.get(out.path)) for out in spec.outs),
    )


def _annotated(out: Output, old: Output | None) -> Output:
    if old is None:
        return out
    return out._replace(
        desc=old.desc, type=old.type, labels=old.labels, meta=old.meta, remote=old.remote, push=old.push
    )


def _owner(file: str, relpath: str, wdir: str, spec: StageSpec) -> Owner:
    return Owner(
        file=file,
        relpath=relpath,
        name=spec.name,
        wdir=wdir,
        outs=spec.outs,
        deps=tuple(Dependency(dep) for dep in spec.deps),
        cmd=spec.cmd,
        params_wanted=spec.params,
        always_changed=spec.always_changed,
        desc=spec.desc,
        meta=spec.meta,
    )


# --- whether the project can have it ----------------------------------------------------------------------


def _judge(project: "Project", owner: Owner) -> list[Tracked]:
    """The outputs of a stage in their places, after all that speaks against the stage was asked."""
    _refuse_paths(project, owner)
    _refuse_external(owner)
    outs = [out for out in place(project.root, owner) if not out.external]
    _refuse_repetitions(project, owner)
    tracking = load_tracked(project)
    others = [found for found in tracking.owners if key_of(found) != key_of(owner)]
    kept = [out for out in tracking.outs if key_of(out.owner) != key_of(owner)]
    _refuse_taken(project, outs, {out.path: out for out in kept})
    check_parents(project.root, outs)
    check_overlaps([*kept, *outs], [*others, owner])
    build_graph(Tracking((*others, owner), (*kept, *outs)))
    refuse_tracked_by_git(project, [out.path for out in outs if out.use_gitignore])
    return outs


def _refuse_paths(project: "Project", owner: Owner) -> None:
    named = [("a dependency", dep.path) for dep in owner.deps]
    named += [("a dependency", spec.file) for spec in owner.params_wanted if spec.file]
    named += [("an output", out.path) for out in owner.outs]
    for role, text in named:
        if not text or "\0" in text:
            raise CannotBeTrackedError(f"{text!r} cannot be {role}", hint="name a path")
        if is_owner_file(os.path.basename(text)):
            raise CannotBeTrackedError(
                f"DVC file '{text}' cannot be {role}",
                hint="it is metadata; name the data that it describes",
            )
        path = os.path.normpath(os.path.join(owner.wdir, text))
        if is_external(text) or not project.contains(path):
            continue
        if _is_of_another(project, path):
            continue
        if project.ignore.is_ignored(path, is_dir=os.path.isdir(path)):
            raise CannotBeTrackedError(
                f"'{text}' is ignored by .dvcignore, and cannot be {role}",
                hint=f"see which rule does it: ff check-ignore -d {project.display(path)}",
            )


def _is_of_another(project: "Project", path: str) -> bool:
    """Whether a path lies in a project inside of this one: DVC lets a stage name it."""
    for folder in folders_above(path):
        if folder == project.root:
            return False
        if os.path.isdir(os.path.join(folder, DVC_DIR)):
            return True
    return False


def _refuse_external(owner: Owner) -> None:
    """Outputs outside of the project are allowed where nothing of them is saved, as in DVC."""
    for out in owner.outs:
        if is_external(out.path) and out.cache:
            raise UnsafePathError(
                f"the cached output '{out.path}' is outside of the project",
                hint="write it inside, or name it with --outs-no-cache, so that only its command knows it",
            )


def _refuse_repetitions(project: "Project", owner: Owner) -> None:
    seen: dict[str, str] = {}
    named = [("dependency", dep.path) for dep in owner.deps]
    named += [("dependency", spec.file or DEFAULT_PARAMS) for spec in owner.params_wanted]
    named += [("output", out.path) for out in owner.outs]
    for role, text in named:
        path = text if "://" in text else os.path.normpath(os.path.join(owner.wdir, text))
        if path not in seen:
            seen[path] = role
            continue
        shown = text if "://" in text else project.display(path)
        both = {seen[path], role}
        raise NamedTwiceError(
            f"'{shown}' is specified as an output and as a dependency"
            if len(both) > 1
            else f"'{shown}' is specified more than once",
            hint="name each path of a stage once",
        )


def _refuse_taken(project: "Project", outs: Iterable[Tracked], by_path: Mapping[str, Tracked]) -> None:
    for out in outs:
        taken = by_path.get(out.path)
        if taken is not None:
            what = "stage" if taken.owner.is_stage else "file"
            raise DuplicateOutputError(
                f"output '{project.display(out.path)}' is already specified in {what} "
                f"'{taken.owner.addressing}'",
                hint=f"to give it up there, run: ff remove {taken.owner.addressing}",
            )


# --- writing ----------------------------------------------------------------------------------------------


def _hide(project: "Project", op: Operation, outs: Iterable[Tracked], events: Sink) -> list[str]:
    """Let Git ignore the outputs; the ``.gitignore`` files that changed.

    As in DVC, it ends at the first output whose folder is not there: the rest comes when the stage runs.
    """
    if project.git is None:
        return []
    hidden = []
    for out in outs:
        if not out.use_gitignore:
            continue
        folder = os.path.dirname(out.path)
        if not os.path.isdir(folder):
            events(
                Warned(
                    "not-in-gitignore",
                    f"'{project.display(out.path)}' is not in a .gitignore yet: its folder does not exist",
                    hint="running the stage adds it",
                )
            )
            break
        hidden.append(out.path)
    for file in {gitignore_of(path) for path in hidden}:
        op.will_write(file)
    return ignore_all(project, hidden)
