"""What a stage needs of the machine besides its files: `meta: fourfold:`, and who holds how much of it now.

Read strictly, with line and column of a mistake, because a resource that is silently not respected costs
more than a stage that does not start. Nothing is measured while a stage runs: the numbers are promises of
whoever wrote them. Which stage starts when is decided by `schedule` and `repro`.
"""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from fourfold.base.errors import ExhaustedError
from fourfold.formats.dvc.fields import Fault, Path, check, dotted, located, wrong
from fourfold.project.outs import Owner

if TYPE_CHECKING:
    from fourfold.project.project import Project
    from fourfold.runs.task import Declared

#: The key below ``meta`` that is ours.
KEY = "fourfold"
#: More attempts than anybody means.
_MOST_RETRIES = 1000
#: Keys below ours, and what they may be, besides those of `fourfold.runs.declared`: how a run is captured.
#: A mistake in any of them is told here.
TYPES: dict[str, tuple[type, ...]] = {
    "mutex": (str, list),
    "gpus": (int,),
    "memory": (int, str),
    "timeout": (int, float, str),
    "retries": (int,),
    "goal": (dict,),  # which way metrics are better: read by `goals`
    "verify": (dict,),  # how it is to be verified: `check_terms`
}
#: What stands below ``verify``.
VERIFY: dict[str, tuple[type, ...]] = {
    "level": (str,),
    "metric": (str,),
    "margin": (int, float),
    "seeds": (int,),
    "repeats": (int,),
}
#: More seeds and repeats than anybody has time for.
_MOST_RUNS = 1000
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]i?|)B?", re.ASCII | re.IGNORECASE)
_SPAN = re.compile(
    r"(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?", re.ASCII
)
_SECONDS = (86400, 3600, 60, 1)


class ResourceUnavailableError(ExhaustedError):
    """A stage wants more than this machine has."""

    code = "resource-unavailable"


class Needs(NamedTuple):
    """What one stage asks for.

    Attributes:
        mutexes: Names of which only one stage at a time may hold each.
        gpus: How many of the machine's.
        memory: Bytes of the machine's; 0 when nothing is said.
        timeout: Seconds that one attempt may take; None for as long as it takes.
        retries: How often a failed attempt is repeated.
    """

    mutexes: tuple[str, ...] = ()
    gpus: int = 0
    memory: int = 0
    timeout: float | None = None
    retries: int = 0


NOTHING = Needs()


def needs_of(project: "Project", owner: Owner) -> Needs:
    """What a stage asks for below ``meta: fourfold:``; nothing for whoever says nothing.

    Raises:
        BadFieldError: an unknown key, or a value that means nothing; line and column are named.
    """
    if not owner.is_stage or not isinstance(owner.meta, Mapping) or KEY not in owner.meta:
        return NOTHING
    try:
        return parse(owner.meta[KEY])
    except Fault as fault:
        raise _located(project, owner, fault) from None


def declared_of(project: "Project", owner: Owner) -> "Declared":
    """What a stage says about its capture below ``meta: fourfold:``.

    Raises:
        BadFieldError: a value means nothing, or names no parameter; line and column are named.
    """
    from fourfold.runs.task import Declared  # noqa: PLC0415 - where nothing runs, nobody asks

    own = owner.meta.get(KEY) if isinstance(owner.meta, Mapping) else None
    if not isinstance(own, Mapping) or own.keys() <= TYPES.keys():
        return Declared()
    from fourfold.formats.dvc.lock import DEFAULT_PARAMS  # noqa: PLC0415 - few stages say anything
    from fourfold.project.changes import Examiner, lookup  # noqa: PLC0415 - likewise
    from fourfold.runs import declared  # noqa: PLC0415 - likewise

    def parameter(name: str) -> object:
        file, _, key = name.rpartition(":")
        path = os.path.normpath(os.path.join(owner.wdir, file or DEFAULT_PARAMS))
        return lookup(Examiner(project).parameters(path), key) if os.path.isfile(path) else None

    try:
        return declared.parse(own, parameter)
    except Fault as fault:
        raise _located(project, owner, fault) from None


