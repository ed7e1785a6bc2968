"""Pictures: PNG by its pixels, JPEG by what makes its pixels.

A PNG is unpacked here, so compression and filters do not count; texts, times and Exif are left out. A JPEG is
not decoded: what describes it (Exif, XMP, IPTC, comments, JFIF's density) is left out, tables and scans count
byte by byte. Formats: W3C PNG (third edition), ITU-T T.81. Other pictures mean their bytes.
"""

import struct
import sys
import zlib
from array import array
from collections.abc import Iterator
from itertools import accumulate
from typing import NamedTuple

from blake3 import blake3

from fourfold.formats.likeness.model import Content, Leaf
from fourfold.formats.likeness.source import ContentTooLargeError, Named, Source, bytes_leaf, leaf

SIGNATURE = b"\x89PNG\r\n\x1a\n"
#: Samples of a pixel by the colour type of a PNG.
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
#: Chunks that say nothing of the picture.
_ASIDE = {b"tEXt": "texts", b"zTXt": "texts", b"iTXt": "texts", b"tIME": "times", b"eXIf": "Exif"}
#: Stands where a chunk's name does, for what follows the last.
_AFTER = b""
#: The passes of Adam7: first column, first row, steps to the next.
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_ADAM7 = 1


class _Form(NamedTuple):
    """The header of a PNG."""

    width: int
    height: int
    depth: int
    colour: int
    interlace: int

    @property
    def channels(self) -> int:
        return _CHANNELS[self.colour]

    @property
    def sample(self) -> int:
        """Bytes of a sample once it is unpacked."""
        return 2 if self.depth == 16 else 1

    @property
    def pixel(self) -> int:
        """Bytes of a pixel once it is unpacked."""
        return self.channels * self.sample

    def packed(self, width: int) -> int:
        """Bytes of a row of so many pixels as it is stored, without its filter."""
        return (width * self.channels * self.depth + 7) // 8


def read_png(source: Source) -> Content:
    """PNG: its pixels as a tensor of rows, columns and samples; its palette and colour space.

    Raises:
        UnreadableContentError: it is damaged.
        ContentTooLargeError: it has too many pixels.
    """
    form, stored = None, []
    found = Named()
    aside: dict[str, bool] = {}
    for kind, data in _chunks(source):
        if kind == b"IHDR" and form is None:
            form = _form(source, data)
        elif kind == b"IDAT":
            stored.append(data)
        elif kind in _ASIDE:
            aside[_ASIDE[kind]] = True
        elif kind == _AFTER:
            found.put("after the end", bytes_leaf([data]))
        elif kind != b"IEND":
            source.budget.part(source.name)
            found.put(f"chunk:{kind.decode('latin-1')}", bytes_leaf([data]))
    if form is None:
        raise source.damaged("a PNG without a header")
    pixels = _pixels(source, form, b"".join(stored))
    found.put("pixels", _pixels_leaf(source, form, pixels))
    found.put("colour", leaf("value", "colour", b"%d" % form.colour))
    return Content("png", found.found, "png/2", {"compression": True, "interlacing": True, **aside})


