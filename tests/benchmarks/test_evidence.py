"""The cases on evidence do what their rows say: the way by hand works, and nothing is run for answers."""

import subprocess
from pathlib import Path

import pytest

from benchmarks.case import Work
from benchmarks.evidence import EVIDENCE, versions
from benchmarks.measure import Sample
from benchmarks.run import Row, bench, table
from tests.conftest import find_ff

BY_NAME = {case.name: case for case in EVIDENCE}


def test_an_answer_that_takes_longer_than_it_may_is_a_miss() -> None:
    slow, quick = (Row(BY_NAME["bisect-64"], Sample(wall, 1, 1), None, None) for wall in (1.25, 0.5))
    assert slow.misses == ["1.25 s of 1 s"]
    assert quick.misses == []
    assert "within 1 s" in table([quick])


@pytest.mark.parametrize("name", ["replay-short", pytest.param("replay-data", marks=pytest.mark.slow)])
def test_a_replay_and_what_one_does_by_hand_come_out_equal(name: str, tmp_path: Path, real_dvc: str) -> None:
    row = bench(BY_NAME[name], tmp_path, (find_ff(), real_dvc), 1, 0.001)
    assert row.peer is not None
    assert row.ratio > 0


def test_what_is_by_hand_fails_when_something_else_comes_out(tmp_path: Path, real_dvc: str) -> None:
    case = BY_NAME["replay-short"]
    other = case._replace(by_hand=case.by_hand.replace('"$1" repro', 'echo >> in.txt; "$1" repro'))
    with pytest.raises(RuntimeError, match="exits with 1"):
        bench(other, tmp_path, (find_ff(), real_dvc), 1, 1)


def test_a_short_stage_verifies(tmp_path: Path) -> None:
    assert bench(BY_NAME["verify-short"], tmp_path, (find_ff(), "no peer"), 1, 1).peer is None


def test_versions_that_are_searched_are_recorded_and_nothing_is_run_for_them(tmp_path: Path) -> None:
    work = Work(tmp_path / "ours", find_ff(), tmp_path / "source", None)
    versions(4, 2)(work)
    command = [work.command, "bisect", "--metric", "score", "--good", "v0", "--bad", "v3"]
    done = subprocess.run(command, cwd=work.ws, env=work.env, capture_output=True, text=True, check=True)
    assert "4 of 4 versions recorded, nothing was run" in done.stdout
    assert "moved       data\n" in done.stdout
    assert "version 2" in done.stdout.partition("first bad")[2].partition("\n")[0]


@pytest.mark.slow
def test_the_lab_is_explained_each_time_for_the_first_time(tmp_path: Path) -> None:
    case = BY_NAME["explain-lab"]
    work = Work(tmp_path / "ours", find_ff(), tmp_path / "source", None)
    case.prepare(work)
    case.reset(work)
    command = [work.command, *case.command]
    done = subprocess.run(command, cwd=work.ws, env=work.env, capture_output=True, text=True, check=True)
    assert "data: data/raw" in done.stdout
    assert "params.yaml:train.trees" in done.stdout
    assert list((work.ws / ".dvc/fourfold/runs/facts").iterdir())
