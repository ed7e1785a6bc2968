"""Plain text: its lines. Whether they end as on Windows, and a byte order mark, are not part of the meaning.

Everything else is: spaces, the end of the last line, letters. Text that holds a NUL, as UTF-16 does,
means its bytes as they are. Nothing is decoded, so no encoding is refused.
"""

from collections.abc import Iterable, Iterator
from itertools import zip_longest
from typing import BinaryIO

from blake3 import blake3

from fourfold.formats.likeness.model import Content, Leaf
from fourfold.formats.likeness.source import CHUNK, Source, bytes_leaf

_BOM = b"\xef\xbb\xbf"
#: Characters of a line that a message shows.
_SHOWN = 80


def read_text(source: Source) -> Content:
    """Lines of text, as one leaf."""
    aside = {"line ends CR LF": True, "byte order mark": True}
    return Content("text", {"": text_leaf(source)}, "text/1", aside)


def text_leaf(source: Source) -> Leaf:
    """The lines of a file as one leaf: of text, or of bytes where it holds a NUL."""
    hasher, lines = blake3(), 0
    for piece in _plain(source.chunks()):
        if b"\0" in piece:
            return bytes_leaf(source.chunks())
        lines += piece.count(b"\n")
        hasher.update(piece)
    return Leaf("text", "str", (lines,), hasher.hexdigest())


def _plain(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same pieces with LF for CR LF and without a byte order mark."""
    held, first = b"", True
    for chunk in chunks:
        piece = held + chunk
        if first:
            piece, first = piece.removeprefix(_BOM), False
        held = b"\r" if piece.endswith(b"\r") else b""
        piece = piece[: len(piece) - len(held)]
        yield piece.replace(b"\r\n", b"\n")
    yield held


def first_line(a: BinaryIO, b: BinaryIO) -> tuple[int, str, str] | None:
    """The first line that differs: its number, from 1, and how both have it; None where none does.

    A line that is not there is an empty one; long lines are cut for their reader.
    """
    pairs = zip_longest(_lines(a), _lines(b), fillvalue=b"")
    for number, (one, other) in enumerate(pairs, 1):
        if one != other:
            start = _apart(one, other)
            return number, _shown(one, start), _shown(other, start)
    return None


def _lines(file: BinaryIO) -> Iterator[bytes]:
    first = True
    while line := file.readline(CHUNK):
        if first:
            line, first = line.removeprefix(_BOM), False
        yield line[:-2] + b"\n" if line.endswith(b"\r\n") else line


def _apart(one: bytes, other: bytes) -> int:
    """Where two lines part, a little before it; 0 where that is near the start."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return 0 if low < _SHOWN // 2 else low - _SHOWN // 4


def _shown(line: bytes, start: int) -> str:
    text = line[start : start + _SHOWN].decode(errors="replace").rstrip("\r\n")
    shown = "".join(letter if letter.isprintable() else "\ufffd" for letter in text)
    return f"{'...' if start else ''}{shown}{'...' if len(line) > start + _SHOWN else ''}"