def _chunks(source: Source) -> Iterator[tuple[bytes, bytes]]:
    data = source.data()
    at = len(SIGNATURE)
    while at < len(data):
        if at + 12 > len(data):
            raise source.damaged("it ends too early")
        size, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + size
        if end > len(data):
            raise source.damaged("it ends too early")
        if zlib.crc32(data[at + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
            raise source.damaged(f"the sum of its {kind!r} is wrong")
        yield kind, data[at + 8 : end - 4]
        at = end
        if kind == b"IEND":
            if data[at:].strip(b"\0"):
                yield _AFTER, data[at:]
            return
    raise source.damaged("it ends too early")


def _form(source: Source, data: bytes) -> _Form:
    if len(data) != 13:
        raise source.damaged("its header is no PNG's")
    width, height, depth, colour, packing, filters, interlace = struct.unpack(">IIBBBBB", data)
    known = depth in _DEPTHS.get(colour, ()) and packing == filters == 0 and interlace in {0, _ADAM7}
    if not known or not width or not height:
        raise source.damaged("its header is no PNG's")
    form = _Form(width, height, depth, colour, interlace)
    if width * height * form.pixel > source.budget.document:
        raise ContentTooLargeError(f"{source.name}: {width} by {height} pixels")
    return form


def _pixels(source: Source, form: _Form, stored: bytes) -> bytearray:
    """All samples, row by row, one byte each, two of 16 bits (the first is the high one)."""
    passes = _PASSES if form.interlace == _ADAM7 else ((0, 0, 1, 1),)
    parts = []
    for left, top, across, down in passes:
        width = (form.width - left + across - 1) // across
        height = (form.height - top + down - 1) // down
        if width > 0 and height > 0:
            parts.append((left, top, across, down, width, height))
    total = sum((form.packed(width) + 1) * height for *_, width, height in parts)
    data = _inflated(source, stored, total)
    line = form.width * form.pixel
    pixels = bytearray(line * form.height)
    at = 0
    for left, top, across, down, width, height in parts:
        size = form.packed(width)
        rows = _rows(source, form, data, at, size, height)
        at += (size + 1) * height
        for number, row in enumerate(rows):
            start = (top + number * down) * line
            plain = _unpacked(form, row, width)
            if across == 1:
                pixels[start : start + line] = plain
                continue
            for byte in range(form.pixel):
                first = start + left * form.pixel + byte
                pixels[first : start + line : across * form.pixel] = plain[byte :: form.pixel]
    return pixels


def _inflated(source: Source, stored: bytes, total: int) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        data = unpacker.decompress(stored, total + 1)
    except zlib.error as error:
        raise source.damaged(f"its pixels cannot be unpacked: {error}") from None
    source.budget.expand(len(data), source.name)
    if len(data) != total:
        raise source.damaged(f"it has {len(data)} bytes of pixels, not {total}")
    return data


def _rows(source: Source, form: _Form, data: bytes, at: int, size: int, height: int) -> Iterator[bytes]:
    """Rows without their filters."""
    step = max(1, form.channels * form.depth // 8)
    above = bytes(size)
    for _ in range(height):
        above = _unfiltered(source, data[at], data[at + 1 : at + 1 + size], above, step)
        at += 1 + size
        yield above


def _unfiltered(source: Source, kind: int, row: bytes, above: bytes, step: int) -> bytes:
    """One row: each byte is stored as its difference from a guess of its neighbours."""
    if kind == 0:
        return row
    if kind == 1:
        plain = bytearray(row)
        for byte in range(step):
            plain[byte::step] = bytes(map((255).__and__, accumulate(row[byte::step])))
        return bytes(plain)
    if kind == 2:
        return _added(row, above)
    if kind == 3:
        return _averaged(row, above, step)
    if kind == 4:
        return _paeth(row, above, step)
    raise source.damaged(f"no filter of PNG: {kind}")


def _added(row: bytes, above: bytes) -> bytes:
    """Bytes added, each modulo 256, all at once."""
    size = len(row)
    low = int.from_bytes(b"\x7f" * size, "big")
    a, b = int.from_bytes(row, "big"), int.from_bytes(above, "big")
    return (((a & low) + (b & low)) ^ ((a ^ b) & ~low & ((1 << 8 * size) - 1))).to_bytes(size, "big")


def _averaged(row: bytes, above: bytes, step: int) -> bytes:
    plain = bytearray(len(row))
    for byte in range(step):
        left, found = 0, []
        for value, up in zip(row[byte::step], above[byte::step], strict=True):
            left = (value + (left + up >> 1)) & 255
            found.append(left)
        plain[byte::step] = bytes(found)
    return bytes(plain)


def _paeth(row: bytes, above: bytes, step: int) -> bytes:
    plain = bytearray(len(row))
    for byte in range(step):
        left, corner, found = 0, 0, []
        for value, up in zip(row[byte::step], above[byte::step], strict=True):
            if left == corner:  # the guess is what stands above
                left = (value + up) & 255
            elif up == corner:
                left = (value + left) & 255
            else:
                by_left, by_up = abs(up - corner), abs(left - corner)
                by_corner = abs(left + up - 2 * corner)
                if by_left <= by_up and by_left <= by_corner:
                    guess = left
                else:
                    guess = up if by_up <= by_corner else corner
                left = (value + guess) & 255
            corner = up
            found.append(left)
        plain[byte::step] = bytes(found)
    return bytes(plain)


def _unpacked(form: _Form, row: bytes, width: int) -> bytes:
    """A row of samples of a byte or more: those of 1, 2 and 4 bits one a byte."""
    if form.depth >= 8:
        return row
    table = _TABLES.get(form.depth)
    if table is None:
        mask = (1 << form.depth) - 1
        shifts = range(8 - form.depth, -1, -form.depth)
        table = _TABLES[form.depth] = [bytes(b >> shift & mask for shift in shifts) for b in range(256)]
    return b"".join([table[byte] for byte in row])[:width]


_TABLES: dict[int, list[bytes]] = {}


def _pixels_leaf(source: Source, form: _Form, pixels: bytearray) -> Leaf:
    """The pixels as a tensor, little endian, with its numbers where the budget has room."""
    values: array[int] = array("H" if form.sample == 2 else "B")
    values.frombytes(pixels)
    if form.sample == 2 and sys.byteorder == "little":
        values.byteswap()
    data = values.tobytes()
    if form.sample == 2 and sys.byteorder == "big":
        swapped = values[:]
        swapped.byteswap()
        data = swapped.tobytes()
    shape = (form.height, form.width, form.channels)
    gives = (lambda: values) if source.budget.hold(len(values) // 8 + 1) else None
    return Leaf("tensor", f"uint{form.depth}", shape, blake3(data).hexdigest(), gives)


#: Segments of a JPEG that say nothing of the picture; the colour profile (E2) and Adobe's (EE) do.
_JPEG_ASIDE = {0xFE: "comments", 0xE0: "density", 0xE1: "Exif and XMP", 0xED: "IPTC"}
_START, _SCAN, _END = 0xD8, 0xDA, 0xD9
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})


def read_jpeg(source: Source) -> Content:
    """JPEG: tables and scans byte by byte.

    Raises:
        UnreadableContentError: it is damaged.
    """
    data = source.data()
    at, segments, aside = 2, [], {}
    while True:
        kind, body, at = _segment(source, data, at)
        if kind in _JPEG_ASIDE:
            aside[_JPEG_ASIDE[kind]] = True
            continue
        segments.append(bytes((kind,)) + body)
        if kind == _SCAN:
            break
    end = data.rfind(b"\xff\xd9", at)
    if end < 0:
        raise source.damaged("it ends too early")
    leaves = {"tables": bytes_leaf(segments), "scans": bytes_leaf([data[at:end]])}
    if data[end + 2 :].strip(b"\0"):
        leaves["after the end"] = bytes_leaf([data[end + 2 :]])
    return Content("jpeg", leaves, "jpeg/1", aside)


def _segment(source: Source, data: bytes, at: int) -> tuple[int, bytes, int]:
    """The next segment before the first scan: what it is, what it holds, where the next one starts."""
    if data[at : at + 1] != b"\xff":
        raise source.damaged("no JPEG: a segment does not start where it should")
    while data[at : at + 1] == b"\xff":
        at += 1
    if at + 3 > len(data) or data[at] == _END:
        raise source.damaged("it ends too early")
    kind = data[at]
    if kind in _ALONE:
        return kind, b"", at + 1
    size = int.from_bytes(data[at + 1 : at + 3], "big")
    if size < 2 or at + 1 + size > len(data):
        raise source.damaged("it ends too early")
    return kind, data[at + 3 : at + 1 + size], at + 1 + size
