"""Get: a file or a directory of another repository, or behind a URL, into any folder; nothing is tracked.

Works without a project. Content is proven before it gets its name; what is at the goal already is
replaced only when the user says so, and files that the source does not have stay.
"""

import os
from collections.abc import Mapping
from typing import NamedTuple

from fourfold.base.errors import UsageError, from_os_error
from fourfold.base.events import Sink, silent
from fourfold.base.ids import Oid
from fourfold.content.checkout import Desk, checkout
from fourfold.content.objects import ObjectStore
from fourfold.content.proofs import ProofBook
from fourfold.content.staging import Staging
from fourfold.content.statindex import StatIndex
from fourfold.content.tree import Tree
from fourfold.project.adopt import TargetInTheWayError
from fourfold.project.elsewhere import Surroundings, open_source
from fourfold.project.materialize import Shelf, materialize
from fourfold.project.outs import is_owner_file
from fourfold.project.sourceconfig import RemoteSettings
from fourfold.project.sourceview import View, clean


class PointerFileWantedError(UsageError):
    """A pointer file was named where the data is meant."""

    code = "pointer-file-wanted"
    exit_code = 1


class Got(NamedTuple):
    """What came.

    Attributes:
        path: Where it is now, absolute.
        oid: The object of a file, or the tree of a directory.
        size: Bytes.
        nfiles: Files in a directory; None for a file.
        rev: The commit of the source; empty where there is none.
    """

    path: str
    oid: Oid
    size: int
    nfiles: int | None
    rev: str = ""


def goal(name: str, out: str | None, base: str, *, force: bool) -> str:
    """The absolute path that something from elsewhere gets here, by DVC's rule.

    Args:
        name: Its own name.
        out: What the user typed; a folder that exists is where it goes into.
        base: The absolute folder in which the user stands.
        force: Something may be there already.

    Raises:
        TargetInTheWayError: something is there, and ``force`` was not given.
    """
    path = os.path.join(base, out) if out else os.path.join(base, name)
    if out and os.path.isdir(path):
        path = os.path.join(path, name)
    path = os.path.normpath(path)
    if os.path.lexists(path) and not force:
        shown = os.path.relpath(path, base)
        raise TargetInTheWayError(
            f"the file '{shown}' already exists locally", hint="replace it with --force"
        )
    return path


def own_name(path: str) -> str:
    """The last part of a path in a repository, or of a URL.

    Raises:
        BadUrlError: a URL names no place.
    """
    where = path
    if "://" in path:
        from urllib.parse import urlsplit  # noqa: PLC0415 - the name of a URL is that of its path

        from fourfold.storage.schemes import check_url  # noqa: PLC0415 - likewise

        where = urlsplit(check_url(path)).path
    return os.path.basename(os.path.normpath(where))


def get(
    url: str,
    path: str,
    surroundings: Surroundings,
    *,
    out: str | None = None,
    rev: str | None = None,
    settings: RemoteSettings = RemoteSettings(),  # noqa: B008 - a value, never changed
    jobs: int | None = None,
    force: bool = False,
    events: Sink = silent,
) -> Got:
    """Download a file or a directory that another repository tracks, by DVC or by Git.

    Args:
        url: A folder of this machine, or a Git address.
        path: From the root of the repository.
        surroundings: The environment, where the user stands, the clock.
        out: Where to put it; by default its own name, here.
        rev: The revision; by default a folder as it is, and the default branch of an address.
        settings: Which remote of the repository, and how.
        jobs: Requests at once.
        force: Replace what is there.
        events: Hears the phases.

    Raises:
        TargetInTheWayError: something is there, and ``force`` was not given.
        SourcePathError, SourceDataMissingError: the repository does not have it.
        FourfoldError: as `elsewhere.open_source` and `materialize.materialize`.
    """
    target = goal(own_name(path), out, surroundings.base, force=force)
    if is_owner_file(os.path.basename(target)):
        raise PointerFileWantedError(
            f"'{path}' is a DVC file", hint="name the data: the path without '.dvc', or one of its outputs"
        )
    view = View(open_source(url, surroundings, rev=rev, settings=settings), jobs=jobs)
    node = view.node(clean(path))
    folder = make_parent(target)
    with Staging(folder, folder) as staging:
        shelf = shelf_in(staging)
        found = materialize(view, node.path, shelf, events=events)
        place(found.tree or found.oid, target, shelf, force=force, events=events)
    return Got(target, found.oid, found.size, found.nfiles, view.source.rev or "")


def make_parent(target: str) -> str:
    """Make the folder of a path; its absolute path.

    Raises:
        DeniedError, ExhaustedError: the system refuses.
    """
    folder = os.path.dirname(target)
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise from_os_error(error, f"making the folder {folder}") from error
    return folder


def shelf_in(staging: Staging) -> Shelf:
    """A store for one command, that goes with its folder."""
    return Shelf(ObjectStore(f"{staging.path}/cache"), StatIndex(None), staging.path)


def place(
    target: Oid | Tree,
    path: str,
    shelf: Shelf,
    *,
    force: bool = False,
    isexec: bool = False,
    events: Sink = silent,
) -> None:
    """Make a path hold content of a shelf; files of a directory that the content does not have stay.

    Raises:
        UnsavedChangesError: other files are there, and ``force`` was not given.
        FourfoldError: a full disk, a link in the way; nothing is lost.
    """
    wanted: Mapping[str, None] | None = dict.fromkeys(target.paths) if isinstance(target, Tree) else None
    desk = Desk(
        shelf.store,
        StatIndex(None),
        ProofBook(shelf.proofs, shelf.store),
        os.path.dirname(path),
        shelf.staging,
        link_types=("reflink", "copy"),
        skip_file=None if wanted is None else lambda name: name not in wanted,
    )
    checkout(target, path, desk, isexec=isexec, force=force, events=events)
