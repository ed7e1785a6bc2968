"""The meaning of a file as named leaves, and how alike two are: bit for bit, in meaning, in numbers.

A leaf is a tensor, a column, a value of a document, a line of text, a member of an archive. Two contents are
*canonically* equal when their leaves are: the same names, kinds, shapes and values, whatever bytes held them.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, NamedTuple

#: ``tensor`` | ``column`` | ``number`` | ``text`` | ``value`` | ``bytes``.
LeafKind = Literal["tensor", "column", "number", "text", "value", "bytes"]


class Leaf(NamedTuple):
    """One part of what a file means.

    Attributes:
        kind: What it is.
        dtype: Of numbers, in the words of NumPy: ``float32``, ``int64``; of others what they are: ``str``.
        shape: Length by axis; ``()`` for one value.
        digest: BLAKE3 of its values in one fixed form (little endian, in C order), equal for equal leaves.
        numbers: Gives its values, flat, in C order, NaN and infinities too; None for what has no numbers.
        shown: Its value, where that is short: for people, never compared.
    """

    kind: LeafKind
    dtype: str
    shape: tuple[int, ...]
    digest: str
    numbers: Callable[[], Iterable[float]] | None = None
    shown: str = ""


class Content(NamedTuple):
    """What a file means.

    Attributes:
        kind: The format, as people call it: ``parquet``, ``zip``, ``pickle``, ``json``.
        leaves: By name: ``weights/layer1``, ``column:age``, ``member.txt``.
        canonicalizer: The name and version of what read it: ``json/1``; a verdict names it.
        aside: What was left out of the meaning, by name: times of members, compression, order of keys.
    """

    kind: str
    leaves: Mapping[str, Leaf]
    canonicalizer: str
    aside: Mapping[str, Any] = {}


class Difference(NamedTuple):
    """One leaf that is otherwise.

    Attributes:
        name: Of the leaf; for what lies in archives ``archive.zip!member!leaf``.
        what: ``missing`` | ``new`` | ``kind`` | ``shape`` | ``values``.
        before: In few words.
        after: Likewise.
        leaves: The two; None for one that is not there.
    """

    name: str
    what: Literal["missing", "new", "kind", "shape", "values"]
    before: str
    after: str
    leaves: tuple[Leaf | None, Leaf | None] = (None, None)


def compare(a: Content, b: Content) -> tuple[Difference, ...]:
    """The leaves that differ, in the order of the first, then what is new; none where both mean the same."""
    if a.kind != b.kind:
        return (Difference("", "kind", a.kind, b.kind),)
    found = []
    for name, leaf in a.leaves.items():
        other = b.leaves.get(name)
        if other is None:
            found.append(Difference(name, "missing", _told(leaf), "", (leaf, None)))
        elif leaf[:4] != other[:4]:
            what = _what(leaf, other)
            found.append(Difference(name, what, _told(leaf), _told(other), (leaf, other)))
    found += [
        Difference(name, "new", "", _told(leaf), (None, leaf))
        for name, leaf in b.leaves.items()
        if name not in a.leaves
    ]
    return tuple(found)


def _what(a: Leaf, b: Leaf) -> Literal["kind", "shape", "values"]:
    if (a.kind, a.dtype) != (b.kind, b.dtype):
        return "kind"
    return "shape" if a.shape != b.shape else "values"


def _told(leaf: Leaf) -> str:
    if leaf.shown:
        return leaf.shown
    shape = "x".join(map(str, leaf.shape))
    return f"{leaf.kind} {leaf.dtype}{f' [{shape}]' if shape else ''} {leaf.digest[:12]}"
