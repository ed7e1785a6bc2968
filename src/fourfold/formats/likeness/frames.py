"""What pickled data frames of pandas mean: columns and axes, whatever blocks pandas kept them in.

A frame that was joined from columns and one that was read whole hold the same in other blocks. What is not
understood here (a layout of another version) stays described, as any object. Also texts that Arrow holds for
pandas. Facts: ``__reduce__`` and ``__getstate__`` of ``pandas.core.internals``, of pandas 1.3 to 3.
"""

import contextlib
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Final, NamedTuple

from fourfold.formats.likeness.known import Classed, Objects, bytes_of_text, qualified, resolved
from fourfold.formats.likeness.opcodes import Made, Many, Pairs
from fourfold.formats.likeness.tensors import Tensor, contiguous, packed

#: Columns of one frame, and objects in its blocks; bytes of texts that Arrow holds, with what Python adds.
_MAX_COLUMNS, _MAX_OBJECTS, _MAX_TEXTS = 1_000_000, 4_000_000, 1 << 30
#: What Python adds to a text, about, in bytes.
_TEXT = 50


class Parts(NamedTuple):
    """Things with names, in their order, that are nothing more together."""

    items: list[tuple[str, Any]]


def understood(node: Any) -> Any:
    """What a description stands for: arrays and the like, and what is of pandas; else the same.

    Raises:
        UnreadableContentError: an array does not hold together.
    """
    value = resolved(node)
    if not isinstance(value, Made):
        return value
    known = _KNOWN.get(qualified(value.callee))
    if known is not None:
        with contextlib.suppress(IndexError, TypeError, ValueError, KeyError, AttributeError, OverflowError):
            return known(value)
    return value


def _manager(made: Made) -> Any:
    """The blocks and axes of a frame or a series, as columns."""
    if made.how == "call":
        blocks, axes = made.args
        held = [(block.args[0], block.args[1]) for block in blocks]
    else:
        state = dict(dict(made.states[-1][3].pairs)["0.14.1"].pairs)
        axes = state["axes"]
        blocks = [dict(block.pairs) for block in state["blocks"].items]
        held = [(block["values"], block["mgr_locs"]) for block in blocks]
    if len(axes.items) == 1:  # of a series
        return Parts([("values", held[0][0]), ("index", axes.items[0])])
    columns: dict[int, Any] = {}
    count = objects = 0
    for described, places in held:
        values, rows = understood(described), _places(places)
        count += len(rows)
        objects += len(values.items) if isinstance(values, Objects) else 0
        if max(count - _MAX_COLUMNS, objects - _MAX_OBJECTS) > 0:
            raise ValueError("too many columns, or objects in them")
        for row, at in enumerate(rows):
            columns[at] = _row(values, row)
    names = _labels(axes.items[0], len(columns))
    parts = [("columns", axes.items[0]), ("index", axes.items[1])]
    if sorted(columns) != list(range(count)):
        raise ValueError("blocks without some columns, or with some twice")
    return Parts(parts + [(f"column:{name}", columns[at]) for at, name in enumerate(names)])


def _places(places: Any) -> Sequence[int]:
    """Where the rows of a block stand among the columns."""
    if isinstance(places, Made) and qualified(places.callee) == "builtins.slice":
        found: Sequence[int] = range(*places.args)
    else:
        found = _whole_numbers(understood(places))
    if len(found) > _MAX_COLUMNS:
        raise ValueError("too many columns")
    return found


def _whole_numbers(value: Any) -> list[int]:
    if not isinstance(value, Tensor) or len(value.shape) != 1 or value.dtype.code not in {"q", "i"}:
        raise TypeError("no whole numbers")
    flat, size = memoryview(value.data), value.dtype.size
    starts = (value.offset + i * value.strides[0] for i in range(value.shape[0]))
    words = (bytes(flat[at : at + size]) for at in starts)
    return [int.from_bytes(word[::-1] if value.dtype.big else word, "little", signed=True) for word in words]


def _row(values: Any, row: int) -> Any:
    """One row of what a block holds; arrays of pandas' own are of one column each."""
    if isinstance(values, Tensor) and len(values.shape) == 2:
        if row >= values.shape[0]:
            raise IndexError(row)
        start = values.offset + row * values.strides[0]
        return values._replace(shape=values.shape[1:], strides=values.strides[1:], offset=start)
    if isinstance(values, Objects) and len(values.shape) == 2:
        width = values.shape[1]
        return Objects((width,), values.items[row * width : (row + 1) * width])
    if isinstance(values, Classed) and isinstance(values.value, Parts):
        parts = dict(values.value.items)
        data = understood(parts.get("data"))
        if isinstance(data, Tensor) and len(data.shape) == 2:
            return Classed(values.name, Parts(list({**parts, "data": _row(data, row)}.items())))
    if row:
        raise IndexError(row)
    return values


