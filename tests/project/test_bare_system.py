"""The portable ways: a project's whole life on a system without what only Linux has.

`tests/fixtures/bare_system.py` takes it away; what is left behind must be what it is everywhere.
"""

import fcntl
import os
import shlex
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, find_ff
from tests.fixtures.sandbox import Sandbox, Tool, make_home

BARE = [sys.executable, "-X", "dev", str(ROOT / "tests" / "fixtures" / "bare_system.py")]
FILES = {"data": {"a": "1\n", "deep": {"b": "2\r\n", "c": ""}}, "file": "kept\n"}
#: A whole life: every step succeeds, and leaves the same as on a system that has everything.
LIFE = (
    "add data file",
    "remote add -d store {store}",
    "push",
    "!rm -rf .dvc/cache data file",
    "pull",
    "!echo edited > data/a",
    "status",
    "checkout --force data",
    "undo",
    "commit --force data",
    "config cache.type hardlink,copy",
    "checkout --relink",
    "unprotect file",
    "move file moved",
    "remove moved.dvc --outs",
    "undo",
    "!rm -r data",
    "checkout",
    "repro",
    "gc --workspace --force",
    "fsck --read-data",
    "data status",
)
PIPELINE = "stages:\n  copy:\n    cmd: cat moved > made\n    deps:\n    - moved\n    outs:\n    - made\n"


def lived(base: Path, command: list[str]) -> dict[str, tuple[int, bytes]]:
    """Live a whole life with ``command``; what is left: the mode and the bytes of every file."""
    tool = Tool(command, make_home(base / "home"))
    (base / "ws").mkdir()
    box = Sandbox(base / "ws", tool)
    box.git("init", "--quiet")
    box.run("init", "--quiet")
    box.gen(FILES | {"dvc.yaml": PIPELINE.replace("moved", "file")})
    for step in LIFE:
        if step.startswith("!"):
            Tool(["/bin/sh"], tool.home)("-ec", step[1:], cwd=box.path)
            continue
        if step == "repro":
            box.gen({"dvc.yaml": PIPELINE})
        box.run(*shlex.split(step.replace("{store}", str(base / "store"))))
    left = {}
    for folder, _folders, names in os.walk(base):
        for name in names:
            path = Path(folder, name)
            key = str(path.relative_to(base))
            if key.startswith(("home", "ws/.git/", "ws/.dvc/tmp")) or "fourfold" in key:
                continue
            left[key] = (path.stat().st_mode, path.read_bytes())
    return left


def test_a_life_without_what_only_linux_has_leaves_the_same(tmp_path: Path) -> None:
    # Both are called alike, as the remote's path is in the configuration.
    rich, bare = tmp_path / "rich", tmp_path / "bare"
    rich.mkdir()
    bare.mkdir()
    ours = lived(rich, [find_ff()])
    assert lived(bare, BARE) == {
        name: (mode, data.replace(b"/rich/", b"/bare/")) for name, (mode, data) in ours.items()
    }
    assert "ws/data/deep/b" in ours
    assert ours["ws/made"][1] == b"kept\n"


def test_the_doctor_tells_which_ways_are_in_use(tmp_path: Path) -> None:
    tool = Tool(BARE, make_home(tmp_path / "home"))
    tool("init", "--no-scm", cwd=tmp_path)
    said = tool("doctor", cwd=tmp_path).stdout
    assert "an fsync for each file" in said
    assert "each folder on the way is checked" in said


@pytest.mark.parametrize("command", [["add", "data"], ["checkout"], ["gc", "--workspace", "--force"]])
def test_a_project_that_is_in_use_is_waited_for_without_the_kernel_s_locks(
    tmp_path: Path, command: list[str]
) -> None:
    tool = Tool(BARE, make_home(tmp_path / "home"))
    tool("init", "--no-scm", cwd=tmp_path)
    box = Sandbox(tmp_path, tool)
    box.gen({"data": "1\n"})

    with open(tmp_path / ".dvc" / "tmp" / "lock", "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        ran = tool(*command, cwd=tmp_path, check=False)
    assert ran.code
    assert "repository-locked" in ran.stderr
