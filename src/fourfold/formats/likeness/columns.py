"""Reads tables in columns through pyarrow: Parquet, Arrow IPC (files, streams, Feather), ORC.

A leaf a column: its rows in their order, nulls apart from whatever lies beneath them. How a file is cut into
groups and batches, packed, encoded (dictionaries too), and what is written about it beside the schema, do not
count. Lists and structs give leaves of what lies in them: ``column:tags[]``, ``column:place.lat``.
Damaged files may crash the library: this is called in a process of its own (`confined`).
Formats: https://arrow.apache.org/docs/format/Columnar.html.
"""

from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from typing import Any

from blake3 import blake3

from fourfold.formats.likeness.dtypes import DTYPES
from fourfold.formats.likeness.model import Content, Leaf
from fourfold.formats.likeness.records import EXACT
from fourfold.formats.likeness.source import Budget, ContentTooLargeError, Named, Source
from fourfold.formats.likeness.tensors import Gapped, Numbers, contiguous

#: Rows that are looked at together, and lists within lists.
_ROWS, _MAX_NESTED = 1 << 16, 32
#: Bytes that a dictionary may become in one batch.
_MAX_DECODED = 1 << 31
_ASIDE = {
    "row groups and batches": True,
    "compression and encodings": True,
    "dictionaries": True,
    "metadata of the file": True,
}


def read_parquet(source: Source) -> Content:
    """What a Parquet file means.

    Raises:
        ContentTooLargeError: too much comes out of it.
        Exception: whatever pyarrow raises of a damaged file.
    """
    file = import_module("pyarrow.parquet").ParquetFile(source.file, page_checksum_verification=True)
    return _content("parquet", source, file.schema_arrow, file.iter_batches(batch_size=_ROWS))


def read_arrow(source: Source) -> Content:
    """What an Arrow IPC file (which Feather is), or stream, means.

    Raises:
        ContentTooLargeError: too much comes out of it.
        Exception: whatever pyarrow raises of a damaged file.
    """
    ipc = import_module("pyarrow.ipc")
    if source.head(6) == b"ARROW1":
        file = ipc.open_file(source.file)
        batches = (file.get_batch(i) for i in range(file.num_record_batches))
        return _content("arrow", source, file.schema, batches)
    stream = ipc.open_stream(source.file)
    return _content("arrow", source, stream.schema, iter(stream))


def read_orc(source: Source) -> Content:
    """What an ORC file means.

    Raises:
        ContentTooLargeError: too much comes out of it.
        Exception: whatever pyarrow raises of a damaged file.
    """
    file = import_module("pyarrow.orc").ORCFile(source.file)
    return _content("orc", source, file.schema, (file.read_stripe(i) for i in range(file.nstripes)))


def _content(kind: str, source: Source, schema: Any, batches: Iterable[Any]) -> Content:
    names = blake3()
    columns = []
    if len(schema) > source.budget.parts:
        raise ContentTooLargeError(f"{source.name}: {len(schema)} columns")
    for field in schema:
        text = field.name.encode("utf-8", "surrogateescape")
        names.update(len(text).to_bytes(8, "little") + text)
        columns.append(_Column(f"column:{field.name}", field.type, source.budget))
    for batch in batches:
        batch.validate(full=True)
        source.budget.expand(batch.nbytes, source.name)
        for start in range(0, batch.num_rows, _ROWS):
            for column, values in zip(columns, batch.slice(start, _ROWS).columns, strict=True):
                column.add(values)
            source.budget.part(source.name, 0)
    found = Named()
    found.put(":columns", Leaf("value", "names", (len(columns),), names.hexdigest()))
    for column in columns:
        for name, leaf in column.leaves():
            source.budget.part(source.name)
            found.put(name, leaf)
    return Content(kind, found.found, f"{kind}/1", _ASIDE)


