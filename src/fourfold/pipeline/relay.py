"""The relay: what a command says reaches our streams as it comes, and a log as well.

Between the command and each stream of ours stands a pipe, or a pseudo-terminal where ours is a terminal, so
that a command sees what it would see without us; a thread passes every byte on, unchanged. Input, the keys of
the terminal and groups of processes are not touched. What a command leaves in the background goes on being
passed on for as long as we live, and is not waited for. Commands beside each other need no relay: they write
into their logs.
"""

import _thread
import os
import select
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NamedTuple

from fourfold.base.clock import SYSTEM
from fourfold.base.fs import platform
from fourfold.pipeline.logs import heading

#: Seconds of silence after the end of a command: whoever holds its streams still is no part of it.
QUIET = 0.15
#: So many seconds at most are given to whoever holds them and is not silent.
_LONGEST = 1.0
_PIECE = 1 << 16
_STDOUT, _STDERR = 1, 2


class Ends(NamedTuple):
    """Where a command writes: file descriptors, None for where we do."""

    output: int | None = None
    errors: int | None = None


def is_possible() -> bool:
    """Whether this system has what a relay needs: pipes that end, and pseudo-terminals."""
    if os.name == "nt" or not hasattr(os, "openpty"):
        return False
    try:
        import termios  # noqa: F401, PLC0415 - absent on small systems
    except ImportError:
        return False
    return True


@contextmanager
def relayed(
    command: str, log: str | None, *, output: int | None, trouble: Callable[[OSError], None]
) -> Iterator[Ends]:
    """Have what a command says passed on to our streams and into a log, until it has ended.

    Args:
        command: The first line in the log.
        log: An absolute path, written at its end; None for no log and no relay.
        output: Where its standard output goes: a file descriptor; None for where ours goes.
        trouble: Told at the end why something is missing in the log; what reaches our streams is whole.

    Yields:
        Where the command has to write.
    """
    relay: _Relay | None = None
    if log is not None:
        try:
            relay = _Relay(command, log, _STDOUT if output is None else output)
        except OSError as error:
            trouble(error)
    if relay is None:
        yield Ends(output)
        return
    try:
        with relay.following_size():
            yield relay.ends
    except BaseException:
        relay.finish(patient=False)
        raise
    else:
        relay.finish(patient=True)
    finally:
        if relay.log.trouble is not None:
            trouble(relay.log.trouble)


class _Log:
    """A log that several threads write to; closed when the last of them leaves.

    Attributes:
        trouble: Why nothing more is written; None while all is well.
    """

    def __init__(self, path: str) -> None:
        self.trouble: OSError | None = None
        self._fd = os.open(path, platform.WRITE | platform.CREATE | os.O_APPEND, 0o666)
        self._lock = threading.Lock()
        self._users = 1

    def write(self, data: bytes) -> None:
        """Add to it, as one piece."""
        with self._lock:
            if self.trouble is None:
                try:
                    _write_all(self._fd, data)
                except OSError as error:
                    self.trouble = error

    def join(self) -> None:
        """One more writes to it."""
        with self._lock:
            self._users += 1

    def leave(self) -> None:
        """One less writes to it."""
        with self._lock:
            self._users -= 1
            if not self._users:
                os.close(self._fd)


class _Channel:
    """Passes one stream on: a thread that waits in the system for bytes, and ends with the last writer."""

    def __init__(self, source: int, target: int, log: _Log) -> None:
        self._source = source
        self._target = target
        self._log = log
        self._read = 0
        self._passed = 0
        log.join()
        self._ended = threading.Event()
        # `threading.Thread` waits for its thread to begin: milliseconds for each command on a busy machine.
        _thread.start_new_thread(self._pass_on, ())

    def finish(self, deadline: float, *, patient: bool) -> None:
        """Wait until all is passed on that was said by now, and what follows at once.

        Args:
            deadline: Nothing that is said later is waited for after this.
            patient: Wait for a slow reader of ours as long as it takes.
        """
        owed = self._read + platform.unread(self._source)
        while True:
            before = self._passed
            if self._ended.wait(QUIET):
                return
            late = SYSTEM.monotonic() > deadline
            if late and not patient:
                return
            if self._passed >= owed and (late or self._passed == before):
                return

    def _pass_on(self) -> None:
        try:
            while True:
                try:
                    data = os.read(self._source, _PIECE)
                except OSError:  # how a pseudo-terminal says that nobody writes any more
                    return
                if not data:
                    return
                self._read += len(data)
                self._log.write(data)
                _write_all(self._target, data)
                self._passed += len(data)
        except OSError:  # nobody reads what we write: now the command will hear of it, as it would without us
            return
        finally:
            os.close(self._source)
            self._log.leave()
            self._ended.set()


