"""Get-url and list-url: download from a path or a URL, or see what is there; nothing is tracked."""

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from fourfold.base.events import Sink, silent
from fourfold.content.bring import Download, bring_blobs, bring_path
from fourfold.content.intake import Intake
from fourfold.content.proofs import ProofBook
from fourfold.content.staging import Staging
from fourfold.project.config import Config, config_files
from fourfold.project.elsewhere import Surroundings
from fourfold.project.get import Got, goal, make_parent, own_name, place, shelf_in
from fourfold.project.urls import Place, SourceMissingError, contents, locate_by
from fourfold.storage.blob.protocol import BlobNotFoundError, NoListingError

if TYPE_CHECKING:
    from fourfold.project.project import Project


def find(
    url: str,
    surroundings: Surroundings,
    *,
    project: "Project | None" = None,
    options: Mapping[str, Any] | None = None,
    jobs: int | None = None,
) -> Place:
    """What a URL names, for somebody who may stand outside of any project; errors as `urls.locate_by`."""
    environ = surroundings.environ
    home = environ.get("HOME") or environ.get("USERPROFILE") or ""
    config = project.config if project is not None else Config.load(config_files(None, environ), home=home)
    return locate_by(
        url,
        config,
        environ=environ,
        clock=surroundings.clock,
        base=surroundings.base,
        jobs=jobs,
        options=options,
        project=project,
    )


def get_url(
    url: str,
    surroundings: Surroundings,
    *,
    project: "Project | None" = None,
    out: str | None = None,
    options: Mapping[str, Any] | None = None,
    jobs: int | None = None,
    force: bool = False,
    events: Sink = silent,
) -> Got:
    """Download a file or a directory from a path or a URL.

    Args:
        url: A path, a URL, or ``remote://name/path``.
        surroundings: The environment, where the user stands, the clock.
        project: Whose remotes ``remote://`` names; None for the user's own configuration.
        out: Where to put it; by default its own name, here.
        options: Options of the URL's kind of remote.
        jobs: Requests at once.
        force: Replace what is there; files of a directory that the source lacks stay.
        events: Hears the phases.

    Raises:
        TargetInTheWayError: something is there, and ``force`` was not given.
        SourceMissingError: there is nothing at the URL.
        FourfoldError: the source fails, or the system refuses.
    """
    target = goal(own_name(url), out, surroundings.base, force=force)
    found = find(url, surroundings, project=project, options=options, jobs=jobs)
    folder = make_parent(target)
    with Staging(folder, folder) as staging:
        shelf = shelf_in(staging)
        with Intake(shelf.store, ProofBook(shelf.proofs, shelf.store)) as intake:
            try:
                if found.store is None:
                    brought = bring_path(str(found.path), Download(intake), events=events)
                else:
                    brought = bring_blobs(found.store, found.key, Download(intake), events=events)
            except (BlobNotFoundError, NoListingError) as error:
                raise SourceMissingError(f"'{found.url}' does not exist") from error
            intake.commit()
        content = shelf.store.read_tree(brought.oid) if brought.nfiles is not None else brought.oid
        place(content, target, shelf, force=force, events=events)
    return Got(target, brought.oid, brought.size, brought.nfiles)


class Entry(NamedTuple):
    """One line of a listing.

    Attributes:
        path: Relative to what was listed; of a single file, its whole path.
        is_dir: It is a folder.
        size: Bytes; None where it is unknown.
    """

    path: str
    is_dir: bool
    size: int | None


class Leaf(NamedTuple):
    """A folder or a file of a tree, with what is in it."""

    name: str
    is_dir: bool
    size: int | None
    children: "tuple[Leaf, ...]" = ()


def list_url(found: Place, *, recursive: bool = False, depth: int | None = None) -> list[Entry]:
    """What is at a place.

    Args:
        found: The place.
        recursive: Files at every depth instead of the entries of one folder.
        depth: With ``recursive``, how deep; folders at the last level are listed themselves.

    Raises:
        SourceMissingError: there is nothing.
        NoListingError: that kind of place cannot tell what it holds.
        FourfoldError: it cannot be asked.
    """
    top = tree_of(found)
    if not top.is_dir or depth == 0:
        return [Entry(_whole_path(found), is_dir=False, size=None)]
    return list(_listed(top, "", (depth if recursive else 1) or None))


def _listed(folder: Leaf, prefix: str, levels: int | None) -> Iterator[Entry]:
    """The files of a folder, then its folders, or what is in them, as deep as is wanted."""
    for leaf in folder.children:
        if not leaf.is_dir:
            yield Entry(prefix + leaf.name, is_dir=False, size=leaf.size)
    for leaf in folder.children:
        if leaf.is_dir and levels == 1:
            yield Entry(prefix + leaf.name, is_dir=True, size=leaf.size)
        elif leaf.is_dir:
            yield from _listed(leaf, f"{prefix}{leaf.name}/", None if levels is None else levels - 1)


def _whole_path(found: Place) -> str:
    if found.path is not None:
        return found.path
    whole = f"{found.raw_url}/{found.key}".rstrip("/")
    return whole if found.scheme in {"http", "https"} else whole.partition("://")[2]


def tree_of(found: Place, *, depth: int | None = None) -> Leaf:
    """A place as a tree; arguments and errors as `list_url`."""
    if found.path is not None:
        return _local_leaf(found.path, found.name, depth)
    infos, is_dir = contents(found)
    if not is_dir:
        return Leaf(found.name, is_dir=False, size=infos[0].size)
    cut = len(found.key) + 1 if found.key else 0
    return _grow(found.name, [(info.key[cut:].split("/"), info.size) for info in infos], depth)


def _grow(name: str, rows: list[tuple[list[str], int]], depth: int | None) -> Leaf:
    if depth == 0:
        return Leaf(name, is_dir=True, size=None)
    files = {parts[0]: size for parts, size in rows if len(parts) == 1}
    folders: dict[str, list[tuple[list[str], int]]] = {}
    for parts, size in rows:
        if len(parts) > 1:
            folders.setdefault(parts[0], []).append((parts[1:], size))
    less = None if depth is None else depth - 1
    leaves = [Leaf(one, is_dir=False, size=size) for one, size in files.items()]
    leaves += [_grow(one, some, less) for one, some in folders.items()]
    return Leaf(name, is_dir=True, size=None, children=tuple(sorted(leaves, key=lambda leaf: leaf.name)))


def _local_leaf(path: str, name: str, depth: int | None) -> Leaf:
    try:
        found = os.stat(path)
    except FileNotFoundError as error:
        raise SourceMissingError(f"'{path}' does not exist") from error
    if not os.path.isdir(path):
        return Leaf(name, is_dir=False, size=found.st_size)
    if depth == 0:
        return Leaf(name, is_dir=True, size=found.st_size)
    less = None if depth is None else depth - 1
    children = []
    for child in sorted(os.listdir(path)):
        full = os.path.join(path, child)
        if os.path.exists(full):
            link = os.path.islink(full) and os.path.isdir(full)
            children.append(_local_leaf(full, child, 0 if link else less))
    return Leaf(name, is_dir=True, size=found.st_size, children=tuple(children))
