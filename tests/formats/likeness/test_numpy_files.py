import contextlib
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fourfold.formats.likeness import reading
from fourfold.formats.likeness.model import Content, compare
from fourfold.formats.likeness.numpy_files import read_npy, read_npz
from fourfold.formats.likeness.source import Budget, ContentTooLargeError, Source, UnreadableContentError

ARRAYS = {
    "floats": np.arange(6.0).reshape(2, 3),
    "halves": np.arange(6, dtype="f2"),
    "whole": np.array(7),
    "none": np.zeros((3, 0)),
    "texts": np.array(["a", "bcd"]),
    "bytes": np.array([b"a", b"bc"]),
    "complex": np.array([1 + 2j]),
    "times": np.array(["2020-01-01", "NaT"], "M8[s]"),
    "fields": np.zeros(3, [("a", "<i4"), ("b", ">f8", (2, 2)), ("c", [("d", "i2")])]),
    "padded": np.zeros(3, np.dtype([("a", "i1"), ("b", "f8")], align=True)),
    "objects": np.array([["a", None], [1, 2.5]], object),
}


OTHER = {"texts": "zz", "times": np.datetime64(5, "s")}


def inner(_: Source) -> Content:
    raise AssertionError


def source(data: bytes, name: str = "x.npy") -> Source:
    budget = Budget()
    budget.begin(len(data))
    return Source(name, io.BytesIO(data), len(data), inner=inner, budget=budget)


def npy(array: np.ndarray, version: tuple[int, int] | None = None) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version)
    return file.getvalue()


def swapped(array: np.ndarray) -> np.ndarray:
    return array.astype(array.dtype.newbyteorder(), order="F")


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_means_the_same_in_any_order_of_axes_and_bytes_and_any_version(name: str) -> None:
    array = ARRAYS[name]
    plain = read_npy(source(npy(array)))
    assert plain.kind == "npy"
    for other in (npy(swapped(array)), npy(array, (2, 0)), npy(array, (3, 0))):
        assert compare(plain, read_npy(source(other))) == ()
    assert npy(array) != npy(array, (2, 0))


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_of_another_value_shape_or_type_differs(name: str) -> None:
    array = ARRAYS[name]
    others = [array[..., None], np.arange(17.0)]
    if array.size and array.dtype.fields is None:
        changed = array.copy()
        changed.flat[0] = OTHER.get(name, 1)
        others.append(changed)
    for other in others:
        assert compare(read_npy(source(npy(array))), read_npy(source(npy(other))))


def test_what_pads_the_fields_of_an_array_does_not_count() -> None:
    dtype = np.dtype([("a", "i1"), ("b", "f8")], align=True)
    one = np.frombuffer(bytes(32), dtype)
    raw = bytearray(32)
    raw[1:8] = b"padding"
    other = np.frombuffer(bytes(raw), dtype)
    assert npy(one) != npy(other)
    found = read_npy(source(npy(one)))
    assert compare(found, read_npy(source(npy(other)))) == ()
    assert set(found.leaves) == {"a", "b"}


def test_an_array_of_objects_is_not_loaded(tmp_path: Path) -> None:
    mark = tmp_path / "it-ran"

    class Hostile:
        def __reduce__(self) -> Any:
            return open, (str(mark), "w")

    content = read_npy(source(npy(np.array([Hostile(), 1], object))))
    assert content.leaves["0"].dtype.endswith("open")
    assert not mark.exists()


def test_named_arrays_mean_the_same_packed_or_not_in_any_order(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **ARRAYS)
    np.savez_compressed(tmp_path / "b.npz", **dict(reversed(ARRAYS.items())))
    a, b = ((tmp_path / name).read_bytes() for name in ("a.npz", "b.npz"))
    assert a != b
    one, other = read_npz(source(a)), read_npz(source(b))
    assert compare(one, other) == ()
    assert {"floats", "fields/a", "fields/c/d", "objects:type", "objects/0"} <= set(one.leaves)
    np.savez(tmp_path / "c.npz", **{**ARRAYS, "halves": np.arange(6, dtype="f2") + 1})
    (found,) = compare(one, read_npz(source((tmp_path / "c.npz").read_bytes())))
    assert (found.name, found.what) == ("halves", "values")


