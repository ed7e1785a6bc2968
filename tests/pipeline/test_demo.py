"""The demo is the first whole path: it must work, and it must fail when something does not hold."""

import shutil
import sys
from pathlib import Path

from tests.conftest import ROOT, find_ff
from tests.fixtures.sandbox import Tool, make_home

EXAMPLE = ROOT / "examples" / "breast-cancer"


def demo(tmp_path: Path, example: Path = EXAMPLE) -> tuple[int, str]:
    """Run it with our command and the Python of the tests first on the search path."""
    tool = Tool(["bash"], make_home(tmp_path / "home"))
    folders = {str(Path(find_ff()).parent), str(Path(sys.executable).parent)}
    path = ":".join([*sorted(folders), tool.env["PATH"]])
    ran = tool(str(example / "demo.sh"), "made", cwd=tmp_path, check=False, env={"PATH": path}, timeout=280)
    return ran.code, ran.stdout + ran.stderr


def test_the_demo_does_all_that_it_says(tmp_path: Path) -> None:
    code, said = demo(tmp_path)
    assert code == 0, said
    headlines = [line for line in said.splitlines() if line[:1].isdigit() and line[1:3] == ". "]
    assert len(headlines) == 7
    assert "error" not in said
    project = tmp_path / "made" / "project"
    assert (project / "dvc.lock").exists()
    assert (project / "metrics.json").exists()


def test_the_demo_fails_when_a_stage_runs_that_should_not(tmp_path: Path) -> None:
    example = tmp_path / "example"
    shutil.copytree(EXAMPLE, example)
    pipeline = (example / "dvc.yaml").read_text()
    (example / "dvc.yaml").write_text(pipeline.replace("  load:\n", "  load:\n    always_changed: true\n"))
    code, said = demo(tmp_path, example)
    assert code != 0
    assert "demo failed: expected to read: Data and pipelines are up to date." in said


def test_the_demo_leaves_a_folder_alone_that_it_did_not_make(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "mine").write_text("keep")
    code, said = demo(tmp_path)
    assert code == 1
    assert "was not made by this demo" in said
    assert (tmp_path / "made" / "mine").read_text() == "keep"
