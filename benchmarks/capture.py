"""What recording costs: a short stage, and ``examples/churn``; alone: ``python -m benchmarks.capture``.

The same pipelines, recorded, recorded without being traced, and not recorded at all, take turns; the median
of the differences within a round. Asked of recording: at most `MOST_SHORT` for a short stage, 5 % of one of
ten seconds; of tracing at most 3 % of the lab.
"""

import functools
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.conftest import ROOT, find_ff
from tests.fixtures.sandbox import environment, make_home

#: Seconds that recording may add to a stage that takes next to none.
MOST_SHORT = 0.08
#: The share of the lab that tracing may add.
MOST_LAB = 0.03
_ROUNDS = 9
_LAB_ROUNDS = 11
_SHORT = "stages:\n  shell: {cmd: cat in.txt > a.txt, deps: [in.txt], outs: [a.txt]}\n"
_PYTHON = (
    "stages:\n  python: {cmd: \"python -c 'import numpy'; cp in.txt b.txt\", deps: [in.txt], outs: [b.txt]}\n"
)
_OFF = {"FOURFOLD_CAPTURE": "off"}
_UNTRACED = {"FOURFOLD_TRACE": "off"}


class Costs(NamedTuple):
    """What recording adds: seconds to a stage of the shell, and to one with NumPy; shares of the lab."""

    shell: float
    python: float
    lab_seconds: float
    lab_traced: float
    lab_recorded: float

    @property
    def sentence(self) -> str:
        """For the page of results."""
        return (
            f"Recording adds {self.shell * 1000:.0f} ms to a short stage of the shell and "
            f"{self.python * 1000:.0f} ms to one that imports NumPy (at most {MOST_SHORT * 1000:.0f} ms), "
            f"which is {self.python / 10:.1%} of a stage of ten seconds (at most 5 %). Of the lab, four "
            f"stages in {self.lab_seconds:.1f} s, tracing adds {self.lab_traced:.1%} (at most "
            f"{MOST_LAB:.0%}), all of recording {self.lab_recorded:.1%}."
        )


@functools.cache
def measure_capture() -> Costs:
    """Measure."""
    with tempfile.TemporaryDirectory() as base:
        home = make_home(Path(base) / "home")
        env = environment(home)
        del env["PYTHONDONTWRITEBYTECODE"], env["PYTHONHASHSEED"]
        env["PATH"] = f"{Path(sys.executable).parent}:{env['PATH']}"
        short = [_added(Path(base) / name, text, env) for name, text in (("s", _SHORT), ("p", _PYTHON))]
        lab = _project(Path(base) / "lab", env)
        shutil.copytree(ROOT / "examples" / "churn", lab, dirs_exist_ok=True)
        _call(lab, env, sys.executable, "generate.py", "data/raw")
        _call(lab, env, find_ff(), "add", "--quiet", "data/raw")
        off, untraced, whole = _rounds(lab, env, _LAB_ROUNDS, _OFF, _UNTRACED, {})
    lasts = statistics.median(off)
    return Costs(short[0], short[1], lasts, _more(untraced, whole) / lasts, _more(off, whole) / lasts)


def _added(folder: Path, text: str, env: Mapping[str, str]) -> float:
    work = _project(folder, env)
    (work / "in.txt").write_text("1\n")
    (work / "dvc.yaml").write_text(text)
    return _more(*_rounds(work, env, _ROUNDS, _OFF, {}))


def _more(less: Sequence[float], more: Sequence[float]) -> float:
    """What is added, in seconds: rounds are compared in themselves, as machines have slow minutes."""
    return statistics.median(after - before for before, after in zip(less, more, strict=True))


def _project(folder: Path, env: Mapping[str, str]) -> Path:
    folder.mkdir()
    _call(folder, env, "git", "init", "--quiet")
    _call(folder, env, find_ff(), "init", "--quiet")
    return folder


def _rounds(
    work: Path, env: Mapping[str, str], rounds: int, *switches: Mapping[str, str]
) -> list[list[float]]:
    """Seconds of whole runs, for each of several environments, which take turns, to and fro."""
    samples: list[list[float]] = [[] for _ in switches]
    for number in range(rounds + 1):
        order = list(enumerate(switches))
        for at, switch in order if number % 2 else order[::-1]:
            seconds = _call(work, {**env, **switch}, find_ff(), "repro", "-f", "-j", "1", "--quiet")
            if number:  # the first round fills caches
                samples[at].append(seconds)
    return samples


def _call(folder: Path, env: Mapping[str, str], *words: str) -> float:
    began = time.perf_counter()
    subprocess.run(words, cwd=folder, env=dict(env), capture_output=True, check=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    costs = measure_capture()
    print(costs.sentence)
    sys.exit(max(costs.shell, costs.python) > MOST_SHORT or costs.lab_traced > MOST_LAB)
