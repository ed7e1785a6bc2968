"""Types of the elements of tensors: their names, sizes, order of bytes, and how NumPy writes them down.

What elements mean as numbers is known to `tensors`. Facts: the documentation of NumPy (``numpy.dtype``).
"""

import math
from typing import NamedTuple

from fourfold.formats.likeness.source import UnreadableContentError


class Field(NamedTuple):
    """One field of a structured type.

    Attributes:
        name: Its name.
        dtype: What it holds.
        offset: Where it starts in an element, in bytes.
        shape: Of the field in one element; ``()`` for one value.
    """

    name: str
    dtype: "DType"
    offset: int
    shape: tuple[int, ...] = ()


class DType(NamedTuple):
    """The type of an element, as it is stored.

    Attributes:
        name: In the words of NumPy, without the order of bytes: ``float32``, ``str3``, ``datetime64[ns]``.
        size: Of an element, in bytes.
        code: How `struct` calls what it is made of; empty for what has no numbers.
        unit: Bytes that are reversed together in the other order of bytes; 1 where there is no order.
        big: Whether the bytes are stored most significant first.
        fields: Of a structured type.
    """

    name: str
    size: int
    code: str = ""
    unit: int = 1
    big: bool = False
    fields: tuple[Field, ...] = ()


def fields_in(dtype: DType) -> int:
    """How many fields a type has, with those within fields."""
    return len(dtype.fields) + sum(fields_in(field.dtype) for field in dtype.fields)


def width(dtype: DType) -> int:
    """The bytes of all fields of an element, which may lie upon one another; of a plain type its size."""
    if not dtype.fields:
        return dtype.size
    return sum(math.prod(field.shape) * width(field.dtype) for field in dtype.fields)


def _plain(name: str, size: int, code: str, unit: int | None = None) -> DType:
    return DType(name, size, code, size if unit is None else unit)


#: Types of numbers by name.
DTYPES = {
    dtype.name: dtype
    for dtype in (
        _plain("bool", 1, "B"),
        _plain("int8", 1, "b"),
        _plain("uint8", 1, "B"),
        _plain("int16", 2, "h"),
        _plain("uint16", 2, "H"),
        _plain("int32", 4, "i"),
        _plain("uint32", 4, "I"),
        _plain("int64", 8, "q"),
        _plain("uint64", 8, "Q"),
        _plain("float16", 2, "e"),
        _plain("bfloat16", 2, "bf"),
        _plain("float32", 4, "f"),
        _plain("float64", 8, "d"),
        _plain("float8_e4m3fn", 1, "e4"),
        _plain("float8_e5m2", 1, "e5"),
        _plain("complex64", 8, "f", 4),
        _plain("complex128", 16, "d", 8),
    )
}
#: Of the machine that wrote them, so they have no numbers here.
_LONG_DOUBLES = {
    f"{name}{width * parts * 8}": DType(f"{name}{width * parts * 8}", width * parts, "", width)
    for name, parts in (("float", 1), ("complex", 2))
    for width in (10, 12, 16)
}
#: The one letter of NumPy's descriptions, with what it is called.
_TIMES, _BYTES = {"M": "datetime64", "m": "timedelta64"}, {"S": "bytes", "a": "bytes", "V": "void"}
_LETTERS = {"b": "bool", "i": "int", "u": "uint", "f": "float", "c": "complex"}


def numpy_dtype(text: str) -> DType:
    """The type that NumPy writes as ``<f4``, ``|S3``, ``>M8[ns]``, ``|V8``, ``|O``; little without an order.

    Raises:
        UnreadableContentError: it is no such text.
    """
    order, rest = (text[:1], text[1:]) if text[:1] in "<>|=" else ("<", text)
    letter, size, unit = rest[:1], rest[1:], ""
    if letter in "Mm" and "[" in size:
        size, _, unit = size.partition("[")
    if letter == "O":
        return DType("object", 8)
    if not (size.isascii() and size.isdecimal() and len(size) < 12):
        raise UnreadableContentError(f"no type of NumPy: {text[:80]!r}")
    dtype = _lettered(letter, int(size), f"[{unit}" if unit else "")
    if dtype is None:
        raise UnreadableContentError(f"no type of NumPy: {text[:80]!r}")
    return dtype._replace(big=order == ">")


def _lettered(letter: str, width: int, unit: str) -> DType | None:
    if letter in _LETTERS:
        name = "bool" if letter == "b" else f"{_LETTERS[letter]}{width * 8}"
        known = DTYPES.get(name)
        if known is not None:
            return known if known.size == width else None
        return _LONG_DOUBLES.get(name)
    if letter == "U":
        return DType(f"str{width}", width * 4, "", 4)
    if letter in _TIMES:
        return DType(f"{_TIMES[letter]}{unit}", width, "", width)
    return DType(f"{_BYTES[letter]}{width}", width) if letter in _BYTES else None
