import io
import os
import subprocess
import zipfile
from pathlib import Path

import pytest

from fourfold.formats.likeness import reading
from fourfold.formats.likeness.model import compare
from fourfold.formats.likeness.source import ContentTooLargeError, UnreadableContentError
from fourfold.formats.likeness.tensors import distance

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = """
import copy
import torch

torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3))
state = model.state_dict()
base = torch.arange(12, dtype=torch.float32)
shared = base.reshape(3, 4)
names = "float16 bfloat16 float64 int8 int64 uint8 bool complex64".split()
kinds = [getattr(torch, name) for name in names]
value = {
    "state": state,
    "turned": shared.t(),
    "part": shared[1:, 2:],
    "expanded": base[:1].expand(5),
    "one": torch.tensor(2.5),
    "none": torch.zeros(0, 3),
    "kinds": {str(kind): torch.arange(3).to(kind) for kind in kinds},
    "parameter": torch.nn.Parameter(torch.ones(2)),
    "size": torch.Size([1, 2]),
    "device": torch.device("cpu"),
    "rate": 0.1,
}
torch.save(value, "a.pt")
torch.save(value, "legacy.pt", _use_new_zipfile_serialization=False)
torch.save(value, "protocol.pt", pickle_protocol=4)
copied = {key: item.clone().contiguous() if isinstance(item, torch.Tensor) and key != "parameter" else item
          for key, item in value.items()}
torch.save(copied, "copied.pt")
torch.save(dict(reversed(value.items())), "turned.pt")
changed = dict(value, state=copy.copy(state))
changed["state"]["0.weight"] = state["0.weight"].clone()
changed["state"]["0.weight"][1, 2] = torch.nextafter(state["0.weight"][1, 2], torch.tensor(9.0))
torch.save(changed, "changed.pt")
torch.save(dict(value, part=shared[1:, 2:].double()), "typed.pt")
torch.save(model, "model.pt")
torch.save(model, "model-legacy.pt", _use_new_zipfile_serialization=False)
new = dict(wide=torch.arange(3).to(torch.uint32), small=torch.ones(2).to(torch.float8_e4m3fn))
torch.save(new, "new.pt")
with torch.no_grad():
    model[0].bias += 1
torch.save(model, "model-changed.pt")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files that PyTorch wrote, in the environment that ``make envs`` creates."""
    python = os.environ.get("FF_TEST_TORCH") or str(ROOT / ".venv-torch" / "bin" / "python")
    if not os.access(python, os.X_OK):
        pytest.fail(f"no PyTorch at {python}; run: make envs  (or set FF_TEST_TORCH=<a python with torch>)")
    folder = tmp_path_factory.mktemp("torch")
    subprocess.run([python, "-c", SCRIPT], cwd=folder, check=True, timeout=120)
    return folder


@pytest.mark.parametrize("name", ["legacy.pt", "protocol.pt", "copied.pt", "turned.pt"])
def test_tensors_mean_the_same_in_every_format_order_and_layout_of_storages(folder: Path, name: str) -> None:
    assert (folder / "a.pt").read_bytes() != (folder / name).read_bytes()
    assert reading.compare_paths(str(folder / "a.pt"), str(folder / name)) == ()


def test_a_file_that_was_packed_again_means_the_same_under_any_name(folder: Path, tmp_path: Path) -> None:
    packed = tmp_path / "weights.bin"
    with zipfile.ZipFile(folder / "a.pt") as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr("other/" + name.partition("/")[2], old.read(name))
    content = reading.read(str(packed))
    assert content.kind == "torch"
    assert compare(reading.read(str(folder / "a.pt")), content) == ()


def test_a_weight_that_moved_by_one_float_is_found_by_its_name(folder: Path) -> None:
    (found,) = reading.compare_paths(str(folder / "a.pt"), str(folder / "changed.pt"))
    assert (found.name, found.what) == ("state/0.weight", "values")
    a, b = found.leaves
    assert a is not None
    assert b is not None
    measured = distance(a, b)
    assert (measured.unequal, measured.ulp, measured.at, a.shape) == (1, 1, 6, (3, 4))


def test_another_type_of_a_tensor_is_found(folder: Path) -> None:
    (found,) = reading.compare_paths(str(folder / "a.pt"), str(folder / "typed.pt"))
    assert (found.name, found.what) == ("part", "kind")


def test_every_type_of_tensor_has_its_name_and_its_numbers(folder: Path) -> None:
    leaves = reading.read(str(folder / "a.pt")).leaves
    for kind in ("float16", "bfloat16", "float64", "int8", "int64", "uint8"):
        leaf = leaves[f"kinds/torch.{kind}"]
        assert (leaf.dtype, leaf.shape) == (kind, (3,))
        assert leaf.numbers is not None
        assert list(leaf.numbers()) == [0, 1, 2]
    numbers = leaves["turned"].numbers
    assert numbers is not None
    assert list(numbers()) == [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]
    assert leaves["expanded"].shape == (5,)
    assert leaves["parameter:type"].dtype == "torch parameter with gradient"
    new = reading.read(str(folder / "new.pt")).leaves
    assert {new["wide"].dtype, new["small"].dtype} == {"uint32", "float8_e4m3fn"}


def test_whole_modules_are_read_without_their_classes(folder: Path) -> None:
    assert reading.compare_paths(str(folder / "model.pt"), str(folder / "model-legacy.pt")) == ()
    found = reading.compare_paths(str(folder / "model.pt"), str(folder / "model-changed.pt"))
    assert [one.name for one in found] == ["_modules/0/_parameters/bias"]


def test_damage_is_an_error_and_never_something_else(folder: Path) -> None:
    for name in ("a.pt", "legacy.pt"):
        data = (folder / name).read_bytes()
        for end in range(0, len(data), 211):
            with pytest.raises((UnreadableContentError, ContentTooLargeError)):
                reading.read_bytes(data[:end] or b"PK\x03\x04", name)
    data = bytearray((folder / "a.pt").read_bytes())
    with zipfile.ZipFile(io.BytesIO(bytes(data))) as archive:
        start = archive.getinfo("a/data/0").header_offset
    data[start + 80 :] = bytes([data[start + 80] ^ 1]) + data[start + 81 :]
    with pytest.raises(UnreadableContentError, match="damaged"):
        reading.read_bytes(bytes(data), "a.pt")
