"""Timing one command: wall clock, CPU and peak memory of it and of all its children."""

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple


class CommandFailedError(RuntimeError):
    """A command that is timed did not succeed, so its time means nothing."""


class Sample(NamedTuple):
    """One run: seconds of wall clock and of CPU (user and system), peak resident bytes of any process."""

    wall: float
    cpu: float
    rss: int


def measure(command: Sequence[str], cwd: Path, env: Mapping[str, str], repeat: int = 1) -> Sample:
    """Run ``command`` ``repeat`` times after what is dirty was written; the medians.

    Raises:
        CommandFailedError: it exits with anything but 0.
    """
    os.sync()
    samples = [_once(command, cwd, env) for _ in range(repeat)]
    return medians(samples)


def _once(command: Sequence[str], cwd: Path, env: Mapping[str, str]) -> Sample:
    log = cwd.parent / "output"
    with log.open("wb") as sink:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=cwd, env=dict(env), stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, umask=0o022
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        said = log.read_text(errors="replace")[-2000:]
        raise CommandFailedError(f"{list(command)} exits with {process.returncode}:\n{said}")
    return Sample(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def medians(samples: Sequence[Sample]) -> Sample:
    """The median of each figure by itself."""
    return Sample(
        median(s.wall for s in samples), median(s.cpu for s in samples), int(median(s.rss for s in samples))
    )
