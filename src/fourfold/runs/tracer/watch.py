"""The supervisor: starts a command behind a filter, answers what the kernel asks, ends as the command ends.

It is a process of its own, an ancestor of all that it watches. It changes nothing that a command could tell:
not the session, group, terminal, input or output, nor the environment. It never keeps a command from running:
where it cannot listen, it says why in its file, and the command runs all the same.

The file names come in as fields that end with a zero byte (`read_spec`). What was seen goes to a `Ledger`.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # half of `signal`, without the enums that take longer to load
import _socket
import fcntl
import gc
import os
import select
import struct

from fourfold.runs.tracer import abi, kernel, loader
from fourfold.runs.tracer.events import Events
from fourfold.runs.tracer.ledger import HEADER, Ledger
from fourfold.runs.tracer.protocol import NUMBER

TYPE_CHECKING = False  # see `abi`
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

    from fourfold.runs.tracer.walls import Walls

#: How often, and after how many milliseconds, a look is taken at what strace wrote.
_TRIES, _PAUSE = 20, 25
#: Seconds between two looks at whether the command has ended: a safety net, for its end interrupts us.
_LOOK = 0.25
#: The same where only what stays in the background is waited for.
_LOOK_LATER = 5.0
#: Signals whose default is not to end a process, or that none can ignore.
_LEFT_ALONE = frozenset(
    {
        _signal.SIGKILL,
        _signal.SIGSTOP,
        _signal.SIGTSTP,
        _signal.SIGTTIN,
        _signal.SIGTTOU,
        _signal.SIGCONT,
        _signal.SIGCHLD,
        _signal.SIGALRM,
        _signal.SIGSEGV,
        _signal.SIGBUS,
        _signal.SIGFPE,
        _signal.SIGILL,
        _signal.SIGABRT,
    }
)
_BUSY = 16
#: What is let through in silence (`abi.TOLD`), but behind walls.
_SPARED = b"of an installed package its metadata, and bytecode and folders after the first that is imported"
_LOADED = b"shared libraries that are unloaded before a program ends, or that a signal ends it with"
#: See `_loaders`.
_places: tuple[int, ...] | None = None
#: What stands before a command that must not run without its walls.
HERMETIC = "--hermetic"


class Spec:
    """What the supervisor is told.

    Attributes:
        file: Where it leaves what it saw.
        instead: What the command's words are put behind where we may not listen: strace and its options.
        walls: What a hermetic run may use; None for any other run.
    """

    def __init__(self, fields: list[bytes]) -> None:
        self.file = fields[0]
        self.instead = [field[1:] for field in fields[1:] if field[:1] == b"S"]
        self.walls: Walls | None = None
        if b"H" in fields:
            from fourfold.runs.tracer.walls import Walls  # noqa: PLC0415 - most runs have none

            self.walls = Walls(fields[1:])


def read_spec(path: str) -> Spec:
    """Read the file that `start` wrote."""
    with open(path, "rb") as file:
        return Spec(file.read().split(b"\0"))


def main(words: Sequence[str]) -> NoReturn:
    """Run the command after its task's file and ``--`` (or `HERMETIC`), watched; never returns.

    What keeps us from watching keeps no command from running, unless it must not run without its walls.
    """
    gc.disable()
    _forget_locale()
    command = [os.fsencode(word) for word in words[2:]]
    try:
        spec, out = begin(words)
        get_ready()  # for both processes
        ours, theirs = _socket.socketpair()
        supervisor = os.getpid()
        child = os.fork()
    except OSError as error:
        if words[1] == HERMETIC:
            _fail("the sandbox cannot be built", error)
        _turn_into(command)
    if child == 0:
        ours.close()
        _become(command, theirs, supervisor, spec)
    theirs.close()
    _watch(child, ours, out, spec)


def begin(words: Sequence[str]) -> tuple[Spec, int]:
    """What a supervisor is told, and the file in which it leaves what it saw, begun.

    Raises:
        OSError: one of the files cannot be had.
    """
    spec = read_spec(words[0])
    out = os.open(spec.file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    _write(out, HEADER + b"\0")
    return spec, out


def watch_ahead(words: Sequence[str], child: int, ours: _socket.socket, telling: int) -> NoReturn:
    """Watch a command whose process is there already; never returns.

    Args:
        words: As for `main`.
        child: It, which does `run_ahead`.
        ours: Our end of the channel to it.
        telling: Where its status is told.
    """
    try:
        spec, out = begin(words)
    except OSError:  # the command runs all the same; whoever looks for the file will say that it is not there
        spec, out = Spec([b""]), os.open(os.devnull, os.O_WRONLY)
    _watch(child, ours, out, spec, telling)


def run_ahead(words: Sequence[str], channel: _socket.socket, supervisor: int) -> NoReturn:
    """Be the command of a supervisor that is there already; never returns."""
    _become([os.fsencode(word) for word in words[2:]], channel, supervisor, words[0])


def _watch(child: int, ours: _socket.socket, out: int, spec: Spec, telling: int | None = None) -> NoReturn:
    """Watch the command, write down what was seen, tell its status where that is asked, and end as it did."""
    _stand_aside(child)
    kernel.adopt_orphans()
    ledger = Ledger()
    if spec.walls is None:
        events = Events(ledger, os.path.dirname(spec.file) if _loaders() else b"")
        ledger.blind.update({_SPARED, _LOADED} if _loaders() else {_SPARED})
    else:
        from fourfold.runs.tracer.guard import Guard  # noqa: PLC0415 - most runs have no walls

        events = Guard(ledger, spec.walls)
    listener, why = _receive(ours)
    ours.close()
    if listener is None:
        _write(out, b"y\0%s\0E\0" % why)
        _end_like(_wait(child))
    events.listen(listener)
    _let_go_of_streams({out, listener, telling})
    status = _answer(events, listener, child)
    _write(out, b"".join(ledger.render()) + b"E\0")
    if telling is not None:  # whoever waits need not wait until we are gone
        _write(telling, NUMBER.pack(status))
        os.close(telling)
    _leave_successor(listener)
    _end_like(status)


def get_ready() -> None:
    """Find out ahead what each command needs."""
    _loaders()


def _loaders() -> tuple[int, ...]:
    """Where the dynamic loader makes its opens, found out once."""
    global _places  # noqa: PLW0603 - `functools` would take a third of the start
    if _places is None:
        _places = loader.places() if os.uname().machine == "x86_64" else ()
    return _places


def _write(out: int, data: bytes) -> None:
    """Write what can be: without its end, a file says by itself that it is not whole."""
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(out, view) :]
    except OSError:
        return


def _let_go_of_streams(kept: set[int | None]) -> None:
    """Hold none of the command's streams: who reads its output, or writes its input, waits for it alone."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        if number not in kept and number != nothing:
            os.dup2(nothing, number)


