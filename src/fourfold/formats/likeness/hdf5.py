"""Reads HDF5 through h5py: datasets and attributes, by their paths.

Chunks, filters, times and the order of creation do not count. Links to other files, and values that lie in
other files, are named, never followed. A leaf a dataset, ``PATH@NAME`` for an attribute, ``PATH:type`` for a
group. Format: https://docs.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html.
"""

import itertools
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from blake3 import blake3

from fourfold.formats.likeness.dtypes import DType, Field, numpy_dtype
from fourfold.formats.likeness.model import Content, Leaf
from fourfold.formats.likeness.source import ContentTooLargeError, MissingReaderError, Source
from fourfold.formats.likeness.tensors import contiguous, leaves_of, packed
from fourfold.formats.likeness.trees import joined_name

#: Groups within groups, and bytes of a dataset that are read at once.
_MAX_NESTED, _AT_ONCE = 64, 1 << 24
_ASIDE = {"chunks and compression": True, "times": True, "order of creation": True}


def read_hdf5(source: Source) -> Content:
    """What an HDF5 file means.

    Raises:
        UnreadableContentError: it is damaged.
        ContentTooLargeError: too much comes out of it.
        MissingReaderError: h5py is not installed.
    """
    try:
        h5py = import_module("h5py")
    except ImportError:
        raise MissingReaderError(
            "values of HDF5 are read by h5py, which is not installed",
            hint="install it: pip install 'fourfold[hdf5]'",
        ) from None
    source.file.seek(0)
    reading = _Reading(h5py, source)
    try:
        with h5py.File(source.file, "r") as file:
            reading.group("", file, ())
    except (
        OSError,
        LookupError,
        AttributeError,
        ValueError,
        TypeError,
        RuntimeError,
        ArithmeticError,
        MemoryError,
    ) as error:
        why = " ".join(str(error).split())[:160]
        raise source.damaged(why or type(error).__name__) from None
    return Content("hdf5", reading.found, "hdf5/1", _ASIDE)


class _Reading:
    def __init__(self, h5py: Any, source: Source) -> None:
        self._h5py = h5py
        self._source = source
        self.found: dict[str, Leaf] = {}

    def group(self, path: str, group: Any, above: tuple[Any, ...]) -> None:
        """All that lies in a group."""
        self._put(f"{path}:type", Leaf("value", "group", (), blake3(b"group").hexdigest()))
        self._attributes(path, group)
        above = (*above, self._h5py.h5o.get_info(group.id).addr)
        if len(above) > _MAX_NESTED:
            raise ContentTooLargeError(
                f"{self._source.name}: groups within groups, deeper than {_MAX_NESTED}"
            )
        for name in sorted(group):
            inner = f"{path}/{name}" if path else name
            link = group.get(name, getlink=True)
            if isinstance(link, self._h5py.HardLink):
                self._item(inner, group[name], above)
            else:
                target = f"{getattr(link, 'filename', '')}:{link.path}"
                self._put(inner, Leaf("value", "link", (), blake3(target.encode()).hexdigest()))

    def _item(self, path: str, item: Any, above: tuple[Any, ...]) -> None:
        if isinstance(item, self._h5py.Dataset):
            self._dataset(path, item)
            self._attributes(path, item)
        elif isinstance(item, self._h5py.Group):
            if self._h5py.h5o.get_info(item.id).addr in above:
                self._put(path, Leaf("value", "circle", (), blake3(item.name.encode()).hexdigest()))
            else:
                self.group(path, item, above)
        else:
            self._put(path, Leaf("value", "type", (), blake3(repr(item.dtype).encode()).hexdigest()))

    def _attributes(self, path: str, item: Any) -> None:
        for name in sorted(item.attrs):
            value = item.attrs[name]
            if isinstance(value, self._h5py.Empty):
                self._put(f"{path}@{name}", _empty(value.dtype))
                continue
            array = import_module("numpy").asarray(value)
            kind = item.attrs.get_id(name).dtype
            self._values(f"{path}@{name}", array.shape, kind, iter((array,)))

    def _dataset(self, path: str, dataset: Any) -> None:
        if dataset.is_virtual or dataset.external:
            told = f"{dataset.external}{dataset.virtual_sources() if dataset.is_virtual else ''}"
            self._put(path, Leaf("value", "elsewhere", dataset.shape, blake3(told.encode()).hexdigest()))
            return
        if dataset.shape is None:
            self._put(path, _empty(dataset.dtype))
            return
        self._source.budget.expand(dataset.size * dataset.dtype.itemsize, self._source.name)
        self._values(path, dataset.shape, dataset.dtype, _pieces(dataset))

    def _values(self, path: str, shape: tuple[int, ...], dtype: Any, pieces: Iterator[Any]) -> None:
        """The leaves of values that come in pieces along the first axis."""
        known = None if dtype.hasobject else _dtype(dtype)
        size = 1
        for length in shape:
            size *= length
        if known is None:
            hasher = blake3()
            for piece in pieces:
                for value in piece.ravel().tolist() if piece.shape else [piece.item()]:
                    data = _written(value)
                    hasher.update(len(data).to_bytes(8, "little") + data)
            text = self._h5py.check_string_dtype(dtype) is not None
            self._put(
                path,
                Leaf("column" if text else "value", "str" if text else "object", shape, hasher.hexdigest()),
            )
        elif self._source.budget.hold(size * max(1, len(known.fields))):
            data = b"".join(piece.tobytes() for piece in pieces)
            for name, leaf in leaves_of(contiguous(known, shape, data)):
                self._put(joined_name(path, name), leaf)
        else:
            hasher = blake3()
            for piece in pieces:
                whole = contiguous(known, piece.shape, piece.tobytes())
                hasher.update(piece.tobytes() if known.fields else packed(whole))
            self._put(path, Leaf("tensor", known.name, shape, hasher.hexdigest()))

    def _put(self, name: str, leaf: Leaf) -> None:
        self._source.budget.part(self._source.name)
        self.found[name] = leaf


