"""Runs commands as `runs.session` does, watched, and gives back what was seen."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from fourfold.runs.observation import Trace
from fourfold.runs.task import Declared, Task
from fourfold.runs.tracer import start


class Traced(NamedTuple):
    """Commands that ran, and what was seen of them."""

    root: str
    codes: list[int]
    outputs: list[str]
    errors: list[str]
    trace: Trace

    def below(self, how: str) -> dict[str, bool]:
        """Paths below the folder that were used in a way, and whether that was their first use."""
        prefix = self.root + os.sep
        return {
            one.path.removeprefix(prefix): one.first
            for one in self.trace.accesses
            if one.how == how and one.path.startswith(prefix)
        }


def task(folder: Path, *commands: str, environ: Mapping[str, str] | None = None, **declared: Any) -> Task:
    """Commands of a run in a folder."""
    return Task(
        "command",
        "",
        commands,
        str(folder),
        str(folder),
        os.environ if environ is None else environ,
        Declared(**declared),
    )


def launches(run: Task, scratch: Path) -> list[start.Launch]:
    """How each command of a run starts."""
    scratch.mkdir(parents=True, exist_ok=True)
    return [start.prepare(run, str(scratch), number=at) for at in range(len(run.commands))]


def traced(
    folder: Path,
    *commands: str,
    before: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
    **declared: Any,
) -> Traced:
    """Run commands in a folder, each in its turn, whether or not the one before failed.

    Args:
        folder: Where they run.
        commands: Lines for ``/bin/sh``.
        before: Words that go first of all: ``setpriv ...``.
        environ: Their environment; ours when it is not given.
        declared: What the run says about its capture.
    """
    run = task(folder, *commands, environ=environ, **declared)
    scratch = folder.parent / f"{folder.name}-scratch"
    done, starts = [], launches(run, scratch)
    if before:  # another user writes there
        for one in (scratch, *scratch.iterdir()):
            one.chmod(0o777)
    for launch, command in zip(starts, commands, strict=True):
        words = [*before, *launch.prefix, "/bin/sh", "-c", command]
        env = {**run.environ, **launch.environ, "FOURFOLD_RUN_DIR": str(scratch)}
        done.append(
            subprocess.run(
                words, cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False
            )
        )
    return Traced(
        str(folder),
        [one.returncode for one in done],
        [one.stdout for one in done],
        [one.stderr for one in done],
        start.collect(starts, str(scratch)),
    )


def without_rights() -> tuple[str, ...]:
    """Words that run others without any right: as another user where that one can reach the interpreter."""
    if os.geteuid() != 0:
        return ()
    used = {Path(sys.executable), Path(os.path.realpath(sys.executable)), Path(start.__file__)}
    open_ = all(folder.stat().st_mode & 0o001 for path in used for folder in path.parents)
    nobody = ("--reuid=65534", "--regid=65534", "--clear-groups") if open_ else ()
    return ("setpriv", *nobody, "--inh-caps=-all", "--bounding-set=-all")


@contextmanager
def public_folder() -> Iterator[Path]:
    """A folder in which every user may do everything, and folders beside it likewise."""
    with tempfile.TemporaryDirectory() as base:
        folder = Path(base) / "ws"
        folder.mkdir()
        for path in (folder, folder.parent):
            path.chmod(0o777)
        yield folder
