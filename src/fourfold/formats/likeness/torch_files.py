"""Reads what ``torch.save`` and ``torch.jit.save`` write, without PyTorch, and running none of it.

The ZIP format (a pickle, and a member for the bytes of each storage) and the older one (pickles and storages
one after another). What shares a storage, where it lay and the order of bytes do not count. TorchScript has
its code and its constants beside that; where in which source file it came from does not count. Members of an
archive that belong to neither are read as files. Facts: ``torch.serialization``, PyTorch's
``serialization/export_module.cpp``.
"""

import io
import re
from typing import Any

from fourfold.formats.likeness import zips
from fourfold.formats.likeness.archives import read_zip
from fourfold.formats.likeness.dtypes import DTYPES, DType
from fourfold.formats.likeness.known import ASIDE, TORCH_DTYPES, Storage, qualified
from fourfold.formats.likeness.model import Content, Leaf
from fourfold.formats.likeness.opcodes import Cursor, Machine, Many
from fourfold.formats.likeness.pickles import read_pickle
from fourfold.formats.likeness.source import Named, Source, UnreadableContentError, bytes_leaf, joined
from fourfold.formats.likeness.tensors import Buffer, bytes_of, naming
from fourfold.formats.likeness.trees import joined_name, leaves

#: How a file of the older format begins: a pickle of a number of its own.
LEGACY = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
#: Pickles of an archive: what was saved, and what TorchScript and its small interpreter have beside it.
_PICKLES = ("data.pkl", "constants.pkl", "bytecode.pkl")
#: How an archive is laid out, and where in its sources the code of TorchScript came from.
_PACKAGING = re.compile(
    r"version|byteorder|\.format_version|\.storage_alignment|\.data/(?:version|serialization_id)"
    r"|code/.*\.debug_pkl|mobile_debug_handles\.pkl"
)
_ASIDE = {**ASIDE, "storages": True, "order of bytes": True, "compression": True}


def read_torch(source: Source) -> Content:
    """What a file of PyTorch means.

    Raises:
        UnreadableContentError: it is none, or is damaged.
        ContentTooLargeError: it is beyond the budget.
    """
    head = source.head(len(LEGACY))
    if head[:2] == b"PK":
        with naming(source), zips.opened(source) as archive:
            top = _top(archive)
            if top is not None:
                return _zipped(source, archive, top)
        return read_zip(source)
    if head == LEGACY:
        with naming(source):
            return Content("torch", _legacy(source), "torch/2", _ASIDE)
    return read_pickle(source)


def _top(archive: zips.Zipped) -> str | None:
    """The folder within an archive that PyTorch wrote, with its slash; None where it wrote none."""
    for name in archive.members:
        top = name.removesuffix("data.pkl")
        if top != name and top.count("/") <= 1 and (not top or top.endswith("/")):
            return top if f"{top}version" in archive.members else None
    return None


def _zipped(source: Source, archive: zips.Zipped, top: str) -> Content:
    members = {name.removeprefix(top): name for name in archive.members}
    script = "constants.pkl" in members or any(name.startswith("code/") for name in members)
    big = "byteorder" in members and bytes(archive.read(members["byteorder"])) == b"big"
    found = Named()
    known = {name for name in members if _PACKAGING.fullmatch(name)}
    for pickled in _PICKLES:
        if pickled in members:
            known.add(pickled)
            used, inner = _pickled(source, archive, top, pickled, big=big)
            known |= used
            for name, leaf in inner.items():
                found.put(joined_name("" if pickled == "data.pkl" else pickled[: -len(".pkl")], name), leaf)
    others = []
    for name, member in members.items():
        if name not in known:
            others.append((name, source.member(name, io.BytesIO(archive.read(member)))))
    for name, leaf in joined(others).items():
        found.put(name, leaf)
    kind = "torchscript" if script else "torch"
    aside = {**_ASIDE, "places in sources": True} if script else _ASIDE
    return Content(kind, found.found, f"{kind}/2", aside)


