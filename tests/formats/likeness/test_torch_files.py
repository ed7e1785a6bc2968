import io
import os
import pickle
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
turn = torch.tensor([1 + 2j, 3j])
torch.save(turn, "turn.pt")
torch.save(turn.conj(), "conjugated.pt")


class Scripted(torch.nn.Module):
    def __init__(self, weight: float, offset: float) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.full((3, 2), weight))
        self.offset = offset

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ self.weight + self.offset


class Other(Scripted):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ self.weight - self.offset


def traced(value):
    held = torch.full((2,), value)
    return torch.jit.trace(lambda x: x + held, torch.zeros(2))


def scripted(kind, *args):
    return torch.jit.script(kind(*args))


torch.jit.save(traced(1.5), "traced.pt")
torch.jit.save(traced(1.25), "traced-other.pt")
torch.jit.save(scripted(Scripted, 1.5, 0.5), "script.pt")
torch.jit.save(scripted(Scripted, 1.25, 0.5), "script-weight.pt")
torch.jit.save(scripted(Scripted, 1.5, 0.25), "script-attribute.pt")
torch.jit.save(scripted(Other, 1.5, 0.5), "script-code.pt")
torch.jit.save(scripted(Scripted, 1.5, 0.5), "script-more.pt", _extra_files={"labels.json": '{"a": 1}'})
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files that PyTorch wrote, in the environment that ``make envs`` creates."""
    python = os.environ.get("FF_TEST_TORCH") or str(ROOT / ".venv-torch" / "bin" / "python")
    if not os.access(python, os.X_OK):
        pytest.fail(f"no PyTorch at {python}; run: make envs  (or set FF_TEST_TORCH=<a python with torch>)")
    folder = tmp_path_factory.mktemp("torch")
    (folder / "make.py").write_text(SCRIPT)  # TorchScript reads its source
    subprocess.run([python, "make.py"], cwd=folder, check=True, timeout=120)
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
    for name in ("a.pt", "legacy.pt", "script.pt"):
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


def test_a_tensor_that_is_conjugated_when_it_is_looked_at_is_another(folder: Path) -> None:
    assert reading.compare_paths(str(folder / "turn.pt"), str(folder / "conjugated.pt"))


def packed_again(path: Path, target: Path, instead: dict[str, bytes] | None = None) -> str:
    """The same archive with other times, compression, order of members and another folder within."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for name in reversed(old.namelist()):
            inner = name.partition("/")[2]
            new.writestr(f"again/{inner}", (instead or {}).get(inner, old.read(name)))
    return str(target)


def test_torchscript_is_compared_by_its_tensors_and_its_code(folder: Path, tmp_path: Path) -> None:
    script = str(folder / "script.pt")
    content = reading.read(script)
    assert content.kind == "torchscript"
    assert content.leaves["weight"][:3] == ("tensor", "float32", (3, 2))
    for name in ("again.pt", "again.ts", "again.bin"):
        assert reading.compare_paths(script, packed_again(folder / "script.pt", tmp_path / name)) == ()


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("script-weight.pt", "weight"),
        ("script-attribute.pt", "offset"),
        ("script-more.pt", "extra/labels.json!a"),
        ("traced-other.pt", "constants/0"),
    ],
)
def test_torchscript_of_another_weight_attribute_constant_or_file_is_named_by_it(
    folder: Path, name: str, where: str
) -> None:
    base = "traced.pt" if name.startswith("traced") else "script.pt"
    found = reading.compare_paths(str(folder / base), str(folder / name))
    assert [one.name for one in found] == [where]


def test_other_code_of_torchscript_is_named_by_its_file(folder: Path) -> None:
    found = reading.compare_paths(str(folder / "script.pt"), str(folder / "script-code.pt"))
    assert any(one.name.startswith("code/__torch__") for one in found)


def test_an_archive_that_only_looks_like_one_of_pytorch_is_read_whole() -> None:
    def archive(text: str) -> bytes:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as made:
            made.writestr("exp/data.pkl", pickle.dumps(1))
            made.writestr("exp/metrics.json", text)
        return file.getvalue()

    one, other = (reading.read_bytes(archive(text), "a.zip") for text in ('{"auc": 1}', '{"auc": 2}'))
    assert [found.name for found in compare(one, other)] == ["exp/metrics.json!auc"]


def test_what_else_lies_in_an_archive_of_pytorch_counts(folder: Path, tmp_path: Path) -> None:
    files = []
    for text in ("one", "two"):
        files.append(tmp_path / f"{text}.pt")
        files[-1].write_bytes((folder / "a.pt").read_bytes())
        with zipfile.ZipFile(files[-1], "a") as archive:
            archive.writestr("a/notes.txt", text)
    assert [found.name for found in reading.compare_paths(*map(str, files))] == ["notes.txt"]
