"""The fork server: one process that has loaded the supervisor already, and becomes one for each command.

Starting an interpreter for each of many short commands would cost more than the commands. What asks is
`nursery`, over a socket: a request holds the folder, the words, the environment and four descriptors (input,
output, errors, and where the process id and then the status are told). One process is always forked ahead: it
waits for its request, which the server hands on to it. The server ends when nobody can ask any more and all
that it started has ended; supervisors need it for nothing, and outlive it.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # half of `signal`, without the enums that take longer to load
import _socket
import os
import select
import struct
from contextlib import suppress

from fourfold.runs.tracer import watch
from fourfold.runs.tracer.protocol import DESCRIPTORS, GROUP, HEAD, NUMBER, SESSION

TYPE_CHECKING = False  # see `abi`
if TYPE_CHECKING:
    from typing import NoReturn

_PIECE = 1 << 16
#: Milliseconds without a request after which one process is forked ahead: no command waits for that.
_QUIET = 5


def serve(number: int) -> NoReturn:
    """Answer requests that come over the socket with this descriptor; never returns."""
    control = _socket.socket(fileno=number)
    waking, woken = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    _signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    _take_no_signal()
    started: dict[int, int] = {}
    poll = select.poll()
    poll.register(control, select.POLLIN)
    poll.register(waking, select.POLLIN)
    ahead: _Ahead | None = None
    asked = True
    while asked or started:
        happened = poll.poll(_QUIET if asked and ahead is None else None)
        if not happened:
            watch.get_ready()
            ahead = _Ahead()
        for ready, _event in happened:
            if ready == waking:
                os.read(waking, _PIECE)
            elif (request := _receive(control)) is not None:
                _start(request, ahead, started)
                ahead = None
            else:
                asked = False
                poll.unregister(control)
        _tell_ends(started)
    os._exit(0)


class _Request:
    """What is asked for; `descriptors` are input, output, errors, and where it is told."""

    def __init__(self, leads: int, count: int, body: bytes, descriptors: list[int]) -> None:
        self.leads = leads
        self.count = count
        self.body = body
        self.descriptors = descriptors


class _Ahead:
    """A process that was forked before anybody asked.

    Attributes:
        pid: Its process id; -1 where the system had no room for it.
    """

    def __init__(self) -> None:
        self._channel, theirs = _socket.socketpair()
        try:
            self.pid = os.fork()
        except OSError:
            self.pid = -1
        if self.pid == 0:
            _signal.set_wakeup_fd(-1)
            self._channel.close()
            if (request := _receive(theirs)) is not None:
                _become(request)
            os._exit(0)
        theirs.close()

    def take(self, request: _Request) -> bool:
        """Hand a request on; False where the process is gone."""
        try:
            head = HEAD.pack(len(request.body), request.count, request.leads)
            rights = struct.pack(f"{DESCRIPTORS}i", *request.descriptors)
            self._channel.sendmsg([head], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)])
            self._channel.sendall(request.body)
        except OSError:
            return False
        finally:
            self._channel.close()
        return self.pid > 0


def _take_no_signal() -> None:
    """Let no signal end us, in such a way that what we start has the dispositions that we were given."""
    for number in range(1, 65):
        if number in {_signal.SIGKILL, _signal.SIGSTOP, _signal.SIGTSTP, _signal.SIGCONT}:
            continue
        try:
            if _signal.getsignal(number) != _signal.SIG_IGN or number == _signal.SIGCHLD:
                _signal.signal(number, _notice)  # exec puts the default back
        except (OSError, ValueError):  # kept by the C library
            continue


def _notice(_number: int, _frame: object) -> None:
    """Be woken."""


def _receive(channel: _socket.socket) -> _Request | None:
    """One request; None where no more can come."""
    data, extra, _flags, _address = channel.recvmsg(HEAD.size, _socket.CMSG_SPACE(DESCRIPTORS * 4))
    if not data:
        return None
    while len(data) < HEAD.size:
        data += channel.recv(HEAD.size - len(data))
    length, count, leads = HEAD.unpack(data)
    pieces = []
    while length:
        piece = channel.recv(min(length, _PIECE))
        if not piece:
            return None
        pieces.append(piece)
        length -= len(piece)
    return _Request(leads, count, b"".join(pieces), list(struct.unpack(f"{DESCRIPTORS}i", extra[0][2])))


def _start(request: _Request, ahead: _Ahead | None, started: dict[int, int]) -> None:
    """Have a process for a request: the one that waits for it, or a new one."""
    telling = request.descriptors[3]
    if ahead is not None and ahead.take(request):
        child = ahead.pid
    else:
        try:
            child = os.fork()
        except OSError as error:
            os.write(telling, NUMBER.pack(-(error.errno or 1)))
            os.close(telling)
            child = -1
        if child == 0:
            _become(request)
    for number in request.descriptors[:3]:
        os.close(number)
    if child > 0:
        os.write(telling, NUMBER.pack(child))
        started[child] = telling


def _become(request: _Request) -> NoReturn:
    """In the child: be the process that was asked for."""
    try:
        _signal.set_wakeup_fd(-1)
        if request.leads & SESSION:
            os.setsid()
        elif request.leads & GROUP:
            os.setpgid(0, 0)
        # Above those that they become: one of them could be 0, 1 or 2 itself.
        spare = [_moved(number) for number in request.descriptors[:3]]
        for number, other in enumerate(spare):
            os.dup2(other, number)
        os.closerange(3, 3 + _highest())
        folder, *fields = request.body.split(b"\0")
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(
            {
                os.fsdecode(name): os.fsdecode(value)
                for name, _, value in (one.partition(b"=") for one in fields[request.count :])
            }
        )
        watch.main([os.fsdecode(word) for word in fields[: request.count]])
    except BaseException as error:  # noqa: BLE001 - nothing of the server may run on in the child
        os.write(2, os.fsencode(f"ff: cannot start: {error}\n"))
    os._exit(126)


def _moved(number: int) -> int:
    import fcntl  # noqa: PLC0415 - loaded by `watch`

    return fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, 3)


def _highest() -> int:
    """The highest descriptor that may be open."""
    return max((int(name) for name in os.listdir("/proc/self/fd")), default=256)


def _tell_ends(started: dict[int, int]) -> None:
    """Tell of each process that has ended how it did."""
    while started:
        try:
            ended, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not ended:
            return
        telling = started.pop(ended, None)
        if telling is not None:
            with suppress(OSError):  # whoever asked is gone
                os.write(telling, NUMBER.pack(status))
            os.close(telling)
