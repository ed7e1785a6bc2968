"""What a verb leaves for Git: the files that it changed, and ``core.autostage``.

DVC either stages the changed files itself (``core.autostage``) or tells its user to. The verbs
collect the paths and end with `stage_changes`; the telling is the command's.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from fourfold.project.project import Project


class Staged(NamedTuple):
    """Files that belong into the next commit.

    Attributes:
        paths: Absolute paths, sorted, each once; also of files that were removed.
        done: Whether they were added to Git's index already.
    """

    paths: tuple[str, ...] = ()
    done: bool = False


NOTHING = Staged()


def stage_changes(project: "Project", paths: Iterable[str], *, always: bool = False) -> Staged:
    """Add changed metadata files to Git's index, when the configuration says so.

    Args:
        project: Whose.
        paths: Absolute paths; those that Git neither has nor sees any more are left out.
        always: Whatever the configuration says.

    Raises:
        GitFailedError: Git refuses.
    """
    changed = tuple(sorted(set(paths)))
    if project.git is None or not changed:
        return NOTHING
    if not (always or project.config.autostage):
        return Staged(changed)
    project.git.add(changed)
    return Staged(changed, done=True)