def _located(project: "Project", owner: Owner, fault: Fault) -> Exception:
    from fourfold.formats.dvc.yamlio import decode, load  # noqa: PLC0415 - only a mistake is looked up
    from fourfold.project.files import read_owner_file  # noqa: PLC0415 - likewise

    data = read_owner_file(project.root, owner.file) or b""
    source = project.display(owner.file)
    group = (owner.name or "").partition("@")[0]
    stages = load(data, source).get("stages", {})
    name = owner.name if owner.name in stages else group
    inner = ("do",) if isinstance(stages.get(name), Mapping) and "do" in stages[name] else ()
    path: Path = ("stages", name or "", *inner, "meta", KEY, *fault.path)
    problem = f"stage '{owner.name}': {fault.problem}"
    full = Fault(path, problem, fault.hint, at_key=fault.at_key)
    return located(full, decode(data, source), source)


def parse(value: object) -> Needs:
    """What stands below ``fourfold``, as plain values of YAML.

    Raises:
        Fault: it has not the right shape.
    """
    from fourfold.runs.declared import TYPES as OF_CAPTURE  # noqa: PLC0415 - few stages say anything

    item = check(value, {**TYPES, **OF_CAPTURE}, ())
    timeout = item.get("timeout")
    if "verify" in item:
        check_terms(item["verify"])
    return Needs(
        _mutexes(item.get("mutex", ())),
        _count("gpus", item.get("gpus", 0), 4096),
        _bytes(item.get("memory", 0)),
        None if timeout is None else _span(timeout),
        _count("retries", item.get("retries", 0), _MOST_RETRIES),
    )


def check_terms(value: object) -> dict[str, Any]:
    """What stands below ``verify`` of a stage, as plain values of YAML, checked.

    Raises:
        Fault: it means nothing.
    """
    from fourfold.formats.native.lockfile import LEVELS  # noqa: PLC0415 - few stages say anything
    from fourfold.runs.results import is_finite  # noqa: PLC0415 - likewise

    item = check(value, VERIFY, ("verify",))
    level, margin = item.get("level", LEVELS[0]), item.get("margin", 1)
    if level not in LEVELS:
        raise Fault(("verify", "level"), f"level must be one of {', '.join(LEVELS)}, not {level!r:.60}")
    if not (is_finite(margin) and margin > 0):
        raise Fault(("verify", "margin"), "margin must be a number above zero")
    for key in ("seeds", "repeats"):
        if not 1 <= item.get(key, 1) <= _MOST_RUNS:
            raise Fault(("verify", key), f"{key} must be a number from 1 to {_MOST_RUNS}")
    return item


def _mutexes(value: str | Sequence[Any]) -> tuple[str, ...]:
    names = [value] if isinstance(value, str) else value
    for at, name in enumerate(names):
        if type(name) is not str:
            wrong(("mutex", at), name, (str,))
        if not name.strip():
            raise Fault(("mutex",), "mutex must be a name, not blank")
    return tuple(dict.fromkeys(names))


def _count(key: str, value: int, most: int) -> int:
    if not 0 <= value <= most:
        raise Fault((key,), f"{dotted((key,))} must be from 0 to {most}, not {value}")
    return value


def _bytes(value: int | str) -> int:
    if isinstance(value, int):
        if value < 0:
            raise Fault(("memory",), f"memory must not be negative, not {value}")
        return value
    found = _AMOUNT.fullmatch(value.strip())
    if found is None:
        raise Fault(("memory",), f"memory is no amount: {value!r}", "write bytes, or an amount: 512MB, 4GiB")
    unit = found[2].capitalize()
    return int(float(found[1]) * (_UNITS.get(unit) or _BINARY[unit]))


def _span(value: float | str) -> float:
    seconds = float(value) if not isinstance(value, str) else _seconds(value)
    if not 0 < seconds < 10**9:
        raise Fault(("timeout",), f"timeout must be a span of time above 0, not {value!r}")
    return seconds


def _seconds(text: str) -> float:
    found = _SPAN.fullmatch(text.replace(" ", ""))
    if found is None or not any(found.groups()):
        raise Fault(
            ("timeout",), f"timeout is no span of time: {text!r}", "write seconds, or a span: 90s, 1h30m, 2d"
        )
    return sum(float(part) * size for part, size in zip(found.groups(), _SECONDS, strict=True) if part)


class Claim(NamedTuple):
    """What a running stage holds.

    Attributes:
        needs: What it asked for.
        gpus: The names of those that are its own now, as CUDA knows them.
    """

    needs: Needs
    gpus: tuple[str, ...] = ()

    def environment(self) -> dict[str, str]:
        """What its commands are told."""
        return {"CUDA_VISIBLE_DEVICES": ",".join(self.gpus)} if self.gpus else {}


