"""Envelopes about runs on disk: what somebody states of a run, named by its BLAKE3, below the id of the run.

So what is said of one run is found by looking in one folder, here and on a remote. What an envelope holds is
`fourfold.formats.attest`; who reads and writes them is `fourfold.evidence.auditing.statements`.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from fourfold.formats.native.canonical import digest
from fourfold.formats.native.record import RunId, is_id

if TYPE_CHECKING:
    from fourfold.runs.store import Records

FOLDER = "statements"


def kind_of(run: str) -> str:
    """The folder of what is stated of a run, as `Records` call a kind of document."""
    return f"{FOLDER}/{run[:2]}/{run[2:]}"


def keep(records: "Records", run: RunId, data: bytes) -> str:
    """Keep an envelope; durable. Its id.

    Raises:
        DeniedError, ExhaustedError: the file system refuses.
    """
    name = digest(data)
    records.adopt(name, data, kind_of(run), durable=True)
    return name


def names(records: "Records", run: RunId) -> list[str]:
    """The ids of what is stated of a run, sorted."""
    return records.ids(kind_of(run))


def read(records: "Records", run: RunId, name: str) -> bytes:
    """The bytes of an envelope, checked against its name.

    Raises:
        RunNotFoundError: it is not here.
        RecordCorruptError: its bytes are not those that its name says.
    """
    return records.read(kind_of(run), name)


def everything(records: "Records") -> Iterator[tuple[RunId, str]]:
    """What is stated of any run: ids of runs, and of envelopes, sorted."""
    top = os.path.join(records.folder, FOLDER)
    found: list[str] = []
    with suppress(OSError):
        for prefix in os.listdir(top):
            with suppress(OSError):
                found += [prefix + rest for rest in os.listdir(os.path.join(top, prefix))]
    for run in sorted(name for name in found if is_id(name)):
        for name in names(records, RunId(run)):
            yield RunId(run), name
