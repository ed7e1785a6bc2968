"""Answers for a hermetic run: what is not allowed is refused, what is the run's own is done for it.

Landlock cannot allow a file that is not there yet. So what a run makes (its outputs, and files beside them),
the supervisor makes, with the run's own mode and owner, and hands over the open descriptor.
"""

from __future__ import annotations

import fcntl
import os

from fourfold.runs.tracer import abi, walls
from fourfold.runs.tracer.events import FAILS_BY_ITSELF, HERE, Events

TYPE_CHECKING = False  # see `abi`
if TYPE_CHECKING:
    from collections.abc import Callable

    from fourfold.runs.tracer.events import Call
    from fourfold.runs.tracer.ledger import Ledger
    from fourfold.runs.tracer.walls import Walls

_REFUSED, _NOT_PERMITTED = 13, 1
_FAMILIES = {2: b"inet", 10: b"inet6", 17: b"packet"}
_REMOVE_FOLDER = 0x200  # AT_REMOVEDIR
#: Flags of an open that only its caller's side has a use for.
_THEIRS = os.O_CLOEXEC | os.O_NOCTTY
_CHANGING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


class Guard(Events):
    """Serves the notifications of a run behind walls.

    Args:
        ledger: Where uses are noted, and what was refused.
        allowed: What the run may use.
    """

    def __init__(self, ledger: Ledger, allowed: Walls) -> None:
        super().__init__(ledger)
        self._walls = allowed
        self._process = 0
        #: For the call that waits: its result and its error, negative; or a descriptor to hand over.
        self._answer: tuple[int, int] | None = None
        self._handed: tuple[int, int] | None = None
        os.umask(0)  # each call brings its own

    def _by_name(self) -> dict[str, Callable[[int, Call], None]]:
        more = {"socket": self._socket, "mkdir": self._mkdir, "mkdirat": self._mkdirat, "rmdir": self._rmdir}
        return {**super()._by_name(), **more}

    def serve(self) -> None:
        """Answer until a signal interrupts, or nobody is left to ask."""
        while (told := self._receive()) is not None:
            self._asker, self._process, self._answer, self._handed = told[0], told[1], None, None
            handler = self._handlers.get(told[3])
            try:
                if handler is not None:
                    handler(told[1], told[6:])
            except OSError as error:  # and Landlock decides
                self._ledger.lost += error.errno not in FAILS_BY_ITSELF
            except Exception:  # noqa: BLE001 - whoever asked must not wait for ever
                self._ledger.lost += 1
            try:
                self._reply()
            except OSError:
                continue  # whoever asked is gone

    def _reply(self) -> None:
        if self._handed is not None:
            ours, flags = self._handed
            try:
                given = abi.ADDFD.pack(self._asker, abi.ADDFD_SEND, ours, 0, flags & os.O_CLOEXEC)
                fcntl.ioctl(self._listener, abi.NOTIF_ADDFD, given)
            finally:
                os.close(ours)
            return
        value, error = self._answer or (0, 0)
        go_on = abi.FLAG_CONTINUE if self._answer is None else 0
        fcntl.ioctl(self._listener, abi.NOTIF_SEND, abi.ANSWER.pack(self._asker, value, error, go_on))

    # --- answers ------------------------------------------------------------------------------------------

    def _refuse(self, letter: bytes, path: bytes) -> None:
        self._ledger.denied.add(letter + path)
        self._answer = (0, -_REFUSED)

    def _do(self, act: Callable[[], object]) -> bool:
        """Do what was asked in the name of the run; whether it succeeded."""
        if os.stat(b"/proc/%d" % self._process).st_uid != os.geteuid():
            return False  # another user now: what it may do is the kernel's to say
        try:
            act()
        except OSError as error:
            self._answer = (0, -(error.errno or _REFUSED))
            return False
        self._answer = (0, 0)
        return True

    def _mask(self) -> int:
        with open(b"/proc/%d/status" % self._process, "rb") as file:
            for line in file:
                if line.startswith(b"Umask:"):
                    return int(line.split()[1], 8)
        return 0o022

    # --- what was asked -----------------------------------------------------------------------------------

    def _opened(self, path: bytes, flags: int, mode: int = 0) -> None:
        super()._opened(path, flags, mode)
        verdict = self._walls.of_open(path, flags)
        if verdict == walls.REFUSE:
            folder = flags & os.O_DIRECTORY or os.path.isdir(path)
            self._refuse(b"w" if flags & _CHANGING else b"l" if folder else b"r", path)
        elif verdict == walls.OURS and not _would_wait(path):
            bits = mode & 0o7777 & ~self._mask() if flags & os.O_CREAT else 0
            self._do(lambda: self._hand_over(os.open(path, (flags & ~_THEIRS) | os.O_CLOEXEC, bits), flags))

    def _hand_over(self, ours: int, flags: int) -> None:
        self._handed = (ours, flags)

    def _named(self, path: bytes, letter: bytes, act: Callable[[], object], *, making: bool) -> None:
        verdict = self._walls.of_name(path, making=making)
        if verdict == walls.REFUSE:
            self._refuse(letter, path)
        elif verdict == walls.OURS and self._do(act) and making:
            self._walls.note_made(path)

    def _moved(self, before: bytes, after: bytes, *, exchanged: bool = False) -> None:
        super()._moved(before, after, exchanged=exchanged)
        first = self._walls.of_name(before, making=False)
        second = self._walls.of_name(after, making=not os.path.lexists(after))
        if walls.REFUSE in {first, second}:
            self._refuse(b"d", before) if first == walls.REFUSE else self._refuse(b"w", after)
        elif walls.OURS in {first, second} and not exchanged and self._do(lambda: os.rename(before, after)):
            self._walls.note_made(after)

    def _linked(self, before: bytes, after: bytes) -> None:
        super()._linked(before, after)
        if self._walls.of_open(before, os.O_RDONLY) == walls.REFUSE:
            self._refuse(b"r", before)
        else:
            self._named(after, b"w", lambda: os.link(before, after, follow_symlinks=False), making=True)

    def _pointed(self, path: bytes, target: int) -> None:
        super()._pointed(path, target)
        text = self._read(self._process, target)
        self._named(path, b"w", lambda: os.symlink(text, path), making=True)

    def _removed(self, path: bytes, flags: int) -> None:
        super()._removed(path, flags)
        act = os.rmdir if flags & _REMOVE_FOLDER else os.unlink
        self._named(path, b"d", lambda: act(path), making=False)

    def _rmdir(self, process: int, call: Call) -> None:
        self._removed(self._at(process, HERE, call[0]), _REMOVE_FOLDER)

    def _mkdir(self, process: int, call: Call) -> None:
        self._folder_made(self._at(process, HERE, call[0]), call[1])

    def _mkdirat(self, process: int, call: Call) -> None:
        self._folder_made(self._at(process, call[0], call[1]), call[2])

    def _folder_made(self, path: bytes, mode: int) -> None:
        mask = self._mask()
        self._named(path, b"w", lambda: os.mkdir(path, mode & 0o7777 & ~mask), making=True)
        if b"w" + path in self._ledger.denied:
            self._ledger.add(b"w", path)

    def _cut(self, path: bytes, size: int) -> None:
        super()._cut(path, size)
        verdict = self._walls.of_open(path, os.O_WRONLY)
        if verdict == walls.REFUSE:
            self._refuse(b"w", path)
        elif verdict == walls.OURS:
            self._do(lambda: os.truncate(path, size))

    def _executed(self, path: bytes) -> None:
        super()._executed(path)
        if self._walls.of_run(path) == walls.REFUSE:
            self._refuse(b"x", path)

    def _socket(self, _process: int, call: Call) -> None:
        family = _FAMILIES.get(call[0] & 0xFFFFFFFF, b"inet")
        self._ledger.add_connection(family, b"", 0, denied=True)
        self._answer = (0, -_NOT_PERMITTED)


def _would_wait(path: bytes) -> bool:
    """Whether opening may wait for another process (a pipe with a name): then Landlock decides."""
    try:
        return os.stat(path).st_mode & 0o170000 not in {0o100000, 0o040000}
    except OSError:
        return False
