"""Which Python ran: the reports of the processes of one run, put in order by interpreter.

Reports are what `inject/_fourfold_report.py` wrote inside of the run: a stage may have written anything
there, so that nothing in them is believed to have a type.
"""

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from fourfold.runs.environment.libraries import Asked, content
from fourfold.runs.environment.naming import Names

Report = Mapping[str, Any]

#: Programs in Python that start others, often of another Python: not what a stage is about.
_LAUNCHERS = frozenset({"conda", "mamba", "poetry", "pipenv", "pdm", "hatch", "tox", "nox", "pipx", "rye"})
_VERSION = re.compile(r"(\S+)[^(]*\(([^)]*)\)\s*(?:\[([^\]]*)\])?", re.DOTALL)


class Python(NamedTuple):
    """One interpreter and all of its processes.

    Attributes:
        first: What its first process told.
        reports: What each of them told.
        modules: Absolute files of the modules that any of them imported, by name.
        loaded: Absolute paths of the shared libraries that any of them had loaded, sorted.
    """

    first: Report
    reports: tuple[Report, ...]
    modules: Mapping[str, str]
    loaded: tuple[str, ...]


def pythons(reports: Sequence[Report]) -> tuple[Python, ...]:
    """The interpreters of a run: first the one it is about, then the others in their order.

    It is about the first that started and is not a mere launcher (``conda run``, ``poetry run``).
    """
    groups: dict[tuple[str, str, str], list[Report]] = {}
    for report in reports:
        prefix = text(report, "prefix")
        if prefix:
            groups.setdefault((prefix, text(report, "base_prefix"), text(report, "version")), []).append(
                report
            )
    ordered = sorted(groups.values(), key=lambda group: all(_is_launcher(report) for report in group))
    return tuple(_joined(group) for group in ordered)


def _joined(group: list[Report]) -> Python:
    modules: dict[str, str] = {}
    loaded: set[str] = set()
    for report in group:
        for name, file in mapping(report, "modules").items():
            if isinstance(file, str) and file.startswith(os.sep):
                modules.setdefault(name, file)
        loaded.update(path for path in listing(report, "loaded") if isinstance(path, str))
    return Python(group[0], tuple(group), modules, tuple(sorted(loaded)))


def _is_launcher(report: Report) -> bool:
    argv = listing(report, "argv")
    name = os.path.basename(str(argv[0])) if argv else ""
    return name.removesuffix(".py") in _LAUNCHERS


def text(report: Report, key: str) -> str:
    """A text in a report; "" for anything else."""
    value = report.get(key)
    return value if isinstance(value, str) else ""


def mapping(report: Report, key: str) -> Mapping[str, Any]:
    """A mapping in a report; empty for anything else."""
    value = report.get(key)
    return value if isinstance(value, Mapping) else {}


def listing(report: Report, key: str) -> Sequence[Any]:
    """A list in a report; empty for anything else."""
    value = report.get(key)
    return value if isinstance(value, list | tuple) else ()


def describe(python: Python, names: Names, asked: Asked) -> dict[str, Any]:
    """What a record says of an interpreter."""
    first = python.first
    facts = mapping(first, "implementation")
    found: dict[str, Any] = {
        key: facts[key]
        for key in ("version", "cache_tag", "abi", "abiflags", "gil", "platform", "machine", "bits")
        if isinstance(facts.get(key), str | bool | int)
    }
    found["implementation"] = str(facts.get("name", ""))
    match = _VERSION.match(text(first, "version"))
    if match is not None:
        found["build"] = " ".join(match[2].split())
        if match[3]:
            found["compiler"] = match[3]
    executable = text(first, "executable")
    if executable:
        found["executable"] = names.shown(executable)
        told = content(os.path.realpath(executable), asked)
        if told is not None:
            found["binary"] = told["blake3"]
    found["prefix"] = names.place(text(first, "prefix"))
    found["virtual"] = text(first, "prefix") != text(first, "base_prefix")
    flags = mapping(first, "flags")
    found["flags"] = {
        name: flags[name] for name in sorted(flags) if isinstance(flags[name], int) and flags[name]
    }
    return found


def portable(facts: Mapping[str, Any]) -> dict[str, str]:
    """Of an interpreter, what can be the same on two machines: what `environment.digest` names."""
    return {
        "implementation": str(facts.get("implementation", "")),
        "version": str(facts.get("version", "")),
        "platform": f"{facts.get('platform', '')}-{facts.get('machine', '')}",
    }
