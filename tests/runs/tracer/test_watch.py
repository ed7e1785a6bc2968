"""The supervisor: what it sees, and that a command cannot tell it from nothing."""

import os
import pty
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fourfold.runs.tracer import audit, seen, start
from fourfold.runs.tracer.ledger import HEADER, Ledger
from fourfold.runs.tracer.probe import probe
from tests.runs.tracer.tracing import launches, public_folder, task, traced, without_rights

PYTHON = sys.executable


def wait_for(path: Path, seconds: float = 60) -> str:
    """The text of a file, once there is some."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if path.exists() and (text := path.read_text()):
            return text
        time.sleep(0.02)
    raise TimeoutError(path)


def test_reads_and_writes_of_a_shell_and_its_programs_are_seen_in_their_order(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("data\n")
    run = traced(tmp_path, "cat in.txt > made.txt", "cat ./made.txt > /dev/null; mv made.txt kept.txt")
    assert run.codes == [0, 0]
    assert run.trace.coverage.method == "seccomp"
    assert run.below("read") == {"in.txt": True, "made.txt": False}
    assert run.below("write") == {"made.txt": True, "kept.txt": True}
    assert run.below("delete") == {"made.txt": False}


@pytest.mark.parametrize("mode", ["seccomp", "strace"])
def test_every_way_to_name_and_use_a_file_is_told_by_what_was_done(tmp_path: Path, mode: str) -> None:
    folder = tmp_path / "ws"
    (folder / "sub").mkdir(parents=True)
    names = (
        "moved",
        "linked",
        "pointed",
        "removed",
        "updated",
        "appended",
        "cut",
        "sub/listed",
        'odd "n\\am\ne é',
    )
    for name in names:
        (folder / name).write_text("text")
    (folder / "run.py").write_text(
        "import os\n"
        "os.rename('moved', 'moved2'); os.link('linked', 'linked2'); os.symlink('pointed', 'pointed2')\n"
        "os.unlink('removed'); open('updated', 'r+').close(); open('appended', 'a').close()\n"
        "os.truncate('cut', 1); os.listdir('sub'); open('fresh', 'w+').close(); os.chdir('sub')\n"
        "open('../odd \"n\\\\am\\ne é').close(); os.close(os.open('/proc/self/cwd', os.O_RDONLY))\n"
        "assert not os.path.exists('absent')\n"
        "try: open('absent')\n"
        "except OSError: pass\n"
        "r, w = os.pipe(); os.close(os.open(f'/proc/self/fd/{r}', os.O_RDONLY))\n"
        "os.spawnv(os.P_WAIT, '/bin/true', ['true'])\n"
    )
    run = traced(
        folder,
        f"{PYTHON} run.py; /bin/nosuchprogram 2> errors.txt; ./notexecutable 2>> errors.txt",
        trace=mode,
    )
    assert run.trace.coverage.method == mode
    reads = set(run.below("read"))
    assert reads >= {"moved", "linked", "updated", 'odd "n\\am\ne é', "sub/absent", "run.py"}
    assert not reads & {"pointed", "removed", "appended", "cut", "fresh", "moved2"}
    assert set(run.below("write")) == {
        *("moved2", "linked2", "pointed2", "updated", "appended", "cut", "fresh", "errors.txt"),
    }
    assert set(run.below("delete")) == {"moved", "removed"}
    assert "sub" in run.below("list")
    found = {one.path: one.found for one in run.trace.accesses if one.how == "exec"}
    assert found["/bin/true"] is True
    assert not found.get("/bin/nosuchprogram")
    absent = [one for one in run.trace.accesses if one.path.endswith("sub/absent")]
    assert [one.found for one in absent] == [False]
    assert all(re.fullmatch(r"/.*", one.path, re.DOTALL) for one in run.trace.accesses)


@pytest.mark.parametrize("mode", ["seccomp", "strace"])
def test_connections_are_told_by_address(tmp_path: Path, mode: str) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as other,
    ):
        other.bind(("::1", 0))
        port, port6 = server.getsockname()[1], other.getsockname()[1]
        (tmp_path / "ws").mkdir()
        (tmp_path / "ws" / "run.py").write_text(
            "import socket\n"
            f"socket.create_connection(('127.0.0.1', {port})).close()\n"
            f"socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).sendto(b'x', ('::1', {port6}))\n"
            "socket.socket(socket.AF_UNIX).connect_ex('here.sock')\n"
            "socket.socket(socket.AF_UNIX).connect_ex('\\0hidden')\n"
        )
        run = traced(tmp_path / "ws", f"{PYTHON} run.py", trace=mode)
    assert run.codes == [0], run.errors
    told = {(one.family, one.address, one.port) for one in run.trace.connections}
    assert told >= {
        ("inet", "127.0.0.1", port),
        ("inet6", "::1", port6),
        ("unix", f"{tmp_path}/ws/here.sock", 0),
        ("unix", "@hidden", 0),
    }


@pytest.mark.parametrize("mode", ["seccomp", "strace"])
def test_a_command_ends_with_its_own_code_and_its_own_signal(tmp_path: Path, mode: str) -> None:
    run = traced(
        tmp_path, "exit 7", "kill -9 $$", "kill -TERM $$", "kill -USR1 $$", "kill -INT $$", trace=mode
    )
    expected = [-signal.SIGKILL, -signal.SIGTERM, -signal.SIGUSR1, -signal.SIGINT]
    assert run.codes == [7, *expected]
    assert run.trace.coverage.lost == 0


def test_a_command_finds_its_environment_signals_and_descriptors_as_without_us(tmp_path: Path) -> None:
    look = (
        "import os, signal, sys; print(sorted(os.environ.items()), signal.getsignal(signal.SIGPIPE), "
        "signal.getsignal(signal.SIGUSR1), sorted(os.listdir('/proc/self/fd')), os.getpgrp() == os.getpid(), "
        "os.umask(0), signal.pthread_sigmask(signal.SIG_BLOCK, []))"
    )
    command = f'exec {PYTHON} -I -c "{look}"'
    environ = {"PATH": os.environ["PATH"], "LANG": "C", "NAME": "v\udc80"}
    bare = subprocess.run(
        ["/bin/sh", "-c", command], env=environ, cwd=tmp_path, capture_output=True, check=True
    )
    run = task(tmp_path, command, environ=environ)
    launch = launches(run, tmp_path / "scratch")[0]
    ours = subprocess.run(
        [*launch.prefix, "/bin/sh", "-c", command], env=environ, cwd=tmp_path, capture_output=True, check=True
    )
    assert ours.stdout == bare.stdout
    assert ours.stderr == bare.stderr


def test_signals_for_the_group_reach_the_command_once_and_do_not_end_the_supervisor(tmp_path: Path) -> None:
    (tmp_path / "run.sh").write_text(
        "trap 'echo term >> said' TERM\necho ready > ready\nsleep 30 & wait\nexit 5\n"
    )
    launch = launches(task(tmp_path, "sh run.sh"), tmp_path / "scratch")[0]
    process = subprocess.Popen(
        [*launch.prefix, "/bin/sh", "-c", "exec sh run.sh"], cwd=tmp_path, process_group=0
    )
    wait_for(tmp_path / "ready")
    os.killpg(process.pid, signal.SIGTERM)
    assert process.wait(60) == 5
    assert (tmp_path / "said").read_text() == "term\n"
    assert start.collect([launch], str(tmp_path / "scratch")).coverage.lost == 0


def test_a_request_to_end_for_the_supervisor_alone_is_passed_on(tmp_path: Path) -> None:
    launch = launches(task(tmp_path, ""), tmp_path / "scratch")[0]
    process = subprocess.Popen(
        [*launch.prefix, "/bin/sh", "-c", "echo 1 > ready; exec sleep 30"], cwd=tmp_path
    )
    wait_for(tmp_path / "ready")
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == -signal.SIGTERM


def test_the_interrupt_key_of_a_terminal_ends_the_command(tmp_path: Path) -> None:
    launch = launches(task(tmp_path, ""), tmp_path / "scratch")[0]
    script = "trap 'echo caught > said; exit 9' INT; echo 1 > ready; while :; do sleep 0.05; done"
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(tmp_path)
        os.execv(launch.prefix[0], [*launch.prefix, "/bin/sh", "-c", script])
    try:
        wait_for(tmp_path / "ready")
        os.write(terminal, b"\x03")
        _pid, status = os.waitpid(child, 0)
    finally:
        os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 9
    assert (tmp_path / "said").read_text() == "caught\n"


def test_what_stays_in_the_background_goes_on_when_the_command_has_ended(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("late\n")
    launch = launches(task(tmp_path, ""), tmp_path / "scratch")[0]
    late = "while [ ! -e go ]; do sleep 0.05; done; cat in.txt > late.txt 2> late.err; echo done > done.txt"
    done = subprocess.run(
        [*launch.prefix, "/bin/sh", "-c", f"({late}) > /dev/null 2>&1 & exit 3"],
        cwd=tmp_path,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 3, "the command's end is not waited past"
    (tmp_path / "go").touch()
    assert wait_for(tmp_path / "done.txt") == "done\n"
    assert (tmp_path / "late.txt").read_text() == "late\n"
    assert (tmp_path / "late.err").read_text() == ""


def test_a_supervisor_that_is_killed_takes_the_command_along_and_is_told_as_lost(tmp_path: Path) -> None:
    launch = launches(task(tmp_path, ""), tmp_path / "scratch")[0]
    process = subprocess.Popen([*launch.prefix, "/bin/sh", "-c", "echo $$ > ready; sleep 30"], cwd=tmp_path)
    command = int(wait_for(tmp_path / "ready"))
    process.kill()
    process.wait()
    end = time.monotonic() + 60
    while os.path.exists(f"/proc/{command}") and time.monotonic() < end:
        time.sleep(0.02)
    assert not os.path.exists(f"/proc/{command}")
    coverage = start.collect([launch], str(tmp_path / "scratch")).coverage
    assert coverage.lost >= 1
    assert "supervisor was ended" in coverage.why


def test_a_tracer_within_a_tracer_runs_its_command_and_says_why_it_sees_nothing(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("inner\n")
    inner = launches(task(tmp_path, ""), tmp_path / "inner")[0]
    run = traced(tmp_path, f"{' '.join(inner.prefix)} /bin/sh -c 'cat in.txt; echo $FOURFOLD_AUDIT; exit 4'")
    assert run.codes == [4]
    assert run.outputs == ["inner\n1\n"]
    assert run.below("read")["in.txt"] is True
    coverage = start.collect([inner], str(tmp_path / "inner")).coverage
    assert coverage.method == "audit"
    assert coverage.why == "another program watches already"


def test_another_user_is_watched_without_any_right() -> None:
    with public_folder() as folder:
        (folder / "in.txt").write_text("data\n")
        run = traced(folder, "cat in.txt && grep NoNewPrivs /proc/self/status", before=without_rights())
    assert run.codes == [0], run.errors
    assert run.outputs[0].split() == ["data", "NoNewPrivs:", "1"]
    assert run.below("read") == {"in.txt": True}
    assert run.trace.coverage == run.trace.coverage._replace(method="seccomp", why="", lost=0)


def test_rings_are_refused_so_that_reads_stay_visible(tmp_path: Path) -> None:
    code = (
        "import ctypes; libc = ctypes.CDLL(None, use_errno=True); "
        "print(libc.syscall(425, 4, bytes(120)), ctypes.get_errno())"
    )
    run = traced(tmp_path, f'{PYTHON} -I -c "{code}"')
    assert run.outputs == ["-1 38\n"]


def test_many_processes_threads_and_folders_at_once_are_all_seen(tmp_path: Path) -> None:
    folder = tmp_path / "ws"
    folder.mkdir()
    for index in range(40):
        (folder / f"d{index}").mkdir()
        (folder / f"d{index}" / "x.txt").write_text("x")
    (folder / "run.py").write_text(
        "import os, threading\n"
        "for index in range(40):\n"
        "    if os.fork() == 0:\n"
        "        os.chdir(f'd{index}')\n"
        "        read = lambda: [open('x.txt').close() for _ in range(20)]\n"
        "        threads = [threading.Thread(target=read) for _ in range(3)]\n"
        "        [one.start() for one in threads]; [one.join() for one in threads]\n"
        "        os._exit(0)\n"
        "for index in range(40): os.wait()\n"
    )
    run = traced(folder, f"{PYTHON} -I run.py")
    times = {one.path: one.times for one in run.trace.accesses if one.path.endswith("x.txt")}
    assert times == {f"{folder}/d{index}/x.txt": 60 for index in range(40)}
    assert run.trace.coverage.lost == 0


def test_a_way_that_does_not_work_is_refused_by_name_and_otherwise_passed_over(tmp_path: Path) -> None:
    bare = {"PATH": str(tmp_path)}
    with pytest.raises(start.TraceUnavailableError, match="strace is not installed") as caught:
        start.prepare(task(tmp_path, "x", environ=bare, trace="strace"), str(tmp_path))
    assert caught.value.code == "trace-unavailable"
    assert start.prepare(task(tmp_path, "x", trace="off"), str(tmp_path)).prefix == ()


def test_a_file_of_a_supervisor_that_was_tampered_with_is_read_as_far_as_it_goes() -> None:
    ledger = Ledger()
    ledger.add(b"r", b"/a\nb")
    ledger.add(b"w", b"/c")
    whole = HEADER + b"\0" + b"".join(ledger.render()) + b"E\0"
    read = seen.parse(whole)
    assert [(one.how, one.path) for one in read.uses] == [("read", b"/a\nb"), ("write", b"/c")]
    assert read.complete
    for cut in range(len(whole) - 1):
        assert not seen.parse(whole[:cut]).complete
    for hostile in (
        b"",
        b"x",
        HEADER,
        HEADER + b"\0r\0x\0",
        HEADER + b"\0r\0" + b"9" * 5000 + b"\0",
        b"\0" * 99,
    ):
        assert not seen.parse(hostile).complete


def test_python_tells_about_itself_where_nobody_else_may_look(tmp_path: Path) -> None:
    folder = tmp_path / "ws"
    folder.mkdir()
    (folder / "in.txt").write_text("data\n")
    inject = os.path.join(os.path.dirname(start.__file__), os.pardir, "inject")
    run = traced(
        folder,
        f"{PYTHON} -c \"open('made.txt', 'w').write(open('in.txt').read()); open('made.txt').close()\"",
        environ={**os.environ, "PYTHONPATH": inject},
        trace="audit",
    )
    assert run.codes == [0], run.errors
    assert run.trace.coverage.method == "audit"
    assert "all that is not Python" in run.trace.coverage.blind
    assert run.below("read") == {"in.txt": True, "made.txt": False}
    assert run.below("write") == {"made.txt": True}


def test_a_log_that_was_tampered_with_gives_what_is_of_the_right_form(tmp_path: Path) -> None:
    (tmp_path / "audit-1.log").write_bytes(
        b'["read", "/a"]\n\xff\n[]\n["read", 1]\n["read", "/\\u0000"]\n["own", "/b"]\n["read", "\\udfff"]\n'
        b'["connect", "[::1]:99999999999"]\n["connect", "localhost:80"]\n' + b"[" * 100000 + b"\n"
    )
    (tmp_path / "audit-2.log").mkdir()
    read = audit.read(str(tmp_path))
    assert read is not None
    assert [one.path for one in read.uses] == [b"/a"]
    assert [(one.family, one.address, one.port) for one in read.contacts] == [
        ("inet6", "::1", 0),
        ("inet", "localhost", 80),
    ]


def test_what_is_written_in_a_folder_that_is_renamed_is_no_input(tmp_path: Path) -> None:
    run = traced(tmp_path, "mkdir part && echo 1 > part/x && mv part whole && cat whole/x")
    assert run.below("read") == {"whole/x": False}
    written = {
        one.path.removeprefix(f"{tmp_path}/"): one.found for one in run.trace.accesses if one.how == "write"
    }
    assert written == {"part/x": False, "whole/x": True, "whole": True}


def test_what_works_here_is_known_by_trying() -> None:
    found = {one.name: one for one in probe(os.environ)}
    assert set(found) == {"seccomp", "strace", "audit", "landlock", "yama", "io_uring"}
    assert all(one.works and one.why for one in found.values()), found
    without = {one.name: one for one in probe({"PATH": "/nowhere"})}["strace"]
    assert (without.works, without.why) == (False, "strace is not installed")


@pytest.mark.parametrize("mode", ["seccomp", "strace"])
def test_a_script_is_told_with_what_runs_it(tmp_path: Path, mode: str) -> None:
    (tmp_path / "run").write_text("#! /usr/bin/env sh\ncat run > /dev/null\n")
    (tmp_path / "run").chmod(0o755)
    run = traced(tmp_path, "./run", trace=mode)
    assert run.codes == [0], run.errors
    programs = {one.path for one in run.trace.accesses if one.how == "exec" and one.found}
    assert {f"{tmp_path}/run", "/usr/bin/env"} <= programs
    assert "cat" in {os.path.basename(path) for path in programs}


def test_who_reads_what_a_command_writes_waits_for_the_command_alone(tmp_path: Path) -> None:
    launch = launches(task(tmp_path, ""), tmp_path / "scratch")[0]
    script = "echo said; exec > /dev/null 2>&1 < /dev/null; sleep 200"
    process = subprocess.Popen([*launch.prefix, "/bin/sh", "-c", script], stdout=subprocess.PIPE)
    try:
        began = time.monotonic()
        assert process.stdout is not None
        assert process.stdout.read() == b"said\n"
        assert time.monotonic() - began < 100
    finally:
        process.kill()
        process.communicate()


def test_paths_of_every_length_and_place_in_memory_are_read_whole(tmp_path: Path) -> None:
    (tmp_path / "run.py").write_text(
        "import ctypes, mmap, os\n"
        "libc, page = ctypes.CDLL(None), 4096\n"
        "space = mmap.mmap(-1, 3 * page)\n"
        "start = ctypes.addressof(ctypes.c_char.from_buffer(space))\n"
        "libc.mprotect(ctypes.c_void_p(start + 2 * page), page, 0)\n"  # nothing may be read there
        "for length in (1, 2, 255, 256, 257, 300, 511, 4000, 4095):\n"
        "    for end in (2 * page, page + 1, page, 1500):\n"
        "        at = end - length - 1\n"
        "        if at >= 0:\n"
        "            path = (b'/' + b'x' * 199) * 21\n"
        "            space[at:end] = path[:length] + bytes(1)\n"
        "            libc.open(ctypes.c_void_p(start + at), 0)\n"
    )
    run = traced(tmp_path, f"{PYTHON} -I run.py")
    assert run.codes == [0], run.errors
    whole = ("/" + "x" * 199) * 21
    told = {
        one.path: one.times for one in run.trace.accesses if one.path == "/" or one.path[:3] in {"/x", "/xx"}
    }
    places = {1: 4, 2: 4, 255: 4, 256: 4, 257: 4, 300: 4, 511: 4, 4000: 3, 4095: 3}
    assert {len(path): times for path, times in told.items() if whole.startswith(path)} == places
    assert run.trace.coverage.lost == 0
