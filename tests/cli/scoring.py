"""A pipeline of two stages over three rows, run for real: what attributions and bisections are tried on.

``prepare`` multiplies a column by a parameter, ``score`` takes the mean. What a test changes is its own.
"""

import shutil
from pathlib import Path

from tests.conftest import find_ff
from tests.fixtures.sandbox import Sandbox, Tool

PREPARE = """\
rows = [line.split(",") for line in open("raw.csv").read().split()[1:]]
rate = float(next(line for line in open("params.yaml") if line.startswith("rate")).split()[1])
open("clean.csv", "w").write("\\n".join(str(float(x) * rate) for x, _ in rows))
"""
SCORE = """\
import json
rows = [float(line) for line in open("clean.csv").read().split()]
json.dump({"auc": sum(rows) / len(rows), "rows": len(rows)}, open("metrics.json", "w"))
"""
PIPELINE = """\
stages:
  prepare:
    cmd: python prepare.py
    deps: [prepare.py, raw.csv]
    params: [rate]
    outs: [clean.csv]
    meta: {fourfold: {seed: seed}}
  score:
    cmd: python score.py
    deps: [score.py, clean.csv]
    metrics: [{metrics.json: {cache: false}}]
    meta: {fourfold: {seed: seed}}
"""
RAW = "x,y\n0.8,1\n0.9,0\n1.0,1\n"
#: The third row is otherwise: the mean falls from 0.9 to 0.6.
WORSE = RAW.replace("1.0,1", "0.1,1")
PARAMS = "rate: 1.0\nseed: 1\n"


def change(
    repo: Sandbox,
    tree: dict[str, str],
    message: str = "a change",
    *,
    repro: bool = True,
    force: bool = False,
) -> str:
    """Change files, run the pipeline, commit."""
    repo.gen(tree)
    if "raw.csv" in tree:
        repo.run("add", "-q", "raw.csv")
    if repro:
        repo.run("repro", "-q", *(["-f"] if force else []))
    return repo.commit(message)


def begin(folder: Path, score: str = SCORE, pipeline: str = PIPELINE) -> Sandbox:
    """The pipeline in a folder, run and committed."""
    repo = Sandbox(folder / "repo", Tool([find_ff()], folder / "home"))
    repo.git("init", "-q")
    repo.run("init", "-q")
    files = {"prepare.py": PREPARE, "score.py": score, "params.yaml": PARAMS, "dvc.yaml": pipeline}
    change(repo, {**files, "raw.csv": RAW}, "a baseline")
    return repo


def copied(template: Path, folder: Path, tool: Tool) -> Sandbox:
    """A copy of what `begin` made in a folder."""
    shutil.copytree(template / "repo", folder / "repo", symlinks=True)
    return Sandbox(folder / "repo", tool)
