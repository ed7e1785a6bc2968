"""What PyTorch says of itself in a stage that imported it, and of what nobody imported: nothing."""

from tests.runs.environment.conftest import Stage

#: Answers as PyTorch does after its first use of a GPU; whoever asks for more fails, and so would the test.
ON_GPU = """
import sys
from types import ModuleType, SimpleNamespace as Has

def module(name, **has):
    sys.modules[name] = made = ModuleType(name)
    vars(made).update(has)
    return made

nccl = module("torch.cuda.nccl", version=lambda: (2, 21, 5))
cuda = Has(
    is_initialized=lambda: True,
    device_count=lambda: 1,
    get_device_name=lambda index: "Large Card",
    get_device_capability=lambda index: (9, 0),
)
module(
    "torch",
    __version__="2.9.0+cu126",
    cuda=cuda,
    version=Has(cuda="12.6", hip=None, git_version="abc"),
    backends=Has(cudnn=Has(version=lambda: 91002, deterministic=True, benchmark=False)),
    get_num_threads=lambda: 4,
    get_num_interop_threads=lambda: 2,
    are_deterministic_algorithms_enabled=lambda: True,
    get_default_dtype=lambda: "torch.float32",
    get_float32_matmul_precision=lambda: "high",
    __config__=Has(show=lambda: "PyTorch built with:"),
)
"""


def test_torch_tells_version_threads_kernels_and_switches(stage: Stage, torch_python: str) -> None:
    code = "import torch\ntorch.set_num_threads(1)\ntorch.use_deterministic_algorithms(True)\n"
    found = stage.run(code, python=torch_python)
    torch = found["frameworks"].value["torch"]
    assert torch["version"].startswith("2.")
    assert torch["deterministic"] is True
    assert len(torch["build"]) == 32
    assert found["threads"].value["frameworks"]["torch.threads"] == 1
    assert isinstance(found["simd"].value["torch"], str)
    assert any(one["file"] == "torch" and one["api"] == "mkl" for one in found["blas"].value)
    assert any(name.endswith("libtorch_cpu.so") for name in stage.part(found, "libraries"))
    assert stage.part(found, "distributions")["torch"]["imported"] is True


def test_torch_that_is_installed_and_not_imported_is_not_asked(stage: Stage, torch_python: str) -> None:
    found = stage.run("", python=torch_python)
    assert found["frameworks"].value == {}
    assert stage.part(found, "distributions")["torch"]["imported"] is False


def test_torch_that_used_a_gpu_tells_devices_cudnn_and_nccl(stage: Stage) -> None:
    found = stage.run(ON_GPU)
    assert found["accelerators"].value["used"] == {
        "torch": {
            "cuda_initialized": True,
            "cudnn": 91002,
            "nccl": [2, 21, 5],
            "devices": [{"name": "Large Card", "capability": [9, 0]}],
        }
    }
    assert found["frameworks"].value["torch"]["cuda"] == "12.6"
    assert found["frameworks"].value["torch"]["matmul_precision"] == "high"
    assert found["threads"].value["frameworks"] == {"torch.interop_threads": 2, "torch.threads": 4}


def test_framework_that_answers_nothing_is_named_by_its_version(stage: Stage) -> None:
    code = "import sys, types\nfor name in ('torch', 'jax', 'tensorflow'):\n"
    code += "    sys.modules[name] = made = types.ModuleType(name); made.__version__ = '1'\n"
    told = stage.run(code)["frameworks"].value
    assert told["torch"] == told["tensorflow"] == told["jax"] == {"version": "1"}
