"""What watching costs: an open, a read, a start; alone: ``python -m benchmarks.tracing``.

The same small programs, bare and behind the supervisor, take turns; the least of several rounds each, because
whatever else runs on the machine only adds. Asked of watching: at most `MOST_OPEN` an open, nothing a read.
"""

import functools
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from tests.runs.tracer.tracing import launches, task

#: Microseconds that an open may take longer.
MOST_OPEN = 15.0
_ROUNDS = 7
_OPENS = """\
import os, time
from time import perf_counter
flags, times = os.O_RDONLY | os.O_CLOEXEC, 20000
def least(act):
    best = 1e9
    for _ in range(5):
        began = perf_counter()
        for _ in range(times):
            act()
        best = min(best, perf_counter() - began)
    return best / times * 1e6
kept = os.open("file", flags)
path = os.path.abspath("file")
print(least(lambda: os.close(os.open(path, flags))), least(lambda: os.close(os.open("file", flags))),
      least(lambda: os.pread(kept, 1, 0)))
"""
_IMPORTS = "import numpy, pandas"


class Costs(NamedTuple):
    """What watching adds: microseconds to each open and read, milliseconds to a start, a share to imports."""

    by_path: float
    relative: float
    read: float
    start: float
    imports: float

    @property
    def sentence(self) -> str:
        """For the page of results."""
        return (
            f"Watching a command adds {max(self.by_path, self.relative):.1f} µs to an open "
            f"(at most {MOST_OPEN:g} µs), {max(self.read, 0):.2f} µs to a read, {self.start:.0f} ms "
            f"to its start, and {self.imports:.0%} to `{_IMPORTS}`, its start included."
        )


@functools.cache
def measure_tracing() -> Costs:
    """Measure."""
    with tempfile.TemporaryDirectory() as base:
        folder = Path(base) / "ws"
        folder.mkdir()
        (folder / "file").write_text("text")
        (folder / "opens.py").write_text(_OPENS)
        prefix = launches(task(folder, "x", trace="seccomp"), Path(base) / "scratch")[0].prefix
        bare, watched = ([1e9] * 5 for _ in range(2))
        for _ in range(_ROUNDS):
            for found, before in ((bare, ()), (watched, prefix)):
                opens = subprocess.run(
                    [*before, sys.executable, "opens.py"],
                    cwd=folder,
                    capture_output=True,
                    text=True,
                    check=True,
                )
                samples = [
                    *map(float, opens.stdout.split()),
                    _timed([*before, "/bin/sh", "-c", ":"], folder) * 1e3,
                    _timed([*before, sys.executable, "-c", _IMPORTS], folder),
                ]
                found[:] = map(min, found, samples)
    return Costs(
        watched[0] - bare[0],
        watched[1] - bare[1],
        watched[2] - bare[2],
        watched[3] - bare[3],
        watched[4] / bare[4] - 1,
    )


def _timed(command: list[str], folder: Path) -> float:
    began = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    costs = measure_tracing()
    print(costs.sentence)
    sys.exit(max(costs.by_path, costs.relative) > MOST_OPEN)
