"""Drawn pipelines: both tools plan the same, do the same, and go on from what the other left.

`make test` plays the first twenty draws, `make slow` two thousand. A draw that differs prints its seed and
the smallest history found that shows it, as a shell script. By hand: ``python -m tests.fuzz.pipelines``.
"""

from pathlib import Path

import pytest

from tests.fuzz.pipelines.draw import draw
from tests.fuzz.pipelines.history import script
from tests.fuzz.pipelines.play import Arena
from tests.fuzz.pipelines.shrink import smallest

#: Draws of one test: so many that starting both tools is no cost, and so few that the cores share them.
QUICK, LONG = 10, 100
#: Seconds that a difference may take to be made small.
SHRINK = 60.0


def _play(base: Path, seeds: range) -> None:
    with Arena(base) as arena:
        for seed in seeds:
            history = draw(seed)
            found = arena.play(history).found
            if found is not None:
                history, found = smallest(arena, history, found, SHRINK)
                pytest.fail(f"seed {seed}: {found}\nas a script:\n{script(history)}", pytrace=False)


@pytest.mark.parametrize("first", range(0, 20, QUICK))
def test_both_tools_plan_and_run_drawn_pipelines_alike(tmp_path: Path, first: int) -> None:
    _play(tmp_path, range(first, first + QUICK))


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 2000, LONG))
def test_both_tools_plan_and_run_two_thousand_drawn_pipelines_alike(tmp_path: Path, first: int) -> None:
    _play(tmp_path, range(first, first + LONG))


def test_a_draw_is_the_same_for_the_same_seed() -> None:
    assert draw(7) == draw(7)
    assert draw(7) != draw(8)
