"""The specification of run records is true: of real records of the churn lab, and of those made for tests."""

import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from fourfold.formats.native.canonical import canonical, digest
from fourfold.formats.native.fact import GRADES
from fourfold.formats.native.record import (
    COORDINATES,
    BadRecordError,
    parse_record,
    parts_of,
    render,
    run_id,
)
from fourfold.runs.changes import opened, value_of
from fourfold.runs.store import Records
from tests.conftest import ROOT, find_ff
from tests.fixtures.sandbox import Sandbox, Tool
from tests.runs.recordmaking import Parts, make

PAGE = (ROOT / "docs" / "formats" / "run-record.md").read_text(encoding="utf-8")
SCHEMA = json.loads((ROOT / "docs" / "formats" / "run-record.schema.json").read_text(encoding="utf-8"))
SECTIONS = (*COORDINATES, "trace")


def documented(section: str) -> set[str]:
    """The names of facts in the first column of a section's table."""
    text = PAGE.split(f"\n## {section}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| ((?:`\w+` ?)+)\|", text, re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`(\w+)`", row)}


def problems(document: Any) -> list[str]:
    """Where a document is not what the schema says."""
    found = Draft202012Validator(SCHEMA).iter_errors(document)
    return [f"{'/'.join(map(str, error.absolute_path))}: {error.message[:200]}" for error in found]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Records:
    """The records of the churn lab after a run of all stages, one that failed, and one of `ff run`."""
    folder = tmp_path_factory.mktemp("format")
    tool = Tool([find_ff()], folder / "home")
    tool.env["PATH"] = f"{Path(sys.executable).parent}:{tool.env['PATH']}"
    shutil.copytree(ROOT / "examples" / "churn", folder / "lab", ignore=shutil.ignore_patterns("__pycache__"))
    repo = Sandbox(folder / "lab", tool)
    repo.git("init", "-q")
    repo.run("init", "-q")
    python = Tool([sys.executable], folder / "home")
    python("generate.py", "data/raw", cwd=repo.path)
    repo.run("add", "-q", "data/raw")
    repo.run("repro", "-q")
    repo.git("add", "-A")
    repo.git("commit", "-qm", "one")
    repo.run("run", "--numerics", "portable", "--env", "HOME", "--", "sh", "-c", "exit 3", check=False)
    repo.run("run", "--trace", "off", "--determinism", "off", "--", "true")
    return Records(str(repo.path / ".dvc/fourfold/runs"), lambda *_: "")


def test_every_record_of_the_lab_comes_back_byte_by_byte(lab: Records) -> None:
    names = lab.ids()
    assert len(names) >= 6
    for name in names:
        data = lab.read("records", name)
        record = parse_record(data)
        assert render(record) == data
        assert run_id(data) == name
        assert canonical(json.loads(data)) == data
        for part in parts_of(record):
            content = lab.read("parts", part)
            assert canonical(json.loads(content)) == content
            assert digest(content) == part
    assert {part for name in names for part in parts_of(parse_record(lab.read("records", name)))} == set(
        lab.ids("parts")
    )


def test_every_record_of_the_lab_is_what_the_schema_says(lab: Records) -> None:
    Draft202012Validator.check_schema(SCHEMA)
    for name in lab.ids():
        assert problems(json.loads(lab.read("records", name))) == []


def test_every_fact_of_the_lab_has_a_grade_and_is_documented(lab: Records) -> None:
    for name in lab.ids():
        record = parse_record(lab.read("records", name))
        for section in SECTIONS:
            assert {*record.section(section)} - {"captured"} <= documented(section)
            for fact in record.section(section).values():
                assert fact.grade in GRADES
                assert fact.why or fact.grade != "absent"


def test_the_chain_of_the_lab_has_every_record_once(lab: Records) -> None:
    chain = []
    name = lab.head()
    while name is not None:
        chain.append(name)
        name = lab.get(name).previous
    assert sorted(chain) == lab.ids()
    assert len(set(chain)) == len(chain)


def test_no_record_of_the_lab_names_the_machine(lab: Records) -> None:
    root = Path(lab.folder).parents[2]
    for kind in ("records", "parts"):
        for name in lab.ids(kind):
            text = lab.read(kind, name).decode()
            assert str(root) not in text, text[max(0, text.find(str(root)) - 200) :][:400]


def test_a_run_that_is_not_watched_says_so_of_every_fact_that_watching_would_tell(lab: Records) -> None:
    newest = lab.get(lab.resolve("@"))
    assert newest.trace["undeclared_reads"].grade == "absent"
    assert newest.randomness["seed"].grade == "absent"
    failed = lab.get(lab.resolve("@~1"))
    assert (failed.outcome.state, failed.outcome.code) == ("failed", 3)
    assert value_of(failed.randomness, "numerics")["asked"]["threads"] == 1


def test_the_schema_and_the_page_name_the_same_facts() -> None:
    for section in SECTIONS:
        assert set(SCHEMA["properties"][section]["properties"]) == documented(section)


def test_the_records_that_tests_are_made_with_are_what_the_schema_says() -> None:
    parts = Parts()
    record = make(parts)
    assert problems(record.document()) == []
    assert opened(value_of(record.data, "summaries"), parts.read)["tables"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda document: document.pop("tool"),
        lambda document: document.update(more=1),
        lambda document: document.update(previous="x"),
        lambda document: document["outcome"].update(state="fine"),
        lambda document: document["times"].update(started="yesterday"),
        lambda document: document["code"].update(tree={"value": "a" * 40}),
        lambda document: document["code"].update(tree={"grade": "guessed", "value": "a" * 40}),
        lambda document: document["code"].update(tree={"grade": "observed"}),
        lambda document: document["code"].update(tree={"grade": "absent"}),
        lambda document: document["code"].update(tree={"grade": "absent", "why": "", "value": 1}),
        lambda document: document["randomness"].update(seed={"grade": "observed", "value": -1}),
        lambda document: document["data"].update(inputs={"grade": "observed", "value": [{"path": "x"}]}),
    ],
)
def test_the_schema_refuses_what_is_no_record(spoil: Any) -> None:
    document = make(Parts()).document()
    spoil(document)
    assert problems(document)


def test_a_fact_of_a_later_version_is_no_problem() -> None:
    document = make(Parts()).document()
    document["environment"]["weather"] = {"grade": "observed", "value": "rain"}
    assert problems(document) == []
    assert parse_record(canonical(document)).environment["weather"].value == "rain"


@pytest.mark.parametrize(
    ("place", "key", "value"),
    [
        ("outcome", "state", "fine"),
        ("outcome", "code", "0"),
        ("outcome", "more", 1),
        ("times", "seconds", "long"),
        ("times", "seconds", -1),
        ("times", "started", 7),
        ("times", "seconds", 10**400),
        ("", "kind", ["stage"]),
        ("", "kind", {}),
        ("", "command", "python"),
        ("", "previous", []),
    ],
)
def test_a_record_with_an_outcome_or_times_of_another_shape_is_a_typed_error(
    place: str, key: str, value: Any
) -> None:
    document = make(Parts()).document()
    (document[place] if place else document)[key] = value
    with pytest.raises(BadRecordError):
        parse_record(canonical(document))
