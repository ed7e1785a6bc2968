"""The door: which reader a file gets, folders, what nobody knows, what is damaged."""

import os
from pathlib import Path

import pytest

from fourfold.base.errors import NotFoundError
from fourfold.formats.likeness import reading
from fourfold.formats.likeness.model import compare
from fourfold.formats.likeness.source import Budget, ContentTooLargeError, UnreadableContentError


def test_a_file_that_nobody_knows_is_equal_in_meaning_when_it_is_bit_for_bit(tmp_path: Path) -> None:
    for name, data in (("a.xyz", b"\0one"), ("b.xyz", b"\0one"), ("c.xyz", b"\0two")):
        (tmp_path / name).write_bytes(data)
    a, b, c = (str(tmp_path / name) for name in ("a.xyz", "b.xyz", "c.xyz"))
    assert reading.compare_paths(a, b) == ()
    (found,) = reading.compare_paths(a, c)
    assert (found.name, found.what) == ("", "values")
    assert reading.read(a).canonicalizer == "bytes/1"


def test_an_empty_file_is_of_no_format_and_differs_from_one_that_is() -> None:
    empty = reading.read_bytes(b"", "a.json")
    assert (empty.kind, empty.leaves[""].shape) == ("bytes", (0,))
    assert compare(empty, reading.read_bytes(b"{}", "a.json"))[0].what == "kind"


def test_a_folder_is_compared_file_by_file_and_names_the_leaf_that_differs(tmp_path: Path) -> None:
    for side, text in (("a", '{"auc": 1, "n": 2}'), ("b", '{"n": 2.0,\n "auc": 1.5}')):
        (tmp_path / side / "sub").mkdir(parents=True)
        (tmp_path / side / "sub" / "m.json").write_text(text)
        os.symlink("sub", tmp_path / side / "link")
    (found,) = reading.compare_paths(str(tmp_path / "a"), str(tmp_path / "b"))
    assert (found.name, found.what) == ("sub/m.json!auc", "values")


def test_a_link_within_a_folder_is_its_target_and_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    os.symlink("..", tmp_path / "a" / "up")
    assert list(reading.read(str(tmp_path / "a")).leaves) == ["up"]


def test_a_missing_file_is_a_typed_error(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        reading.read(str(tmp_path / "none.json"))


def test_the_name_of_old_tells_the_format_of_what_lies_in_a_cache(tmp_path: Path) -> None:
    (tmp_path / "0123").write_text("[]")
    assert reading.read(str(tmp_path / "0123")).kind != "json"
    assert reading.read(str(tmp_path / "0123"), "m.json").kind == "json"


def test_what_is_not_of_the_format_of_its_name_is_an_error_not_bytes() -> None:
    with pytest.raises(UnreadableContentError, match=r"m\.json: not JSON"):
        reading.read_bytes(b"{", "m.json")


def test_what_is_beyond_the_budget_is_an_error() -> None:
    with pytest.raises(ContentTooLargeError):
        reading.read_bytes(b"[1, 2, 3]", "m.json", budget=Budget(document=4))
    with pytest.raises(ContentTooLargeError):
        reading.read_bytes(b'["a", "b", "c"]', "m.json", budget=Budget(parts=2))
