"""Archives and compression: what lies within them, each member read as the file that it is.

Times, owners, the order of members, how they are packed and folders without files are not part of what they
mean; names, contents, targets of links and whether a member may be executed are. Of a name that stands twice
the last counts, as for those who unpack. Nothing is ever written to disk under a member's name.
"""

import bz2
import gzip
import io
import lzma
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, BinaryIO, cast

from fourfold.formats.likeness.model import Content
from fourfold.formats.likeness.source import CHUNK, Named, Source, bytes_leaf, joined, leaf

#: Memory that unpacking xz may take; the most that `xz -9` needs is a quarter of it.
XZ_MEMORY = 256 << 20
#: Larger headers of tar are refused, in bytes, and those with more digits in a row or more words.
_TAR_HEADER, _DIGITS, _WORDS = 1 << 16, re.compile(rb"[0-9]{100}"), 1000
_ASIDE = {"times": True, "owners": True, "order of members": True, "compression": True, "empty folders": True}
#: What follows from the other members: the sums of a wheel's files, and the dates of an office document.
_DERIVED = re.compile(r"[^/]+\.dist-info/RECORD|docProps/(?:core|app)\.xml")
_BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    gzip.BadGzipFile,
    lzma.LZMAError,
    zlib.error,
    EOFError,
    ValueError,
    RuntimeError,  # of a compression that is not known, too
    LookupError,
    struct.error,
)


@contextmanager
def understood(source: Source) -> Iterator[None]:
    """Turns what the libraries raise of damaged archives into our error.

    Raises:
        UnreadableContentError: within, the archive turned out to be damaged.
    """
    try:
        yield
    except _BROKEN as error:
        raise source.damaged(f"damaged: {str(error) or type(error).__name__}") from None
    except OSError as error:
        if error.errno:  # the system's own
            raise
        raise source.damaged(f"damaged: {error}") from None


def read_zip(source: Source) -> Content:
    """ZIP archives, wheels, jars and office documents, member by member."""
    parts: dict[str, Content] = {}
    with understood(source), zipfile.ZipFile(source.file) as archive:
        infos = archive.infolist()
        source.budget.part(source.name, len(infos))
        names = {info.filename for info in infos}
        derived = "[Content_Types].xml" in names or source.suffix == ".whl"
        for info in infos:
            name = info.filename
            if name.endswith("/") or (derived and _DERIVED.fullmatch(name)):
                continue
            if info.flag_bits & 1:
                raise source.damaged(f"{name} is encrypted")
            mode = info.external_attr >> 16 if info.create_system == 3 else 0
            with archive.open(info) as stream:
                if stat.S_ISLNK(mode):
                    parts[name] = _value("link", stream.read(CHUNK))
                else:
                    parts[name] = _executable(source.member(name, cast("BinaryIO", stream)), mode)
    return Content("zip", joined(parts.items()), "zip/1", _ASIDE)


def read_tar(source: Source) -> Content:
    """Tape archives of every dialect that Python reads."""
    parts: dict[str, Content] = {}
    file = _Wary(source)
    with understood(source), tarfile.open(fileobj=file, mode="r:") as archive:
        for info in archive:
            source.budget.part(source.name)
            if info.size < 0:  # older versions of Python come to the same header again, without end
                raise source.damaged(f"a member of {info.size} bytes")
            if info.isdir():
                continue
            if info.issym() or info.islnk():
                kind = "link" if info.issym() else "hard link"
                parts[info.name] = _value(kind, info.linkname.encode("utf-8", "surrogateescape"))
                continue
            stream = archive.extractfile(info) if info.isreg() else None
            if stream is None:
                parts[info.name] = _value("device", info.type)
                continue
            file.is_header = False
            with stream:
                content = source.member(info.name, cast("BinaryIO", stream))
            file.is_header = True
            parts[info.name] = _executable(content, info.mode)
    return Content("tar", joined(parts.items()), "tar/1", _ASIDE)


