"""The nursery: our side of the fork server, which makes processes that are watched at the cost of a fork.

A `Child` is used as `subprocess.Popen` is. Where the server cannot be started, or is gone, commands are
started with the whole prefix instead (`start`).
"""

import atexit
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress

from fourfold.base.fs.platform import READ, UPDATE, WRITE
from fourfold.runs.tracer.protocol import GROUP, HEAD, NUMBER, SESSION

_SUPERVISOR = os.path.join(os.path.dirname(os.path.abspath(__file__)), "supervisor.py")


class Child:
    """A process that the server started.

    Attributes:
        pid: Its process id.
        returncode: Its exit code, negative for the signal that ended it; None while it runs.
    """

    def __init__(self, telling: int, words: Sequence[str]) -> None:
        self._telling = telling
        self._words = list(words)
        self._lock = threading.Lock()
        self.returncode: int | None = None
        self.pid = self._read()
        if self.pid <= 0:
            os.close(telling)
            raise OSError(-self.pid or 11, os.strerror(-self.pid or 11))

    def poll(self) -> int | None:
        """Its exit code if it has ended."""
        with self._lock:
            if self.returncode is None and select.select([self._telling], [], [], 0)[0]:
                self._end()
            return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, once it has ended.

        Raises:
            subprocess.TimeoutExpired: it takes longer than ``timeout`` seconds.
        """
        if self.returncode is None:
            ready, _, _ = select.select([self._telling], [], [], timeout)
            if not ready:
                raise subprocess.TimeoutExpired(self._words, timeout or 0.0)
            with self._lock:
                if self.returncode is None:
                    self._end()
        if self.returncode is None:  # pragma: no cover - `_end` sets it
            raise AssertionError
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def _end(self) -> None:
        try:
            self.returncode = os.waitstatus_to_exitcode(self._read())
        except EOFError:  # somebody ended the server: what became of the process, nobody tells
            self.returncode = -signal.SIGKILL
        os.close(self._telling)

    def _read(self) -> int:
        data = b""
        while len(data) < NUMBER.size:
            piece = os.read(self._telling, NUMBER.size - len(data))
            if not piece:
                raise EOFError
            data += piece
        number: int = NUMBER.unpack(data)[0]
        return number


class Nursery:
    """The fork server of this process, started when it is first asked to be ready."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._control: socket.socket | None = None
        self._is_broken = False

    def get_ready(self) -> None:
        """Start the server, without waiting for it."""
        with self._lock:
            if self._control is not None or self._is_broken or sys.platform != "linux":
                return
            ours, theirs = socket.socketpair()
            try:
                os.set_inheritable(theirs.fileno(), True)  # noqa: FBT003 - the system's own name
                # Its own environment says only how it reads names: `watch` leaves LC_CTYPE alone then.
                os.posix_spawn(
                    sys.executable,
                    [sys.executable, "-I", "-S", _SUPERVISOR, "--serve", str(theirs.fileno())],
                    {"LC_CTYPE": "C.UTF-8"},
                    file_actions=[
                        (os.POSIX_SPAWN_OPEN, 0, os.devnull, READ, 0),
                        (os.POSIX_SPAWN_OPEN, 1, os.devnull, WRITE, 0),
                    ],
                )
            except OSError:
                ours.close()
                self._is_broken = True
            else:
                self._control = ours
                atexit.register(self.close)
            finally:
                theirs.close()

    def start(
        self,
        words: Sequence[str],
        *,
        cwd: str,
        environ: Mapping[str, str],
        streams: tuple[int, int, int],
        group: bool = False,
        session: bool = False,
    ) -> Child | None:
        """Have a process made; None when there is no server that could.

        Args:
            words: What the supervisor is told: the file of the task, ``--``, the command.
            cwd: Absolute folder to run in.
            environ: All of its environment.
            streams: Descriptors of its input, output and errors.
            group: Whether it leads a group.
            session: Whether it leads a session.

        Raises:
            OSError: the system has no room for another process.
        """
        fields = [cwd, *words, *(f"{name}={value}" for name, value in environ.items())]
        body = b"\0".join(os.fsencode(field) for field in fields)
        reading, telling = os.pipe()
        try:
            with self._lock:
                if self._control is None:
                    raise BrokenPipeError
                head = HEAD.pack(len(body), len(words), SESSION if session else GROUP if group else 0)
                rights = struct.pack("4i", *streams, telling)
                self._control.sendmsg([head], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
                self._control.sendall(body)
        except OSError:
            self._give_up()
            os.close(reading)
            return None
        finally:
            os.close(telling)
        try:
            return Child(reading, words)
        except EOFError:
            os.close(reading)
            self._give_up()
            return None

    def close(self) -> None:
        """Ask for nothing more: the server ends with what it started."""
        control, self._control = self._control, None
        if control is not None:
            control.close()

    def _give_up(self) -> None:
        self._is_broken = True
        self.close()


#: There is one for a process: it holds nothing but a socket.
NURSERY = Nursery()


def launch(
    prefix: Sequence[str],
    words: Sequence[str],
    *,
    cwd: str,
    environ: Mapping[str, str],
    streams: tuple[int | None, int | None, int | None],
    group: bool,
    session: bool,
) -> Child | None:
    """Start a command that the supervisor watches; None where it has to be started by its whole prefix.

    Args:
        prefix: Of the command's line, as `start.prepare` gives it.
        words: The command.
        cwd: Absolute folder to run in.
        environ: All of its environment.
        streams: Input, output and errors: descriptors, None for ours, `subprocess.DEVNULL` for nothing.
        group: Whether it leads a group.
        session: Whether it leads a session.

    Raises:
        OSError: the system has no room for another process.
    """
    if tuple(prefix[:4]) != (sys.executable, "-I", "-S", _SUPERVISOR):
        return None
    NURSERY.get_ready()
    nothing = os.open(os.devnull, UPDATE)
    try:
        plain = [number if at is None else nothing if at < 0 else at for number, at in enumerate(streams)]
        return NURSERY.start(
            [*prefix[4:], *words],
            cwd=cwd,
            environ=environ,
            streams=(plain[0], plain[1], plain[2]),
            group=group,
            session=session,
        )
    finally:
        os.close(nothing)