def test_a_file_on_disk_is_read_as_the_one_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    np.save(path, ARRAYS["floats"])
    with path.open("rb") as file:
        content = read_npy(Source("x.npy", file, path.stat().st_size, inner=inner, budget=Budget()))
    path.unlink()
    numbers = content.leaves[""].numbers
    assert numbers is not None
    assert list(numbers()) == [0, 1, 2, 3, 4, 5]


def test_a_packed_bomb_is_refused() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", npy(np.zeros(1 << 20, "i1")))
    data = file.getvalue()
    read_npz(source(data, "x.npz"))
    tight = source(data, "x.npz")
    tight.budget.free = 1000
    with pytest.raises(ContentTooLargeError, match=r"x\.npz"):
        read_npz(tight)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x93NUMPY",
        b"\x93NUMPY\x01\x00\xff\xff{}",
        b"\x93NUMPY\x09\x00\x02\x00{}",
        b"\x93NUMPY\x01\x00\x02\x00{}",
        b"\x93NUMPY\x01\x00\x04\x00((((",
        b"\x93NUMPY\x01\x00\x02\x00[]",
        b"\x93NUMPY\x02\x00\xff\xff\xff\x7f{}",
        npy(np.arange(3.0))[:-1],
        npy(np.arange(3.0)).replace(b"(3,)", b"(9,)"),
        npy(np.arange(3.0)).replace(b"(3,)", b"-3  "),
        npy(np.arange(3.0)).replace(b"<f8", b"<q8"),
        npy(ARRAYS["objects"])[:-3],
    ],
)
def test_what_is_no_array_is_an_error_with_its_name(data: bytes) -> None:
    with pytest.raises(UnreadableContentError, match=r"^x\.npy: "):
        read_npy(source(data))


def test_every_flip_of_a_file_of_arrays_is_read_or_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", a=np.arange(3), b=np.array([1, "x"], object))
    data = (tmp_path / "a.npz").read_bytes()
    refused = 0
    for at in range(len(data)):
        flipped = bytearray(data)
        flipped[at] ^= 1 << (at % 8)
        try:
            read_npz(source(bytes(flipped), "x.npz"))
        except (UnreadableContentError, ContentTooLargeError):
            refused += 1
    assert refused > len(data) / 3


def test_a_header_of_an_old_python_is_read() -> None:
    data = npy(np.arange(3.0)).replace(b"(3,), }  ", b"(3L,), } ")
    assert compare(read_npy(source(data)), read_npy(source(npy(np.arange(3.0))))) == ()


def saved(*arrays: object) -> bytes:
    file = io.BytesIO()
    for array in arrays:
        np.save(file, np.asarray(array))
    return file.getvalue()


def test_arrays_that_were_saved_in_turn_all_count() -> None:
    objects = np.array([1, "a"], object)
    one = reading.read_bytes(saved([1.0], objects, [2, 3]), "a.npy")
    other = reading.read_bytes(saved([1.0], objects, [2, 4]), "a.npy")
    assert [found.name for found in compare(one, other)] == ["[3]"]
    more = [reading.read_bytes(saved([1.0]) + rest, "a.npy") for rest in (b"one", b"two")]
    assert [found.name for found in compare(*more)] == ["after the end"]


def test_a_shape_of_very_many_digits_is_no_shape() -> None:
    for shape in (f"(0x{'f' * 5000},)", f"(0, 0x{'f' * 5000})"):
        header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}".encode()
        data = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
        with pytest.raises(UnreadableContentError, match="length"):
            reading.read_bytes(data, "a.npy")


def test_members_of_nearly_one_name_are_kept_apart() -> None:
    contents = []
    for text in (b"one", b"two"):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("a", text)
            archive.writestr("a.npy", saved([1.0]))
        contents.append(reading.read_bytes(file.getvalue(), "a.npz"))
    assert [found.name for found in compare(*contents)] == ["a"]


@pytest.mark.parametrize("packing", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_every_flip_of_packed_arrays_is_read_or_refused(packing: int) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", packing) as archive:
        archive.writestr("a.npy", saved([1.0, 2.0]))
    data = file.getvalue()
    for at in range(len(data)):
        for bits in (0xFF, 1, 0x40):
            flipped = data[:at] + bytes([data[at] ^ bits]) + data[at + 1 :]
            with contextlib.suppress(UnreadableContentError, ContentTooLargeError):
                reading.read_bytes(flipped, "a.npz")
