"""Reads HDF5 through h5py: datasets and attributes, by their paths.

Chunks, filters, times and the order of creation do not count. Links to other files, and values that lie in
other files, are named, never followed. A leaf a dataset, ``PATH@NAME`` for an attribute, ``PATH:type`` for a
group, ``PATH:names`` for the words that numbers stand for. Damaged files make the library loop and crash:
this is called in a process of its own (`confined`).
Format: https://docs.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html.
"""

import math
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from blake3 import blake3

from fourfold.formats.likeness.dtypes import DType, Field, numpy_dtype
from fourfold.formats.likeness.model import Content, Leaf
from fourfold.formats.likeness.source import ContentTooLargeError, Named, Source
from fourfold.formats.likeness.tensors import Numbers, contiguous, packed, plain_of
from fourfold.formats.likeness.trees import joined_name

#: Groups within groups, and bytes of a dataset that are read at once; of whole chunks more.
_MAX_NESTED, _AT_ONCE, _CHUNKS_AT_ONCE = 64, 1 << 24, 1 << 28
_ASIDE = {"chunks and compression": True, "times": True, "order of creation": True}


def read_hdf5(source: Source) -> Content:
    """What an HDF5 file means.

    Raises:
        ContentTooLargeError: too much comes out of it.
        Exception: whatever h5py raises of a damaged file.
    """
    h5py = import_module("h5py")
    source.file.seek(0)
    with h5py.File(source.file, "r") as file:
        reading = _Reading(h5py, source, file)
        reading.group("", file, ())
    return Content("hdf5", reading.leaves.found, "hdf5/2", _ASIDE)


