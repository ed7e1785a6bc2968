"""The factors that a shake varies: how each is made otherwise here, or why it cannot be.

A factor is a circumstance that a result should not depend on. Each is varied in the shell that stands before
a command, so that nothing in between can set it right again. Running and judging is `shake`.
"""

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import UsageError, from_os_error
from fourfold.evidence.shaking.inside.begin import SIGN
from fourfold.formats.native.record import RunRecord
from fourfold.runs import randomness, sites
from fourfold.runs.changes import mapping, value_of
from fourfold.runs.task import Declared, Numerics, Task

if TYPE_CHECKING:
    from fourfold.runs.place import Place

_HASH = "PYTHONHASHSEED"
#: Decimal commas and other orders of letters before other names of the same.
_LOCALES = (
    "de_DE.UTF-8",
    "fr_FR.UTF-8",
    "sv_SE.UTF-8",
    "tr_TR.UTF-8",
    "en_US.UTF-8",
    "C.UTF-8",
    "C",
)
#: Four hundred days and some hours.
_AHEAD = "+34578000"
_SECONDS = 20
#: Ways to take the network away, the one that changes least first.
_WITHOUT_NETWORK = (
    ("--net", "--user", "--map-current-user"),
    ("--net", "--user", "--map-root-user"),
    ("--net",),
)
#: Variables that say where folders of the user are, besides HOME.
_XDG = ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")


class UnknownFactorError(UsageError):
    """A factor was named that no shake knows."""

    code = "unknown-factor"


class Ground(NamedTuple):
    """What plain replays of a shake run in.

    Attributes:
        place: The user's.
        record: Of the run.
        environ: Of its commands, as far as it is known.
        contained: Whether it runs in a container.
        folder: A folder of the shake's own, absolute: what a factor needs is put there.
    """

    place: "Place"
    record: RunRecord
    environ: Mapping[str, str]
    contained: bool
    folder: str


class Variation(NamedTuple):
    """How one factor is made otherwise.

    Attributes:
        how: In words.
        environ: Variables that are set; None unsets one.
        first: What the shell does before it runs the command.
        words: What goes before the words of the command.
        python: A folder that goes first on ``PYTHONPATH``; "" for none.
        folder: Where the worktree goes, relative to the folder of the shake; "" for where it always is.
    """

    how: str
    environ: Mapping[str, str | None] = {}
    first: str = ""
    words: tuple[str, ...] = ()
    python: str = ""
    folder: str = ""


class Untried(NamedTuple):
    """Why a factor cannot be varied."""

    why: str


Maker = Callable[[Ground], Variation | Untried]


def chosen(names: Sequence[str] | None) -> tuple[str, ...]:
    """The factors of these names, in the order in which they are tried; all of them for None.

    Raises:
        UnknownFactorError: one is not known.
    """
    wanted = tuple(FACTORS) if names is None else names
    for name in wanted:
        if name not in FACTORS:
            raise UnknownFactorError(
                f"there is no factor '{name[:60]}'", hint=f"factors are: {', '.join(FACTORS)}"
            )
    return tuple(name for name in FACTORS if name in wanted)


def variation(name: str, ground: Ground) -> Variation | Untried:
    """How a factor is varied.

    Args:
        name: One of `FACTORS`.
        ground: What plain replays run in.

    Raises:
        FourfoldError: the file system refuses what it needs.
    """
    fixed = _fixed(name, ground.record)
    return Untried(fixed) if fixed else FACTORS[name](ground)


def plain(record: RunRecord) -> Variation:
    """What every replay of a shake has, so that what no seed fixes counts as a factor and not as noise."""
    if value_of(record.randomness, "hash_seed") is not None:
        return Variation("")
    return Variation(f"{_HASH}=0", {_HASH: "0"})


def prefix(base: Variation, varied: Variation | None, log: str) -> tuple[str, ...]:
    """The words that go before the shell of a command; all that it says goes to the end of a file."""
    environ = {**base.environ, **(varied.environ if varied is not None else {})}
    lines = [
        f"unset {name}" if value is None else f"export {name}={shlex.quote(value)}"
        for name, value in environ.items()
    ]
    if varied is not None and varied.python:
        lines.append(f"export PYTHONPATH={shlex.quote(varied.python)}${{PYTHONPATH:+:$PYTHONPATH}}")
    if varied is not None and varied.first:
        lines.append(varied.first)
    words = shlex.join(varied.words) + " " if varied is not None and varied.words else ""
    return "/bin/sh", "-c", "; ".join([*lines, f'exec {words}"$@" >>"$0" 2>&1']), log


def _fixed(name: str, record: RunRecord) -> str:
    """Why a run's own profile leaves nothing to vary; "" where it does not."""
    strict = value_of(record.randomness, "determinism") == "strict"
    if strict and name in {"hash-seed", "time-zone", "locale", "threads"}:
        return "the run fixes it: determinism: strict"
    asked = mapping(mapping(value_of(record.randomness, "numerics")).get("asked"))
    if name == "threads" and asked.get("threads") is not None:
        return f"the run fixes it: numerics: threads: {asked['threads']}"
    return ""


# --- one function a factor ---


def _hash_seed(ground: Ground) -> Variation | Untried:
    old = value_of(ground.record.randomness, "hash_seed")
    old = old if isinstance(old, int) else 0
    new = str((old + 1) % 2**32)
    return Variation(f"{_HASH} is {new}, not {old}, which is for processes of Python only", {_HASH: new})


def _time_zone(ground: Ground) -> Variation | Untried:
    name = "Pacific/Kiritimati"
    if ground.contained or not os.path.exists(f"/usr/share/zoneinfo/{name}"):
        name = "<+14>-14"
    if ground.environ.get("TZ") == name:
        name = "UTC"
    return Variation(f"TZ is {name}, not {ground.environ.get('TZ') or 'that of the machine'}", {"TZ": name})