def _pickled(
    source: Source, archive: zips.Zipped, top: str, pickled: str, *, big: bool
) -> tuple[set[str], dict[str, Leaf]]:
    """The leaves of one of the pickles of an archive, and the names of the members that hold its storages."""
    read: dict[str, Buffer] = {}
    folder = pickled.removesuffix(".pkl")

    def persistent(key: Any) -> Any:
        dtype, name, _ = _storage(key)
        # TorchScript names storages by their own archive, or from the top
        place = next(
            (p for p in (f"{folder}/{name}", name) if f"{top}{p}" in archive.members), f"data/{name}"
        )
        if place not in read:
            read[place] = archive.read(f"{top}{place}")
        return Storage(dtype and dtype._replace(big=big), read[place])

    data = archive.read(f"{top}{pickled}")
    cursor = Cursor(data)
    found = Named(leaves(Machine(cursor, persistent=persistent).run(), source.budget))
    if cursor.at < len(data):
        found.put("after the end", bytes_leaf([memoryview(data)[cursor.at :]]))
    return set(read), found.found


def _storage(key: Any) -> tuple[DType | None, str, int]:
    """Type, name and number of elements of what a persistent id names."""
    if not isinstance(key, tuple) or len(key) < 5 or key[0] != "storage":
        raise UnreadableContentError(f"a persistent id that is no storage: {str(key)[:80]}")
    _, kind, name, _, count = key[:5]
    if not isinstance(name, str) or type(count) is not int or count < 0:
        raise UnreadableContentError(f"a persistent id that is no storage: {str(key)[:80]}")
    known = TORCH_DTYPES.get(qualified(kind).rpartition(".")[2])
    return DTYPES[known] if known else None, name, count


def _legacy(source: Source) -> dict[str, Leaf]:
    """The older format: what is pickled is read twice, as the storages of the first reading lie behind it."""
    data = bytes_of(source)
    cursor = Cursor(data)
    for _ in range(3):  # a number of its own, the version, the machine that wrote it
        Machine(cursor).run()
    start = cursor.at
    sizes: dict[str, tuple[DType | None, int]] = {}

    def noted(key: Any) -> Any:
        if isinstance(key, tuple) and key[:1] == ("module",) and len(key) > 1:
            return key[1]
        dtype, name, count = _storage(key)
        sizes[name] = dtype, count
        return Storage(dtype, b"")

    Machine(cursor, persistent=noted).run()
    names = Machine(cursor).run()
    if not isinstance(names, Many):
        raise UnreadableContentError("a file of PyTorch without names of storages")
    storages: dict[str, Storage] = {}
    for name in names.items:
        dtype, _ = sizes.get(name, (None, 0)) if isinstance(name, str) else (None, 0)
        count = int.from_bytes(cursor.read(8), "little")
        size = count * (dtype.size if dtype else 1)
        if cursor.at + size > len(data):
            raise UnreadableContentError(f"a storage of {size} bytes where {len(data) - cursor.at} are")
        storages[name] = Storage(dtype, memoryview(data)[cursor.at : cursor.at + size])
        cursor.at += size

    def kept(key: Any) -> Any:
        if key[0] == "module":
            return key[1]
        if key[2] not in storages:
            raise UnreadableContentError(f"a storage that is not there: {key[2][:80]}")
        return _view(storages[key[2]], key[5] if len(key) > 5 else None)

    found = Named(leaves(Machine(Cursor(data, start), persistent=kept).run(), source.budget))
    if cursor.at < len(data):
        found.put("after the end", bytes_leaf([memoryview(data)[cursor.at :]]))
    return found.found


def _view(storage: Storage, view: Any) -> Storage:
    """A part of a storage, which the oldest writers name."""
    if view is None or storage.dtype is None:
        return storage
    if not isinstance(view, tuple) or len(view) != 3 or not all(type(n) is int and n >= 0 for n in view[1:]):
        raise UnreadableContentError("a view of a storage that is none")
    start = view[1] * storage.dtype.size
    return storage._replace(data=memoryview(storage.data)[start : start + view[2] * storage.dtype.size])
