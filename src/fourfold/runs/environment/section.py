"""The third coordinate of a record: what a run found itself in. Facts: docs/design/006-run-records.md.

What processes of Python told (`interpreter`, `numerics`) comes first; what they did not tell is looked up on
the disk or the machine, or is absent and says why.
"""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from fourfold.base.errors import FourfoldError
from fourfold.formats.native.canonical import canonical
from fourfold.formats.native.fact import Fact, Section, absent, observed
from fourfold.runs import sites
from fourfold.runs.environment import accelerators, host, interpreter, libraries, numerics
from fourfold.runs.environment import distributions as dists
from fourfold.runs.environment.flags import flags
from fourfold.runs.environment.interpreter import Python, mapping
from fourfold.runs.environment.libraries import Asked
from fourfold.runs.environment.naming import Names, is_passing, names_of
from fourfold.runs.environment.remembered import remembered
from fourfold.runs.zones import Machine

if TYPE_CHECKING:
    from fourfold.runs.observation import Observation
    from fourfold.runs.place import Place
    from fourfold.runs.task import Task

Keep = Callable[[Mapping[str, Any]], dict[str, Any]]

#: No fact that a process tells is longer, in bytes.
_LONGEST = 256 * 1024
#: So many interpreters that did not tell are asked.
_MOST_ASKED = 4
_NO_PYTHON = "no process of Python told about itself"


def section(task: "Task", place: "Place", observation: "Observation", parts: Keep) -> Section:
    """The facts of the environment of a run.

    Args:
        task: What ran.
        place: Where.
        observation: What was seen of it.
        parts: Keeps a long document and gives the reference to it.

    Returns:
        ``digest interpreter distributions libraries loader host limits locale threads blas simd frameworks
        accelerators executables path``, and ``others`` when more than one Python ran, ``conda`` in an
        environment of conda.
    """
    files = remembered(place, "files")
    asked = Asked(files, place.clock.now_ns())
    pythons = interpreter.pythons(observation.reports)
    told = bool(pythons)
    if not told:
        pythons = _asked_after(task, observation)
    main = pythons[0] if pythons else None
    names = names_of(place.root, task.environ, main.first if main is not None else None)
    facts: dict[str, Fact] = {}
    if main is None:
        facts |= {name: absent(_NO_PYTHON) for name in _OF_PYTHON}
    else:
        seen = _opened(observation, task.environ, main)
        facts |= _of_python(main, place, names, asked, parts, seen)
        if not told:
            facts = {name: fact._replace(why=fact.why or _AFTER) for name, fact in facts.items()}
            facts |= {name: absent(_NO_PYTHON) for name in _OF_PROCESSES}
        conda = _conda(main)
        if conda:
            facts["conda"] = observed(parts(conda))
        if pythons[1:]:
            facts["others"] = observed([_other(python, place, task, asked, parts) for python in pythons[1:]])
    facts["accelerators"] = _accelerators(main)
    facts["image"] = _image(task, place)
    facts["libraries"] = _libraries(pythons, observation, names, asked, parts)
    facts["executables"] = _executables(observation, names, asked)
    facts["host"] = observed({**host.machine(), **host.share()}, "of Fourfold's own look")
    facts["limits"] = _limits(main)
    facts["locale"] = _locale(main, task)
    facts["loader"] = observed(named_to_loader(task.environ, names.shown))
    facts["path"] = observed(_path(task, names))
    files.save(place)
    return dict(sorted(facts.items()))


_AFTER = "asked after the run, in which no process of it told about itself"

#: Facts that only the processes of a run can tell.
_OF_PROCESSES = ("threads", "blas", "simd", "frameworks")
#: Facts that only a Python can tell.
_OF_PYTHON = (
    "digest",
    "interpreter",
    "distributions",
    "flags",
    "lock",
    *_OF_PROCESSES,
)


def _asked_after(task: "Task", observation: "Observation") -> tuple[Python, ...]:
    """The Pythons that ran and did not tell (``-I``, ``-E``, another ``PYTHONPATH``): they are asked now."""
    from fourfold.runs.environment.asking import ask, pythons_among  # noqa: PLC0415 - most do tell

    started = [one.path for one in observation.trace.accesses if one.how == "exec" and one.found]
    reports = []
    for executable in pythons_among(started)[:_MOST_ASKED]:
        with suppress(FourfoldError):
            reports.append(ask(executable, task.environ))
    return interpreter.pythons(reports)