def _pieces(dataset: Any) -> Iterator[Any]:
    """A dataset in pieces along its first axis, none of them large."""
    if not dataset.shape or not dataset.size:
        yield dataset[()] if dataset.shape else import_module("numpy").asarray(dataset[()])
        return
    row = max(1, dataset.size // dataset.shape[0] * max(1, dataset.dtype.itemsize))
    step = max(1, _AT_ONCE // row)
    for start in itertools.count(0, step):
        if start >= dataset.shape[0]:
            return
        yield dataset[start : start + step]


def _dtype(dtype: Any) -> DType | None:
    """A type of NumPy as ours; None for what has no fixed bytes."""
    if dtype.fields is None:
        return None if dtype.subdtype is not None else numpy_dtype(dtype.str)
    fields = []
    for name in dtype.names:
        inner, offset = dtype.fields[name][:2]
        base, shape = inner.subdtype or (inner, ())
        known = _dtype(base)
        if known is None:
            return None
        fields.append(Field(name, known, offset, shape))
    return DType(f"struct{len(fields)}", dtype.itemsize, fields=tuple(fields))


def _empty(dtype: Any) -> Leaf:
    return Leaf("value", "empty", (), blake3(str(dtype).encode()).hexdigest())


def _written(value: Any) -> bytes:
    """A value without fixed bytes: a text, an array of its own length, a reference, a record of such."""
    if isinstance(value, bytes):
        return b"s" + value
    if isinstance(value, str):
        return b"s" + value.encode("utf-8", "surrogateescape")
    if hasattr(value, "dtype") and hasattr(value, "tobytes"):
        data: bytes = value.astype(value.dtype.newbyteorder("<")).tobytes()
        return b"a" + repr((value.dtype.name, value.shape)).encode() + data
    if isinstance(value, tuple | list):
        return b"t" + b"".join(len(one).to_bytes(8, "little") + one for one in map(_written, value))
    return b"r" + (value.hex() if isinstance(value, float) else str(type(value)) + str(value)).encode()
