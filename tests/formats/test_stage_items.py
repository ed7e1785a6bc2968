"""Entries added to lists of a stage: what else stands in the file stays as it is."""

import difflib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourfold.formats.dvc import yamlio
from fourfold.formats.dvc.stage_items import escaped, with_items

FILE = b"""\
# top
stages:
  # about prepare
  prepare:
    cmd: python src/prepare.py   # runs
    deps:
      - src/prepare.py  # the code
      - data/raw

    # outputs
    outs: [a, b]

  train:
    cmd: >-
      python train.py
    # what comes out
    outs:
      - model.pkl  # big

  each:
    foreach: [a, b]
    do:
      cmd: echo ${item}
      outs:
      - ${item}.txt:
          cache: false
"""


def added(old: bytes, new: bytes) -> list[str]:
    """The lines of a difference, if it only adds."""
    lines = list(difflib.ndiff(old.decode().splitlines(), new.decode().splitlines()))
    assert not [line for line in lines if line.startswith("- ")], "\n".join(lines)
    return [line[2:] for line in lines if line.startswith("+ ")]


def test_an_entry_goes_behind_the_last_one_with_its_indent() -> None:
    assert added(FILE, with_items(FILE, "prepare", {"deps": ["schema.yaml"]})) == ["      - schema.yaml"]


def test_a_list_in_brackets_stays_one() -> None:
    new = with_items(FILE, "prepare", {"outs": ["c.json"]})
    assert new == FILE.replace(b"[a, b]\n\n  train", b"[a, b, c.json]\n\n  train")


def test_a_new_list_stands_where_dvc_would_write_it() -> None:
    new = with_items(FILE, "train", {"deps": ["x.csv", "y z.csv"]})
    assert added(FILE, new) == ["    deps:", "      - x.csv", "      - y z.csv"]
    assert list(yamlio.load(new)["stages"]["train"]) == ["cmd", "deps", "outs"]
    assert b"- y z.csv\n    # what comes out\n    outs:" in new


def test_what_a_template_makes_gets_it_in_its_definition() -> None:
    new = with_items(FILE, "each", {"deps": ["x.csv"]})
    assert yamlio.load(new)["stages"]["each"]["do"]["deps"] == ["x.csv"]
    assert len(added(FILE, new)) == 2


def test_an_output_with_options_is_written_as_such() -> None:
    new = with_items(FILE, "train", {"outs": [{"m.json": {"cache": False}}]})
    assert yamlio.load(new)["stages"]["train"]["outs"] == ["model.pkl", {"m.json": {"cache": False}}]
    assert len(added(FILE, new)) == 2


def test_what_is_there_already_changes_nothing() -> None:
    assert with_items(FILE, "prepare", {"deps": ["data/raw"], "outs": [{"a": {"cache": False}}]}) == FILE


def test_a_list_that_lines_cannot_be_added_to_is_written_anew() -> None:
    old = b"stages:\n  a: {cmd: x, deps: []}\n"
    assert yamlio.load(with_items(old, "a", {"deps": ["b c: d"]}))["stages"]["a"]["deps"] == ["b c: d"]


def test_a_stage_that_is_not_there_is_refused() -> None:
    with pytest.raises(yamlio.BadYamlError, match="has no 'nobody'"):
        with_items(FILE, "nobody", {"deps": ["x"]}, "dvc.yaml")


def test_what_would_begin_a_template_is_escaped() -> None:
    assert escaped("a${b}", templated=True) == "a\\${b}"
    assert escaped("a${b}", templated=False) == "a${b}"


@given(
    st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1), min_size=1),
    st.sampled_from(["prepare", "train", "each"]),
)
def test_any_name_says_after_writing_what_it_said_before(names: list[str], stage: str) -> None:
    new = with_items(FILE, stage, {"deps": list(dict.fromkeys(names))})
    entry = yamlio.load(new)["stages"][stage]
    known = ["src/prepare.py", "data/raw"] if stage == "prepare" else []
    fresh = [name for name in dict.fromkeys(names) if name not in known]
    assert entry.get("do", entry).get("deps") == [*known, *fresh]
