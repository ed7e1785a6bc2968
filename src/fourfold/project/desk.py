"""What the content floor works with, made from a project: the verbs that read or write data share it."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from fourfold.content.checkout import Desk
from fourfold.content.intake import Intake
from fourfold.content.proofs import ProofBook
from fourfold.project.outs import Tracked
from fourfold.project.vetting import vet_store

if TYPE_CHECKING:
    from fourfold.base.fs.walk import Prune
    from fourfold.content.checkout import Plan
    from fourfold.project.oplog import Operation
    from fourfold.project.project import Project


def proofs_of(project: "Project") -> ProofBook:
    """What is known of the objects of the local cache; flush it when something was noted."""
    return ProofBook(project.index, project.store)


def intake_of(project: "Project", *, legacy: bool = False) -> Intake:
    """A batch of objects on their way into the local cache; to be used in a ``with`` block."""
    vet_store(project, "write")
    return Intake(project.store, proofs_of(project), legacy=legacy)


def pruning(project: "Project", path: str) -> "tuple[Prune | None, Prune | None]":
    """What below ``path`` is not data: tests of files and of folders, by relative POSIX path.

    Raises:
        BadIgnoreFileError, DeniedError: a ``.dvcignore`` above it cannot be read.
    """
    return project.ignore.pruning(path)


def desk_for(
    project: "Project", out: Tracked | str, *, announce: "Callable[[Plan], None] | None" = None
) -> Desk:
    """What a checkout of one output works with.

    Args:
        project: Whose.
        out: The output, or the absolute path to check out to.
        announce: Hears what is about to be replaced, and keeps what would be lost: `journal`.
    """
    path = out if isinstance(out, str) else out.path
    skip_file, skip_directory = pruning(project, path)
    return Desk(
        project.store,
        project.index,
        proofs_of(project),
        project.root,
        os.path.join(project.make_own_dir(), "staging"),
        link_types=link_types(project),
        skip_file=skip_file,
        skip_directory=skip_directory,
        announce=announce,
    )


def link_types(project: "Project") -> tuple[str, ...]:
    """The configured kinds of link, less those that cannot work between this cache and this workspace."""
    kinds = project.config.cache_types
    if kinds[:1] == ("hardlink",) and len(kinds) > 1 and not _same_device(project):
        return kinds[1:]
    if kinds[:1] == ("reflink",) and kinds[1:2] not in {(), ("copy",)} and not _can_clone(project):
        return kinds[1:]
    return kinds


def _same_device(project: "Project") -> bool:
    try:
        return os.stat(project.store.root).st_dev == os.stat(project.root).st_dev
    except OSError:
        return True  # there is no cache yet: linking will tell


def _can_clone(project: "Project") -> bool:
    from fourfold.base.fs.platform import capabilities  # noqa: PLC0415 - asked by few configurations

    return _same_device(project) and capabilities(project.make_own_dir()).reflink


def journal(op: "Operation") -> "Callable[[Plan], None]":
    """Write what a checkout is about to do into the operation log, and keep what no cache holds."""

    def announce(plan: "Plan") -> None:
        def full(name: str) -> str:
            return os.path.join(plan.path, *name.split("/")) if name else plan.path

        for name, before in plan.replace.items():
            op.will_replace(full(name), before.oid, legacy=before.legacy, isexec=before.isexec)
        for name in plan.lost:
            op.keep(full(name))
        for name in plan.create:
            op.will_create(full(name))

    return announce
