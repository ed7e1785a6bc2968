"""The benchmark's own arithmetic: what counts as a miss, and that data and timings are what they claim."""

import sys
from pathlib import Path

import pytest

from benchmarks import data
from benchmarks.measure import CommandFailedError, Sample, measure, medians
from benchmarks.run import CASES, Row, table

BY_NAME = {case.name: case for case in CASES}


def _row(name: str, ours: Sample, peer: Sample | None = None, anchor: float | None = None) -> Row:
    return Row(BY_NAME[name], ours, peer, anchor)


def test_a_ratio_below_the_bound_is_a_miss_and_says_by_how_much() -> None:
    assert _row("add-copied", Sample(2, 1, 1), Sample(5, 5, 5)).misses == []
    missed = _row("add-copied", Sample(2, 1, 1), Sample(4, 5, 5))
    assert missed.misses == ["2.00x of 2.5x"]
    assert "**miss**" in table([missed])


def test_a_row_that_was_not_measured_again_stays_as_it_was() -> None:
    earlier = table([_row("add-copied", Sample(2, 1, 1), Sample(5, 5, 5)), _row("dag-300", Sample(1, 1, 1))])
    now = table([_row("dag-300", Sample(9, 9, 9))], earlier).splitlines()
    assert now[:3] == earlier.splitlines()[:3]
    assert now[3] != earlier.splitlines()[3]
    assert len(now) == 4


def test_processor_time_memory_and_the_anchor_bound_too() -> None:
    assert "CPU" in _row("push-s3", Sample(1, 4, 1), Sample(5, 9, 1)).misses[0]
    assert "MB" in _row("memory-add", Sample(1, 1, 500_000_000)).misses[0]
    assert "times" in _row("add-large", Sample(2, 1, 1), Sample(9, 9, 9), anchor=1.0).misses[0]


def test_a_command_that_fails_is_not_timed(tmp_path: Path) -> None:
    (tmp_path / "ws").mkdir()
    with pytest.raises(CommandFailedError, match="exits with 3"):
        measure([sys.executable, "-c", "raise SystemExit(3)"], tmp_path / "ws", {})


def test_time_and_memory_of_children_count(tmp_path: Path) -> None:
    (tmp_path / "ws").mkdir()
    burn = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'x = bytearray(90_000_000)'])"
    assert measure([sys.executable, "-c", burn], tmp_path / "ws", {}).rss > 90_000_000


def test_each_figure_has_its_own_median() -> None:
    assert medians([Sample(1, 9, 5), Sample(2, 7, 6), Sample(3, 8, 7)]) == Sample(2, 8, 6)


def test_no_two_files_of_a_data_set_are_equal(tmp_path: Path) -> None:
    shape = data.scaled("a", 0.01)
    data.make(tmp_path / "d", shape)
    files = [p for p in (tmp_path / "d").rglob("*") if p.is_file()]
    assert len(files) == len({p.read_bytes() for p in files}) == shape.files == 200
    assert {p.stat().st_size for p in files} == {shape.size}
