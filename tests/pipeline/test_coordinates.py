"""The four coordinates in their first form."""

import os
import sys
from pathlib import Path

from fourfold.pipeline.coordinates import coordinates, environment_of
from fourfold.pipeline.repro import repro
from tests.project.workplace import Workplace

STAGE = """\
stages:
  train:
    cmd: cp raw model
    deps: [raw]
    params: [train, split.random_state, lr]
    outs: [model]
"""


def test_the_four_are_told_of_what_is_recorded(work: Workplace) -> None:
    work.gen(
        {
            "dvc.yaml": STAGE,
            "raw": "1",
            "params.yaml": "lr: 1\ntrain: {seed: 7, deep: {numpy_seed: 8}}\nsplit: {random_state: 9}\n",
        }
    )
    repro(work.open())
    found = coordinates(work.open(), ["train"])
    assert found.code.commit is None
    (stage,) = found.data
    assert stage.command == "cp raw model"
    assert stage.deps == {"raw": "c4ca4238a0b923820dcc509a6f75849b"}
    assert stage.outs == {"model": "c4ca4238a0b923820dcc509a6f75849b"}
    assert found.randomness.seeds == {
        "split.random_state": 9,
        "train.seed": 7,
        "train.deep.numpy_seed": 8,
    }
    assert found.randomness.hash_seed == "0"


def test_the_environment_is_that_of_the_python_on_the_path() -> None:
    folder = os.path.dirname(sys.executable)
    found = environment_of({"PATH": folder})
    assert found.python == ".".join(map(str, sys.version_info[:3]))
    assert "ruamel.yaml" in found.packages


def test_no_module_of_the_project_is_run_to_ask_for_the_environment(work: Workplace, tmp_path: Path) -> None:
    work.gen({"json.py": f"open({str(tmp_path / 'ran')!r}, 'w')\n", "dvc.yaml": STAGE})
    project = work.open()
    assert coordinates(project).environment.python
    assert not (tmp_path / "ran").exists()


def test_a_machine_without_python_is_told_so(tmp_path: Path) -> None:
    assert environment_of({"PATH": str(tmp_path)}).python == ""