class _Relay:
    """What stands between one command and our streams.

    Attributes:
        ends: Where the command writes.
        log: What else hears it.

    Raises:
        OSError: the log cannot be opened, or the system has no more descriptors or terminals.
    """

    def __init__(self, command: str, log: str, output: int) -> None:
        is_one = os.path.sameopenfile(output, _STDERR)  # then one stream keeps the order of what is said
        self._given: list[int] = []
        self._screens: list[tuple[int, int]] = []
        self._channels: list[_Channel] = []
        self.log = _Log(log)
        try:
            self.log.write(heading(command))
            first = self._open(output)
            self.ends = Ends(first, first if is_one else self._open(_STDERR))
        except BaseException:
            self.finish(patient=False)
            raise

    def _open(self, target: int) -> int:
        """A way to one of our streams: where the command's end is."""
        source, given = _terminal_like(target) if os.isatty(target) else os.pipe()
        self._given.append(given)
        if os.isatty(target):
            self._screens.append((target, given))
        self._channels.append(_Channel(source, target, self.log))
        return given

    def finish(self, *, patient: bool) -> None:
        """The command has ended: wait for what it said; what others say now is not waited for.

        Args:
            patient: Wait for a slow reader of ours as long as it takes.
        """
        for given in self._given:
            os.close(given)
        self._given.clear()
        deadline = SYSTEM.monotonic() + _LONGEST
        try:
            for channel in self._channels:
                channel.finish(deadline, patient=patient)
        finally:
            self.log.leave()

    @contextmanager
    def following_size(self) -> Iterator[None]:
        """Let the command's terminals have the size of ours, whenever that changes."""
        if not self._screens or threading.current_thread() is not threading.main_thread():
            yield
            return

        def follow(_number: int, _frame: FrameType | None) -> None:
            # The command was told of the new size as we were, and may have looked already: it is told again.
            if [_copy_size(real, given) for real, given in self._screens].count(True):
                os.kill(0, signal.SIGWINCH)

        before = signal.signal(signal.SIGWINCH, follow)
        try:
            yield
        finally:
            signal.signal(signal.SIGWINCH, before if before is not None else signal.SIG_DFL)


def _terminal_like(real: int) -> tuple[int, int]:
    """A pseudo-terminal like one that is there, but that it changes no byte: our end, and the command's."""
    import termios  # noqa: PLC0415 - absent on Windows

    source, given = os.openpty()
    try:
        state = termios.tcgetattr(real)
        state[1] &= ~termios.OPOST  # our own terminal does that already
        state[3] &= ~termios.ECHO
        termios.tcsetattr(given, termios.TCSANOW, state)
        _copy_size(real, given)
    except termios.error as error:
        os.close(source)
        os.close(given)
        raise OSError(*error.args) from error
    return source, given


def _copy_size(real: int, given: int) -> bool:
    """Give one terminal the size of another; whether it had a different one."""
    import termios  # noqa: PLC0415 - absent on Windows

    try:
        size = termios.tcgetwinsize(real)
        if termios.tcgetwinsize(given) == size:
            return False
        termios.tcsetwinsize(given, size)
    except termios.error:  # a terminal that has no size
        return False
    return True


def _write_all(fd: int, data: bytes) -> None:
    """Write every byte, also to what takes no more at the moment."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:  # somebody who shares the stream made it one that does not wait
            select.select([], [fd], [])
