"""What a command loads, guarded by a list: timing is noise, lists are not.

`startup/<case>.txt` names the command on its first line (``# ff root``) and then every module that it may
load beyond those of a bare interpreter: our own and other packages by full name, the standard library by
first name. To allow one more is a decision: add the line, and say in the commit what it costs
(`python -X importtime`).
"""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fourfold.cli import table
from tests.fixtures.sandbox import Tool

LISTS = sorted((Path(__file__).parent / "startup").glob("*.txt"))

#: Runs ff as a process would, then reports what that loaded.
PROBE = """
import sys
before = set(sys.modules)
from fourfold.__main__ import main
sys.argv[0] = "ff"
try:
    main()
finally:
    loaded = sorted(set(sys.modules) - before)
    import json
    with open(REPORT, "w") as file:
        json.dump(loaded, file)
"""


def argv_of(path: Path) -> list[str]:
    """The arguments of ``# ff root``."""
    return path.read_text().splitlines()[0].removeprefix("# ff ").split()


def allowed(path: Path) -> set[str]:
    """The modules of a list; `@name` stands for the lines of another list."""
    found = set()
    for line in path.read_text().splitlines():
        if line.startswith("@"):
            found |= allowed(path.with_name(line[1:] + ".txt"))
        elif line and not line.startswith("#"):
            found.add(line.strip())
    return found


def known_as(module: str) -> str:
    """How the lists name a module: standard library by its first name, without a leading underscore."""
    first = module.partition(".")[0]
    return first.lstrip("_") if first in sys.stdlib_module_names else module


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.stem)
def test_a_command_loads_nothing_that_its_list_does_not_allow(path: Path, ff: Tool, tmp_path: Path) -> None:
    repo = tmp_path / "repo"
    (repo / ".dvc" / "tmp").mkdir(parents=True)
    (repo / ".dvc" / "config").write_text("[core]\n    no_scm = True\n")
    for name in ("data.csv", "images/1.png"):
        (repo / name).parent.mkdir(exist_ok=True)
        (repo / name).write_text(name)
    ff("add", "data.csv", "images", cwd=repo)
    time.sleep(0.05)  # a file younger than a tick of the clock is read again
    ff("status", cwd=repo)
    report = tmp_path / "loaded.json"
    probe = PROBE.replace("REPORT", repr(str(report)))
    done = subprocess.run(
        [sys.executable, "-c", probe, *argv_of(path)],
        cwd=repo,
        env=ff.env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    loaded = {known_as(module) for module in json.loads(report.read_text())}
    assert sorted(loaded - allowed(path)) == []


@pytest.mark.parametrize("name", ["root", "status"])
def test_the_hot_commands_have_a_list(name: str) -> None:
    if name in table.COMMANDS:
        assert f"ff {name}" in {" ".join(["ff", *argv_of(path)]) for path in LISTS}