def _locale(ground: Ground) -> Variation | Untried:
    names = ("LC_ALL", "LC_CTYPE", "LANG")
    now = next((ground.environ[name] for name in names if ground.environ.get(name)), "C")
    here = {"c", "posix"} if ground.contained else _locales(ground)
    for name in _LOCALES:
        if _plainly(name) in here and _plainly(name) != _plainly(now):
            return Variation(f"LC_ALL is {name}, not {now}", {"LC_ALL": name})
    return Untried(
        "no other locale is known in its container" if ground.contained else "there is one locale only"
    )


def _locales(ground: Ground) -> set[str]:
    found = {"c"}
    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(
            ["locale", "-a"], env=dict(ground.environ), capture_output=True, timeout=_SECONDS, check=True
        )
        found |= {_plainly(line) for line in done.stdout.decode("utf-8", "replace").split()}
    return found


def _plainly(name: str) -> str:
    name = name.lower().replace("utf-8", "utf8")
    return "c" if name == "posix" else name


def _cwd(_ground: Ground) -> Variation | Untried:
    folder = os.path.join("elsewhere", "down below", "work")
    return Variation(f"the worktree is in a folder of another name and depth: {folder}", folder=folder)


def _home(ground: Ground) -> Variation | Untried:
    folder = os.path.join(ground.folder, "home")
    _make(folder)
    return Variation("HOME is an empty folder", {"HOME": folder, **dict.fromkeys(_XDG)})


def _threads(ground: Ground) -> Variation | Untried:
    now = ground.environ.get("OMP_NUM_THREADS", "")
    count = 2 if now == "1" or (not now and (os.cpu_count() or 1) == 1) else 1
    task = Task("stage", "", (), "", "", {}, Declared(seed=0, numerics=Numerics(threads=count)))
    names = randomness.plan(task, lambda: 0).environ
    set_ = {name: value for name, value in names.items() if name.endswith(("_THREADS", "_DYNAMIC"))}
    return Variation(
        f"threads of OpenMP, BLAS and their like: {count}, not {now or 'as many as cores'}", set_
    )


def _directory_order(ground: Ground) -> Variation | Untried:
    return Variation(
        "folders are listed the other way around (os.listdir, os.scandir), in processes of Python only",
        python=_injected(ground, "order"),
    )


def _clock(ground: Ground) -> Variation | Untried:
    program = None if ground.contained else sites.which("faketime", ground.environ)
    words = (program or "", "-f", _AHEAD)
    if program is not None and _works(words, ground):
        return Variation(
            "four hundred days ahead (faketime), but for programs that are linked statically", words=words
        )
    return Variation(
        "four hundred days ahead, in processes of Python only (time, datetime); libraries in C and other "
        "programs have the real time, for there is no faketime",
        python=_injected(ground, "clock"),
    )


def _umask(_ground: Ground) -> Variation | Untried:
    now = ""
    with (
        suppress(OSError, StopIteration),
        open("/proc/self/status", encoding="ascii", errors="replace") as file,
    ):
        now = next(line.split()[1] for line in file if line.startswith("Umask:")).lstrip("0").rjust(3, "0")
    new = "022" if now == "077" else "077"
    return Variation(f"umask is {new}, not {now or 'that of the session'}", first=f"umask {new}")


def _network(ground: Ground) -> Variation | Untried:
    if ground.contained:
        return Untried("it runs in a container")
    program = sites.which("unshare", ground.environ)
    if program is None:
        return Untried("there is no unshare")
    for options in _WITHOUT_NETWORK:
        words = (program, *options)
        if _works(words, ground):
            root = "; the user seems to be root" if "--map-root-user" in options else ""
            return Variation(f"no network, and no loopback{root}", words=words)
    return Untried("the kernel gives no network of its own to processes of this user")


def _works(words: Sequence[str], ground: Ground) -> bool:
    """Whether a program that goes before a command starts one."""
    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(
            [*words, "true"], env=dict(ground.environ), capture_output=True, timeout=_SECONDS, check=False
        )
        return done.returncode == 0
    return False


#: By name, in the order in which they are tried.
FACTORS: Mapping[str, Maker] = {
    "hash-seed": _hash_seed,
    "time-zone": _time_zone,
    "locale": _locale,
    "cwd": _cwd,
    "home": _home,
    "threads": _threads,
    "directory-order": _directory_order,
    "clock": _clock,
    "umask": _umask,
    "network": _network,
}


def _injected(ground: Ground, name: str) -> str:
    """A folder with a ``sitecustomize.py`` of ours, where containers see it too."""
    return inject(os.path.join(ground.folder, name), name)


def inject(folder: str, name: str) -> str:
    """Make a folder that, on ``PYTHONPATH``, varies something in processes of Python; its path.

    Args:
        folder: Where, absolute.
        name: ``order`` or ``clock``: a module of `fourfold.evidence.shaking.inside`.

    Raises:
        FourfoldError: the file system refuses.
    """
    _make(folder)
    for source, target in (("begin", "sitecustomize"), (name, "_fourfold_varied")):
        file = resources.files("fourfold.evidence.shaking.inside").joinpath(f"{source}.py")
        with resources.as_file(file) as path:
            shutil.copyfile(path, os.path.join(folder, f"{target}.py"))
    return folder


def unreached(varied: Variation) -> str:
    """Why nothing was varied after all, although it was tried; "" where it was."""
    if not varied.python or os.path.lexists(os.path.join(varied.python, SIGN)):
        return ""
    return "no process of Python was reached: none ran, or with -I, -E, -S or a PYTHONPATH of its own"


def _make(folder: str) -> None:
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise from_os_error(error, f"creating {folder}") from error
