"""The error handler: what is printed, and what the process exits with."""

import errno
import io
import json
from pathlib import Path

import pytest

from fourfold.base.errors import AuthError, ConfigError, ConflictError, NotAProjectError, UsageError
from fourfold.cli import failure, table
from fourfold.cli.failure import Scene

HANDLES = table.Command("any", "a command that handles its failures", "track", 1)
PASSES = table.Command("any", "a command whose failures reach main", "track")
EDITS = table.Command("any", "a command that edits configuration", "settings", 251)


def scene(
    command: table.Command | None = HANDLES, *, as_json: bool = False, environ: dict[str, str] | None = None
) -> tuple[Scene, io.StringIO, io.StringIO]:
    out, err = io.StringIO(), io.StringIO()
    found = Scene(["add", "x"], environ or {}, out, err, command=command, as_json=as_json)
    return found, out, err


def test_an_error_shows_message_details_hint_and_code_in_this_order() -> None:
    here, out, err = scene()
    error = ConflictError("2 objects differ", hint="run: ff pull", details=["a  md5 1", "b  md5 2"])
    assert failure.report(error, here) == 1
    assert err.getvalue() == (
        "error: 2 objects differ\n  a  md5 1\n  b  md5 2\nhint: run: ff pull\ncode: conflict\n"
    )
    assert out.getvalue() == ""


def test_an_error_with_json_shows_the_same_fields_on_stdout() -> None:
    here, out, err = scene(as_json=True)
    failure.report(ConflictError("it differs", hint="run: ff pull", details=["a"]), here)
    assert json.loads(out.getvalue()) == {
        "error": {
            "code": "conflict",
            "message": "it differs",
            "hint": "run: ff pull",
            "details": ["a"],
            "exit_code": 1,
        }
    }
    assert err.getvalue().startswith("error: it differs\n")


def test_details_beyond_twenty_are_counted_in_text_and_complete_in_json() -> None:
    here, out, err = scene(as_json=True)
    failure.report(ConflictError("many", details=[f"file {n}" for n in range(1020)]), here)
    lines = err.getvalue().splitlines()
    assert lines[21] == "  ... and 1,000 more"
    assert len(json.loads(out.getvalue())["error"]["details"]) == 1020


def test_names_from_a_repository_cannot_drive_the_terminal() -> None:
    here, _out, err = scene()
    failure.report(ConflictError("bad name: \x1b]0;gotcha\x07\nerror: fake", details=["\x1b[2Jx"]), here)
    assert "\x1b" not in err.getvalue()
    assert err.getvalue().splitlines()[0] == "error: bad name: \\x1b]0;gotcha\\x07 error: fake"


@pytest.mark.parametrize(
    ("error", "command", "code"),
    [
        (ConflictError("x"), HANDLES, 1),
        (ConflictError("x"), PASSES, 255),
        (ConflictError("x"), EDITS, 251),
        (ConfigError("x"), HANDLES, 1),
        (ConfigError("x"), PASSES, 251),
        (AuthError("x"), HANDLES, 251),
        (UsageError("x"), HANDLES, 1),
        (UsageError("x"), PASSES, 255),
        (UsageError("x"), None, 254),
        (NotAProjectError("x"), HANDLES, 1),
        (NotAProjectError("x"), PASSES, 253),
        (OSError(errno.ENOSPC, "No space left on device"), HANDLES, 1),
        (OSError(errno.ENOSPC, "No space left on device"), PASSES, 255),
        (MemoryError(), PASSES, 255),
        (RecursionError(), PASSES, 255),
        (KeyboardInterrupt(), HANDLES, 252),
        (BrokenPipeError(), HANDLES, 141),
    ],
)
def test_exit_codes_are_dvcs(error: BaseException, command: table.Command | None, code: int) -> None:
    here, _out, _err = scene(command)
    assert failure.report(error, here) == code


@pytest.mark.parametrize(("error", "code"), [(NotAProjectError("x"), 253), (ConfigError("x"), 251)])
def test_what_fails_while_the_project_opens_keeps_the_code_of_its_category(
    error: NotAProjectError, code: int
) -> None:
    here, _out, _err = scene(HANDLES)
    assert failure.report(error, here._replace(opening=error)) == code


def test_a_bug_exits_3_and_leaves_a_report_without_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    here, _out, err = scene()
    here = here._replace(argv=["remote", "add", "x", "https://ada:hunter2@example.org/x"])
    with pytest.raises(KeyError) as caught:
        {}["https://ada:hunter2@example.org/x"]
    assert failure.report(caught.value, here) == 3
    (report,) = tmp_path.iterdir()
    text = report.read_text()
    assert "ff 0" in text
    assert "Traceback" in text
    assert "KeyError" in text
    assert "hunter2" not in text
    assert "hunter2" not in err.getvalue()
    lines = err.getvalue().splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("error: a bug in ff: KeyError")
    assert str(report) in lines[1]
    assert report.stat().st_mode & 0o077 == 0


def test_a_bug_whose_report_cannot_be_written_is_still_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    here, _out, err = scene()
    assert failure.report(ZeroDivisionError("division by zero"), here) == 3
    assert "FF_SHOW_TRACEBACK=1" in err.getvalue()


def test_a_traceback_is_shown_only_on_request() -> None:
    for environ, shown in (({}, False), ({"FF_SHOW_TRACEBACK": "1"}, True)):
        here, _out, err = scene(environ=environ)
        failure.report(ConflictError("x"), here)
        assert ("Traceback" in err.getvalue() or "ConflictError" in err.getvalue()) is shown


def test_colour_of_errors_follows_the_setting() -> None:
    here, _out, err = scene()
    failure.report(ConflictError("x"), here._replace(color="always"))
    assert "\x1b[31merror:\x1b[0m x" in err.getvalue()
