"""What a stage that runs alone says: on our streams, byte for byte, and in its log."""

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fourfold.base.events import Warned
from fourfold.pipeline.process import run_command
from fourfold.pipeline.relay import relayed
from fourfold.pipeline.repro import Settings, repro
from tests.conftest import find_ff
from tests.fixtures.sandbox import Sandbox
from tests.project.workplace import Workplace

#: Writes five million bytes of every value on each stream, both at once.
FLOOD = """\
import os, threading
def flood(fd, step):
    data = bytes(at * step % 256 for at in range(256)) * 20_000 + b"end"
    while data:
        data = data[os.write(fd, data[:100_003]):]
threads = [threading.Thread(target=flood, args=args) for args in ((1, 1), (2, 7))]
[thread.start() for thread in threads]
"""
ODD = rb"printf '\000\377\r\n\033[1mx'"


def pipeline(*commands: str) -> str:
    return "stages:\n  say:\n    cmd:\n" + "".join(f"    - {_quoted(command)}\n" for command in commands)


def _quoted(command: str) -> str:
    return "'" + command.replace("'", "''") + "'"


def log_of(repo: Sandbox, run: int = -1) -> bytes:
    folder = repo.path / ".dvc/fourfold/logs"
    return (folder / sorted(os.listdir(folder))[run] / "say.log").read_bytes()


def start(repo: Sandbox, *args: str, **options: Any) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([find_ff(), "repro", *args], cwd=repo.path, env=repo.tool.env, **options)


