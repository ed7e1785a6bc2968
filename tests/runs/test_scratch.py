"""Folders of one process: what is swept beside them, and what is not."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fourfold.runs import scratch

#: Claims a folder, says its name, and waits.
HOLD = """\
import sys
from fourfold.runs import scratch
print(scratch.claim(sys.argv[1]), flush=True)
sys.stdin.read()
"""
#: Removes a folder as a user whom its modes bind.
REMOVE = """\
import os, sys
from fourfold.runs import scratch
os.chdir(sys.argv[1])
os.getuid() or os.setuid(65534)
scratch.remove("top")
"""


def test_a_folder_stays_while_its_process_lives_and_goes_when_that_was_killed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        held = process.stdout.readline().strip()
        mine = scratch.claim(str(tmp_path))
        assert os.path.isdir(held)
        process.send_signal(signal.SIGKILL)
        process.wait()
    other = scratch.claim(str(tmp_path))
    assert not os.path.exists(held)
    assert os.path.isdir(mine)
    scratch.drop(mine)
    scratch.drop(other)
    assert os.listdir(tmp_path) == []


def test_a_folder_whose_process_runs_in_another_container_is_seen_by_its_lock(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        held = Path(process.stdout.readline().strip())
        away = held.rename(tmp_path / "999999999-abc")  # of an id that nobody has here
        scratch.drop(scratch.claim(str(tmp_path)))
        assert away.is_dir()
        process.communicate()


def test_a_folder_whose_id_somebody_else_has_by_now_goes_all_the_same(tmp_path: Path) -> None:
    fresh, old = tmp_path / f"{os.getppid()}-a", tmp_path / f"{os.getppid()}-b"
    fresh.mkdir()
    old.mkdir()
    os.utime(old, (1, 1))
    scratch.drop(scratch.claim(str(tmp_path)))
    assert sorted(tmp_path.iterdir()) == [fresh]


@pytest.mark.parametrize("name", ["odd", "9" * 40 + "-x", "-1-x", "٣-x"])
def test_what_has_an_odd_name_is_swept_too(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / f"{name}.file").write_text("x")
    scratch.drop(scratch.claim(str(tmp_path)))
    assert os.listdir(tmp_path) == []


def test_what_is_to_stay_stays(tmp_path: Path) -> None:
    kept = Path(scratch.claim(str(tmp_path)))
    (kept / scratch.KEPT).touch()
    scratch.release(str(kept))
    os.utime(kept, (1, 1))
    scratch.drop(scratch.claim(str(tmp_path)))
    assert list(tmp_path.iterdir()) == [kept]


def test_folders_that_nobody_may_look_into_go_and_what_a_link_leads_to_is_left_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    top, elsewhere = tmp_path / "top", tmp_path / "elsewhere"
    (top / "a" / "b").mkdir(parents=True)
    elsewhere.mkdir(mode=0o500)
    (top / "a" / "file").write_text("x")
    (top / "a" / "link").symlink_to(elsewhere)
    if not os.getuid():
        for path in (top, top / "a", top / "a" / "b", top / "a" / "file", elsewhere):
            os.chown(path, 65534, 65534)
    for folder in (top / "a" / "b", top / "a"):
        folder.chmod(0)
    subprocess.run([sys.executable, "-c", REMOVE, str(tmp_path)], check=True)
    assert not top.exists()
    assert elsewhere.stat().st_mode & 0o777 == 0o500