class Machine:
    """What this machine has, looked at when first asked for, and what of it is taken.

    Args:
        environ: The environment of the run: ``CUDA_VISIBLE_DEVICES`` and ``PATH``.
        find_gpus: Names of the GPUs; by default `gpus_of`.
        find_memory: Bytes of memory; by default `memory_of_machine`.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        find_gpus: Callable[[Mapping[str, str]], Sequence[str]] | None = None,
        find_memory: Callable[[], int] | None = None,
    ) -> None:
        self._environ = environ
        self._find_gpus = find_gpus or gpus_of
        self._find_memory = find_memory or memory_of_machine
        self._gpus: tuple[str, ...] | None = None
        self._memory: int | None = None
        self._held: list[Claim] = []

    @property
    def gpus(self) -> tuple[str, ...]:
        """The names of the GPUs that a run may use."""
        if self._gpus is None:
            self._gpus = tuple(self._find_gpus(self._environ))
        return self._gpus

    @property
    def memory(self) -> int:
        """Bytes of memory; 0 when nobody knows."""
        if self._memory is None:
            self._memory = self._find_memory()
        return self._memory

    def refuse(self, name: str, needs: Needs) -> ResourceUnavailableError | None:
        """Why a stage could never start here; None when it could."""
        hint = f"lower 'meta: {KEY}:' of the stage, or run it on a larger machine"
        if needs.gpus and needs.gpus > len(self.gpus):
            return ResourceUnavailableError(
                f"stage '{name}' wants {needs.gpus} GPUs, this machine has {len(self.gpus)}", hint=hint
            )
        if needs.memory and self.memory and needs.memory > self.memory:
            return ResourceUnavailableError(
                f"stage '{name}' wants {needs.memory:,} bytes of memory, this machine has {self.memory:,}",
                hint=hint,
            )
        return None

    def take(self, needs: Needs) -> Claim | None:
        """Hold what a stage needs; None when others hold too much of it now."""
        if any(set(needs.mutexes) & set(claim.needs.mutexes) for claim in self._held):
            return None
        if needs.memory and self.memory:
            held = sum(claim.needs.memory for claim in self._held)
            if held + needs.memory > self.memory:
                return None
        gpus: tuple[str, ...] = ()
        if needs.gpus:
            busy = {gpu for claim in self._held for gpu in claim.gpus}
            free = [gpu for gpu in self.gpus if gpu not in busy]
            if len(free) < needs.gpus:
                return None
            gpus = tuple(free[: needs.gpus])
        claim = Claim(needs, gpus)
        self._held.append(claim)
        return claim

    def release(self, claim: Claim) -> None:
        """Hold it no longer."""
        for at, held in enumerate(self._held):
            if held is claim:
                del self._held[at]
                return


def gpus_of(environ: Mapping[str, str]) -> list[str]:
    """The GPUs that CUDA would show: those of ``CUDA_VISIBLE_DEVICES``, else all that the driver lists."""
    visible = environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        names = []
        for name in visible.split(","):
            if not name.strip() or name.strip().startswith("-"):
                break  # as CUDA reads it: what follows an invalid one is invisible
            names.append(name.strip())
        return names
    try:
        count = len(os.listdir("/proc/driver/nvidia/gpus"))
    except OSError:
        count = _listed_by_tool(environ)
    return [str(number) for number in range(count)]


def _listed_by_tool(environ: Mapping[str, str]) -> int:
    import shutil  # noqa: PLC0415 - only where a stage asks for a GPU, and the driver does not tell
    import subprocess  # noqa: PLC0415 - likewise

    tool = shutil.which("nvidia-smi", path=environ.get("PATH"))
    if tool is None:
        return 0
    try:
        done = subprocess.run(
            [tool, "-L"],
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return 0
    return sum(line.startswith(b"GPU ") for line in done.stdout.splitlines()) if not done.returncode else 0


def memory_of_machine() -> int:
    """Bytes of memory that processes may use, the limit of the container counted; 0 when nobody knows."""
    try:
        whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return 0
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            with open(path, "rb") as file:
                text = file.read(64).strip()
        except OSError:
            continue
        if text.isdigit():
            return min(whole, int(text))
    return whole
