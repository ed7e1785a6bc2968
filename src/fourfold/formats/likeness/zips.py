"""The members of a ZIP file as bytes, for formats that keep tensors in one: npz, PyTorch.

A stored member is a view of the file, a packed one is unpacked within the budget. Archives as such, with
names and modes, are read elsewhere. Format: PKWARE's APPNOTE, 4.3.7.
"""

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from fourfold.formats.likeness.archives import understood
from fourfold.formats.likeness.source import Source
from fourfold.formats.likeness.tensors import Buffer, bytes_of

#: Members of one file.
MAX_MEMBERS = 200_000


class Zipped:
    """An open ZIP file."""

    def __init__(self, source: Source, archive: zipfile.ZipFile) -> None:
        self._source = source
        self._archive = archive
        self._data: Buffer | None = None
        members = archive.infolist()
        source.budget.part(source.name, len(members))
        if len(members) > MAX_MEMBERS:
            raise source.damaged(f"{len(members)} members")
        self.members = {member.filename: member for member in members if member.filename[-1:] != "/"}

    def read(self, name: str) -> Buffer:
        """The bytes of a member.

        Raises:
            UnreadableContentError: there is none, or it is damaged.
            ContentTooLargeError: it is larger than the budget.
        """
        member = self.members.get(name)
        if member is None:
            raise self._source.damaged(f"it has no member {name[:200]!r}")
        if member.compress_type == zipfile.ZIP_STORED and member.compress_size == member.file_size:
            return self._stored(member)
        self._source.budget.expand(member.file_size, f"{self._source.name}!{name}")
        with self._archive.open(member) as stream:
            data = stream.read(member.file_size + 1)
        if len(data) != member.file_size:
            raise self._source.damaged(f"member {name[:200]!r} has not the size that it tells")
        return data

    def _stored(self, member: zipfile.ZipInfo) -> Buffer:
        """A view of a member, where its local header says that it is; its checksum proven."""
        if self._data is None:
            self._data = bytes_of(self._source)
        data, at = memoryview(self._data), member.header_offset
        head = bytes(data[at : at + 30])
        if len(head) < 30 or head[:4] != b"PK\x03\x04" or member.flag_bits & 0x41:
            raise self._source.damaged(f"member {member.filename[:200]!r} cannot be read")
        self._source.budget.look(member.file_size, self._source.name)
        start = at + 30 + int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")
        found = data[start : start + member.file_size]
        if len(found) != member.file_size or (member.CRC and zlib.crc32(found) != member.CRC):
            raise self._source.damaged(f"member {member.filename[:200]!r} is damaged")
        return found


@contextmanager
def opened(source: Source) -> Iterator[Zipped]:
    """Open a ZIP file.

    Raises:
        UnreadableContentError: it is none, or is damaged.
    """
    source.file.seek(0)
    with understood(source), zipfile.ZipFile(source.file) as archive:
        yield Zipped(source, archive)
