"""Where the storage of a source keeps tracked data: the URL of an object on its remote."""

from fourfold.base.errors import NotFoundError
from fourfold.base.ids import Oid
from fourfold.project.remotes import object_key
from fourfold.project.sourceview import View
from fourfold.storage.redact import redact_url


class NotTrackedError(NotFoundError):
    """A path of a source is no tracked data."""

    code = "not-tracked-in-source"
    exit_code = 255


class NoStorageError(NotFoundError):
    """A source has no remote, so nothing of it has a URL."""

    code = "no-storage"
    exit_code = 255


def storage_url(view: View, path: str) -> str:
    """The URL of the object that holds a path; whether it is there is not asked.

    Raises:
        SourcePathError: there is no such path.
        NotTrackedError: it is not tracked by DVC, or only a part of a directory.
        NoStorageError: the project of the source has no remote.
        FourfoldError: the source cannot be understood, or its remote be asked for a manifest.
    """
    node = view.node(path)
    data = node.data
    if data is None or data.out is None or data.oid is None:
        raise NotTrackedError(
            f"'{path}' is not data that DVC tracks",
            hint=f"see what is: ff list --dvc-only {view.source.shown}",
        )
    remote = data.part.remote(data.out.output.remote)
    if remote is None:
        if view.source.has_cache:
            return data.part.project.store.path(Oid(data.oid), legacy=data.legacy)
        raise NoStorageError(
            f"no remote is specified in '{view.source.shown}'", hint="name one with --remote"
        )
    if remote.version_aware:
        raise remote.unsupported("the URL of an object")
    return f"{redact_url(remote.config.url).rstrip('/')}/{object_key(Oid(data.oid), legacy=data.legacy)}"
