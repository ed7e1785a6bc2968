"""Running commands: shells, exit codes, and an end for all that was started."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fourfold.pipeline.process import run_command, shell_arguments

#: Runs a command as `ff repro` does, in a process of its own that can be signalled.
RUNNER = """\
import os, sys
from fourfold.pipeline.process import run_command
try:
    sys.exit(run_command(sys.argv[1], cwd=".", environ=dict(os.environ)))
except KeyboardInterrupt:
    sys.exit(130)
"""


def test_shells_do_not_read_their_start_up_files() -> None:
    assert shell_arguments("x", {"SHELL": "/bin/bash"}) == ["/bin/bash", "--noprofile", "--norc", "-c", "x"]
    assert shell_arguments("x", {"SHELL": "/usr/bin/zsh"}) == ["/usr/bin/zsh", "--no-rcs", "-c", "x"]
    assert shell_arguments("x", {}) == ["/bin/sh", "-c", "x"]


def test_the_exit_code_folder_and_environment_are_the_commands(tmp_path: Path) -> None:
    code = run_command('echo "$WORD" > said; exit 7', cwd=str(tmp_path), environ={"WORD": "hello"})
    assert code == 7
    assert (tmp_path / "said").read_text() == "hello\n"


def test_output_goes_where_it_is_sent(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as file:
        run_command("echo there", cwd=str(tmp_path), environ=os.environ, output=file.fileno())
    assert (tmp_path / "log").read_text() == "there\n"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_command_and_all_that_it_started(tmp_path: Path, number: int, code: int) -> None:
    command = "(sleep 60 & echo $! > inner; wait) & wait"
    runner = subprocess.Popen(
        [sys.executable, "-c", RUNNER, command],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        # Whoever runs the tests in the background may have interrupts ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads here
    )
    inner = tmp_path / "inner"
    for _ in range(500):
        if inner.exists() and inner.read_text().strip():
            break
        time.sleep(0.02)
    pid = int(inner.read_text())
    runner.send_signal(number)
    assert runner.wait(30) == code
    for _ in range(250):
        if not _lives(pid):
            break
        time.sleep(0.02)
    assert not _lives(pid)


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
