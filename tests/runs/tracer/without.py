"""Makes calls of the kernel fail as where they are not there, for itself and what it starts; then runs words.

``python without.py seccomp=EPERM,landlock=ENOSYS WORD...``: `seccomp` is asking for a listener, `landlock` is
all of it, `read` reading another process's memory, `ptrace` what strace needs.
"""

import ctypes
import errno
import os
import struct
import sys

from fourfold.runs.tracer import abi

LD, JEQ, JSET, RET = 0x20, 0x15, 0x45, 0x06
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
MACHINE = abi.MACHINES[os.uname().machine]
READ = {"x86_64": 310, "aarch64": 270}[os.uname().machine]
TRACE = {"x86_64": 101, "aarch64": 117}[os.uname().machine]


def step(code: int, value: int, when: int = 0, other: int = 0) -> bytes:
    return struct.pack("=HBBI", code, when, other, value)


def program(failing: dict[str, int]) -> bytes:
    steps = [step(LD, 0)]
    if (number := failing.get("seccomp")) is not None:  # the flags are the second argument
        tests = [
            step(LD, 24),
            step(JSET, abi.FILTER_NEW_LISTENER, 0, 1),
            step(RET, ERRNO | number),
            step(RET, ALLOW),
        ]
        steps += [step(JEQ, MACHINE.seccomp, 0, len(tests)), *tests]
    for name, calls in (("landlock", (444, 445, 446)), ("read", (READ,)), ("ptrace", (TRACE,))):
        if (number := failing.get(name)) is not None:
            for call in calls:
                steps += [step(JEQ, call, 0, 1), step(RET, ERRNO | number)]
    return b"".join([*steps, step(RET, ALLOW)])


class Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))


if __name__ == "__main__":
    names = (word.partition("=") for word in sys.argv[1].split(","))
    steps = program({name: getattr(errno, number) for name, _, number in names})
    libc = ctypes.CDLL(None, use_errno=True)
    zero = ctypes.c_ulong(0)
    libc.prctl(38, ctypes.c_ulong(1), zero, zero, zero)
    if libc.prctl(22, ctypes.c_ulong(2), ctypes.byref(Program(len(steps) // 8, steps)), zero, zero):
        sys.exit(f"no filter: {os.strerror(ctypes.get_errno())}")
    os.execv(sys.argv[2], sys.argv[2:])
