"""Telling of stages that run beside each other: at a terminal, elsewhere, and under --json and --quiet."""

import fcntl
import os
import pty
import re
import subprocess
import termios
import time

import pytest

from tests.conftest import find_ff
from tests.fixtures.sandbox import Sandbox

PIPELINE = """\
stages:
  left:
    cmd: echo first; sleep 0.8; printf 'half\\rwhole\\n'; echo 1 > l
    outs: [l]
  right:
    cmd: echo from the right >&2; sleep 0.8; {end}
    outs: [r]
"""
GOOD = PIPELINE.format(end="echo 1 > r")
BAD = PIPELINE.format(end="echo no luck; exit 3")


def at_terminal(repo: Sandbox, *args: str, keys: tuple[str, bytes] | None = None) -> tuple[int, str]:
    """Run at a terminal; the exit code, and all that was written there.

    Args:
        repo: Where.
        args: Of the command.
        keys: What has to be on the screen before somebody presses keys, and which.
    """
    ours, theirs = pty.openpty()
    environ = {**repo.tool.env, "TERM": "xterm", "NO_COLOR": "1"}
    runner = subprocess.Popen(
        [find_ff(), *args],
        cwd=repo.path,
        env=environ,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - no threads here
    )
    os.close(theirs)
    said = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:
            break
        if not piece:
            break
        said += piece
        if keys is not None and keys[0].encode() in said:
            os.write(ours, keys[1])
            keys = None
    os.close(ours)
    return runner.wait(30), said.decode().replace("\r\n", "\n")


def test_a_terminal_shows_who_runs_and_the_last_thing_they_said(ff_repo: Sandbox) -> None:
    ff_repo.gen({"dvc.yaml": GOOD})
    code, said = at_terminal(ff_repo, "repro", "-j", "2")
    assert code == 0
    assert re.search(r"  left      0:0\d  first\n  right     0:0\d  from the right\n", said)
    assert "\x1b[2A\x1b[J" in said
    assert "Done: 'left' after 0:0" in said
    assert "Done: 'right' after 0:0" in said
    last = said.rpartition("\x1b[J")[2]
    assert "  left " not in last


def test_a_terminal_shows_the_whole_log_of_what_failed(ff_repo: Sandbox) -> None:
    ff_repo.gen({"dvc.yaml": BAD})
    code, said = at_terminal(ff_repo, "repro", "-j", "2")
    assert code == 255
    assert "Failed: 'right' after 0:0" in said
    whole = "> echo from the right >&2; sleep 0.8; echo no luck; exit 3\nfrom the right\nno luck\n"
    assert re.search(rf"; its log: \.dvc/fourfold/logs/\w+/right\.log\n{re.escape(whole)}", said)
    assert "error: failed to reproduce 'right'" in said


def test_elsewhere_every_line_stands_behind_its_stage(ff_repo: Sandbox) -> None:
    ff_repo.gen({"dvc.yaml": GOOD})
    told = ff_repo.run("repro", "-j", "2").stdout.splitlines()
    assert "[left] first" in told
    assert "[left] whole" in told
    assert "[right] from the right" in told
    assert [line for line in told if line.startswith("Running")] == [
        "Running stage 'left':",
        "Running stage 'right':",
    ]
    assert told.index("[left] whole") < told.index(
        next(line for line in told if line.startswith("Done: 'left'"))
    )


def test_one_at_a_time_is_told_as_before(ff_repo: Sandbox) -> None:
    ff_repo.gen({"dvc.yaml": GOOD})
    ran = ff_repo.run("repro", "-j", "1")
    assert "[left]" not in ran.stdout
    assert "from the right" in ran.stderr


def test_with_json_stages_beside_each_other_speak_on_stderr(ff_repo: Sandbox) -> None:
    ff_repo.gen({"dvc.yaml": GOOD})
    ran = ff_repo.run("repro", "-j", "2", "--json")
    assert {stage["result"] for stage in ran.json()["stages"]} == {"ran"}
    assert "[right] from the right" in ran.stderr


def test_a_dry_run_says_of_each_stage_why(ff_repo: Sandbox) -> None:
    chain = "stages:\n  a:\n    cmd: cp raw x\n    deps: [raw]\n    outs: [x]\n"
    chain += "  b:\n    cmd: cp x y\n    deps: [x]\n    outs: [y]\n"
    ff_repo.gen({"dvc.yaml": chain, "raw": "1"})
    ff_repo.run("repro")
    ff_repo.gen({"raw": "2"})
    ran = ff_repo.run("repro", "--dry")
    assert "Running stage 'b':\n  because stage 'a' runs before it\n> cp x y\n" in ran.stdout
    steps = ff_repo.run("repro", "--dry", "--json").json()["stages"]
    assert [(step["name"], step["result"]) for step in steps] == [("a", "ran"), ("b", "ran")]
    assert steps[1]["reasons"] == [{"kind": "upstream", "stage": "a"}]


def test_jobs_must_be_a_number_above_nothing(ff_repo: Sandbox) -> None:
    assert ff_repo.run("repro", "-j", "0", check=False).code == 254


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_the_key_that_interrupts_ends_all_stages(ff_repo: Sandbox, jobs: str) -> None:
    hang = "stages:\n" + "".join(
        f"  {name}:\n    cmd: echo $$ > {name}.pid; echo begun; sleep 60\n    outs: [{name}]\n"
        for name in "ab"
    )
    ff_repo.gen({"dvc.yaml": hang})
    began = time.monotonic()
    code, said = at_terminal(ff_repo, "repro", "-j", jobs, keys=("begun", b"\x03"))
    assert code == 252
    assert time.monotonic() - began < 30
    assert "Traceback" not in said
    assert ("warning: ending 'a', 'b'; interrupt again not to wait" in said) == (jobs == "2")
    for file in ff_repo.path.glob("*.pid"):
        with pytest.raises(ProcessLookupError):
            os.kill(int(file.read_text()), 0)


def test_a_stage_alone_reads_from_the_terminal(ff_repo: Sandbox) -> None:
    ff_repo.gen(
        {"dvc.yaml": "stages:\n  a:\n    cmd: echo name?; read name; echo $name > a\n    outs: [a]\n"}
    )
    code, _said = at_terminal(ff_repo, "repro", keys=("name?\r\n", b"Ada\n"))
    assert code == 0
    assert ff_repo.text("a") == "Ada\n"
