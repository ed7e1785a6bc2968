"""Running one command of a stage: a shell of its own, and an end with us.

As DVC does: the user's shell without its start-up files, the stage's folder, the caller's environment.
A command that has our terminal to itself shares our process group, as a command of a shell does, and the
terminal's own keys reach it; any other leads a group, so that all of it can be ended. A command never
outlives us by our doing: an interrupt or a request to end is passed on, then enforced. Which commands
run beside each other is the crew's (`crew`).
"""

import os
import signal
import subprocess
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from fourfold.base.clock import SYSTEM

if TYPE_CHECKING:
    from fourfold.runs.tracer.nursery import Child

#: Seconds that commands have to end by themselves after they were asked to.
GRACE = 10.0
#: Seconds that what a command left behind has to follow it, once it ended on request.
_FOLLOW = 2.0
_POLL = 0.02
_PLAIN_SHELL = {"bash": ("--noprofile", "--norc"), "zsh": ("--no-rcs",)}
_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)


class CommandExpired(Exception):  # noqa: N818 - never leaves this folder: whoever knows the stage tells the error
    """A command took longer than it may; it has been ended."""


def shell_arguments(command: str, environ: Mapping[str, str]) -> Sequence[str] | str:
    """The words that run one line of a stage's command; on Windows, the line for its own shell."""
    if os.name == "nt":
        return command
    shell = environ.get("SHELL") or "/bin/sh"
    options = _PLAIN_SHELL.get(os.path.basename(shell).lower(), ())
    return [shell, *options, "-c", command]


class Process:
    """A command under way.

    Args:
        command: One line for the shell.
        cwd: Absolute folder to run in.
        environ: All of its environment.
        stdin: Where it reads; None for where we do.
        stdout: Where it writes; None for where we do.
        stderr: Where its errors go; None for where ours go.
        prefix: Words that go before those of the shell: a program that watches what it runs, and ends as that
            does. Not on Windows.
        group: Whether it leads a group of processes, which signals reach as one.
        session: Whether it has no terminal either: it must not wait for one that others use.

    Raises:
        OSError: the shell cannot be started.
    """

    def __init__(
        self,
        command: str,
        *,
        cwd: str,
        environ: Mapping[str, str],
        stdin: int | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
        prefix: Sequence[str] = (),
        group: bool = True,
        session: bool = False,
    ) -> None:
        self._group = group and os.name != "nt"
        options: dict[str, object] = {}
        if session and os.name != "nt":
            options["start_new_session"] = True
        elif self._group:
            options["process_group"] = 0
        words = shell_arguments(command, environ)
        watched = None
        if prefix and not isinstance(words, str):
            from fourfold.runs.tracer import nursery  # noqa: PLC0415 - only what is watched needs it

            watched = nursery.launch(
                prefix,
                words,
                cwd=cwd,
                environ=environ,
                streams=(stdin, stdout, stderr),
                group=self._group and not session,
                session=session,
            )
        self._popen: subprocess.Popen[bytes] | Child = watched or subprocess.Popen(
            words if isinstance(words, str) else [*prefix, *words],
            cwd=cwd,
            env=dict(environ),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            shell=os.name == "nt",
            **options,  # type: ignore[call-overload]
        )
        self._ended_at: float | None = None

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, negative for the signal that ended it, once it has ended.

        What it started in the background is not waited for.

        Raises:
            CommandExpired: it took longer than ``timeout`` seconds; it has been ended, and all of its group.
        """
        try:
            return int(self._popen.wait(timeout))
        except subprocess.TimeoutExpired:
            end([self], signal.SIGTERM)
            raise CommandExpired from None

    def signal(self, number: int) -> None:
        """Send a signal to it, or to its group; nothing when it is gone."""
        with suppress(ProcessLookupError, PermissionError):
            if self._group:
                os.killpg(self._popen.pid, number)
            else:
                self._popen.send_signal(number)

    def is_gone(self) -> bool:
        """Whether nothing of it is left; what outlives the shell itself is asked once to follow."""
        if self._popen.poll() is None:
            return False
        if not self._group:
            return True
        try:
            os.killpg(self._popen.pid, 0)
        except (ProcessLookupError, PermissionError):
            return True
        now = SYSTEM.monotonic()
        if self._ended_at is None:  # shells let what runs in the background ignore an interrupt
            self._ended_at = now
            self.signal(signal.SIGTERM)
        if now - self._ended_at < _FOLLOW:
            return False
        self.signal(_KILL)
        return True


def end(processes: Collection[Process], number: int, *, tell: bool = True, grace: float = GRACE) -> None:
    """Ask commands to end, all at once, wait, then end them.

    Args:
        processes: Which.
        number: The signal that asks.
        tell: Send it; otherwise they have it already.
        grace: Seconds to wait. Another interrupt, or request to end, ends the wait.
    """
    if tell:
        for process in processes:
            process.signal(number)
    deadline = SYSTEM.monotonic() + grace
    left = list(processes)
    with suppress(KeyboardInterrupt, SystemExit):  # whoever asks twice does not want to wait
        while (left := [process for process in left if not process.is_gone()]) and (
            SYSTEM.monotonic() < deadline
        ):
            SYSTEM.sleep(_POLL)
    for process in left:
        process.signal(_KILL)
    for process in left:
        with suppress(CommandExpired):
            process.wait()


def run_command(
    command: str,
    *,
    cwd: str,
    environ: Mapping[str, str],
    output: int | None = None,
    errors: int | None = None,
    timeout: float | None = None,
    prefix: Sequence[str] = (),
) -> int:
    """Run one command to its end and return its exit code; negative for the signal that ended it.

    Its input is ours.

    Args:
        command: One line for the shell.
        cwd: Absolute folder to run in.
        environ: All of its environment.
        output: Where its standard output goes: a file descriptor; by default where ours goes.
        errors: Where its standard error goes, likewise.
        timeout: Seconds that it may take; one that is limited has no terminal to read from.
        prefix: See `Process`.

    Raises:
        OSError: the shell cannot be started.
        CommandExpired: it took too long; it has ended.
        KeyboardInterrupt: we, or the command, were interrupted; the command has ended.
    """
    ours = _at_terminal()
    group = timeout is not None or not ours
    stdin = subprocess.DEVNULL if ours and group else None
    with ending_on_request():
        process = Process(
            command,
            cwd=cwd,
            environ=environ,
            stdin=stdin,
            stdout=output,
            stderr=errors,
            prefix=prefix,
            group=group,
        )
        try:
            code = process.wait(timeout)
        except CommandExpired:
            raise
        except BaseException as error:
            interrupted = isinstance(error, KeyboardInterrupt)
            # At a terminal the key reached the command by itself.
            number = signal.SIGINT if interrupted else signal.SIGTERM
            end([process], number, tell=group or not interrupted)
            raise
    if code == -signal.SIGINT:
        raise KeyboardInterrupt
    return code


def _at_terminal() -> bool:
    """Whether we are in the foreground of a terminal."""
    if os.name == "nt":
        return True
    try:
        return os.isatty(0) and os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return False


@contextmanager
def ending_on_request() -> Iterator[None]:
    """Turn a request to end (SIGTERM, a hang-up) into an exception, where handlers can be set."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number: int, _frame: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)  # what a shell reports for a process that a signal ended

    before = {}
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, leave)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
