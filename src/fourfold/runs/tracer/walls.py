"""The walls of a hermetic run: which paths it may open, and who opens them.

Landlock is the wall: it lets a run read and write below folders that are there when it starts, and nothing
else. Outputs are not there yet, and what a run makes for itself is its own: such files the supervisor opens,
and hands over. What the list does not allow is refused with EACCES, by us, so that it can be told.

This keeps honest programs to what they declare. It is no defence against a program that means harm.
"""

from __future__ import annotations

import os

from fourfold.runs.tracer import kernel

TYPE_CHECKING = False  # see `abi`
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

READ, WRITE, LIST = 1, 2, 4
GO_ON, REFUSE, OURS = 0, 1, 2
_CHANGING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_KINDS = {b"R": READ, b"W": READ | WRITE | LIST, b"L": LIST}


class Walls:
    """What one run may use.

    Args:
        fields: Each a letter and an absolute path: ``R`` below it may be read, ``W`` also written, ``L`` only
            listed; ``O`` is an output; ``N`` is a folder in which files may be made; ``T`` one of which that
            is true at any depth, less what lies below an ``L``. Any other letter is for others.
    """

    def __init__(self, fields: Iterable[bytes]) -> None:
        #: Rights below real paths.
        self.rights: dict[bytes, int] = {}
        self._made: set[bytes] = set()
        self._nests: set[bytes] = set()
        self._deep: set[bytes] = set()
        #: Folders that are made on the way to an output.
        self._ways: set[bytes] = set()
        self._fine: set[bytes] = set()
        for field in fields:
            letter, path = field[:1], os.path.realpath(field[1:])
            if letter in _KINDS:
                self.rights[path] = self.rights.get(path, 0) | _KINDS[letter]
            elif letter == b"O":
                self._made.add(path)
                self._nests.add(os.path.dirname(path))
                self._ways.update(up for up in _upwards(os.path.dirname(path)) if not os.path.lexists(up))
            elif letter == b"N":
                self._nests.add(path)
            elif letter == b"T":
                self._deep.add(path)

    def raise_(self) -> None:
        """Put the calling process, and all that it starts, behind Landlock.

        Raises:
            OSError: the kernel has none, or refuses.
        """
        kernel.landlock([(path, rights) for path, rights in self.rights.items() if os.path.exists(path)])

    def _below(self, real: bytes) -> int:
        found = 0
        for up in _upwards(real):
            found |= self.rights.get(up, 0)
        return found

    def _is_own(self, real: bytes) -> bool:
        return any(up in self._made for up in _upwards(real))

    def _may_make(self, real: bytes) -> bool:
        parent = os.path.dirname(real)
        if real in self._ways or parent in self._nests:
            return True
        for up in _upwards(parent):
            if up in self._deep or self.rights.get(up, 0) & LIST:
                return up in self._deep
        return False

    def of_open(self, path: bytes, flags: int) -> int:
        """`GO_ON` to let Landlock see to it, `REFUSE`, or `OURS` to open it for the run."""
        if path in self._fine and not flags & _CHANGING:
            return GO_ON
        real = os.path.realpath(path)
        rights = self._below(real)
        if flags & _CHANGING:
            return self._of_change(real, rights, flags)
        if self._is_own(real):
            return OURS if os.path.exists(real) else GO_ON
        wanted = READ | LIST if os.path.isdir(real) else READ
        if rights & wanted:
            self._fine.add(path)
            return GO_ON
        if self._below(os.path.normpath(path)) & wanted:  # declared, and a link to where the cache keeps it
            return OURS
        return REFUSE if os.path.lexists(real) else GO_ON

    def _of_change(self, real: bytes, rights: int, flags: int) -> int:
        if rights & WRITE:
            return GO_ON
        if self._is_own(real):
            return OURS
        there = os.path.lexists(real)
        if flags & os.O_CREAT and not there and self._may_make(real):
            self._made.add(real)
            return OURS
        if there and rights & READ and not flags & (_CHANGING & ~os.O_CREAT):
            return GO_ON
        return REFUSE if there or flags & os.O_CREAT else GO_ON

    def of_run(self, path: bytes) -> int:
        """Whether a program may be run."""
        real = os.path.realpath(path)
        return GO_ON if self._below(real) & READ or not os.path.lexists(real) else REFUSE

    def of_name(self, path: bytes, *, making: bool) -> int:
        """Whether a name may be made, or taken away; `OURS` to do that for the run."""
        real = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
        if self._below(real) & WRITE:
            return GO_ON
        if self._is_own(real):
            return OURS
        there = os.path.lexists(real)
        if making and not there and self._may_make(real):
            return OURS
        return GO_ON if there == making else REFUSE  # the call fails by itself

    def note_made(self, path: bytes) -> None:
        """Something was made for the run: it is its own from now on."""
        self._made.add(os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path)))


def _upwards(path: bytes) -> Iterator[bytes]:
    """A path and all folders above it."""
    while True:
        yield path
        parent = os.path.dirname(path)
        if parent == path:
            return
        path = parent
