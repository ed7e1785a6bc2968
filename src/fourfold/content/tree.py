"""Trees: the manifest of a directory, in columns.

A tree is the sorted list of (relative path, digest) of the files below one directory; its own name
is the MD5 of its canonical bytes followed by ``.dir``. This module holds trees, names them and
picks parts of them; it reads no file and knows no cache. Bytes: `fourfold.formats.dvc.manifest`.
"""

import hashlib
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator

from fourfold.base.ids import DIR_SUFFIX, Oid
from fourfold.formats.dvc import manifest


def unpack(packed: bytes) -> list[Oid]:
    """Object names from a column of 16 bytes a row."""
    text = packed.hex()
    return [Oid(text[at : at + 32]) for at in range(0, len(text), 32)]


class Tree:
    """An immutable directory manifest.

    Attributes:
        paths: Relative POSIX paths in code-point order.
        packed: MD5 digests, 16 bytes a row, in the same order.
    """

    __slots__ = ("_oid", "packed", "paths")

    def __init__(self, paths: list[str], packed: bytes, oid: Oid | None = None) -> None:
        """Take over sorted columns; ``oid`` when the name is already proven."""
        self.paths = paths
        self.packed = packed
        self._oid = oid

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]]) -> "Tree":
        """The tree of (path, file digest) pairs in any order."""
        rows = sorted(pairs)
        return cls([path for path, _ in rows], b"".join([bytes.fromhex(digest) for _, digest in rows]))

    @classmethod
    def from_unsorted(cls, paths: list[str], packed: bytes) -> "Tree":
        """The tree of columns in any order."""
        if any(map(str.__gt__, paths, paths[1:])):
            order = array("q", sorted(range(len(paths)), key=paths.__getitem__))
            rows = bytearray(len(packed))
            for to, at in enumerate(order):
                rows[to * 16 : to * 16 + 16] = packed[at * 16 : at * 16 + 16]
            packed = bytes(rows)
            paths = [paths[at] for at in order]
        return cls(paths, packed)

    @classmethod
    def parse(cls, data: bytes, source: str, oid: Oid | None = None) -> "Tree":
        """Read the bytes of a ``.dir`` object.

        Raises:
            BadManifestError: it is no manifest.
            UnsafePathError: a path could leave its folder.
        """
        return cls(*manifest.parse(data, source), oid)

    @property
    def oid(self) -> Oid:
        """The name of the tree in the store."""
        if self._oid is None:
            digest = hashlib.md5(usedforsecurity=False)
            for chunk in self.chunks():
                digest.update(chunk)
            self._oid = Oid(digest.hexdigest() + DIR_SUFFIX)
        return self._oid

    def to_bytes(self) -> bytes:
        """The bytes of the ``.dir`` object."""
        return b"".join(self.chunks())

    def chunks(self) -> Iterator[bytes]:
        """The same, piece by piece."""
        return manifest.render(self.paths, self.packed)

    def __len__(self) -> int:
        return len(self.paths)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tree) and self.packed == other.packed and self.paths == other.paths

    def __hash__(self) -> int:
        return hash(self.oid)

    def __repr__(self) -> str:
        return f"Tree({len(self.paths)} files, {self.oid})"

    def digest(self, at: int) -> Oid:
        """The name of the object of row ``at``."""
        return Oid(self.packed[at * 16 : at * 16 + 16].hex())

    def digests(self) -> list[Oid]:
        """The object names of all rows, in the order of the paths."""
        return unpack(self.packed)

    def items(self) -> Iterator[tuple[str, Oid]]:
        """(path, object name) of each row."""
        return zip(self.paths, self.digests(), strict=True)

    def find(self, path: str) -> int:
        """The row of ``path``, or -1."""
        at = bisect_left(self.paths, path)
        return at if at < len(self.paths) and self.paths[at] == path else -1

    def get(self, path: str) -> Oid | None:
        """The object name of ``path``, or None."""
        at = self.find(path)
        return None if at < 0 else self.digest(at)

    def span(self, prefix: str) -> range:
        """The rows below the directory ``prefix`` (no trailing slash); all rows for ``""``."""
        if not prefix:
            return range(len(self.paths))
        return range(bisect_left(self.paths, prefix + "/"), bisect_left(self.paths, prefix + "0"))

    def subtree(self, prefix: str) -> "Tree":
        """The tree of the directory ``prefix`` inside this one, with paths relative to it."""
        rows = self.span(prefix)
        cut = len(prefix) + 1 if prefix else 0
        return Tree([self.paths[at][cut:] for at in rows], self.packed[rows.start * 16 : rows.stop * 16])

    def replaced(self, prefix: str, part: "Tree | Oid | None") -> "Tree":
        """This tree with the file or directory at ``prefix`` replaced, or removed for None."""
        rows = self.span(prefix)
        pairs = [pair for at, pair in enumerate(self.items()) if at not in rows and pair[0] != prefix]
        if isinstance(part, Tree):
            pairs += [(f"{prefix}/{path}" if prefix else path, oid) for path, oid in part.items()]
        elif part is not None:
            pairs.append((prefix, part))
        return Tree.of(pairs)
