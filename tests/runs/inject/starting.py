"""Starts a program as a run would: planned, injected, read afterwards."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from fourfold.formats.native.fact import Section
from fourfold.runs import injection, randomness, reports
from fourfold.runs.observation import Coverage, Observation, Trace
from fourfold.runs.task import Declared, Task

ROOT = Path(__file__).resolve().parents[3]
VERSIONS = Path.home() / ".pyenv" / "versions"
#: Other Pythons of this machine, by version; none in most places.
OTHERS = {
    path.parent.parent.name: str(path)
    for version in ("2.7", "3.6", "3.8", "3.9", "3.10", "3.12", "3.13")
    for path in sorted(VERSIONS.glob(f"{version}.*/bin/python"))[:1]
}
MODERN = [sys.executable, *(path for name, path in OTHERS.items() if not name.startswith(("2.", "3.6")))]


class Ended(NamedTuple):
    """A program that has ended."""

    out: str
    err: str
    section: Section
    reports: Sequence[Mapping[str, Any]]
    plan: randomness.Plan

    def value(self, fact: str) -> Any:
        return self.section[fact].value


def bare(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """An environment that says nothing about randomness."""
    kept = ("PATH", "HOME", "LD_LIBRARY_PATH", "TMPDIR")
    return {name: os.environ[name] for name in kept if name in os.environ} | dict(environ or {})


def run(
    folder: Path,
    program: str | Sequence[str],
    *,
    python: str = sys.executable,
    options: Sequence[str] = (),
    stage: str = "train",
    environ: Mapping[str, str] | None = None,
    extra: Mapping[str, str] | None = None,
    drawn: int = 99,
    **says: Any,
) -> Ended:
    """Run a program of Python, or a whole command line.

    Args:
        folder: Where it runs; the program is written there.
        program: Its text, or words of a command.
        python: What runs it.
        options: Of the interpreter.
        stage: Name of the stage.
        environ: Variables of the user.
        extra: Variables that come later: what a launcher sets for one process.
        drawn: The seed that would be drawn.
        says: What the stage declares; a seed of 7 if nothing is said.
    """
    says = {"seed": 7, "seed_from": "meta"} | says
    if isinstance(program, str):
        (folder / "program.py").write_text(program, encoding="utf-8")
        command = [python, *options, "program.py"]
    else:
        command = list(program)
    task = Task(
        "stage", stage, (" ".join(command),), str(folder), str(folder), bare(environ), Declared(**says)
    )
    plan = randomness.plan(task, lambda: drawn)
    scratch = folder / "scratch"
    for number in range(1000):
        scratch = folder / f"scratch-{number}"
        if not scratch.exists():
            break
    scratch.mkdir()
    inside = dict(task.environ) | injection.environment(task, plan, str(scratch)) | dict(extra or {})
    done = subprocess.run(command, cwd=folder, env=inside, capture_output=True, text=True, check=False)
    told = reports.read(str(scratch))
    section = randomness.section(plan, task, Observation(Trace(Coverage("none")), told))
    return Ended(done.stdout, done.stderr, section, told, plan)
