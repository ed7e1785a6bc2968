"""``ff env show`` and ``ff env diff``."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fixtures.sandbox import Sandbox, Tool
from tests.runs.environment.conftest import install, wheel


@pytest.fixture
def lab(ff_repo: Sandbox, make_python: Callable[..., str]) -> Sandbox:
    """A project whose ``python`` is that of an environment with one package."""
    python = make_python("env", apple="1.0")
    path = os.pathsep.join([os.path.dirname(python), os.environ["PATH"]])
    return Sandbox(ff_repo.path, Tool(ff_repo.tool.command, ff_repo.tool.home, {"PATH": path}))


def test_show_without_a_run_asks_the_python_that_a_stage_would_find(lab: Sandbox) -> None:
    told = lab.run("env", "show", "--json").json()
    assert told["run"] is None
    assert told["distributions"]["apple"]["version"] == "1.0"
    assert told["facts"]["interpreter"]["grade"] == "observed"
    assert told["facts"]["blas"] == {"grade": "absent", "why": "known of a run only"}
    said = lab.run("env", "show").stdout
    assert "environment that a stage would find now" in said
    assert "apple 1.0" in said


def test_show_of_a_run_tells_what_it_imported_and_loaded(lab: Sandbox) -> None:
    lab.run("run", "--quiet", "--", "python", "-c", "import apple")
    told = lab.run("env", "show", "@", "--json").json()
    assert len(told["run"]) == 64
    assert told["distributions"]["apple"]["imported"] is True
    assert any(name.endswith("libc.so.6") for name in told["libraries"])
    assert "1 of 1 packages imported" in lab.run("env", "show", "@").stdout


def test_show_names_the_other_pythons_of_a_run(lab: Sandbox, make_python: Callable[..., str]) -> None:
    other = make_python("other")
    lab.run("run", "--quiet", "--", "sh", "-c", f"python -c 1; {other} -c 1")
    said = lab.run("env", "show", "@").stdout
    assert f"in {os.path.dirname(os.path.dirname(other))} on" in said


def test_diff_of_a_run_and_now_is_empty_until_a_package_moves(lab: Sandbox, tmp_path: Path) -> None:
    lab.run("run", "--quiet", "--", "python", "-c", "import apple")
    assert lab.run("env", "diff", "@", "--json").json()["changes"] == []
    assert "no difference" in lab.run("env", "diff", "@").stdout
    install(tmp_path / "env", "--upgrade", str(wheel(tmp_path, "apple", "1.1")))
    (change,) = lab.run("env", "diff", "@", "--json").json()["changes"]
    assert change == {
        "fact": "distributions",
        "name": "apple",
        "kind": "version",
        "before": "1.0",
        "after": "1.1",
    }
    lab.run("run", "--quiet", "--", "python", "-c", "import apple")
    assert "distributions apple: 1.0 -> 1.1" in lab.run("env", "diff", "@~1", "@").stdout


def test_show_of_a_python_that_is_named_or_is_not_there(
    lab: Sandbox, make_python: Callable[..., str], tmp_path: Path
) -> None:
    other = make_python("other", apple="3.0")
    told = lab.run("env", "show", "--json", "--python", os.path.dirname(os.path.dirname(other))).json()
    assert told["distributions"]["apple"]["version"] == "3.0"
    nothing = {"PATH": str(tmp_path / "nothing")}
    done = lab.run("env", "show", "--json", check=False, env=nothing)
    assert json.loads(done.stdout)["error"]["code"] == "no-python-on-path"


def test_show_of_a_program_that_is_no_python_says_what_it_said(lab: Sandbox, tmp_path: Path) -> None:
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\necho out of order >&2\nexit 3\n")
    fake.chmod(0o755)
    done = lab.run("env", "show", "--python", str(fake), check=False)
    assert "does not tell about itself: out of order" in done.stderr


def test_show_and_diff_of_a_run_and_an_interpreter_at_once_are_refused(lab: Sandbox) -> None:
    lab.run("run", "--quiet", "--", "true")
    for words in (("show", "@"), ("diff", "@", "@")):
        done = lab.run("env", *words, "--python", "python3", "--json", check=False)
        assert json.loads(done.stdout)["error"]["code"] == "two-environments"
        assert done.code != 0


def test_diff_of_a_run_in_another_environment_than_that_of_now_says_so(
    lab: Sandbox, make_python: Callable[..., str]
) -> None:
    other = make_python("other", apple="2.0")
    lab.run("run", "--quiet", "--", other, "-c", "import apple")
    done = lab.run("env", "diff", "@")
    prefix = os.path.dirname(os.path.dirname(other))
    assert f"compare with that one: --python {prefix}" in done.stderr
    same = lab.run("env", "diff", "@", "--python", prefix)
    assert "no difference" in same.stdout
    assert same.stderr == ""
