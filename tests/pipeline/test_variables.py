"""Environment variables that stages depend on: another value is a reason to run."""

import pytest

from fourfold.pipeline.news import Started
from fourfold.pipeline.repro import Settings, repro
from fourfold.pipeline.why import why
from tests.project.workplace import Workplace

PIPELINE = """\
stages:
  s:
    cmd: cat in > out; echo $CUSTOMER >> out
    deps: [in]
    outs: [out]
    meta:
      fourfold:
        env: [CUSTOMER]
"""
VALUE = "acme-and-sons"


@pytest.fixture
def stage(work: Workplace) -> Workplace:
    """A stage that depends on ``CUSTOMER``, and ran."""
    work.gen({"dvc.yaml": PIPELINE, "in": "1\n"})
    work.environ["CUSTOMER"] = VALUE
    repro(work.open(), ["s"], Settings())
    return work


def reasons(work: Workplace) -> list[tuple[str, str, str]] | None:
    """Why the stage runs; None when it does not."""
    heard: list[object] = []
    repro(work.open(), ["s"], Settings(), tell=heard.append)
    started = [event for event in heard if isinstance(event, Started)]
    return [(change.kind, change.key, change.state) for change in started[0].reasons] if started else None


def test_the_same_value_is_no_reason_to_run(stage: Workplace) -> None:
    assert reasons(stage) is None


def test_another_value_is_a_reason_to_run(stage: Workplace) -> None:
    stage.environ["CUSTOMER"] = "ajax"
    assert reasons(stage) == [("variable", "CUSTOMER", "modified")]
    assert stage.text("out") == "1\najax\n"
    assert reasons(stage) is None


def test_a_value_that_goes_away_is_a_reason_to_run(stage: Workplace) -> None:
    del stage.environ["CUSTOMER"]
    assert reasons(stage) == [("variable", "CUSTOMER", "modified")]


def test_a_value_of_before_is_no_remembered_run(stage: Workplace) -> None:
    stage.environ["CUSTOMER"] = "ajax"
    assert reasons(stage)
    stage.environ["CUSTOMER"] = VALUE
    assert reasons(stage) == [("variable", "CUSTOMER", "modified")]
    assert stage.text("out") == f"1\n{VALUE}\n"


def test_a_variable_that_is_declared_anew_is_a_reason_to_run(stage: Workplace) -> None:
    stage.gen({"dvc.yaml": PIPELINE.replace("[CUSTOMER]", "[CUSTOMER, SHOP]")})
    assert reasons(stage) == [("variable", "SHOP", "new")]


def test_what_another_key_hashed_is_no_reason_to_run(stage: Workplace) -> None:
    stage.environ["FOURFOLD_ENV_KEY"] = "a key that a whole team shares"
    stage.environ["CUSTOMER"] = "ajax"
    assert reasons(stage) is None


def test_why_names_the_variable_and_not_its_value(stage: Workplace) -> None:
    stage.environ["CUSTOMER"] = "ajax"
    answer = why(stage.open(), ["s"])[0]
    assert [(one.change.kind, one.change.key) for one in answer.why.reasons] == [("variable", "CUSTOMER")]
    assert answer.remembered is None


def test_the_value_is_in_no_file_of_ours(stage: Workplace) -> None:
    assert "CUSTOMER" in stage.text("fourfold.lock")
    for folder in (stage.root / ".dvc" / "fourfold", stage.root / ".git"):
        for path in folder.rglob("*"):
            if path.is_file():
                assert VALUE.encode() not in path.read_bytes(), path
