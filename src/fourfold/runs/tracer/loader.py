"""Where the system's dynamic loader (ld.so) opens libraries: the places in its code, so that it is not asked.

A program that imports scikit-learn has the loader open 350 files, and each question costs more than the open.
What it used, it mapped, and that is read once, when the program ends (`events`). The loader cannot be told to
mark its opens, but it makes them from few places, and the filter knows from where a call comes.

Nothing is supposed: the places are read from the loader's own file, and where one lies in its page as a call
of the C library does, or anything is not as expected, there are none, and the loader is asked as all others.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False  # see `abi`
if TYPE_CHECKING:
    from collections.abc import Iterator

#: The loader of programs for x86-64, whose path they all name (System V ABI, AMD64 supplement).
FILE = "/lib64/ld-linux-x86-64.so.2"
#: The library whose opens must never be taken for the loader's; it lies beside it, where links are followed.
_LIBRARY = "libc.so.6"
#: No file of these is longer.
_LONGEST = 32 * 1024 * 1024
#: ``mov $257, %eax`` (openat); the ``syscall`` that it is for ends so many bytes later, at most.
_OPENS, _NEAR = b"\xb8\x01\x01\x00\x00", 18
_CALL = b"\x0f\x05"
#: Code lies at the same place of its page in the file and in memory (ELF, ``p_offset`` and ``p_vaddr``).
_PAGE = 4096
#: More would be another kind of loader than what is known.
_MOST = 4


def places(file: str = FILE) -> tuple[int, ...]:
    """Where, within a page, the calls end by which the loader opens files; () where that is not known.

    Args:
        file: The loader.
    """
    try:
        own = _read(file)
        other = _read(os.path.join(os.path.dirname(os.path.realpath(file)), _LIBRARY))
    except OSError:
        return ()
    apart = [place for place in sorted(set(_opens(own))) if not _calls_at(other, place)]
    return tuple(apart) if len(apart) <= _MOST else ()


def _opens(code: bytes) -> Iterator[int]:
    at = code.find(_OPENS)
    while at >= 0:
        begins = at + len(_OPENS)
        call = code.find(_CALL, begins, begins + _NEAR)
        if call >= 0:
            yield (call + len(_CALL)) % _PAGE
        at = code.find(_OPENS, begins)


def _calls_at(code: bytes, place: int) -> bool:
    """Whether a call ends at this place of any page."""
    return any(
        code[end - len(_CALL) : end] == _CALL
        for end in range(place if place >= len(_CALL) else place + _PAGE, len(code) + 1, _PAGE)
    )


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(_LONGEST)
