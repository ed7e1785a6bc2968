"""What one run read, as its record tells: the words by which files count to code, or to data.

Whoever compares runs, or takes results apart, judges by these, so that one file is not code to the one and
data to the other. A file is code by its name, declared or not. A folder that is declared as a whole and in
which code was read counts to code, with all that was read in it: templates and queries beside modules. Other
files that are declared, or that a run was seen to read, are data. Pure.
"""

import posixpath
from collections.abc import Iterable, Mapping
from typing import Any

from fourfold.formats.native.record import RunRecord
from fourfold.runs.changes import Part, by_path, is_path, mapping, opened, value_of
from fourfold.runs.codesources import is_code


def prefix_of(record: RunRecord) -> str:
    """What stands before a path of the project in a path of the repository: "" or ``folder/``."""
    folder = str(value_of(record.code, "folder") or ".")
    return "" if folder == "." else folder + "/"


def shown(path: str, above: str) -> str:
    """A path of the repository as data are named: from the root of the project, ``../`` outside of it.

    Args:
        path: From the root of the repository.
        above: The `prefix_of` the record.
    """
    if path.startswith(above):
        return path[len(above) :]
    return posixpath.relpath(path, above)


def sources_of(record: RunRecord, part: Part) -> Mapping[str, str | None] | None:
    """The files of the code tree that a run read, by their Git ids, from the root of the repository.

    Returns:
        None where that is not known.
    """
    value = value_of(record.code, "sources")
    if not isinstance(value, Mapping):
        return None
    if "files" not in value:
        return {}
    files = mapping(opened(value["files"], part)).get("files")
    if not isinstance(files, Mapping):
        return None
    return {path: oid for path, oid in files.items() if path and is_path(path)}


def undeclared_of(record: RunRecord, part: Part) -> dict[str, Mapping[str, Any]]:
    """Rows of the data that a run was seen to read and that nobody declared, by path.

    Source files are not among them: they are among those of the code, also those that Git did not track yet.
    """
    return {
        path: row
        for path, row in all_undeclared_of(record, part).items()
        if row.get("kind") != "code" and not (row.get("kind") in ("tracked", "untracked") and is_code(path))
    }


def all_undeclared_of(record: RunRecord, part: Part) -> dict[str, Mapping[str, Any]]:
    """Rows of all that a run was seen to read and that nobody declared, source files among them, by path."""
    value = mapping(value_of(record.trace, "undeclared_reads"))
    rows = by_path(value.get("files"))
    if len(rows) != value.get("count", 0):
        listing = mapping(value_of(record.trace, "paths")).get("listing")
        rows = by_path(mapping(mapping(opened(listing, part)).get("undeclared")).get("reads")) or rows
    return rows


def code_folders(sources: Iterable[str], above: str) -> frozenset[str]:
    """The folders in which code was read, as data are named.

    Args:
        sources: Files of the code tree that were read, from the root of the repository.
        above: The `prefix_of` the record.
    """
    return frozenset(folder for path in sources if is_code(path) for folder in folders_of(shown(path, above)))


def folders_of(path: str) -> Iterable[str]:
    """The folders that a path lies in, the nearest first."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path
