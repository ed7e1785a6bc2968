"""Numbers of the kernel's interface: system calls of the two architectures that we know, and our filter.

Source: ``include/uapi/linux/seccomp.h``, ``filter.h``, ``landlock.h``, ``audit.h`` and Linux's tables of
system calls. Nothing here calls the kernel (`kernel` does), and little is imported: this loads before each
command.
"""

from __future__ import annotations

import struct

TYPE_CHECKING = False  # `typing`, loaded for names alone, would take a third of the start
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: What the supervisor answers with, and what it reads.
NOTIF_RECV = 0xC0502100
NOTIF_SEND = 0xC0182101
NOTIF_ID_VALID = 0x40082102
NOTIF_ADDFD = 0x40182103
NOTIF_SET_FLAGS = 0x40082104
NOTIF = struct.Struct("=QIIiIQ6Q")
ANSWER = struct.Struct("=QqiI")
ADDFD = struct.Struct("=QIIII")
FLAG_CONTINUE = 1
ADDFD_SEND = 2

FILTER_NEW_LISTENER = 1 << 3
FILTER_WAIT_KILLABLE = 1 << 5

_ALLOW, _NOTIFY, _ERRNO = 0x7FFF0000, 0x7FC00000, 0x00050000
_LD, _JEQ, _JGE, _JSET, _AND, _RET = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
_ENOSYS = 38
#: Calls of 64-bit programs by the x32 convention carry this bit.
_X32 = 0x40000000
#: ``CLONE_NEWNS``: another view of the file system.
_NEW_MOUNTS = 0x20000
#: Bits of an open's flags that mean nothing to the kernel, which ignores them, and those that say that it
#: writes; how all of them stand where a process says: this is bytecode of an installed package that I have
#: told of (`inject/_fourfold_bytecode`). So nothing can be written unseen.
TOLD_BITS, TOLD = 0x7F000000 | 0o1103, 0x2A000000
#: Which argument has the flags.
_FLAGS = {"open": 1, "openat": 2}
#: With which flags the dynamic loader opens (`loader`), by which call, and above what the upper half of the
#: address of its code is: there the kernel puts what it maps, and never the program itself.
_LOADERS, _LOADERS_CALL, _MAPPED_ABOVE = 0o2000000, "openat", 0x7E00
#: Asked about only where the loader is not: what it opened is looked at when a program ends, or is ended by
#: another with a signal of these (SIGHUP, SIGINT, SIGQUIT, SIGABRT, SIGKILL, SIGTERM).
_ENDS = frozenset({"exit_group", "kill"})
_ENDING = (1, 2, 3, 6, 9, 15)
#: Offsets in ``struct seccomp_data``.
_NR, _ARCH, _FROM, _ARGS = 0, 4, 8, 16
_IN_PAGE = 0xFFF


class Machine:
    """One architecture.

    Attributes:
        audit: What the kernel calls it (``AUDIT_ARCH_*``).
        seccomp: Number of ``seccomp``.
        calls: Name to number of every call that is looked at.
    """

    def __init__(self, audit: int, seccomp: int, calls: Mapping[str, int]) -> None:
        self.audit = audit
        self.seccomp = seccomp
        self.calls = calls


_X86_64 = Machine(
    0xC000003E,
    317,
    {
        "open": 2,
        "creat": 85,
        "openat": 257,
        "openat2": 437,
        "execve": 59,
        "execveat": 322,
        "connect": 42,
        "sendto": 44,
        "socket": 41,
        "rename": 82,
        "renameat": 264,
        "renameat2": 316,
        "link": 86,
        "linkat": 265,
        "symlink": 88,
        "symlinkat": 266,
        "unlink": 87,
        "unlinkat": 263,
        "truncate": 76,
        "mkdir": 83,
        "mkdirat": 258,
        "rmdir": 84,
        "chdir": 80,
        "fchdir": 81,
        "mount": 165,
        "move_mount": 429,
        "chroot": 161,
        "pivot_root": 155,
        "setns": 308,
        "unshare": 272,
        "clone": 56,
        "io_uring_setup": 425,
        "exit_group": 231,
        "kill": 62,
    },
)
_AARCH64 = Machine(
    0xC00000B7,
    277,
    {
        "openat": 56,
        "openat2": 437,
        "execve": 221,
        "execveat": 281,
        "connect": 203,
        "sendto": 206,
        "socket": 198,
        "renameat": 38,
        "renameat2": 276,
        "linkat": 37,
        "symlinkat": 36,
        "unlinkat": 35,
        "truncate": 45,
        "mkdirat": 34,
        "chdir": 49,
        "fchdir": 50,
        "mount": 40,
        "move_mount": 429,
        "chroot": 51,
        "pivot_root": 41,
        "setns": 268,
        "unshare": 97,
        "clone": 220,
        "io_uring_setup": 425,
        "exit_group": 94,
        "kill": 129,
    },
)
#: By the name that ``uname`` gives.
MACHINES: Mapping[str, Machine] = {"x86_64": _X86_64, "aarch64": _AARCH64}