def _opened(observation: "Observation", environ: Mapping[str, str], python: Python) -> set[str]:
    """Modules that were imported, and files of modules below folders of packages that were seen to be opened.

    Processes that were killed (workers of a pool) do not tell what they imported; a trace does.
    """
    machine = Machine(environ)
    files = set(python.modules.values())
    for access in observation.trace.accesses:
        if access.how == "read" and access.found and "-packages/" in access.path:
            path = machine.source_of(access.path) or access.path
            if path.endswith((".py", ".so")):
                files.add(path)
    return files


def _of_python(
    main: Python, place: "Place", names: Names, asked: Asked, parts: Keep, seen: set[str]
) -> dict[str, Fact]:
    described = interpreter.describe(main, names, asked)
    found = _installed(main, place, asked)
    listing = _listing(found, seen, names)
    digest = environment_digest(described, listing)
    sites.note(place, digest, main.first, interpreter.portable(described))
    blas = numerics.blas(main)
    simd = numerics.simd(main)
    return {
        "interpreter": observed(described),
        "distributions": observed(parts(listing)),
        "flags": observed(flags(main, found, place, names, asked)),
        "lock": _lock(place, listing, {**described, "prefix": interpreter.text(main.first, "prefix")}),
        "digest": observed(digest),
        "threads": _believed(numerics.threads(main)),
        "blas": _believed(blas)
        if blas
        else absent("no library of linear algebra that can be asked was loaded"),
        "simd": _believed(simd) if simd else absent("neither NumPy nor PyTorch was imported"),
        "frameworks": _believed(numerics.frameworks(main)),
    }


def _believed(value: Any) -> Fact:
    """What a process told, if a record can hold it."""
    with suppress(ValueError, TypeError, RecursionError):
        if len(canonical(value)) <= _LONGEST:
            return observed(value)
    return absent("what its process told is no value, or too long")


def environment_digest(described: Mapping[str, Any], listing: Mapping[str, Mapping[str, Any]]) -> str:
    """What names the portable part of an environment: equal on two machines where all of it is equal.

    Args:
        described: The interpreter, as its fact says.
        listing: The distributions, as their part says; what a run imported of them makes no difference.
    """
    return sites.digest_of(interpreter.portable(described), listing)


def _installed(python: Python, place: "Place", asked: Asked) -> dict[str, dists.Distribution]:
    known = remembered(place, "distributions")
    path = [entry for entry in interpreter.listing(python.first, "path") if isinstance(entry, str)]
    found = dists.installed(path, known, asked.now_ns)
    known.save(place)
    return found


def _listing(found: Mapping[str, dists.Distribution], seen: set[str], names: Names) -> dict[str, Any]:
    return dists.document(found, dists.imported(found, seen), names.shown)


def _lock(place: "Place", listing: Mapping[str, Any], described: Mapping[str, Any]) -> Fact:
    from fourfold.runs import lockcheck  # noqa: PLC0415 - only where a Python ran

    return lockcheck.fact(place, listing, described)


def _conda(main: Python) -> dict[str, str]:
    """What conda installed beside Python's distributions: name -> version and build."""
    from fourfold.runs.lockcheck.conda import conda_installed  # noqa: PLC0415 - only where a Python ran

    found = conda_installed(interpreter.text(main.first, "prefix"))
    return {one.name.removeprefix("conda:"): f"{one.version} {one.build}" for one in found.values()}


def _image(task: "Task", place: "Place") -> Fact:
    from fourfold.runs import image  # noqa: PLC0415 - not needed to understand an environment

    return image.fact(task, place.environ, own=place.own)


def _accelerators(main: Python | None) -> Fact:
    found: dict[str, Any] = {}
    why = []
    for name, (told, missing) in (("nvidia", accelerators.nvidia()), ("amd", accelerators.amd())):
        if told is not None:
            found[name] = told
        else:
            why.append(missing)
    used = _believed(numerics.devices(main)) if main is not None else absent("")
    if used.value:
        found["used"] = used.value
    return observed(found) if found else absent("; ".join(why))


