"""The four coordinates of what stages have made, as the records of their runs tell them."""

import shutil
from pathlib import Path

from fourfold.pipeline.coordinates import coordinates
from fourfold.pipeline.repro import repro
from tests.project.workplace import Workplace

STAGE = """\
stages:
  train:
    cmd: cp raw model
    deps: [raw]
    params: [train, split.random_state, lr]
    outs: [model]
    meta: {fourfold: {seed: train.seed}}
"""
PARAMS = "lr: 1\ntrain: {seed: 7, deep: {numpy_seed: 8}}\nsplit: {random_state: 9}\n"
ONE = "c4ca4238a0b923820dcc509a6f75849b"


def test_the_four_are_told_by_the_run_that_made_what_is_recorded(work: Workplace) -> None:
    work.gen({"dvc.yaml": STAGE, "raw": "1", "params.yaml": PARAMS})
    repro(work.open())
    (stage,) = coordinates(work.open(), ["train"])
    assert stage.command == "cp raw model"
    assert stage.deps == {"raw": ONE}
    assert stage.outs == {"model": ONE}
    assert stage.seeds == {"split.random_state": 9, "train.seed": 7, "train.deep.numpy_seed": 8}
    assert stage.record is not None
    assert stage.record.randomness["seed"].value == 7
    assert stage.record.code["commit"].grade == "absent"
    assert stage.record.environment["host"].grade == "observed"
    assert stage.why == ""


def test_results_whose_run_is_recorded_nowhere_say_so(work: Workplace) -> None:
    work.gen({"dvc.yaml": STAGE, "raw": "1", "params.yaml": PARAMS})
    (stage,) = coordinates(work.open())
    assert (stage.command, stage.why) == (None, "it has not run")
    repro(work.open())
    shutil.rmtree(Path(work.open().own_dir) / "runs")
    (stage,) = coordinates(work.open())
    assert stage.run is None
    assert stage.record is None
    assert "no record" in stage.why
    assert stage.seeds["train.seed"] == 7


def test_a_record_that_is_damaged_is_told_and_stops_nothing(work: Workplace) -> None:
    work.gen({"dvc.yaml": STAGE, "raw": "1", "params.yaml": PARAMS})
    repro(work.open())
    (stage,) = coordinates(work.open())
    assert stage.run is not None
    record = Path(work.open().own_dir) / "runs" / "records" / stage.run[:2] / stage.run[2:]
    record.chmod(0o644)
    record.write_bytes(record.read_bytes() + b" ")
    (stage,) = coordinates(work.open())
    assert stage.record is None
    assert "damaged" in stage.why
