"""Files of the environment by what they are: shared libraries by build id, programs by BLAKE3.

A build id is what the linker wrote into an ELF file to name the build; two files with one build id were
linked from the same code. Libraries without one are named by their content. Format: ELF, System V ABI.
"""

import os
import stat
import struct
from collections.abc import Callable, Iterable, Mapping
from typing import Any, BinaryIO, NamedTuple

from blake3 import blake3

from fourfold.runs.environment.remembered import Remembered

_NOTE = 4
_GNU_BUILD_ID = 3
#: Notes are small; what says otherwise is broken.
_MOST_NOTES = 1 << 20
_MOST_HEADERS = 4096
#: No program or library is larger; whoever names such a file names none.
_MOST_BYTES = 8 << 30


class Asked(NamedTuple):
    """With what files are looked at.

    Attributes:
        known: What is remembered of them.
        now_ns: The time.
    """

    known: Remembered
    now_ns: int


def build_id(path: str) -> str:
    """The GNU build id of an ELF file in hex; "" when it has none, or is none."""
    try:
        with open(path, "rb") as file:
            return _build_id(file)
    except (OSError, ValueError, struct.error):
        return ""


def _build_id(file: BinaryIO) -> str:
    head = file.read(64)
    if len(head) < 52 or head[:4] != b"\x7fELF" or head[4] not in {1, 2} or head[5] not in {1, 2}:
        return ""
    order = "<" if head[5] == 1 else ">"
    wide = head[4] == 2
    if wide:
        (offset,) = struct.unpack_from(order + "Q", head, 32)
        size, count = struct.unpack_from(order + "HH", head, 54)
    else:
        (offset,) = struct.unpack_from(order + "I", head, 28)
        size, count = struct.unpack_from(order + "HH", head, 42)
    if size < (56 if wide else 32) or count > _MOST_HEADERS:
        return ""
    file.seek(offset)
    table = file.read(size * count)
    for at in range(0, len(table) - size + 1, size):
        (kind,) = struct.unpack_from(order + "I", table, at)
        if kind != _NOTE:
            continue
        if wide:
            start, _, _, length = struct.unpack_from(order + "QQQQ", table, at + 8)
        else:
            start, _, _, length = struct.unpack_from(order + "IIII", table, at + 4)
        if length <= _MOST_NOTES:
            file.seek(start)
            found = _gnu_note(file.read(length), order)
            if found:
                return found
    return ""


def _gnu_note(notes: bytes, order: str) -> str:
    at = 0
    while at + 12 <= len(notes):
        name_size, size, kind = struct.unpack_from(order + "III", notes, at)
        name = at + 12
        description = name + (name_size + 3) // 4 * 4
        if kind == _GNU_BUILD_ID and notes[name : name + name_size] == b"GNU\0":
            return notes[description : description + size].hex()
        at = description + (size + 3) // 4 * 4
    return ""


def content(path: str, asked: Asked) -> dict[str, Any] | None:
    """Size and BLAKE3 of a file; None when it is none, or cannot be read."""
    return _remember(path, asked, "content", lambda: {"blake3": _digest(path)})


def identity(path: str, asked: Asked) -> dict[str, Any] | None:
    """Size and build id of a shared library, or its BLAKE3; None when it cannot be read."""

    def look() -> dict[str, Any]:
        found = build_id(path)
        return {"build_id": found} if found else {"blake3": _digest(path)}

    return _remember(path, asked, "identity", look)


def _remember(
    path: str, asked: Asked, what: str, look: Callable[[], dict[str, Any]]
) -> dict[str, Any] | None:
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _MOST_BYTES:
            return None
        key = f"{what}:{path}"
        held = asked.known.get(key, status)
        if not isinstance(held, dict):
            held = look()
            asked.known.put(key, status, held, asked.now_ns)
    except OSError:
        return None
    return {"size": status.st_size, **held}


def _digest(path: str) -> str:
    hasher = blake3()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            hasher.update(chunk)
    return hasher.hexdigest()


def is_shared(path: str) -> bool:
    """Whether a path has the name of a shared library."""
    name = os.path.basename(path)
    return name.endswith((".so", ".dylib")) or ".so." in name


def document(paths: Iterable[str], shown: Callable[[str], str], asked: Asked) -> dict[str, Mapping[str, Any]]:
    """The part of a record that lists shared libraries: name -> size and build id or BLAKE3.

    Args:
        paths: Absolute, with all links followed.
        shown: Names a path as facts do.
        asked: With what files are looked at.
    """
    found: dict[str, Mapping[str, Any]] = {}
    for path in sorted(set(paths)):
        told = identity(path, asked)
        found[shown(path)] = told if told is not None else {"gone": True}
    return found
