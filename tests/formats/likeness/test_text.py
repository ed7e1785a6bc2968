"""Plain text: which differences are none, and how the first line that differs is told."""

import os
import zipfile
from pathlib import Path

from fourfold.formats.likeness import reading
from fourfold.formats.likeness.model import compare
from fourfold.formats.likeness.source import CHUNK


def same(a: bytes, b: bytes, name: str = "a.txt") -> bool:
    return not compare(reading.read_bytes(a, name), reading.read_bytes(b, name))


def test_ends_of_lines_as_on_windows_and_a_byte_order_mark_mean_nothing() -> None:
    assert same(b"one\ntwo\n", b"one\r\ntwo\r\n")
    assert same("ä\n".encode(), "\ufeffä\n".encode())


def test_everything_else_of_a_text_counts() -> None:
    for other in (b"one\ntwo", b"one \ntwo\n", b"one\rtwo\n", b"two\none\n", b"one\n\ntwo\n"):
        assert not same(b"one\ntwo\n", other)


def test_ends_of_lines_are_seen_where_pieces_of_the_file_meet() -> None:
    start = b"x" * (CHUNK - 1)
    assert same(start + b"\r\nend", start + b"\nend")
    assert not same(start + b"\r", start)
    assert same(start + b"\r", start + b"\r")


def test_text_that_is_not_utf_8_is_compared_too_and_with_a_nul_byte_by_byte() -> None:
    assert same(b"\xe4\r\n", b"\xe4\n")
    assert not same("a\r\n".encode("utf-16"), "a\n".encode("utf-16"))
    assert reading.read_bytes(b"a\0b", "a.txt").leaves[""].kind == "bytes"


def test_the_first_line_that_differs_is_told(tmp_path: Path) -> None:
    for side, line in (("a", "loss 0.5"), ("b", "loss 0.75")):
        (tmp_path / side).mkdir()
        (tmp_path / side / "train.log").write_text(f"start\n{line}\nend\n")
    (found,) = reading.compare_paths(str(tmp_path / "a" / "train.log"), str(tmp_path / "b" / "train.log"))
    assert (found.before, found.after) == ("line 2: loss 0.5", "line 2: loss 0.75")
    (found,) = reading.compare_paths(str(tmp_path / "a"), str(tmp_path / "b"))
    assert (found.name, found.before) == ("train.log", "line 2: loss 0.5")


def test_a_long_line_is_shown_where_it_parts_and_without_what_terminals_obey(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"x" * 5000 + b"\x1b[31mone" + b"y" * 5000)
    (tmp_path / "b.txt").write_bytes(b"x" * 5000 + b"two" + b"y" * 5000)
    (found,) = reading.compare_paths(str(tmp_path / "a.txt"), str(tmp_path / "b.txt"))
    assert "two" in found.after
    assert len(found.before) < 120
    assert "\x1b" not in found.before


def test_a_member_of_an_archive_never_names_a_file_to_open(tmp_path: Path) -> None:
    for side in "ab":
        (tmp_path / f"{side}.txt").write_text(side)
        with zipfile.ZipFile(tmp_path / f"{side}.zip", "w") as archive:
            archive.writestr(str(tmp_path / "pipe.txt"), side)
            archive.writestr("../pipe.txt", side)
    os.mkfifo(tmp_path / "pipe.txt")
    found = reading.compare_paths(str(tmp_path / "a.zip"), str(tmp_path / "b.zip"))
    assert [each.before.split()[0] for each in found] == ["text", "text"]
