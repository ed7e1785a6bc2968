"""Processes that the fork server makes are what those would be that the system makes for us."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from fourfold.runs.task import Declared, Task
from fourfold.runs.tracer import nursery, supervisor
from fourfold.runs.tracer.nursery import Child
from fourfold.runs.tracer.start import collect, prepare

ASK = (
    "import json, os, resource, signal, sys;"
    "print(json.dumps({'env': dict(os.environ), 'cwd': os.getcwd(),"
    " 'leads': [os.getpgid(0), os.getsid(0)],"
    " 'ignored': [n for n in range(1, 32) if n not in (9, 19) and signal.getsignal(n) == signal.SIG_IGN],"
    " 'mask': sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),"
    " 'open': sorted(int(n) for n in os.listdir('/proc/self/fd'))}))"
)
ENVIRON = {"PATH": os.environ["PATH"], "ODD": "a=b\n\udcff", "EMPTY": ""}


@pytest.fixture(autouse=True, params=["at once", "ahead"])
def _ready(request: pytest.FixtureRequest) -> None:
    """The process is made when it is asked for, or mostly is there already."""
    nursery.NURSERY.get_ready()
    if request.param == "ahead":
        time.sleep(0.05)


def task(scratch: Path) -> Task:
    return Task("command", "", ("x",), str(scratch), str(scratch), ENVIRON, Declared())


def start(
    scratch: Path,
    words: list[str],
    *,
    environ: Mapping[str, str] = ENVIRON,
    output: int | None = None,
    group: bool = False,
    session: bool = False,
) -> Child:
    launch = prepare(task(scratch), str(scratch))
    child = nursery.launch(
        launch.prefix,
        words,
        cwd=str(scratch),
        environ=environ,
        streams=(subprocess.DEVNULL, output, None),
        group=group,
        session=session,
    )
    assert child is not None
    return child


def answer(scratch: Path, how: str, environ: Mapping[str, str]) -> dict[str, object]:
    """What a Python says of itself that was started ``how``."""
    words = [sys.executable, "-I", "-S", "-c", ASK]
    with (scratch / how).open("wb") as file:
        if how == "plain":
            subprocess.run(words, cwd=scratch, env=environ, stdin=subprocess.DEVNULL, stdout=file, check=True)
        else:
            assert start(scratch, words, environ=environ, output=file.fileno()).wait() == 0
    found: dict[str, object] = json.loads((scratch / how).read_bytes())
    return found


@pytest.mark.parametrize("more", [{}, {"LC_ALL": "C"}, {"LC_CTYPE": "C"}, {"LANG": "C.UTF-8"}])
def test_it_sees_the_environment_folder_signals_and_files_of_any_other(
    tmp_path: Path, more: dict[str, str]
) -> None:
    environ = {**ENVIRON, **more}
    assert answer(tmp_path, "watched", environ) == answer(tmp_path, "plain", environ)


def test_it_leads_a_group_or_a_session_where_it_is_told_to(tmp_path: Path) -> None:
    for leads in ("group", "session"):
        with (tmp_path / leads).open("wb") as file:
            words = [sys.executable, "-I", "-S", "-c", ASK]
            child = start(
                tmp_path, words, output=file.fileno(), group=leads == "group", session=leads == "session"
            )
            assert child.wait() == 0
        group, session = json.loads((tmp_path / leads).read_bytes())["leads"]
        assert group == child.pid
        assert (session == child.pid) is (leads == "session")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_its_end_is_told_as_it_was(tmp_path: Path, number: int) -> None:
    assert start(tmp_path, ["/bin/sh", "-c", "exit 3"]).wait() == 3
    assert start(tmp_path, ["/bin/sh", "-c", f"kill -{int(number)} $$"]).wait() == -number
    assert start(tmp_path, ["/no/such/program"]).wait() == 127


def test_waiting_ends_when_the_time_is_up_and_a_signal_reaches_the_command(tmp_path: Path) -> None:
    child = start(tmp_path, ["/bin/sh", "-c", "echo up > up; exec sleep 60"])
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(0.05)
    until = time.monotonic() + 30
    while not (tmp_path / "up").exists() and time.monotonic() < until:
        time.sleep(0.01)
    assert child.poll() is None
    child.send_signal(signal.SIGTERM)
    assert child.wait(30) == -signal.SIGTERM
    assert child.poll() == -signal.SIGTERM
    child.send_signal(signal.SIGKILL)


def test_many_at_once_are_kept_apart(tmp_path: Path) -> None:
    codes: dict[int, int] = {}

    def run(number: int) -> None:
        folder = tmp_path / str(number)
        folder.mkdir()
        codes[number] = start(folder, ["/bin/sh", "-c", f"sleep 0.0{number % 7}; exit {number}"]).wait()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert codes == {number: number for number in range(20)}


def test_what_it_does_is_seen(tmp_path: Path) -> None:
    scratch, file = tmp_path / "scratch", tmp_path / "in.txt"
    scratch.mkdir()
    file.write_text("1")
    assert start(scratch, ["/bin/cat", "../in.txt"]).wait() == 0
    trace = collect([prepare(task(scratch), str(scratch))], str(scratch))
    assert trace.coverage.method == "seccomp"
    assert str(file) in {access.path for access in trace.accesses}


def children(process: int) -> set[int]:
    """Processes that a process started, from any thread."""
    tasks = Path(f"/proc/{process}/task")
    return {int(one) for task in tasks.iterdir() for one in (task / "children").read_text().split()}


def test_without_a_server_there_is_no_child_and_the_prefix_serves() -> None:
    broken = nursery.Nursery()
    assert broken.start(["x"], cwd="/", environ={}, streams=(0, 1, 2)) is None


def test_a_server_that_was_killed_is_noticed(tmp_path: Path) -> None:
    own, before = nursery.Nursery(), children(os.getpid())
    own.get_ready()
    [server] = children(os.getpid()) - before
    launch = prepare(task(tmp_path), str(tmp_path))
    words = [*launch.prefix[4:], "/bin/sh", "-c", "exit 5"]
    child = own.start(words, cwd=str(tmp_path), environ=ENVIRON, streams=(0, 1, 2))
    assert child is not None
    assert child.wait() == 5
    lasting = [words[0], "--", "/bin/sh", "-c", "until test -e done; do sleep 0.05; done; exit 7"]
    until = time.monotonic() + 30
    while not any(map(children, children(server))) and time.monotonic() < until:
        time.sleep(0.01)  # until two processes are forked ahead
    ahead = own.start(lasting, cwd=str(tmp_path), environ=ENVIRON, streams=(0, 1, 2))
    leading = own.start(lasting, cwd=str(tmp_path), environ=ENVIRON, streams=(0, 1, 2), session=True)
    assert ahead is not None
    assert leading is not None
    os.kill(server, signal.SIGKILL)
    assert leading.wait(30) == -signal.SIGKILL
    os.kill(leading.pid, signal.SIGKILL)
    assert ahead.poll() is None
    (tmp_path / "done").touch()
    assert ahead.wait(30) == 7  # its supervisor tells it without a server
    assert own.start(words, cwd=str(tmp_path), environ=ENVIRON, streams=(0, 1, 2)) is None


def test_a_process_that_was_ended_before_anybody_asked_is_not_missed(tmp_path: Path) -> None:
    own, before = nursery.Nursery(), children(os.getpid())
    own.get_ready()
    [server] = children(os.getpid()) - before
    launch = prepare(task(tmp_path), str(tmp_path))
    words = [*launch.prefix[4:], "/bin/sh", "-c", "exit 6"]
    until = time.monotonic() + 30
    while not any(map(children, children(server))) and time.monotonic() < until:
        time.sleep(0.01)
    [ahead] = children(server)
    os.kill(ahead, signal.SIGKILL)
    while ahead in children(server) and time.monotonic() < until:
        time.sleep(0.01)
    for _ in range(2):
        child = own.start(words, cwd=str(tmp_path), environ=ENVIRON, streams=(0, 1, 2))
        assert child is not None
        assert child.wait(30) == 6
    own.close()


@pytest.mark.parametrize(("spec", "code", "says"), [(b"seen", 4, b"ran"), (b"seen\0H\0r/", 126, b"")])
def test_a_supervisor_that_does_not_load_lets_the_command_run_but_never_without_its_walls(
    tmp_path: Path, spec: bytes, code: int, says: bytes
) -> None:
    alone = tmp_path / "fourfold" / "runs" / "tracer" / "supervisor.py"
    alone.parent.mkdir(parents=True)
    shutil.copy(supervisor.__file__, alone)
    (tmp_path / "spec").write_bytes(spec)
    words = [sys.executable, "-I", "-S", str(alone), str(tmp_path / "spec"), "--", "/bin/sh", "-c"]
    done = subprocess.run([*words, "printf ran; exit 4"], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (code, says)
    assert b"Traceback" not in done.stderr
