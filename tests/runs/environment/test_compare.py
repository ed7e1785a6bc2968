"""What differs between two environments, by sections of real runs and by sections made for it."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from fourfold.formats.native.fact import Fact, absent, observed
from fourfold.runs.environment.compare import Change, compare
from tests.runs.environment.conftest import Stage

Parts = dict[str, Mapping[str, Any]]


def changes(stage: Stage, before: Mapping[str, Fact], after: Mapping[str, Fact]) -> tuple[Change, ...]:
    return compare(before, after, stage.parts.__getitem__)


def listings(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    """What differs between two parts."""
    parts = {"a": before, "b": after}
    sections = [{name: observed({"part": part, "size": 1})} for part in parts]
    return compare(*sections, parts.__getitem__)


def test_runs_of_one_environment_do_not_differ(stage: Stage, make_python: Callable[..., str]) -> None:
    python = make_python("env", apple="1.0")
    one = stage.run("import apple\n", python=python)
    assert changes(stage, one, stage.run("import apple\n", python=python)) == ()


def test_another_version_of_what_was_imported_is_the_first_and_only_change(
    stage: Stage, make_python: Callable[..., str]
) -> None:
    one = stage.run("import apple\n", python=make_python("one", apple="1.0", pear="1.0"))
    other = stage.run("import apple\n", python=make_python("other", apple="1.1", pear="1.0"))
    (change,) = changes(stage, one, other)
    assert change[:6] == ("environment", "distributions", "apple", "version", "1.0", "1.1")


def test_another_number_of_threads_is_the_only_change(stage: Stage) -> None:
    told = [
        stage.run("import numpy\n", environ={"PATH": "/bin", "OPENBLAS_NUM_THREADS": threads})
        for threads in ("1", "2")
    ]
    found = changes(stage, *told)
    assert {change.fact for change in found} == {"threads"}
    assert [(change.before, change.after) for change in found] == [(1, 2), ("1", "2")]


def test_distributions_that_came_went_or_were_edited_are_told_apart() -> None:
    def entry(version: str, record: str | None = "x", **more: Any) -> dict[str, Any]:
        return {"version": version, "record": record, "imported": False, **more}

    before = {"apple": entry("1"), "fig": entry("1"), "pear": entry("1"), "plum": entry("1")}
    after = {
        "apple": entry("1", "y"),
        "fig": entry("1", direct="editable", source="~/fig"),
        "kiwi": entry("3", imported=True),
        "pear": entry("1"),
    }
    found = listings("distributions", before, after)
    assert [(one.name, one.kind, one.before, one.after) for one in found] == [
        ("kiwi", "added", None, "3"),
        ("fig", "changed", "an index", "editable ~/fig"),
        ("apple", "record", "x", "y"),
        ("plum", "removed", "1", None),
    ]


def test_library_of_another_build_or_version_is_one_change() -> None:
    before = {
        "/lib/libc.so.6": {"size": 1, "build_id": "aa"},
        "{prefix}/numpy.libs/libopenblas-0cf96a72.so": {"size": 1, "build_id": "bb"},
        "/lib/libz.so.1.2.13": {"size": 1, "build_id": "cc"},
        "/lib/liba.so": {"size": 1, "build_id": "dd"},
    }
    after = {
        "/lib/libc.so.6": {"size": 1, "build_id": "ab"},
        "{prefix}/numpy.libs/libopenblas-11cf6a72.so": {"size": 1, "build_id": "bc"},
        "/lib/libz.so.1.3.1": {"size": 1, "build_id": "cd"},
        "/lib/libb.so": {"size": 1, "blake3": "de"},
    }
    found = {one.name: (one.kind, one.before, one.after) for one in listings("libraries", before, after)}
    assert found == {
        "/lib/libc.so.6": ("changed", "aa", "ab"),
        "{prefix}/numpy.libs/libopenblas-0cf96a72.so": (
            "version",
            "{prefix}/numpy.libs/libopenblas-0cf96a72.so",
            "{prefix}/numpy.libs/libopenblas-11cf6a72.so",
        ),
        "/lib/libz.so.1.2.13": ("version", "/lib/libz.so.1.2.13", "/lib/libz.so.1.3.1"),
        "/lib/liba.so": ("removed", "dd", None),
        "/lib/libb.so": ("added", None, "de"),
    }


def test_facts_differ_by_dotted_keys_and_what_is_absent_on_one_side_is_told() -> None:
    before = {
        "host": observed({"cpu": {"model": "one", "flags": "x"}, "kernel": "6"}),
        "blas": absent("none"),
    }
    after = {"host": observed({"cpu": {"model": "two", "flags": "x"}, "kernel": "6"}), "blas": observed([1])}
    found = compare(before, after, {}.__getitem__)
    assert [(one.fact, one.name, one.kind, one.before, one.after) for one in found] == [
        ("blas", "", "added", None, "captured"),
        ("host", "cpu.model", "changed", "one", "two"),
    ]


HOSTILE: list[Any] = [
    None,
    0,
    "x",
    [],
    [None],
    [{"file": 1}],
    {},
    {"part": "p"},
    {"part": "p", "size": 1},
    {"": {}},
]


@pytest.mark.parametrize("name", ["distributions", "libraries", "conda", "interpreter", "blas", "others"])
def test_records_from_elsewhere_may_hold_anything(name: str) -> None:
    for part in ({"a": 1}, {"a": {"version": 3, "imported": "x"}}, {}):
        for one in HOSTILE:
            for other in HOSTILE:
                for change in compare(
                    {name: observed(one)}, {name: observed(other)}, lambda _, found=part: found
                ):
                    assert change.fact == name


def test_switches_that_were_set_are_told_one_by_one() -> None:
    before = {"threads": observed({"libraries": {"a.so": 1}})}
    after = {
        "threads": observed(
            {"libraries": {"a.so": 1}, "switches": {"MKL_CBWR": "AVX2", "OMP_NUM_THREADS": "1"}}
        )
    }
    assert [(one.name, one.before, one.after) for one in compare(before, after, {}.__getitem__)] == [
        ("switches.MKL_CBWR", None, "AVX2"),
        ("switches.OMP_NUM_THREADS", None, "1"),
    ]
