"""What the content floor works with, made from a project: the verbs that read or write data share it."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from fourfold.content.checkout import Desk
from fourfold.content.intake import Intake
from fourfold.content.proofs import ProofBook
from fourfold.project.outs import Tracked

if TYPE_CHECKING:
    from fourfold.base.fs.walk import Prune
    from fourfold.project.project import Project


def proofs_of(project: "Project") -> ProofBook:
    """What is known of the objects of the local cache; flush it when something was noted."""
    return ProofBook(project.index, project.store)


def intake_of(project: "Project", *, legacy: bool = False) -> Intake:
    """A batch of objects on their way into the local cache; to be used in a ``with`` block."""
    return Intake(project.store, proofs_of(project), legacy=legacy)


def pruning(project: "Project", path: str) -> "tuple[Prune | None, Prune | None]":
    """What below ``path`` is not data: tests of files and of folders, by relative POSIX path.

    Raises:
        BadIgnoreFileError, DeniedError: a ``.dvcignore`` above it cannot be read.
    """
    return project.ignore.pruning(path)


def desk_for(project: "Project", out: Tracked | str, *, trash: Callable[[str], None] | None = None) -> Desk:
    """What a checkout of one output works with.

    Args:
        project: Whose.
        out: The output, or the absolute path to check out to.
        trash: Takes bytes away that are about to be replaced by force; usually ``Operation.keep``.
    """
    path = out if isinstance(out, str) else out.path
    skip_file, skip_directory = pruning(project, path)
    return Desk(
        project.store,
        project.index,
        proofs_of(project),
        project.root,
        os.path.join(project.own_dir, "staging"),
        link_types=project.config.cache_types,
        skip_file=skip_file,
        skip_directory=skip_directory,
        trash=trash,
    )
