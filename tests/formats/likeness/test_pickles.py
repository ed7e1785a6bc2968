import collections
import contextlib
import datetime as dt
import decimal
import gzip
import io
import os
import pickle
import pickletools
import sys
import time
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fourfold.formats.likeness import reading
from fourfold.formats.likeness.model import Content, compare
from fourfold.formats.likeness.opcodes import Cursor, Machine
from fourfold.formats.likeness.pickles import read_pickle
from fourfold.formats.likeness.source import Budget, ContentTooLargeError, Source, UnreadableContentError
from fourfold.formats.likeness.tensors import distance


def read(data: bytes, *, unsafe: bool = False, parts: int = 2_000_000) -> Content:
    def inner(_: Source) -> Content:
        raise AssertionError

    return read_pickle(
        Source("x.pkl", io.BytesIO(data), len(data), inner=inner, budget=Budget(parts=parts), unsafe=unsafe)
    )


class Plain:
    def __init__(self) -> None:
        self.a = 1
        self.b = np.arange(3.0)


class Slotted:
    __slots__ = ("x", "y")

    def __init__(self) -> None:
        self.x, self.y = 1, "q"


class Mapped(dict[str, int]):
    pass


class Listed(list[Any]):
    pass


def mapped() -> Mapped:
    value = Mapped(a=1)
    value.more = 3  # type: ignore[attr-defined]
    return value


def forest(seed: int = 0) -> RandomForestClassifier:
    x = np.random.default_rng(0).normal(size=(60, 3))
    return RandomForestClassifier(4, random_state=seed).fit(x, x[:, 0] > 0)


def pipeline() -> Any:
    x = np.random.default_rng(0).normal(size=(60, 3))
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(x, x[:, 0] > 0)


STRUCTURED = np.dtype([("a", "<i4"), ("b", ">f8", (2,)), ("c", [("d", "i2")])])
VALUES: dict[str, Any] = {
    "nothing": None,
    "number": 2.5,
    "numbers of any size": [10**30, -(10**25), 5, -1],
    "text": "a\nü\ud800",
    "bytes": b"a\xff",
    "mutable bytes": bytearray(b"a\xff"),
    "complex": 1 + 2j,
    "set": {1, 2, "a"},
    "frozen set": frozenset("abc"),
    "tuple": (1, ("a", None), True),
    "dictionary": {"a": 1, 2: 3, (1, "a"): 4.5, b"a": None},
    "ordered": collections.OrderedDict(a=1, b=[1]),
    "counter": collections.Counter("aab"),
    "default": collections.defaultdict(list, a=[1]),
    "queue": collections.deque([1, "a"], maxlen=3),
    "moment": dt.datetime(2020, 1, 1, tzinfo=dt.UTC),
    "date": dt.date(2020, 1, 31),
    "decimal": decimal.Decimal("1.5"),
    "range": range(3),
    "array": np.arange(6).reshape(2, 3),
    "array of columns": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "array of three axes": np.transpose(np.arange(24.0).reshape(2, 3, 4), (1, 0, 2)),
    "array of nothing": np.zeros((0, 3)),
    "array of one": np.array(3.0),
    "array, big endian": np.arange(3, dtype=">f4"),
    "array of texts": np.array(["a", "bcd"]),
    "array of bytes": np.array([b"a"]),
    "array of objects": np.asfortranarray(np.array([[1, "a"], [None, 2]], object)),
    "array of times": np.array(["2020-01-01"], "M8[25s]"),
    "array of fields": np.zeros(2, STRUCTURED),
    "array of long doubles": np.arange(2, dtype=np.longdouble),
    "masked array": np.ma.MaskedArray([1, 2], mask=[0, 1]),
    "scalar": np.float32(1.5),
    "time": np.datetime64("2020-01-01"),
    "type": np.dtype([("a", "f4")]),
    "class": np.float32,
    "object": Plain(),
    "object with slots": Slotted(),
    "dictionary of a class": mapped(),
    "list of a class": Listed([1, "a"]),
    "random state": np.random.RandomState(0),
    "generator": np.random.default_rng(0),
    "forest": forest(),
    "pipeline": pipeline(),
    "series": pd.Series([1.0, 2.0], name="x"),
    "categories": pd.Categorical(["a", "b", "a"]),
}


