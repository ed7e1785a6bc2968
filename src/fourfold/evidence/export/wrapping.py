"""The bytes of an archive that hold no content: headers, gaps, padding. We write them in one way only.

What an archive holds is proven by digests (`unarchive`). A byte around it that was changed does no
harm, but says that somebody changed the file; so each is held against what our writer (`archive`)
writes: what ``zipfile`` makes of entries without times. Archives that are so large that ZIP needs other
headers are left alone.
"""

import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s4B4H3L5H2L")
_END = struct.Struct("<4s4H2LH")
#: 1 January 1980, the earliest day that ZIP knows.
_DAY = 33
_MODE = 0o644 << 16
_LEVEL = 6
_CHUNK = 1 << 20
#: From here on ZIP needs other headers.
_LARGE = (1 << 31) - 1


def changes(path: str) -> Iterator[str]:
    """What around the members of an archive is not as it was written, one phrase each.

    Args:
        path: An archive whose members are sound.

    Raises:
        OSError: it cannot be read.
    """
    with open(path, "rb") as file, zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
        at = 0
        same: list[zipfile.ZipInfo] = []
        other: list[zipfile.ZipInfo] = []
        for info in infos:
            start = _header(file, info, at)
            if start is None:
                yield f"the header of {info.filename}"
                return
            if info.file_size > _LARGE or info.header_offset > _LARGE:
                return
            (same if _is_as_written(file, archive, info, start) else other).append(info)
            at = start + info.compress_size
        file.seek(at)
        tail = file.read(1 << 28)
    if tail != _directory(infos, at):
        yield "the list of members at its end"
    # Where no member is as we would compress it, another library did.
    if other and (same or len(infos) == 1):
        yield f"the compression of {other[0].filename}"


def _header(file: BinaryIO, info: zipfile.ZipInfo, at: int) -> int | None:
    """Where the data of a member begins; None where what stands before is not what we write."""
    name = info.orig_filename.encode()
    for extra in (b"", struct.pack("<HHQQ", 1, 16, info.file_size, info.compress_size)):
        sizes = (0xFFFFFFFF, 0xFFFFFFFF) if extra else (info.compress_size, info.file_size)
        version, method = 45 if extra else 20, zipfile.ZIP_DEFLATED
        fields = (b"PK\x03\x04", version, _flags(info), method, 0, _DAY, info.CRC, *sizes)
        wanted = _LOCAL.pack(*fields, len(name), len(extra)) + name + extra
        file.seek(at)
        if info.header_offset == at and file.read(len(wanted)) == wanted:
            return at + len(wanted)
    return None


def _flags(info: zipfile.ZipInfo) -> int:
    return 0 if info.orig_filename.isascii() else 0x800


def _is_as_written(file: BinaryIO, archive: zipfile.ZipFile, info: zipfile.ZipInfo, start: int) -> bool:
    """Whether the content of a member, compressed again, gives the same bytes."""
    file.seek(start)
    deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, -15)
    with archive.open(info) as content:
        while chunk := content.read(_CHUNK):
            made = deflate.compress(chunk)
            if file.read(len(made)) != made:
                return False
    made = deflate.flush()
    return file.read(len(made)) == made and file.tell() == start + info.compress_size


def _directory(infos: list[zipfile.ZipInfo], start: int) -> bytes:
    """The list of members as ``zipfile`` writes it."""
    listed = bytearray()
    for info in infos:
        name = info.orig_filename.encode()
        # A member whose size was not known before has the version that large ones need.
        version = info.extract_version if info.extract_version in {20, 45} else 20
        moment = (0, _DAY)
        method = zipfile.ZIP_DEFLATED
        sizes = (info.CRC, info.compress_size, info.file_size)
        fields = (b"PK\x01\x02", version, 3, version, 0, _flags(info), method, *moment, *sizes)
        listed += _CENTRAL.pack(*fields, len(name), 0, 0, 0, 0, _MODE, info.header_offset) + name
    count = len(infos)
    return bytes(listed) + _END.pack(b"PK\x05\x06", 0, 0, count, count, len(listed), start, 0)
