"""What changed in files of code: lines, functions, and whether it means anything."""

import time

import pytest

from fourfold.evidence.explaining.codechanges import compare_code

BEFORE = b'''\
"""A module."""
import os


class Model:
    def fit(self, x):
        return x + 1

    def score(self, x):
        # why
        return x


def main():
    """Say."""
    print(Model().fit(1))
'''


def test_lines_and_the_functions_they_are_in_are_told() -> None:
    found = compare_code(BEFORE, BEFORE.replace(b"x + 1", b"x + 2").replace(b"fit(1)", b"fit(3)"), "m.py")
    assert (found.lines, found.functions, found.cosmetic) == (2, ("fit", "main"), False)
    assert found.told == "2 lines changed, in 'fit', 'main'"
    assert found.share == pytest.approx(2 / 16)


@pytest.mark.parametrize(
    "after",
    [
        BEFORE.replace(b"# why", b"# because"),
        BEFORE.replace(b'"""Say."""', b'"""Speak."""'),
        BEFORE.replace(b"\n\n\n", b"\n\n\n\n"),
        BEFORE.replace(b"print(Model().fit(1))", b"print(\n        Model().fit(1)\n    )"),
    ],
)
def test_comments_docstrings_and_layout_mean_nothing(after: bytes) -> None:
    found = compare_code(BEFORE, after, "m.py")
    assert found.cosmetic
    assert found.told == "only comments, docstrings or layout changed"


def test_code_that_nobody_can_parse_and_other_languages_are_compared_by_lines() -> None:
    assert compare_code(b"def f(:\n", b"def f(:\n 1\n", "m.py").lines == 1
    assert compare_code(b"a <- 1\nb <- 2\n", b"a <- 1\nb <- 3\n", "m.R").told == "1 line changed"


def test_a_file_that_is_new_or_gone_is_all_lines_and_one_that_is_not_had_none() -> None:
    assert compare_code(b"", BEFORE, "m.py").share == 1.0
    assert not compare_code(BEFORE, b"", "m.py").cosmetic
    assert compare_code(None, BEFORE, "m.py").told == ""
    assert compare_code(b"\0" * 10, BEFORE, "m.py").lines is None


def test_files_of_which_nothing_stayed_are_compared_in_no_time() -> None:
    sides = ["\n".join(f"x{at * step} = {at % 7}" for at in range(8000)) for step in (1, 3)]
    began = time.process_time()
    found = compare_code(sides[0].encode(), sides[1].encode(), "m.py")
    assert time.process_time() - began < 2
    assert found.lines is not None
    assert found.lines > 5000


def test_lines_that_only_stand_elsewhere_are_few() -> None:
    lines = [f"f{at}()\n" for at in range(50)]
    moved = [*lines[1:], lines[0]]
    assert compare_code("".join(lines).encode(), "".join(moved).encode(), "m.py").lines == 1


def test_code_that_is_nested_beyond_reason_breaks_nothing() -> None:
    deep = ("x = " + "-" * 900 + "1\n" + "y = " + "+".join(["1"] * 3000) + "\n").encode()
    assert compare_code(deep, deep + b"z = 1\n", "m.py").lines == 1
    assert compare_code(b"(" * 10_000, b"(" * 10_001, "m.py").lines == 1
