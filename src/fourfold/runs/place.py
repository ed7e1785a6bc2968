"""Where records are kept, and what capture may ask: a project of DVC, a Git repository, or a mere folder.

In a project: ``.dvc/fourfold/runs``. Elsewhere: ``.fourfold/runs`` in the root of the Git repository, or in
the folder where the user stands, hidden from Git by a ``.gitignore`` of its own.
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from fourfold.base.clock import Clock
    from fourfold.project.project import Project
    from fourfold.scm.git import Git

#: The folder of ours where there is no project.
FOLDER = ".fourfold"


class Place(NamedTuple):
    """Where a run happens.

    Attributes:
        root: Absolute root: of the project, of the Git repository, or the folder where the user stands.
        own: Our own folder there: absolute, may not exist yet (see `make`).
        cwd: Where the user stands.
        environ: The process environment.
        clock: Tells the time.
        project: None outside of projects.
        git: None outside of Git.
    """

    root: str
    own: str
    cwd: str
    environ: Mapping[str, str]
    clock: "Clock"
    project: "Project | None"
    git: "Git | None"

    def make(self, *parts: str) -> str:
        """A folder below `own`, made on first use.

        Raises:
            UnsafePathError: one of the folders is a symbolic link.
            DeniedError, ExhaustedError: the file system refuses.
        """
        if self.project is not None:
            return self.project.make_own_dir(*parts)
        from fourfold.project.project import make_hidden_dir  # noqa: PLC0415 - only who writes outside of projects

        return make_hidden_dir(self.own, *parts)

    def shown(self, path: str) -> str:
        """An absolute path as a record names it: POSIX, relative to the root when it is below it."""
        prefix = self.root.rstrip(os.sep) + os.sep
        if path == self.root:
            return "."
        return path.removeprefix(prefix).replace(os.sep, "/")


def place_of(project: "Project") -> Place:
    """The place of a project."""
    return Place(
        project.root,
        project.own_dir,
        project.cwd,
        project.environ,
        project.clock,
        project,
        project.git,
    )
