"""States: what a result follows from, and that two of which something is not known are not taken for one."""

from typing import Any

import pytest

from fourfold.evidence.lineage import Lineage, Step
from fourfold.evidence.states import Key, key_of
from fourfold.formats.native.fact import absent, observed
from fourfold.formats.native.record import RunId, RunRecord
from tests.runs.recordmaking import Parts, make

INPUT = {"path": "big.bin", "role": "dep", "size": 1}


def key(name: str, parts: Parts, **changes: dict[str, Any]) -> Key:
    """The key of a run of that id, some facts of it otherwise."""
    record: RunRecord = make(parts)
    sections = {section: {**getattr(record, section), **facts} for section, facts in changes.items()}
    return key_of(Lineage((Step(RunId(name * 64), record._replace(**sections), {}),)), parts.read)


def test_runs_that_read_the_same_have_one_key_whatever_they_are_called() -> None:
    parts = Parts()
    assert key("a", parts) == key("b", parts)


@pytest.mark.parametrize(
    ("changes", "coordinate"),
    [
        ({"data": {"inputs": observed([INPUT]), "unread": observed({"big.bin": "denied"})}}, "data"),
        ({"data": {"params": observed({"part": "0" * 64, "size": 1})}}, "parameters"),
        ({"code": {"sources": absent("not watched"), "tree": absent("outside of Git")}}, "code"),
    ],
)
def test_what_is_not_known_of_a_run_makes_it_no_other_one_and_did_not_move(
    changes: dict[str, dict[str, Any]], coordinate: str
) -> None:
    parts = Parts()
    one, other = (key(name, parts, **changes) for name in "ab")
    assert getattr(one, coordinate) != getattr(other, coordinate)
    assert one == key("a", parts, **changes)
    assert coordinate not in one.moved(other)


def test_an_input_that_was_not_there_is_known() -> None:
    changes = {"data": {"inputs": observed([INPUT]), "missing": observed(["big.bin"])}}
    parts = Parts()
    assert key("a", parts, **changes) == key("b", parts, **changes)