def _become(command: list[bytes], channel: _socket.socket, supervisor: int, told: Spec | str) -> NoReturn:
    """In the child: go behind the filter, hand over its descriptor, and turn into the command.

    Args:
        command: Its words.
        channel: To the supervisor.
        supervisor: Its process id.
        told: What it was told; or the file that says it, of a run without walls.
    """
    walls = told.walls if isinstance(told, Spec) else None
    kernel.die_with_parent(_signal.SIGKILL)
    if os.getppid() != supervisor:
        os._exit(1)
    machine = abi.MACHINES[os.uname().machine]
    program = abi.program(machine, hermetic=walls is not None, loaders=_loaders())
    try:
        if walls is not None:
            walls.raise_()
        try:
            listener = kernel.listen(program)
        except PermissionError:
            kernel.give_up_privileges()
            listener = kernel.listen(program)
    except (OSError, KeyError) as error:
        number = getattr(error, "errno", 0) or 0
        channel.send(b"%d" % number)
        if walls is not None:
            _fail("the sandbox cannot be built", error)
        spec = told if isinstance(told, Spec) else read_spec(told)
        # Where somebody listens already, strace would be told nothing.
        if spec.instead and number != _BUSY and _works(spec.instead):
            command = [*spec.instead, *command]
        else:
            os.putenv("FOURFOLD_AUDIT", "1")
    else:
        channel.sendmsg([b"+"], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, struct.pack("i", listener))])
        os.close(listener)
    channel.close()
    _turn_into(command)


def _works(instead: list[bytes]) -> bool:
    """Whether strace may look, by trying it; ``-o FILE --`` end its words.

    It runs the command whether or not it may, and then has nothing to tell, a moment after the command's end.
    """
    file = instead[-2] + b".probe"
    child = os.fork()
    if child == 0:
        nothing = os.open(os.devnull, os.O_RDWR)
        for number in range(3):
            os.dup2(nothing, number)
        _turn_into([*instead[:-2], file, instead[-1], b"/bin/sh", b"-c", b":"])
    poll = select.poll()
    for _ in range(_TRIES if os.waitpid(child, 0)[1] == 0 else 0):
        if os.path.exists(file) and os.path.getsize(file):
            return True
        poll.poll(_PAUSE)
    return False


