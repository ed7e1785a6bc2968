"""What the doctor says of capture: by trying, with what to do about what does not work."""

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.sandbox import Tool

DATA = Path(__file__).parent.parent / "formats" / "locks" / "data"


def doctor(ff: Tool, folder: Path, env: Mapping[str, str] | None = None) -> dict[str, dict[str, Any]]:
    found = ff("doctor", "--json", cwd=folder, check=False, env=env).json()
    return {item["name"]: item for item in found["capture"]}


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder for PATH with git and nothing else."""
    folder = tmp_path / "tools"
    folder.mkdir()
    (folder / "git").symlink_to(str(shutil.which("git")))
    return folder


def test_it_tells_of_everything_that_a_record_may_hold_outside_of_a_project_too(
    ff: Tool, tmp_path: Path
) -> None:
    found = doctor(ff, tmp_path)
    assert {"code", "tracing", "seccomp", "strace", "python", "lock", "gpu", "image"} <= set(found)
    assert found["code"]["state"] == "partly"
    assert found["lock"] == {
        "name": "lock",
        "state": "no",
        "told": "no lock file: what should be installed is not known",
        "hint": "write one: ff env lock",
    }


def test_the_python_on_the_path_is_tried(ff: Tool, tmp_path: Path, tools: Path) -> None:
    found = doctor(ff, tmp_path, {"PATH": str(tools)})
    assert (found["python"]["state"], found["python"]["told"]) == ("no", "there is no python on PATH")
    program = tools / "python"
    program.symlink_to(sys.executable)
    assert doctor(ff, tmp_path, {"PATH": str(tools)})["python"]["state"] == "yes"
    program.unlink()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -I "$@"\n')
    program.chmod(0o755)
    found = doctor(ff, tmp_path, {"PATH": f"{tools}{os.pathsep}/bin"})
    assert found["python"]["state"] == "no"
    assert "python -I" in found["python"]["hint"]


def test_the_lock_is_found_and_graded(ff: Tool, tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("six\n")
    assert doctor(ff, tmp_path)["lock"]["state"] == "partly"
    shutil.copy(DATA / "poetry.lock", tmp_path / "poetry.lock")
    shutil.copy(DATA / "poetry.pyproject.toml", tmp_path / "pyproject.toml")
    assert doctor(ff, tmp_path)["lock"]["state"] == "yes"
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\ndependencies = ['other']\n")
    assert "was not locked for what" in doctor(ff, tmp_path)["lock"]["told"]
    (tmp_path / "poetry.lock").write_text("[[[")
    assert doctor(ff, tmp_path)["lock"]["state"] == "no"


def test_a_project_shows_the_section_to_people(ff: Tool, tmp_path: Path) -> None:
    ff("init", "--no-scm", cwd=tmp_path)
    done = ff("doctor", cwd=tmp_path)
    assert "What can be captured of runs:" in done.stdout
    assert "  tracing: " in done.stdout
    assert "Nothing is wrong." in done.stdout