def _other(python: Python, place: "Place", task: "Task", asked: Asked, parts: Keep) -> dict[str, Any]:
    names = names_of(place.root, task.environ, python.first)
    described = interpreter.describe(python, names, asked)
    listing = _listing(_installed(python, place, asked), set(python.modules.values()), names)
    return {
        "interpreter": described,
        "distributions": parts(listing),
        "digest": environment_digest(described, listing),
    }


def _libraries(
    pythons: tuple[Python, ...], observation: "Observation", names: Names, asked: Asked, parts: Keep
) -> Fact:
    """What Python had in memory at its end, and what any program opened."""
    loaded = {path for python in pythons for path in python.loaded}
    # The kernel tells Python where links lead; a trace has the names that programs used.
    loaded |= {
        os.path.realpath(access.path)
        for access in observation.trace.accesses
        if access.how == "read"
        and access.found
        and libraries.is_shared(access.path)
        and access.path not in loaded
    }
    lasting = [path for path in loaded if not path.endswith(" (deleted)") and not is_passing(names, path)]
    if not lasting:
        why = observation.trace.coverage.why or "the way it was traced does not see them"
        return absent(f"{_NO_PYTHON}, and no library was seen to be opened: {why}")
    return observed(
        parts(libraries.document(lasting, names.shown, asked)), _passing(len(loaded), len(lasting))
    )


def _executables(observation: "Observation", names: Names, asked: Asked) -> Fact:
    started = {one.path for one in observation.trace.accesses if one.how == "exec" and one.found}
    programs = sorted(path for path in started if not is_passing(names, path))
    if not started:
        coverage = observation.trace.coverage
        return absent(coverage.why or f"tracing by {coverage.method} saw no program being started")
    found = {}
    for path in programs:
        told = libraries.content(path, asked)
        found[names.shown(path)] = told if told is not None else {"gone": True}
    return observed(found, _passing(len(started), len(programs)))


def _passing(count: int, lasting: int) -> str:
    """What is said of files that have no name worth keeping."""
    return "those in temporary folders left out" if lasting < count else ""


def _limits(main: Python | None) -> Fact:
    told = host.limits_told(mapping(mapping(main.first, "process"), "limits")) if main is not None else {}
    if told:
        return observed(told)
    return observed(host.limits(), "of Fourfold's own process, which the run inherits")


def _locale(main: Python | None, task: "Task") -> Fact:
    found: dict[str, Any] = {"variables": host.locale_of(task.environ)}
    if main is not None:
        found |= {
            key: value for key, value in mapping(main.first, "locale").items() if isinstance(value, str)
        }
        umask = mapping(main.first, "process").get("umask")
        if isinstance(umask, str):
            found["umask"] = umask
    return observed(found)


def _path(task: "Task", names: Names) -> list[str]:
    return _entries(task.environ.get("PATH", ""), names.shown)


#: What has programs load libraries that they do not ask for, or others than they would.
_LOADER = (
    "LD_AUDIT",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "DYLD_FALLBACK_LIBRARY_PATH",
    "DYLD_FRAMEWORK_PATH",
    "DYLD_INSERT_LIBRARIES",
    "DYLD_LIBRARY_PATH",
)


def named_to_loader(environ: Mapping[str, str], shown: Callable[[str], str]) -> dict[str, list[str]]:
    """Files and folders that variables name to what loads libraries, by variable.

    Args:
        environ: The variables.
        shown: How an absolute path is to be called.
    """
    found = {}
    for name in _LOADER:
        value = environ.get(name, "")
        # Spaces part what is to be preloaded, too.
        listed = value.replace(" ", os.pathsep) if name == "LD_PRELOAD" else value
        if entries := _entries(listed, shown):
            found[name] = entries
    return found


def _entries(listed: str, shown: Callable[[str], str]) -> list[str]:
    """Paths of a list, as facts name them."""
    return [shown(entry) if os.path.isabs(entry) else entry for entry in listed.split(os.pathsep) if entry]
