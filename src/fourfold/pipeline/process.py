"""Running one command of a stage: a shell of its own, and an end with us.

As DVC does: the user's shell without its start-up files, the stage's folder, the caller's environment.
Without a terminal the command leads a process group, so that all of it can be ended; at a terminal it
shares ours, as a command of a shell does, and the terminal's own keys reach it. A command never
outlives us by our doing: an interrupt or a request to end is passed on, then enforced.
"""

import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

#: Seconds that a command has to end by itself after it was asked to.
GRACE = 10.0
#: What a shell reports for a process that ended by SIGTERM.
_TERMINATED = 128 + 15
_PLAIN_SHELL = {"bash": ("--noprofile", "--norc"), "zsh": ("--no-rcs",)}


def shell_arguments(command: str, environ: Mapping[str, str]) -> Sequence[str] | str:
    """The words that run one line of a stage's command; on Windows, the line for its own shell."""
    if os.name == "nt":
        return command
    shell = environ.get("SHELL") or "/bin/sh"
    options = _PLAIN_SHELL.get(os.path.basename(shell).lower(), ())
    return [shell, *options, "-c", command]


def run_command(command: str, *, cwd: str, environ: Mapping[str, str], output: int | None = None) -> int:
    """Run one command to its end and return its exit code; negative for the signal that ended it.

    Its input and its errors are ours.

    Args:
        command: One line for the shell.
        cwd: Absolute folder to run in.
        environ: All of its environment.
        output: Where its standard output goes: a file descriptor; by default where ours goes.

    Raises:
        OSError: the shell cannot be started.
        KeyboardInterrupt: we, or the command, were interrupted; the command has ended.
    """
    own_group = not _at_terminal()
    with _ending_on_request():
        process = subprocess.Popen(
            shell_arguments(command, environ),
            cwd=cwd,
            env=dict(environ),
            stdout=output,
            shell=os.name == "nt",
            **({"process_group": 0} if own_group and os.name != "nt" else {}),  # type: ignore[call-overload]
        )
        try:
            code = int(process.wait())
        except BaseException as error:
            _end(process, interrupted=isinstance(error, KeyboardInterrupt), group=own_group)
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
def _ending_on_request() -> Iterator[None]:
    """Turn SIGTERM into an exception while a command runs, where handlers can be set."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(_number: int, _frame: FrameType | None) -> NoReturn:
        raise SystemExit(_TERMINATED)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before if before is not None else signal.SIG_DFL)


def _end(process: "subprocess.Popen[bytes]", *, interrupted: bool, group: bool) -> None:
    """Ask a command to end, wait, then end it."""
    asked = signal.SIGINT if interrupted else signal.SIGTERM
    if not (interrupted and not group):  # at a terminal the key reached the command by itself
        _signal(process, asked, group=group)
    try:
        process.wait(GRACE)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        _signal(process, getattr(signal, "SIGKILL", signal.SIGTERM), group=group)
        process.wait()
    if group:
        _signal(
            process, signal.SIGTERM, group=True
        )  # shells let what runs in the background ignore an interrupt


def _signal(process: "subprocess.Popen[bytes]", number: int, *, group: bool) -> None:
    with suppress(ProcessLookupError, PermissionError):
        if group and os.name != "nt":
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