@pytest.mark.parametrize("name", VALUES)
def test_a_value_means_the_same_in_every_protocol_that_can_write_it(name: str) -> None:
    value = VALUES[name]
    lowest = 2 if name == "object with slots" else 0
    contents = [read(pickle.dumps(value, protocol)) for protocol in range(lowest, 6)]
    for content in contents[1:]:
        assert compare(contents[0], content) == ()
    assert contents[0].leaves


def test_the_memo_and_the_frames_do_not_count() -> None:
    value = {"a": ["x" * 9, "x" * 9], "b": np.arange(4.0), "c": [1.5, 2.5]}
    data = pickle.dumps(value, 4)
    lean = pickletools.optimize(data)
    copied = pickle.dumps({"a": ["x" * 9, "".join(["x"] * 9)], "b": np.arange(4.0), "c": [1.5, 2.5]}, 4)
    assert len({data, lean, copied}) == 3
    assert compare(read(data), read(lean)) == compare(read(data), read(copied)) == ()


def test_the_order_of_keys_and_of_sets_does_not_count() -> None:
    one, other = {8, 16, 0, 24}, {24, 0, 16, 8}  # they collide, so that the order of insertion shows
    a, b = pickle.dumps({"a": 1, "b": one}), pickle.dumps({"b": other, "a": 1})
    assert a != b
    assert compare(read(a), read(b)) == ()


DIFFERENT: list[tuple[Any, Any, str]] = [
    (1, 2, ""),
    (1, 1.0, ""),
    (1, True, ""),
    ("1", b"1", ""),
    ([1, 2], (1, 2), ":type"),
    ([1, 2], [2, 1], ""),
    ({1}, frozenset({1}), ""),
    ({1, 2}, {1, 3}, ""),
    ({"a": 1}, {"a": 2}, "a"),
    ({0: "x"}, {"0": "x"}, ":type"),
    ({0: "x"}, ["x"], ":type"),
    ({"a": {"b": 1}}, {"a/b": 1}, "a:type"),
    ([], {}, ":type"),
    (np.arange(3), np.arange(4), ""),
    (np.arange(3.0), np.arange(3.0, dtype="f4"), ""),
    (np.zeros((2, 3)), np.zeros((3, 2)), ""),
    (np.array(["a"]), np.array([b"a"]), ""),
    (np.array([1, "a"], object), np.array([1, "b"], object), "1"),
    (Plain(), Slotted(), ":type"),
    (collections.OrderedDict(a=1), {"a": 1}, ":type"),
    (dt.date(2020, 1, 1), dt.date(2020, 1, 2), ""),
    (np.float32, np.float64, ""),
    (np.random.RandomState(0), np.random.RandomState(1), "(0)/state/0/state/key"),
]


@pytest.mark.parametrize(("a", "b", "first"), DIFFERENT)
def test_values_that_are_not_equal_differ_and_where_is_said(a: Any, b: Any, first: str) -> None:
    found = compare(read(pickle.dumps(a)), read(pickle.dumps(b)))
    assert found
    assert found[0].name == first


def test_a_number_within_an_estimator_is_found_by_its_attributes() -> None:
    before, after = forest(), forest()
    after.estimators_[3].tree_.value[0, 0, 0] += 0.25
    (found,) = compare(read(pickle.dumps(before)), read(pickle.dumps(after, protocol=2)))
    assert found.name == "estimators_/3/tree_/values"
    assert found.what == "values"
    a, b = found.leaves
    assert a is not None
    assert b is not None
    assert distance(a, b).absolute == 0.25
    assert distance(a, b).unequal == 1
    leaves = read(pickle.dumps(before)).leaves
    assert leaves["estimators_/3/tree_/nodes/threshold"].dtype == "float64"
    assert leaves["estimators_:type"].dtype == "list"


def test_nothing_in_a_pickle_is_run(tmp_path: Path) -> None:
    mark = tmp_path / "it-ran"

    class Hostile:
        def __reduce__(self) -> Any:
            return os.system, (f"touch {mark}",)

    for protocol in range(6):
        content = read(pickle.dumps([Hostile(), 1], protocol))
        assert content.leaves["0"].dtype.endswith(".system")
    read(f"cos\nsystem\n(Vtouch {mark}\ntR.".encode())
    read(f"(Vtouch {mark}\nios\nsystem\n.".encode())
    read(f"c__builtin__\neval\n(Vopen({str(mark)!r}, 'w')\no.".encode())
    assert not mark.exists()
    with pytest.raises(UnreadableContentError):
        read(b"cnot.there\nat_all\n)R.", unsafe=True)


