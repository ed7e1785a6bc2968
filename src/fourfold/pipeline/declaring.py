"""What was seen, as what a stage should declare: files gathered into folders."""

import os
from collections.abc import Collection, Iterable

from fourfold.runs.zones import below

#: So many files of one folder, when they are all that it holds, are declared as that folder.
MANY = 10


def gathered(
    paths: Collection[str],
    *,
    tracked: Iterable[str] = (),
    alone: Collection[str] = (),
    keep: Collection[str] = (),
    many: int = MANY,
) -> dict[str, list[str]]:
    """What to declare for some files, each with the files that it stands for; sorted.

    A tracked folder stands for two or more of its files; any folder for its files when they are many and all
    that it holds.

    Args:
        paths: Absolute paths of files.
        tracked: Folders that the project tracks.
        alone: Those of the files that are always declared by themselves: code.
        keep: Folders that are never declared: the root.
        many: How many are many.
    """
    folders = [folder for folder in tracked if sum(below(path, folder) for path in paths) > 1]
    beside: dict[str, set[str]] = {}
    for path in paths:
        if path not in alone:
            beside.setdefault(os.path.dirname(path), set()).add(os.path.basename(path))
    for folder, names in beside.items():
        if len(names) >= many and folder not in keep and _holds_only(folder, names):
            folders.append(folder)
    found: dict[str, list[str]] = {}
    for path in sorted(paths):
        above = next((folder for folder in sorted(folders) if below(path, folder)), path)
        found.setdefault(above, []).append(path)
    return found


def _holds_only(folder: str, names: set[str]) -> bool:
    """Whether a folder holds these files, and nothing else."""
    try:
        with os.scandir(folder) as entries:
            return {entry.name for entry in entries} == names
    except OSError:
        return False