class _Column:
    """One column, batch after batch: digests of what is there, of lengths and of values, and its numbers.

    Args:
        name: Of its leaf.
        kind: Its type of Arrow.
        budget: Says whether its numbers may be held.
        depth: How many lists and structs it lies in.
    """

    def __init__(self, name: str, kind: Any, budget: Budget, depth: int = 0) -> None:
        if depth > _MAX_NESTED:
            raise ValueError(f"{name[:80]}: lists within lists, too deep")
        self._pa = pa = import_module("pyarrow")
        self._pc = import_module("pyarrow.compute")
        self.name = name
        self._budget = budget
        self._plain = _plain_type(pa, kind)
        self._rows = self._nulls = 0
        self._valid, self._lengths, self._values = blake3(), blake3(), blake3()
        self._gone = bytearray()
        self._held: bytearray | None = bytearray()
        self._exact = True
        self._children: list[_Column] = []
        self.dtype, way = _told(pa, self._plain)
        ways: dict[str, Callable[[Any], None]] = {
            "fixed": self._fixed,
            "texts": self._texts,
            "list": self._list,
            "struct": self._struct,
            "others": self._others,
        }
        self._add = ways[way]
        if way == "list":
            self._children = [_Column(f"{name}[]", self._plain.value_type, budget, depth + 1)]
        elif way == "struct":
            fields = [self._plain.field(i) for i in range(self._plain.num_fields)]
            self._children = [_Column(f"{name}.{one.name}", one.type, budget, depth + 1) for one in fields]

    def add(self, values: Any) -> None:
        """The next rows."""
        values = self._unwrapped(values)
        valid = self._bytes(values.is_valid().cast(self._pa.uint8()), 1)
        self._valid.update(valid)
        self._rows += len(values)
        if self._held is not None and not self._budget.hold(len(values)):
            self._held = None
        if self._held is not None:
            self._gone += valid.translate(_FLIPPED)
        self._nulls += values.null_count
        self._add(values)

    def _unwrapped(self, values: Any) -> Any:
        """The same rows without dictionaries, runs and extensions around their values."""
        types = self._pa.types
        for _ in range(_MAX_NESTED):
            if isinstance(values, self._pa.ExtensionArray):
                values = values.storage
            elif types.is_dictionary(values.type):
                self._decodable(values)
                values = values.dictionary_decode()
            elif types.is_run_end_encoded(values.type):
                values = self._pc.run_end_decode(values)
            else:
                break
        return values

    def _decodable(self, values: Any) -> None:
        """A few long values that are referred to often are not copied as often."""
        longest = values.dictionary.nbytes
        if longest * len(values) > _MAX_DECODED and longest > len(values.dictionary) * 16:
            kind = self._pa.large_binary()
            lengths = self._pc.binary_length(values.dictionary.cast(self._pa.large_string()).cast(kind))
            longest = self._pc.max(lengths).as_py() or 0
            if longest * len(values) > _MAX_DECODED:
                raise ContentTooLargeError(
                    f"{self.name[:80]}: values of {longest} bytes in {len(values)} rows"
                )

    @staticmethod
    def _bytes(values: Any, width: int) -> bytes:
        """The bytes of rows of a fixed width without nulls."""
        buffer = values.buffers()[1]
        if buffer is None or not len(values):
            return b""
        return bytes(memoryview(buffer)[values.offset * width : (values.offset + len(values)) * width])

    def _fixed(self, values: Any) -> None:
        pa = self._pa
        if pa.types.is_boolean(values.type):
            values = values.cast(pa.uint8())
        width = values.type.bit_width // 8
        words = values.view({1: pa.uint8(), 2: pa.uint16(), 4: pa.uint32(), 8: pa.uint64()}[width])
        data = self._bytes(words.fill_null(0) if words.null_count else words, width)
        self._values.update(data)
        if self.dtype in {"int64", "uint64"} and len(values) > values.null_count:
            ends = self._pc.min_max(values)
            self._exact = self._exact and -EXACT <= ends["min"].as_py() <= ends["max"].as_py() <= EXACT
        if self._held is not None and self.dtype in DTYPES:
            self._held += data

    def _texts(self, values: Any) -> None:
        pa = self._pa
        kind = pa.large_binary() if self.dtype == "bytes" else pa.large_string()
        values = values.cast(kind).cast(pa.large_binary())
        values = values.fill_null(b"") if values.null_count else values
        self._lengths.update(self._bytes(self._pc.binary_length(values).cast(pa.int64()), 8))
        if not len(values):
            return
        ends = memoryview(values.buffers()[1]).cast("B").cast("q")
        first, last = ends[values.offset], ends[values.offset + len(values)]
        data = values.buffers()[2]
        self._values.update(memoryview(data)[first:last] if data is not None else b"")

    def _list(self, values: Any) -> None:
        lengths = self._pc.list_value_length(values).cast(self._pa.int64())
        self._lengths.update(self._bytes(lengths.fill_null(0) if lengths.null_count else lengths, 8))
        self._children[0].add(self._pc.list_flatten(values))

    def _struct(self, values: Any) -> None:
        for child, inner in zip(self._children, values.flatten(), strict=True):
            child.add(inner)

    def _others(self, values: Any) -> None:
        """Values of rarer types, one by one."""
        for value in values.to_pylist():
            text = repr(value).encode("utf-8", "surrogatepass")
            self._values.update(len(text).to_bytes(8, "little") + text)

    def leaves(self) -> Iterator[tuple[str, Leaf]]:
        """Its leaf, one of its nulls where it has some, and those of what lies in it."""
        shape = (self._rows,)
        parts = self._valid.digest() + self._lengths.digest() + self._values.digest()
        numbers: Callable[[], Iterable[float]] | None = None
        # With gaps, numbers are doubles: large whole numbers would not be told apart.
        if self._held is not None and self.dtype in DTYPES and (self._exact or not self._nulls):
            values = Numbers(contiguous(DTYPES[self.dtype], shape, bytes(self._held)))
            numbers = Gapped(values, bytes(self._gone)) if self._nulls else values
        yield self.name, Leaf("column", self.dtype, shape, blake3(parts).hexdigest(), numbers)
        if self._nulls:
            gaps = None
            if self._held is not None:
                gaps = Numbers(contiguous(DTYPES["bool"], shape, bytes(self._gone)))
            yield f"{self.name}:nulls", Leaf("column", "bool", shape, self._valid.hexdigest(), gaps)
        for child in self._children:
            yield from child.leaves()


