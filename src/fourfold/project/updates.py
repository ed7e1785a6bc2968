"""News of imports: whether a source has something else than what the pointer file records.

What ``status`` says of imports beyond the workspace. Sources are asked and nothing is brought; one that
does not answer is told, and hides nothing of the rest. Bringing it here is `update`.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from fourfold.base.errors import FourfoldError
from fourfold.base.events import Sink, Warned, silent
from fourfold.formats.dvc.pointer import Dependency, is_external
from fourfold.project.changes import DELETED, MODIFIED, UPDATE_AVAILABLE, Change
from fourfold.project.importsources import Sources
from fourfold.project.outs import Owner
from fourfold.project.urls import SourceMissingError, content_of, is_version_aware, locate, state_of

if TYPE_CHECKING:
    from fourfold.project.project import Project


def news(
    project: "Project", owners: Iterable[Owner], *, check_updates: bool = True, events: Sink = silent
) -> dict[str, Change]:
    """What the sources of imports have that the pointer files do not record, by pointer file.

    As DVC does, it asks for a frozen import only where revisions or versions tell, and not with
    ``--no-updates``; of a repository, another commit is news, whatever it changed.

    Args:
        project: Whose.
        owners: Imports.
        check_updates: Ask for frozen ones too.
        events: Hears which sources could not be asked.
    """
    sources = Sources(project)
    found = {}
    for owner in owners:
        dep = owner.deps[0]
        has_versions = is_version_aware(dep) or dep.version_id is not None
        wanted = not owner.frozen or (check_updates and (dep.repo is not None or has_versions))
        if not wanted or dep.db is not None or (dep.repo is None and not is_external(dep.path)):
            continue  # paths of this machine are compared with the rest of the workspace
        try:
            change = _of_url(project, owner, dep) if dep.repo is None else _of_repository(sources, owner, dep)
        except FourfoldError as error:
            text = f"'{owner.addressing}': its source could not be asked for updates: {error.message}"
            events(Warned("updates-unknown", text, error.hint or "to leave sources alone: --no-updates"))
            continue
        if change is not None:
            found[owner.file] = change
    return found


def _of_repository(sources: Sources, owner: Owner, dep: Dependency) -> Change | None:
    repo = dep.repo
    if repo is None or repo.rev_lock is None:
        return None
    commit = sources.view(owner, repo, repo.rev).source.rev
    if commit == repo.rev_lock:
        return None
    return Change("dependency", f"{dep.path} ({repo.url})", UPDATE_AVAILABLE, old=repo.rev_lock, new=commit)


def _of_url(project: "Project", owner: Owner, dep: Dependency) -> Change | None:
    try:
        origin = locate(project, dep.path, options=dep.fs_config, base=owner.wdir, committed=owner.relpath)
        now = state_of(dep, origin, project.index)
    except SourceMissingError:
        return Change("dependency", dep.path, DELETED, old=dep.oid)
    if content_of(now) == content_of(dep):
        return None
    state = UPDATE_AVAILABLE if dep.version_id else MODIFIED
    return Change("dependency", dep.path, state, old=dep.oid, new=now.oid)
