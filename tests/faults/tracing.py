"""System calls, seen and spoiled: a traced run says where a command changes files; another is hit there.

A `Point` is the n-th call of one name in one thread, as strace counts them (`inject=...:when=n` counts for
each name and each thread). Only calls that can change something below the sandbox are points. Knows strace,
and nothing of what the command means.
"""

import os
import re
import signal
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

MUTATING = (
    *("write", "pwrite64", "writev", "pwritev2", "copy_file_range", "sendfile", "fallocate"),
    *("rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat", "unlink", "unlinkat"),
    *("rmdir", "mkdir", "mkdirat", "chmod", "fchmod", "fchmodat", "fchmodat2", "utimensat"),
    *("fsync", "fdatasync", "syncfs", "sync", "ftruncate", "truncate"),
    *("creat", "open", "openat", "openat2", "ioctl"),
)
_OPENS = {"open", "openat", "openat2"}
_OPEN_FLAGS = re.compile(r"O_CREAT|O_TRUNC|O_WRONLY|O_RDWR")
_LINE = re.compile(r"^(\d+) +([a-z0-9_]+)\((.*)$")
#: A working folder before an absolute path, which it has no part in.
_CWD = re.compile(r'AT_FDCWD<[^>]*>, (?="/)')
#: Calls whose quoted arguments are paths relative to the working folder, which is in the sandbox.
_BY_PATH = {"creat", "open", "rename", "link", "symlink", "unlink", "rmdir", "mkdir", "chmod", "truncate"}
#: A path in a traced call: quoted, or decoded from a descriptor by ``-y``.
_PATHS = re.compile(r'"([^"]*)"|<([^>]*)>')


class MissingStraceError(AssertionError):
    """strace is not installed, so nothing about faults can be proved."""


class Point(NamedTuple):
    """The n-th call of ``name`` in some thread; ``what`` is the traced line, for people."""

    name: str
    n: int
    what: str


class Fault(NamedTuple):
    """What happens at a point: ``action`` is strace's (``signal=KILL``, ``error=ENOSPC``).

    ``sticky`` also spoils every later call of that name, as a disk that stays full does.
    """

    point: Point
    action: str
    sticky: bool = False

    def __str__(self) -> str:
        return f"{self.action} at {self.point.name}#{self.point.n}{'+' if self.sticky else ''}"


class Outcome(NamedTuple):
    """How a run under a fault ended; ``fired`` says whether the point was reached."""

    code: int
    stderr: str
    fired: bool
    hung: bool


def require_strace() -> str:
    """The path of strace.

    Raises:
        MissingStraceError: it is not there.
    """
    import shutil  # noqa: PLC0415 - asked once a sweep

    found = shutil.which("strace")
    if not found:
        raise MissingStraceError("fault tests need strace: apt-get install strace")
    return found


def _strace(log: Path, *options: str) -> list[str]:
    return [require_strace(), "-f", "-q", "-s", "1", "-o", str(log), *options, "--"]


def record(
    command: Sequence[str], cwd: Path, env: Mapping[str, str], sandbox: Path, log: Path
) -> list[Point]:
    """Run ``command`` once, traced and unharmed; its points, in the order of their first appearance.

    Raises:
        AssertionError: the command fails even when nobody harms it.
    """
    calls = ",".join("?" + name for name in MUTATING)
    done = subprocess.run(
        [*_strace(log, "-y", "-e", f"trace={calls}"), *command],
        cwd=cwd,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        umask=0o022,
        check=False,
    )
    if done.returncode:
        raise AssertionError(f"{command} fails by itself: {done.returncode}\n{done.stdout}{done.stderr}")
    return points(log.read_text(errors="replace").splitlines(), str(sandbox))


def points(lines: Sequence[str], sandbox: str) -> list[Point]:
    """The points of a trace."""
    counts: Counter[tuple[str, str]] = Counter()
    found: dict[tuple[str, int], Point] = {}
    for line in lines:
        match = _LINE.match(line)
        if match is None:
            continue
        thread, name, args = match.groups()
        counts[thread, name] += 1
        n = counts[thread, name]
        if (name, n) not in found and _changes(name, args, sandbox):
            found[name, n] = Point(name, n, f"{name}({args[:200]}")
    return list(found.values())


def _changes(name: str, args: str, sandbox: str) -> bool:
    if name in _OPENS and not _OPEN_FLAGS.search(args):
        return False
    if name == "ioctl" and "FICLONE" not in args:
        return False
    if name == "sync":
        return True
    paths = [quoted or decoded for quoted, decoded in _PATHS.findall(_CWD.sub("", args))]
    inside = name in _BY_PATH
    return any(p == sandbox or p.startswith(sandbox + "/") or (inside and p[:1] != "/") for p in paths)


def run(
    fault: Fault | None, command: Sequence[str], cwd: Path, env: Mapping[str, str], log: Path, limit: float
) -> Outcome:
    """Run ``command`` with a fault, or plainly; the whole process tree is dead when this returns."""
    prefix: list[str] = []
    if fault is not None:
        when = f"{fault.point.n}{'+' if fault.sticky else ''}"
        name = fault.point.name
        # Fast, but not for kills: at the stops of seccomp the kernel drops the signals that a tracer injects.
        quick = [] if fault.action.startswith("signal") else ["--seccomp-bpf"]
        inject = f"inject={name}:{fault.action}:when={when}"
        prefix = _strace(log, *quick, "-e", f"trace={name}", "-e", inject)
    with subprocess.Popen(
        [*prefix, *command],
        cwd=cwd,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        umask=0o022,
        start_new_session=True,
    ) as process:
        hung = False
        try:
            _, stderr = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            hung = True
            os.killpg(process.pid, signal.SIGKILL)
            _, stderr = process.communicate()
    fired = fault is not None and _fired(log)
    return Outcome(process.returncode, stderr, fired, hung)


def _fired(log: Path) -> bool:
    text = log.read_text(errors="replace")
    return "(INJECTED)" in text or "killed by SIGKILL" in text or "--- SIG" in text
