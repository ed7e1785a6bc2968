"""What a command is given."""

import io
from pathlib import Path

import pytest

from fourfold.base.errors import NotAProjectError
from fourfold.cli.options import Settings
from fourfold.cli.session import NoSuchDirectoryError, Session


class Terminal(io.StringIO):
    """A stream with a person at it."""

    def isatty(self) -> bool:
        return True


def session(cwd: Path, settings: Settings | None = None, **streams: io.StringIO) -> Session:
    return Session(settings or Settings(), cwd=str(cwd), environ={}, **streams)


def test_paths_are_read_relative_to_where_the_command_acts(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    here = session(tmp_path, Settings(cd="a"))
    assert here.cwd == str(tmp_path / "a")
    assert here.resolve("x/../y") == str(tmp_path / "a" / "y")
    assert here.resolve("/etc/hosts") == "/etc/hosts"
    assert here.display(str(tmp_path / "z")) == "../z"


def test_a_directory_that_is_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for name in ("nope", "file"):
        with pytest.raises(NoSuchDirectoryError, match=f"no such directory: {name}"):
            session(tmp_path, Settings(cd=name))


def test_opening_outside_a_project_is_remembered_as_an_opening_error(tmp_path: Path) -> None:
    here = session(tmp_path)
    with pytest.raises(NotAProjectError) as caught:
        here.find_root()
    assert here.opening_error is caught.value


@pytest.mark.parametrize(
    ("typed", "answer"), [("y\n", True), ("YES\n", True), ("n\n", False), ("", False), ("what\ny\n", True)]
)
def test_a_question_is_asked_on_stderr_until_it_is_answered(tmp_path: Path, typed: str, answer: bool) -> None:
    err = Terminal()
    here = session(tmp_path, stdin=Terminal(typed), stdout=io.StringIO(), stderr=err)
    assert here.confirm("remove it?") is answer
    assert err.getvalue() == "remove it? [y/n] " * (2 if typed.startswith("what") else 1)


def test_nobody_at_the_keyboard_means_no(tmp_path: Path) -> None:
    err = io.StringIO()
    assert session(tmp_path, stdin=io.StringIO("y\n"), stderr=err).confirm("remove it?") is False
    assert err.getvalue() == ""


def test_warnings_and_news_go_to_stderr_and_quiet_silences_both(tmp_path: Path) -> None:
    for quiet, said in ((False, "warning: odd\nhint: look\nnews\n"), (True, "")):
        err = io.StringIO()
        here = session(tmp_path, Settings(quiet=quiet), stderr=err)
        here.warn("odd", "look")
        here.news("news")
        assert err.getvalue() == said
