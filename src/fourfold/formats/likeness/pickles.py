"""Reads pickles as files: what they mean, without running what they say; those of joblib too, packed or not.

Only `load_really`, which is asked for by name, runs a pickle. What opcodes build is known to `opcodes`, what
it stands for to `known`, and its leaves to `trees`. joblib puts the bytes of an array behind the object that
describes it, where the pickle goes on after them. Facts: ``joblib.numpy_pickle``.
"""

import io
import lzma
import math
import pickle
import zlib
from collections.abc import Callable
from importlib import import_module
from typing import Any

from fourfold.formats.likeness.archives import XZ_MEMORY
from fourfold.formats.likeness.known import ASIDE, Classed, dtype_of, qualified
from fourfold.formats.likeness.model import Content, Leaf
from fourfold.formats.likeness.opcodes import Cursor, Machine, Made, Pairs
from fourfold.formats.likeness.source import CHUNK, Budget, Named, Source, UnreadableContentError, bytes_leaf
from fourfold.formats.likeness.tensors import Buffer, bytes_of, contiguous, naming
from fourfold.formats.likeness.trees import joined_name, leaves

#: Objects of arrays within objects of arrays.
_MAX_NESTED = 16
#: What unpacks what has no first bytes of its own to be known by, as joblib writes it.
_UNPACK: tuple[tuple[bytes, Callable[[], Any]], ...] = (
    (b"\x78", zlib.decompressobj),
    (b"\x5d\x00\x00", lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=XZ_MEMORY)),
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
        found = _values(data, source.budget)
    return Content("pickle", found, "pickle/2", {**ASIDE, "compression": True})


def _values(data: Buffer, budget: Budget) -> dict[str, Leaf]:
    """The leaves of a pickle; of several that were written in turn, those of the second in ``[2]``."""
    cursor = Cursor(data)
    found = Named(leaves(Machine(cursor, built=arrays_behind).run(), budget))
    number = 1
    while cursor.at < len(data):
        number, start = number + 1, cursor.at
        budget.part("pickles")
        try:
            value = Machine(cursor, built=arrays_behind).run()
        except UnreadableContentError:
            found.put("after the end", bytes_leaf([memoryview(data)[start:]]))
            break
        for name, leaf in leaves(value, budget).items():
            found.put(joined_name(f"[{number}]", name), leaf)
    return found.found


def unpacked(source: Source) -> Buffer:
    """The bytes of a file, unpacked where joblib packed it in a way that only a pickle is packed in.

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
            if machine.eof and chunk.strip(b"\0"):
                raise UnreadableContentError("something follows what is packed")
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
    if machine.unused_data.strip(b"\0"):
        raise UnreadableContentError("something follows what is packed")
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
    """Load a pickle in this process, and pickle again what it became, by one protocol; several one by one.

    **This runs whatever the pickle says.** It is for whoever asked for it and trusts the file.

    Raises:
        UnreadableContentError: it cannot be loaded here, or what it became cannot be pickled.
    """
    load = import_module("joblib").load if b"NumpyArrayWrapper" in bytes(data) else pickle.load
    file, again = io.BytesIO(data), bytearray()
    try:
        while not again or file.tell() < len(data):
            again += pickle.dumps(load(file), protocol=4)
    except Exception as error:  # noqa: BLE001 - it runs foreign code, which may raise anything
        why = f"{type(error).__name__}: {str(error)[:120]}".replace("\n", " ")
        raise UnreadableContentError(f"it cannot be loaded: {why}") from None
    return bytes(again)
