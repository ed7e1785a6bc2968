import json
import struct
from typing import Any

import numpy as np
import pytest

from fourfold.formats.likeness import reading
from fourfold.formats.likeness.model import Content, compare
from fourfold.formats.likeness.source import UnreadableContentError

NAMES = {"float32": "F32", "float64": "F64", "float16": "F16", "int64": "I64", "uint8": "U8", "bool": "BOOL"}
TENSORS = {
    "layer.weight": np.arange(6, dtype="float32").reshape(2, 3),
    "layer.bias": np.arange(3, dtype="float16"),
    "mask": np.array([True, False]),
    "step": np.array(7, dtype="int64"),
}


def written(tensors: dict[str, Any], *, metadata: dict[str, str] | None = None, spaces: int = 0) -> bytes:
    header: dict[str, Any] = {"__metadata__": metadata} if metadata else {}
    body = b""
    for name, array in tensors.items():
        data = array.tobytes()
        offsets = [len(body), len(body) + len(data)]
        header[name] = {"dtype": NAMES[str(array.dtype)], "shape": list(array.shape), "data_offsets": offsets}
        body += data
    text = json.dumps(header).encode() + b" " * spaces
    return struct.pack("<Q", len(text)) + text + body


def read(data: bytes) -> Content:
    return reading.read_bytes(data, "model.safetensors")


def test_tensors_mean_the_same_in_any_order_with_any_metadata_and_padding() -> None:
    one = written(TENSORS)
    other = written(dict(reversed(TENSORS.items())), metadata={"format": "pt", "at": "noon"}, spaces=5)
    assert one != other
    assert compare(read(one), read(other)) == ()
    assert read(other).aside["metadata"] == {"format": "pt", "at": "noon"}
    numbers = read(one).leaves["layer.weight"].numbers
    assert numbers is not None
    assert list(numbers()) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"mask": np.array([True, True])}, "values"),
        ({"mask": np.array([1, 0], "uint8")}, "kind"),
        ({"mask": np.array([[True, False]])}, "shape"),
    ],
)
def test_another_value_type_or_shape_of_a_tensor_is_named(change: dict[str, Any], what: str) -> None:
    (found,) = compare(read(written(TENSORS)), read(written({**TENSORS, **change})))
    assert (found.name, found.what) == ("mask", what)


def test_tensors_that_are_missing_and_new_are_named() -> None:
    fewer = {name: array for name, array in TENSORS.items() if name != "step"}
    (found,) = compare(read(written(TENSORS)), read(written(fewer)))
    assert (found.name, found.what) == ("step", "missing")


def header(row: Any) -> bytes:
    text = json.dumps({"a": row}).encode()
    return struct.pack("<Q", len(text)) + text + bytes(8)


def test_a_type_that_is_newer_than_the_reader_is_compared_by_its_bytes() -> None:
    row = {"dtype": "F4", "shape": [16], "data_offsets": [0, 8]}
    leaf = read(header(row)).leaves["a"]
    assert (leaf.dtype, leaf.shape, leaf.numbers) == ("F4", (16,), None)


@pytest.mark.parametrize(
    "data",
    [
        b"x",
        struct.pack("<Q", 1 << 60),
        struct.pack("<Q", 5) + b"{}",
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 2) + b"\xff}",
        struct.pack("<Q", 60_000) + b"[" * 60_000,
        struct.pack("<Q", 14) + b'{"a":1,"a":{}}',
        header(1),
        header({}),
        header({"dtype": "F32", "shape": [2], "data_offsets": [0, 9]}),
        header({"dtype": "F32", "shape": [2], "data_offsets": [4, 8]}),
        header({"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]}),
        header({"dtype": "F32", "shape": ["x"], "data_offsets": [0, 8]}),
        header({"dtype": "F32", "shape": [2], "data_offsets": [0, "8"]}),
        header({"dtype": "F32", "shape": [1 << 70, 0], "data_offsets": [0, 8]}),
        header({"dtype": [], "shape": [2], "data_offsets": [0, 8]}),
    ],
)
def test_a_file_that_is_damaged_is_an_error_with_its_name(data: bytes) -> None:
    with pytest.raises(UnreadableContentError, match=r"^model\.safetensors: "):
        read(data)


def test_tensors_that_lie_upon_one_another_are_refused() -> None:
    rows = {name: {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]} for name in "ab"}
    header = json.dumps(rows).encode()
    with pytest.raises(UnreadableContentError, match="upon one another"):
        reading.read_bytes(len(header).to_bytes(8, "little") + header + b"1234", "a.safetensors")
