"""``datasets:`` as values, and back in DVC's bytes."""

import random

import pytest

from fourfold.base.errors import InvalidFileError
from fourfold.formats.dvc import datasets, yamlio
from fourfold.formats.dvc.datasets import DatasetLock, DatasetSpec, ParametrizedDatasetError

REPO = {"name": "one", "url": "../src", "type": "dvc"}
URL = {"name": "all", "url": "s3://b/d", "type": "url"}
FILES = [{"relpath": "b", "meta": {"etag": "x", "size": 0}}, {"relpath": "a", "meta": {"size": 2}}]


def test_what_was_read_is_written_again_and_files_are_sorted() -> None:
    lock = datasets.lock_of({**URL, "meta": {"size": 2, "isdir": True, "nfiles": 2}, "files": FILES})
    assert lock is not None
    assert datasets.lock_document(lock) == {
        **URL,
        "meta": {"isdir": True, "size": 2, "nfiles": 2},
        "files": [{"relpath": "a", "meta": {"size": 2}}, {"relpath": "b", "meta": {"size": 0, "etag": "x"}}],
    }
    assert list(datasets.lock_document(lock)["meta"]) == ["isdir", "size", "nfiles"]


def test_a_lock_of_another_place_is_of_another_specification() -> None:
    lock = datasets.lock_of({**REPO, "path": "data", "rev": "v1", "rev_lock": "0" * 40})
    assert lock == DatasetLock(DatasetSpec("one", "../src", "dvc", "data", "v1"), rev_lock="0" * 40)
    assert lock.spec != DatasetSpec("one", "../src", "dvc", "data", "v2")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("datasets: {a: 1}\n", r"f:1:11: datasets must be a list"),
        ("datasets:\n- one\n", r"f:2:3: datasets\[0\] must be a mapping"),
        ("datasets:\n- {name: a, url: b}\n", "lacks the key 'type'"),
        ("datasets:\n- {name: a, url: b, type: zip}\n", r"f:2:27: unknown type 'zip'"),
        ("datasets:\n- {name: 1, url: b, type: dvc}\n", "name must be text"),
        ("datasets:\n- {name: a, url: b, type: dvc, rev: 1.0}\n", "read as a number"),
        ("datasets:\n- {name: a, url: b, type: dvc, ref: x}\n", "unknown key 'ref'"),
    ],
)
def test_what_is_no_data_set_is_told_with_its_line(text: str, problem: str) -> None:
    data = text.encode()
    with pytest.raises(InvalidFileError, match=problem):
        datasets.parse_specs(yamlio.load(data)["datasets"], data, "f")


@pytest.mark.parametrize(
    "entry",
    [
        {**REPO},
        {**REPO, "rev_lock": 1},
        {**URL},
        {**URL, "meta": {"size": "big"}},
        {**URL, "meta": {}, "files": [1]},
        {**URL, "meta": {}, "files": [{"relpath": "a"}]},
        {"name": "c", "url": "c", "type": "dc", "version": "x", "created_at": "y"},
        [],
        None,
    ],
)
def test_a_lock_that_lacks_what_its_kind_needs_says_nothing(entry: object) -> None:
    assert datasets.lock_of(entry) is None
    data = yamlio.dump({"datasets": [entry]})
    with pytest.raises(InvalidFileError):
        datasets.parse_locks([entry], data, "dvc.lock")


def test_the_first_data_set_starts_the_files() -> None:
    spec = DatasetSpec("one", "../src", "dvc", rev="v1")
    assert datasets.put_spec(b"", spec) == b"datasets:\n- name: one\n  url: ../src\n  type: dvc\n  rev: v1\n"
    assert datasets.put_lock(b"", DatasetLock(spec, rev_lock="0a")) == (
        b"schema: '2.0'\ndatasets:\n- name: one\n  url: ../src\n  type: dvc\n  rev: v1\n  rev_lock: 0a\n"
        b"stages: {}\n"
    )


def test_an_entry_is_replaced_where_it_stands_and_the_rest_is_kept() -> None:
    first = b"- name: one  # gone\n  url: a\n  type: url\n"
    old = b"# top\ndatasets:\n" + first + b"- {name: b, url: c, type: dc}\nstages: {}\n"
    new = datasets.put_spec(old, DatasetSpec("one", "../src", "dvc"))
    assert new.startswith(b"# top\ndatasets:\n- name: one\n  url: ../src\n  type: dvc\n- {name: b, ")
    assert new.endswith(b"stages: {}\n")


def test_an_entry_of_templates_is_not_overwritten() -> None:
    old = b"datasets:\n- name: one\n  url: ${where}\n  type: dvc\n"
    with pytest.raises(ParametrizedDatasetError, match="'one'"):
        datasets.put_spec(old, DatasetSpec("one", "../src", "dvc"))


def test_a_list_of_data_sets_that_is_none_is_not_overwritten() -> None:
    with pytest.raises(InvalidFileError, match="must be a list"):
        datasets.put_spec(b"datasets: x\n", DatasetSpec("one", "../src", "dvc"))


def test_hostile_entries_end_in_typed_errors_or_values() -> None:
    draw = random.Random(43)
    values: list[object] = [
        None,
        1,
        -1,
        1.5,
        True,
        "",
        "x",
        "${x}",
        [],
        {},
        [[]],
        {"relpath": 1},
        "\0",
        "a\nb",
    ]
    keys = ["name", "url", "type", "path", "rev", "rev_lock", "version", "created_at", "meta", "files", "?"]
    for _ in range(300):
        entry = {key: draw.choice(values) for key in draw.sample(keys, draw.randrange(len(keys)))}
        entry |= draw.choice([{}, REPO, URL])
        data = yamlio.dump({"datasets": [entry]})
        for parse in (datasets.parse_specs, datasets.parse_locks):
            try:
                parse([entry], data, "f")
            except InvalidFileError as error:
                assert "f:" in error.message  # noqa: PT017 - what it must say is the point
