"""Dispatch: what `ff` answers before and around any command."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fourfold import __version__
from fourfold.cli.main import Invocation
from tests.fixtures.sandbox import Tool


class Said:
    """One run in this process: its exit code and what it wrote."""

    def __init__(self, *argv: str, environ: dict[str, str] | None = None) -> None:
        out, err = io.StringIO(), io.StringIO()
        invocation = Invocation(argv, environ=environ or {}, stdin=io.StringIO(), stdout=out, stderr=err)
        self.code = invocation.run()
        self.out, self.err = out.getvalue(), err.getvalue()


def test_ff_alone_prints_short_help_and_exits_as_dvc_does() -> None:
    said = Said()
    assert said.code == 254
    assert said.out.startswith("Fourfold:")
    assert len(said.out.splitlines()) < 20
    assert said.err == ""


def test_options_without_a_command_are_answered_like_ff_alone() -> None:
    assert Said("-q").code == 254
    assert Said("-q").out == Said().out


@pytest.mark.parametrize("argv", [("--help",), ("-h",), ("help",), ("-v", "--help"), ("help", "--help")])
def test_help_of_the_whole_is_one_page_with_every_command(argv: tuple[str, ...]) -> None:
    said = Said(*argv)
    assert said.code == 0
    assert "Set up:" in said.out
    assert "completion " in said.out


@pytest.mark.parametrize(
    "argv", [("root", "--help"), ("help", "root"), ("root", "-h"), ("-q", "root", "--he")]
)
def test_help_of_a_command_is_short_and_ends_with_an_example(argv: tuple[str, ...]) -> None:
    said = Said(*argv)
    assert said.code == 0
    assert said.out.startswith("Print the path to the root of the project.\n\nUsage: ff root [options]\n")
    assert said.out.endswith("Example: ff root\n")


@pytest.mark.parametrize("argv", [("--version",), ("-V",), ("-q", "--version"), ("--vers",)])
def test_version_is_answered_wherever_it_stands_before_the_command(argv: tuple[str, ...]) -> None:
    said = Said(*argv)
    assert (said.code, said.out) == (0, __version__ + "\n")


@pytest.mark.parametrize(
    ("argv", "message", "hint", "code"),
    [
        (("rot",), "ff has no command 'rot'", "did you mean 'root'?", "unknown-command"),
        (("compl",), "ff has no command 'compl'", "did you mean 'completion'?", "unknown-command"),
        (("xyzzy",), "ff has no command 'xyzzy'", "see: ff --help", "unknown-command"),
        (("help", "xyzzy"), "ff has no command 'xyzzy'", "see: ff --help", "unknown-command"),
        (("root", "--quit"), "ff root has no option '--quit'", "did you mean '--quiet'?", "unknown-option"),
        (("--quit", "root"), "ff has no option '--quit'", "did you mean '--quiet'?", "unknown-option"),
        (("root", "--xyzzy=1"), "ff root has no option '--xyzzy'", "see: ff root --help", "unknown-option"),
        (("root", "x"), "unexpected argument 'x'", "see: ff root --help", "usage"),
        (
            ("completion", "-s", "bsh"),
            "-s/--shell: unknown value 'bsh'",
            "did you mean 'bash'?",
            "bad-choice",
        ),
        (("completion", "-s"), "-s/--shell: expected one argument", "see: ff completion --help", "usage"),
        (
            ("-q", "-v", "root"),
            "-v/--verbose: not allowed with argument -q/--quiet",
            "see: ff --help",
            "usage",
        ),
        (
            ("root", "--color", "alway"),
            "--color: unknown value 'alway'",
            "did you mean 'always'?",
            "bad-choice",
        ),
    ],
)
def test_a_wrong_command_line_is_one_line_and_a_hint_and_254(
    argv: tuple[str, ...], message: str, hint: str, code: str
) -> None:
    said = Said(*argv)
    assert said.code == 254
    assert said.err == f"error: {message}\nhint: {hint}\ncode: {code}\n"
    assert said.out == ""


def test_a_wrong_command_line_with_json_is_an_object_too() -> None:
    said = Said("root", "--xyzzy", "--json")
    assert json.loads(said.out) == {
        "error": {
            "code": "unknown-option",
            "message": "ff root has no option '--xyzzy'",
            "hint": "see: ff root --help",
            "exit_code": 254,
        }
    }
    assert said.err.startswith("error: ff root has no option")


def test_cd_that_names_no_directory_fails_with_its_name(tmp_path: Path) -> None:
    said = Said("--cd", str(tmp_path / "nope"), "root")
    assert said.code == 255
    assert said.err.splitlines()[0] == f"error: no such directory: {tmp_path / 'nope'}"


@pytest.mark.parametrize("before", [True, False])
def test_global_options_mean_the_same_before_and_after_the_command(tmp_path: Path, before: bool) -> None:
    (tmp_path / ".dvc").mkdir()
    (tmp_path / "a").mkdir()
    common = ("--cd", str(tmp_path / "a"), "--json", "--wait-for-lock", "--color", "never")
    said = Said(*common, "root") if before else Said("root", *common)
    assert said.code == 0
    assert json.loads(said.out) == {"path": str(tmp_path), "root": ".."}


def test_quiet_before_the_command_is_not_lost(tmp_path: Path) -> None:
    (tmp_path / ".dvc").mkdir()
    assert Said("-q", "--cd", str(tmp_path), "root").out == ""
    assert Said("--cd", str(tmp_path), "root", "-q").out == ""


def test_ff_does_not_change_directory(tmp_path: Path) -> None:
    (tmp_path / ".dvc").mkdir()
    here = os.getcwd()
    assert Said("--cd", str(tmp_path), "root").code == 0
    assert os.getcwd() == here


def test_closed_streams_are_no_reason_to_fail(tmp_path: Path) -> None:
    (tmp_path / ".dvc").mkdir()
    code = Invocation(["root", "--cd", str(tmp_path)], environ={}, stdin=None, stdout=None, stderr=None).run()
    assert code == 0
    code = Invocation(["rot"], environ={}, stdin=None, stdout=None, stderr=None).run()
    assert code == 254


def test_standard_output_on_a_full_disk_is_an_error_and_not_a_traceback(ff: Tool, tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*ff.command, "completion"],
            cwd=tmp_path,
            env=ff.env,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 255
    assert done.stderr.splitlines()[0] == "error: writing the output failed: No space left on device"
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_a_version_that_cannot_be_written_is_an_error(ff: Tool, tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*ff.command, "--version"],
            cwd=tmp_path,
            env=ff.env,
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 255
    assert done.stderr.startswith(b"error: writing the output failed: No space left on device\n")
    assert b"Exception ignored" not in done.stderr


def test_a_reader_that_goes_away_is_no_error(ff: Tool, tmp_path: Path) -> None:
    read, writing = os.pipe()
    os.close(read)
    done = subprocess.run(
        [*ff.command, "completion"],
        cwd=tmp_path,
        env=ff.env,
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_working_directory_that_is_gone_is_an_expected_error(ff: Tool, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    script = f"mkdir {gone} && cd {gone} && rmdir {gone} && exec {sys.executable} -m fourfold root"
    done = subprocess.run(["sh", "-c", script], env=ff.env, capture_output=True, text=True, check=False)
    assert done.returncode == 255
    assert done.stderr.startswith("error: the current directory does not exist any more")


def test_whole_process_prints_what_it_prints_in_process(ff: Tool, tmp_path: Path) -> None:
    assert ff("--version", cwd=tmp_path).stdout == __version__ + "\n"
    assert ff(cwd=tmp_path, check=False).code == 254
    assert ff("--help", cwd=tmp_path).stdout == Said("--help").out
