"""Several processes on one project, one cache or one remote at once: all succeed, and nothing is torn.

Only the repository lock may refuse somebody, with its code; the same command again then succeeds.
"""

import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.faults import checker
from tests.fixtures.sandbox import Sandbox, Tool

#: Processes at once.
MANY = 4
FILES = 60


def at_once(tool: Tool, commands: Sequence[tuple[Path, tuple[str, ...]]]) -> None:
    """Run commands side by side; one that was locked out runs again, alone."""
    processes = [
        (
            cwd,
            args,
            subprocess.Popen(
                [*tool.command, *args],
                cwd=cwd,
                env=tool.env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            ),
        )
        for cwd, args in commands
    ]
    refused = []
    for cwd, args, process in processes:
        said = process.communicate(timeout=120)[1]
        if process.returncode:
            assert "code: repository-locked" in said or "code: store-busy" in said, (args, said)
            refused.append((cwd, args))
    for cwd, args in refused:
        tool(*args, cwd=cwd)


def clones(box: Sandbox, tmp_path: Path, tool: Tool) -> list[Sandbox]:
    """Several projects with the same data to come, one cache and one remote."""
    found = []
    for number in range(MANY):
        place = Sandbox(tmp_path / f"clone{number}", tool)
        subprocess.run(["cp", "-a", f"{box.path}/.", str(place.path)], check=True)
        found.append(place)
    return found


def prepared(box: Sandbox, tmp_path: Path) -> None:
    box.run("remote", "add", "--local", "-d", "r", str(tmp_path / "remote"))
    box.run("cache", "dir", "--local", str(tmp_path / "cache"))
    box.gen({f"d/{number % 7}/{number}": str(number) * 50 for number in range(FILES)})


def is_sound(tmp_path: Path) -> None:
    assert not checker.torn_objects(tmp_path)
    left = [
        os.path.join(folder, name)
        for folder, _folders, files in os.walk(tmp_path)
        for name in files
        if name.endswith((".tmp", ".lease", ".new"))
    ]
    assert not left


def test_adding_the_same_data_to_one_cache_at_once(ff_repo: Sandbox, tmp_path: Path, ff: Tool) -> None:
    prepared(ff_repo, tmp_path)
    places = clones(ff_repo, tmp_path, ff)
    at_once(ff, [(place.path, ("add", "d")) for place in places])
    is_sound(tmp_path)
    assert len({place.read("d.dvc") for place in places}) == 1
    assert all(place.run("status", "--json").json() == {} for place in places)


def test_adding_to_one_project_at_once(ff_repo: Sandbox, tmp_path: Path, ff: Tool) -> None:
    ff_repo.gen({f"{name}/{number}": f"{name}{number}" for name in "abcd" for number in range(20)})
    at_once(ff, [(ff_repo.path, ("add", name)) for name in "abcd"])
    is_sound(tmp_path)
    assert ff_repo.run("status", "--json").json() == {}
    assert {f"/{name}" for name in "abcd"} <= set(ff_repo.text(".gitignore").splitlines())


def test_collecting_while_others_add_takes_nothing_that_they_need(
    ff_repo: Sandbox, tmp_path: Path, ff: Tool
) -> None:
    prepared(ff_repo, tmp_path)
    ff_repo.run("cache", "dir", "--local", "--unset")
    ff_repo.run("add", "d")
    (ff_repo.path / "e").mkdir()
    for turn in range(3):
        ff_repo.gen({f"e/{number}": f"{turn}{number}" for number in range(FILES)})
        at_once(
            ff,
            [
                (ff_repo.path, ("add", "e")),
                (ff_repo.path, ("gc", "-w", "-f")),
                (ff_repo.path, ("add", "d")),
                (ff_repo.path, ("gc", "-w", "-f")),
            ],
        )
        assert ff_repo.run("status", "--json").json() == {}
    is_sound(tmp_path)
    ff_repo.run("checkout", "--relink")


