"""Exported documents, archives and envelopes, audited without a project: each proves itself, or is named.

What a document is, is told by its first bytes. A byte that was changed anywhere is named: what is content by
its digest, the rest by the one way in which we write.
"""

import zipfile
from collections.abc import Iterator, Mapping

from fourfold.base.errors import FourfoldError, InvalidFileError, from_os_error
from fourfold.evidence.auditing import statements
from fourfold.evidence.auditing.audited import SHORT, Audited, Finding, in_order
from fourfold.evidence.auditing.ledger import about, is_odd
from fourfold.evidence.auditing.signing import PublicKey
from fourfold.evidence.export import unarchive, wrapping
from fourfold.evidence.export.archive import MANIFEST
from fourfold.formats.attest import dsse, intoto
from fourfold.formats.native.canonical import MOST, canonical, digest
from fourfold.formats.native.record import RunId, RunRecord, parse_record, parts_of
from fourfold.runs.export import read

#: Stands in each export.
_MARK = b"fourfold.run-export/"
_RECORDS = "runs/records/"
_STATEMENTS = "runs/statements/"


class NothingToAuditError(InvalidFileError):
    """A file is no export, archive or envelope of ours."""

    code = "nothing-to-audit"
    default_hint = "what 'ff runs export', 'ff export' and 'ff verify' write can be audited"


def audit_file(path: str, keys: Mapping[str, PublicKey], shown: str = "") -> Audited:
    """Look at a document that was exported.

    Args:
        path: Its file, absolute.
        keys: The public keys whose signatures count, by id.
        shown: What it is called.

    Raises:
        NothingToAuditError: it is nothing that can be audited.
        NotFoundError, DeniedError: it cannot be read.
    """
    name = shown or path
    counts = {"records": 0, "parts": 0, "statements": 0}
    if unarchive.is_archive(path):
        return Audited(in_order(list(_archive(path, name, keys, counts))), counts)
    try:
        with open(path, "rb") as file:
            data = file.read(MOST + 1)
    except OSError as error:
        raise from_os_error(error, f"reading {name}") from error
    if data[:1] != b"{" and MANIFEST.encode() in data:
        found = [
            Finding(
                "broken", "archive-damaged", name, "it begins as an archive does, and is none that is whole"
            )
        ]
        return Audited(tuple(found), counts)
    if b'"payloadType"' in data and _MARK not in data:
        return Audited(in_order(list(_envelope(data, name, keys, counts))), counts)
    if data[:1] != b"{" and _MARK not in data:
        raise NothingToAuditError(f"'{name}' is no export, archive or statement")
    return Audited(in_order(list(_export(data, name, keys, counts))), counts)


def _export(
    data: bytes, name: str, keys: Mapping[str, PublicKey], counts: dict[str, int]
) -> Iterator[Finding]:
    try:
        found = read(data, name)
    except FourfoldError as error:
        yield Finding("broken", "export-damaged", name, error.message, error.hint)
        return
    counts |= {"records": 1, "parts": len(found.parts), "statements": len(found.statements)}
    if found.text().encode("utf-8", "surrogateescape") != data:
        said = "what it says is proven, and its bytes are not those that were written: something changed it"
        yield Finding("broken", "export-changed", name, said, "export the run again where it was made")
    if found.missing:
        said = f"{len(found.missing)} parts of run {found.id[:SHORT]} were not there when it was exported"
        yield Finding("open", "part-missing", name, said, "", found.missing)
    yield from is_odd(found.id, found.record)
    stored = canonical(found.said)
    for each, text in sorted(found.statements.items()):
        yield from _statement(text.encode(), found.id, each, keys, {found.id: found.record}, stored)


def _statement(
    data: bytes,
    run: RunId,
    name: str,
    keys: Mapping[str, PublicKey],
    known: Mapping[RunId, RunRecord],
    stored: bytes | None,
) -> Iterator[Finding]:
    try:
        stated = statements.parse(data, run, name, keys)
    except FourfoldError as error:
        kind = error.code if error.code == "statement-misplaced" else "statement-damaged"
        yield Finding("broken", kind, f"statement {name[:SHORT]}", error.message, error.hint)
        return
    yield from about(stated, known, stored)


def _envelope(
    data: bytes, name: str, keys: Mapping[str, PublicKey], counts: dict[str, int]
) -> Iterator[Finding]:
    """An envelope alone: who signed it, and nothing about what it is about."""
    body = data.removesuffix(b"\n")
    try:
        wrapped = dsse.parse(body, name)
        runs = statements.runs_of(intoto.opened(wrapped, name))
    except FourfoldError as error:
        yield Finding("broken", "statement-damaged", name, error.message, error.hint)
        return
    counts["statements"] = 1
    if dsse.render(wrapped) != body:
        said = "its bytes are not those that were written: something changed it"
        yield Finding("open", "statement-odd", name, said)
    run = RunId(runs[0] if runs else "")
    for found in _statement(body, run, digest(body), keys, {}, None):
        if found.kind not in {"statement-orphan", "statement-misplaced"}:
            yield found


def _archive(
    path: str, name: str, keys: Mapping[str, PublicKey], counts: dict[str, int]
) -> Iterator[Finding]:
    try:
        damaged = list(unarchive.check(path))
    except FourfoldError as error:
        yield Finding("broken", "archive-damaged", name, error.message, error.hint)
        return
    for message in damaged:
        yield Finding("broken", "archive-damaged", name, message)
    if damaged:
        return
    for what in wrapping.changes(path):
        said = f"what it holds is proven, and {what} is not as it was written: something changed it"
        yield Finding("broken", "archive-changed", name, said, "export the run again where it was made")
    with zipfile.ZipFile(path) as archive:
        members = sorted(archive.namelist())
        runs = [RunId(each.rpartition("/")[2]) for each in members if each.startswith(_RECORDS)]
        known = {run: parse_record(archive.read(_RECORDS + run), f"run {run[:SHORT]}") for run in runs}
        for run, record in known.items():
            yield from is_odd(run, record)
        stated = [each for each in members if each.startswith(_STATEMENTS)]
        for member in stated:
            run, each = (RunId(part) for part in member.removeprefix(_STATEMENTS).split("/"))
            data = archive.read(_RECORDS + run) if run in known else None
            yield from _statement(archive.read(member), run, each, keys, known, data)
    counts |= {"records": len(known), "statements": len(stated)}
    counts["parts"] = len({part for record in known.values() for part in parts_of(record)})
