"""The few calls of the kernel that Python has no name for: filters, walls, the memory of another process.

Linux only. Nothing here decides anything; nothing is imported that a start of a command need not pay for.
"""

from __future__ import annotations

import ctypes
import os
import struct

from fourfold.runs.tracer import abi

TYPE_CHECKING = False  # see `abi`
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_LIBC = ctypes.CDLL(None, use_errno=True)
_syscall = _LIBC.syscall
_PR_SET_PDEATHSIG, _PR_SET_SECCOMP_MODE_FILTER, _PR_SET_NO_NEW_PRIVS = 1, 1, 38
_PR_SET_DUMPABLE, _PR_SET_CHILD_SUBREAPER = 4, 36
_PAGE = 4096
#: Longest path that the kernel takes, with its end.
_LONGEST = 4096
#: So much of a text is read at first.
_FIRST = 256
#: Two vectors of `process_vm_readv`, ours and theirs: address, length.
_VECTORS = struct.Struct("=QQQQ")
_PATH_ONLY = 0o10000000
#: ``LANDLOCK_ACCESS_FS_*``: run, write, read, list, and so on, as more came with each version.
_EXECUTE, _WRITE_FILE, _READ_FILE, _LISTING, _TRUNCATE, _CONTROL = 1, 2, 4, 8, 1 << 14, 1 << 15
_READING = _EXECUTE | _READ_FILE | _LISTING
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _CONTROL
_HANDLED = (0, (1 << 13) - 1, (1 << 14) - 1, (1 << 15) - 1, (1 << 15) - 1, (1 << 16) - 1)
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))


def control(option: int, value: int = 0) -> None:
    """``prctl``.

    Raises:
        OSError: the kernel refuses.
    """
    zero = ctypes.c_ulong(0)
    if _LIBC.prctl(option, ctypes.c_ulong(value), zero, zero, zero):
        raise _failure()


def _failure() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))


def die_with_parent(number: int) -> None:
    """Be sent a signal when the process that started us ends."""
    control(_PR_SET_PDEATHSIG, number)


def adopt_orphans() -> None:
    """Be the parent of what our descendants leave behind: only an ancestor may read their memory."""
    control(_PR_SET_CHILD_SUBREAPER, 1)


def leave_no_core() -> None:
    """Write no core file: the one that counts is the command's."""
    control(_PR_SET_DUMPABLE, 0)


def give_up_privileges() -> None:
    """No program that we start may give us more rights: what lets the unprivileged filter themselves."""
    control(_PR_SET_NO_NEW_PRIVS, 1)


