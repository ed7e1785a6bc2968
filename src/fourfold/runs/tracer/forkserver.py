"""The fork server: one process that has loaded the supervisor already, and becomes one for each command.

Starting an interpreter for each of many short commands would cost more than the commands. What asks is
`nursery`, over a socket: a request holds the folder, the words, the environment and four descriptors (input,
output, errors, and where the process id and then the status are told). Two processes are always forked ahead,
the supervisor and what will be its command: they wait for their request, which the server hands on. The
server ends when nobody can ask any more and all that it started has ended; supervisors need it for nothing,
and outlive it.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # half of `signal`, without the enums that take longer to load
import _socket
import os
import select
import struct
from contextlib import suppress

from fourfold.runs.tracer import kernel, watch
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
    asked = has_room = True
    while asked or started:
        happened = poll.poll(_QUIET if asked and has_room and ahead is None else None)
        if not happened:
            watch.get_ready()
            ahead = _Ahead()
        for ready, _event in happened:
            if ready == waking:
                os.read(waking, _PIECE)
            elif (request := _receive(control)) is not None:
                if _start(request, ahead, started):
                    ahead = None
            else:
                asked = False
                poll.unregister(control)
        for ended in _tell_ends(started):
            if ahead is not None and ended == ahead.pid:  # nobody asked for it, so something is short
                ahead, has_room = None, False
    os._exit(0)


class _Request:
    """What is asked for; `descriptors` are input, output, errors, and where it is told."""

    def __init__(self, leads: int, count: int, body: bytes, descriptors: list[int]) -> None:
        self.leads = leads
        self.count = count
        self.body = body
        self.descriptors = descriptors

    @property
    def words(self) -> list[str]:
        """What the supervisor is told: the file of the task, ``--``, the command."""
        return [os.fsdecode(word) for word in self.body.split(b"\0", self.count + 1)[1 : self.count + 1]]

    @property
    def may_be_ahead(self) -> bool:
        """Whether a process that is there already can be it: none can lead a session for another."""
        return not self.leads & SESSION and self.words[1] != watch.HERMETIC


class _Ahead:
    """Two processes that were forked before anybody asked: a supervisor, and its child, the command to be.

    Attributes:
        pid: Process id of the supervisor; -1 where the system had no room for it.
    """

    def __init__(self) -> None:
        self._supervisor, theirs = _socket.socketpair()
        self._command, its = _socket.socketpair()
        try:
            self.pid = os.fork()
        except OSError:
            self.pid = -1
        if self.pid == 0:
            _stand_ready(theirs, its)
        theirs.close()
        its.close()

    def take(self, request: _Request) -> bool:
        """Hand a request on to both; False where one of them is gone."""
        try:
            _send(self._command, request)
            _send(self._supervisor, request)
        except OSError:
            return False
        finally:
            self._command.close()
            self._supervisor.close()
        return True


def _stand_ready(channel: _socket.socket, to_command: _socket.socket) -> NoReturn:
    """In the process that was forked ahead: have that of the command ready too, and wait for the request."""
    try:
        _signal.set_wakeup_fd(-1)
        ours, theirs = _socket.socketpair()
        _close_all_but(*(one.fileno() for one in (channel, to_command, ours, theirs)))
        supervisor, group = os.getpid(), os.getpgrp()
        os.setpgid(0, 0)
        try:
            child = os.fork()
        except OSError:  # no room for it; whoever asks is served by another
            os._exit(0)
        if child == 0:
            ours.close()
            channel.close()
            _be_command(to_command, theirs, supervisor, group)
        theirs.close()
        to_command.close()
        request = _awaited(channel, group)
        for number in request.descriptors[:3]:
            os.close(number)
        watch.watch_ahead(request.words, child, ours, request.descriptors[3])
    except BaseException as error:  # noqa: BLE001 - nothing of the server may run on in the child
        _fail(error)


def _be_command(
    channel: _socket.socket, to_supervisor: _socket.socket, supervisor: int, group: int
) -> NoReturn:
    """In the process that will be the command: wait for what it is."""
    try:
        kernel.die_with_parent(_signal.SIGKILL)
        if os.getppid() != supervisor:
            os._exit(0)
        os.setpgid(0, supervisor)
        request = _awaited(channel, group)
        _settle_in(request, to_supervisor.fileno())
        watch.run_ahead(request.words, to_supervisor, supervisor)
    except BaseException as error:  # noqa: BLE001 - as above
        _fail(error)


def _awaited(channel: _socket.socket, group: int) -> _Request:
    """The request that comes in the end; ours is a group of our own, or the server's again."""
    request = _receive(channel)
    channel.close()
    if request is None:
        os._exit(0)
    if not request.leads & GROUP:
        os.setpgid(0, group)
    return request


