"""Lines of `.gitignore`: written escaped, found again, and each matches its own name alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

from fourfold.formats.gitignore import add_line, escape, line_for, remove_line
from fourfold.scm.git import Git
from tests.fixtures.sandbox import Sandbox, Tool

NAMES = st.text(st.sampled_from("ab .!#[]*?\\é$'\"-"), min_size=1, max_size=6).filter(
    lambda name: name not in {".", ".."}
)


@given(NAMES)
def test_escaping_is_dvcs_but_for_a_blank_at_the_end(name: str) -> None:
    if not name.endswith(" "):
        assert escape(name) == GitIgnoreSpecPattern.escape(name)


@given(st.lists(NAMES, min_size=1, max_size=5, unique=True), st.binary(max_size=20))
def test_a_line_that_was_added_can_be_removed_again(names: list[str], start: bytes) -> None:
    text = start
    for name in names:
        text = add_line(text, name)
        assert add_line(text, name) == text
    for name in names:
        text = remove_line(text, name) or b""
    assert not any(line_for(name).encode() in text.splitlines() for name in names)


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"", b"/x\n"), (b"a\n", b"a\n/x\n"), (b"a", b"a\n/x\n"), (b"/x\n", b"/x\n"), (b"a\r\n", b"a\r\n/x\n")],
)
def test_a_line_goes_to_the_end(old: bytes, new: bytes) -> None:
    assert add_line(old, "x") == new


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"/x\n", None),
        (b"a\n/x\nb\n", b"a\nb\n"),
        (b"a\n  /x  \r\n", b"a\n"),
        (b"/xy\nx\n", b"/xy\nx\n"),
        (b"/x\n/x", None),
        (b"\n/x\n", b"\n"),
    ],
)
def test_a_line_goes_away_wherever_it_stands(old: bytes, new: bytes | None) -> None:
    assert remove_line(old, "x") == new


def test_an_escaped_line_and_one_of_an_old_dvc_are_both_found() -> None:
    assert remove_line(b"/a\\*b\n", "a*b") is None
    assert remove_line(b"/a*b\n", "a*b") is None
    assert remove_line(b"/a \n/a\\ \n", "a ") is None


def test_git_itself_ignores_exactly_the_named_file(git_repo: Sandbox, ff: Tool) -> None:
    names = ["a", "a ", "a  b", "#x", "!x", "a*", "a?", "[ab]", "b\\c", "é", "a\\ ", "-x", "'q\""]
    git_repo.gen(dict.fromkeys(names, ""))
    git = Git(str(git_repo.path), ff.env)
    for name in names:
        git_repo.gen({".gitignore": add_line(b"", name)})
        assert git.ignored(names) == {name}
