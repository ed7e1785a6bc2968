"""What a stage says about its capture, below ``meta: fourfold:``: read strictly, as plain values of YAML.

The keys of the machine's resources beside them are `fourfold.pipeline.resources`; this module knows neither
stages nor files, and is told the value of a parameter by its caller.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from fourfold.base.errors import UsageError
from fourfold.formats.dvc.fields import Fault, check, wrong
from fourfold.runs.task import DETERMINISM, TRACE_MODES, Declared, Numerics

#: Keys of ours, and what they may be.
TYPES: dict[str, tuple[type, ...]] = {
    "seed": (int, str),
    "determinism": (str, bool),
    "numerics": (str, dict),
    "env": (list, str),
    "trace": (str, bool),
    "strict": (bool,),
    "hermetic": (bool,),
    "image": (str,),
}
#: Keys of a numerics profile, and what they may be.
NUMERICS: dict[str, tuple[type, ...]] = {
    "threads": (int,),
    "blas": (str,),
    "simd": (str,),
    "tf32": (bool,),
    "workspace": (str,),
    "deterministic": (bool,),
}
#: The profile that makes CPUs agree most often.
PORTABLE = Numerics(
    threads=1, blas="Haswell", simd="x86-64-v3", tf32=False, workspace=":4096:8", deterministic=True
)
SIMD = ("x86-64-v2", "x86-64-v3", "x86-64-v4")
#: Seeds are from 0 to one less than this.
SEEDS = 2**63
#: How runs are observed that say nothing of it.
TRACE = "FOURFOLD_TRACE"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}", re.ASCII)
_WORD = re.compile(r"[A-Za-z0-9_.:-]{1,64}", re.ASCII)


class BadTraceModeError(UsageError):
    """``FOURFOLD_TRACE`` names no way of observing runs."""

    code = "bad-trace-mode"


def parse(item: Mapping[str, Any], parameter: Callable[[str], Any]) -> Declared:
    """What a mapping says; keys that are not ours are passed over.

    Args:
        item: What stands below ``fourfold``.
        parameter: The value of a parameter by name, as `seed` may name one; None when there is none.

    Raises:
        Fault: it has not the right shape.
    """
    own = {key: value for key, value in item.items() if key in TYPES}
    if not own:
        return Declared()
    check(own, TYPES, ())
    seed, seed_from = _seed(own.get("seed"), parameter)
    # YAML 1.1 reads `off` as false.
    trace = {True: "auto", False: "off"}.get(own.get("trace", "auto"), own.get("trace", "auto"))
    determinism = own.get("determinism", "seeded")
    if isinstance(determinism, bool):
        determinism = "seeded" if determinism else "off"
    return Declared(
        seed=seed,
        seed_from=seed_from,
        determinism=_one_of("determinism", determinism, DETERMINISM),
        numerics=numerics(own.get("numerics")),
        env=_names(own.get("env", ())),
        trace=_one_of("trace", trace, TRACE_MODES),
        strict=own.get("strict", False),
        hermetic=own.get("hermetic", False),
        image=own.get("image"),
    )


def overruled(declared: Declared, environ: Mapping[str, str]) -> Declared:
    """What is declared, and for a run that says nothing of how it is observed, what the environment says.

    Raises:
        BadTraceModeError: the environment says something else.
    """
    mode = environ.get(TRACE)
    if not mode or declared.trace != "auto":
        return declared
    for known in TRACE_MODES:
        if known == mode:
            return declared._replace(trace=known)
    raise BadTraceModeError(f"{TRACE} is {mode!r}", hint=f"it may be: {', '.join(TRACE_MODES)}")


def _seed(value: int | str | None, parameter: Callable[[str], Any]) -> tuple[int | None, str]:
    if value is None:
        return None, ""
    if isinstance(value, str):
        found = parameter(value)
        if found is None:
            raise Fault(
                ("seed",), f"seed names no parameter: {value!r}", "write a number, or the name of one"
            )
        if type(found) is not int:
            raise Fault(("seed",), f"parameter {value!r} is no whole number: {found!r}")
        return _in_range(found), f"parameter {value}"
    return _in_range(value), "meta"


def _in_range(seed: int) -> int:
    if not 0 <= seed < SEEDS:
        raise Fault(("seed",), f"seed must be from 0 to {SEEDS - 1}, not {seed}")
    return seed


def _one_of(key: str, value: str, known: tuple[Any, ...]) -> Any:
    if value not in known:
        raise Fault((key,), f"unknown {key} {value!r}", f"one of: {', '.join(known)}")
    return value


def numerics(value: str | Mapping[str, Any] | None) -> Numerics:
    """A numerics profile, by name or by its switches.

    Raises:
        Fault: there is none of that name, or a switch has not the right value.
    """
    if value is None:
        return Numerics()
    if isinstance(value, str):
        if value != "portable":
            raise Fault(("numerics",), f"unknown numerics {value!r}", "write 'portable', or a mapping")
        return PORTABLE
    item = check(dict(value), NUMERICS, ("numerics",))
    found = Numerics(**item)
    if found.threads is not None and not 1 <= found.threads <= 4096:
        raise Fault(("numerics", "threads"), f"threads must be from 1 to 4096, not {found.threads}")
    if found.simd is not None:
        _one_of("simd", found.simd, SIMD)
    for key in ("blas", "workspace"):
        word = getattr(found, key)
        if word is not None and not _WORD.fullmatch(word):
            raise Fault(("numerics", key), f"{key} is no name of a setting: {word!r}")
    return found


def _names(value: str | list[Any] | tuple[()]) -> tuple[str, ...]:
    names = [value] if isinstance(value, str) else value
    for at, name in enumerate(names):
        if type(name) is not str:
            wrong(("env", at), name, (str,))
        if not _NAME.fullmatch(name):
            raise Fault(("env", at), f"no name of a variable: {name!r}", "write names, never values")
    return tuple(sorted(set(names)))
