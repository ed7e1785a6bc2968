"""Tensors as every reader of numbers gives them: one fixed form, their numbers, how far apart two are.

A `Tensor` is a view of bytes: a type, a shape, strides. `leaf` turns it into a `model.Leaf`: its fixed form
is little endian and in C order, its digest the BLAKE3 of that. NumPy is used where it can be imported, for
speed alone; without it the same comes out. How far apart two are, `distance` says. Which file holds what is
known to the readers, not here. Facts: IEEE 754, the OCP 8-bit floating point specification.
"""

import itertools
import math
import mmap
import struct
import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice, zip_longest
from typing import Any, NamedTuple

from blake3 import blake3

from fourfold.base.errors import UnsupportedError
from fourfold.formats.likeness.dtypes import DTYPES, DType
from fourfold.formats.likeness.model import Leaf, LeafKind
from fourfold.formats.likeness.source import ContentTooLargeError, Source, UnreadableContentError

#: Axes that a tensor may have; NumPy allows as many, from version 2 on.
MAX_AXES = 64
#: NumPy before version 2 allows so many.
_NUMPY_AXES = 32
#: A tensor that repeats its bytes (a stride of 0) may become so large, in bytes.
MAX_REPEATED = 1 << 28
#: Bytes of a file that is read into memory, because it cannot be mapped.
MAX_READ = 4 << 30
#: A longer axis, stride or offset is none; products of them are not told in digits.
_LONGEST = 1 << 62
#: Values up to which `Numbers` gives an array rather than an iterator.
_AT_ONCE = 1 << 22
_BLOCK = 1 << 20
#: Floats by code: bytes, and how `array` calls words of as many bits.
_BITS = {"e": (2, "H"), "bf": (2, "H"), "f": (4, "I"), "d": (8, "Q"), "e4": (1, "B"), "e5": (1, "B")}

Buffer = bytes | bytearray | memoryview


class Tensor(NamedTuple):
    """A view of bytes as values.

    Attributes:
        dtype: Of an element.
        shape: Length by axis.
        strides: Bytes from one element to the next, by axis; none of them negative.
        offset: Where the first element starts in `data`.
        data: The bytes, of which other tensors may be views too.
    """

    dtype: DType
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int
    data: Buffer

    @property
    def size(self) -> int:
        """How many elements there are."""
        return math.prod(self.shape)


def contiguous(
    dtype: DType, shape: Sequence[int], data: Buffer, offset: int = 0, *, order: str = "C"
) -> Tensor:
    """The tensor whose elements lie one after another, in C or Fortran order.

    Raises:
        UnreadableContentError: the shape is none, or is larger than the bytes.
    """
    lengths = tuple(shape)
    axes = range(len(lengths)) if order == "F" else range(len(lengths) - 1, -1, -1)
    strides, step = [0] * len(lengths), dtype.size
    for axis in axes:
        strides[axis] = step
        step *= _length(lengths[axis])
    return checked(Tensor(dtype, lengths, tuple(strides), offset, data))


def checked(tensor: Tensor) -> Tensor:
    """The same tensor, when all its elements lie within its bytes.

    Raises:
        UnreadableContentError: they do not, or shape or strides are none.
        ContentTooLargeError: it repeats few bytes so often that it would fill the memory.
    """
    _, shape, strides, offset, data = tensor
    if len(shape) > MAX_AXES or len(shape) != len(strides):
        raise UnreadableContentError(f"a tensor with {len(shape)} axes and {len(strides)} strides")
    if any(_length(step) < 0 for step in strides) or _length(offset) < 0:
        raise UnreadableContentError("a tensor with a negative stride or offset")
    count = math.prod(map(_length, shape))
    if not count:
        return tensor
    end = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True)) + tensor.dtype.size
    if end > len(data):
        raise UnreadableContentError(f"a tensor that needs more bytes than the {len(data)} that there are")
    if count * tensor.dtype.size > max(MAX_REPEATED, len(data)):
        raise ContentTooLargeError(f"a tensor of very many elements that are written in {len(data)} bytes")
    return tensor


