"""Whether a place that only the committed configuration names may be used: the policy, applied to a project.

The rule is `config_policy`, what the user trusts is `trust`; here a project's own cache and remotes are put
to them, at the cost of nothing when the committed configuration names no such place.
"""

import os
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from fourfold.base.events import Warned
    from fourfold.project.config import Config, RemoteConfig
    from fourfold.project.project import Project

Access = Literal["read", "write", "delete"]


def is_doubtful(config: "Config", cache_dir: str) -> bool:
    """Whether the place of the cache is the word of somebody other than the user."""
    origin = config.origin("cache", "dir")
    return origin.level == "project" if origin is not None else os.path.islink(cache_dir)


def vet_store(project: "Project", access: Access) -> None:
    """Refuse to use the cache where the committed configuration may not decide its place.

    Raises:
        UntrustedFolderError: it lies outside of the project and may not be used so.
        PlantedLinkError: it lies in the project, but links in it lead out of it.
    """
    if access != "read":
        from fourfold.project.places import refuse_links_in_store  # noqa: PLC0415 - only writers pay

        refuse_links_in_store(project.cache_dir, project.root)
    if not is_doubtful(project.config, project.cache_dir):
        return
    from fourfold.project.config_policy import vet_cache  # noqa: PLC0415 - most projects keep the default
    from fourfold.project.trust import Trust, state_dir  # noqa: PLC0415 - likewise

    trust = Trust(state_dir(project.environ))
    vet_cache(project.config, project.cache_dir, access, root=project.root, trust=trust)


def vet_remote_of(
    project: "Project", config: "RemoteConfig", access: Access
) -> "tuple[RemoteConfig, tuple[Warned, ...]]":
    """A remote of the project as it may be used; see `config_policy.vet_remote`.

    Raises:
        UntrustedFolderError, UntrustedEndpointError: it may not be used so.
    """
    from fourfold.project.config_policy import vet_remote  # noqa: PLC0415 - only verbs that transfer come here
    from fourfold.project.trust import Trust, state_dir  # noqa: PLC0415 - likewise

    return vet_remote(config, access, root=project.root, trust=Trust(state_dir(project.environ)))
