"""GPUs as drivers tell of them (a small library that answers as NVIDIA's; folders for AMD's)."""

import subprocess
from pathlib import Path

import pytest

from fourfold.runs.environment.accelerators import amd, nvidia

NVML = r"""
#include <stdio.h>
#include <string.h>
typedef struct { unsigned long long total, free, used; } memory_t;
static int cards[2] = {0, 1};
int nvmlInit_v2(void) { return BROKEN; }
int nvmlShutdown(void) { return 0; }
int nvmlSystemGetDriverVersion(char *out, unsigned size) { snprintf(out, size, "550.54.15"); return 0; }
int nvmlSystemGetCudaDriverVersion_v2(int *out) { *out = 12040; return 0; }
int nvmlDeviceGetCount_v2(unsigned *out) { *out = 2; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **out) { *out = &cards[index]; return 0; }
int nvmlDeviceGetName(void *card, char *out, unsigned size) {
  snprintf(out, size, *(int *)card ? "Small Card" : "Large Card"); return 0; }
int nvmlDeviceGetCudaComputeCapability(void *card, int *major, int *minor) {
  *major = 9; *minor = *(int *)card; return 0; }
int nvmlDeviceGetMemoryInfo(void *card, memory_t *out) { out->total = 1ull << 36; return 0; }
int nvmlDeviceGetMigMode(void *card, unsigned *now, unsigned *pending) {
  if (*(int *)card) return 3; *now = 1; *pending = 0; return 0; }
int nvmlDeviceGetEccMode(void *card, unsigned *now, unsigned *pending) { *now = 0; *pending = 1; return 0; }
"""


def library(folder: Path, source: str, *options: str) -> str:
    """A shared library of some C."""
    (folder / "source.c").write_text(source)
    path = folder / "libnvidia-ml.so.1"
    subprocess.run(
        ["gcc", "-shared", "-fPIC", *options, "-o", str(path), str(folder / "source.c")], check=True
    )
    return str(path)


def test_nvidia_tells_driver_cuda_and_each_card(tmp_path: Path) -> None:
    found, why = nvidia(library(tmp_path, NVML, "-DBROKEN=0"))
    assert why == ""
    assert found == {
        "driver": "550.54.15",
        "cuda": "12.4",
        "gpus": [
            {"name": "Large Card", "capability": "9.0", "memory": 1 << 36, "mig": True, "ecc": False},
            {"name": "Small Card", "capability": "9.1", "memory": 1 << 36, "ecc": False},
        ],
    }


@pytest.mark.parametrize(
    ("source", "option", "why"),
    [(NVML, "-DBROKEN=9", "NVML error 9"), ("int other;", "-DX", "not the management library")],
)
def test_nvidia_that_does_not_answer_says_why(tmp_path: Path, source: str, option: str, why: str) -> None:
    found, told = nvidia(library(tmp_path, source, option))
    assert found is None
    assert why in told


def test_nvidia_without_a_driver_says_that_there_is_none(tmp_path: Path) -> None:
    found, why = nvidia(str(tmp_path / "libnone.so"))
    assert found is None
    assert "no driver of NVIDIA" in why


def test_amd_tells_driver_and_cards_and_leaves_processors_out(tmp_path: Path) -> None:
    nodes = tmp_path / "sys/class/kfd/kfd/topology/nodes"
    for number, simd in (("0", "0"), ("1", "304")):
        (nodes / number).mkdir(parents=True)
        (nodes / number / "properties").write_text(
            f"cpu_cores_count 0\nsimd_count {simd}\ngfx_target_version 90402\n"
        )
    (tmp_path / "sys/module/amdgpu").mkdir(parents=True)
    (tmp_path / "sys/module/amdgpu/version").write_text("6.3.6\n")
    found, _ = amd(str(tmp_path))
    assert found == {"driver": "6.3.6", "gpus": [{"gfx": "90402", "simd_units": "304"}]}


def test_amd_without_a_driver_says_that_there_is_none(tmp_path: Path) -> None:
    assert amd(str(tmp_path)) == (None, "no driver of AMD here")
