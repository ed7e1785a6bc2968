"""Printing: colour, names that are not text, names that are control sequences."""

import io
import json
import os
import pty
import subprocess
from pathlib import Path

import pytest

from fourfold.cli.outcome import Outcome
from fourfold.cli.render import Style, plain, print_outcome, to_json, wants_color
from tests.fixtures.sandbox import Tool


class Terminal(io.StringIO):
    """A stream that somebody looks at."""

    def isatty(self) -> bool:
        return True


def printed(outcome: Outcome, stream: io.StringIO, *, as_json: bool = False, quiet: bool = False) -> str:
    print_outcome(outcome, stream, as_json=as_json, quiet=quiet)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("terminal", "setting", "environ", "colored"),
    [
        (True, "auto", {}, True),
        (False, "auto", {}, False),
        (True, "auto", {"NO_COLOR": "1"}, False),
        (True, "auto", {"NO_COLOR": ""}, True),
        (True, "auto", {"TERM": "dumb"}, False),
        (True, "never", {}, False),
        (False, "always", {"NO_COLOR": "1"}, True),
    ],
)
def test_colour_is_for_terminals_unless_told_otherwise(
    terminal: bool, setting: str, environ: dict[str, str], colored: bool
) -> None:
    stream = Terminal() if terminal else io.StringIO()
    assert wants_color(stream, setting, environ) is colored


def test_style_paints_only_when_it_is_on() -> None:
    assert Style(on=True).red("x") == "\x1b[31mx\x1b[0m"
    assert Style(on=False).red("x") == "x"


def test_text_is_printed_line_by_line_and_nothing_under_quiet() -> None:
    assert printed(Outcome(text=["a", "b"]), io.StringIO()) == "a\nb\n"
    assert printed(Outcome(text=["a"]), io.StringIO(), quiet=True) == ""
    assert printed(Outcome(text=["a"], loud=True), io.StringIO(), quiet=True) == "a\n"
    assert printed(Outcome(), io.StringIO()) == ""


def test_json_is_one_document_in_the_layout_of_dvc() -> None:
    outcome = Outcome(data={"a": [1, {"b": "é"}]}, text=["not this"])
    assert printed(outcome, io.StringIO(), as_json=True) == '{"a": [1, {"b": "\\u00e9"}]}\n'
    assert printed(outcome, io.StringIO(), as_json=True, quiet=True).startswith("{")
    assert json.loads(printed(outcome, Terminal(), as_json=True)) == outcome.data


def test_a_long_listing_is_written_in_batches_and_arrives_whole() -> None:
    lines = [f"data/part-{n:06}" for n in range(100_000)]
    assert printed(Outcome(text=iter(lines)), io.StringIO()) == "\n".join(lines) + "\n"


def test_a_name_cannot_drive_a_terminal_but_our_colours_reach_it() -> None:
    shown = printed(Outcome(text=["\x1b[32madded\x1b[0m \x1b]0;t\x07\x1b[2J\x9b1m"]), Terminal())
    assert shown == "\x1b[32madded\x1b[0m \\x1b]0;t\\x07\\x1b[2J\\x9b1m\n"


def test_off_a_terminal_a_name_keeps_its_bytes() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="utf-8")
    print_outcome(
        Outcome(text=["plain", os.fsdecode(b"caf\xe9"), "\x1b[2J", "tail"]),
        stream,
        as_json=False,
        quiet=False,
    )
    assert raw.getvalue() == b"plain\ncaf\xe9\n\x1b[2J\ntail\n"


def test_an_encoding_that_lacks_a_letter_is_no_reason_to_fail() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    print_outcome(Outcome(text=["naïve"]), stream, as_json=False, quiet=False)
    assert raw.getvalue() == b"na\\xefve\n"


def test_json_of_a_name_that_is_no_text_can_be_read_back() -> None:
    name = os.fsdecode(b"caf\xe9")
    assert json.loads(to_json([name])) == [name]


def test_plain_shows_what_a_terminal_would_obey() -> None:
    assert plain("a\tb\x1bc\x7f\x85") == "a\tb\\x1bc\\x7f\\x85"
    assert plain("größe") == "größe"


def test_an_error_is_red_on_a_real_terminal_and_plain_in_a_pipe(ff: Tool, tmp_path: Path) -> None:
    main, side = pty.openpty()
    env = {key: value for key, value in ff.env.items() if key != "NO_COLOR"} | {"TERM": "xterm"}
    done = subprocess.run([*ff.command, "rot"], cwd=tmp_path, env=env, stderr=side, check=False)
    os.close(side)
    shown = os.read(main, 4096)
    os.close(main)
    assert done.returncode == 254
    assert shown.startswith(b"\x1b[31merror:\x1b[0m ff has no command 'rot'")
    piped = subprocess.run([*ff.command, "rot"], cwd=tmp_path, env=env, capture_output=True, check=False)
    assert piped.stderr.startswith(b"error: ff has no command")
