import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from fourfold.formats.likeness import reading
from fourfold.formats.likeness.model import Content, compare
from fourfold.formats.likeness.source import ContentTooLargeError, MissingReaderError, UnreadableContentError

RECORD = np.array([(1, [1.5, 2.5]), (2, [3.5, 4.5])], [("a", ">i4"), ("b", "<f8", (2,))])


def fill(file: h5py.File, **options: object) -> None:
    weights = file.create_group("model/weights")
    weights.create_dataset("kernel", data=np.arange(600.0, dtype="f4").reshape(20, 30), **options)
    weights.create_dataset("big", data=np.arange(6, dtype=">i8").reshape(6, 1), **options)
    weights.create_dataset("half", data=np.arange(3, dtype="f2"), **options)
    file.create_dataset("names", data=["a", "ü", ""], dtype=h5py.string_dtype())
    file.create_dataset("fixed", data=np.array([b"ab", b"c"]))
    file.create_dataset("flags", data=np.array([True, False]))
    file.create_dataset("one", data=2.5)
    file.create_dataset("record", data=RECORD)
    file.create_dataset("none", data=h5py.Empty("f4"))
    ragged = file.create_dataset("ragged", (2,), dtype=h5py.vlen_dtype(np.int32))
    ragged[0], ragged[1] = [1, 2, 3], [4]
    file["soft"] = h5py.SoftLink("/names")
    file.attrs["layers"] = ["a", "b"]
    file["model"].attrs["version"] = 3
    file["model"].attrs["nothing"] = h5py.Empty("f4")


def made(path: Path, change: Callable[[h5py.File], object] | None = None, **options: object) -> str:
    with h5py.File(path, "w", track_order=bool(options.pop("track_order", False))) as file:
        fill(file, **options)
        if change is not None:
            change(file)
    return str(path)


def test_datasets_mean_the_same_in_other_chunks_packed_and_with_times(tmp_path: Path) -> None:
    plain = made(tmp_path / "a.h5")
    for name, options in {
        "b.h5": {"chunks": True, "compression": "gzip", "shuffle": True, "fletcher32": True},
        "c.h5": {"track_times": True, "track_order": True},
    }.items():
        other = made(tmp_path / name, **options)
        assert Path(plain).read_bytes() != Path(other).read_bytes()
        assert reading.compare_paths(plain, other) == ()


