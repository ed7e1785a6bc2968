"""The way in to tracing: what goes before a command, and what was seen when all commands have ended.

Which way of looking works here is decided from what the system says of itself, without a process; where the
supervisor then finds that it may not listen, it falls back by itself and says so (`watch`).
"""

import functools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from fourfold.base.errors import UnsupportedError
from fourfold.runs.observation import Trace
from fourfold.runs.task import Task
from fourfold.runs.tracer import hermetic, merge, strace
from fourfold.runs.tracer.abi import MACHINES
from fourfold.runs.tracer.hermetic import SandboxUnavailableError

_SUPERVISOR = os.path.join(os.path.dirname(os.path.abspath(__file__)), "supervisor.py")
_ACTIONS = "/proc/sys/kernel/seccomp/actions_avail"
_YAMA = "/proc/sys/kernel/yama/ptrace_scope"
#: The name of a socket has 107 bytes at most, and libraries put a folder and a name of theirs below.
_LONGEST_TEMPORARY = 60
_OWN = "ff-own-"
_HERMETIC = "--hermetic"  # as `watch` calls it, which loads on Linux alone
_MAY_TRACE = 1 << 19  # CAP_SYS_PTRACE
#: Earlier kernels do not say when nobody is left to watch.
_OLDEST = (5, 9)


class TraceUnavailableError(UnsupportedError):
    """The way of tracing that was asked for by name does not work here."""

    code = "trace-unavailable"
    default_hint = "leave out trace (auto takes the best that works), or see why: ff doctor"


class Launch(NamedTuple):
    """How one command is started.

    Attributes:
        prefix: What its line begins with; empty to start it as it is.
        environ: What its environment has besides.
        method: ``seccomp`` | ``strace`` | ``audit`` | ``none``.
        why: Why not a better one; "" for the best.
        scratch: Where what was seen is left.
        number: Which of the commands of its run.
    """

    prefix: tuple[str, ...]
    environ: Mapping[str, str]
    method: str
    why: str
    scratch: str
    number: int = 0


def prepare(task: Task, scratch: str, *, number: int = 0) -> Launch:
    """What goes before a command of a task.

    Args:
        task: What runs; its ``declared.trace`` chooses the way.
        scratch: A folder of this run, there and absolute.
        number: Which of its commands.

    Raises:
        TraceUnavailableError: a way was asked for by name, and does not work here.
        SandboxUnavailableError: it is to be hermetic, and cannot be here.
    """
    mode = task.declared.trace
    if task.declared.hermetic:
        if why := sandbox_works():
            raise SandboxUnavailableError(f"a hermetic run is not possible here: {why}")
        own = _own_temporary(scratch)
        told = [*hermetic.fields(task, scratch), b"W" + os.fsencode(own)]
        return _supervised(scratch, number, told)._replace(environ={"TMPDIR": own})
    if mode == "off":
        return Launch((), {}, "none", "turned off", scratch, number)
    why = ""
    if mode in {"auto", "seccomp"}:
        why = seccomp_works() if mode == "seccomp" else seccomp_offered()
        if not why:
            program = shutil.which("strace", path=task.environ.get("PATH", os.defpath))
            instead = _straced(program, scratch, number) if program and mode == "auto" else ()
            return _supervised(scratch, number, [b"S" + os.fsencode(word) for word in instead])
        if mode == "seccomp":
            raise TraceUnavailableError(f"tracing by seccomp does not work here: {why}")
    if mode in {"auto", "strace"} and os.name == "posix":
        program, reason = strace.works(task.environ)
        if program:
            return Launch(_straced(program, scratch, number), {}, "strace", why, scratch, number)
        if mode == "strace":
            raise TraceUnavailableError(f"tracing by strace does not work here: {reason}")
        why = f"{why}; {reason}"
    return Launch((), {"FOURFOLD_AUDIT": "1"}, "audit", why, scratch, number)


