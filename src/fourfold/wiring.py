"""The only module that builds things: from a folder and an environment to a project with its services.

No logic lives here: what a part does is in its own module, what it is made of is here. Everything
that opening builds is cheap; files are read when a verb asks for them.
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from fourfold.base.clock import SYSTEM, Clock
from fourfold.content.objects import ObjectStore
from fourfold.content.statindex import StatIndex
from fourfold.project.config import Config, config_files
from fourfold.project.ignore import Ignore
from fourfold.project.places import refuse_planted
from fourfold.project.project import DVC_DIR, OWN_DIR, Project, find_root
from fourfold.project.vetting import vet_store
from fourfold.scm.refs import find_root as find_git_root

if TYPE_CHECKING:
    from fourfold.project.elsewhere import Surroundings
    from fourfold.runs.place import Place
    from fourfold.scm.git import Git


def open_project(
    start: str,
    *,
    environ: Mapping[str, str],
    wait_for_lock: bool = False,
    clock: Clock = SYSTEM,
) -> Project:
    """Open the project around a folder.

    Args:
        start: Absolute path of the folder where the user stands; targets are relative to it.
        environ: The process environment: where configuration lies, and credentials of remotes.
        wait_for_lock: Let verbs wait for other processes as long as it takes.
        clock: Where the time comes from.

    Raises:
        NotInProjectError: no folder from ``start`` upward holds a project.
        ProjectUnreadableError: one does, but ``.dvc`` is a file or may not be read.
        PlantedLinkError: ``.dvc``, or a place of ours in it, is a link that leads out of the project.
        ConfigError: the configuration cannot be understood.
    """
    return project_at(find_root(start), cwd=start, environ=environ, wait_for_lock=wait_for_lock, clock=clock)


def here() -> "Surroundings":
    """Where this process stands, for the Python API: its environment, its current folder, its clock."""
    from fourfold.project.elsewhere import Surroundings  # noqa: PLC0415 - the command line never comes here

    return Surroundings(os.environ, os.getcwd(), SYSTEM)


def project_at(
    root: str,
    *,
    environ: Mapping[str, str],
    cwd: str | None = None,
    config: Config | None = None,
    wait_for_lock: bool = False,
    clock: Clock = SYSTEM,
) -> Project:
    """The project whose ``.dvc`` lies in ``root``.

    Args:
        root: Absolute path of its root.
        environ: As in `open_project`.
        cwd: Where the user stands; by default the root.
        config: The configuration to use instead of the one that is read from its files.
        wait_for_lock: As in `open_project`.
        clock: As in `open_project`.

    Raises:
        ConfigError: the configuration cannot be understood.
    """
    dvc_dir = os.path.join(root, DVC_DIR)
    refuse_planted(root, dvc_dir)
    if config is None:
        home = environ.get("HOME") or environ.get("USERPROFILE") or ""
        config = Config.load(config_files(dvc_dir, environ), home=home)
    project = Project(
        root=root,
        cwd=root if cwd is None else os.path.normpath(cwd),
        scm_root=None if config.no_scm else find_git_root(root),
        open_git=lambda folder: open_git(folder, environ=environ),
        config=config,
        store=ObjectStore(config.cache_dir or os.path.join(dvc_dir, "cache"), shared=config.cache_shared),
        index=StatIndex(os.path.join(dvc_dir, OWN_DIR, "index"), clock),
        ignore=Ignore(root),
        clock=clock,
        environ=environ,
        wait_for_lock=wait_for_lock,
    )
    vet_store(project, "read")
    return project


def find_place(start: str, *, environ: Mapping[str, str], clock: Clock = SYSTEM) -> "Place":
    """Where a run happens: in the project around a folder, else in the Git repository, else in the folder.

    Args:
        start: Absolute path of the folder where the user stands.
        environ: As in `open_project`.
        clock: As in `open_project`.

    Raises:
        ConfigError: there is a project, and its configuration cannot be understood.
    """
    from fourfold.project.project import NotInProjectError  # noqa: PLC0415 - only `ff run` and `ff runs` ask
    from fourfold.runs.place import FOLDER, Place, place_of  # noqa: PLC0415 - likewise

    try:
        return place_of(open_project(start, environ=environ, clock=clock))
    except NotInProjectError:
        top = find_git_root(start)
    root = top or os.path.normpath(start)
    git = open_git(top, environ=environ) if top is not None else None
    own = os.path.join(root, FOLDER)
    return Place(root, own, os.path.normpath(start), environ, clock, None, git)


def open_git(root: str, *, environ: Mapping[str, str]) -> "Git":
    """The Git repository whose work tree is ``root``."""
    from fourfold.scm.git import Git  # noqa: PLC0415 - most commands that only look never ask Git anything

    return Git(root, environ)
