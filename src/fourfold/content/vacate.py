"""Vacate: take away the files of an output that is no output any more, and no other file.

A file goes only when its content is what the output's manifest says and the store has that content. What
was edited, added or ignored since stays where it is.
"""

import os
from collections.abc import Mapping
from typing import NamedTuple

from fourfold.base.errors import from_os_error
from fourfold.base.events import Sink, silent
from fourfold.base.fs.walk import WIDTH
from fourfold.base.ids import Oid, is_tree
from fourfold.content.build import identify
from fourfold.content.checkout import Before, Desk, Plan
from fourfold.content.identity import Built
from fourfold.content.objects import CorruptObjectError, ObjectMissingError


class Vacated(NamedTuple):
    """What `vacate` did; names are relative to its path, ``""`` for a file.

    Attributes:
        removed: Files that are gone.
        kept: Files that stayed, because their content is not saved as the output's.
    """

    removed: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


def vacate(oid: Oid, path: str, desk: Desk, *, legacy: bool = False, events: Sink = silent) -> Vacated:
    """Remove from ``path`` the files that are exactly those of ``oid``, and folders that this empties.

    Args:
        oid: What the output was.
        path: Absolute; below ``desk.root``.
        desk: What to work with; it hears the plan first.
        legacy: The content is DVC 2's.
        events: Hears the phases.

    Raises:
        FourfoldError: the workspace cannot be read or written.
    """
    if os.path.realpath(os.path.dirname(path)) != os.path.join(
        os.path.realpath(desk.root), os.path.relpath(os.path.dirname(path), desk.root)
    ).rstrip("/."):
        return Vacated()  # it lies behind a symbolic link now: not ours to touch
    try:
        built = identify(
            path,
            desk.stat_index,
            legacy=legacy,
            skip_file=desk.skip_file,
            skip_directory=desk.skip_directory,
            events=events,
        )
    except FileNotFoundError:
        desk.stat_index.forget(path)
        return Vacated()
    ours = _ours(oid, built, desk, legacy=legacy)
    kept = tuple(name for name in built.scan.names if name not in ours)
    if desk.announce is not None and ours:
        desk.announce(Plan(path, (), ours, ()))
    try:
        for name in ours:
            os.unlink(f"{path}/{name}" if name else path)
        if built.is_directory:
            _remove_empty_folders(path)
    except OSError as error:
        raise from_os_error(error, f"removing {path}") from error
    desk.stat_index.forget(path)
    return Vacated(tuple(ours), kept)


def _ours(oid: Oid, built: Built, desk: Desk, *, legacy: bool) -> Mapping[str, Before]:
    """The files whose content is the output's and in the store."""
    if is_tree(oid) != built.is_directory:
        return {}
    if is_tree(oid):
        try:
            tree = desk.store.read_tree(oid, legacy=legacy)
        except (ObjectMissingError, CorruptObjectError):
            return {}
        wanted: Mapping[str, Oid] = dict(tree.items())
    else:
        wanted = {"": oid}
    found = {}
    for at, name in enumerate(built.scan.names):
        content = Oid(built.packed[at * 16 : at * 16 + 16].hex())
        if wanted.get(name) == content:
            found[name] = Before(content, legacy, bool(built.scan.stats[at * WIDTH + 4] & 0o100))
    absent = set(desk.store.missing([before.oid for before in found.values()], legacy=legacy))
    return {name: before for name, before in found.items() if before.oid not in absent}


def _remove_empty_folders(path: str) -> None:
    for folder, _folders, _files in os.walk(path, topdown=False):
        try:
            os.rmdir(folder)
        except OSError:
            continue  # something stayed in it
