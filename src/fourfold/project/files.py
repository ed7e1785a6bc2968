"""Loading what a project tracks: from the pointer files and pipelines of the workspace or of a revision.

The workspace is walked the way DVC walks it: not into folders that ``.dvcignore`` or Git ignores, that
are outputs themselves, or that are projects of their own; symbolic links are not followed. Who knows
one file's name loads only that file (`load_file`) and pays for no walk. What the entries mean is
`outs`; how ``dvc.yaml`` and ``dvc.lock`` go together is `stagefiles`.
"""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from fourfold.base.errors import InvalidFileError, NotFoundError
from fourfold.project.outs import PIPELINE_FILE, POINTER_SUFFIX, Owner, check_parents, is_owner_file, place
from fourfold.project.owners import Collector, Reader, Tracking, parse_file, read_owner_file
from fourfold.project.project import DVC_DIR

if TYPE_CHECKING:
    from fourfold.project.project import Project

__all__ = [
    "BadOwnerNameError",
    "OwnerFileNotFoundError",
    "OwnerIgnoredByGitError",
    "Tracking",
    "git_ignored",
    "load_file",
    "load_tracked",
    "read_owner_file",
]


class OwnerFileNotFoundError(NotFoundError):
    """The pointer file or ``dvc.yaml`` that was named does not exist, or is dvc-ignored."""

    code = "pointer-file-not-found"


class BadOwnerNameError(InvalidFileError):
    """A file that was named as a pointer file is not called like one, or is not a regular file."""

    code = "not-a-pointer-file"


class OwnerIgnoredByGitError(InvalidFileError):
    """A pointer file is git-ignored: what it tracks would be lost with the clone."""

    code = "pointer-file-git-ignored"


def load_tracked(project: "Project", rev: str | None = None, *, strict: bool = True) -> Tracking:
    """Everything the workspace, or a revision, tracks.

    Args:
        project: Whose.
        rev: Anything Git can resolve to a commit; None for the workspace.
        strict: Fail on the first broken file. Otherwise collect the errors and go on.

    Raises:
        InvalidFileError: a file cannot be understood; file, line and column are named.
        UnsafePathError: an output or a working directory leaves the project.
        DuplicateOutputError, OverlappingOutputError, OwnerInsideOutputError: owners contradict.
        UnknownRevisionError: Git has no such revision.
    """
    if rev is not None:
        from fourfold.project.revisions import load_revision  # noqa: PLC0415 - the workspace needs no Git

        return load_revision(project, rev, strict=strict)
    collector = Collector(project.root, strict=strict, config=project.config)
    for path in _walk(project, collector):
        collector.load(path, _reader(project.root))
    collector.guard(lambda: check_parents(project.root, collector.outs))
    return collector.finish(None)


def load_file(project: "Project", path: str) -> tuple[Owner, ...]:
    """The owners that one file of the workspace declares: one for a ``.dvc``, each stage of a ``dvc.yaml``.

    Args:
        project: Whose.
        path: Absolute path.

    Raises:
        OwnerFileNotFoundError: there is no such file, or ``.dvcignore`` hides it.
        BadOwnerNameError: it is not called like a pointer file, or is not a regular file.
        OwnerIgnoredByGitError: Git ignores it.
        InvalidFileError, UnsafePathError: as in `load_tracked`.
    """
    shown = project.display(path)
    ignored = project.ignore.is_ignored(path, is_dir=False)
    if ignored or not os.path.lexists(path):
        raise _no_such_file(path, shown, ignored=ignored)
    if not is_owner_file(os.path.basename(path)):
        raise _not_an_owner(path, shown)
    if not os.path.isfile(path):
        raise BadOwnerNameError(
            f"'{shown}' is not a .dvc file", hint="name a regular file; to see what is tracked: ff dag"
        )
    if git_ignored(project, path):
        raise OwnerIgnoredByGitError(
            f"bad DVC file name '{shown}' is git-ignored",
            hint=f"see which rule does it: git check-ignore -v {shown}",
        )
    owners = parse_file(project.root, path, _reader(project.root), project.config)
    check_parents(project.root, (out for owner in owners for out in place(project.root, owner)))
    return owners


