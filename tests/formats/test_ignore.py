"""Ignore patterns: each means what it means to DVC's own library, and none is slow."""

import re
import time
import warnings

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

from fourfold.formats.dvc.ignore import (
    MAX_SIZE,
    BadIgnoreFileError,
    Rule,
    RuleSet,
    parse,
    rebase,
    translate,
)

PIECES = [
    "a", "b", "ab", "foo", ".txt", "*", "**", "?", "/", "/", "//", "[ab]", "[!a]", "[^b-d]", "[a-c]", "[]a]",
    "[", "]", "\\", "\\*", "\\ ", " ", "!", "#", ".", "é", "[z-a]", "[[:alpha:]]", "[a-]", "-", "+", "(",
    "$", "[\\]]", "[a&&b]", "{a,b}",
]  # fmt: skip
PATTERNS = st.lists(st.sampled_from(PIECES), min_size=1, max_size=7).map("".join)
NAMES = st.lists(st.sampled_from([*"ab", "foo", ".txt", " ", "é", "[", "]", "\\", "-", "!", "#", "*", "."]),
                 min_size=1, max_size=4).map("".join)  # fmt: skip
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)


def oracle(pattern: str) -> tuple[re.Pattern[str] | None, bool]:
    """The expression of DVC's library, as DVC uses it: compiled alone, matched from the start."""
    try:
        expression, ignores = GitIgnoreSpecPattern.pattern_to_regex(pattern)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sets that Python may read differently one day
            return (None if expression is None else re.compile(expression)), bool(ignores)
    except (ValueError, re.error):
        return None, False


@given(PATTERNS, st.lists(PATHS, min_size=1, max_size=6), st.booleans())
def test_any_pattern_matches_what_it_matches_with_dvcs_library(
    pattern: str, paths: list[str], is_dir: bool
) -> None:
    assume(not (re.search(r"\[[!^]", pattern) and pattern.count("*") > 2))
    expected, ignores = oracle(pattern)
    found = translate(pattern)
    if expected is None:
        assert found is None
        return
    assert found is not None
    assert found[1] == ignores
    for path in paths:
        asked = path + "/" if is_dir else path
        assert bool(re.match(found[0], asked)) == bool(expected.match(asked)), (pattern, asked, found[0])


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        ("foo", ["foo", "a/foo", "foo/x"], ["foob", "afoo"]),
        ("/foo", ["foo", "foo/x"], ["a/foo"]),
        ("a/foo", ["a/foo"], ["b/a/foo"]),
        ("foo/", ["foo/", "a/foo/x"], ["foo"]),
        ("*.txt", ["x.txt", "a/.txt"], ["x.txt2"]),
        ("a/**/b", ["a/b", "a/x/y/b"], ["ab", "a/xb"]),
        ("**/a", ["a", "x/y/a"], ["xa"]),
        ("a/**", ["a/", "a/b/c"], ["a"]),
        ("\\#x", ["#x"], ["x"]),
        ("a\\*", ["a*"], ["ab"]),
        ("a?c", ["abc"], ["a/c", "ac"]),
        ("*a*b*c*d*", ["xaxbxcxdx", "abcd"], ["abdc"]),
        ("**/a/**/b/**/c", ["a/b/c", "x/a/y/b/z/z/c"], ["b/a/c"]),
    ],
)
def test_a_pattern_means_what_the_manual_says(pattern: str, matching: list[str], other: list[str]) -> None:
    found = translate(pattern)
    assert found is not None
    assert [path for path in matching if not re.match(found[0], path)] == []
    assert [path for path in other if re.match(found[0], path)] == []


@pytest.mark.parametrize("pattern", ["", " ", "# x", "/", "!", "a\\", "[z-a]", "[a", "!["])
def test_a_pattern_without_meaning_matches_nothing(pattern: str) -> None:
    assert translate(pattern) is None


@pytest.mark.parametrize(
    "pattern",
    [
        "*a" * 60 + "b",
        "**/a/" * 40 + "b",
        "*?" * 60 + "b",
        "a*/**/" * 30 + "b",
        "[!x]*" * 50 + "b",
        "*" * 5000 + "b",
    ],
)
def test_no_pattern_is_slow(pattern: str) -> None:
    rules = RuleSet([Rule(pattern)])
    begun = time.monotonic()
    for path in ("a" * 250, "a/" * 1500 + "a", "aa/" * 1000 + "c"):
        rules.excludes(path[:4000], is_dir=False)
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("foo", "sub/**/foo"),
        ("/foo", "sub/foo"),
        ("a/b", "sub/a/b"),
        ("**/b", "sub/**/b"),
        ("foo/", "sub/**/foo/"),
        ("!foo", "!/sub/**/foo"),
        ("\\!foo", "sub/**/!foo"),
    ],
)
def test_a_pattern_of_a_folder_is_rewritten_for_the_root(pattern: str, expected: str) -> None:
    assert rebase(pattern, "sub") == expected


def test_rules_know_their_file_line_and_text() -> None:
    rules = parse(b"# c\n\n  *.txt  \r\n!a\n", "sub/.dvcignore", "sub")
    assert [str(rule) for rule in rules] == ["sub/.dvcignore:3:*.txt", "sub/.dvcignore:4:!a"]
    assert [rule.pattern for rule in rules] == ["sub/**/*.txt", "!/sub/**/a"]
    assert str(Rule(".git/")) == ":.git/"


def test_a_file_that_is_no_text_or_too_large_is_a_typed_error() -> None:
    with pytest.raises(BadIgnoreFileError, match=r"^x, line 2: not UTF-8"):
        parse(b"a\n\xff\n", "x")
    with pytest.raises(BadIgnoreFileError, match="larger"):
        parse(b"a\n" * MAX_SIZE, "x")
    with pytest.raises(BadIgnoreFileError, match="more than"):
        parse(b"a\n" * 20_001, "x")


def test_the_last_rule_that_matches_decides() -> None:
    rules = RuleSet(parse(b"*.txt\n!keep.txt\nkeep.txt/\n", "x"))
    assert (rules.decide("a.txt", is_dir=False), rules.decide("keep.txt", is_dir=False)) == (True, False)
    assert (rules.decide("keep.txt", is_dir=True), rules.decide("b", is_dir=False)) == (True, None)
    assert rules.excludes("d.txt/keep.txt", is_dir=False)  # what lies in an ignored folder stays ignored
