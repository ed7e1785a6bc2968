"""Statements and predicates: in-toto's own library reads what we write; what we read is bounded and typed."""

import json
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict, ParseDict
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement as TheirStatement

from fourfold.formats.attest import intoto, slsa, verdict
from fourfold.formats.attest.dsse import Envelope
from fourfold.formats.attest.intoto import Resource, Statement
from fourfold.formats.attest.slsa import Provenance
from fourfold.formats.attest.strict import BadAttestationError
from fourfold.formats.attest.verdict import Verdict
from fourfold.formats.native.record import RunId

MODEL = Resource("model.pkl", {"sha256": "a" * 64, "blake3": "b" * 64})
VERDICT = Verdict(
    RunId("1" * 64),
    "numeric",
    holds=True,
    asked="statistical",
    reason="largest difference 2 ULP",
    replay=RunId("2" * 64),
    outputs=({"path": "model.pkl", "level": "numeric"},),
    verifier={"id": "https://fourfold.dev", "version": "0.1"},
    time="2026-01-02T03:04:05Z",
    more={"tolerance": {"ulp": 4}},
)
PROVENANCE = Provenance(
    {"command": ["python train.py"], "seed": 1},
    {"trace": "seccomp"},
    (Resource(uri="git+https://example.org/r", digest={"gitCommit": "c" * 40}),),
    versions={"fourfold": "0.1"},
    invocation="1" * 64,
    started="2026-01-02T03:04:05Z",
    finished="2026-01-02T03:04:06Z",
    byproducts=(Resource("metrics.json", {"sha256": "d" * 64}),),
)


def test_the_library_of_in_toto_accepts_each_kind_of_statement() -> None:
    for statement in (verdict.statement(VERDICT, (MODEL,)), slsa.statement(PROVENANCE, (MODEL,))):
        document = json.loads(intoto.envelope(statement).payload)
        theirs = ParseDict(document, statement_pb2.Statement())
        TheirStatement.copy_from_pb(theirs).validate()
        assert MessageToDict(theirs)["predicateType"] == statement.predicate_type


def test_the_library_of_in_toto_reads_every_field_of_our_provenance() -> None:
    document = PROVENANCE.document()
    theirs = ParseDict(document, provenance_pb2.Provenance())
    again = MessageToDict(theirs)
    assert again["runDetails"]["metadata"]["invocationId"] == "1" * 64
    assert again["buildDefinition"]["externalParameters"] == document["buildDefinition"]["externalParameters"]
    assert again["runDetails"]["builder"]["version"] == {"fourfold": "0.1"}


def test_what_was_written_is_read_again() -> None:
    said = verdict.statement(VERDICT, (MODEL,))
    again = intoto.opened(intoto.envelope(said))
    assert again == said
    assert verdict.parse(again.predicate) == VERDICT
    made = intoto.opened(intoto.envelope(slsa.statement(PROVENANCE, (MODEL,))))
    assert slsa.parse(made.predicate) == PROVENANCE


def test_equal_statements_have_equal_bytes() -> None:
    turned = Resource("model.pkl", {"blake3": "b" * 64, "sha256": "a" * 64})
    one, two = (intoto.envelope(verdict.statement(VERDICT, (each,))) for each in (MODEL, turned))
    assert one == two


def test_a_statement_about_nothing_is_not_made() -> None:
    for subjects in ((), (Resource("a"),)):
        with pytest.raises(BadAttestationError, match="subjects"):
            intoto.envelope(Statement(subjects, "t", {}))


@pytest.mark.parametrize(
    "change",
    [
        {"_type": "https://in-toto.io/Statement/v0.1"},
        {"subject": []},
        {"subject": ["x"]},
        {"subject": [{"name": "x"}]},
        {"subject": [{"digest": {"sha256": "no"}}]},
        {"subject": [{"digest": {"../x": "a" * 64}}]},
        {"subject": [{"digest": {"sha256": "a" * 64}, "name": "x" * 5000}]},
        {"subject": None},
        {"predicateType": ""},
        {"predicateType": 3},
        {"predicate": []},
    ],
)
def test_what_is_no_statement_is_refused(change: dict[str, Any]) -> None:
    document = {**verdict.statement(VERDICT, (MODEL,)).document(), **change}
    if change == {"predicateType": ""}:
        del document["predicateType"]
    with pytest.raises(BadAttestationError):
        intoto.parse(json.dumps(document).encode())


def test_what_an_envelope_holds_besides_statements_is_refused() -> None:
    with pytest.raises(BadAttestationError, match="text/plain"):
        intoto.opened(Envelope("text/plain", b"{}"))


@pytest.mark.parametrize(
    "change",
    [
        {"run": "x"},
        {"run": None},
        {"replay": "../../etc"},
        {"level": "perfect"},
        {"asked": "perfect"},
        {"holds": "yes"},
        {"holds": 1},
        {"holds": False},  # what holds numerically holds statistically
        {"asked": "bitwise"},
        {"level": "different"},
        {"level": "inconclusive", "asked": ""},
        {"asked": "different", "level": "different", "holds": False},
        {"outputs": [{"path": 1}]},
        {"outputs": {}},
        {"reason": 1},
        {"verifier": []},
    ],
)
def test_what_is_no_verdict_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(BadAttestationError):
        verdict.parse({**VERDICT.document(), **change})


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"buildDefinition": {}, "runDetails": {}},
        {"buildDefinition": {"externalParameters": {}, "buildType": "t"}, "runDetails": {"builder": {}}},
        {
            "buildDefinition": {"externalParameters": {}, "buildType": "t", "resolvedDependencies": [1]},
            "runDetails": {"builder": {"id": "b"}},
        },
        {
            "buildDefinition": {"externalParameters": {}, "buildType": "t"},
            "runDetails": {"builder": {"id": "b", "version": {"a": 1}}},
        },
    ],
)
def test_what_is_no_provenance_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(BadAttestationError):
        slsa.parse(document)


def test_keys_that_a_verdict_does_not_know_are_kept_and_overrule_nothing() -> None:
    said = VERDICT._replace(more={"run": "other", "tolerance": 1}).document()
    assert said["run"] == VERDICT.run
    assert verdict.parse(said).more == {"tolerance": 1}