def _turn_into(command: list[bytes]) -> NoReturn:
    """Be the command; end as a shell does where it cannot be started."""
    for number in (_signal.SIGPIPE, _signal.SIGXFSZ):  # which Python ignores for itself
        _signal.signal(number, _signal.SIG_DFL)
    try:
        os.execvp(command[0], command)  # noqa: S606 - the words came from us
    except OSError as error:
        code = 127 if isinstance(error, FileNotFoundError) else 126
        _fail(f"cannot start '{os.fsdecode(command[0])}'", error, code)


def _fail(what: str, error: Exception, code: int = 126) -> NoReturn:
    """End as a shell does that cannot start a program."""
    cause = error.strerror if isinstance(error, OSError) else error
    os.write(2, os.fsencode(f"ff: {what}: {cause}\n"))
    os._exit(code)


def _forget_locale() -> None:
    """Take back what Python added to its environment (PEP 538): the command shall not inherit it."""
    with open("/proc/self/environ", "rb") as file:
        given = b"\0" + file.read()
    if b"\0LC_CTYPE=" not in given:
        os.unsetenv("LC_CTYPE")


def _receive(channel: _socket.socket) -> tuple[int | None, bytes]:
    """The descriptor to listen on, or why there is none."""
    data, extra, _flags, _address = channel.recvmsg(16, _socket.CMSG_SPACE(4))
    if extra:
        return int(struct.unpack("i", extra[0][2][:4])[0]), b""
    number = int(data or b"0")
    if number == _BUSY:
        return None, b"another program watches already"
    return None, b"the kernel does not let us listen (%s)" % os.fsencode(
        os.strerror(number) if number else "?"
    )


def _stand_aside(child: int) -> None:
    """Take no signal for ourselves: those for a group reach the command, those for us alone are passed on."""
    for number in range(1, 65):
        if number not in _LEFT_ALONE:
            try:
                _signal.signal(number, _signal.SIG_IGN)
            except (OSError, ValueError):  # kept by the C library
                continue
    if os.getpgrp() != os.getpid():

        def pass_on(number: int, _frame: object) -> None:
            try:
                os.kill(child, number)
            except ProcessLookupError:
                return

        _signal.signal(_signal.SIGTERM, pass_on)
    _signal.signal(_signal.SIGCHLD, _notice)


def _notice(_number: int, _frame: object) -> None:
    """Be interrupted."""


def _wait(child: int) -> int:
    """The status of the command, once it has ended; all other children are reaped as they end."""
    while True:
        ended, status = os.waitpid(-1, 0)
        if ended == child:
            return status


def _reap(child: int) -> int | None:
    """The status of the command if it has ended."""
    while True:
        try:
            ended, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return 0
        if ended == child:
            return status
        if ended == 0:
            return None


def _answer(events: Events, listener: int, child: int) -> int:
    """Answer until the command has ended; its status."""
    try:
        fcntl.ioctl(listener, abi.NOTIF_SET_FLAGS, 1)  # wake the other side on this very core
    except OSError:  # before Linux 6.6 it did not know how
        _notice(0, None)
    _signal.signal(_signal.SIGALRM, events.forget_folders)
    _signal.setitimer(_signal.ITIMER_REAL, _LOOK, _LOOK)
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    while True:
        events.serve()
        events.settle()  # at every interruption, so that little is left when the command has ended
        # When nobody can ask any more, the command is ending: to ask again and again would be in its way.
        if (status := _wait(child) if _is_deserted(poll) else _reap(child)) is not None:
            _signal.setitimer(_signal.ITIMER_REAL, 0)
            return status


def _is_deserted(poll: select.poll) -> bool:
    """Whether all that could ask have ended."""
    return any(event & select.POLLHUP for _fd, event in poll.poll(0))


def _leave_successor(listener: int) -> None:
    """Go on answering, in another process, for what the command left in the background.

    Without somebody who answers, every call that the filter asks about would fail there.
    """
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    try:
        if _is_deserted(poll) or os.fork():
            return
    except OSError:  # no room for another process
        return
    os.setsid()  # what is sent to the group is not for it
    _signal.setitimer(_signal.ITIMER_REAL, _LOOK_LATER, _LOOK_LATER)
    receive = kernel.receiver(listener)
    while True:
        if any(event & select.POLLHUP for _fd, event in poll.poll()):
            os._exit(0)
        told = receive()
        if told is None:
            continue
        try:
            fcntl.ioctl(listener, abi.NOTIF_SEND, abi.ANSWER.pack(told[0], 0, 0, abi.FLAG_CONTINUE))
        except OSError:
            continue  # whoever asked is gone


def _end_like(status: int) -> NoReturn:
    """End as the command did: with its code, or by the signal that ended it."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        kernel.leave_no_core()
        if number not in {_signal.SIGKILL, _signal.SIGSTOP}:
            _signal.signal(number, _signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