def test_what_is_asked_to_be_loaded_really_gives_the_same_leaves() -> None:
    for value in ({"a": np.arange(3.0)}, pipeline(), forest()):
        assert compare(read(pickle.dumps(value, 2)), read(pickle.dumps(value, 2), unsafe=True)) == ()


def test_a_small_pickle_of_a_huge_tree_is_read_quickly() -> None:
    value: list[Any] = ["lol"]
    for _ in range(60):
        value = [value] * 10
    started = time.monotonic()
    content = read(pickle.dumps(value))
    assert time.monotonic() - started < 10
    assert len(content.leaves) < 1000
    other: list[Any] = ["lal"]
    for _ in range(60):
        other = [other] * 10
    assert compare(content, read(pickle.dumps(other)))


def test_a_reference_to_itself_ends() -> None:
    value: list[Any] = [1, "a"]
    value.append(value)
    content = read(pickle.dumps(value))
    assert set(content.leaves) == {":type", "0", "1", "2"}


def web(size: int, name: str = "it") -> list[dict[str, Any]]:
    """Dictionaries that all hold all of them."""
    nodes: list[dict[str, Any]] = [{} for _ in range(size)]
    for node in nodes:
        node.update({str(j): other for j, other in enumerate(nodes)}, name="it")
    nodes[-1]["name"] = name
    return nodes


def test_a_web_of_references_is_read_in_the_time_of_its_size() -> None:
    started = time.monotonic()
    content = read(pickle.dumps(web(60), 2))
    assert time.monotonic() - started < 10
    assert compare(content, read(pickle.dumps(web(60), 5))) == ()
    assert compare(content, read(pickle.dumps(web(60, "other"))))
    with pytest.raises(ContentTooLargeError):
        read(pickle.dumps(web(60)), parts=50)


@pytest.mark.parametrize("opening", [b"]", b")", b"("])
def test_a_nesting_without_an_end_ends(opening: bytes) -> None:
    depth = 30_000
    data = {
        b"]": b"]" * depth + b"a" * (depth - 1),
        b")": b")" + b"\x85" * depth,
        b"(": b"(" * depth + b"t" * depth,
    }
    content = read(data[opening] + b".")
    assert 1 <= len(content.leaves) < 200


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b".",
        b"hello",
        b"\x80\x04",
        b"N",
        b"(.",
        b"t.",
        b"h\x05.",
        b"Na.",
        b"((Nu.",
        b"NNb",
        b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",
        b"\x8b\xff\xff\xff\x7f\x01.",
        b"I" + b"9" * 9000 + b"\n.",
        b"V\\ud8\n.",
        b"\x8c\x01a\x94N\x93.",
        b"cnumpy.core.multiarray\n_reconstruct\n)R(I1\nNcnumpy\ndtype\n(Vf4\ntRI0\nVx\ntb.",
        b"cnumpy\ndtype\n(Vf99\ntR.",
        b"ccopyreg\n__newobj__\n)R.",
        b"\x80\xff.",
        b"cnumpy\ndtype\n(VV8\nI0\nI1\ntR(I3\nV|\nN(Va\ntI5\nI8\nI1\nI0\ntb.",
    ],
)
def test_what_is_no_pickle_is_an_error_with_a_name(data: bytes) -> None:
    with pytest.raises((UnreadableContentError, ContentTooLargeError)) as caught:
        read(data)
    assert caught.value.message.startswith("x.pkl: ")
    assert "\n" not in caught.value.message


def test_every_cut_and_many_flips_of_a_pickle_are_read_or_refused() -> None:
    data = pickle.dumps({"a": np.arange(4.0), "b": [collections.OrderedDict(x={1, 2})], "c": Plain()}, 4)
    for end in range(len(data)):
        with pytest.raises(UnreadableContentError):
            read(data[:end])
    for at in range(len(data)):
        flipped = bytearray(data)
        flipped[at] ^= 1 << (at % 8)
        with contextlib.suppress(UnreadableContentError, ContentTooLargeError):
            read(bytes(flipped))


