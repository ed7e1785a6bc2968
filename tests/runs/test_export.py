"""A run as one document proves itself."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fourfold.base.errors import FourfoldError
from fourfold.evidence.auditing.documents import audit_file
from fourfold.formats.native.canonical import BadDocumentError, canonical, digest
from fourfold.formats.native.record import RunId
from fourfold.runs.export import ExportCorruptError, NotExportableError, export, markdown, read
from fourfold.runs.store import Records, RunNotFoundError
from fourfold.runs.tidy import tidy
from tests.runs.recordmaking import keep, records_in


@pytest.fixture
def document(tmp_path: Path) -> dict[str, Any]:
    records = records_in(tmp_path)
    return export(records, keep(records, command=("python 'wörd \ud800'",), lr=1e-7)).document()


def written(document: Any) -> bytes:
    return json.dumps(document, indent=1).encode()


def test_what_is_exported_is_read_again_as_it_was(tmp_path: Path) -> None:
    records = records_in(tmp_path)
    run = keep(records, command=("python 'wörd \ud800'",), lr=1e-7)
    exported = export(records, run)
    again = read(written(exported.document()))
    assert again == exported
    assert again.record == records.get(run)
    assert len(again.parts) >= 3
    assert again.missing == ()


@pytest.mark.parametrize(
    "path",
    [
        ("record", "stage"),
        ("record", "randomness", "seed", "value"),
        ("record", "times", "started"),
        ("run",),
    ],
)
def test_one_changed_letter_is_found(document: dict[str, Any], path: tuple[str, ...]) -> None:
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = "2" if isinstance(place[path[-1]], int) else place[path[-1]][::-1]
    with pytest.raises(ExportCorruptError):
        read(written(document))


def test_a_changed_a_strange_and_a_lacking_part_are_found(document: dict[str, Any]) -> None:
    name, part = next(iter(document["parts"].items()))
    for parts in (
        {**document["parts"], name: {**part, "more": 1}},
        {**document["parts"], "0" * 64: {}},
        {key: value for key, value in document["parts"].items() if key != name},
    ):
        with pytest.raises(ExportCorruptError):
            read(written({**document, "parts": parts}))


def test_a_part_that_is_not_here_is_named_as_missing(tmp_path: Path) -> None:
    records = records_in(tmp_path)
    run = keep(records)
    gone = records.ids("parts")[0]
    (tmp_path / "runs" / "parts" / gone[:2] / gone[2:]).unlink()
    exported = export(records, run)
    assert exported.missing == (gone,)
    assert read(written(exported.document())) == exported


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"schema":"fourfold.run-export/1"}', b"\xff", b"7"])
def test_what_is_no_export_is_a_typed_error(data: bytes) -> None:
    with pytest.raises(FourfoldError) as raised:
        read(data, "x.json")
    assert isinstance(raised.value, ExportCorruptError | BadDocumentError)
    assert "x.json" in raised.value.message


def test_a_run_that_is_not_here_cannot_be_exported(tmp_path: Path) -> None:
    with pytest.raises(RunNotFoundError):
        export(records_in(tmp_path), "0" * 64)  # type: ignore[arg-type]


def test_a_page_tells_the_coordinates_in_order_and_no_name_escapes_its_cell(tmp_path: Path) -> None:
    records = records_in(tmp_path)
    nasty = "x|<script>alert(1)</script>\n# h1 `code`"
    page = "\n".join(markdown(export(records, keep(records, stage=nasty, command=("a\n```\nb",)))))
    order = [page.index(f"\n## {name}") for name in ("Code", "Data", "Environment", "Randomness")]
    assert order == sorted(order)
    assert "| seed | declared: params.yaml:seed | 1 |" in page
    assert "<script>" not in page
    assert "\n# h1" not in page
    assert "````sh\na\n```\nb\n````" in page


def adopted(records: Records, run: RunId, change: Callable[[dict[str, Any]], bytes]) -> RunId:
    """A record as another version, or somebody else, writes it."""
    data = change(json.loads(records.read("records", run)))
    records.adopt(digest(data), data, "records")
    return RunId(digest(data))


def test_what_a_later_version_says_besides_survives_byte_for_byte(tmp_path: Path) -> None:
    records = records_in(tmp_path)
    newer = records.keep({"from": "tomorrow"})

    def later(said: dict[str, Any]) -> bytes:
        said["weather"] = {"grade": "observed", "value": newer}
        said["code"] |= {"mood": {"grade": "declared", "value": {"x": [1e-7, None]}, "why": ""}}
        said["code"]["branch"] = {"grade": "absent", "value": None, "why": "no"}
        return canonical(said)

    run = adopted(records, keep(records), later)
    exported = export(records, run)
    assert newer["part"] in exported.parts
    (tmp_path / "x.json").write_text(exported.text())
    again = read((tmp_path / "x.json").read_bytes())
    assert again == exported
    assert canonical(again.document()["record"]) == records.read("records", run)
    assert again.record.document()["weather"] == {"grade": "observed", "value": newer}
    found = audit_file(str(tmp_path / "x.json"), {})
    assert [(one.weight, one.kind) for one in found.findings] == [("open", "record-odd")]


def test_parts_that_only_a_later_version_knows_of_are_not_tidied_away(tmp_path: Path) -> None:
    records = records_in(tmp_path)
    newer = records.keep({"from": "tomorrow"})
    adopted(records, keep(records), lambda said: canonical({**said, "weather": newer}))
    assert tidy(records, 10**19).parts == ()


@pytest.mark.parametrize("twice", [b'{"tool":"0",', b"{ "])
def test_a_record_that_no_document_can_say_is_refused_in_a_line(tmp_path: Path, twice: bytes) -> None:
    records = records_in(tmp_path)
    run = adopted(records, keep(records), lambda said: twice + canonical(said)[1:])
    with pytest.raises(NotExportableError, match=run[:12]):
        export(records, run)
