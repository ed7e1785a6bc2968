"""Reads ``.npy`` and ``.npz``: arrays, in whatever order of axes and bytes, and whatever packing, they lie.

Versions 1.0 to 3.0; structured types give a leaf a field, arrays of objects are pickles, which are not run.
Format: the documentation of ``numpy.lib.format``.
"""

import ast
import re
from typing import Any

from fourfold.formats.likeness import zips
from fourfold.formats.likeness.dtypes import DType, Field, fields_in, numpy_dtype
from fourfold.formats.likeness.model import Content, Leaf
from fourfold.formats.likeness.opcodes import Cursor, Machine
from fourfold.formats.likeness.source import Budget, Named, Source, UnreadableContentError, bytes_leaf
from fourfold.formats.likeness.tensors import Buffer, bytes_of, contiguous, leaves_of, naming
from fourfold.formats.likeness.trees import joined_name, leaves

MAGIC = b"\x93NUMPY"
#: Bytes of a header, and types within types.
MAX_HEADER, _MAX_NESTED = 1 << 16, 16
_ASIDE = {"order of axes": True, "order of bytes": True, "padding": True, "version": True}
_LONG_INTEGER = re.compile(r"(?<=\d)L\b", re.ASCII)


def read_npy(source: Source) -> Content:
    """What an array file means.

    Raises:
        UnreadableContentError: it is none, or is damaged.
        ContentTooLargeError: it is beyond the budget.
    """
    with naming(source):
        return Content("npy", arrays_leaves(bytes_of(source), source.budget), "npy/2", _ASIDE)


def read_npz(source: Source) -> Content:
    """What a file of named arrays means.

    Raises:
        UnreadableContentError: it is none, or is damaged.
        ContentTooLargeError: it is beyond the budget.
    """
    found = Named()
    with naming(source), zips.opened(source) as archive:
        for member in archive.members:
            data = archive.read(member)
            if bytes(data[:6]) != MAGIC:
                found.put(member, bytes_leaf([data]))
                continue
            name = member.removesuffix(".npy")
            for inner, leaf in arrays_leaves(data, source.budget).items():
                found.put(joined_name(name, inner), leaf)
    return Content("npz", found.found, "npz/2", {**_ASIDE, "compression": True, "order of members": True})


def arrays_leaves(data: Buffer, budget: Budget) -> dict[str, Leaf]:
    """The leaves of an array file; of one that arrays were saved to in turn, those of the second in ``[2]``.

    Raises:
        UnreadableContentError: it is none, or is damaged.
        ContentTooLargeError: it has too many objects.
    """
    found = Named()
    inner, at = _array(data, budget)
    for name, leaf in inner.items():
        found.put(name, leaf)
    number = 1
    while at < len(data):
        number += 1
        rest = memoryview(data)[at:]
        if bytes(rest[:6]) != MAGIC:
            found.put("after the end", bytes_leaf([rest]))
            break
        inner, size = _array(rest, budget)
        for name, leaf in inner.items():
            found.put(joined_name(f"[{number}]", name), leaf)
        at += size
    return found.found


def _array(data: Buffer, budget: Budget) -> tuple[dict[str, Leaf], int]:
    """The leaves of the first array: one, or one a field, or those of its objects; and where it ends."""
    header, start = _header(data)
    shape, fortran = header.get("shape"), header.get("fortran_order")
    if not isinstance(shape, tuple) or not isinstance(fortran, bool):
        raise UnreadableContentError("a header of an array without shape or order")
    dtype = _described(header.get("descr"))
    order = "F" if fortran else "C"
    if dtype.name != "object":
        array = contiguous(dtype, shape, data, start, order=order)
        budget.part("arrays", 1 + fields_in(dtype))
        return dict(leaves_of(array)), start + array.size * dtype.size
    cursor = Cursor(data, start)  # NumPy pickles the array itself
    return leaves(Machine(cursor).run(), budget), cursor.at


def _header(data: Buffer) -> tuple[dict[str, Any], int]:
    head = bytes(data[:12])
    if head[:6] != MAGIC or len(head) < 10 or head[6] not in {1, 2, 3}:
        raise UnreadableContentError("no array file of version 1 to 3")
    wide = 4 if head[6] > 1 else 2
    start = 8 + wide
    size = int.from_bytes(head[8:start], "little")
    if size > MAX_HEADER or start + size > len(data):
        raise UnreadableContentError(f"a header of an array of {size} bytes")
    text = bytes(data[start : start + size]).decode("utf-8" if head[6] == 3 else "latin-1", "replace")
    try:
        header = ast.literal_eval(_LONG_INTEGER.sub("", text.strip()))
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        raise UnreadableContentError("a header of an array that is no dictionary") from None
    if not isinstance(header, dict):
        raise UnreadableContentError("a header of an array that is no dictionary")
    return header, start + size


def _described(descr: Any, depth: int = 0) -> DType:
    """The type that a header describes: a text, or a list of fields; those without a name are padding."""
    if isinstance(descr, str):
        return numpy_dtype(descr)
    if isinstance(descr, tuple) and len(descr) == 2:  # of the metadata of a type nothing counts
        return _described(descr[0], depth + 1)
    if not isinstance(descr, list) or depth > _MAX_NESTED:
        raise UnreadableContentError(f"no type of an array: {str(descr)[:80]}")
    fields, at = [], 0
    for row in descr:
        if not isinstance(row, tuple) or len(row) not in {2, 3}:
            raise UnreadableContentError(f"no field of an array: {str(row)[:80]}")
        name, inner = row[0], _described(row[1], depth + 1)
        shape = row[2] if len(row) == 3 else ()
        shape = shape if isinstance(shape, tuple) else (shape,)
        step = inner.size
        for length in shape:
            if type(length) is not int or length < 0:
                raise UnreadableContentError(f"no shape of a field: {str(shape)[:80]}")
            step *= length
        name = name[1] if isinstance(name, tuple) and len(name) == 2 else name
        if name:
            fields.append(Field(str(name), inner, at, shape))
        at += step
    return DType(f"struct{len(fields)}", at, fields=tuple(fields))
