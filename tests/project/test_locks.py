"""The repository lock, against holders of our own and of the real DVC."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fourfold.base.clock import SystemClock
from fourfold.project.locks import RepositoryLockedError, blockers, is_alive, project_lock
from fourfold.project.project import Project
from tests.conftest import Tool
from tests.project.workplace import Workplace

HOLD = """
import sys, time
sys.path[:0] = [{path!r}]
{take}
print("held", flush=True)
sys.stdin.read()
"""


class Hasty(SystemClock):
    """A clock that runs fifty times faster than the world."""

    def monotonic(self) -> float:
        return super().monotonic() * 50


def hasty(work: Workplace) -> Project:
    project = work.open()
    project.clock = Hasty()
    return project


@contextmanager
def holder(python: str, take: str) -> Iterator[subprocess.Popen[str]]:
    """A process that takes a lock and keeps it for the block."""
    script = HOLD.format(path="", take=take)
    with subprocess.Popen(
        [python, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_the_lock_is_held_for_the_block_and_nested_blocks_share_it(work: Workplace) -> None:
    project, other = hasty(work), hasty(work)
    with project_lock(project):
        with project_lock(project):
            assert work.text(".dvc/tmp/lock") == f" {os.getpid()}\n"
        with pytest.raises(RepositoryLockedError, match=str(os.getpid())), project_lock(other):
            pass
    with project_lock(other):
        pass


def test_a_lock_that_its_holder_left_by_dying_is_free(work: Workplace) -> None:
    take = f"import fcntl; f = open({work.path('.dvc/tmp/lock')!r}, 'a+'); fcntl.flock(f, fcntl.LOCK_EX)"
    with holder(sys.executable, take) as process:
        process.kill()
        process.wait()
        with project_lock(hasty(work)):
            pass


def test_waiting_for_the_lock_gets_it_when_it_is_free(work: Workplace) -> None:
    take = f"import fcntl; f = open({work.path('.dvc/tmp/lock')!r}, 'a+'); fcntl.flock(f, fcntl.LOCK_EX)"
    with holder(sys.executable, take) as process:
        subprocess.Popen(["sh", "-c", f"sleep 0.3; kill -9 {process.pid}"]).wait(timeout=1)
        begin = time.monotonic()
        project = hasty(work)
        project.wait_for_lock = True
        with project_lock(project):
            assert time.monotonic() - begin < 5


@pytest.mark.parametrize("hardlink", [False, True])
def test_a_lock_of_the_real_dvc_keeps_us_out(work: Workplace, real_dvc: str, hardlink: bool) -> None:
    if hardlink:
        work.gen({".dvc/config": "[core]\n    hardlink_lock = true\n"})
    tmp = work.path(".dvc/tmp")
    take = (
        "from dvc.lock import make_lock; "
        f"lock = make_lock({tmp + '/lock'!r}, tmp_dir={tmp!r}, hardlink_lock={hardlink}); lock.lock()"
    )
    with (
        holder(str(Path(real_dvc).with_name("python")), take) as process,
        pytest.raises(RepositoryLockedError) as caught,
        project_lock(hasty(work)),
    ):
        pass
    assert hardlink or f"process {process.pid}" in caught.value.message


@pytest.mark.parametrize("hardlink", [False, True])
def test_our_lock_keeps_the_real_dvc_out(work: Workplace, dvc: Tool, hardlink: bool) -> None:
    if hardlink:
        work.gen({".dvc/config": "[core]\n    hardlink_lock = true\n"})
    work.gen({"f": "1"})
    with project_lock(work.open()):
        ran = dvc("add", "f", cwd=work.root, check=False)
    assert ran.code != 0
    assert "Unable to acquire lock" in ran.stderr
    dvc("add", "f", cwd=work.root)
    with project_lock(work.open()):
        pass


def rwlock(work: Workplace, text: str) -> None:
    work.gen({".dvc/tmp/rwlock": text})


def test_paths_that_a_running_stage_of_dvc_uses_are_left_alone(work: Workplace) -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        info = {"pid": process.pid, "cmd": "dvc repro"}
        rwlock(work, json.dumps({"write": {work.path("out"): info}, "read": {work.path("in"): [info]}}))
        project = hasty(work)
        with (
            pytest.raises(RepositoryLockedError, match=f"{process.pid} .dvc repro.*out"),
            project_lock(project),
        ):
            pass
        with (
            pytest.raises(RepositoryLockedError),
            project_lock(project, writes=[work.path("in/deep")]),
        ):
            pass
        with project_lock(project, writes=[work.path("other")]):
            pass
        process.kill()
    with project_lock(project):
        pass


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        '{"write": {"/x": {"pi',
        "[]",
        '{"write": []}',
        '{"write": {"/x": 3}, "read": {"/x": [{"pid": true, "cmd": 1}, {"pid": "1"}, null]}}',
        '{"write": {"/x": {"pid": -1, "cmd": "x"}, "/y": {"pid": 99999999999999999999, "cmd": "x"}}}',
        "\x00\xff",
    ],
)
def test_a_torn_or_odd_list_of_readers_and_writers_blocks_nobody(work: Workplace, text: str) -> None:
    rwlock(work, text)
    assert blockers(work.path(".dvc/tmp"), ["/"]) == []


def test_processes_are_alive_until_they_are_not() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        assert is_alive(process.pid)
        process.kill()
    assert not is_alive(process.pid)
