"""The fourth coordinate: the seed of a run, how far randomness is held, and what no seed reached.

`plan` says before a run what is put into its environment; `section` says afterwards what is known of it. How
a seed becomes those of libraries, and what is done inside of processes, is ``inject/_fourfold_seeds.py``;
both use ``inject/_fourfold_derive.py``. What is measured of threads and processors is the third coordinate's.
"""

import os
import platform
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from fourfold.formats.native.fact import Fact, Section, absent, declared, observed
from fourfold.runs.declared import PORTABLE
from fourfold.runs.inject import _fourfold_derive
from fourfold.runs.observation import Observation
from fourfold.runs.task import Determinism, Numerics, Task

#: The version of the derivation of sub-seeds.
DERIVATION = _fourfold_derive.VERSION
_SEED, _STAGE = "FOURFOLD_SEED", "FOURFOLD_STAGE"
_HASHSEED = "PYTHONHASHSEED"
_THREADS = (
    "BLIS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_MAX_THREADS",
    "NUMEXPR_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "RAYON_NUM_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
#: Ceiling of SIMD -> what each library calls it.
_CEILINGS = {
    "x86-64-v2": {
        "ATEN_CPU_CAPABILITY": "default",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "MKL_CBWR": "SSE4_2",
    },
    "x86-64-v3": {
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "MKL_CBWR": "AVX2,STRICT",
    },
    "x86-64-v4": {
        "ATEN_CPU_CAPABILITY": "avx512",
        "ONEDNN_MAX_CPU_ISA": "AVX512_CORE",
        "MKL_CBWR": "AVX512,STRICT",
    },
}
#: What MKL calls the code path of a core type of OpenBLAS.
_MKL = {"Nehalem": "SSE4_2", "Sandybridge": "AVX", "Haswell": "AVX2,STRICT", "SkylakeX": "AVX512,STRICT"}
#: What else `strict` fixes: the host's part in it.
_HOST = {
    "TZ": "UTC",
    "LC_ALL": "C.UTF-8",
    "PYTHONUTF8": "1",
    "SOURCE_DATE_EPOCH": "315532800",
    "FLASH_ATTENTION_DETERMINISTIC": "1",
    "TF_DETERMINISTIC_OPS": "1",
}
#: Reports come from anybody's code: so many entries are taken, with paths of at most so many characters.
_MOST, _LONGEST = 1000, 4096
_XLA = "--xla_gpu_deterministic_ops=true"


class Plan(NamedTuple):
    """What is planned for the randomness of a run.

    Attributes:
        seed: Its seed, 0 to 2**63 - 1; None when none is declared and none is asked for.
        seed_from: Where it comes from: ``meta``, ``parameter NAME``, ``FOURFOLD_SEED``; "" when it was drawn.
        drawn: Whether it was drawn.
        derivation: How sub-seeds follow from it.
        determinism: How far it goes.
        numerics: The profile that is asked for, with what `determinism` adds.
        environ: What is added to the environment.
        overruled: Names of variables that the user has set otherwise, and that were replaced.
        kept: Names of variables that the profile would set, and that the user has set otherwise.
    """

    seed: int | None
    seed_from: str
    drawn: bool
    derivation: str
    determinism: Determinism
    numerics: Numerics
    environ: Mapping[str, str]
    overruled: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


def plan(task: Task, draw: Callable[[], int]) -> Plan:
    """What to do about the randomness of a task.

    Args:
        task: What is about to run.
        draw: Gives a new seed; called when none is declared.
    """
    determinism = task.declared.determinism
    seed, seed_from = task.declared.seed, task.declared.seed_from
    given = _fourfold_derive.parse_seed(task.environ.get(_SEED, ""))
    if seed is None and determinism != "off":
        seed, seed_from = (draw(), "") if given is None else (given, _SEED)
    numerics = _resolved(task.declared.numerics, determinism)
    wanted = _switches(numerics)
    if determinism == "strict":
        wanted |= _HOST
    additions, overruled, kept = _weighed(task.environ, wanted, is_strict=determinism == "strict")
    if determinism == "strict":
        additions |= _xla(task.environ)
    additions["FOURFOLD_DETERMINISM"] = determinism
    additions[_STAGE] = task.name
    additions["FOURFOLD_NUMERICS"] = ",".join(f"{key}={value}" for key, value in _told(numerics).items())
    if seed is not None:
        additions[_SEED] = str(seed)
        if determinism == "strict" and not _may_set_hash_seed(task.environ):
            overruled = tuple(sorted((*overruled, _HASHSEED)))
        if determinism == "strict" or (determinism == "seeded" and _may_set_hash_seed(task.environ)):
            additions[_HASHSEED] = str(hash_seed(seed, task.name))
    return Plan(
        seed,
        seed_from,
        seed is not None and not seed_from,
        DERIVATION,
        determinism,
        numerics,
        dict(sorted(additions.items())),
        overruled,
        kept,
    )


def hash_seed(seed: int, stage: str) -> int:
    """``PYTHONHASHSEED`` of a run."""
    return _fourfold_derive.short(_fourfold_derive.derive(seed, stage, 0, "", "hash"))


def _may_set_hash_seed(environ: Mapping[str, str]) -> bool:
    """Whether nobody has chosen one, unless it was us, for the run in which this one runs."""
    present = environ.get(_HASHSEED, "")
    outer = _fourfold_derive.parse_seed(environ.get(_SEED, ""))
    ours = "" if outer is None else str(hash_seed(outer, environ.get(_STAGE, "")))
    return present in {"", "random", ours}


def _resolved(numerics: Numerics, determinism: Determinism) -> Numerics:
    """A profile with what is not said filled in: of `strict`, the portable one."""
    if determinism != "strict":
        return numerics
    base = PORTABLE
    if platform.machine().lower() not in {"x86_64", "amd64"}:
        base = base._replace(blas=None, simd=None)
    said = {key: value for key, value in numerics._asdict().items() if value is not None}
    return base._replace(**said)


def _switches(numerics: Numerics) -> dict[str, str]:
    """The environment variables of a profile."""
    found: dict[str, str] = {}
    if numerics.threads is not None:
        found |= dict.fromkeys(_THREADS, str(numerics.threads))
        found |= {"MKL_DYNAMIC": "FALSE", "OMP_DYNAMIC": "FALSE"}
    if numerics.simd is not None:
        found |= _CEILINGS.get(numerics.simd, {})
    if numerics.blas is not None:
        found["OPENBLAS_CORETYPE"] = numerics.blas
        if numerics.blas in _MKL:
            found["MKL_CBWR"] = _MKL[numerics.blas]
    if numerics.tf32 is not None:
        found["NVIDIA_TF32_OVERRIDE"] = str(int(numerics.tf32))
    if numerics.deterministic:
        found["TORCHINDUCTOR_DETERMINISTIC"] = "1"
    if numerics.workspace is not None:
        found["CUBLAS_WORKSPACE_CONFIG"] = numerics.workspace
    return found


def _weighed(
    environ: Mapping[str, str], wanted: Mapping[str, str], *, is_strict: bool
) -> tuple[dict[str, str], tuple[str, ...], tuple[str, ...]]:
    """What is set; what of the user's that replaces; what of the user's stays."""
    other = sorted(name for name, value in wanted.items() if environ.get(name) not in {None, value})
    if is_strict:
        return dict(wanted), tuple(other), ()
    return {name: value for name, value in wanted.items() if name not in other}, (), tuple(other)


def _xla(environ: Mapping[str, str]) -> dict[str, str]:
    flags = environ.get("XLA_FLAGS", "")
    if "xla_gpu_deterministic_ops" in flags:
        return {}
    return {"XLA_FLAGS": f"{flags} {_XLA}".strip()}


def _told(numerics: Numerics) -> dict[str, str]:
    """A profile as processes of the run read it."""
    return {
        key: str(value).lower() if isinstance(value, bool) else str(value)
        for key, value in sorted(numerics._asdict().items())
        if value is not None
    }


# --- afterwards -------------------------------------------------------------------------------------------


def section(plan: Plan, task: Task, observation: Observation) -> Section:
    """The facts of the fourth coordinate.

    Args:
        plan: What was planned.
        task: What ran.
        observation: What was seen of it.
    """
    told = [report["seeds"] for report in observation.reports if isinstance(report.get("seeds"), Mapping)]
    nobody = _nobody(observation)
    found: dict[str, Fact] = {
        "seed": _seed(plan),
        "derivation": absent("no seed") if plan.seed is None else observed(plan.derivation),
        "determinism": declared(plan.determinism),
        "hash_seed": _hash_seed(plan, task),
    }
    if plan.determinism == "off":
        found["injected"] = absent("determinism is off")
    else:
        found["injected"] = _outcomes(told, "libraries") if told else absent(nobody)
    found["numerics"] = _numerics(plan, told, observation)
    for name in ("unseeded", "entropy"):
        found[name] = observed(_places(name, task, observation)) if told else absent(nobody)
    return found


def _seed(plan: Plan) -> Fact:
    if plan.seed is None:
        return absent("determinism is off, and no seed is declared")
    if plan.drawn:
        return observed(plan.seed, "drawn")
    return declared(plan.seed, plan.seed_from)


def _nobody(observation: Observation) -> str:
    if observation.reports:
        return "processes of Python told nothing about seeds"
    return "no process of Python told about itself: another language, python -I, -E or -S, or it was killed"


def _hash_seed(plan: Plan, task: Task) -> Fact:
    value = plan.environ.get(_HASHSEED)
    if value is not None:
        return observed(int(value), "derived")
    given = task.environ.get(_HASHSEED, "")
    if given.isascii() and given.isdigit():
        return observed(int(given), "set by the user")
    return absent("hashes are salted anew by each process")


def _outcomes(told: Iterable[Mapping[str, Any]], key: str) -> Fact:
    """What was tried in any process: the names where it worked, and why where it did not."""
    good: set[str] = set()
    bad: dict[str, str] = {}
    for seeds in told:
        outcomes = seeds.get(key)
        for name, outcome in list(outcomes.items())[:_MOST] if isinstance(outcomes, Mapping) else ():
            if outcome == "ok":
                good.add(str(name)[:80])
            else:
                bad[str(name)[:80]] = str(outcome)[:80]
    value: dict[str, Any] = {"done": sorted(good)}
    if bad:
        value["failed"] = dict(sorted(bad.items()))
    return observed(value)


def _numerics(plan: Plan, told: list[Mapping[str, Any]], observation: Observation) -> Fact:
    """What was asked for, what was set for it, and what processes say that is otherwise."""
    asked = {key: value for key, value in plan.numerics._asdict().items() if value is not None}
    if not asked and not plan.overruled:
        return absent("no numerics profile is asked for")
    value: dict[str, Any] = {
        "asked": asked,
        "set": sorted(name for name in plan.environ if not name.startswith(("FOURFOLD_", _HASHSEED))),
    }
    for name, these in (("overruled", plan.overruled), ("kept", plan.kept)):
        if these:
            value[name] = list(these)
    switches = _outcomes(told, "switches").value
    if switches["done"] or "failed" in switches:
        value["switches"] = switches
    otherwise = _otherwise(plan.numerics, observation)
    if otherwise:
        value["otherwise"] = otherwise
    return observed(value)


def _otherwise(asked: Numerics, observation: Observation) -> dict[str, list[str]]:
    """Where processes end with other settings than the profile asks for: a program may set its own."""
    found: dict[str, set[str]] = {}

    def compare(name: str, want: object, have: object) -> None:
        if want is not None and have is not None and want != have:
            found.setdefault(name, set()).add(str(have)[:80])

    for report in observation.reports:
        libraries = report.get("blas")
        for library in libraries if isinstance(libraries, list) else ():
            if isinstance(library, Mapping):
                compare("threads", asked.threads, library.get("threads"))
                if library.get("api") == "openblas":
                    compare("blas", asked.blas, library.get("core"))
        torch = _inner(report, "frameworks", "torch")
        compare("threads", asked.threads, torch.get("threads"))
        compare("deterministic", asked.deterministic, torch.get("deterministic"))
        used = _inner(report, "simd", "numpy").get("used")
        if asked.simd in {"x86-64-v2", "x86-64-v3"} and isinstance(used, list):
            for name in used:
                if str(name).startswith(("AVX512", "X86_V4")):
                    compare("simd", asked.simd, name)
    return {name: sorted(values) for name, values in sorted(found.items())}


def _inner(report: Mapping[str, Any], *keys: str) -> Mapping[str, Any]:
    """A mapping inside of a report, which may have any shape."""
    value: object = report
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def _places(key: str, task: Task, observation: Observation) -> list[dict[str, Any]]:
    """Call sites of all processes, each once, files as a record names them."""
    found: dict[tuple[Any, ...], int] = {}
    for report in observation.reports:
        entries = report.get(key)
        for entry in entries if isinstance(entries, list) else ():
            if not isinstance(entry, Mapping):
                continue
            file = _shown(str(entry.get("file", "")), task, report)
            line, times = entry.get("line"), entry.get("times")
            if not (isinstance(line, int) and isinstance(times, int)) or len(file) > _LONGEST:
                continue
            at = (file, line, str(entry.get("what", ""))[:80], entry.get("derived") is True)
            found[at] = found.get(at, 0) + times
    made = []
    for (file, line, what, derived), times in sorted(found.items())[:_MOST]:
        item: dict[str, Any] = {"at": f"{file}:{line}", "what": what, "times": times}
        if key == "unseeded":
            item["derived"] = derived
        made.append(item)
    return made


def _shown(file: str, task: Task, report: Mapping[str, Any]) -> str:
    """A file as a record names it: relative to the root, or to the interpreter's prefix, or to the home."""
    if file.startswith("<"):
        return file
    file = os.path.normpath(os.path.join(task.cwd, file))
    places = [(report.get(key), "{prefix}/") for key in ("prefix", "base_prefix")]
    places += [(task.root, ""), (task.environ.get("HOME"), "~/")]
    folders = [(folder.rstrip("/") + "/", name) for folder, name in places if isinstance(folder, str)]
    for folder, name in sorted(folders, key=lambda one: -len(one[0])):
        if folder != "/" and file.startswith(folder):
            return name + file[len(folder) :]
    return file
