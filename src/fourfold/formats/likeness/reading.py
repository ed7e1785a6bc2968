"""The door of this folder: finds who reads a file, by its first bytes, then by its name's end, and reads it.

A file that no reader knows is one leaf of bytes, so that being equal in meaning is being equal bit for bit. A
file that its reader cannot read is an error, never taken for bytes without a word. The formats, what is left
out of the meaning of each, and the caps: docs/concepts/likeness.md. This module knows no format but by name.
"""

import io
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from typing import NamedTuple

from fourfold.base.errors import from_os_error
from fourfold.base.ids import is_unsafe_path
from fourfold.formats.likeness import confined
from fourfold.formats.likeness.confined import Library
from fourfold.formats.likeness.model import Content, Difference, compare
from fourfold.formats.likeness.source import (
    CHUNK,
    Budget,
    ContentTooLargeError,
    Source,
    UnreadableContentError,
    bytes_leaf,
    joined,
    leaf,
)
from fourfold.formats.likeness.text import first_line

__all__ = ["Budget", "compare_paths", "read", "read_bytes", "with_line"]


class Reader(NamedTuple):
    """A row of the table.

    Attributes:
        module: In this folder; loaded when asked for.
        function: ``(source: Source) -> Content``.
        library: What it needs, which reads in a process of its own (`confined`).
    """

    module: str
    function: str
    library: Library | None = None


def _apart(module: str, function: str, package: str, extra: str, reads: str) -> Reader:
    return Reader(module, function, Library(package, extra, reads))


#: By name of a format.
READERS: Mapping[str, Reader] = {
    "arrow": _apart("columns", "read_arrow", "pyarrow", "tables", "Arrow"),
    "bzip2": Reader("archives", "read_bzip2"),
    "csv": Reader("rows", "read_csv"),
    "gzip": Reader("archives", "read_gzip"),
    "hdf5": _apart("hdf5", "read_hdf5", "h5py", "hdf5", "HDF5"),
    "html": Reader("pages", "read_html"),
    "ini": Reader("documents", "read_ini"),
    "jpeg": Reader("images", "read_jpeg"),
    "json": Reader("documents", "read_json"),
    "json lines": Reader("rows", "read_json_lines"),
    "notebook": Reader("notebooks", "read_notebook"),
    "npy": Reader("numpy_files", "read_npy"),
    "npz": Reader("numpy_files", "read_npz"),
    "orc": _apart("columns", "read_orc", "pyarrow", "tables", "ORC"),
    "parquet": _apart("columns", "read_parquet", "pyarrow", "tables", "Parquet"),
    "pdf": Reader("markup", "read_pdf"),
    "pickle": Reader("pickles", "read_pickle"),
    "png": Reader("images", "read_png"),
    "safetensors": Reader("safetensors", "read_safetensors"),
    "tar": Reader("archives", "read_tar"),
    "text": Reader("text", "read_text"),
    "toml": Reader("documents", "read_toml"),
    "torch": Reader("torch_files", "read_torch"),
    "xml": Reader("markup", "read_xml"),
    "xz": Reader("archives", "read_xz"),
    "yaml": Reader("documents", "read_yaml"),
    "zip": Reader("archives", "read_zip"),
    "zstd": Reader("archives", "read_zstd"),
}

#: First bytes, where they stand, and the format that they tell.
MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"PK\x03\x04", "zip"),
    (0, b"PK\x05\x06", "zip"),
    (0, b"\x1f\x8b\x08", "gzip"),
    (4, b"1AY&SY", "bzip2"),
    (4, b"\x17rE8P\x90", "bzip2"),
    (0, b"\xfd7zXZ\0", "xz"),
    (0, b"\x28\xb5\x2f\xfd", "zstd"),
    (0, b"\x89PNG\r\n\x1a\n", "png"),
    (0, b"\xff\xd8\xff", "jpeg"),
    (0, b"%PDF-", "pdf"),
    (0, b"<?xml", "xml"),
    (0, b"\xef\xbb\xbf<?xml", "xml"),
    (0, b"<!DOCTYPE html", "html"),
    (0, b"<!doctype html", "html"),
    (257, b"ustar", "tar"),
    (0, b"\x93NUMPY", "npy"),
    (0, b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.", "torch"),
    (0, b"\x80\x04\x95", "pickle"),
    (0, b"\x80\x05\x95", "pickle"),
    (0, b"\x89HDF\r\n\x1a\n", "hdf5"),
    (0, b"PAR1", "parquet"),
    (0, b"ARROW1\0\0", "arrow"),
)

