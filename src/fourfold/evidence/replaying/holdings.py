"""The bytes of data of then, where they are had without asking anybody: cache, records, Git, workspace.

Nothing is copied and no remote is asked: whoever compares only reads. Every content is proven by its digest
before it is handed out. Who needs files of their own, fetched if need be, takes `originals`.
"""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from fourfold.base.errors import FourfoldError
from fourfold.base.fs.reading import read_file
from fourfold.base.ids import Oid, is_tree, is_unsafe_path
from fourfold.content.naming import name_of
from fourfold.evidence.lineage import object_of
from fourfold.formats.native.canonical import digest
from fourfold.formats.native.record import RunRecord
from fourfold.runs.changes import is_named, mapping, opened, value_of
from fourfold.runs.coderestore import unpacked
from fourfold.scm.refs import is_full_id

if TYPE_CHECKING:
    from fourfold.content.tree import Tree
    from fourfold.runs.place import Place
    from fourfold.runs.store import Records


class Held(NamedTuple):
    """One file of data.

    Attributes:
        name: What names its content: equal names are equal contents.
        read: Gives its bytes; None where they are not had, or are more than the number given.
    """

    name: str
    read: Callable[[int], bytes | None]


class Holdings:
    """Finds the files that rows of records name.

    Args:
        place: Whose cache, Git and workspace are looked at.
        records: Keep small results.
    """

    def __init__(self, place: "Place", records: "Records") -> None:
        self._place = place
        self._records = records
        self._trees: dict[Oid, Tree | None] = {}

    def files(self, record: RunRecord, row: Mapping[str, Any]) -> dict[str, Held]:
        """The files of an input or output, by path below it; a file is ``""``; empty where not known.

        Args:
            record: Of the run that names it.
            row: The input or output.
        """
        oid = object_of(row)
        if oid is not None and is_tree(oid):
            tree = self._tree(oid)
            return {} if tree is None else {path: self._object(each) for path, each in tree.items()}
        name = str(row.get("blake3") or row.get("md5") or "")
        return {"": Held(name, lambda most: self._read(record, row, oid, most))} if name else {}

    def inside(self, folder: str, path: str) -> str | None:
        """The MD5 of a file or folder in a folder of the cache; None where it has none there, or is not here.

        Args:
            folder: The MD5 of the folder.
            path: In it.
        """
        oid = object_of({"md5": folder})
        tree = self._tree(oid) if oid is not None and is_tree(oid) else None
        if tree is None:
            return None
        return tree.get(path) or (tree.subtree(path).oid if tree.span(path) else None)

    def _tree(self, oid: Oid) -> "Tree | None":
        project = self._place.project
        if oid not in self._trees:
            self._trees[oid] = None
            if project is not None:
                for legacy in (False, True):
                    with suppress(FourfoldError):
                        self._trees[oid] = project.store.read_tree(oid, legacy=legacy)
                        break
        return self._trees[oid]

    def _object(self, oid: Oid) -> Held:
        return Held(oid, lambda most: self._cached(oid, most))

    def _read(self, record: RunRecord, row: Mapping[str, Any], oid: Oid | None, most: int) -> bytes | None:
        size = row.get("size")
        if isinstance(size, int) and size > most:
            return None
        found = self._cached(oid, most) if oid is not None else None
        if found is not None:
            return found
        for source in (self._kept, self._committed, self._standing):
            data = source(record, row)
            if data is not None and len(data) <= most and is_named(row, digest(data), name_of(data)):
                return data
        return None

    def _cached(self, oid: Oid, most: int) -> bytes | None:
        project = self._place.project
        if project is None:
            return None
        for legacy in (False, True):
            with suppress(FourfoldError, OSError):
                if os.path.getsize(project.store.path(oid, legacy=legacy)) <= most:
                    return project.store.read(oid, legacy=legacy)
        return None

    def _kept(self, record: RunRecord, row: Mapping[str, Any]) -> bytes | None:
        """A small result that the record keeps."""
        found = mapping(mapping(opened(value_of(record.data, "kept"), self._records.part)).get("files"))
        with suppress(KeyError, TypeError, ValueError, AttributeError):
            return unpacked(found[str(row.get("blake3"))])
        return None

    def _committed(self, record: RunRecord, row: Mapping[str, Any]) -> bytes | None:
        """A file that Git keeps: in the commit of the run, or in what its record has besides."""
        git, commit = self._place.git, value_of(record.code, "commit")
        folder = str(value_of(record.code, "folder") or ".")
        path = row["path"] if folder == "." else f"{folder}/{row['path']}"
        objects = mapping(opened(value_of(record.code, "objects"), self._records.part))
        changes = objects.get("changes")
        for change in changes if isinstance(changes, list) else ():
            if isinstance(change, Mapping) and change.get("path") == path:
                with suppress(KeyError, TypeError, ValueError, AttributeError):
                    return unpacked(mapping(objects["blobs"])[str(change["oid"])])
        if git is None or not isinstance(commit, str) or not is_full_id(commit) or is_unsafe_path(path):
            return None
        with suppress(FourfoldError):
            return git.read(commit, path)
        return None

    def _standing(self, _record: RunRecord, row: Mapping[str, Any]) -> bytes | None:
        """The file of the workspace."""
        path = row["path"]
        if is_unsafe_path(path):
            return None
        size = row.get("size")
        with suppress(OSError, FourfoldError):
            if isinstance(size, int):
                return read_file(os.path.join(self._place.root, path), size)
        return None
