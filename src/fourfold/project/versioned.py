"""Remotes whose versions the cloud keeps (``version_aware``, ``worktree``): data under its own names."""

from typing import TYPE_CHECKING

from fourfold.base.errors import UnsupportedError

if TYPE_CHECKING:
    from fourfold.project.remotes import Remote


class VersionedRemoteUnsupportedError(UnsupportedError):
    """A verb cannot work with a remote whose versions are kept by the cloud."""

    code = "versioned-remote-unsupported"


def refuse(remote: "Remote", verb: str) -> VersionedRemoteUnsupportedError:
    """The error for a verb that such a remote does not take."""
    kind = "worktree" if remote.worktree else "version_aware"
    return VersionedRemoteUnsupportedError(
        f"'{verb}' does not work with the {kind} remote '{remote.name}'",
        hint=f"use a remote without '{kind}', or the original dvc for this one",
    )
