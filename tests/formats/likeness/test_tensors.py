import math
import struct
from array import array

import numpy as np
import pytest

from fourfold.formats.likeness.dtypes import DTYPES, numpy_dtype
from fourfold.formats.likeness.model import Leaf
from fourfold.formats.likeness.source import ContentTooLargeError, UnreadableContentError
from fourfold.formats.likeness.tensors import (
    Distance,
    NotComparableError,
    Tensor,
    checked,
    contiguous,
    decoded,
    distance,
    leaf,
    number,
    packed,
)

NUMERIC = ["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]
NUMERIC += ["float16", "float32", "float64", "complex64", "complex128"]


def leaf_of(values: np.ndarray) -> Leaf:
    return leaf(contiguous(numpy_dtype(values.dtype.str), values.shape, values.tobytes()))


def random_values(name: str, seed: int, size: int = 3000) -> np.ndarray:
    raw = np.random.default_rng(seed).integers(0, 256, size * 16, np.uint8).tobytes()
    dtype = np.dtype(name)
    values = np.frombuffer(raw[: size * dtype.itemsize], dtype).copy()
    return values % 2 == 1 if name == "bool" else values


@pytest.mark.parametrize("name", NUMERIC)
@pytest.mark.parametrize("fast", [True, False])
def test_every_order_of_axes_and_of_bytes_has_the_same_fixed_form(name: str, fast: bool) -> None:
    values = np.arange(24).reshape(2, 3, 4).astype(name)
    expected = values.astype(values.dtype.newbyteorder("<")).tobytes()
    swapped = values.astype(values.dtype.newbyteorder(">"))
    for other in (values, np.asfortranarray(values), swapped, np.asfortranarray(swapped)):
        order = "C" if other.flags.c_contiguous else "F"
        tensor = contiguous(numpy_dtype(other.dtype.str), other.shape, other.tobytes(order), order=order)
        assert bytes(packed(tensor, fast=fast)) == expected
        assert leaf(tensor, fast=fast)[:4] == leaf_of(values)[:4]


@pytest.mark.parametrize("fast", [True, False])
def test_a_view_with_steps_means_its_values(fast: bool) -> None:
    base = np.arange(60, dtype="<i4").reshape(5, 12)
    view = base[1:, 2::3]
    tensor = Tensor(DTYPES["int32"], view.shape, view.strides, 56, base.tobytes())
    assert bytes(packed(checked(tensor), fast=fast)) == view.tobytes()
    repeated = Tensor(DTYPES["int32"], (3, 4), (0, 4), 0, base.tobytes())
    assert bytes(packed(checked(repeated), fast=fast)) == base[0, :4].tobytes() * 3


@pytest.mark.parametrize("name", NUMERIC)
def test_numbers_are_what_numpy_reads(name: str) -> None:
    values = np.arange(-3, 9).astype(name)
    found = leaf_of(values).numbers
    assert found is not None
    flat = values.view(values.real.dtype) if values.dtype.kind == "c" else values
    assert list(found()) == flat.astype(float).tolist()


def test_bfloat16_is_the_upper_half_of_a_float32() -> None:
    values = [0.0, 1.0, -2.5, math.inf, 3.140625]
    data = b"".join(struct.pack("<f", value)[2:] for value in values)
    assert list(decoded(DTYPES["bfloat16"], data)) == values


def test_floats_of_eight_bits_have_the_values_of_their_specification() -> None:
    e4, e5 = DTYPES["float8_e4m3fn"], DTYPES["float8_e5m2"]
    assert list(decoded(e4, bytes([0x00, 0x01, 0x38, 0x7E, 0xB8]))) == [0.0, 2.0**-9, 1.0, 448.0, -1.0]
    assert math.isnan(decoded(e4, b"\x7f")[0])
    assert list(decoded(e5, bytes([0x01, 0x3C, 0x7B, 0x7C, 0xFC]))) == [
        2.0**-16,
        1.0,
        57344.0,
        math.inf,
        -math.inf,
    ]


def test_a_shape_over_its_bytes_is_refused_and_one_that_would_fill_the_memory() -> None:
    with pytest.raises(UnreadableContentError, match="needs more bytes than the 3 "):
        contiguous(DTYPES["float32"], (4,), b"123")
    with pytest.raises(UnreadableContentError, match="not a length"):
        contiguous(DTYPES["float32"], (-1,), b"123")
    with pytest.raises(UnreadableContentError, match="not a length"):
        checked(Tensor(DTYPES["int8"], (2,), (-1,), 0, b"123"))
    with pytest.raises(ContentTooLargeError):
        checked(Tensor(DTYPES["int8"], (1 << 40,), (0,), 0, b"1"))
    with pytest.raises(UnreadableContentError, match="no type"):
        numpy_dtype("<f99999999999999")


def exact(a: np.ndarray, b: np.ndarray) -> Distance:
    """What NumPy says, value by value, its own steps between floats counted by their bits."""
    nans = (np.isnan(a), np.isnan(b))
    different = ~((a == b) | (nans[0] & nans[1]))
    mismatch = int((nans[0] ^ nans[1]).sum())
    return Distance(a.size, int(different.sum()), nan_mismatch=mismatch)


@pytest.mark.parametrize(
    "name", ["float16", "float32", "float64", "bfloat16", "float8_e4m3fn", "float8_e5m2"]
)
def test_the_distance_with_numpy_is_the_distance_without_it(name: str) -> None:
    size = DTYPES[name].size
    rng = np.random.default_rng(5)
    for _ in range(3):
        one, other = (rng.integers(0, 256, 999 * size, np.uint8).tobytes() for _ in range(2))
        a, b = (leaf(contiguous(DTYPES[name], (999,), data)) for data in (one, other))
        assert distance(a, b) == distance(a, b, fast=False)
        assert distance(a, b).nan_mismatch or name == "float64" or distance(a, b).unequal


@pytest.mark.parametrize("name", NUMERIC)
def test_any_numbers_are_as_far_apart_with_numpy_as_without(name: str) -> None:
    a, b = random_values(name, 1), random_values(name, 2)
    b[::3] = a[::3]
    found = distance(leaf_of(a), leaf_of(b))
    assert found == distance(leaf_of(a), leaf_of(b), fast=False)
    if np.dtype(name).kind != "c":
        assert found[:2] == exact(a, b)[:2]
        assert found.nan_mismatch == exact(a, b).nan_mismatch


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("name", ["float16", "float32", "float64"])
def test_the_next_float_is_one_unit_away_and_one_unit_crosses_zero(name: str, fast: bool) -> None:
    a = np.array([1.0, -7.5, 0.0, -0.0, 3.0], name)
    b = a.copy()
    b[1] = np.nextafter(a[1], np.inf, dtype=name)
    found = distance(leaf_of(a), leaf_of(b), fast=fast)
    assert (found.unequal, found.ulp, found.at) == (1, 1, 1)
    assert found.absolute == abs(float(a[1]) - float(b[1]))
    assert found.relative == found.absolute / 7.5
    tiny = np.array([np.nextafter(np.zeros((), name), np.ones((), name))])
    assert distance(leaf_of(tiny), leaf_of(-tiny), fast=fast).ulp == 2


@pytest.mark.parametrize("fast", [True, False])
def test_zero_is_like_minus_zero_nan_like_nan_and_nothing_else_like_nan(fast: bool) -> None:
    a = np.array([0.0, math.nan, math.inf, 1.0, math.nan])
    b = np.array([-0.0, -math.nan, math.inf, 1.0, 5.0])
    found = distance(leaf_of(a), leaf_of(b), fast=fast)
    assert found == Distance(5, 1, math.inf, math.inf, 0, 4, 1)


@pytest.mark.parametrize("fast", [True, False])
def test_whole_numbers_are_told_apart_beyond_what_doubles_hold(fast: bool) -> None:
    a = np.array([2**62, -(2**63)], "int64")
    b = np.array([2**62 + 1, 2**63 - 1], "int64")
    found = distance(leaf_of(a), leaf_of(b), fast=fast)
    assert (found.unequal, found.absolute, found.ulp, found.at) == (2, float(2**64 - 1), None, 1)


@pytest.mark.parametrize("fast", [True, False])
def test_the_place_of_the_worst_is_counted_over_all_blocks(fast: bool) -> None:
    a = np.zeros(400_000, "float32")
    b = a.copy()
    b[7], b[399_999] = 1.0, 2.0
    found = distance(leaf_of(a), leaf_of(b), fast=fast)
    assert (found.values, found.unequal, found.absolute, found.at) == (400_000, 2, 2.0, 399_999)


def test_leaves_of_other_types_are_compared_as_doubles_and_those_of_other_readers_too() -> None:
    a, b = np.array([1, 2, 3], "int32"), np.array([1.0, 2.5, 3.0], "float32")
    found = distance(leaf_of(a), leaf_of(b))
    assert (found.unequal, found.absolute, found.ulp) == (1, 0.5, None)
    foreign = Leaf("column", "float64", (3,), "", lambda: array("d", (1.0, 2.0, 3.0 + 2**-51)))
    found = distance(foreign, leaf_of(a.astype("float64")))
    assert (found.unequal, found.ulp) == (1, 1)
    short = Leaf("column", "float64", (3,), "", lambda: iter((1.0,)))
    with pytest.raises(NotComparableError):
        distance(short, foreign)


def test_other_shapes_and_texts_cannot_be_compared_in_numbers() -> None:
    with pytest.raises(NotComparableError):
        distance(number(1), leaf_of(np.zeros(1)))
    with pytest.raises(NotComparableError):
        distance(Leaf("text", "str", (), ""), number(1))


def test_numbers_of_python_are_leaves_whatever_their_size() -> None:
    assert number(1)[:3] == ("number", "int64", ())
    assert number(1.0).digest != number(1).digest
    assert number(10**40).digest != number(-(10**40)).digest
    assert number(bool(1))[:2] == ("value", "bool")
