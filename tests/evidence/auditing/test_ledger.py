"""The ledger: a chain is whole or the place where it breaks is named; junk on disk breaks nothing else."""

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fourfold.evidence.auditing.audited import Finding
from fourfold.evidence.auditing.ledger import Ledger
from fourfold.formats.native.canonical import canonical, digest
from fourfold.formats.native.record import RunId
from fourfold.runs import envelopes
from fourfold.runs.store import Records
from tests.runs.recordmaking import keep, records_in


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return records_in(tmp_path)


def chain(records: Records, length: int) -> list[RunId]:
    """Runs, the oldest first."""
    return [keep(records, seed=at, started=f"2026-01-02T03:04:{at:02}.000000Z") for at in range(length)]


def found(records: Records) -> list[Finding]:
    return Ledger(records, {}).read()


def path_of(records: Records, run: str, kind: str = "records") -> Path:
    return Path(records.folder) / kind / run[:2] / run[2:]


def put(records: Records, data: bytes) -> RunId:
    """A record written behind our back, under its right id."""
    path = path_of(records, digest(data))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return RunId(digest(data))


def test_a_whole_chain_has_no_finding_and_is_known_newest_first(records: Records) -> None:
    runs = chain(records, 5)
    ledger = Ledger(records, {})
    assert ledger.read() == []
    assert list(ledger.chain) == runs[::-1]
    assert ledger.by_stage["train"] == runs[::-1]


@pytest.mark.parametrize("at", range(5))
def test_wherever_a_record_is_taken_out_the_gap_is_named(records: Records, at: int) -> None:
    runs = chain(records, 5)
    path_of(records, runs[at]).unlink()
    (gap, *rest) = [one for one in found(records) if one.weight == "broken"]
    assert (gap.kind, rest) == ("chain-gap" if at < 4 else "chain-head-lost", [])
    assert runs[at][:12] in gap.message


@pytest.mark.parametrize("at", range(5))
def test_wherever_a_record_is_written_anew_it_is_named(records: Records, at: int) -> None:
    runs = chain(records, 5)
    document = json.loads(path_of(records, runs[at]).read_bytes())
    document["randomness"]["seed"]["value"] = 99
    fresh = put(records, canonical(document))
    # The old one beside it, then in its place.
    kinds = {one.kind: one.subject for one in found(records) if one.weight == "broken"}
    if at > 0:
        assert kinds == {"chain-fork": f"run {fresh[:12]}"}
    path_of(records, runs[at]).unlink()
    kinds = {one.kind for one in found(records) if one.weight == "broken"}
    assert kinds & {"chain-gap", "chain-head-lost"}


def test_a_record_from_elsewhere_is_a_note(records: Records, tmp_path: Path) -> None:
    chain(records, 2)
    theirs = records_in(tmp_path / "theirs")
    keep(theirs, seed=76)
    last = keep(theirs, seed=77)
    records.adopt(last, theirs.read("records", last), "records")
    notes = [one for one in found(records) if one.weight != "open"]
    assert [(one.weight, one.kind) for one in notes] == [("note", "record-foreign")]
    assert notes[0].details == (f"{last}  train",)


def test_parts_that_a_record_from_elsewhere_lacks_are_open_and_ours_are_broken(
    records: Records, tmp_path: Path
) -> None:
    (run,) = chain(records, 1)
    theirs = records_in(tmp_path / "theirs")
    other = keep(theirs, rows=7)
    records.adopt(other, theirs.read("records", other), "records")
    assert [(one.kind, one.subject) for one in found(records) if one.weight == "open"] == [
        ("part-missing", f"run {other[:12]}")
    ]
    part = records.ids("parts")[0]
    path_of(records, part, "parts").unlink()
    assert ("broken", "part-missing", f"run {run[:12]}") in [one[:3] for one in found(records)]


def test_junk_beside_records_is_passed_over_or_named(records: Records) -> None:
    (run,) = chain(records, 1)
    folder = Path(records.folder)
    (folder / "records" / "zz").mkdir()
    (folder / "records" / "zz" / "x").write_text("junk")
    (folder / "statements").mkdir()
    (folder / "statements" / "junk").write_text("junk")
    (folder / "statements" / run[:2] / run[2:] / "zz").mkdir(parents=True)
    assert found(records) == []
    put(records, b"[]")
    put(records, b'{"schema":"fourfold.run/9"}')
    envelopes.keep(records, run, b"junk")
    assert sorted(one.kind for one in found(records)) == [
        "record-unreadable",
        "record-unreadable",
        "statement-damaged",
    ]


@pytest.mark.parametrize("head", [b"", b"\xff" * 64, b"../../etc/passwd", b"0" * 64, b"0" * 10_000])
def test_a_head_that_names_nothing_is_named(records: Records, head: bytes) -> None:
    chain(records, 2)
    (Path(records.folder) / "head").write_bytes(head)
    assert "chain-head-lost" in {one.kind for one in found(records)}


def test_findings_come_in_the_same_order_whatever_the_file_system_says(records: Records) -> None:
    runs = chain(records, 4)
    for run in runs[:2]:
        path_of(records, run).write_bytes(b"{}")
    assert found(records) == found(records)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_no_change_of_a_byte_of_any_document_goes_unnoticed(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        records = records_in(Path(folder))
        chain(records, 2)
        files = sorted(path for path in Path(records.folder).glob("*/??/*") if path.is_file())
        path = data.draw(st.sampled_from(files))
        content = bytearray(path.read_bytes())
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] ^= data.draw(st.integers(1, 255))
        path.write_bytes(content)
        assert any(one.weight == "broken" for one in found(records))
