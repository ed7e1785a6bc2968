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
    assert not one.knows(coordinate)


def test_an_input_that_was_not_there_is_known() -> None:
    changes = {"data": {"inputs": observed([INPUT]), "missing": observed(["big.bin"])}}
    parts = Parts()
    assert key("a", parts, **changes) == key("b", parts, **changes)


UNKNOWN: list[tuple[dict[str, dict[str, Any]], str]] = [
    ({"environment": {"digest": absent("no process of Python told")}}, "environment"),
    ({"environment": {"digest": absent("-"), "executables": absent("-")}}, "environment"),
    ({"code": {"sources": observed({"count": 1, "files": {"files": {"train.py": None}}})}}, "code"),
    ({"data": {"inputs": absent("it failed")}}, "data"),
    ({"data": {"params": absent("it failed")}}, "parameters"),
    ({"trace": {"undeclared_reads": observed({"count": 1, "files": [{"path": "x.csv"}]})}}, "data"),
    ({"randomness": {"determinism": absent("it failed")}}, "randomness"),
]


@pytest.mark.parametrize(("changes", "coordinate"), UNKNOWN)
def test_two_of_which_nobody_knows_a_coordinate_are_never_equal_in_it(
    changes: dict[str, dict[str, Any]], coordinate: str
) -> None:
    parts = Parts()
    one, other = (key(name, parts, **changes) for name in "ab")
    assert [name for name in one._fields if getattr(one, name) != getattr(other, name)] == [coordinate]
    assert one == key("a", parts, **changes)
    assert not one.knows(coordinate)
    assert not other.knows(coordinate)
    assert key("c", parts).knows(coordinate)


def test_where_no_python_ran_the_programs_that_were_seen_name_the_environment() -> None:
    def shell(build: str) -> dict[str, Any]:
        used = {"executables": observed({"/bin/sort": {"build_id": build}})}
        return {"environment": {"digest": absent("no Python"), **used}}

    parts = Parts()
    one, other = key("a", parts, **shell("1")), key("b", parts, **shell("1"))
    assert one == other != key("c", parts, **shell("2"))
    assert not one.knows("environment")
    unseen = {"trace": {"coverage": observed({"method": "off", "blind": []})}}
    assert key("a", parts, **shell("1"), **unseen) != key("b", parts, **shell("1"), **unseen)


def test_a_library_that_was_preloaded_is_of_the_environment() -> None:
    parts = Parts()
    preloaded = {"environment": {"loader": observed({"LD_PRELOAD": ["x.so"]})}}
    one, other = key("a", parts), key("b", parts, **preloaded)
    assert [name for name in one._fields if getattr(one, name) != getattr(other, name)] == ["environment"]


def test_a_file_of_the_machine_that_was_read_is_no_data() -> None:
    parts = Parts()
    reads = {"trace": {"undeclared_reads": observed({"count": 1, "files": [{"path": "/etc/hosts"}]})}}
    assert key("a", parts, **reads) == key("b", parts, **reads)