def collect(launches: Sequence[Launch], scratch: str) -> Trace:
    """What was seen of all commands of a run, in their order; those that never started add nothing."""
    for launch in launches:
        own = launch.environ.get("TMPDIR", "")
        if os.path.basename(own).startswith(_OWN):
            shutil.rmtree(own, ignore_errors=True)
    return merge.collect([(launch.method, launch.why, launch.number) for launch in launches], scratch)


def _own_temporary(scratch: str) -> str:
    """A folder for the temporary files of a hermetic run, short enough to name sockets in it."""
    own = os.path.join(scratch, "tmp")
    if len(os.fsencode(own)) <= _LONGEST_TEMPORARY:
        os.makedirs(own, exist_ok=True)
        return own
    if not os.path.islink(own):  # all commands of a run have the same
        os.symlink(tempfile.mkdtemp(prefix=_OWN), own)
    return os.readlink(own)


def _straced(program: str, scratch: str, number: int) -> tuple[str, ...]:
    return strace.prefix(program, os.path.join(scratch, merge.LINES.format(number)))


def _supervised(scratch: str, number: int, told: Sequence[bytes] = ()) -> Launch:
    spec = os.path.join(scratch, f"watch-{number}.spec")
    seen = os.fsencode(os.path.join(scratch, merge.SEEN.format(number)))
    with open(spec, "wb") as file:
        file.write(b"\0".join([seen, *told]))
    before = _HERMETIC if b"H" in told else "--"
    prefix = (sys.executable, "-I", "-S", _SUPERVISOR, spec, before)
    return Launch(prefix, {}, "seccomp", "", scratch, number)


def seccomp_offered() -> str:
    """Why the kernel offers no supervision by seccomp, by what it says of itself; "" where it does."""
    if sys.platform != "linux":
        return "only Linux has it"
    system = os.uname()
    if system.machine not in MACHINES:
        return f"its calls are not known for {system.machine}"
    if not sys.executable:
        return "the interpreter does not know its own name"
    try:
        version = tuple(int(part) for part in system.release.split(".")[:2])
    except ValueError:
        version = _OLDEST
    if version < _OLDEST:
        return f"Linux {system.release} is older than 5.9"
    try:
        with open(_ACTIONS, encoding="ascii") as file:
            offered = file.read().split()
    except OSError:
        return "the kernel does not tell what seccomp can do"
    return memory_hidden() if "user_notif" in offered else "the kernel has no user notification"


def memory_hidden() -> str:
    """Why a process may not read the memory of those that it started (Yama); "" where it may."""
    try:
        with open(_YAMA, encoding="ascii") as file:
            scope = int(file.read())
        with open("/proc/self/status", encoding="ascii", errors="replace") as file:
            rights = next(int(line[7:], 16) for line in file if line.startswith("CapEff:"))
    except (OSError, ValueError, StopIteration):
        return ""
    if scope >= 3 or (scope == 2 and not rights & _MAY_TRACE):
        return f"kernel.yama.ptrace_scope is {scope}: nobody may read another process's memory"
    return ""


def sandbox_works() -> str:
    """Why no run can be hermetic here; "" where it can."""
    if why := seccomp_works():
        return why
    return "" if landlock_version() else "the kernel offers no Landlock"


def landlock_version() -> int:
    """Version of the interface of Landlock; 0 where there is none."""
    if sys.platform != "linux":
        return 0
    from fourfold.runs.tracer import kernel  # noqa: PLC0415 - Linux only

    return kernel.landlock_version()


@functools.cache
def seccomp_works() -> str:
    """Why supervision by seccomp does not work here, by trying it once in this process; "" where it does."""
    if why := seccomp_offered():
        return why
    with tempfile.TemporaryDirectory(prefix="ff-probe-") as scratch:
        launch = _supervised(scratch, 0)
        words = [*launch.prefix, "/bin/sh", "-c", ":"]
        try:
            subprocess.run(words, check=True, timeout=20, capture_output=True)
        except (OSError, subprocess.SubprocessError) as error:
            return f"the supervisor does not start: {error}"
        return merge.collect([("seccomp", "", 0)], scratch).coverage.why
