"""Which files of a folder make a version bad: real folders, and the search alone."""

from collections.abc import Sequence

import pytest

from fourfold.evidence.bisecting.subsets import minimal

UNITS = [f"part-{at:02}.csv" for at in range(32)]


@pytest.mark.parametrize("guilty", [{0}, {31}, {7, 8}, {3, 29}, {1, 12, 30}])
def test_the_files_that_are_bad_together_are_found(guilty: set[int]) -> None:
    wanted = {UNITS[at] for at in guilty}
    tried = []

    def is_bad(some: Sequence[str]) -> bool:
        tried.append(some)
        return wanted <= set(some)

    files, whole = minimal(UNITS, is_bad)
    assert set(files) == wanted
    assert whole
    assert len(tried) <= 64


def test_one_file_of_1024_is_found_with_few_trials() -> None:
    units = [str(at) for at in range(1024)]
    tried = []

    def is_bad(some: Sequence[str]) -> bool:
        tried.append(some)
        return "777" in some

    assert minimal(units, is_bad) == (["777"], True)
    assert len(tried) <= 20


def test_a_search_that_may_try_no_more_says_that_it_did_not_end() -> None:
    wanted = {UNITS[3], UNITS[29]}
    files, whole = minimal(UNITS, lambda some: wanted <= set(some), most=3)
    assert not whole
    assert wanted <= set(files)


def test_what_cannot_be_tried_is_no_evidence_against_a_file() -> None:
    assert minimal(UNITS[:4], lambda _some: None) == (UNITS[:4], True)