def _labels(axis: Any, count: int) -> list[str]:
    """The names of columns, their numbers where the axis has none that are texts."""
    with contextlib.suppress(IndexError, TypeError, ValueError, KeyError, AttributeError):
        data = understood(dict(axis.args[1].pairs)["data"])
        data = understood(data.value) if isinstance(data, Classed) else data
        if isinstance(data, Parts):
            data = understood(dict(data.items)["texts"])
        items = data.items if isinstance(data, Objects | Many) else _whole_numbers(data)
        if len(items) == count:
            return [
                str(item)[:120] if isinstance(item, str | int) else str(at) for at, item in enumerate(items)
            ]
    return [str(at) for at in range(count)]


def _backed(made: Made) -> Any:
    """An array of pandas around one of NumPy: dates, categories."""
    dtype, data = made.states[-1][:2]
    if isinstance(understood(data), Made | Pairs) or isinstance(dtype, Tensor):
        dtype, data = data, dtype
    return Classed(qualified(made.args[0]), Parts([("dtype", dtype), ("data", data)]))


def _masked(made: Made) -> Any:
    """An array of numbers of pandas that may have gaps: what lies beneath a gap is no value."""
    state = dict(made.states[-1].pairs)
    data, mask = understood(state["_data"]), understood(state["_mask"])
    if mask.dtype.size != 1 or mask.shape != data.shape or len(data.shape) != 1:
        raise ValueError("a mask of another shape")
    size, values, gaps = data.dtype.size, bytearray(packed(data)), bytes(packed(mask))
    for at in range(len(gaps)):
        if gaps[at]:
            values[at * size : (at + 1) * size] = bytes(size)
    kept = contiguous(data.dtype._replace(big=False), data.shape, bytes(values))
    return Classed(qualified(made.callee), Parts([("data", kept), ("mask", mask)]))


def _arrow_texts(made: Made) -> Any:
    """An array of texts of pandas that Arrow holds, in whatever pieces."""
    state = dict(made.states[-1].pairs)
    held = state["_pa_array"] if "_pa_array" in state else state["_ndarray"]
    pieces = [held]
    if qualified(held.callee) == "pyarrow.lib.chunked_array":
        pieces = held.args[0].items
    texts: list[str | None] = []
    room = _MAX_TEXTS  # pieces may be of the same bytes
    for piece in pieces:
        texts += (more := _texts(piece.args[0], room))
        room -= sum(len(text or "") + _TEXT for text in more)
    return Classed(
        qualified(made.callee), Parts([("dtype", state["_dtype"]), ("texts", Many("list", texts))])
    )


def _texts(described: tuple[Any, ...], room: int) -> list[str | None]:
    """The texts of one array of Arrow: type, length, nulls, start, buffers; within so many bytes."""
    kind, length, _, start, buffers = described[:5]
    width = {"large_string": 8, "string": 4}[kind.args[0]]
    valid, ends, data = (None if one is None else bytes_of_text(one.args[0]) for one in buffers.items)
    if ends is None or start < 0 or length < 0 or (start + length + 1) * width > len(ends):
        raise ValueError("texts without their ends")
    at = [
        int.from_bytes(ends[i * width : (i + 1) * width], "little") for i in range(start, start + length + 1)
    ]
    body = bytes(data or b"")
    if any(a > b for a, b in pairwise(at)) or at[-1] > len(body):
        raise ValueError("texts beyond their bytes")
    if at[-1] - at[0] + length * _TEXT > room:
        raise ValueError("too many texts")
    return [
        body[at[i] : at[i + 1]].decode()
        if valid is None or valid[(start + i) >> 3] >> ((start + i) & 7) & 1
        else None
        for i in range(length)
    ]


_KNOWN: Final[dict[str, Callable[[Made], Any]]] = {
    "pandas.core.internals.managers.BlockManager": _manager,
    "pandas.core.internals.managers.SingleBlockManager": _manager,
    "pandas._libs.internals.BlockManager": _manager,
    "pandas._libs.arrays.__pyx_unpickle_NDArrayBacked": _backed,
    "pandas.arrays.ArrowStringArray": _arrow_texts,
    "pandas.arrays.IntegerArray": _masked,
    "pandas.arrays.FloatingArray": _masked,
    "pandas.arrays.BooleanArray": _masked,
    "pandas.core.arrays.integer.IntegerArray": _masked,
    "pandas.core.arrays.floating.FloatingArray": _masked,
    "pandas.core.arrays.boolean.BooleanArray": _masked,
    "pandas.core.arrays.string_arrow.ArrowStringArray": _arrow_texts,
}