#: What is packed or lies in an archive, by the end of its name, where that says more than its first bytes.
WITHIN: Mapping[tuple[str, str], str] = {
    ("zip", ".npz"): "npz",
    **{(kind, end): "torch" for kind in ("zip", "pickle") for end in (".ckpt", ".pt", ".pth")},
    **{("zip", end): "torch" for end in (".ptl", ".torchscript", ".ts")},
}

#: By the end of a name.
SUFFIXES: Mapping[str, str] = {
    ".arrow": "arrow",
    ".arrows": "arrow",
    ".bat": "text",
    ".cfg": "ini",
    ".ckpt": "torch",
    ".csv": "csv",
    ".dill": "pickle",
    ".feather": "arrow",
    ".geojson": "json",
    ".graphml": "xml",
    ".h5": "hdf5",
    ".hdf": "hdf5",
    ".hdf5": "hdf5",
    ".htm": "html",
    ".html": "html",
    ".ini": "ini",
    ".ipc": "arrow",
    ".ipynb": "notebook",
    ".joblib": "pickle",
    ".json": "json",
    ".jsonl": "json lines",
    ".log": "text",
    ".md": "text",
    ".ndjson": "json lines",
    ".npy": "npy",
    ".npz": "npz",
    ".orc": "orc",
    ".p": "pickle",
    ".parquet": "parquet",
    ".pck": "pickle",
    ".pickle": "pickle",
    ".pkl": "pickle",
    ".pq": "parquet",
    ".pt": "torch",
    ".pth": "torch",
    ".py": "text",
    ".r": "text",
    ".rst": "text",
    ".safetensors": "safetensors",
    ".sh": "text",
    ".sql": "text",
    ".svg": "xml",
    ".tab": "csv",
    ".tar": "tar",
    ".tex": "text",
    ".toml": "toml",
    ".tsv": "csv",
    ".txt": "text",
    ".xhtml": "xml",
    ".xml": "xml",
    ".yaml": "yaml",
    ".yml": "yaml",
    ".zip": "zip",
}

#: Formats of text, which a file is of if its name says so and its first bytes are none but text.
_PLAIN = frozenset({"csv", "ini", "json", "json lines", "notebook", "text", "toml", "yaml"})
#: How the first member of what PyTorch writes may be called, whatever folder all of them are in.
_TORCH = re.compile(
    rb"(?:[^/]+/)?(?:data\.pkl|(?:data|constants)/[0-9]+|(?:code|extra)/.*|version|byteorder|\..*)"
)
_BINARY = re.compile(rb"[\x00-\x08\x0e-\x1a]")


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
            names = (name for _, name in _files(path))
            return _folder(path, names, unsafe=unsafe, budget=budget)
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise UnreadableContentError(f"{path}: no file")
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
    if not (os.path.isdir(a) and os.path.isdir(b)):
        if _same_bytes(a, b):
            return ()
        found = compare(read(a, name, unsafe=unsafe), read(b, name, unsafe=unsafe))
        return tuple(with_line(difference, a, b) for difference in found)
    budgets = Budget(), Budget()
    try:
        names = sorted({name for root in (a, b) for _, name in _files(root)})
        apart = [name for name in names if not _same_bytes(os.path.join(a, name), os.path.join(b, name))]
        contents = [
            _folder(root, apart, unsafe=unsafe, budget=budget)
            for root, budget in zip((a, b), budgets, strict=True)
        ]
    except OSError as error:
        raise from_os_error(error, "reading what is compared") from None
    return tuple(with_line(found, a, b) for found in compare(*contents))


