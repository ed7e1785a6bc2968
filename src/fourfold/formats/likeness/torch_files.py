"""Reads what ``torch.save`` writes: state dictionaries, tensors, modules; without PyTorch, and running none.

The ZIP format (a pickle, and a member for the bytes of each storage) and the older one (pickles and storages
one after another). What shares a storage, where it lay and the order of bytes do not count. TorchScript is
read as the archive that it is. Facts: ``torch.serialization``.
"""

from typing import Any

from fourfold.formats.likeness import zips
from fourfold.formats.likeness.archives import read_zip
from fourfold.formats.likeness.dtypes import DTYPES, DType
from fourfold.formats.likeness.known import ASIDE, TORCH_DTYPES, Storage, qualified
from fourfold.formats.likeness.model import Content, Leaf
from fourfold.formats.likeness.opcodes import Cursor, Machine, Many
from fourfold.formats.likeness.pickles import read_pickle
from fourfold.formats.likeness.source import Source, UnreadableContentError
from fourfold.formats.likeness.tensors import Buffer, bytes_of, naming
from fourfold.formats.likeness.trees import leaves

#: How a file of the older format begins: a pickle of a number of its own.
LEGACY = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
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
            top = next((name[: -len("data.pkl")] for name in archive.members if _is_pickle(name)), None)
            script = top is None or f"{top}constants.pkl" in archive.members
            found = {} if top is None or script else _zipped(source, archive, top)
        return read_zip(source) if script else Content("torch", found, "torch/1", _ASIDE)
    if head == LEGACY:
        with naming(source):
            return Content("torch", _legacy(source), "torch/1", _ASIDE)
    return read_pickle(source)


def _is_pickle(name: str) -> bool:
    return name == "data.pkl" or (name.endswith("/data.pkl") and name.count("/") == 1)


def _zipped(source: Source, archive: zips.Zipped, top: str) -> dict[str, Leaf]:
    order = f"{top}byteorder"
    big = order in archive.members and bytes(archive.read(order)) == b"big"
    read: dict[str, Buffer] = {}

    def persistent(key: Any) -> Any:
        dtype, name, _ = _storage(key)
        if name not in read:
            read[name] = archive.read(f"{top}data/{name}")
        return Storage(dtype and dtype._replace(big=big), read[name])

    data = archive.read(f"{top}data.pkl")
    return leaves(Machine(Cursor(data), persistent=persistent).run(), source.budget)


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

    return leaves(Machine(Cursor(data, start), persistent=kept).run(), source.budget)


def _view(storage: Storage, view: Any) -> Storage:
    """A part of a storage, which the oldest writers name."""
    if view is None or storage.dtype is None:
        return storage
    if not isinstance(view, tuple) or len(view) != 3 or not all(type(n) is int and n >= 0 for n in view[1:]):
        raise UnreadableContentError("a view of a storage that is none")
    start = view[1] * storage.dtype.size
    return storage._replace(data=memoryview(storage.data)[start : start + view[2] * storage.dtype.size])