def test_the_order_of_bytes_does_not_count_and_leaves_have_their_paths(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as one, h5py.File(tmp_path / "b.h5", "w") as other:
        one["x"], other["x"] = np.arange(3, dtype="<f8"), np.arange(3, dtype=">f8")
    assert reading.compare_paths(str(tmp_path / "a.h5"), str(tmp_path / "b.h5")) == ()
    leaves = reading.read(made(tmp_path / "c.h5")).leaves
    assert leaves["model/weights/kernel"][:3] == ("tensor", "float32", (20, 30))
    assert leaves["record/b"][:3] == ("tensor", "float64", (2, 2))
    assert {"@layers", "model@version", "model@nothing", "soft", "names", "ragged", "one", "none"} <= set(
        leaves
    )
    numbers = leaves["model/weights/big"].numbers
    assert numbers is not None
    assert list(numbers()) == [0, 1, 2, 3, 4, 5]


CHANGES: dict[str, Callable[[h5py.File], object]] = {
    "model/weights/kernel": lambda file: file["model/weights/kernel"].write_direct(np.ones((20, 30), "f4")),
    "names": lambda file: file["names"].__setitem__(1, "u"),
    "fixed": lambda file: file["fixed"].__setitem__(1, b"d"),
    "flags": lambda file: file["flags"].__setitem__(slice(1, 2), [True]),
    "one": lambda file: file["one"].__setitem__((), 2.25),
    "record/a": lambda file: file["record"].__setitem__((0, "a"), 9),
    "ragged": lambda file: file["ragged"].__setitem__(1, [5]),
    "model@version": lambda file: file["model"].attrs.__setitem__("version", 4),
    "@layers": lambda file: file.attrs.__setitem__("layers", ["a", "c"]),
}


@pytest.mark.parametrize("name", CHANGES)
def test_another_value_is_named_by_its_path(tmp_path: Path, name: str) -> None:
    (found,) = reading.compare_paths(made(tmp_path / "a.h5"), made(tmp_path / "b.h5", CHANGES[name]))
    assert (found.name, found.what) == (name, "values")


def test_another_type_and_another_group_are_named(tmp_path: Path) -> None:
    def change(file: h5py.File) -> None:
        del file["one"]
        file["one"] = np.float32(2.5)
        file.create_group("extra")

    found = reading.compare_paths(made(tmp_path / "a.h5"), made(tmp_path / "b.h5", change))
    assert {(one.name, one.what) for one in found} == {("one", "kind"), ("extra:type", "new")}


def test_values_and_links_in_other_files_are_named_and_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret.bin"
    secret.write_bytes(b"secret!!")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("outside", (8,), "u1", external=[(str(secret), 0, 8)])
        file["linked"] = h5py.ExternalLink("other.h5", "/x")
        layout = h5py.VirtualLayout((8,), "u1")
        layout[:] = h5py.VirtualSource("other.h5", "x", (8,))
        file.create_virtual_dataset("virtual", layout)
    leaves = reading.read(str(tmp_path / "a.h5")).leaves
    assert {name: leaf.dtype for name, leaf in leaves.items() if name != ":type"} == {
        "outside": "elsewhere",
        "virtual": "elsewhere",
        "linked": "link",
    }
    before = leaves["outside"].digest
    secret.write_bytes(b"another!")
    assert reading.read(str(tmp_path / "a.h5")).leaves["outside"].digest == before


def test_a_circle_of_groups_ends(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        inner = file.create_group("a/b")
        inner["up"] = file["a"]
        inner["top"] = file["/"]
    leaves = reading.read(str(tmp_path / "a.h5")).leaves
    assert leaves["a/b/up"].dtype == leaves["a/b/top"].dtype == "circle"


def test_a_dataset_that_is_large_only_in_words_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", (1 << 40,), "f8", chunks=(1 << 10,))
    with pytest.raises(ContentTooLargeError):
        reading.read(str(tmp_path / "a.h5"))


def test_a_dataset_beyond_the_numbers_that_are_held_has_the_same_digest(tmp_path: Path) -> None:
    path = made(tmp_path / "a.h5")
    small: Content = reading.read(path, budget=reading.Budget(numbers=3))
    assert small.leaves["model/weights/kernel"].numbers is None
    name = "model/weights/kernel"
    assert small.leaves[name].digest == reading.read(path).leaves[name].digest
    assert compare(small, reading.read(path)) == ()


def test_what_is_cut_is_an_error_with_its_name(tmp_path: Path) -> None:
    data = Path(made(tmp_path / "a.h5")).read_bytes()
    for end in (9, 100, len(data) // 2, len(data) - 1):
        with pytest.raises(UnreadableContentError, match=r"^a\.h5: "):
            reading.read_bytes(data[:end], "a.h5")


def test_without_h5py_the_error_names_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made(tmp_path / "a.h5")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingReaderError) as caught:
        reading.read(path)
    assert caught.value.hint == "install it: pip install 'fourfold[hdf5]'"


def written(path: Path, fill: Callable[[h5py.File], object]) -> str:
    with h5py.File(path, "w") as file:
        fill(file)
    return str(path)


def words(**numbers: int) -> Callable[[h5py.File], object]:
    kind = h5py.enum_dtype(numbers, basetype="i1")

    def fill(file: h5py.File) -> None:
        file.create_dataset("label", data=np.array([0, 1], "i1"), dtype=kind)
        file.create_dataset("rows", data=np.zeros(2, [("at", "f8"), ("label", kind)]))
        file["named"] = np.dtype(kind)

    return fill


def test_the_words_that_numbers_stand_for_count(tmp_path: Path) -> None:
    one = written(tmp_path / "a.h5", words(cat=0, dog=1))
    assert reading.compare_paths(one, written(tmp_path / "b.h5", words(dog=1, cat=0))) == ()
    found = reading.compare_paths(one, written(tmp_path / "c.h5", words(cat=1, dog=0)))
    assert {each.name for each in found} >= {"label:names", "rows:names", "named:names"}


def references(target: str, part: slice) -> Callable[[h5py.File], object]:
    def fill(file: h5py.File) -> None:
        file["x"], file["y"] = np.arange(4), np.arange(4)
        file.attrs["object"] = file[target].ref
        file.attrs["part"] = file["x"].regionref[part]
        file.create_dataset("many", data=[file[target].ref, file["x"].ref], dtype=h5py.ref_dtype)

    return fill


def test_what_references_point_to_counts(tmp_path: Path) -> None:
    one = written(tmp_path / "a.h5", references("x", slice(0, 2)))
    assert reading.compare_paths(one, written(tmp_path / "b.h5", references("x", slice(0, 2)))) == ()
    found = reading.compare_paths(one, written(tmp_path / "c.h5", references("y", slice(0, 3))))
    assert {each.name for each in found} == {"@object", "@part", "many"}


def test_the_order_of_bytes_of_one_value_does_not_count(tmp_path: Path) -> None:
    def fill(order: str) -> Callable[[h5py.File], object]:
        def filled(file: h5py.File) -> None:
            file.create_dataset("x", data=np.array(3, f"{order}i4"))
            file.attrs["n"] = np.array(5, f"{order}i8")
            file.attrs["r"] = np.array((1, 2.5), [("a", f"{order}i4"), ("b", f"{order}f8")])

        return filled

    files = [written(tmp_path / f"{name}.h5", fill(order)) for name, order in zip("ab", "<>", strict=True)]
    assert reading.compare_paths(*files) == ()
    numbers = reading.read(files[1]).leaves["@n"].numbers
    assert numbers is not None
    assert list(numbers()) == [5]


def test_no_name_hides_another_value(tmp_path: Path) -> None:
    def fill(value: int) -> Callable[[h5py.File], object]:
        def filled(file: h5py.File) -> None:
            file["a"] = [1]
            file["a"].attrs["b"] = value
            file["a@b"] = [2]
            file.create_group("g")
            file["g:type"] = [value]

        return filled

    files = [written(tmp_path / f"{value}.h5", fill(value)) for value in (3, 4)]
    assert {found.name.partition("~")[0] for found in reading.compare_paths(*files)} == {"a@b", "g:type"}


def test_texts_within_lists_within_lists_are_values(tmp_path: Path) -> None:
    def fill(text: str) -> Callable[[h5py.File], object]:
        def filled(file: h5py.File) -> None:
            made = file.create_dataset("x", (1,), h5py.vlen_dtype(h5py.string_dtype()))
            made[0] = np.array(["a", text], object)

        return filled

    one, same, other = (written(tmp_path / f"{i}.h5", fill(text)) for i, text in enumerate(["b", "b", "c"]))
    assert reading.compare_paths(one, same) == ()
    assert [found.name for found in reading.compare_paths(one, other)] == ["x"]


def test_rows_of_much_each_are_held_by_their_bytes_not_by_their_count(tmp_path: Path) -> None:
    wide = np.dtype([("a", "f8", (1000,)), ("b", "i4")])
    path = written(tmp_path / "a.h5", lambda file: file.create_dataset("x", data=np.zeros(3, wide)))
    leaves = reading.read(path, budget=reading.Budget(numbers=100)).leaves
    assert leaves["x/a"].numbers is None
    whole = reading.read(path).leaves
    assert whole["x/a"].numbers is not None
    assert [leaves[name].digest for name in ("x/a", "x/b")] == [whole[name].digest for name in ("x/a", "x/b")]


def test_elements_that_are_arrays_have_more_axes(tmp_path: Path) -> None:
    def fill(file: h5py.File) -> None:
        kind = h5py.h5t.array_create(h5py.h5t.NATIVE_INT32, (2,))
        h5py.h5d.create(file.id, b"x", kind, h5py.h5s.create_simple((3,)))
        file["x"][...] = np.arange(6, dtype="i4").reshape(3, 2)

    leaf = reading.read(written(tmp_path / "a.h5", fill)).leaves["x"]
    assert leaf[:3] == ("tensor", "int32", (3, 2))
    assert leaf.numbers is not None
    assert list(leaf.numbers()) == list(range(6))