def _same_bytes(a: str, b: str) -> bool:
    """Whether two plain files are equal byte for byte; False where either is something else."""
    try:
        if os.path.islink(a) or os.path.islink(b) or os.path.getsize(a) != os.path.getsize(b):
            return False
        with open(a, "rb") as one, open(b, "rb") as other:
            while chunk := one.read(CHUNK):
                if chunk != other.read(CHUNK):
                    return False
            return not other.read(1)
    except OSError:
        return False


def with_line(found: Difference, a: str, b: str) -> Difference:
    """The same difference; of plain text it says the first line that is otherwise.

    Args:
        found: Of two files or folders, as `compare` gives it.
        a: Where the one lies.
        b: Where the other lies.
    """
    one, other = found.leaves
    if one is None or other is None or found.what not in {"values", "shape"}:
        return found
    if one.kind != "text" or not one.shape or (found.name and is_unsafe_path(found.name)):
        return found
    paths = [os.path.join(root, found.name) if found.name else root for root in (a, b)]
    try:
        with open(paths[0], "rb") as first, open(paths[1], "rb") as second:
            line = first_line(first, second)
    except OSError:
        return found
    if line is None:
        return found
    return found._replace(before=f"line {line[0]}: {line[1]}", after=f"line {line[0]}: {line[2]}")


def format_of(name: str, head: bytes) -> str:
    """The format of a file: ``bytes`` where neither its first bytes nor its name tell one."""
    suffix = os.path.splitext(name)[1].lower()
    told = SUFFIXES.get(suffix, "bytes")
    if suffix == ".pth" and not _BINARY.search(head):
        return "text"  # where Python looks for modules, not PyTorch's
    if told in _PLAIN and not _BINARY.search(head):
        return told  # that a table begins with the word PAR1 does not make it Parquet
    for start, magic, kind in MAGIC:
        if head.startswith(magic, start):
            found = WITHIN.get((kind, suffix), kind)
            return _zipped(head, suffix) if found == "zip" else found
    return told


def _zipped(head: bytes, suffix: str) -> str:
    """What a ZIP file is, as far as its name and that of its first member tell."""
    first = head[30 : 30 + int.from_bytes(head[26:28], "little")]
    if _TORCH.fullmatch(first):
        return "torch"  # or a ZIP like others, as its reader will see
    return "npz" if first.endswith(b".npy") and not suffix else "zip"


def _read(source: Source) -> Content:
    head = source.head()
    reader = READERS.get(format_of(source.name, head)) if head else None
    if reader is None:
        return Content("bytes", {"": bytes_leaf(source.chunks())}, "bytes/1")
    if reader.library is not None:
        return confined.read(source, reader.module, reader.function, reader.library)
    module = import_module(f"fourfold.formats.likeness.{reader.module}")
    try:
        content: Content = getattr(module, reader.function)(source)
    except MemoryError:
        raise ContentTooLargeError(f"{source.name}: it needs more memory than there is") from None
    except RecursionError:
        raise source.damaged("nested too deep") from None
    return content


def _folder(root: str, names: Iterable[str], *, unsafe: bool, budget: Budget) -> Content:
    """These files below a folder; links are not followed, their targets are what they mean."""
    parts = []
    for name in names:
        path = os.path.join(root, name)
        budget.part(name)
        if os.path.islink(path):
            target = os.fsencode(os.readlink(path))
            parts.append((name, Content("link", {"": leaf("value", "link", target)}, "folder/1")))
        elif os.path.isfile(path):
            parts.append((name, read(path, name, unsafe=unsafe, budget=budget)))
        elif os.path.lexists(path):
            parts.append((name, Content("device", {"": leaf("value", "device", b"")}, "folder/1")))
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
