"""What PyTorch says of itself in a stage that imported it, and of what nobody imported: nothing."""

from tests.runs.environment.conftest import Stage


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
