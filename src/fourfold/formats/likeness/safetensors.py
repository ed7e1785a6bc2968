"""Reads ``.safetensors``: eight bytes of length, a header in JSON, the bytes of tensors.

The order of tensors and their places do not count; the free text of ``__metadata__`` is told, not compared.
Format: https://github.com/huggingface/safetensors#format.
"""

import json
import math
from typing import Any

from fourfold.formats.likeness.dtypes import DTYPES, DType
from fourfold.formats.likeness.model import Content, Leaf
from fourfold.formats.likeness.source import Source, UnreadableContentError
from fourfold.formats.likeness.tensors import Buffer, bytes_of, contiguous, leaf, naming

#: Bytes of a header; the format's own limit.
MAX_HEADER = 100_000_000
_NAMES = {
    "BOOL": "bool",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "BF16": "bfloat16",
    "C64": "complex64",
    **{f"F{bits}": f"float{bits}" for bits in (16, 32, 64)},
    **{f"I{bits}": f"int{bits}" for bits in (8, 16, 32, 64)},
    **{f"U{bits}": f"uint{bits}" for bits in (8, 16, 32, 64)},
}


def read_safetensors(source: Source) -> Content:
    """What a file of tensors means.

    Raises:
        UnreadableContentError: it is none, or is damaged.
    """
    with naming(source):
        data = bytes_of(source)
        header, start = _header(data)
        told = header.pop("__metadata__", None)
        source.budget.part(source.name, len(header))
        body, told_of = memoryview(data)[start:], 0
        found = {}
        for name, row in header.items():
            found[name], size = _tensor(name, row, body)
            told_of += size
            if told_of > len(body):
                raise UnreadableContentError("tensors that lie upon one another")
    return Content("safetensors", found, "safetensors/1", {"order of tensors": True, "metadata": told})


def _header(data: Buffer) -> tuple[dict[str, Any], int]:
    size = int.from_bytes(bytes(data[:8]), "little")
    if len(data) < 8 or size > MAX_HEADER or 8 + size > len(data):
        raise UnreadableContentError(f"a header of {size} bytes in a file of {len(data)}")
    try:
        header = json.loads(bytes(data[8 : 8 + size]), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise UnreadableContentError(f"a header that is no JSON: {str(error)[:80]}") from None
    if not isinstance(header, dict):
        raise UnreadableContentError("a header that is no object of JSON")
    return header, 8 + size


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name that stands twice")
    return found


def _tensor(name: str, row: Any, data: Buffer) -> tuple[Leaf, int]:
    """The leaf of a tensor, and its bytes."""
    try:
        kind, shape, (start, end) = row["dtype"], tuple(row["shape"]), row["data_offsets"]
        known = DTYPES.get(_NAMES.get(kind, ""))
        if not 0 <= start <= end <= len(data):
            raise UnreadableContentError(f"tensor {name[:80]!r} lies beyond the end of the file")
        if known is None:  # of fewer than 8 bits, or newer than this reader: its bytes
            whole = contiguous(DType(str(kind), end - start), (), data, start)
            return leaf(whole)._replace(shape=tuple(map(int, shape))), end - start
        tensor = contiguous(known, shape, data, start)
    except (TypeError, KeyError, ValueError) as error:
        raise UnreadableContentError(
            f"tensor {name[:80]!r} is described wrongly: {str(error)[:40]}"
        ) from None
    if math.prod(shape) * known.size != end - start:
        raise UnreadableContentError(f"tensor {name[:80]!r} has another size than its shape")
    return leaf(tensor), end - start