def _length(value: object) -> int:
    if type(value) is not int or not 0 <= value <= _LONGEST:
        raise UnreadableContentError(f"not a length of a tensor: {type(value).__name__}")
    return value


def numpy(wanted: bool = True) -> Any:
    """NumPy where it is installed and wanted, else None."""
    if not wanted:
        return None
    try:
        import numpy as np  # noqa: PLC0415 - optional, heavy, and only for files of numbers
    except ImportError:
        return None
    return np


def packed(tensor: Tensor, *, fast: bool = True) -> Buffer:
    """The fixed form of a tensor without fields: little endian, in C order.

    Args:
        tensor: A checked one.
        fast: Whether NumPy may be used.
    """
    dtype, shape, strides, offset, data = tensor
    size = dtype.size
    if not tensor.size or not size:
        return b""
    expected, step = [0] * len(shape), size
    for axis in range(len(shape) - 1, -1, -1):
        expected[axis] = step
        step *= shape[axis]
    if all(n == 1 or a == b for n, a, b in zip(shape, expected, strides, strict=True)):
        flat: Buffer = memoryview(data)[offset : offset + tensor.size * size]
    else:
        np = numpy(fast and len(shape) <= _NUMPY_AXES)
        if np is not None:
            view = np.ndarray(shape, f"V{size}", buffer=data, offset=offset, strides=strides)
            flat = view.tobytes()
        else:
            flat = _gathered(tensor)
    return _reversed(flat, dtype.unit) if dtype.big and dtype.unit > 1 else flat


def _gathered(tensor: Tensor) -> bytearray:
    """The elements in C order, byte by byte of a whole row of the last axis at a time."""
    (_, size, *_), shape, strides, offset, data = tensor
    out = bytearray(tensor.size * size)
    source = memoryview(data)
    row, step = shape[-1], strides[-1]
    at = 0
    for index in itertools.product(*map(range, shape[:-1])):
        base = offset + sum(i * s for i, s in zip(index, strides, strict=False))
        for byte in range(size):
            first = base + byte
            one = (
                bytes(source[first : first + 1]) * row
                if not step
                else source[first : first + (row - 1) * step + 1 : step]
            )
            out[at + byte : at + row * size : size] = one
        at += row * size
    return out


def _reversed(data: Buffer, unit: int) -> bytearray:
    out = bytearray(len(data))
    source = memoryview(data)
    for byte in range(unit):
        out[byte::unit] = source[unit - 1 - byte :: unit]
    return out