def test_a_key_that_holds_what_it_is_a_key_of_ends() -> None:
    turned = b"\x80\x02}q\x00(cthe\nclass\n)\x81}q\x02(Vup\nh\x00Vme\nh\x02ubI1\nu."
    with contextlib.suppress(ContentTooLargeError):
        assert read(turned).leaves


def test_a_name_with_an_escape_that_is_none_is_a_name() -> None:
    assert read(b"cos\\C\nname\n.").leaves[""].dtype == "name"


def test_a_memo_with_a_huge_number_takes_no_memory() -> None:
    assert read(b"Nr\xff\xff\xff\xff0j\xff\xff\xff\xff.").leaves[""].dtype == "NoneType"
    assert read(b"Np99999999999999999999\n0g99999999999999999999\n.").leaves[""].dtype == "NoneType"


def test_too_many_opcodes_are_refused() -> None:
    with pytest.raises(ContentTooLargeError, match="opcodes"):
        Machine(Cursor(b"N0" * 100 + b"N."), opcodes=200).run()


@pytest.mark.parametrize("packing", [0, ("zlib", 3), ("gzip", 3), ("bz2", 3), ("xz", 3), ("lzma", 3)])
@pytest.mark.parametrize("suffix", ["joblib", "pkl"])
def test_what_joblib_wrote_means_the_same_packed_or_not(tmp_path: Path, packing: Any, suffix: str) -> None:
    value = {
        "x": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "o": np.array([1, "a"], object),
        "f": forest(),
    }
    plain, packed = tmp_path / "a.joblib", tmp_path / f"b.{suffix}"
    joblib.dump(value, plain)
    joblib.dump(value, packed, compress=packing)
    assert reading.compare_paths(str(plain), str(packed)) == ()
    leaves = reading.read(str(packed)).leaves
    assert leaves["x"].numbers is not None
    assert list(leaves["x"].numbers()) == [0, 1, 2, 3, 4, 5]
    assert leaves["o/1"].kind == "text"
    assert leaves["f/estimators_/3/tree_/values"].shape[0] > 1


def test_a_model_that_joblib_wrote_differs_where_it_does(tmp_path: Path) -> None:
    one, other = forest(), forest()
    other.estimators_[1].tree_.threshold[0] += 1
    joblib.dump(one, tmp_path / "a.joblib")
    joblib.dump(other, tmp_path / "b.joblib", compress=3)
    (found,) = reading.compare_paths(str(tmp_path / "a.joblib"), str(tmp_path / "b.joblib"))
    assert found.name == "estimators_/1/tree_/nodes/threshold"
    really = reading.read(str(tmp_path / "a.joblib"), unsafe=True)
    assert "estimators_/1/tree_/nodes/threshold" in really.leaves


def test_a_packed_pickle_that_is_cut_is_an_error(tmp_path: Path) -> None:
    joblib.dump(np.arange(1000), tmp_path / "a.joblib", compress=3)
    data = (tmp_path / "a.joblib").read_bytes()
    for end in (5, len(data) // 2, len(data) - 1):
        with pytest.raises(UnreadableContentError):
            reading.read_bytes(data[:end], "a.joblib")


def test_without_numpy_everything_means_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    files = [pickle.dumps(value) for value in VALUES.values()]
    before = [read(data) for data in files]
    monkeypatch.setitem(sys.modules, "numpy", None)
    for content, data in zip(before, files, strict=True):
        assert compare(content, read(data)) == ()


def test_copies_of_what_lies_within_a_circle_mean_what_one_of_them_means() -> None:
    def circle(*, copied: bool) -> list[Any]:
        shared = np.arange(3.0)
        nodes: list[dict[str, Any]] = [{"data": shared.copy() if copied else shared} for _ in range(4)]
        for i, node in enumerate(nodes):
            node["next"], node["last"] = nodes[(i + 1) % 4], nodes[i - 1]
        return [nodes[2], nodes[0]]

    assert compare(read(pickle.dumps(circle(copied=True))), read(pickle.dumps(circle(copied=False), 2))) == ()


def test_values_that_were_pickled_in_turn_all_count(tmp_path: Path) -> None:
    first = pickle.dumps({"a": 1})
    one, other = first + pickle.dumps([1, 2]), first + pickle.dumps([1, 3])
    assert [found.name for found in compare(read(one), read(other))] == ["[2]"]
    assert compare(read(one), read(pickle.dumps({"a": 1}, 2) + pickle.dumps([1, 2], 0))) == ()
    assert [found.name for found in compare(read(first), read(one))] == ["[2]:type", "[2]"]
    assert compare(read(first + b"\0one"), read(first + b"\0two"))[0].name == "after the end"
    really = [read(data, unsafe=True) for data in (one, other)]
    assert [found.name for found in compare(*really)] == ["[2]"]
    packed = tmp_path / "a.pkl"
    packed.write_bytes(gzip.compress(first) + gzip.compress(pickle.dumps([1, 2])))
    assert compare(reading.read(str(packed)), read(one)) == ()


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x04" + b"c__builtin__\nbytes\n" * 60 + b"C\x01x" + b"\x85R" * 60 + b".",
        b"\x80\x04" + b"c__builtin__\nset\n" * 5000 + b"]" + b"\x85R" * 5000 + b".",
    ],
)
def test_what_is_made_of_itself_again_and_again_is_read_or_refused_soon(data: bytes) -> None:
    started = time.monotonic()
    with contextlib.suppress(UnreadableContentError, ContentTooLargeError):
        read(data)
    assert time.monotonic() - started < 5


