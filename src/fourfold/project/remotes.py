"""Remotes as verbs use them: a configured name becomes a store of bytes and the names of objects in it.

The layout is DVC's: ``files/md5/aa/rest`` for 3.x objects, ``aa/rest`` for 2.x ones, ``runs/`` for the run
cache; a remote that is ``version_aware`` or a ``worktree`` holds data under the names of the
workspace instead. Which protocols there are is `fourfold.storage.schemes`.
"""

from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import UnsupportedError
from fourfold.base.ids import Oid
from fourfold.project.vetting import Access, vet_remote_of

if TYPE_CHECKING:
    from fourfold.project.config import RemoteConfig
    from fourfold.project.project import Project
    from fourfold.storage.blob.protocol import BlobStore

OBJECTS = "files/md5/"
RUNS = "runs/"


class CloudVersionedError(UnsupportedError):
    """A remote holds data under the names of the workspace, with versions of the cloud."""

    code = "cloud-versioned-remote"


class Remote(NamedTuple):
    """A remote that is ready for use; nothing was asked from it yet.

    Attributes:
        name: As configured.
        config: Its settings.
        store: Its bytes; transient failures are retried.
    """

    name: str
    config: "RemoteConfig"
    store: "BlobStore"

    @property
    def version_aware(self) -> bool:
        """Whether objects lie under the names that they have in the workspace, versions kept by the cloud."""
        return self.config.version_aware

    @property
    def worktree(self) -> bool:
        """Whether it mirrors the work tree."""
        return self.config.worktree

    def unsupported(self, verb: str) -> UnsupportedError:
        """The error for a verb that needs DVC's layout of objects, which this remote does not have."""
        kind = "worktree" if self.worktree else "version_aware"
        return CloudVersionedError(
            f"remote '{self.name}' is '{kind}': {verb} works with remotes that hold objects by their hashes",
            hint=f"use another remote with -r, or turn it off: ff remote modify {self.name} {kind} false",
        )

    def key(self, oid: Oid, *, legacy: bool = False) -> str:
        """The key of an object in the store."""
        return object_key(oid, legacy=legacy)


def object_key(oid: Oid, *, legacy: bool = False) -> str:
    """The key of an object in DVC's remote layout."""
    return f"{oid[:2]}/{oid[2:]}" if legacy else f"{OBJECTS}{oid[:2]}/{oid[2:]}"


def open_remote(
    project: "Project", name: str | None = None, *, jobs: int | None = None, access: Access = "read"
) -> Remote:
    """Open a remote of the configuration, by default the default one.

    Args:
        project: Whose configuration and environment.
        name: The remote's name.
        jobs: Requests at once; by default what the configuration says.
        access: What it will be used for, at most.

    Raises:
        UntrustedFolderError, UntrustedEndpointError: only the committed configuration names it, and it may
            not be used so (docs/design/002-committed-config.md).
        PlantedLinkError: it is a folder of the project in which links lead out of it.
        NoRemoteError: none was named and none is the default.
        RemoteNotFoundError: there is none of that name.
        ConfigError: its settings cannot be understood.
        PasswordNeededError: a secret is to be asked for, and nobody is there or answered.
        MissingPackageError: its protocol needs a package that is not installed.
    """
    return open_configured(project, project.config.remote(name), jobs=jobs, access=access)


def open_configured(
    project: "Project", config: "RemoteConfig", *, jobs: int | None = None, access: Access = "read"
) -> Remote:
    """Open a remote whose settings are at hand; errors as `open_remote`."""
    from fourfold.storage.options import PasswordNeededError  # noqa: PLC0415 - only verbs that transfer need it
    from fourfold.storage.schemes import open_store  # noqa: PLC0415 - only verbs that transfer pay for it
    from fourfold.storage.wrap.retry import retrying  # noqa: PLC0415 - likewise

    config, _ignored = vet_remote_of(project, config, access)
    confined = not config.scheme and _is_inside(project, config.url)

    project.opened_remotes.add(config.name)

    def opened() -> "BlobStore":
        return open_store(
            config.url, config.options, environ=project.environ, jobs=jobs or config.jobs, confined=confined
        )

    try:
        store = opened()
    except PasswordNeededError as error:
        answer = project.ask_secret(config.name, error.option) if project.ask_secret else None
        if not answer:
            raise
        config = config._replace(options={**config.options, error.option: answer})
        store = opened()
    if access != "read" and store.local_root:
        from fourfold.project.places import refuse_links_in_store  # noqa: PLC0415 - only folders pay for it

        refuse_links_in_store(store.local_root, project.root)
    return Remote(config.name, config, retrying(store, clock=project.clock))


def _is_inside(project: "Project", folder: str) -> bool:
    """Whether a folder lies in the project, where a repository can plant links in it."""
    from fourfold.project.places import stays  # noqa: PLC0415 - only folders pay for it

    return stays(folder, project.root)


def remote_for(project: "Project", output_remote: str | None, named: str | None) -> str | None:
    """The name of the remote of an output: its own, else the one that was named, else the default.

    An output whose own remote is another than the named one takes no part, as with DVC: whoever collects
    leaves it out.
    """
    return output_remote or named or project.config.default_remote
