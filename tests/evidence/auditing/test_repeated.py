"""Verdicts against the replays that they name: what speaks against one is named, what is absent is told."""

from pathlib import Path
from typing import Any

import pytest

from fourfold.evidence.auditing.audited import Finding
from fourfold.evidence.auditing.ledger import Ledger
from fourfold.evidence.auditing.statements import RECORD
from fourfold.formats.attest import dsse, intoto, verdict
from fourfold.formats.attest.intoto import Resource
from fourfold.formats.native.fact import observed
from fourfold.formats.native.record import Outcome, RunId
from fourfold.runs import envelopes
from fourfold.runs.store import Records
from tests.runs.recordmaking import Parts, blake, keep, make, records_in


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return records_in(tmp_path)


@pytest.fixture
def run(records: Records) -> RunId:
    return keep(records)


def replay(records: Records, of: str, about: dict[str, Any] | None = None, **said: Any) -> RunId:
    """A replay of a run: its record as one writes it."""
    parts = Parts()
    made = make(parts, trace={"replay": observed({"of": of, **(about or {})})}, **said)
    for document in parts.values():
        records.keep(document)
    return records.append(lambda previous: made._replace(kind="replay", previous=previous))


def state(records: Records, run: RunId, *replays: str, level: str = "bitwise", **said: Any) -> str:
    """An unsigned verdict on a run, beside its record; its id."""
    document = {
        "run": run,
        "level": level,
        "asked": "bitwise",
        "holds": level == "bitwise",
        "replay": replays[0] if replays else None,
        "replays": list(replays),
        **said,
    }
    document["holds"] = verdict.is_held(document["level"], document["asked"])
    about = verdict.statement(verdict.parse(document), (Resource(RECORD, {"blake3": run}),))
    return envelopes.keep(records, run, dsse.render(intoto.envelope(about)))


def output(level: str, **said: Any) -> dict[str, Any]:
    return {"path": "model.pkl", "level": level, **said}


def found(records: Records) -> list[Finding]:
    """What an audit says of the statements, but for that nobody signed."""
    return [one for one in Ledger(records, {}).read() if one.kind != "statement-unsigned"]


def contradiction(records: Records) -> str:
    (one,) = found(records)
    assert (one.weight, one.kind) == ("broken", "replay-contradicts")
    return one.message


def test_a_verdict_that_its_replays_bear_out_has_no_finding(records: Records, run: RunId) -> None:
    first, second = replay(records, run), replay(records, run)
    digest = blake("model")
    state(records, run, first, second, outputs=[output("bitwise", before=digest, after=digest)])
    other = replay(records, run, model="other")
    for level in ("canonical", "numeric", "different", "inconclusive"):
        state(
            records,
            run,
            first,
            other,
            level=level,
            outputs=[output(level, before=digest, after=blake("other"))],
        )
    seeded = replay(records, run, {"varied": "seed"}, model="seeded")
    state(
        records, run, other, seeded, level="statistical", asked="statistical", outputs=[output("different")]
    )
    assert found(records) == []


def test_replays_that_are_not_here_are_absent_and_not_forged(records: Records, run: RunId) -> None:
    here = replay(records, run)
    name = state(records, run, here, "ab" * 32, "cd" * 32, outputs=[output("bitwise")])
    (one,) = found(records)
    assert (one.weight, one.kind, one.subject) == ("note", "replay-absent", f"statement {name[:12]}")
    assert one.details == ("ab" * 32, "cd" * 32)
    assert "2 of 3" in one.message


def test_what_is_no_replay_of_the_run_is_named(records: Records, run: RunId) -> None:
    other = keep(records, seed=2)
    state(records, run, other)
    assert "which is none" in contradiction(records)


def test_a_replay_of_another_run_is_named(records: Records, run: RunId) -> None:
    other = keep(records, seed=2)
    state(records, run, replay(records, run), replay(records, other))
    assert f"repeats run {other[:12]} and not run {run[:12]}" in contradiction(records)


@pytest.mark.parametrize(
    ("about", "says"),
    [
        ({"data": "ab" * 32}, "took its data from another run"),
        ({"varied": "clock"}, "the clock was varied"),
        ({"varied": ["clock"]}, "was varied"),
        ({"varied": "seed"}, "the seed was varied"),
    ],
)
def test_a_replay_that_was_given_something_else_is_named(
    records: Records, run: RunId, about: dict[str, Any], says: str
) -> None:
    state(records, run, replay(records, run, about))
    assert says in contradiction(records)


def test_a_replay_that_failed_bears_out_no_level_but_different(records: Records, run: RunId) -> None:
    failed = replay(records, run, outcome=Outcome("failed", 1))
    state(records, run, failed, level="different", outputs=[output("bitwise")])
    assert found(records) == []
    state(records, run, failed)
    assert "did not succeed (failed)" in contradiction(records)


def test_a_level_that_the_outputs_of_the_replay_do_not_have_is_named(records: Records, run: RunId) -> None:
    state(records, run, replay(records, run, model="other"))
    assert "'model.pkl' equal bit by bit" in contradiction(records)


def test_one_output_that_is_said_to_be_equal_and_is_not_is_named(records: Records, run: RunId) -> None:
    other = replay(records, run, model="other")
    state(records, run, other, level="canonical", asked="canonical", outputs=[output("bitwise")])
    assert "'model.pkl' equal bit by bit" in contradiction(records)


def test_a_level_that_was_taken_down_is_named(records: Records, run: RunId) -> None:
    state(records, run, replay(records, run), level="numeric", outputs=[output("numeric")])
    assert "every replay wrote the same bytes" in contradiction(records)


@pytest.mark.parametrize("key", ["before", "after"])
def test_a_digest_that_no_record_has_is_named(records: Records, run: RunId, key: str) -> None:
    state(records, run, replay(records, run), outputs=[output("bitwise", **{key: "ab" * 32})])
    assert "digest" in contradiction(records)


@pytest.mark.parametrize("strange", [None, 7, [], {}, "x", ["ab" * 32, 3], [["x"]], {"path": []}])
def test_statements_and_replays_of_any_shape_break_no_audit(records: Records, strange: Any) -> None:
    run = keep(records)
    state(records, run, replay(records, run, {"varied": strange, "data": strange}), replays=strange)
    state(
        records,
        run,
        replay(records, run),
        outputs=[output("bitwise", before=strange, after=strange, more=strange)],
        environment=strange,
    )
    parts = Parts()
    odd = make(parts, more={"outputs": observed([{"path": "model.pkl", "blake3": strange, "md5": strange}])})
    last = records.append(lambda previous: odd._replace(previous=previous))
    state(records, last, replay(records, last))
    assert {one.kind for one in found(records)} <= {"replay-contradicts", "replay-absent", "part-missing"}