def test_the_same_bytes_for_very_many_values_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Budget, "seen", 1 << 24)
    text = pickle.dumps("x" * 1_000_000)[:-1]
    with pytest.raises(ContentTooLargeError, match="same bytes"):
        read(text + b"0(" + b"h\x00" * 200 + b"l.")


def test_keys_of_very_many_digits_are_keys() -> None:
    one, other = ({1 << 40_000: "a", (1, 1 << 40_000): "b"}, {1 << 40_001: "a", (1, 1 << 40_000): "b"})
    assert compare(read(pickle.dumps(one)), read(pickle.dumps(one, 2))) == ()
    assert compare(read(pickle.dumps(one)), read(pickle.dumps(other)))


class Measured(np.ndarray):
    """An array that has a unit, and pickles it behind what NumPy pickles."""

    unit = ""

    def __reduce__(self) -> Any:
        make, args, state = super().__reduce__()
        return make, args, (*state, self.unit)  # type: ignore[misc]


def test_what_a_class_of_arrays_adds_to_the_array_counts() -> None:
    metres, feet = (np.arange(3.0).view(Measured) for _ in range(2))
    metres.unit, feet.unit = "m", "ft"
    assert compare(read(pickle.dumps(metres)), read(pickle.dumps(metres, 2))) == ()
    assert compare(read(pickle.dumps(metres)), read(pickle.dumps(feet)))


def described(name: bytes, *fields: bytes, size: int = 8) -> bytes:
    """Opcodes of a type with fields, all of them at the start of an element."""
    made = b"cnumpy\ndtype\n(V%b\nI0\nI1\ntR(I3\nV|\nN" % name
    names = b"(" + b"".join(b"V%d\n" % i for i in range(len(fields))) + b"t"
    table = b"(" + b"".join(b"V%d\n(%bI0\nt" % (i, field) for i, field in enumerate(fields)) + b"d"
    return made + names + table + b"I%d\nI1\nI16\ntb" % size


def test_a_type_of_types_of_types_is_refused_soon() -> None:
    started = time.monotonic()
    dtype = b"cnumpy\ndtype\n(Vf8\nI0\nI1\ntR(I3\nV<\nNNNI-1\nI-1\nI0\ntb"
    inner = described(b"V8", *[dtype] * 40) + b"p7\n0"
    for _ in range(12):
        inner += described(b"V8", *[b"g7\n"] * 40) + b"p7\n0"
    with pytest.raises(UnreadableContentError, match="too many fields"):
        read(inner + b"g7\n.")
    assert time.monotonic() - started < 5


def test_fields_that_lie_upon_one_another_are_looked_at_within_bounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Budget, "seen", 1 << 20)
    dtype = described(b"V8", *[b"cnumpy\ndtype\n(Vf8\nI0\nI1\ntR(I3\nV<\nNNNI-1\nI-1\nI0\ntb"] * 100)
    array = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntVb\ntR(I1\n(I%d\nt" % 10_000
    data = b"\x80\x04" + array + dtype + b"I00\nB" + (80_000).to_bytes(4, "little") + bytes(80_000) + b"tb."
    with pytest.raises(ContentTooLargeError, match="same bytes"):
        read(data)
