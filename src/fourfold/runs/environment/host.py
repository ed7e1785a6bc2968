"""The machine: system, processor, memory, limits, as our own process sees it; nothing that names it.

A container shares all of it with its host but for what cgroups and namespaces cut down; both are told.
"""

import os
import platform
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from blake3 import blake3

#: Flags of processors that decide which kernels of libraries run; of all others there is a digest.
_NOTABLE = """
    sse4_2 avx avx2 fma f16c bmi2 avx512f avx512bw avx512cd avx512dq avx512vl avx512_vnni avx512_bf16
    avx512_fp16 avx_vnni amx_tile amx_int8 amx_bf16 asimd asimddp fphp sve sve2 bf16 i8mm neon
"""
NOTABLE = frozenset(_NOTABLE.split())
#: How the kernel calls limits -> how C does.
_LIMITS = {
    "Max address space": "as",
    "Max core file size": "core",
    "Max cpu time": "cpu",
    "Max data size": "data",
    "Max file size": "fsize",
    "Max locked memory": "memlock",
    "Max msgqueue size": "msgqueue",
    "Max nice priority": "nice",
    "Max open files": "nofile",
    "Max processes": "nproc",
    "Max resident set": "rss",
    "Max realtime priority": "rtprio",
    "Max realtime timeout": "rttime",
    "Max pending signals": "sigpending",
    "Max stack size": "stack",
}
#: Of the largest number that a limit can be.
_DIGITS = 20
_CGROUPS = "/sys/fs/cgroup"
#: A limit of cgroup v1 that is none.
_NO_LIMIT = 1 << 60


@lru_cache(maxsize=1)
def machine() -> dict[str, Any]:
    """What does not change while a process lives: system, C library, processor, memory."""
    libc = " ".join(part for part in platform.libc_ver() if part)
    uname = platform.uname()
    found: dict[str, Any] = {
        "system": uname.system,
        "kernel": uname.release,
        "machine": uname.machine,
        "libc": libc,
        "distribution": _distribution(),
        "cpu": _processor(),
        "memory": _memory(),
    }
    if uname.system == "Darwin":
        found["macos"] = platform.mac_ver()[0]
    return found


def share(root: str = "") -> dict[str, Any]:
    """What a run may use of it: cores, processor time and memory.

    Args:
        root: Another root of the file system to read ``/proc`` and ``/sys`` in.
    """
    found: dict[str, Any] = {"cores": os.cpu_count()}
    if hasattr(os, "sched_getaffinity"):
        found["affinity"] = len(os.sched_getaffinity(0))
    found |= cgroup_limits(root)
    return found


def _distribution() -> str:
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return ""
    return release.get("PRETTY_NAME") or " ".join(
        part for part in (release.get("NAME"), release.get("VERSION_ID")) if part
    )


def _processor() -> dict[str, Any]:
    """Of the first core: what model, what microcode, what it can do."""
    fields: dict[str, str] = {}
    for line in _lines("/proc/cpuinfo"):
        key, colon, value = line.partition(":")
        if not colon:
            if fields:
                break
            continue
        fields.setdefault(key.strip(), value.strip())
    if not fields:
        return {"model": platform.processor()}
    flags = sorted((fields.get("flags") or fields.get("Features") or "").split())
    found: dict[str, Any] = {
        "model": fields.get("model name") or fields.get("CPU part") or "",
        "vendor": fields.get("vendor_id") or fields.get("CPU implementer") or "",
        "microcode": fields.get("microcode") or fields.get("CPU revision") or "",
        "flags": blake3(" ".join(flags).encode()).hexdigest()[:32] if flags else "",
        "notable": [flag for flag in flags if flag in NOTABLE],
    }
    return {key: value for key, value in found.items() if value}


def _memory() -> int | None:
    """Bytes of memory of the machine."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return None


def cgroup_limits(root: str = "") -> dict[str, Any]:
    """Processor time in cores, and memory in bytes, that control groups leave; what has no limit is left out.

    Args:
        root: Another root of the file system to read ``/proc`` and ``/sys`` in.
    """
    found: dict[str, Any] = {}
    for line in _lines(root + "/proc/self/cgroup"):
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            _unified(root, path, found)
        elif "cpu" in controllers.split(","):
            _first_version(root, f"{_CGROUPS}/{controllers}", f"{_CGROUPS}/cpu", path, found)
        elif controllers == "memory":
            _first_version(root, f"{_CGROUPS}/memory", f"{_CGROUPS}/memory", path, found)
    return found


def _unified(root: str, path: str, found: dict[str, Any]) -> None:
    """Version 2: a group and all above it limit; the least is what counts."""
    for folder in _upward(f"{root}{_CGROUPS}", path):
        words = _first_line(f"{folder}/cpu.max").split()
        if len(words) == 2 and words[0].isdecimal() and words[1].isdecimal() and int(words[1]):
            _least(found, "cpu_max", round(int(words[0]) / int(words[1]), 3))
        limit = _first_line(f"{folder}/memory.max")
        if limit.isdecimal():
            _least(found, "memory_max", int(limit))


def _first_version(root: str, mount: str, other: str, path: str, found: dict[str, Any]) -> None:
    base = root + (mount if os.path.isdir(root + mount) else other)
    for folder in _upward(base, path):
        quota, period = (
            _first_line(f"{folder}/cpu.cfs_quota_us"),
            _first_line(f"{folder}/cpu.cfs_period_us"),
        )
        if quota.isdecimal() and period.isdecimal() and int(period):
            _least(found, "cpu_max", round(int(quota) / int(period), 3))
        limit = _first_line(f"{folder}/memory.limit_in_bytes")
        if limit.isdecimal() and int(limit) < _NO_LIMIT:
            _least(found, "memory_max", int(limit))


def _upward(base: str, path: str) -> Iterator[str]:
    """A group's folder and those above it; a container sees its own group as the root."""
    parts = [part for part in path.split("/") if part not in {"", ".", ".."}]
    for count in range(len(parts), -1, -1):
        yield "/".join([base, *parts[:count]])


def _least(found: dict[str, Any], key: str, value: float) -> None:
    found[key] = min(value, found.get(key, value))


def _first_line(path: str) -> str:
    lines = _lines(path)
    return lines[0].strip() if lines else ""


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(1 << 22).splitlines()
    except OSError:
        return []


def limits_told(told: Mapping[str, Any]) -> dict[str, list[int | None]]:
    """The same, as a process of Linux finds them in its ``/proc/self/limits``: words by words."""
    found: dict[str, list[int | None]] = {}
    for words, name in _LIMITS.items():
        pair = told.get(words)
        if isinstance(pair, list) and len(pair) == 2 and all(isinstance(one, str) for one in pair):
            found[name] = [int(one) if one.isdecimal() and len(one) <= _DIGITS else None for one in pair]
    return found


def limits() -> dict[str, list[int | None]]:
    """Soft and hard limits of processes, by their names without ``RLIMIT_``; None for no limit."""
    import resource  # noqa: PLC0415 - not on every system

    found: dict[str, list[int | None]] = {}
    for name in sorted(name for name in dir(resource) if name.startswith("RLIMIT_")):
        pair = resource.getrlimit(getattr(resource, name))
        key = name.removeprefix("RLIMIT_").lower()
        if key in _LIMITS.values():
            found[key] = [None if value == resource.RLIM_INFINITY else value for value in pair]
    return found


def locale_of(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that choose language, order and time zone, as they are set."""
    names = [name for name in environ if name in {"LANG", "LANGUAGE", "TZ"} or name.startswith("LC_")]
    return {name: environ[name] for name in sorted(names)}
