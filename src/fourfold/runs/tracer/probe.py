"""What of tracing works on this machine, for the doctor: each way tried once, in this process."""

import sys
from collections.abc import Mapping
from typing import NamedTuple

from fourfold.runs.tracer import start, strace


class Capability(NamedTuple):
    """One thing that tracing may need.

    Attributes:
        name: ``seccomp`` | ``strace`` | ``audit`` | ``landlock`` | ``yama`` | ``io_uring``.
        works: Whether it is as tracing needs it.
        why: What is found; where it does not work, why not.
    """

    name: str
    works: bool
    why: str


def probe(environ: Mapping[str, str]) -> list[Capability]:
    """Try all; takes some tens of milliseconds.

    Args:
        environ: Whose PATH is searched for strace.
    """
    seccomp = start.seccomp_works()
    program, without = strace.works(environ) if sys.platform == "linux" else ("", "only Linux has it")
    found = [
        Capability("seccomp", not seccomp, seccomp or "every command can be watched, without root"),
        Capability("strace", bool(program), without or f"{program} can watch where seccomp cannot"),
        Capability("audit", works=True, why="processes of Python can tell about themselves"),
    ]
    if sys.platform == "linux":
        version = start.landlock_version()
        why = f"version {version} of its interface" if version else "the kernel offers no Landlock"
        found.append(Capability("landlock", version > 0, why))
        found.append(Capability("yama", not (hidden := start.memory_hidden()), hidden or "not in the way"))
        refused = "refused to watched commands, so that their reads are seen" if not seccomp else ""
        ring = refused or (
            "switched off" if _rings_are_off() else "files that are opened through it go unseen"
        )
        found.append(Capability("io_uring", bool(refused) or _rings_are_off(), ring))
    return found


def _rings_are_off() -> bool:
    try:
        with open("/proc/sys/kernel/io_uring_disabled", encoding="ascii") as file:
            return file.read().strip() == "2"
    except OSError:
        return False
