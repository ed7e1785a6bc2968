"""Points are found in a trace, and a fault happens exactly there."""

import sys
from pathlib import Path

import pytest

from tests.faults import tracing
from tests.faults.tracing import Fault, Point
from tests.fixtures.sandbox import environment, make_home

#: Makes a file, writes it, renames it: what a careful writer does.
WRITER = """
import os
fd = os.open("t", os.O_CREAT | os.O_WRONLY)
os.write(fd, b"x")
os.fsync(fd)
os.rename("t", "final")
"""


@pytest.fixture
def box(tmp_path: Path) -> Path:
    (tmp_path / "box").mkdir()
    return tmp_path / "box"


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return environment(make_home(tmp_path / "home"))


def _record(box: Path, env: dict[str, str]) -> list[Point]:
    script = box.parent / "writer.py"
    script.write_text(WRITER)
    return tracing.record([sys.executable, str(script)], box, env, box, box.parent / "log")


def test_points_are_the_calls_that_change_the_sandbox(box: Path, env: dict[str, str]) -> None:
    assert [p.name for p in _record(box, env)] == ["openat", "write", "fsync", "rename"]


def test_a_kill_at_a_point_happens_before_the_call(box: Path, env: dict[str, str]) -> None:
    found = {p.name: p for p in _record(box, env)}
    command = [sys.executable, str(box.parent / "writer.py")]
    for name, left in (
        ("openat", {}),
        ("write", {"t": b""}),
        ("fsync", {"t": b"x"}),
        ("rename", {"t": b"x"}),
    ):
        for path in box.iterdir():
            path.unlink()
        ended = tracing.run(Fault(found[name], "signal=KILL"), command, box, env, box.parent / "log", 20)
        assert ended.fired, name
        assert ended.code != 0, name
        assert {p.name: p.read_bytes() for p in box.iterdir()} == left, name


def test_an_error_at_a_point_reaches_the_program(box: Path, env: dict[str, str]) -> None:
    point = next(p for p in _record(box, env) if p.name == "fsync")
    command = [sys.executable, str(box.parent / "writer.py")]
    ended = tracing.run(Fault(point, "error=EIO"), command, box, env, box.parent / "log", 20)
    assert ended.fired
    assert "Input/output error" in ended.stderr


def test_a_point_that_is_not_reached_is_said_not_to_be(box: Path, env: dict[str, str]) -> None:
    command = [sys.executable, "-c", "pass"]
    fault = Fault(Point("rename", 999, ""), "signal=KILL")
    ended = tracing.run(fault, command, box, env, box.parent / "log", 20)
    assert (ended.code, ended.fired, ended.hung) == (0, False, False)


def test_a_command_that_hangs_is_ended(box: Path, env: dict[str, str]) -> None:
    ended = tracing.run(
        None, [sys.executable, "-c", "import time; time.sleep(60)"], box, env, box.parent / "log", 0.5
    )
    assert ended.hung


def test_calls_are_counted_for_each_thread_and_name() -> None:
    trace = [
        '10 openat(AT_FDCWD</w>, "/usr/lib/x", O_RDONLY) = 3</usr/lib/x>',
        '10 openat(AT_FDCWD</w>, "/box/a", O_WRONLY|O_CREAT, 0666) = 3</box/a>',
        '11 openat(AT_FDCWD</w>, "/box/b", O_RDONLY) = 4</box/b>',
        '10 write(3</box/a>, "x"..., 5 <unfinished ...>',
        '11 rename("/box/a", "/box/c") = 0',
        "10 <... write resumed>) = 5",
        '10 write(1<pipe:[55]>, "x"..., 5) = 5',
        '10 rename("/boxes/a", "/boxes/c") = 0',
        '10 openat(AT_FDCWD</box/w>, "/dev/null", O_WRONLY) = 3</dev/null>',
        '10 openat(AT_FDCWD</box/w>, "t", O_WRONLY|O_CREAT, 0666) = 3</box/w/t>',
    ]
    expected = [("openat", 2), ("write", 1), ("rename", 1), ("openat", 4)]
    assert [(p.name, p.n) for p in tracing.points(trace, "/box")] == expected
