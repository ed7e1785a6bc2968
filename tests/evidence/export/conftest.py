"""A small pipeline that ran once: what every export is made of."""

import pytest

from fourfold.evidence.export.dossier import Dossier, gather
from fourfold.runs.place import Place
from fourfold.runs.store import Records, records_of
from fourfold.wiring import find_place
from tests.conftest import find_ff
from tests.fixtures.sandbox import Sandbox, Tool

PIPELINE = """\
stages:
  load:
    cmd: cat raw/*.txt | tr a-z A-Z > table.txt
    deps: [raw]
    outs: [table.txt]
  fit:
    cmd: python3 fit.py
    deps: [table.txt, fit.py]
    params: [rate, model.depth]
    outs: [model.bin]
    metrics: [scores.json: {cache: false}]
    meta:
      fourfold: {seed: 11}
"""
FIT = """\
import json, random
rows = open("table.txt").read().split()
open("model.bin", "w").write(" ".join(sorted(rows)) + str(random.random()))
json.dump({"auc": 0.75, "by": {"rows": len(rows)}}, open("scores.json", "w"))
"""


@pytest.fixture(scope="session")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    """Two stages that ran, of a commit."""
    folder = tmp_path_factory.mktemp("exported")
    repo = Sandbox(folder / "repo", Tool([find_ff()], folder / "home"))
    repo.git("init", "-q")
    repo.run("init", "-q")
    repo.gen(
        {
            "raw": {"a.txt": "one\n", "b.txt": "two\n"},
            "fit.py": FIT,
            "params.yaml": "rate: 0.5\nmodel: {depth: 3}\n",
            "dvc.yaml": PIPELINE,
        }
    )
    repo.run("add", "-q", "raw")
    repo.commit("one")
    repo.run("repro", "-q")
    repo.commit("ran")
    return repo


def opened(project: Sandbox) -> tuple[Place, Records]:
    """The place and the records of a project."""
    place = find_place(str(project.path), environ=project.tool.env)
    return place, records_of(place)


@pytest.fixture(scope="session")
def dossier(fitted: Sandbox) -> Dossier:
    """What is known of the last run."""
    place, records = opened(fitted)
    return gather(place, records, records.resolve("fit"))
