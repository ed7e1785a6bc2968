"""What a reader of one format is given: an open file, its name, and how much it may take; and what it raises.

A reader is a function ``read(source: Source) -> Content`` in a module of this folder; `reading` has the table
of them. Readers know nothing of that table: what lies within a file goes back through `Source.member`. This
module knows no format.
"""

import io
import json
import os
import tempfile
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import BinaryIO

from blake3 import blake3

from fourfold.base.errors import InvalidFileError, UnsupportedError
from fourfold.formats.likeness.model import Content, Leaf, LeafKind

#: Bytes that are read or copied at once.
CHUNK = 1 << 20
#: What lies within a file and is larger goes to a temporary file while it is read.
_IN_MEMORY = 32 << 20


class UnreadableContentError(InvalidFileError):
    """A file is damaged, or is not of the format that its first bytes or its name tell."""

    code = "unreadable-content"
    default_hint = "make that file again; byte for byte it can still be compared"


class ContentTooLargeError(UnsupportedError):
    """What a file means is larger, deeper or of more parts than is read: a bomb looks like this."""

    code = "content-too-large"
    default_hint = "byte for byte it can still be compared"


class MissingReaderError(UnsupportedError):
    """A format needs a package that is not installed."""

    code = "missing-reader"


class Budget:
    """How much one reading may take, with what it took: shared by a file and all that lies within it.

    Attributes:
        document: Bytes of a document that is held whole (JSON, YAML, notebooks, pages, images' pixels).
        expanded: Bytes that come out of archives and compression, in sum.
        ratio: How many times the size of the file that may be, once it is more than `free`.
        free: Bytes that may always come out.
        depth: Archives within archives.
        parts: Members and leaves, in sum.
        numbers: Numbers that are held for a comparison in numbers, in sum; columns beyond it have none.
        alive: Called whenever something was done.
    """

    free = 1 << 30
    #: Bytes of values that may always be looked at, those that are referred to often as often.
    seen = 4 << 30

    def __init__(
        self,
        *,
        document: int = 256 << 20,
        expanded: int = 16 << 30,
        ratio: int = 250,
        depth: int = 8,
        parts: int = 2_000_000,
        numbers: int = 64_000_000,
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        self.document = document
        self.expanded = expanded
        self.ratio = ratio
        self.depth = depth
        self.parts = parts
        self.numbers = numbers
        self._packed = 0
        self._out = 0
        self._seen = 0
        self._alive = alive

    def state(self) -> dict[str, int]:
        """What is left and what was taken, for whoever goes on with it in another process."""
        return {name: value for name, value in vars(self).items() if type(value) is int}

    def resume(self, state: Mapping[str, int]) -> None:
        """Go on from what another had left of it.

        Raises:
            KeyError, ValueError: it is no state of a budget, or takes something back.
        """
        for name, value in self.state().items():
            left = state[name]
            if type(left) is not int or (left < value if name[0] == "_" else left > value):
                raise ValueError(name)
            setattr(self, name, left)

    def begin(self, size: int) -> None:
        """A file of this size on disk is read: so much more may come out of it."""
        self._packed += size

    def expand(self, size: int, name: str) -> None:
        """So many bytes came out.

        Raises:
            ContentTooLargeError: that is too much for what went in.
        """
        self._out += size
        self._alive()
        if self._out > min(self.expanded, max(self.free, self._packed * self.ratio)):
            raise ContentTooLargeError(f"{name}: more than {self._out - size} bytes come out of it")

    def look(self, size: int, name: str) -> None:
        """So many bytes of values are looked at, maybe again: few bytes can be referred to very often.

        Raises:
            ContentTooLargeError: that is too much for what went in.
        """
        self._seen += size
        self._alive()
        if self._seen > max(self.seen, (self._packed + self._out) * self.ratio):
            raise ContentTooLargeError(f"{name}: the same bytes stand in it for too many values")

    def part(self, name: str, count: int = 1) -> None:
        """So many more members or leaves.

        Raises:
            ContentTooLargeError: there are too many.
        """
        self.parts -= count
        self._alive()
        if self.parts < 0:
            raise ContentTooLargeError(f"{name}: it has too many parts to compare")

    def hold(self, count: int) -> bool:
        """Whether so many more numbers may be held; if so, they count."""
        if count > self.numbers:
            return False
        self.numbers -= count
        return True


class Source:
    """One file to read, or one that lies within another.

    Attributes:
        name: How messages call it; its end may tell the format.
        file: Open, at its start; it can seek.
        size: In bytes.
        path: Where it lies, if it does not lie within another.
        unsafe: Whether what only running the file can read may be read so.
        budget: What may be taken.
    """

    def __init__(
        self,
        name: str,
        file: BinaryIO,
        size: int,
        *,
        inner: Callable[["Source"], Content],
        budget: Budget,
        path: str | None = None,
        unsafe: bool = False,
        depth: int = 0,
    ) -> None:
        self.name = name
        self.file = file
        self.size = size
        self.path = path
        self.unsafe = unsafe
        self.budget = budget
        self._inner = inner
        self._depth = depth

    @property
    def suffix(self) -> str:
        """The end of the name in lower case, with its dot: ``.json``; empty where there is none."""
        return os.path.splitext(self.name)[1].lower()

    def head(self, size: int = 4096) -> bytes:
        """Its first bytes; the file stands at its start afterwards."""
        self.file.seek(0)
        data = self.file.read(size)
        self.file.seek(0)
        return data

    def data(self) -> bytes:
        """All of it.

        Raises:
            ContentTooLargeError: it is larger than a document may be.
        """
        if self.size > self.budget.document:
            raise ContentTooLargeError(f"{self.name}: larger than {self.budget.document} bytes ({self.size})")
        self.file.seek(0)
        return self.file.read()

    def chunks(self) -> Iterator[bytes]:
        """All of it, piece by piece."""
        self.file.seek(0)
        while chunk := self.file.read(CHUNK):
            yield chunk

    def damaged(self, why: str) -> UnreadableContentError:
        """The error that says that this file cannot be read."""
        return UnreadableContentError(f"{self.name}: {why}")

    def member(self, name: str, stream: BinaryIO) -> Content:
        """Read what lies within this file.

        Args:
            name: The member's own name.
            stream: Its bytes, from where it stands; it is read once and need not seek.

        Raises:
            ContentTooLargeError: too deep, or too much.
            UnreadableContentError: it is damaged.
        """
        return self._spooled(f"{self.name}!{name}", stream)

    def unpacked(self, name: str, stream: BinaryIO) -> Content:
        """Read this file without its compression.

        Args:
            name: What it is called without: ``model.csv`` of ``model.csv.gz``.
            stream: The bytes that come out.

        Raises:
            ContentTooLargeError, UnreadableContentError: as `member`.
        """
        return self._spooled(name, stream)

    def _spooled(self, name: str, stream: BinaryIO) -> Content:
        if self._depth >= self.budget.depth:
            raise ContentTooLargeError(f"{name}: deeper than {self.budget.depth} files within files")
        self.budget.part(name)
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as spool:
            size = 0
            while chunk := stream.read(CHUNK):
                size += len(chunk)
                self.budget.expand(len(chunk), name)
                spool.write(chunk)
            spool.seek(0)
            return self._inner(
                Source(
                    name,
                    _seekable(spool),
                    size,
                    inner=self._inner,
                    budget=self.budget,
                    unsafe=self.unsafe,
                    depth=self._depth + 1,
                )
            )


def _seekable(spool: "tempfile.SpooledTemporaryFile[bytes]") -> BinaryIO:
    """What a spool really writes to: some libraries refuse the spool itself."""
    file = getattr(spool, "_file", None)
    return file if isinstance(file, io.IOBase) else spool  # type: ignore[return-value]


def leaf(kind: LeafKind, dtype: str, data: bytes, shape: tuple[int, ...] = ()) -> Leaf:
    """A leaf of these values in their fixed form."""
    return Leaf(kind, dtype, shape, blake3(data).hexdigest())


def floats_leaf(values: "array[float]", kind: LeafKind = "column", dtype: str = "float64") -> Leaf:
    """A leaf of doubles, which it keeps for a comparison in numbers."""
    return Leaf(kind, dtype, (len(values),), blake3(little(values)).hexdigest(), lambda: values)


def number_leaf(value: float, dtype: str = "float64") -> Leaf:
    """A leaf of one number that a double holds."""
    held = array("d", (value,))
    return Leaf("number", dtype, (), blake3(little(held)).hexdigest(), lambda: held)


def bytes_leaf(chunks: Iterable[bytes | bytearray | memoryview]) -> Leaf:
    """A leaf of bytes that mean themselves."""
    hasher, size = blake3(), 0
    for chunk in chunks:
        hasher.update(chunk)
        size += len(chunk)
    return Leaf("bytes", "bytes", (size,), hasher.hexdigest())


def little(values: "array[float]") -> bytes:
    """The bytes of numbers, little endian on every machine."""
    import sys  # noqa: PLC0415 - nothing else here asks

    if sys.byteorder == "little":
        return values.tobytes()
    values = values[:]
    values.byteswap()
    return values.tobytes()


class Named:
    """Leaves by name, each under a free one: of equal names the second is ``name~2``.

    Attributes:
        found: The leaves, in their order.
    """

    def __init__(self, found: Mapping[str, Leaf] | None = None) -> None:
        self.found: dict[str, Leaf] = dict(found or {})
        self._again: dict[str, int] = {}

    def put(self, name: str, leaf: Leaf) -> None:
        """One more leaf."""
        free = name
        while free in self.found:
            self._again[name] = self._again.get(name, 1) + 1
            free = f"{name}~{self._again[name]}"
        self.found[free] = leaf


def joined(parts: Iterable[tuple[str, Content]]) -> dict[str, Leaf]:
    """The leaves of what lies within a file: ``member`` where it has one without a name, ``member!leaf``."""
    leaves = Named()
    for plain, content in parts:
        name = json.dumps(plain, ensure_ascii=False) if "!" in plain else plain
        if not content.leaves:
            leaves.put(name, leaf("value", content.kind, b""))
        for inner, found in content.leaves.items():
            leaves.put(f"{name}!{inner}" if inner else name, found)
    return leaves.found
