"""Reads pickles as files: what they mean, without running what they say; those of joblib too, packed or not.

Only `load_really`, which is asked for by name, runs a pickle. What opcodes build is known to `opcodes`, what
it stands for to `known`, and its leaves to `trees`. joblib puts the bytes of an array behind the object that
describes it, where the pickle goes on after them. Facts: ``joblib.numpy_pickle``.
"""

import bz2
import io
import lzma
import math
import pickle
import zlib
from collections.abc import Callable
from importlib import import_module
from typing import Any

from fourfold.formats.likeness.known import ASIDE, Classed, dtype_of, qualified
from fourfold.formats.likeness.model import Content
from fourfold.formats.likeness.opcodes import Cursor, Machine, Made, Pairs
from fourfold.formats.likeness.source import CHUNK, Source, UnreadableContentError
from fourfold.formats.likeness.tensors import Buffer, bytes_of, contiguous, naming
from fourfold.formats.likeness.trees import leaves

#: Objects of arrays within objects of arrays.
_MAX_NESTED = 16
#: What unpacks a packed pickle, by its first bytes.
_UNPACK: tuple[tuple[bytes, Callable[[], Any]], ...] = (
    (b"\x1f\x8b", lambda: zlib.decompressobj(31)),
    (b"\x78", zlib.decompressobj),
    (b"BZh", bz2.BZ2Decompressor),
    (b"\xfd7zXZ", lzma.LZMADecompressor),
    (b"\x5d\x00\x00", lzma.LZMADecompressor),
)


def read_pickle(source: Source) -> Content:
    """What a pickle means.

    Raises:
        UnreadableContentError: it is none.
        ContentTooLargeError: it has too many opcodes or leaves.
    """
    with naming(source):
        data = unpacked(source)
        if source.unsafe:
            data = load_really(data)
        found = leaves(Machine(Cursor(data), built=arrays_behind).run(), source.budget)
    return Content("pickle", found, "pickle/1", {**ASIDE, "compression": True})


def unpacked(source: Source) -> Buffer:
    """The bytes of a file, unpacked where joblib or its user packed it.

    Raises:
        UnreadableContentError: what is packed is damaged.
        ContentTooLargeError: too much comes out.
    """
    head = source.head(8)
    unpack = next((made for magic, made in _UNPACK if head.startswith(magic)), None)
    if unpack is None:
        return bytes_of(source)
    machine, out = unpack(), bytearray()
    try:
        for chunk in source.chunks():
            fed = chunk
            while not machine.eof:
                piece = machine.decompress(fed, CHUNK)
                fed = machine.unconsumed_tail if hasattr(machine, "unconsumed_tail") else b""
                source.budget.expand(len(piece), source.name)
                out += piece
                if not piece and not fed:
                    break
    except (zlib.error, lzma.LZMAError, OSError, EOFError) as error:
        raise UnreadableContentError(f"what is packed is damaged: {error}") from None
    if not machine.eof:
        raise UnreadableContentError("what is packed ends early")
    return out


def arrays_behind(made: Made, cursor: Cursor, depth: int = 0) -> None:
    """Take the bytes of an array that joblib put behind the object which describes it.

    Raises:
        UnreadableContentError: they are not there.
    """
    if qualified(made.callee) != "joblib.numpy_pickle.NumpyArrayWrapper":
        return
    state = made.states[-1]
    if not isinstance(state, Pairs) or depth > _MAX_NESTED:
        raise UnreadableContentError("an array of joblib without a description")
    told = {key: value for key, value in state.pairs if isinstance(key, str)}
    dtype, shape = dtype_of(told.get("dtype")), told.get("shape")
    if dtype is None or not isinstance(shape, tuple):
        raise UnreadableContentError("an array of joblib without a type or a shape")
    if dtype.name == "object":
        inner = Machine(cursor, built=lambda one, at: arrays_behind(one, at, depth + 1)).run()
        made.payload = inner
        return
    if told.get("numpy_array_alignment_bytes") is not None:
        cursor.read(int.from_bytes(cursor.read(1), "little"))
    order = "F" if told.get("order") == "F" else "C"
    array = contiguous(dtype, shape, cursor.data, cursor.at, order=order)
    cursor.at += math.prod(shape) * dtype.size
    kind = qualified(told.get("subclass"))
    made.payload = array if kind == "numpy.ndarray" else Classed(kind, array)


def load_really(data: Buffer) -> bytes:
    """Load a pickle in this process, and pickle again what it became, by one protocol.

    **This runs whatever the pickle says.** It is for whoever asked for it and trusts the file.

    Raises:
        UnreadableContentError: it cannot be loaded here, or what it became cannot be pickled.
    """
    try:
        value = _loaded(data)
        return pickle.dumps(value, protocol=4)
    except Exception as error:  # noqa: BLE001 - it runs foreign code, which may raise anything
        why = f"{type(error).__name__}: {str(error)[:120]}".replace("\n", " ")
        raise UnreadableContentError(f"it cannot be loaded: {why}") from None


def _loaded(data: Buffer) -> Any:
    if b"NumpyArrayWrapper" in bytes(data):
        return import_module("joblib").load(io.BytesIO(data))
    return pickle.load(io.BytesIO(data))  # noqa: S301 - asked for by name, and refused anywhere else
