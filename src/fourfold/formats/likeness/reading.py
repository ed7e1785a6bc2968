"""The door of this folder: finds who reads a file, by its first bytes, then by its name's end, and reads it.

A file that no reader knows is one leaf of bytes, so that being equal in meaning is being equal bit for bit. A
file that its reader cannot read is an error, never taken for bytes without a word. The formats, what is left
out of the meaning of each, and the caps: docs/concepts/likeness.md. This module knows no format but by name.
"""

import io
import os
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import NamedTuple

from fourfold.base.errors import from_os_error
from fourfold.formats.likeness.model import Content, Difference, compare
from fourfold.formats.likeness.source import Budget, Source, bytes_leaf, joined, leaf

__all__ = ["Budget", "compare_paths", "read", "read_bytes"]


class Reader(NamedTuple):
    """A row of the table.

    Attributes:
        module: In this folder; loaded when asked for.
        function: ``(source: Source) -> Content``.
    """

    module: str
    function: str


#: By name of a format.
READERS: Mapping[str, Reader] = {
    "json": Reader("documents", "read_json"),
}

#: First bytes, where they stand, and the format that they tell.
MAGIC: tuple[tuple[int, bytes, str], ...] = ()

#: By the end of a name.
SUFFIXES: Mapping[str, str] = {
    ".json": "json",
}


def read(
    path: str, name: str | None = None, *, unsafe: bool = False, budget: Budget | None = None
) -> Content:
    """What a file or a folder means; of a folder every file, as ``sub/file!leaf``.

    Args:
        path: Where it lies.
        name: Its name of old, if it lies under another (in a cache): its end may tell the format.
        unsafe: Whether what only running the file can read (a pickle of unknown classes) may be read so.
        budget: How much may be taken; usual bounds if it is not given.

    Raises:
        UnreadableContentError: it is damaged, or not what its first bytes or its name tell.
        ContentTooLargeError: it is beyond the budget.
        MissingReaderError: it needs a package that is not installed.
        NotFoundError, DeniedError: the system does not give it.
    """
    budget = budget or Budget()
    try:
        if os.path.isdir(path):
            return _read_folder(path, unsafe=unsafe, budget=budget)
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            budget.begin(size)
            source = Source(name or path, file, size, inner=_read, budget=budget, path=path, unsafe=unsafe)
            return _read(source)
    except OSError as error:
        raise from_os_error(error, "reading what is compared") from None


def read_bytes(data: bytes, name: str, *, unsafe: bool = False, budget: Budget | None = None) -> Content:
    """What these bytes mean, under this name; as `read`."""
    budget = budget or Budget()
    budget.begin(len(data))
    return _read(Source(name, io.BytesIO(data), len(data), inner=_read, budget=budget, unsafe=unsafe))


def compare_paths(a: str, b: str, *, name: str | None = None, unsafe: bool = False) -> tuple[Difference, ...]:
    """Where two files or folders mean something else; nothing where they mean the same.

    Args:
        a: The one.
        b: The other.
        name: The name of both, where they lie under others.
        unsafe: As for `read`.

    Raises:
        FourfoldError: as `read`.
    """
    return compare(read(a, name, unsafe=unsafe), read(b, name, unsafe=unsafe))


def format_of(name: str, head: bytes) -> str:
    """The format of a file: ``bytes`` where neither its first bytes nor its name tell one."""
    for start, magic, kind in MAGIC:
        if head.startswith(magic, start):
            return kind
    return SUFFIXES.get(os.path.splitext(name)[1].lower(), "bytes")


def _read(source: Source) -> Content:
    head = source.head()
    reader = READERS.get(format_of(source.name, head)) if head else None
    if reader is None:
        return Content("bytes", {"": bytes_leaf(source.chunks())}, "bytes/1")
    module = import_module(f"fourfold.formats.likeness.{reader.module}")
    content: Content = getattr(module, reader.function)(source)
    source.budget.part(source.name, len(content.leaves))
    return content


def _read_folder(root: str, *, unsafe: bool, budget: Budget) -> Content:
    """Every file below a folder; links are not followed, their targets are what they mean."""
    parts = []
    for path, name in _files(root):
        budget.part(name)
        if os.path.islink(path):
            target = os.fsencode(os.readlink(path))
            parts.append((name, Content("link", {"": leaf("value", "link", target)}, "folder/1")))
        elif os.path.isfile(path):
            parts.append((name, read(path, unsafe=unsafe, budget=budget)))
    return Content("folder", joined(parts), "folder/1", {"modes and times": True, "empty folders": True})


def _files(root: str) -> Iterator[tuple[str, str]]:
    for folder, folders, files in os.walk(root, onerror=_raise):
        folders.sort()
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        for name in sorted(files + links):
            path = os.path.join(folder, name)
            yield path, os.path.relpath(path, root).replace(os.sep, "/")


def _raise(error: OSError) -> None:
    raise error
