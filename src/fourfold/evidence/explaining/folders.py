"""What lay in a folder that a run read, and that nobody keeps as a whole: several stages filled it, and Git.

A folder that a stage depends on and that is no output has a digest and no manifest. It is put together from
what earlier runs wrote below it, from what Git kept there and from what pointer files name; only where the
digest of that is the recorded one it is what lay there. Else nothing is said.
"""

import os
import posixpath
from collections.abc import Iterable, Mapping
from contextlib import suppress
from itertools import islice, product
from typing import Any

from fourfold.base.errors import FourfoldError
from fourfold.base.fs.reading import read_file
from fourfold.base.ids import DIR_SUFFIX, Oid, is_unsafe_path
from fourfold.content.naming import name_of
from fourfold.content.tree import Tree
from fourfold.evidence.explaining.codechanges import Codes
from fourfold.evidence.parting import prefix_of
from fourfold.evidence.replaying.holdings import Holdings
from fourfold.formats.dvc import pointer
from fourfold.formats.native.record import RunRecord
from fourfold.runs.diff_files import CodeFiles

Row = Mapping[str, Any]
#: A folder of more files that Git keeps is not put together; so many outputs may be gone from it.
_MOST_FILES, _MOST_GONE = 2000, 16
#: What runs write beside their outputs, and no code tree has; so many of them, in so many versions.
_IGNORING = ".gitignore"
_MOST_PLACES, _MOST_TRIED, _LARGEST = 4, 200, 1 << 16


class Folders:
    """Puts folders together.

    Args:
        holdings: Has the manifests of outputs.
        codes: Has the files that Git keeps.
        code_files: Lists them; None where there is no Git.
        root: Of the project: what is ignored there may be as it was.
    """

    def __init__(self, holdings: Holdings, codes: Codes, code_files: CodeFiles | None, root: str) -> None:
        self._holdings = holdings
        self._codes = codes
        self._code_files = code_files
        self._root = root

    def listed(self, record: RunRecord, row: Row, outputs: Mapping[str, Row]) -> Mapping[str, str] | None:
        """The files of a folder with their MD5, by path in it; None where that is not proven.

        Args:
            record: Of the run that read it.
            row: The folder, as the record names it.
            outputs: What earlier runs wrote below it, by path; what is no more may be among it.
        """
        found = {path: held.name for path, held in self._holdings.files(record, row).items()}
        if found:
            return found
        folder = row["path"]
        if is_unsafe_path(folder):
            return None
        kept = self._kept(record, folder)
        written = {path: self._below(record, folder, path, each) for path, each in outputs.items()}
        ignoring = list(islice(product(*self._ignoring(record, folder, [*kept, *written])), _MOST_TRIED))
        for gone in ("", *list(written)[:_MOST_GONE]):
            whole = dict(kept)
            for path, inner in written.items():
                whole |= inner if path != gone else {}
            for chosen in ignoring:
                files = {**whole, **dict(filter(None, chosen))}
                if len(files) == row.get("nfiles") and Tree.of(files.items()).oid == row.get("md5"):
                    return files
        return None

    def _ignoring(
        self, record: RunRecord, folder: str, names: Iterable[str]
    ) -> list[list[tuple[str, Oid] | None]]:
        """What the files that ignore outputs may have been, each of them; None for one that was not there."""
        inner = (name.removeprefix(folder + "/") for name in names)
        found = []
        for place in sorted({"", *map(posixpath.dirname, inner)})[:_MOST_PLACES]:
            name = posixpath.join(place, _IGNORING)
            path = posixpath.join(folder, name)
            if is_unsafe_path(path):
                continue
            versions = self._codes.versions(record, prefix_of(record) + path)
            with suppress(OSError, FourfoldError):
                versions.append(read_file(os.path.join(self._root, path), _LARGEST))
            contents = dict.fromkeys(map(name_of, versions))
            found.append([*((name, md5) for md5 in contents), None])
        return found

    def _below(self, record: RunRecord, folder: str, path: str, row: Row) -> dict[str, str]:
        """The files of an output, by path in the folder."""
        inner, md5 = posixpath.relpath(path, folder), str(row.get("md5") or "")
        if not md5.endswith(DIR_SUFFIX):
            return {inner: md5} if len(md5) == 32 else {}
        held = self._holdings.files(record, {"path": path, "md5": md5})
        return {f"{inner}/{name}": each.name for name, each in held.items()}

    def _kept(self, record: RunRecord, folder: str) -> dict[str, str]:
        """What Git kept there, and what pointer files there name."""
        below = f"{prefix_of(record)}{folder}/"
        try:
            every = self._code_files(record) if self._code_files is not None else {}
        except FourfoldError:
            return {}
        wanted = {path: oid for path, oid in every.items() if path.startswith(below)}
        if len(wanted) > _MOST_FILES:
            return {}
        found: dict[str, str] = {}
        for path, data in self._codes.contents(record, wanted).items():
            found[path.removeprefix(below)] = name_of(data)
            if path.endswith(".dvc"):
                found |= self._pointed(record, folder, path.removeprefix(below), data)
        return found

    def _pointed(self, record: RunRecord, folder: str, path: str, data: bytes) -> dict[str, str]:
        try:
            outs = pointer.parse(data, path).outs
        except FourfoldError:
            return {}
        found: dict[str, str] = {}
        for out in outs:
            inner = posixpath.join(posixpath.dirname(path), out.path)
            if out.oid is not None and not is_unsafe_path(inner):
                found |= self._below(record, folder, posixpath.join(folder, inner), {"md5": out.oid})
        return found