def relayed_bytes(
    command: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> tuple[bytes, bytes, bytes]:
    """What a command says: our standard output, our standard error, and the log."""
    troubles: list[OSError] = []
    log = tmp_path / "log"
    ours = [os.open(tmp_path / name, os.O_RDWR | os.O_CREAT) for name in ("out", "err")]
    saved = [os.dup(1), os.dup(2)]
    with capfd.disabled():
        for fd, number in zip(ours, (1, 2), strict=True):
            os.dup2(fd, number)
        try:
            with relayed(command, str(log), output=None, trouble=troubles.append) as ends:
                run_command(
                    command, cwd=str(tmp_path), environ=os.environ, output=ends.output, errors=ends.errors
                )
        finally:
            for fd, number in zip(saved, (1, 2), strict=True):
                os.dup2(fd, number)
            for fd in (*ours, *saved):
                os.close(fd)
    assert not troubles
    return (tmp_path / "out").read_bytes(), (tmp_path / "err").read_bytes(), log.read_bytes()


def test_every_byte_reaches_its_stream_and_the_log(ff_repo: Sandbox) -> None:
    ff_repo.gen({"dvc.yaml": pipeline(ODD.decode(), "sleep 0.2; " + ODD.decode() + " >&2")})
    ran = start(ff_repo, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = ran.communicate(timeout=60)
    said = b"\x00\xff\r\n\x1b[1mx"
    assert ran.returncode == 0
    assert out.count(said) == err.count(said) == 1
    assert err.startswith(said)
    assert log_of(ff_repo) == b"> " + ODD + b"\n" + said + b"> sleep 0.2; " + ODD + b" >&2\n" + said


def test_millions_of_bytes_on_both_streams_at_once_are_whole(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "flood.py").write_text(FLOOD)
    command = f"{sys.executable} flood.py"
    out, err, log = relayed_bytes(command, tmp_path, capfd)
    assert out == bytes(range(256)) * 20_000 + b"end"
    assert err == bytes(at * 7 % 256 for at in range(256)) * 20_000 + b"end"
    assert len(log) == len(f"> {command}\n") + len(out) + len(err)


def test_streams_that_are_one_keep_the_order_of_what_is_said(ff_repo: Sandbox) -> None:
    ff_repo.gen({"dvc.yaml": pipeline("for i in $(seq 500); do echo out $i; echo err $i >&2; done")})
    ran = start(ff_repo, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    out = ran.communicate(timeout=60)[0].decode()
    lines = "".join(f"out {at}\nerr {at}\n" for at in range(1, 501))
    assert lines in out
    assert log_of(ff_repo).decode().partition("\n")[2] == lines


def test_what_is_said_is_there_at_once(ff_repo: Sandbox) -> None:
    ff_repo.gen({"dvc.yaml": pipeline("echo now; read answer; echo $answer")})
    ran = start(ff_repo, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert ran.stdout is not None
    assert ran.stdin is not None
    while ran.stdout.readline() != b"now\n":
        pass
    assert log_of(ff_repo).endswith(b"\nnow\n")
    ran.stdin.write(b"later\n")
    ran.stdin.close()
    assert b"later\n" in ran.stdout.read()
    ran.stdout.close()
    assert ran.wait(60) == 0


def test_what_is_left_in_the_background_is_not_waited_for_and_lives_on(ff_repo: Sandbox) -> None:
    server = "(trap 'echo heard' USR1; while :; do sleep 0.05; done) & echo $! > pid; echo up"
    ff_repo.gen(
        {"dvc.yaml": pipeline(server, "kill -USR1 $(cat pid); sleep 0.5", "yes > /dev/null & echo $! > yes")}
    )
    began = time.monotonic()
    with (ff_repo.path / "out").open("wb") as out:
        ran = start(ff_repo, stdout=out, stderr=out)
        try:
            assert ran.wait(60) == 0
        finally:
            for name in ("pid", "yes"):
                os.kill(int(ff_repo.text(name)), signal.SIGKILL)
    assert time.monotonic() - began < 4
    assert b"up\n" in (ff_repo.path / "out").read_bytes()
    assert b"heard\n" in (ff_repo.path / "out").read_bytes()
    assert log_of(ff_repo).count(b"heard\n") == 1


def test_who_speaks_without_end_in_the_background_is_not_waited_for(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    began = time.monotonic()
    talk = "(while :; do echo talk; sleep 0.01; done) & echo $! > pid; echo said"
    out, _err, log = relayed_bytes(talk, tmp_path, capfd)
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    assert time.monotonic() - began < 4
    assert b"said\n" in out
    assert b"said\n" in log


def test_a_reader_of_ours_that_goes_away_ends_the_command(ff_repo: Sandbox) -> None:
    ff_repo.gen({"dvc.yaml": pipeline("yes")})
    ran = start(ff_repo, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert ran.stdout is not None
    assert ran.stderr is not None
    ran.stdout.readline()
    ran.stdout.close()
    said = ran.stderr.read()
    ran.stderr.close()
    assert ran.wait(60) != 0
    assert b"Traceback" not in said


def test_a_log_that_cannot_be_made_is_one_warning(work: Workplace) -> None:
    chain = "stages:\n  a: {cmd: echo 1 > a, outs: [a]}\n  b: {cmd: cp a b, deps: [a], outs: [b]}\n"
    work.gen({"dvc.yaml": chain, ".dvc/fourfold/logs": "in the way"})
    heard: list[Any] = []
    repro(work.open(), (), Settings(jobs=1), events=heard.append)
    assert work.text("b") == "1\n"
    warned = [event for event in heard if isinstance(event, Warned)]
    assert [event.message.partition(":")[0] for event in warned] == ["what stages say is not kept"]


def test_a_log_that_takes_no_more_ends_and_nothing_else_does(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    troubles: list[OSError] = []
    log = str(tmp_path / "log")
    os.mkfifo(log)
    reader = os.open(log, os.O_RDONLY | os.O_NONBLOCK)
    with relayed("x", log, output=None, trouble=troubles.append) as ends:
        assert os.read(reader, 100) == b"> x\n"
        os.close(reader)  # from now on it takes nothing
        run_command("echo on", cwd=str(tmp_path), environ=os.environ, output=ends.output, errors=ends.errors)
    assert capfd.readouterr().out == "on\n"
    assert len(troubles) == 1


def at_terminal(
    repo: Sandbox, command: str, meanwhile: Callable[[int], None] | None = None
) -> tuple[int, bytes]:
    """Run a stage at a terminal of 33 lines; the exit code, and all that was written there."""
    repo.gen({"dvc.yaml": pipeline(command)})
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 77, 0, 0))
    ran = start(
        repo,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(theirs)
    said = b""
    while True:
        try:
            said += os.read(ours, 65536)
        except OSError:
            break
        if meanwhile is not None and b"ready" in said.partition(b"> ")[2].partition(b"\n")[2]:
            meanwhile(ours)
            meanwhile = None
    os.close(ours)
    return ran.wait(60), said


def test_a_terminal_is_a_terminal(ff_repo: Sandbox) -> None:
    seen = "test -t 0 && test -t 1 && test -t 2 && stty size <&1; echo error >&2"
    code, said = at_terminal(ff_repo, seen)
    assert code == 0
    assert b"33 77\r\nerror\r\n" in said
    assert log_of(ff_repo) == f"> {seen}\n33 77\nerror\n".encode()


def test_a_terminal_that_is_resized_is_followed(ff_repo: Sandbox) -> None:
    def resize(ours: int) -> None:
        fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 44, 88, 0, 0))

    watch = "trap 'stty size <&1; exit' WINCH; echo ready; for i in $(seq 200); do sleep 0.05; done"
    code, said = at_terminal(ff_repo, watch, resize)
    assert code == 0
    assert b"44 88\r\n" in said


def test_the_keys_of_a_terminal_reach_the_command(ff_repo: Sandbox) -> None:
    def press(ours: int) -> None:
        os.write(ours, b"typed\n")

    def interrupt(ours: int) -> None:
        os.write(ours, b"\x03")

    code, said = at_terminal(ff_repo, "echo ready; read word; echo got $word", press)
    assert code == 0
    assert b"got typed\r\n" in said
    began = time.monotonic()
    code, _said = at_terminal(ff_repo, "echo ready; sleep 50; echo never", interrupt)
    assert code == 252
    assert time.monotonic() - began < 20
    assert b"never" not in log_of(ff_repo).partition(b"\n")[2]


def test_with_json_all_that_a_command_says_is_on_our_stderr(ff_repo: Sandbox) -> None:
    ff_repo.gen({"dvc.yaml": pipeline("echo out; echo err >&2")})
    ran = ff_repo.run("repro", "--json")
    assert ran.json()["stages"][0]["result"] == "ran"
    assert "out\nerr\n" in ran.stderr
    assert log_of(ff_repo).endswith(b"\nout\nerr\n")


def test_a_failure_names_the_log(ff_repo: Sandbox) -> None:
    ff_repo.gen({"dvc.yaml": pipeline("echo no luck; exit 3")})
    said = ff_repo.run("repro", check=False).stderr
    path = said.partition("above and in ")[2].partition(";")[0]
    assert (ff_repo.path / path).read_text() == "> echo no luck; exit 3\nno luck\n"
