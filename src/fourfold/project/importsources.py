"""The repositories that imports come from, as pointer files describe them; each is opened once.

Whatever needs one again (fetching, updating, asking for news) shares this. Opening itself is `elsewhere`.
"""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fourfold.base.errors import FourfoldError
from fourfold.formats.dvc.pointer import RepoSource
from fourfold.project.elsewhere import Source, Surroundings, folder_of, open_source
from fourfold.project.outs import Owner
from fourfold.project.sourceconfig import RemoteSettings
from fourfold.project.sourceview import View

if TYPE_CHECKING:
    from fourfold.project.project import Project


class Sources:
    """The sources of a project's imports; one that could not be opened is not asked twice.

    Args:
        project: Whose imports they are.
        jobs: Requests to a source's remote at once.
    """

    def __init__(self, project: "Project", jobs: int | None = None) -> None:
        self._project = project
        self._jobs = jobs
        self._views: dict[tuple[str, str, str | None, str], View | FourfoldError] = {}

    def view(self, owner: Owner, repo: RepoSource, rev: str | None) -> View:
        """The source of an import at a revision.

        Args:
            owner: The import.
            repo: What it says of its source.
            rev: A commit, branch or tag; None for the default branch, or a folder as it is.

        Raises:
            FourfoldError: as `elsewhere.open_source`; the same one again for the same source.
        """
        key = (repo.url, os.path.dirname(owner.file), rev, repr((repo.config, repo.remote)))
        if key not in self._views:
            folders = [self._project.cwd, os.path.dirname(owner.file), self._project.root]
            try:
                source = reopen(self._project, repo, folders, rev=rev)
                self._views[key] = View(source, known=self._project.store, jobs=self._jobs)
            except FourfoldError as error:
                self._views[key] = error
        view = self._views[key]
        if isinstance(view, FourfoldError):
            raise view
        return view


def surroundings_of(project: "Project", base: str | None = None) -> Surroundings:
    """What opening a source needs, from where the user of a project stands."""
    return Surroundings(project.environ, base or project.cwd, project.clock)


def reopen(
    project: "Project",
    repo: RepoSource,
    folders: Sequence[str],
    *,
    rev: str | None,
) -> Source:
    """Open the source of an import that a pointer file describes.

    Args:
        project: Whose pointer file it is.
        repo: What it says.
        folders: Absolute folders against which a relative address may be meant, in order; the first in
            which it exists counts. DVC means the folder in which the command runs.
        rev: The revision to read.
    """
    base = next((one for one in folders if folder_of(repo.url, one) is not None), folders[0])
    remote = repo.remote
    settings = RemoteSettings(
        repo.config,
        remote if isinstance(remote, str) else None,
        None if isinstance(remote, str) else remote,
        trusted=False,
    )
    return open_source(repo.url, surroundings_of(project, base), rev=rev, settings=settings)
