"""What each call that the filter asks about says: which path, used how; noted, then let through.

A call is seen as it begins: whether it succeeds is not known, so what is there is looked up when a path is
first seen. The caller waits meanwhile; its memory is read before it is let go, and that fails where it died.
"""

from __future__ import annotations

import fcntl
import os
import struct

from fourfold.runs.tracer import abi, kernel, mapped
from fourfold.runs.tracer.ledger import Ledger

TYPE_CHECKING = False  # see `abi`
if TYPE_CHECKING:
    from collections.abc import Callable

_INET_NTOP_FAMILIES = {2: b"inet", 10: b"inet6"}
_ACCESS = os.O_WRONLY | os.O_RDWR
_WRITING = _ACCESS | os.O_CREAT | os.O_TRUNC
_PATH_ONLY = 0o10000000
_UNNAMED = 0o20000000
#: So many opens are kept until they are looked at.
_MOST_KEPT = 4096
HERE = 0xFFFFFF9C  # AT_FDCWD
_BY_NUMBER = (b"/proc/self/fd/", b"/dev/fd/", b"/proc/thread-self/fd/")
_EXCHANGE = 2
_LONGEST_ADDRESS = 128
#: ENOENT, ESRCH, EBADF, EFAULT: whoever asked is gone, or asked for what cannot be; the call fails by itself.
FAILS_BY_ITSELF = frozenset({2, 3, 9, 14})
_REGULAR, _FOLDER, _KIND = 0o100000, 0o040000, 0o170000

if TYPE_CHECKING:
    Call = tuple[int, ...]


