"""``ff replay`` on the command line: what ran once runs again, apart from the workspace, and is compared."""

import sys
from pathlib import Path

import pytest

from tests.fixtures.sandbox import Sandbox, Tool

TRAIN = """\
import json, random
rows = open("data.csv").read().splitlines()
open("model.txt", "w").write(f"{len(rows)} {random.random()}")
json.dump({"auc": random.random()}, open("metrics.json", "w"))
"""
PIPELINE = f"""\
stages:
  train:
    cmd: {sys.executable} train.py
    deps: [train.py, data.csv]
    outs: [model.txt]
    metrics: [metrics.json: {{cache: false}}]
"""


@pytest.fixture
def project(tmp_path: Path, ff: Tool) -> Sandbox:
    """One stage that ran once and was committed."""
    repo = Sandbox(tmp_path / "repo", ff)
    repo.git("init", "-q")
    repo.run("init", "-q")
    repo.gen({"train.py": TRAIN, "data.csv": "1\n2\n", "dvc.yaml": PIPELINE})
    repo.run("add", "-q", "data.csv")
    repo.run("repro", "-q")
    repo.commit("one")
    return repo


def test_a_replay_puts_back_code_data_and_seed_although_the_workspace_moved_on(project: Sandbox) -> None:
    model = project.text("model.txt")
    project.gen({"train.py": "raise SystemExit(3)\n", "data.csv": "1\n2\n3\n"})
    ran = project.run("replay", "train")
    assert "equal      model.txt" in ran.stdout
    assert "equal      metrics.json" in ran.stdout
    assert project.text("model.txt") == model
    assert project.text("train.py") == "raise SystemExit(3)\n"
    assert not list((project.path / ".dvc/fourfold/replays").iterdir())
