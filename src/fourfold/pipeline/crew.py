"""The crew: commands of several stages at once, each stage in a thread of its own.

A thread runs the commands of one attempt, one after the other, and says how they ended; it touches nothing
but processes and the log. Everything else (store, lock file, what starts next) stays with whoever waits here.
"""

import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from queue import Empty, SimpleQueue
from typing import NamedTuple

from fourfold.base.clock import SYSTEM
from fourfold.base.errors import from_os_error
from fourfold.pipeline.graph import Key
from fourfold.pipeline.logs import heading
from fourfold.pipeline.process import CommandExpired, Process, end, run_command
from fourfold.pipeline.relay import relayed


class Work(NamedTuple):
    """One attempt at a stage.

    Attributes:
        commands: Run in turn, until one fails.
        cwd: Absolute folder to run in.
        environ: All of the environment.
        timeout: Seconds for all of them together; None for as long as they take.
        prefixes: For each command, the words of what watches it (see `Process`); empty for no watching.
    """

    commands: tuple[str, ...]
    cwd: str
    environ: Mapping[str, str]
    timeout: float | None = None
    prefixes: tuple[tuple[str, ...], ...] = ()

    def watched(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Each command with its prefix."""
        for at, command in enumerate(self.commands):
            yield command, self.prefixes[at] if at < len(self.prefixes) else ()


class Verdict(NamedTuple):
    """How an attempt ended.

    Attributes:
        command: The last one that ran.
        code: Its exit code; negative for the signal that ended it.
        expired: Whether it was ended because the time was up.
        error: Why nothing could be run at all.
    """

    command: str = ""
    code: int = 0
    expired: bool = False
    error: Exception | None = None

    @property
    def is_good(self) -> bool:
        """Whether all commands ran, and well."""
        return not (self.code or self.expired or self.error)


def run_here(
    work: Work,
    *,
    output: int | None,
    log: str | None,
    before: Callable[[str], None],
    after: Callable[[str], None],
    trouble: Callable[[OSError], None],
) -> Verdict:
    """Run an attempt in this thread, with our own terminal and streams.

    Args:
        work: What to run.
        output: Where standard output goes: a file descriptor; None for where ours goes.
        log: The file at whose end all that it says is kept as well; None for none.
        before: Told of each command before it runs.
        after: Told of each that was started.
        trouble: Told why something is missing in the log.

    Raises:
        KeyboardInterrupt: somebody interrupted; the command has ended.
    """
    until = None if work.timeout is None else SYSTEM.monotonic() + work.timeout
    for command, prefix in work.watched():
        before(command)
        try:
            left = None if until is None else max(0.0, until - SYSTEM.monotonic())
            with relayed(command, log, output=output, trouble=trouble) as ends:
                code = run_command(
                    command,
                    cwd=work.cwd,
                    environ=work.environ,
                    output=ends.output,
                    errors=ends.errors,
                    timeout=left,
                    prefix=prefix,
                )
        except OSError as error:
            return Verdict(command, error=from_os_error(error, "starting the shell"))
        except CommandExpired:
            return Verdict(command, expired=True)
        finally:
            after(command)
        if code:
            return Verdict(command, code)
    return Verdict()


class Crew:
    """Attempts under way, each known by its owner."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ended: SimpleQueue[tuple[Key, Verdict]] = SimpleQueue()
        self._processes: dict[Key, Process] = {}
        self._threads: dict[Key, threading.Thread] = {}
        self._closed = False

    def __len__(self) -> int:
        """How many are under way, or have ended and were not asked for."""
        return len(self._threads)

    def start(self, key: Key, work: Work, log: str) -> None:
        """Begin an attempt; all that it says goes to the end of the file ``log``."""
        thread = threading.Thread(
            target=self._run, args=(key, work, log), name=f"ff stage {key}", daemon=True
        )
        self._threads[key] = thread
        thread.start()

    def wait(self, seconds: float) -> tuple[Key, Verdict] | None:
        """The next attempt that ends within a time; None when none does."""
        try:
            key, verdict = self._ended.get(timeout=seconds)
        except Empty:
            return None
        self._threads.pop(key).join()
        return key, verdict

    def end_all(self, *, interrupted: bool) -> None:
        """End whatever runs, and start nothing more; returns when all have ended."""
        with self._lock:
            self._closed = True
            processes = list(self._processes.values())
        end(processes, signal.SIGINT if interrupted else signal.SIGTERM)
        for thread in self._threads.values():
            thread.join()
        self._threads.clear()

    def _run(self, key: Key, work: Work, log: str) -> None:
        try:
            verdict = self._attempt(key, work, log)
        except Exception as error:  # noqa: BLE001 - whoever waits must hear of it, whatever it is
            verdict = Verdict(error=error)
        self._ended.put((key, verdict))

    def _attempt(self, key: Key, work: Work, log: str) -> Verdict:
        until = None if work.timeout is None else SYSTEM.monotonic() + work.timeout
        for command, prefix in work.watched():
            try:
                with open(log, "ab", buffering=0) as file:
                    file.write(heading(command))
                    process = self._start(key, command, prefix, work, file.fileno())
            except OSError as error:
                return Verdict(command, error=from_os_error(error, "starting the shell"))
            if process is None:
                return Verdict(command, -signal.SIGTERM)
            try:
                code = process.wait(None if until is None else max(0.0, until - SYSTEM.monotonic()))
            except CommandExpired:
                return Verdict(command, expired=True)
            finally:
                with self._lock:
                    if not self._closed:  # what is being ended is looked after until all of it is gone
                        self._processes.pop(key, None)
            if code:
                return Verdict(command, code)
        return Verdict()

    def _start(self, key: Key, command: str, prefix: tuple[str, ...], work: Work, fd: int) -> Process | None:
        """Start a command, unless everything is being ended."""
        with self._lock:
            if self._closed:
                return None
            process = Process(
                command,
                cwd=work.cwd,
                environ=work.environ,
                stdin=subprocess.DEVNULL,
                stdout=fd,
                stderr=fd,
                prefix=prefix,
                session=True,
            )
            self._processes[key] = process
            return process