_HERMETIC = frozenset({"socket", "mkdir", "mkdirat", "rmdir"})
#: Calls whose argument decides whether they are told: a value that is not zero, or bits of it.
_WHEN_SET = {
    "sendto": (4, 0xFFFFFFFF, True),
    "unshare": (0, _NEW_MOUNTS, False),
    "clone": (0, _NEW_MOUNTS, False),
}


def _step(code: int, value: int, when: int = 0, other: int = 0) -> bytes:
    return struct.pack("=HBBI", code, when, other, value)


def program(machine: Machine, *, hermetic: bool = False, loaders: Sequence[int] = ()) -> bytes:
    """The filter: which calls wait for an answer, which are refused, all others as ever.

    Args:
        machine: Whose calls.
        hermetic: Ask about sockets of the Internet and about folders too, and refuse calls by other
            conventions, whose arguments nobody would look at.
        loaders: Where in its pages the dynamic loader makes its opens, which are not asked about then
            (`loader.places`); none of a hermetic run.
    """
    loaders = () if hermetic else loaders
    foreign = _step(_RET, _ERRNO | _ENOSYS if hermetic else _ALLOW)
    steps: list[bytes] = [
        _step(_LD, _ARCH),
        _step(_JEQ, machine.audit, 1, 0),
        foreign,
        _step(_LD, _NR),
        _step(_JGE, _X32, 0, 1),
        foreign,
    ]
    for name, number in machine.calls.items():
        answer = [_step(_RET, _NOTIFY)]
        if (
            name == "io_uring_setup"
        ):  # reads through a ring are seen by nobody: libraries fall back to plain ones
            answer = [_step(_RET, _ERRNO | _ENOSYS)]
        elif (name in _HERMETIC and not hermetic) or (name in _ENDS and not loaders):
            continue
        elif name in _FLAGS and not hermetic:
            answer = _unless_told(_FLAGS[name])
            if loaders and name == _LOADERS_CALL:
                answer = [*_unless_loading(_FLAGS[name], loaders), *answer]
        elif name == "socket":
            answer = [*_when(0, (2, 10, 17)), _step(_RET, _NOTIFY)]
        elif name == "kill":
            answer = [*_when(1, _ENDING), _step(_RET, _NOTIFY)]
        elif name in _WHEN_SET:
            at, bits, wide = _WHEN_SET[name]
            answer = _when_set(at, bits, wide=wide)
        steps += [_step(_JEQ, number, 0, len(answer)), *answer]
    steps.append(_step(_RET, _ALLOW))
    return b"".join(steps)


def _unless_told(at: int) -> list[bytes]:
    """Allowed where the flags say that it was told of, told otherwise."""
    return [
        _step(_LD, _ARGS + 8 * at),
        _step(_AND, TOLD_BITS),
        _step(_JEQ, TOLD, 0, 1),
        _step(_RET, _ALLOW),
        _step(_RET, _NOTIFY),
    ]


def _unless_loading(at: int, places: Sequence[int]) -> list[bytes]:
    """Allowed where it is the dynamic loader that opens; what follows is for all others."""
    left = range(len(places) - 1, -1, -1)
    tests = [_step(_JEQ, place, more, not more) for place, more in zip(places, left, strict=True)]
    return [
        _step(_LD, _ARGS + 8 * at),
        _step(_JEQ, _LOADERS, 0, len(tests) + 5),
        _step(_LD, _FROM + 4),
        _step(_JGE, _MAPPED_ABOVE, 0, len(tests) + 3),
        _step(_LD, _FROM),
        _step(_AND, _IN_PAGE),
        *tests,
        _step(_RET, _ALLOW),
    ]


def _when(at: int, values: Sequence[int]) -> list[bytes]:
    """Allowed unless an argument is one of some values; what follows is for those."""
    tests = [_step(_JEQ, value, len(values) - index, 0) for index, value in enumerate(values)]
    return [_step(_LD, _ARGS + 8 * at), *tests, _step(_RET, _ALLOW)]


def _when_set(at: int, bits: int, *, wide: bool) -> list[bytes]:
    """Told where bits of an argument are set, allowed otherwise; `wide` looks at its upper half too."""
    upper = [_step(_LD, _ARGS + 8 * at + 4), _step(_JSET, bits, 3, 0)] if wide else []
    return [
        *upper,
        _step(_LD, _ARGS + 8 * at),
        _step(_JSET, bits, 1, 0),
        _step(_RET, _ALLOW),
        _step(_RET, _NOTIFY),
    ]
