"""Which shared libraries a process has in memory, by what the kernel says of it; and whom a signal reaches.

What they mean for a trace is said elsewhere (`events`, `merge`); `inject/_fourfold_facts` reads the same of
itself, in the Python of the stage.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False  # see `abi`
if TYPE_CHECKING:
    from collections.abc import Iterator

#: What the kernel puts after the name of a file that is gone.
GONE = b" (deleted)"
#: What it names so in a process's memory has no file.
_NO_FILES = (b"/memfd:", b"/dev/zero", b"/SYSV", b"/anon_hugepage")
#: A library may have nothing but data: then no part of it can be run.
_LIBRARY = b".so"
#: So many ancestors of a process are asked for.
_MOST_ANCESTORS = 1000


def has_file(name: bytes) -> bool:
    """Whether what the kernel names so is, or was, a file with a name."""
    if name[:1] != b"/" or name.startswith(_NO_FILES):
        return False
    last = name.removesuffix(GONE).rpartition(b"/")[2]
    return not (name.endswith(GONE) and last[:1] == b"#" and last[1:].isdigit())  # O_TMPFILE


def libraries(process: int) -> list[bytes]:
    """The files whose code a process has in memory, and libraries of data, but for the program itself.

    Raises:
        OSError: it is gone.
    """
    own = os.readlink(b"/proc/%d/exe" % process)
    with open(b"/proc/%d/maps" % process, "rb", buffering=0) as file:
        lines = file.readall().split(b"\n")
    found: dict[bytes, None] = {}
    for line in lines:  # addresses, rights, offset, device, inode, path
        rights = line.find(b" ") + 1
        if line[rights + 2 : rights + 3] != b"x" and (
            _LIBRARY not in line or line[rights + 3 : rights + 4] != b"p"
        ):
            continue
        words = line.split(None, 5)
        if len(words) == 6:
            found[words[5]] = None
    found.pop(own, None)
    return [_unescaped(name) for name in found if has_file(name)]


def _unescaped(name: bytes) -> bytes:
    """A name of the kernel's list, which escapes the end of a line, and leaves a backslash."""
    if b"\\012" not in name or os.path.lexists(name):
        return name
    return name.replace(b"\\012", b"\n")


def has_grown(process: int) -> bool:
    """Whether the memory of a process is not as large as that of its parent, which it had when it was forked.

    Raises:
        OSError: it is gone.
    """
    try:
        return _size(process) != _size(_parent(process))
    except FileNotFoundError:  # its parent is
        return True


def reached(target: int, sender: int, supervisor: int) -> Iterator[int]:
    """The processes below the supervisor that get a signal.

    Args:
        target: The first argument of ``kill``: a process, or 0, or less for a group.
        sender: Who calls it.
        supervisor: Whose descendants count.
    """
    if target > 0:
        asked = [target]
    elif target == -1:
        return
    else:
        group = -target if target else os.getpgid(sender)
        everybody = [int(name) for name in os.listdir("/proc") if name.isdigit()]
        asked = [one for one in everybody if _group(one) == group]
    for one in asked:
        if _descends(one, supervisor):
            yield one


def _group(process: int) -> int:
    try:
        return os.getpgid(process)
    except OSError:
        return 0


def _descends(process: int, ancestor: int) -> bool:
    try:
        for _ in range(_MOST_ANCESTORS):
            process = _parent(process)
            if process == ancestor:
                return True
            if process <= 1:
                return False
    except OSError:
        return False
    return False


def _parent(process: int) -> int:
    return int(_start(b"/proc/%d/stat" % process).rpartition(b")")[2].split(None, 2)[1])


def _size(process: int) -> bytes:
    """How much a process has mapped, in pages."""
    return _start(b"/proc/%d/statm" % process).partition(b" ")[0]


def _start(path: bytes) -> bytes:
    """What stands in one of the kernel's short files; asked at each start of a program."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.read(descriptor, 1024)
    finally:
        os.close(descriptor)