def listen(steps: bytes) -> int:
    """Put ourselves, and all that we start, behind a filter; the descriptor on which it asks.

    Raises:
        OSError: EACCES (rights must be given up first), EBUSY (somebody listens already), ENOSYS, EINVAL.
    """
    number = abi.MACHINES[os.uname().machine].seccomp
    program = _Program(len(steps) // 8, steps)
    for flags in (abi.FILTER_NEW_LISTENER | abi.FILTER_WAIT_KILLABLE, abi.FILTER_NEW_LISTENER):
        listener = int(_syscall(number, ctypes.c_uint(1), ctypes.c_uint(flags), ctypes.byref(program)))
        if listener >= 0:
            return listener
        if (failure := _failure()).errno != 22:  # EINVAL: a flag that this kernel does not know
            raise failure
    raise failure


def receiver(listener: int) -> Callable[[], tuple[int, ...] | None]:
    """A function that waits for the next question (`abi.NOTIF`); None where a signal or the end comes first.

    Not `fcntl.ioctl`: that one waits on after a signal, in newer versions of Python.
    """
    call = ctypes.CDLL(None).ioctl
    call.argtypes = (ctypes.c_int, ctypes.c_ulong, ctypes.c_void_p)
    call.restype = ctypes.c_int
    space = ctypes.create_string_buffer(abi.NOTIF.size)
    start, view, blank = ctypes.addressof(space), memoryview(space).cast("B"), bytes(abi.NOTIF.size)
    unpack, request = abi.NOTIF.unpack_from, abi.NOTIF_RECV

    def receive() -> tuple[int, ...] | None:
        view[:] = blank  # the kernel insists
        return unpack(space) if call(listener, request, start) == 0 else None

    return receive


def reader() -> Callable[[int, int], bytes]:
    """A function that reads the text at an address of a process, to its end.

    It raises OSError where the memory cannot be read. It is made once, so that a read makes no objects but
    its answer.
    """
    space, vectors = ctypes.create_string_buffer(_LONGEST + 1), ctypes.create_string_buffer(_VECTORS.size)
    start, ours, theirs = ctypes.addressof(space), ctypes.addressof(vectors), ctypes.addressof(vectors) + 16
    pack = _VECTORS.pack_into
    call = _LIBC.process_vm_readv
    call.restype = ctypes.c_ssize_t
    call.argtypes = (
        ctypes.c_int,
        ctypes.c_void_p,
        ctypes.c_ulong,
        ctypes.c_void_p,
        ctypes.c_ulong,
        ctypes.c_ulong,
    )

    def text(process: int, address: int) -> bytes:
        # Never over the end of a page, which is there if the text is.
        got, size = 0, min(_FIRST, _PAGE - (address & (_PAGE - 1)))
        while True:
            pack(vectors, 0, start + got, size, address + got, size)
            if call(process, ours, 1, theirs, 1, 0) != size:
                raise _failure()
            got += size
            space[got] = b"\0"
            found = space.value
            if len(found) < got or got == _LONGEST:
                return found
            size = min(_PAGE - ((address + got) & (_PAGE - 1)), _LONGEST - got)

    return text


def read_memory(process: int, address: int, size: int) -> bytes:
    """Some bytes of a process.

    Raises:
        OSError: they cannot be read.
    """
    space = ctypes.create_string_buffer(size)
    vectors = ctypes.create_string_buffer(_VECTORS.pack(ctypes.addressof(space), size, address, size))
    ours = ctypes.addressof(vectors)
    got = _LIBC.process_vm_readv(process, ctypes.c_void_p(ours), 1, ctypes.c_void_p(ours + 16), 1, 0)
    if got < 0:
        raise _failure()
    return space.raw[:got]


def landlock(rules: Iterable[tuple[bytes, int]]) -> None:
    """Open nothing, from now on, but below some paths: with bits 1 to read (and run), 2 to write, 4 to list.

    Raises:
        OSError: there is no Landlock, or it refuses.
    """
    version = landlock_version()
    handled = _HANDLED[min(version, len(_HANDLED) - 1)]
    if not handled:
        raise OSError(38, os.strerror(38))
    rules_at = _checked(
        _syscall(_LANDLOCK_CREATE, struct.pack("=Q", handled), ctypes.c_size_t(8), ctypes.c_uint(0))
    )
    for path, rights in rules:
        try:
            beneath = os.open(path, _PATH_ONLY | os.O_CLOEXEC)
        except OSError:  # gone, or not ours to look at: then it is not ours to read either
            continue
        allowed = handled if rights & 2 else (_READING if rights & 1 else 0) | (_LISTING if rights & 4 else 0)
        if not os.path.isdir(path):
            allowed &= _OF_FILES
        rule = struct.pack("=Qi", allowed & handled, beneath)
        _checked(_syscall(_LANDLOCK_ADD, ctypes.c_int(rules_at), ctypes.c_int(1), rule, ctypes.c_uint(0)))
        os.close(beneath)
    try:
        _checked(_syscall(_LANDLOCK_RESTRICT, ctypes.c_int(rules_at), ctypes.c_uint(0)))
    except PermissionError:
        give_up_privileges()
        _checked(_syscall(_LANDLOCK_RESTRICT, ctypes.c_int(rules_at), ctypes.c_uint(0)))
    os.close(rules_at)


def _checked(result: int) -> int:
    if result < 0:
        raise _failure()
    return result


def landlock_version() -> int:
    """The version of Landlock's interface; 0 where there is none."""
    return max(0, int(_syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint(1))))
