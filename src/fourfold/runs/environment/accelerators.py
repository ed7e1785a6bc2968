"""GPUs of this machine, as their drivers tell: NVIDIA's by its management library, AMD's by the kernel.

Only drivers are asked, by ctypes; no context is made and nothing of CUDA is loaded. What a run used of them
its own process tells (`numerics.devices`). Nothing that names one single card (serial number, UUID) is asked.
Interface: NVML API reference, ``nvml.h``.
"""

import ctypes
import os
from functools import lru_cache
from typing import Any

#: NVIDIA's driver brings it.
LIBRARY = "libnvidia-ml.so.1"
_NAME = 96
_VERSION = 80
_TOPOLOGY = "/sys/class/kfd/kfd/topology/nodes"
_AMD_DRIVER = "/sys/module/amdgpu/version"


class _Memory(ctypes.Structure):
    """``nvmlMemory_t``: bytes."""

    _fields_ = (
        ("total", ctypes.c_ulonglong),
        ("free", ctypes.c_ulonglong),
        ("used", ctypes.c_ulonglong),
    )


@lru_cache(maxsize=4)
def nvidia(library: str = LIBRARY) -> tuple[dict[str, Any] | None, str]:
    """What NVIDIA's driver says; asked once by a process.

    Args:
        library: Name or path of its management library.

    Returns:
        Driver, newest CUDA that it supports and the cards; or None, and why.
    """
    try:
        nvml = ctypes.CDLL(library)
    except OSError as error:
        missing = "cannot open shared object file: No such file" in str(error)
        return None, f"no driver of NVIDIA here ({f'no {library}' if missing else error})"
    try:
        code = nvml.nvmlInit_v2()
    except AttributeError:
        return None, f"{library} is not the management library of NVIDIA's driver"
    if code != 0:
        return None, f"the driver of NVIDIA does not answer (NVML error {code})"
    try:
        return _nvidia(nvml), ""
    finally:
        nvml.nvmlShutdown()


def _nvidia(nvml: ctypes.CDLL) -> dict[str, Any]:
    found: dict[str, Any] = {"driver": _text(nvml, "nvmlSystemGetDriverVersion", _VERSION)}
    cuda = ctypes.c_int()
    if _ask(nvml, "nvmlSystemGetCudaDriverVersion_v2", ctypes.byref(cuda)):
        found["cuda"] = f"{cuda.value // 1000}.{cuda.value % 1000 // 10}"
    count = ctypes.c_uint()
    if not _ask(nvml, "nvmlDeviceGetCount_v2", ctypes.byref(count)):
        return found
    found["gpus"] = []
    for index in range(count.value):
        handle = ctypes.c_void_p()
        if _ask(nvml, "nvmlDeviceGetHandleByIndex_v2", ctypes.c_uint(index), ctypes.byref(handle)):
            found["gpus"].append(_gpu(nvml, handle))
    return found


def _gpu(nvml: ctypes.CDLL, handle: ctypes.c_void_p) -> dict[str, Any]:
    found: dict[str, Any] = {"name": _text(nvml, "nvmlDeviceGetName", _NAME, handle)}
    one, two = ctypes.c_int(), ctypes.c_int()
    if _ask(nvml, "nvmlDeviceGetCudaComputeCapability", handle, ctypes.byref(one), ctypes.byref(two)):
        found["capability"] = f"{one.value}.{two.value}"
    memory = _Memory()
    if _ask(nvml, "nvmlDeviceGetMemoryInfo", handle, ctypes.byref(memory)):
        found["memory"] = memory.total
    # Cards that cannot do one of these answer with an error: then it is left out.
    for key, function in (("mig", "nvmlDeviceGetMigMode"), ("ecc", "nvmlDeviceGetEccMode")):
        now, pending = ctypes.c_uint(), ctypes.c_uint()
        if _ask(nvml, function, handle, ctypes.byref(now), ctypes.byref(pending)):
            found[key] = bool(now.value)
    return found


def _ask(nvml: ctypes.CDLL, name: str, *arguments: Any) -> bool:
    """Call a function that answers through its arguments; whether it did."""
    function = getattr(nvml, name, None)
    return function is not None and function(*arguments) == 0


def _text(nvml: ctypes.CDLL, name: str, size: int, *before: Any) -> str:
    buffer = ctypes.create_string_buffer(size)
    if not _ask(nvml, name, *before, buffer, ctypes.c_uint(size)):
        return ""
    return buffer.value.decode("utf-8", "replace")


def amd(root: str = "") -> tuple[dict[str, Any] | None, str]:
    """What the kernel says of AMD's cards.

    Args:
        root: Another root of the file system to read ``/sys`` in.

    Returns:
        Driver and cards (``gfx`` target and number of SIMD units); or None, and why.
    """
    try:
        nodes = sorted(os.listdir(root + _TOPOLOGY), key=lambda name: (len(name), name))
    except OSError:
        return None, "no driver of AMD here"
    cards = []
    for node in nodes:
        fields = dict(
            line.split(None, 1)
            for line in _read(f"{root}{_TOPOLOGY}/{node}/properties").splitlines()
            if " " in line
        )
        if fields.get("simd_count", "0") != "0":
            cards.append({"gfx": fields.get("gfx_target_version", ""), "simd_units": fields["simd_count"]})
    if not cards:
        return None, "no card of AMD here"
    return {"driver": _read(root + _AMD_DRIVER).strip(), "gpus": cards}, ""


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(1 << 16)
    except OSError:
        return ""