def _fail(error: BaseException) -> NoReturn:
    os.write(2, os.fsencode(f"ff: cannot start: {error}\n"))
    os._exit(126)


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


def _send(channel: _socket.socket, request: _Request) -> None:
    """Hand a request on.

    Raises:
        OSError: whoever should have it is gone.
    """
    head = HEAD.pack(len(request.body), request.count, request.leads)
    rights = struct.pack(f"{DESCRIPTORS}i", *request.descriptors)
    channel.sendmsg([head], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)])
    channel.sendall(request.body)


def _start(request: _Request, ahead: _Ahead | None, started: dict[int, int]) -> bool:
    """Have a process for a request: the one that waits for it, or a new one; whether the former."""
    telling = request.descriptors[3]
    is_ahead = ahead is not None and ahead.pid > 0 and request.may_be_ahead
    if ahead is not None and is_ahead:
        child = ahead.pid
        os.write(telling, NUMBER.pack(child))  # before it can tell how it ended
        if not ahead.take(request):
            _tell(telling, _signal.SIGKILL)
            child = -1
    else:
        child = _forked(request)
        os.write(telling, NUMBER.pack(child))
        if child < 0:
            os.close(telling)
    for number in request.descriptors[:3]:
        os.close(number)
    if child > 0:
        started[child] = telling
    return is_ahead


def _forked(request: _Request) -> int:
    """The id of a new process for a request; the number of the error, negative, where there is none."""
    try:
        child = os.fork()
    except OSError as error:
        return -(error.errno or 1)
    if child == 0:
        _become(request)
    return child


def _become(request: _Request) -> NoReturn:
    """In the child: be the process that was asked for."""
    try:
        _signal.set_wakeup_fd(-1)
        if request.leads & SESSION:
            os.setsid()
        elif request.leads & GROUP:
            os.setpgid(0, 0)
        _settle_in(request)
        watch.main(request.words)
    except BaseException as error:  # noqa: BLE001 - nothing of the server may run on in the child
        _fail(error)


def _settle_in(request: _Request, *kept: int) -> None:
    """Have the streams, the folder and the environment of a request, and no other descriptors but some.

    Raises:
        OSError: the folder is gone.
    """
    # Above those that they become: one of them could be 0, 1 or 2 itself.
    spare = [_moved(number) for number in request.descriptors[:3]]
    for number, other in enumerate(spare):
        os.dup2(other, number)
    _close_all_but(*kept)
    folder, *fields = request.body.split(b"\0")
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(
        {
            os.fsdecode(name): os.fsdecode(value)
            for name, _, value in (one.partition(b"=") for one in fields[request.count :])
        }
    )


def _moved(number: int) -> int:
    import fcntl  # noqa: PLC0415 - loaded by `watch`

    return fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, 3)


def _close_all_but(*kept: int) -> None:
    """Close every descriptor from 3 on, but some."""
    first = 3
    for number in sorted(kept):
        os.closerange(first, number)
        first = number + 1
    os.closerange(first, max(first, _highest() + 1))


def _highest() -> int:
    """The highest descriptor that may be open."""
    return max((int(name) for name in os.listdir("/proc/self/fd")), default=256)


def _tell(telling: int, status: int) -> None:
    """Tell how a process ended."""
    with suppress(OSError):  # whoever asked is gone
        os.write(telling, NUMBER.pack(status))
    os.close(telling)


def _tell_ends(started: dict[int, int]) -> list[int]:
    """Tell of each process that has ended how it did; their ids."""
    found: list[int] = []
    while True:
        try:
            ended, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if not ended:
            return found
        found.append(ended)
        telling = started.pop(ended, None)
        if telling is not None:
            _tell(telling, status)
