"""A small pipeline that learns something, run for real, in which one thing at a time is changed.

``split`` parts a table, ``train`` counts how often each value of a column goes with the label, ``evaluate``
measures. Plain Python, so that a run takes a moment.
"""

import random
from pathlib import Path
from typing import Any

from tests.conftest import find_ff
from tests.fixtures.sandbox import Sandbox, Tool

SPLIT = """\
import csv, os, zlib
rows = list(csv.DictReader(open("data/people.csv")))
share = float(next(line.split(":")[1] for line in open("params.yaml") if line.startswith("share")))
os.makedirs("split", exist_ok=True)
parts = {"train": [], "test": []}
for row in rows:
    parts["test" if zlib.crc32(row["id"].encode()) % 100 < share * 100 else "train"].append(row)
for name, part in parts.items():
    with open(f"split/{name}.csv", "w", newline="") as file:
        out = csv.DictWriter(file, list(rows[0]))
        out.writeheader()
        out.writerows(part)
"""
TRAIN = """\
import csv, json, random
import model
rows = list(csv.DictReader(open("split/train.csv")))
smoothing = float(next(line.split(":")[1] for line in open("params.yaml") if line.startswith("smoothing")))
weights = model.learn(rows, smoothing)
weights["start"] = random.random()
json.dump(weights, open("model.json", "w"), indent=1, sort_keys=True)
"""
MODEL = """\
from collections import Counter
import math


def learn(rows, smoothing):
    # How much each value speaks for leaving.
    counts = {"0": Counter(), "1": Counter()}
    for row in rows:
        for column, value in row.items():
            if column not in ("id", "left"):
                counts[row["left"]][column + "=" + value] += 1
    every = set(counts["0"]) | set(counts["1"])
    return {key: math.log((counts["1"][key] + smoothing) / (counts["0"][key] + smoothing)) for key in every}


def score(weights, row):
    return sum(weights.get(k + "=" + v, 0) for k, v in row.items()) + weights["start"] / 100


def report(weights):
    return f"{len(weights)} weights"
"""
EVALUATE = """\
import csv, json
import model
weights = json.load(open("model.json"))
rows = list(csv.DictReader(open("split/test.csv")))
pairs = sorted((model.score(weights, row), int(row["left"])) for row in rows)
ranks = [at for at, (_, left) in enumerate(pairs, 1) if left]
positive, negative = len(ranks), len(pairs) - len(ranks)
auc = (sum(ranks) - positive * (positive + 1) / 2) / max(positive * negative, 1)
json.dump({"auc": round(auc, 6), "rows": len(rows)}, open("metrics.json", "w"))
"""
PIPELINE = """\
stages:
  split:
    cmd: python split.py
    deps: [split.py, data/people.csv]
    params: [share, label]
    outs: [split]
  train:
    cmd: python train.py
    deps: [train.py, model.py, split]
    params: [smoothing, label]
    outs: [model.json]
    meta:
      fourfold: {seed: seed, numerics: {threads: 2}}
  evaluate:
    cmd: python evaluate.py
    deps: [evaluate.py, model.py, model.json, split]
    metrics: [metrics.json: {cache: false}]
    meta:
      fourfold: {goal: {auc: max}}
"""
PARAMS = "label: left\nshare: 0.3\nsmoothing: 1.0\nseed: 1\n"
COLUMNS = ("id", "age", "plan", "calls", "left")


def people(count: int = 600, seed: int = 5) -> list[dict[str, Any]]:
    """Rows of a table: whether somebody left follows from their plan, their calls and chance."""
    draw = random.Random(seed)
    rows = []
    for number in range(count):
        plan, calls = draw.choice("abc"), draw.randrange(6)
        leaves = draw.random() < 0.1 + 0.2 * "abc".index(plan) + 0.06 * calls
        values = (f"p{number:05}", 20 + draw.randrange(50), plan, calls, int(leaves))
        rows.append(dict(zip(COLUMNS, values, strict=True)))
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """Rows as CSV."""
    names = list(rows[0])
    lines = [",".join(names), *(",".join(str(row[name]) for name in names) for row in rows)]
    return "\n".join(lines) + "\n"


def plant(folder: Path, home: Path) -> Sandbox:
    """The pipeline in a folder, run once and committed."""
    repo = Sandbox(folder, Tool([find_ff()], home))
    repo.git("init", "-q")
    repo.run("init", "-q")
    repo.gen(
        {
            "split.py": SPLIT,
            "train.py": TRAIN,
            "model.py": MODEL,
            "evaluate.py": EVALUATE,
            "dvc.yaml": PIPELINE,
            "params.yaml": PARAMS,
            "notes.md": "notes\n",
            "data/people.csv": table(people()),
        }
    )
    repo.run("add", "-q", "data/people.csv")
    repo.commit("begin")
    repo.run("repro", "-q")
    repo.commit("one")
    return repo
