"""A full disk, a disk that may not be written, no file handles: said in one line, nothing lost or torn.

A disk that can be full has to be mounted, which needs root. Without it those tests warn, loudly, and prove
nothing; the sweep (`harness`) still proves a full disk system call by system call.
"""

import os
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import checker
from tests.fixtures.sandbox import Sandbox

MIB = 1 << 20


pytestmark = pytest.mark.filterwarnings("default:no small disk:UserWarning")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path | None]:
    """A disk of 8 MiB, on which data and its copy do not fit; None where nothing can be mounted."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        warnings.warn(f"no small disk: mounting needs root: {mounted.stderr.strip()}", stacklevel=1)
        yield None
        return
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def random_files(count: int, size: int = MIB) -> dict[str, bytes]:
    return {f"d/{number}": os.urandom(size) for number in range(count)}


def content(root: Path) -> dict[str, bytes]:
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def complains(box: Sandbox, *args: str) -> None:
    """The command fails for want of space, in a line."""
    ran = box.run(*args, check=False)
    assert ran.code in {1, 255}, ran
    assert "No space left" in ran.stderr or "space" in ran.stderr, ran
    assert "code: exhausted" in ran.stderr, ran
    assert "Traceback" not in ran.stderr, ran
    assert not checker.torn_objects(box.path)


def test_adding_more_than_the_disk_holds_leaves_the_data_and_no_object(
    ff_repo: Sandbox, disk: Path | None
) -> None:
    if disk is None:
        return
    ff_repo.run("cache", "dir", "--local", str(disk / "cache"))
    ff_repo.gen(random_files(12))
    before = content(ff_repo.path / "d")
    complains(ff_repo, "add", "d")
    assert content(ff_repo.path / "d") == before
    assert not ff_repo.exists("d.dvc")
    assert not list(disk.rglob("*.tmp")), "half-written files fill the disk"
    ff_repo.gen({f"d/{number}": None for number in range(6, 12)})
    ff_repo.run("add", "d")
    assert ff_repo.run("status", "--json").json() == {}


def test_checking_out_more_than_the_disk_holds_leaves_what_was_there(
    ff_repo: Sandbox, disk: Path | None, tmp_path: Path
) -> None:
    if disk is None:
        return
    box = Sandbox(disk / "work", ff_repo.tool)
    box.git("init", "--quiet")
    box.run("init", "--quiet")
    box.run("cache", "dir", "--local", str(tmp_path / "big"))
    box.gen(random_files(3))
    box.run("add", "d")
    first = box.read("d.dvc")
    box.gen(random_files(6))
    box.run("add", "d")
    now = content(box.path / "d")
    box.gen({"d.dvc": first, "d/0": None, "d/1": None, "d/2": None})
    box.gen({"filler": b"x" * (disk_free(disk) - 512 * 1024)})
    before = content(box.path / "d")
    complains(box, "checkout", "-f")
    left = content(box.path / "d")
    assert all(left.get(name, data) == now[name] for name, data in before.items())
    assert all(left[name] == now[name] for name in left)
    box.gen({"filler": None})
    box.run("checkout", "-f")
    assert box.run("status", "--json").json() == {}


def test_pulling_more_than_the_disk_holds_can_be_done_again_with_space(
    ff_repo: Sandbox, disk: Path | None, tmp_path: Path
) -> None:
    if disk is None:
        return
    ff_repo.run("remote", "add", "-d", "r", str(tmp_path / "remote"))
    ff_repo.gen(random_files(5))
    ff_repo.run("add", "d")
    ff_repo.run("push")
    wanted = content(ff_repo.path / "d")
    ff_repo.git("clean", "-Xdfq", "-e", "!.dvc/config")
    ff_repo.run("cache", "dir", "--local", str(disk / "cache"))
    (disk / "filler").write_bytes(b"x" * 5 * MIB)
    complains(ff_repo, "pull")
    (disk / "filler").unlink()
    ff_repo.run("pull")
    assert content(ff_repo.path / "d") == wanted
    assert not list(disk.rglob("*.tmp"))


def disk_free(place: Path) -> int:
    free = os.statvfs(place)
    return free.f_bavail * free.f_bsize


def test_looking_works_on_a_disk_that_may_not_be_written(ff_repo: Sandbox, disk: Path | None) -> None:
    if disk is None:
        return
    box = Sandbox(disk / "work", ff_repo.tool)
    box.git("init", "--quiet")
    box.run("init", "--quiet")
    box.gen({"d": {"a": "one"}})
    box.run("add", "d")
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    assert box.run("status", "--json").json() == {}
    assert box.run("data", "status", "--json").code == 0
    refused = box.run("add", "d", check=False)
    assert refused.code == 1, refused
    assert "code: denied" in refused.stderr, refused


@pytest.mark.parametrize("handles", [32, 12])
def test_few_file_handles_are_enough_or_are_missed_in_a_line(ff_repo: Sandbox, handles: int) -> None:
    ff_repo.gen({f"d/{number}": str(number) for number in range(300)})
    for command in ("add d", "status", "checkout", "gc -w -f"):
        done = subprocess.run(
            ["bash", "-c", f"ulimit -n {handles}; exec {ff_repo.tool.command[0]} {command}"],
            cwd=ff_repo.path,
            env=ff_repo.tool.env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0 or "error: " in done.stderr, done
        assert "Traceback" not in done.stderr, done
        if handles >= 32:
            assert done.returncode == 0, done