def _no_such_file(path: str, shown: str, *, ignored: bool) -> OwnerFileNotFoundError:
    if ignored:
        return OwnerFileNotFoundError(
            f"'{shown}' is dvc-ignored", hint=f"see which rule does it: ff check-ignore -d {shown}"
        )
    hint = ""
    if os.path.basename(path) == PIPELINE_FILE:
        hint = f"write the stages of the pipeline into {shown}, or name the file of another one"
    elif path.endswith(POINTER_SUFFIX) and os.path.lexists(path.removesuffix(POINTER_SUFFIX)):
        hint = f"it is not tracked yet; to track it, run: ff add {shown.removesuffix(POINTER_SUFFIX)}"
    return OwnerFileNotFoundError(f"'{shown}' does not exist", hint=hint)


def _not_an_owner(path: str, shown: str) -> BadOwnerNameError:
    hint = "DVC files are called 'dvc.yaml', or end in '.dvc'"
    if os.path.isfile(path + POINTER_SUFFIX):
        hint = f"did you mean '{shown}{POINTER_SUFFIX}'?"
    return BadOwnerNameError(f"'{shown}' is not a .dvc file", hint=hint)


def git_ignored(project: "Project", path: str) -> bool:
    """Whether Git ignores one path of the workspace, or a folder above it."""
    if project.scm_root is None:
        return False
    from fourfold.project.gitrules import GitRules  # noqa: PLC0415 - only beside Git

    return GitRules(project.scm_root).is_ignored_deep(path)


def _reader(root: str) -> Reader:
    return lambda path: read_owner_file(root, path)


def _walk(project: "Project", collector: Collector) -> Iterator[str]:
    """Owner files of the workspace; between two of them the caller adds outputs to ``collector``."""
    rules = None
    if project.scm_root is not None:
        from fourfold.project.gitrules import GitRules  # noqa: PLC0415 - only beside Git

        rules = GitRules(project.scm_root)
        if rules.is_ignored_deep(project.root, is_dir=True):
            rules = None  # the whole project is ignored: then Git's rules cannot choose within it
    level = [project.root]
    while level:
        found: list[str] = []
        for folder in level:
            listing = _list(folder, is_root=folder == project.root)
            if listing is None:
                continue
            names, folders, has_rules = listing
            if rules is not None:
                rules.enter(folder, has_rules=has_rules)
            for path in names:
                if not project.ignore.is_ignored(path, is_dir=False) and not (
                    rules is not None and rules.is_ignored(path, is_dir=False)
                ):
                    yield path
            for path in folders:
                if path in collector.paths or project.ignore.is_ignored(path, is_dir=True):
                    continue
                if rules is None or not rules.is_ignored(path, is_dir=True):
                    found.append(path)
        level = [path for path in found if path not in collector.paths]


def _list(folder: str, *, is_root: bool) -> tuple[list[str], list[str], bool] | None:
    """(owner files, subfolders, whether there is a .gitignore); None for a project of its own."""
    names: list[str] = []
    folders: list[str] = []
    has_rules = False
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                name = entry.name
                if entry.is_dir(follow_symlinks=False):
                    if name == DVC_DIR:
                        if not is_root:
                            return None
                    elif name not in {".git", ".hg"}:
                        folders.append(entry.path)
                elif is_owner_file(name):
                    if entry.is_file():
                        names.append(entry.path)
                elif name == ".gitignore":
                    has_rules = True
                elif name == DVC_DIR and not is_root:
                    return None
    except OSError:
        return None  # as os.walk does: what may not be listed has nothing to say
    names.sort()
    folders.sort()
    return names, folders, has_rules
