"""The files of the code tree that a record names, from its commit and from what its parts have besides."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from fourfold.base.errors import NotFoundError
from fourfold.formats.native.record import RunRecord
from fourfold.runs.changes import Part, by_path, mapping, opened, value_of
from fourfold.runs.codetree import Outputs, is_written
from fourfold.scm.worktree import FOLDER, listing

if TYPE_CHECKING:
    from fourfold.scm.git import Git

#: A record may come from elsewhere: nothing else is handed to Git.
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?", re.ASCII)


class CodeNotHereError(NotFoundError):
    """The code of a run is neither in this repository nor in its record."""

    code = "run-code-not-here"
    default_hint = "fetch the commits of that branch: git fetch --all"


def code_files(record: RunRecord, git: "Git", environ: Mapping[str, str], part: Part) -> dict[str, str]:
    """The id of each file of a run's code tree by its path, relative to the root of the repository.

    Args:
        record: Of the run.
        git: The repository.
        environ: The caller's environment.
        part: Reads a part.

    Raises:
        CodeNotHereError: the record does not say what its code was.
        FourfoldError: the commit is not in this repository.
    """
    if value_of(record.code, "tree") is None:
        raise CodeNotHereError("the record of that run says nothing of its code")
    commit = value_of(record.code, "commit")
    known = "objects" in record.code
    document = mapping(opened(value_of(record.code, "objects"), part)) if known else {}
    if known and not document:
        raise CodeNotHereError("what the code of that run had besides its commit is not here")
    # What was left out is not known: what the commit has there is not what the run had.
    left_out = _rows(value_of(record.code, "left_out"), part)
    absent = [str(row["path"]) for row in left_out if isinstance(row, Mapping) and "path" in row]
    outputs = Outputs([*_paths(value_of(record.code, "outputs"), part), *absent])
    files: dict[str, str] = {}
    if commit is not None:
        if not _COMMIT.fullmatch(str(commit)):
            raise CodeNotHereError(f"{str(commit)[:80]!r} is no commit")
        for path, entry in listing(git, environ, str(commit)):
            if entry.mode != FOLDER and not is_written(path) and path not in outputs:
                files[path] = entry.oid
    for path, row in by_path(document.get("changes")).items():
        if isinstance(row.get("oid"), str):
            files[path] = row["oid"]
            continue
        below = path + "/"
        files = {name: oid for name, oid in files.items() if name != path and not name.startswith(below)}
    return files


def _paths(value: object, part: Part) -> list[str]:
    return [str(path) for path in _rows(value, part)]


def _rows(value: object, part: Part) -> list[object]:
    rows = mapping(opened(value, part)).get("rows") if isinstance(value, Mapping) else value
    return rows if isinstance(rows, list) else []
