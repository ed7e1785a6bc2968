"""Where the kernel does not offer what tracing needs: told, never guessed, and no run fails of it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fourfold.runs.tracer import start
from tests.runs.tracer import without
from tests.runs.tracer.tracing import launches, task, traced

SILENT = "the kernel does not let us listen"
ASK = """\
import os, sys
from fourfold.base.errors import FourfoldError
from fourfold.runs.task import Declared, Task
from fourfold.runs.tracer import start
from fourfold.runs.tracer.probe import probe
task = Task("command", "", ("true",), os.getcwd(), os.getcwd(), os.environ, eval(sys.argv[1]))
try:
    print(start.prepare(task, os.getcwd()).method)
except FourfoldError as error:
    print(error.code, error.message, sep=": ")
print(*(one.name for one in probe(os.environ) if not one.works))
"""


def ask(folder: Path, failing: str, declared: str) -> list[str]:
    """What a process of ours answers where some calls fail: the method or the error; what does not work."""
    words = [sys.executable, without.__file__, failing, sys.executable, "-c", ASK, declared]
    env = {**os.environ, "PYTHONPATH": str(Path(without.__file__).parents[3])}
    done = subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("failing", "declared", "answer", "broken"),
    [
        (
            "landlock=ENOSYS",
            "Declared(hermetic=True)",
            "sandbox-unavailable: a hermetic run is not possible here: the kernel offers no Landlock",
            "landlock",
        ),
        (
            "seccomp=EPERM",
            "Declared(hermetic=True)",
            f"sandbox-unavailable: a hermetic run is not possible here: {SILENT} (Operation not permitted)",
            "seccomp io_uring",
        ),
        (
            "seccomp=ENOSYS",
            "Declared(trace='seccomp')",
            f"trace-unavailable: tracing by seccomp does not work here: {SILENT} (Function not implemented)",
            "seccomp io_uring",
        ),
    ],
)
def test_what_is_asked_for_by_name_and_is_not_there_is_refused(
    tmp_path: Path, failing: str, declared: str, answer: str, broken: str
) -> None:
    said = ask(tmp_path, failing, declared)
    assert said[0] == answer
    assert set(said[1].split()) - {"io_uring"} == set(broken.split()) - {"io_uring"}


@pytest.mark.parametrize(
    ("failing", "path", "method"),
    [
        ("seccomp=EPERM", os.environ["PATH"], "strace"),
        ("seccomp=EPERM", "/nowhere", "audit"),
        ("seccomp=EPERM,ptrace=EPERM", os.environ["PATH"], "audit"),
    ],
)
def test_a_command_is_watched_otherwise_where_nobody_may_listen_and_it_is_told_why(
    tmp_path: Path, failing: str, path: str, method: str
) -> None:
    (tmp_path / "in.txt").write_text("data\n")
    run = traced(
        tmp_path,
        "/bin/cat in.txt; exit 5",
        before=[sys.executable, without.__file__, failing],
        environ={"PATH": path, "PYTHONPATH": str(Path(without.__file__).parents[3])},
    )
    assert run.codes == [5]
    assert run.outputs == ["data\n"]
    assert (run.trace.coverage.method, run.trace.coverage.lost) == (method, 0)
    assert run.trace.coverage.why == f"{SILENT} (Operation not permitted)"
    assert ("in.txt" in run.below("read")) == (method == "strace")


def test_memory_that_may_not_be_read_is_told_as_lost(tmp_path: Path) -> None:
    run = traced(
        tmp_path,
        "cat /dev/null; exit 5",
        before=[sys.executable, without.__file__, "read=EPERM"],
        environ={**os.environ, "PYTHONPATH": str(Path(without.__file__).parents[3])},
    )
    assert run.codes == [5]
    assert run.trace.coverage.lost > 0


def test_a_hermetic_command_does_not_start_without_its_walls(tmp_path: Path) -> None:
    run = task(tmp_path, "echo ran", hermetic=True)
    launch = launches(run, tmp_path / "scratch")[0]
    words = [sys.executable, without.__file__, "landlock=ENOSYS", *launch.prefix, "/bin/sh", "-c", "echo ran"]
    env = {**os.environ, "PYTHONPATH": str(Path(without.__file__).parents[3])}
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (126, "")
    assert done.stderr == "ff: the sandbox cannot be built: Function not implemented\n"
    assert start.collect([launch], str(tmp_path / "scratch")).accesses == ()


@pytest.mark.parametrize(("hermetic", "ended"), [(False, (5, "data\n")), (True, (126, ""))])
def test_a_command_runs_where_our_own_files_are_gone_unless_it_needs_walls(
    tmp_path: Path, hermetic: bool, ended: tuple[int, str]
) -> None:
    launch = launches(task(tmp_path, "", hermetic=hermetic), tmp_path / "scratch")[0]
    shutil.rmtree(tmp_path / "scratch")
    words = [*launch.prefix, "/bin/sh", "-c", "echo data; exit 5"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == ended
    assert start.collect([launch], str(tmp_path / "scratch")).accesses == ()


def test_what_cannot_be_written_is_told_as_lost(tmp_path: Path) -> None:
    launch = launches(task(tmp_path, ""), tmp_path / "scratch")[0]
    words = ["/bin/sh", "-c", 'ulimit -f 0; exec "$@"', "sh", *launch.prefix, "/bin/sh", "-c", "exit 5"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (5, "")
    assert start.collect([launch], str(tmp_path / "scratch")).coverage.lost == 1