class _Reading:
    def __init__(self, h5py: Any, source: Source, file: Any) -> None:
        self._h5py = h5py
        self._source = source
        self._file = file
        self.leaves = Named()

    def group(self, path: str, group: Any, above: tuple[Any, ...]) -> None:
        """All that lies in a group."""
        self._put(f"{path}:type", _value("group", b"group"))
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
                self._put(inner, _value("link", target.encode("utf-8", "surrogateescape")))

    def _item(self, path: str, item: Any, above: tuple[Any, ...]) -> None:
        if isinstance(item, self._h5py.Dataset):
            self._dataset(path, item)
            self._attributes(path, item)
        elif isinstance(item, self._h5py.Group):
            if self._h5py.h5o.get_info(item.id).addr in above:
                self._put(path, _value("circle", item.name.encode()))
            else:
                self.group(path, item, above)
        else:
            self._put(path, _value("type", repr(item.dtype).encode()))
            self._words(path, item.dtype)
            self._attributes(path, item)

    def _attributes(self, path: str, item: Any) -> None:
        for name in sorted(item.attrs):
            value = item.attrs[name]
            if isinstance(value, self._h5py.Empty):
                self._put(f"{path}@{name}", _empty(value.dtype))
                continue
            stored = item.attrs.get_id(name).dtype.base
            array = _array(value, stored)
            self._source.budget.expand(array.nbytes, self._source.name)
            self._values(f"{path}@{name}", array.shape, stored, iter((array,)))

    def _dataset(self, path: str, dataset: Any) -> None:
        if dataset.is_virtual or dataset.external:
            told = f"{dataset.external}{dataset.virtual_sources() if dataset.is_virtual else ''}"
            self._put(path, _value("elsewhere", told.encode(), dataset.shape))
            return
        if dataset.shape is None:
            self._put(path, _empty(dataset.dtype))
            return
        self._source.budget.expand(dataset.size * dataset.dtype.itemsize, self._source.name)
        self._values(path, dataset.shape, dataset.dtype, _pieces(dataset))

    def _values(self, path: str, shape: tuple[int, ...], dtype: Any, pieces: Iterator[Any]) -> None:
        """The leaves of values that come in pieces along the first axis."""
        shape, dtype = (*shape, *dtype.shape), dtype.base  # where each element is an array, it has axes more
        self._words(path, dtype)
        known = None if dtype.hasobject else _dtype(dtype)
        if known is None:
            self._objects(path, shape, dtype, pieces)
            return
        nothing = contiguous(known, (0, *shape[1:]), b"")
        fields = [(values.dtype, values.shape[len(nothing.shape) :]) for _, values in plain_of(nothing)]
        count = math.prod(shape) * max(known.size // 8, sum(math.prod(inner) for _, inner in fields))
        wanted = any(dtype.code for dtype, _ in fields) and self._source.budget.hold(count)
        held: list[bytes] | None = [] if wanted else None
        hashers = [blake3() for _ in fields]
        for piece in pieces:
            data = piece.tobytes()
            self._source.budget.look(len(data), self._source.name)
            for hasher, (_, values) in zip(
                hashers, plain_of(contiguous(known, piece.shape, data)), strict=True
            ):
                hasher.update(packed(values))
            if held is not None:
                held.append(data)
        whole = nothing if held is None else contiguous(known, shape, b"".join(held))
        for hasher, (name, values) in zip(hashers, plain_of(whole), strict=True):
            lengths = (*shape, *values.shape[len(whole.shape) :])
            numbers = Numbers(values) if held is not None and values.dtype.code else None
            found = Leaf("tensor", values.dtype.name, lengths, hasher.hexdigest(), numbers)
            self._put(joined_name(path, name), found)

    def _objects(self, path: str, shape: tuple[int, ...], dtype: Any, pieces: Iterator[Any]) -> None:
        """The leaf of values without fixed bytes."""
        hasher = blake3()
        for piece in pieces:
            for value in piece.ravel().tolist() if piece.shape else [piece.item()]:
                data = self._written(value)
                self._source.budget.look(len(data), self._source.name)
                hasher.update(len(data).to_bytes(8, "little") + data)
        text = self._h5py.check_string_dtype(dtype) is not None
        digest = hasher.hexdigest()
        self._put(
            path, Leaf("column", "str", shape, digest) if text else Leaf("value", "object", shape, digest)
        )

    def _written(self, value: Any) -> bytes:
        """A value without fixed bytes: a text, an array of its own length, a reference, a record of such."""
        if isinstance(value, bytes | str):
            return b"s" + (value if isinstance(value, bytes) else value.encode("utf-8", "surrogateescape"))
        if isinstance(value, self._h5py.Reference):
            return b"r" + self._referred(value)
        if hasattr(value, "dtype") and hasattr(value, "tobytes"):
            if value.dtype.hasobject:
                return b"o%r" % (value.shape,) + self._written(value.ravel().tolist())
            data: bytes = value.astype(value.dtype.newbyteorder("<")).tobytes()
            return b"a" + repr((value.dtype.name, value.shape)).encode() + data
        if isinstance(value, tuple | list):
            return b"t" + b"".join(len(one).to_bytes(8, "little") + one for one in map(self._written, value))
        return b"v" + (value.hex() if isinstance(value, float) else str(type(value)) + str(value)).encode()

    def _referred(self, reference: Any) -> bytes:
        """What a reference points to, by its path; of a part of a dataset, which."""
        if not reference:
            return b"nothing"
        told = self._h5py.h5r.get_name(reference, self._file.id) or b"?"
        if isinstance(reference, self._h5py.RegionReference):
            space = self._h5py.h5r.get_region(reference, self._file.id)
            told += b" %r" % ((space.get_select_npoints(), space.get_select_bounds()),)
        return bytes(told)

    def _words(self, path: str, dtype: Any) -> None:
        """The words that the numbers of an enumeration stand for, in fields too."""
        found = sorted(self._enumerations("", dtype))
        if found:
            self._put(f"{path}:names", _value("names", repr(found).encode("utf-8", "surrogatepass")))

    def _enumerations(self, name: str, dtype: Any) -> Iterator[tuple[str, list[tuple[str, int]]]]:
        words = self._h5py.check_enum_dtype(dtype)
        if words:
            yield name, sorted((str(word), int(number)) for word, number in words.items())
        for field in dtype.names or ():
            yield from self._enumerations(f"{name}/{field}", dtype.fields[field][0].base)

    def _put(self, name: str, leaf: Leaf) -> None:
        self._source.budget.part(self._source.name)
        self.leaves.put(name, leaf)


def _value(kind: str, data: bytes, shape: tuple[int, ...] = ()) -> Leaf:
    return Leaf("value", kind, shape, blake3(data).hexdigest())


def _empty(dtype: Any) -> Leaf:
    return _value("empty", str(dtype).encode())


def _array(value: Any, dtype: Any) -> Any:
    """A value as an array of its type in the file: one alone comes in the order of bytes of the machine."""
    return import_module("numpy").array(value, dtype=dtype)


def _pieces(dataset: Any) -> Iterator[Any]:
    """A dataset in pieces along its first axis, none of them large, of whole chunks where these are not."""
    if not dataset.shape or not dataset.size:
        yield dataset[()] if dataset.shape else _array(dataset[()], dataset.dtype.base)
        return
    row = max(1, dataset.size // dataset.shape[0] * max(1, dataset.dtype.itemsize))
    step = max(1, _AT_ONCE // row)
    if dataset.chunks:  # each piece of a chunk has the whole of it unpacked
        whole = -(-step // dataset.chunks[0]) * dataset.chunks[0]
        step = max(step, min(whole, _CHUNKS_AT_ONCE // row))
    for start in range(0, dataset.shape[0], step):
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
