"""What decides the bits of a sum besides code, as the processes of a run told it: threads, BLAS, SIMD."""

import os
import re
from collections.abc import Mapping
from typing import Any

from blake3 import blake3

from fourfold.runs.environment.interpreter import Python, listing, mapping
from fourfold.runs.inject._fourfold_facts import SWITCHES

#: Libraries of linear algebra, of those that are asked.
_BLAS = frozenset({"openblas", "mkl", "blis", "reference"})
#: MKL as PyTorch has it, inside of its own library, where nobody else can ask it.
_LINKED = re.compile(r"Math Kernel Library Version (.*?) for ")
#: What is told of a framework besides its devices.
_DEVICES = frozenset({"cudnn", "nccl", "devices", "cuda_initialized"})


def threads(python: Python) -> dict[str, Any]:
    """Threads of each library that is asked, and of frameworks, and the switches that were set."""
    libraries: dict[str, Any] = {}
    frameworks: dict[str, Any] = {}
    switches: dict[str, str] = {}
    for report in python.reports:
        for entry in listing(report, "blas"):
            if isinstance(entry, Mapping) and isinstance(entry.get("threads"), int):
                libraries.setdefault(os.path.basename(str(entry.get("file"))), entry["threads"])
        for name, facts in mapping(report, "frameworks").items():
            if isinstance(facts, Mapping):
                for key, value in facts.items():
                    if key.endswith("threads") and isinstance(value, int):
                        frameworks.setdefault(f"{name}.{key}", value)
        for name, value in mapping(report, "switches").items():
            if isinstance(value, str) and name in SWITCHES:
                switches.setdefault(name, value)
    found = {"libraries": libraries, "frameworks": frameworks, "switches": switches}
    return {key: dict(sorted(value.items())) for key, value in found.items() if value}


def blas(python: Python) -> list[dict[str, Any]]:
    """The libraries of linear algebra that were loaded: which, what version, what kernels."""
    found: dict[str, dict[str, Any]] = {}
    for report in python.reports:
        for entry in listing(report, "blas"):
            if isinstance(entry, Mapping) and entry.get("api") in _BLAS:
                name = os.path.basename(str(entry.get("file")))
                told = {
                    key: entry[key]
                    for key in ("api", "version", "core", "layer", "config", "cbwr")
                    if entry.get(key) is not None
                }
                found.setdefault(name, {"file": name, **told})
        config = mapping(mapping(report, "frameworks"), "torch").get("config")
        for match in _LINKED.finditer(config) if isinstance(config, str) else ():
            found.setdefault("torch", {"file": "torch", "api": "mkl", "version": match[1].strip()})
    return [found[name] for name in sorted(found)]


def simd(python: Python) -> dict[str, Any]:
    """Instruction sets that libraries chose to use."""
    found: dict[str, Any] = {}
    for report in python.reports:
        for name, value in mapping(report, "simd").items():
            found.setdefault(name, value)
    return dict(sorted(found.items()))


def _concise(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The flags that a framework was compiled with are long: their digest tells builds apart."""
    config = facts.get("config")
    if not isinstance(config, str):
        return dict(facts)
    lines = [
        line.strip(" -") for line in config.splitlines() if not line.strip(" -").startswith("Build settings")
    ]
    build = blake3(config.encode("utf-8", "surrogateescape")).hexdigest()[:32]
    return {**facts, "config": lines, "build": build}


def frameworks(python: Python) -> dict[str, Any]:
    """What frameworks say of themselves, but for their devices and threads."""
    found: dict[str, Any] = {}
    for report in python.reports:
        for name, facts in mapping(report, "frameworks").items():
            if isinstance(facts, Mapping):
                told = {
                    key: value
                    for key, value in facts.items()
                    if value is not None and key not in _DEVICES and not key.endswith("threads")
                }
                found.setdefault(name, _concise(told))
    return dict(sorted(found.items()))


def devices(python: Python) -> dict[str, Any]:
    """What frameworks say of the accelerators that they used."""
    found: dict[str, Any] = {}
    for report in python.reports:
        for name, facts in mapping(report, "frameworks").items():
            if isinstance(facts, Mapping):
                told = {key: facts[key] for key in sorted(_DEVICES) if facts.get(key)}
                if told:
                    found.setdefault(name, told)
    return dict(sorted(found.items()))