class Numbers:
    """The values of a numeric tensor: what `Leaf.numbers` is for leaves that are made here.

    Calling it gives an ``array('d')``, or an iterator where there are many; of complex numbers, both parts in
    turn.
    """

    __slots__ = ("_tensor", "dtype")

    def __init__(self, tensor: Tensor) -> None:
        self._tensor = tensor
        self.dtype = tensor.dtype._replace(big=False)

    def __call__(self) -> "array[float] | Iterator[float]":
        """All values, flat, in C order."""
        values = (value for block in self.blocks() for value in decoded(self.dtype, block))
        if self._tensor.size > _AT_ONCE:
            return map(float, values)
        return array("d", map(float, values))

    def blocks(self, *, fast: bool = True) -> Iterator[memoryview]:
        """The fixed form in pieces of whole elements."""
        flat = memoryview(packed(self._tensor, fast=fast))
        step = max(1, _BLOCK // self.dtype.size) * self.dtype.size
        for at in range(0, len(flat), step):
            yield flat[at : at + step]


class Gapped:
    """The numbers of a column in which some are missing: NaN stands for those.

    Args:
        values: All of them, something for those that are missing.
        gone: A byte for each, 1 where it is missing.
    """

    __slots__ = ("gone", "values")

    def __init__(self, values: Numbers, gone: bytes) -> None:
        self.values = values
        self.gone = gone

    def __call__(self) -> "array[float]":
        """All values, in their order."""
        pairs = zip(self.values(), self.gone, strict=True)
        return array("d", (math.nan if gap else value for value, gap in pairs))


def decoded(dtype: DType, block: Buffer) -> Sequence[float]:
    """The numbers of bytes in the fixed form; integers stay integers."""
    code = dtype.code
    if code == "e":
        return struct.unpack(f"<{len(block) // 2}e", block)
    if code == "bf":
        return _native("f", array("I", (bits << 16 for bits in _words("H", block))).tobytes(), swap=False)
    if code in _SMALL:
        table = _SMALL[code]
        return [table[byte] for byte in bytes(block)]
    return _words(code, block)


def _words(code: str, block: Buffer) -> "array[Any]":
    return _native(code, block, swap=sys.byteorder == "big")


def _native(code: str, block: Buffer, *, swap: bool) -> "array[Any]":
    words: array[Any] = array(code)
    words.frombytes(block)
    if swap:
        words.byteswap()
    return words


def _small_floats(exponent: int, *, infinite: bool) -> tuple[float, ...]:
    """All values of a float of 8 bits, by its bits."""
    fraction = 7 - exponent
    bias, top = (1 << (exponent - 1)) - 1, (1 << exponent) - 1
    values = []
    for bits in range(256):
        sign = -1.0 if bits & 0x80 else 1.0
        e, m = (bits >> fraction) & top, bits & ((1 << fraction) - 1)
        if infinite and e == top:
            value = math.nan if m else math.inf
        elif not infinite and bits & 0x7F == 0x7F:
            value = math.nan
        elif e:
            value = math.ldexp(1 + m / (1 << fraction), e - bias)
        else:
            value = math.ldexp(m / (1 << fraction), 1 - bias)
        values.append(sign * value)
    return tuple(values)


_SMALL = {"e4": _small_floats(4, infinite=False), "e5": _small_floats(5, infinite=True)}


def leaves_of(tensor: Tensor, kind: LeafKind = "tensor") -> Iterator[tuple[str, Leaf]]:
    """The leaves of a checked tensor: one named ``""``, or one a field, what pads them aside."""
    for name, one in plain_of(tensor):
        yield name, leaf(one, kind)


def plain_of(tensor: Tensor) -> Iterator[tuple[str, Tensor]]:
    """A checked tensor, or one for each of its fields, by their names; none of them has fields."""
    if not tensor.dtype.fields:
        yield "", tensor
        return
    for field in tensor.dtype.fields:
        inner = field.dtype.size
        steps: list[int] = []
        for length in reversed(field.shape):
            steps.insert(0, inner)
            inner *= length
        view = Tensor(
            field.dtype,
            tensor.shape + field.shape,
            tensor.strides + tuple(steps),
            tensor.offset + field.offset,
            tensor.data,
        )
        for name, one in plain_of(checked(view)):
            yield f"{field.name}/{name}" if name else field.name, one


def leaf(tensor: Tensor, kind: LeafKind = "tensor", *, fast: bool = True) -> Leaf:
    """The leaf of a checked tensor without fields."""
    dtype = tensor.dtype
    digest = blake3(packed(tensor, fast=fast)).hexdigest()
    numbers = Numbers(tensor) if dtype.code else None
    return Leaf(kind, dtype.name, tensor.shape, digest, numbers)


def number(value: float | bool, kind: LeafKind = "number") -> Leaf:
    """The leaf of one number of Python."""
    if isinstance(value, bool):
        return leaf(contiguous(DTYPES["bool"], (), bytes([value])), "value")
    if not isinstance(value, int):
        return leaf(contiguous(DTYPES["float64"], (), struct.pack("<d", value)), kind)
    if -(1 << 63) <= value < 1 << 63:
        return leaf(contiguous(DTYPES["int64"], (), struct.pack("<q", value)), kind)
    return Leaf(kind, "int", (), blake3(f"{value:x}".encode()).hexdigest())


def bytes_of(source: Source) -> Buffer:
    """All bytes of a file: mapped where that can be done, else read.

    Raises:
        ContentTooLargeError: it cannot be mapped, and is larger than `MAX_READ`.
        OSError: it cannot be read.
    """
    source.file.seek(0)
    try:
        return memoryview(mmap.mmap(source.file.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError):  # in memory, empty, or on a system without
        data = source.file.read(MAX_READ + 1)
        if len(data) > MAX_READ:
            raise ContentTooLargeError(
                f"{source.name}: more than {MAX_READ} bytes to hold in memory"
            ) from None
        return data


@contextmanager
def naming(source: Source) -> Iterator[None]:
    """What goes wrong with the content of a file within, named by that file."""
    try:
        yield
    except UnreadableContentError as error:
        raise source.damaged(error.message) from None
    except ContentTooLargeError as error:
        raise ContentTooLargeError(f"{source.name}: {error.message}") from None


class Distance(NamedTuple):
    """How far apart the numbers of two leaves are.

    Attributes:
        values: How many there are in each; of complex numbers both parts.
        unequal: How many differ; NaN is like NaN, and 0 like -0.
        absolute: The largest difference; infinite where a NaN stands against a number.
        relative: The largest difference over the larger of both values; likewise.
        ulp: The most floats that lie from one value to the other; None for other than floats of one type.
        at: Where the largest difference is, counted flat from 0; -1 where nothing differs.
        nan_mismatch: How often a NaN stands against a number.
    """

    values: int = 0
    unequal: int = 0
    absolute: float = 0.0
    relative: float = 0.0
    ulp: int | None = None
    at: int = -1
    nan_mismatch: int = 0


class NotComparableError(UnsupportedError):
    """Two leaves cannot be compared number by number: other shapes, or no numbers."""

    code = "not-comparable"


def distance(a: Leaf, b: Leaf, *, fast: bool = True) -> Distance:
    """How far apart the numbers of two leaves are, block by block.

    Args:
        a: The one.
        b: The other.
        fast: Whether NumPy may be used where it is installed.

    Raises:
        NotComparableError: they have other shapes, or no numbers.
    """
    if a.numbers is None or b.numbers is None or a.shape != b.shape:
        raise NotComparableError(f"{a.kind} {a.dtype}{list(a.shape)} and {b.kind} {b.dtype}{list(b.shape)}")
    np = numpy(fast)
    one, other = a.numbers, b.numbers
    floats = DTYPES["float64"]
    dtype = floats
    if isinstance(one, Numbers) and isinstance(other, Numbers) and one.dtype.code == other.dtype.code:
        dtype = one.dtype
        blocks: Iterable[tuple[memoryview, memoryview]] = zip(
            one.blocks(fast=fast), other.blocks(fast=fast), strict=True
        )
    else:
        blocks = zip_longest(_as_blocks(one()), _as_blocks(other()), fillvalue=memoryview(b""))
    bits = (
        _BITS.get(dtype.code)
        if a.dtype == b.dtype and (dtype is not floats or a.dtype == "float64")
        else None
    )
    total = Distance(ulp=0 if bits else None)
    for x, y in blocks:
        if len(x) != len(y):
            raise NotComparableError(f"leaves of {a.shape} that give more numbers, and fewer")
        size = len(x) // max(1, dtype.unit if dtype.code else 1)
        if bytes(x) == bytes(y):  # views compare item by item
            total = total._replace(values=total.values + size)
        else:
            found = _apart(dtype, bits, x, y) if np is None else _apart_fast(np, dtype, bits, x, y)
            total = _sum(total, found)
    return total


def _as_blocks(values: Iterable[float]) -> Iterator[memoryview]:
    """Numbers that are not ours, in the fixed form of doubles."""
    rest = iter(values)
    while piece := array("d", islice(rest, _BLOCK // 8)):
        if sys.byteorder == "big":
            piece.byteswap()
        yield memoryview(piece).cast("B")


def _sum(a: Distance, b: Distance) -> Distance:
    worse = b.at >= 0 and (a.at < 0 or b.absolute > a.absolute)
    return Distance(
        a.values + b.values,
        a.unequal + b.unequal,
        max(a.absolute, b.absolute),
        max(a.relative, b.relative),
        None if a.ulp is None or b.ulp is None else max(a.ulp, b.ulp),
        a.values + b.at if worse else a.at,
        a.nan_mismatch + b.nan_mismatch,
    )


def _apart(dtype: DType, bits: tuple[int, str] | None, x: Buffer, y: Buffer) -> Distance:
    """The distance of two blocks, value by value."""
    ours, theirs = decoded(dtype, x), decoded(dtype, y)
    raw = (_words(bits[1], x), _words(bits[1], y), 1 << (8 * bits[0] - 1)) if bits else None
    unequal, mismatch, absolute, relative, ulp, at = 0, 0, 0.0, 0.0, 0, -1
    for i, (p, q) in enumerate(zip(ours, theirs, strict=True)):
        if p == q or (p != p and q != q):  # noqa: PLR0124 - that is what NaN is
            continue
        unequal += 1
        if p != p or q != q:  # noqa: PLR0124 - likewise
            mismatch += 1
            apart, share = math.inf, math.inf
        else:
            apart = float(abs(p - q))
            largest = float(max(abs(p), abs(q)))
            share = math.inf if math.isinf(largest) else apart / largest
            if math.isinf(apart) and not math.isinf(largest):
                share = abs(p / largest - q / largest)
            if raw:
                ulp = max(ulp, abs(_ordinal(raw[0][i], raw[2]) - _ordinal(raw[1][i], raw[2])))
        relative = max(relative, share)
        if at < 0 or apart > absolute:
            absolute, at = apart, i
    return Distance(len(ours), unequal, absolute, relative, ulp if bits else None, at, mismatch)


def _ordinal(bits: int, sign: int) -> int:
    """The place of a float among all of its type, 0 for zero of either sign."""
    return sign - bits if bits & sign else bits


def _apart_fast(np: Any, dtype: DType, bits: tuple[int, str] | None, x: Buffer, y: Buffer) -> Distance:
    """The distance of two blocks, by NumPy."""
    with np.errstate(all="ignore"):
        ours, theirs = _numpy_values(np, dtype, x), _numpy_values(np, dtype, y)
        nan = np.isnan(ours), np.isnan(theirs)
        unequal = (ours != theirs) & ~(nan[0] & nan[1])
        mismatch = nan[0] ^ nan[1]
        if ours.dtype.kind in "iu":
            top, low = np.maximum(ours, theirs), np.minimum(ours, theirs)
            apart = (top.astype(np.uint64) - low.astype(np.uint64)).astype(np.float64)
        else:
            apart = np.abs(ours - theirs)
        p, q = ours.astype(np.float64), theirs.astype(np.float64)
        largest = np.maximum(np.abs(p), np.abs(q))
        share = np.where(
            np.isinf(apart) & ~np.isinf(largest), np.abs(p / largest - q / largest), apart / largest
        )
        share = np.where(np.isinf(largest) | mismatch, np.inf, share)
        apart = np.where(mismatch, np.inf, apart)
    apart, share = np.where(unequal, apart, 0.0), np.where(unequal, share, 0.0)
    count = int(unequal.sum())
    ulp = None
    if bits:
        wide = _ordinals(np, bits, x), _ordinals(np, bits, y)
        steps = np.maximum(*wide).astype(np.uint64) - np.minimum(*wide).astype(np.uint64)
        ulp = int(np.where(unequal & ~mismatch, steps, 0).max())
    at = int(apart.argmax()) if count else -1
    return Distance(len(ours), count, float(apart.max()), float(share.max()), ulp, at, int(mismatch.sum()))


def _ordinals(np: Any, bits: tuple[int, str], block: Buffer) -> Any:
    width = bits[0]
    words = np.frombuffer(block, f"<i{width}").astype(np.int64)
    lowest = np.int64(-(1 << (8 * width - 1)))
    return np.where(words < 0, lowest - words, words)


def _numpy_values(np: Any, dtype: DType, block: Buffer) -> Any:
    code = dtype.code
    if code == "bf":
        return (np.frombuffer(block, "<u2").astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    if code in _SMALL:
        return np.array(_SMALL[code])[np.frombuffer(block, np.uint8)]
    values = np.frombuffer(block, np.dtype(code).newbyteorder("<"))
    return values.astype(np.float64) if code in {"e", "f"} else values