class _Wary(io.RawIOBase):
    """The file of an archive, whose headers may not make us read a great piece, or look at it often.

    Attributes:
        is_header: Whether what is read next is a header; else it is a member.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._file = source.file
        self.is_header = True

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= (_TAR_HEADER if self.is_header else CHUNK):
            raise self._source.damaged(f"a header of {size} bytes")
        data = self._file.read(size)
        # Older versions of Python take the square of such a header.
        is_long = self.is_header and size > tarfile.BLOCKSIZE
        if is_long and (_DIGITS.search(data) or data.count(b" ") > _WORDS):
            raise self._source.damaged("a header of very many digits or words")
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


def _value(kind: str, data: bytes) -> Content:
    return Content(kind, {"": leaf("value", kind, data)}, "")


def _executable(content: Content, mode: int) -> Content:
    """The content of a member, and that it may be executed, when it may."""
    if not mode & 0o111:
        return content
    leaves = Named(content.leaves)
    if not leaves.found:
        leaves.put("", leaf("value", content.kind, b""))
    leaves.put("!executable", leaf("value", "mode", b"x"))
    return content._replace(leaves=leaves.found)


def read_gzip(source: Source) -> Content:
    """What gzip packed; its name, time and level aside."""
    with understood(source), gzip.GzipFile(fileobj=source.file) as stream:
        return _unpacked(source, "gzip", cast("BinaryIO", stream))


def read_bzip2(source: Source) -> Content:
    """What bzip2 packed."""
    with understood(source), bz2.BZ2File(source.file) as stream:
        return _unpacked(source, "bzip2", cast("BinaryIO", stream))


def read_xz(source: Source) -> Content:
    """What xz packed."""
    with understood(source):
        return _unpacked(source, "xz", cast("BinaryIO", _Xz(source.file)))


def read_zstd(source: Source) -> Content:
    """What Zstandard packed, where Python (3.14 and newer) unpacks it; else its bytes, and that is said."""
    try:
        zstd = import_module("compression.zstd")
    except ImportError:
        leaves = {"": bytes_leaf(source.chunks())}
        return Content("zstd", leaves, "zstd-packed/1", {"not unpacked": "Python 3.14 or newer can"})
    with understood(source):
        try:
            with zstd.ZstdFile(source.file) as stream:
                return _unpacked(source, "zstd", stream)
        except zstd.ZstdError as error:
            raise source.damaged(f"damaged: {error}") from None


def _unpacked(source: Source, kind: str, stream: BinaryIO) -> Content:
    content = source.unpacked(_bare(source.name), stream)
    aside = {**content.aside, "compression": True, "times": True}
    return content._replace(canonicalizer=f"{content.canonicalizer} in {kind}/1", aside=aside)


_PACKED = {
    ".gz": "",
    ".bz2": "",
    ".xz": "",
    ".zst": "",
    ".tgz": ".tar",
    ".tbz": ".tar",
    ".tbz2": ".tar",
    ".txz": ".tar",
    ".tzst": ".tar",
    ".svgz": ".svg",
}


def _bare(name: str) -> str:
    """The name of what was packed."""
    for end, instead in _PACKED.items():
        if name.lower().endswith(end):
            return name[: -len(end)] + instead
    return name


class _Xz:
    """Unpacks xz, one stream or several, within a bound of memory that the file cannot raise."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._make: Callable[[], Any] = lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY)
        self._one = self._make()

    def read(self, size: int) -> bytes:
        """The next bytes; none at the end."""
        while True:
            if self._one.eof:
                piece = self._one.unused_data.lstrip(b"\0")
                while not piece:
                    padding = self._file.read(CHUNK)
                    if not padding:
                        return b""
                    piece = padding.lstrip(b"\0")
                self._one = self._make()
            elif self._one.needs_input:
                piece = self._file.read(CHUNK)
                if not piece:
                    raise EOFError("it ends too early")
            else:
                piece = b""
            data: bytes = self._one.decompress(piece, size)
            if data:
                return data