@pytest.mark.parametrize("verb", ["push", "pull", "fetch"])
def test_transferring_the_same_objects_at_once(ff_repo: Sandbox, tmp_path: Path, ff: Tool, verb: str) -> None:
    prepared(ff_repo, tmp_path)
    ff_repo.run("add", "d")
    if verb != "push":
        ff_repo.run("push")
        subprocess.run(["rm", "-rf", str(tmp_path / "cache"), str(ff_repo.path / "d")], check=True)
    places = clones(ff_repo, tmp_path, ff)
    at_once(ff, [(place.path, (verb,)) for place in places])
    is_sound(tmp_path)
    for place in places:
        assert place.run("status", "-c", "--json").json() == {}
        assert verb != "pull" or place.run("status", "--json").json() == {}


def test_pulling_in_one_project_at_once(ff_repo: Sandbox, tmp_path: Path, ff: Tool) -> None:
    prepared(ff_repo, tmp_path)
    ff_repo.run("add", "d")
    ff_repo.run("push")
    subprocess.run(["rm", "-rf", str(tmp_path / "cache"), str(ff_repo.path / "d")], check=True)
    at_once(ff, [(ff_repo.path, ("pull",))] * MANY)
    is_sound(tmp_path)
    assert ff_repo.run("status", "--json").json() == {}


def test_looking_while_somebody_adds_never_fails(ff_repo: Sandbox, tmp_path: Path, ff: Tool) -> None:
    prepared(ff_repo, tmp_path)
    ff_repo.run("add", "d")
    for turn in range(2):
        ff_repo.gen({f"d/{number % 7}/{number}": f"{turn}{number}" for number in range(0, FILES, 2)})
        at_once(
            ff,
            [
                (ff_repo.path, ("add", "d")),
                (ff_repo.path, ("status",)),
                (ff_repo.path, ("data", "status", "--json")),
                (ff_repo.path, ("status", "-c")),
            ],
        )
    is_sound(tmp_path)
    assert ff_repo.run("status", "--json").json() == {}


STAGE = "  {0}:\n    cmd: sleep 0.5 && cat raw > {0}\n    deps: [raw]\n    outs: [{0}]\n"


@pytest.mark.parametrize("options", [(), ("--wait-for-lock",)], ids=["", "waiting"])
def test_two_runs_of_disjoint_stages_that_share_a_dependency_both_succeed(
    ff_repo: Sandbox, tmp_path: Path, ff: Tool, options: tuple[str, ...]
) -> None:
    """Defect D15 of DVC: the second one fails, busy."""
    ff_repo.gen({"raw": "1", "dvc.yaml": "stages:\n" + STAGE.format("a") + STAGE.format("b")})
    ff_repo.run("add", "raw")
    processes = [started(ff, ff_repo.path, "repro", *options, "-s", name) for name in ("a", "b")]
    for process in processes:
        said = process.communicate(timeout=60)[1]
        assert process.returncode == 0, said
    assert {ff_repo.text("a"), ff_repo.text("b")} == {"1"}
    assert ff_repo.run("status", "--json").json() == {}
    is_sound(tmp_path)


def test_whoever_waits_for_a_running_stage_lets_it_finish(ff_repo: Sandbox, tmp_path: Path, ff: Tool) -> None:
    ff_repo.gen({"raw": "1", "other": "2", "dvc.yaml": "stages:\n" + STAGE.format("a")})
    running = started(ff, ff_repo.path, "repro")
    while running.poll() is None and '"pid"' not in _rwlock(ff_repo):
        time.sleep(0.01)
    waiting = started(ff, ff_repo.path, "add", "--wait-for-lock", "other")
    for process in (running, waiting):
        said = process.communicate(timeout=60)[1]
        assert process.returncode == 0, said
    assert ff_repo.run("status", "--json").json() == {}
    is_sound(tmp_path)


def started(tool: Tool, cwd: Path, *args: str) -> "subprocess.Popen[str]":
    """A command that runs beside the test."""
    return subprocess.Popen(
        [*tool.command, *args],
        cwd=cwd,
        env=tool.env,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )


def _rwlock(box: Sandbox) -> str:
    return box.text(".dvc/tmp/rwlock") if box.exists(".dvc/tmp/rwlock") else ""