#: Of bytes that are 1 where something is: 1 where nothing is.
_FLIPPED = bytes([1, 0]) + bytes(254)


def _plain_type(pa: Any, kind: Any) -> Any:
    """The type of the values themselves."""
    for _ in range(_MAX_NESTED):
        if isinstance(kind, pa.BaseExtensionType):
            kind = kind.storage_type
        elif pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
            kind = kind.value_type
        else:
            break
    return kind


def _told(pa: Any, kind: Any) -> tuple[str, str]:
    """What a type is called, and which way its rows are read."""
    name = _FLOATS.get(str(kind), str(kind))
    if name in DTYPES:
        return name, "fixed"
    if pa.types.is_timestamp(kind):
        return f"datetime64[{kind.unit}{f', {kind.tz}' if kind.tz else ''}]", "fixed"
    for asked, called, way in _WAYS:
        if any(getattr(pa.types, f"is_{one}")(kind) for one in asked):
            return called or name, way
    return name, "others"


_FLOATS = {"halffloat": "float16", "float": "float32", "double": "float64"}
#: Types by the names of pyarrow's questions for them, what they are called, and how they are read.
_WAYS = (
    (("date", "time", "duration"), "", "fixed"),
    (("string", "large_string", "string_view"), "str", "texts"),
    (("binary", "large_binary", "binary_view"), "bytes", "texts"),
    (("list", "large_list", "fixed_size_list"), "list", "list"),
    (("struct",), "struct", "struct"),
    (("map",), "map", "others"),
)