class Events:
    """Serves the notifications of one listener, once it is given that (`listen`).

    Args:
        ledger: Where uses are noted.
        reports: Where processes of Python tell at their end which libraries they have (`inject`); empty where
            the dynamic loader asks as all others do.
    """

    def __init__(self, ledger: Ledger, reports: bytes = b"") -> None:
        self._reports = reports
        #: Processes that are no longer the program as which they were forked, and whether there ever was one.
        self._turned: set[int] = set()
        #: Processes that have told of themselves and ended; others may be given their numbers.
        self._told: set[int] = set()
        self._has_begun = False
        self._listener = -1
        self._ledger = ledger
        self._receive = kernel.receiver(-1)
        self._read = kernel.reader()
        self._asker = 0
        #: What was opened to be read and is still to be looked at, with the flags.
        self._kept: list[tuple[bytes, int]] = []
        #: Working folders by thread, and threads that were about to change theirs when last seen.
        self._folders: dict[int, bytes] = {}
        self._leaving: set[int] = set()
        self._mounts: list[bytes] = []
        calls = abi.MACHINES[os.uname().machine].calls
        by_name = self._by_name()
        self._handlers = {number: by_name[name] for name, number in calls.items() if name in by_name}
        #: Opens, by number: where the folder, the path and the flags stand among the arguments.
        self._opens = {calls["openat"]: (6, 7, 8)}
        if "open" in calls:
            self._opens[calls["open"]] = (-1, 6, 7)

    def listen(self, listener: int) -> None:
        """Take the descriptor on which the kernel asks."""
        self._listener = listener
        self._receive = kernel.receiver(listener)

    def _by_name(self) -> dict[str, Callable[[int, Call], None]]:
        return {
            "open": self._open,
            "creat": self._creat,
            "openat": self._openat,
            "openat2": self._openat2,
            "execve": self._execve,
            "execveat": self._execveat,
            "connect": self._connect,
            "sendto": self._sendto,
            "rename": self._rename,
            "renameat": self._renameat,
            "renameat2": self._renameat,
            "link": self._link,
            "linkat": self._linkat,
            "symlink": self._symlink,
            "symlinkat": self._symlinkat,
            "unlink": self._unlink,
            "unlinkat": self._unlinkat,
            "truncate": self._truncate,
            "chdir": self._moving,
            "fchdir": self._moving,
            "mount": self._mount,
            "move_mount": self._move_mount,
            "chroot": self._elsewhere,
            "pivot_root": self._elsewhere,
            "setns": self._elsewhere,
            "unshare": self._elsewhere,
            "clone": self._elsewhere,
            "exit_group": self._ends,
            "kill": self._kills,
        }

    def serve(self) -> None:
        """Answer until a signal interrupts, or nobody is left to ask."""
        ioctl, listener, text, absolute = fcntl.ioctl, self._listener, self._read, self._absolute
        receive, send, pack, go_on = self._receive, abi.NOTIF_SEND, abi.ANSWER.pack, abi.FLAG_CONTINUE
        opens, handlers, ledger, kept = self._opens.get, self._handlers.get, self._ledger, self._kept
        while True:
            told = receive()
            if told is None:
                return
            number = told[3]
            path = None
            try:
                if (where := opens(number)) is not None:
                    process, flags = told[1], told[where[2]]
                    path = text(process, told[where[1]])
                    if path[:1] != b"/" or path.startswith(_BY_NUMBER):
                        path = absolute(process, told[6] if where[0] == 6 else HERE, path)
                    if flags & _WRITING:
                        self._asker = told[0]
                        self._check()
                        self.settle()
                        self._opened(path, flags)
                        path = None
                elif (handler := handlers(number)) is not None:
                    self._asker = told[0]
                    self.settle()
                    handler(told[1], told[6:])
            except OSError as error:
                path = None
                if error.errno not in FAILS_BY_ITSELF:
                    ledger.lost += 1
            except Exception:  # noqa: BLE001 - whoever asked must not wait for ever
                path = None
                ledger.lost += 1
            try:
                ioctl(listener, send, pack(told[0], 0, 0, go_on))
            except OSError:
                continue  # whoever asked is gone, and what we read may be another's
            if path is not None:
                kept.append((path, flags))
                if len(kept) >= _MOST_KEPT:
                    self.settle()

    def settle(self) -> None:
        """Look at what was opened to be read since the last time: nothing that is told of changed it since.

        Whoever opens it need not wait for that, and many looks at once take less time than each by itself.
        """
        reads, opened = self._ledger.reads, self._opened
        for path, flags in self._kept:
            if not flags & os.O_DIRECTORY and (times := reads.get(path)) is not None:
                reads[path] = times + 1
            else:
                opened(path, flags)
        self._kept.clear()

    # --- paths --------------------------------------------------------------------------------------------

    def _absolute(self, process: int, folder: int, path: bytes) -> bytes:
        """A path as seen from a folder of a process.

        Raises:
            OSError: the process, or its descriptor, is gone.
        """
        if path[:1] == b"/":
            if path.startswith(_BY_NUMBER):
                name = path.rpartition(b"/")[2]
                if name.isdigit():
                    opened = os.readlink(b"/proc/%d/fd/%s" % (process, name))
                    return opened if opened[:1] == b"/" else path
            return path
        folder &= 0xFFFFFFFF
        if folder == HERE:
            base = self._folders.get(process) or self._folder(process)
        else:
            base = os.readlink(b"/proc/%d/fd/%d" % (process, folder))
        return base + b"/" + path if path else base

    def _folder(self, process: int) -> bytes:
        """The working folder of a thread, kept while nothing can change it unseen.

        A change is told as it begins. Until the thread that makes it is seen again, its threads may be in the
        old folder or in the new one.
        """
        base = os.readlink(b"/proc/%d/cwd" % process)
        self._leaving.discard(process)
        if not any(os.path.exists(b"/proc/%d/task/%d" % (process, one)) for one in self._leaving):
            self._folders[process] = base
        return base

    def forget_folders(self, _number: int = 0, _frame: object = None) -> None:
        """Ask again for working folders: numbers of threads that ended are given to others, in time."""
        self._folders.clear()
        self._leaving = {one for one in self._leaving if os.path.exists(b"/proc/%d" % one)}

    def _moving(self, process: int, _call: Call) -> None:
        self._folders.clear()
        self._leaving.add(process)

    def _at(self, process: int, folder: int, address: int) -> bytes:
        path = self._read(process, address)
        self._check()
        return self._absolute(process, folder, path)

    def _check(self) -> None:
        """Make sure that whoever asks still waits: else what we read is of another, with the same number.

        Raises:
            OSError: it is gone.
        """
        fcntl.ioctl(self._listener, abi.NOTIF_ID_VALID, struct.pack("=Q", self._asker))

    # --- opens --------------------------------------------------------------------------------------------

    def _open(self, process: int, call: Call) -> None:
        self._opened(self._at(process, HERE, call[0]), call[1], call[2])

    def _creat(self, process: int, call: Call) -> None:
        self._opened(self._at(process, HERE, call[0]), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, call[1])

    def _openat(self, process: int, call: Call) -> None:
        self._opened(self._at(process, call[0], call[1]), call[2], call[3])

    def _openat2(self, process: int, call: Call) -> None:
        flags, mode = struct.unpack("=QQ", kernel.read_memory(process, call[2], 16))
        self._opened(self._at(process, call[0], call[1]), flags, mode)

    def _opened(self, path: bytes, flags: int, mode: int = 0) -> None:
        """Note an open; one that reads and writes is both, where there is something to read."""
        del mode
        ledger = self._ledger
        if flags & (_PATH_ONLY | _UNNAMED) & ~os.O_DIRECTORY:
            return
        if flags & os.O_DIRECTORY:
            known = path in ledger.lists
            ledger.add(b"l", path, found=known or self._kind(path) == _FOLDER)
            return
        if not flags & _WRITING:
            kind = self._kind(path)
            ledger.add(b"l" if kind == _FOLDER else b"r", path, found=kind >= 0)
            return
        if not flags & (os.O_TRUNC | os.O_WRONLY) and path not in ledger.writes:
            kind = self._kind(path)
            if kind == _REGULAR or (kind >= 0 and not flags & _ACCESS):
                ledger.add(b"r", path)
                if not flags & _ACCESS:
                    return
        ledger.add(b"w", path)

    # --- names --------------------------------------------------------------------------------------------

    def _moved(self, before: bytes, after: bytes, *, exchanged: bool = False) -> None:
        ledger = self._ledger
        kind = self._kind(before)
        if kind == _REGULAR and before not in ledger.writes:
            ledger.add(b"r", before)  # what is put in another's place is used
        elif kind == _FOLDER:
            ledger.moved.append((before, after))
        ledger.add(b"w" if exchanged else b"d", before)
        ledger.add(b"w", after)

    def _rename(self, process: int, call: Call) -> None:
        self._moved(self._at(process, HERE, call[0]), self._at(process, HERE, call[1]))

    def _renameat(self, process: int, call: Call) -> None:
        before, after = self._at(process, call[0], call[1]), self._at(process, call[2], call[3])
        self._moved(before, after, exchanged=bool(call[4] & _EXCHANGE))

    def _linked(self, before: bytes, after: bytes) -> None:
        if before not in self._ledger.writes and self._kind(before) == _REGULAR:
            self._ledger.add(b"r", before)
        self._ledger.add(b"w", after)

    def _link(self, process: int, call: Call) -> None:
        self._linked(self._at(process, HERE, call[0]), self._at(process, HERE, call[1]))

    def _linkat(self, process: int, call: Call) -> None:
        self._linked(self._at(process, call[0], call[1]), self._at(process, call[2], call[3]))

    def _pointed(self, path: bytes, target: int) -> None:
        """A symbolic link is made, to the text at an address."""
        del target
        self._ledger.add(b"w", path)

    def _symlink(self, process: int, call: Call) -> None:
        self._pointed(self._at(process, HERE, call[1]), call[0])

    def _symlinkat(self, process: int, call: Call) -> None:
        self._pointed(self._at(process, call[1], call[2]), call[0])

    def _removed(self, path: bytes, flags: int) -> None:
        del flags
        self._ledger.add(b"d", path)

    def _unlink(self, process: int, call: Call) -> None:
        self._removed(self._at(process, HERE, call[0]), 0)

    def _unlinkat(self, process: int, call: Call) -> None:
        self._removed(self._at(process, call[0], call[1]), call[2])

    def _cut(self, path: bytes, size: int) -> None:
        del size
        self._ledger.add(b"w", path)

    def _truncate(self, process: int, call: Call) -> None:
        self._cut(self._at(process, HERE, call[0]), call[1])

    def _mounted(self, path: bytes) -> None:
        self._mounts.append(path.rstrip(b"/") + b"/")

    def _mount(self, process: int, call: Call) -> None:
        self._mounted(self._at(process, HERE, call[1]))

    def _move_mount(self, process: int, call: Call) -> None:
        self._mounted(self._at(process, call[2], call[3]))

    def _kind(self, path: bytes) -> int:
        """What a path leads to: `_REGULAR`, `_FOLDER`, another kind, or -1 where nothing is there.

        What the run itself mounted is not looked at: one of its processes may serve it, and that one would
        wait for us.
        """
        if self._mounts and (path + b"/").startswith(tuple(self._mounts)):
            return _REGULAR
        try:
            return os.stat(path).st_mode & _KIND
        except OSError:
            return -1

    # --- programs and the network -------------------------------------------------------------------------

    def _execve(self, process: int, call: Call) -> None:
        self._turns(process, self._at(process, HERE, call[0]))

    def _execveat(self, process: int, call: Call) -> None:
        self._turns(process, self._at(process, call[0], call[1]))

    def _turns(self, process: int, path: bytes) -> None:
        """A process turns into a program: what it had loaded is gone, unless its parent has it too."""
        self._executed(path)
        if self._reports and b"x" + path not in self._ledger.missing:
            if process in self._turned or (self._has_begun and mapped.has_grown(process)):
                self._note_libraries(process)
            self._turned.add(process)
            self._has_begun = True

    def _executed(self, path: bytes) -> None:
        known = path in self._ledger.execs
        self._ledger.add(b"x", path, found=known or self._kind(path) >= 0)

    def _ends(self, process: int, _call: Call) -> None:
        """A process ends: what it has in memory says what the dynamic loader opened."""
        self._turned.discard(process)
        if not self._has_begun:
            return
        if process in self._told or not self._tells(process):
            self._note_libraries(process)
        else:
            self._told.add(process)

    def _kills(self, process: int, call: Call) -> None:
        """Processes are about to be ended by a signal, as those of a pool are when it is left."""
        target = (call[0] & 0xFFFFFFFF ^ 0x80000000) - 0x80000000
        for one in mapped.reached(target, process, os.getpid()):
            if not self._tells(one):
                try:
                    self._note_libraries(one)
                except OSError:  # it has ended meanwhile
                    continue

    def _tells(self, process: int) -> bool:
        """Whether a process has told of its libraries by itself."""
        return os.path.exists(b"%s/python-%d.json" % (self._reports, process))

    def _note_libraries(self, process: int) -> None:
        """Note which libraries a process has in memory.

        Raises:
            OSError: it is gone.
        """
        found = mapped.libraries(process)
        self._check()
        for name in found:
            self._ledger.add(b"r", name)

    def _connect(self, process: int, call: Call) -> None:
        self._contacted(process, call[1], call[2])

    def _sendto(self, process: int, call: Call) -> None:
        self._contacted(process, call[4], call[5])

    def _contacted(self, process: int, address: int, size: int) -> None:
        from _socket import inet_ntop  # noqa: PLC0415 - most runs connect to nothing

        size &= 0xFFFFFFFF
        data = kernel.read_memory(process, address, min(size, _LONGEST_ADDRESS))
        self._check()
        family = struct.unpack_from("=H", data)[0] if len(data) >= 2 else 0
        if family == 1:
            name = data[2:]
            if name[:1] == b"\0":
                self._ledger.add_connection(b"unix", b"@" + name[1:].replace(b"\0", b"@"), 0)
            elif name:
                name = name.partition(b"\0")[0]
                self._ledger.add_connection(b"unix", self._absolute(process, HERE, name), 0)
        elif family in _INET_NTOP_FAMILIES:
            at, length = (4, 4) if family == 2 else (8, 16)
            if len(data) >= at + length:
                port = int.from_bytes(data[2:4], "big")
                host = inet_ntop(family, data[at : at + length]).encode()
                self._ledger.add_connection(_INET_NTOP_FAMILIES[family], host, port)

    def _elsewhere(self, _process: int, _call: Call) -> None:
        self._ledger.blind.add(b"what other views of the file system call a path (chroot, mount namespaces)")
