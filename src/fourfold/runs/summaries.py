"""What the tables among inputs and outputs look like: computed once a content, and cheap or not at all.

Reading a table is `fourfold.formats.tabular`. Summaries lie in the folder of caches, named by the BLAKE3 of
the table, and may be lost. What is looked at depends on sizes alone, never on time or on what is cached, so
that the same data always gives the same summaries.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from fourfold.base.errors import FourfoldError
from fourfold.base.fs.atomic import write_atomic
from fourfold.formats.native.canonical import canonical, digest
from fourfold.formats.native.fact import Fact, absent, observed
from fourfold.formats.tabular import Column, TableSummary, format_of, summarize
from fourfold.runs.contents import Content, Table

if TYPE_CHECKING:
    from fourfold.runs.place import Place
    from fourfold.runs.task import Item

#: Tables up to this size are read whole; of longer ones, so much of the beginning. Bytes.
WHOLE = 256 << 10
#: So much is understood for one run at most, what is cached included: it takes less than a tenth of a second.
TOGETHER = 512 << 10
#: Of longer tables the lines are counted, up to this size. Bytes.
COUNTED = 64 << 20
_BLOCK = 1 << 20
#: Summaries that are kept.
MOST_KEPT = 5000
#: What is read of a Parquet file, by reckoning: its footer. Bytes.
_FOOTER = 16 << 10
#: Columns that a record tells of.
MOST_COLUMNS = 200
#: Parameters of these names, or whose last word is one of them, may name the column of labels.
LABELS = ("label", "target", "label_column", "target_column", "label_col", "target_col")
_NO_TABLES = frozenset({"metric", "params", "plot"})
_VERSION = 1


def fact(
    found: Iterable[tuple["Item", Content]],
    params: Mapping[str, Mapping[str, Any]],
    place: "Place",
    parts: Callable[[Mapping[str, Any]], dict[str, Any]],
) -> Fact:
    """The fact ``summaries``: a part with one summary a table, by path.

    Args:
        found: Inputs and outputs whose content is known.
        params: Of the task; one of them may name the label.
        place: Where summaries are kept.
        parts: Keeps a document, and gives the reference to it.
    """
    tables: dict[str, Any] = {}
    left = TOGETHER
    for shown, path, table in sorted(_tables(found)):
        kind = format_of(path)
        if kind == "json" and table.size > WHOLE:  # a beginning of it says nothing
            tables[shown] = {"absent": f"larger than {WHOLE} bytes"}
            continue
        left -= min(table.size, _FOOTER if kind == "parquet" else WHOLE)
        if left < 0:
            tables[shown] = {"absent": f"of the tables of a run, {TOGETHER} bytes are read"}
            continue
        summary = _of(path, table, place)
        if summary is not None:
            tables[shown] = _labelled(summary, params)
    if not tables:
        return absent("no tables among inputs and outputs")
    return observed(parts({"tables": tables}))


def _tables(found: Iterable[tuple["Item", Content]]) -> Iterator[tuple[str, str, Table]]:
    """Each table among files and in folders: how it is shown, where it is, and its content."""
    for item, content in found:
        if item.role in _NO_TABLES:
            continue
        if content.nfiles is None and format_of(item.path):
            yield item.shown, item.path, Table("", content.blake3, content.size)
        for table in content.tables:
            yield f"{item.shown}/{table.path}", f"{item.path}/{table.path}", table


def _of(path: str, content: Table, place: "Place") -> dict[str, Any] | None:
    """The summary of one content, from the cache or computed; None when it is no table, or changed since."""
    file = os.path.join(place.own, "runs", "facts", f"table-{format_of(path)}-{content.blake3}.json")
    with suppress(OSError, ValueError, RecursionError):
        with open(file, "rb") as stored:
            known = json.loads(stored.read(16 << 20))
        if isinstance(known, dict) and known.get("check") == _check(known.get("summary")):
            summary: dict[str, Any] | None = known["summary"]
            return summary
    try:
        with open(path, "rb") as table:
            if os.fstat(table.fileno()).st_size != content.size:
                return None
            found = summarize(table, path, max_bytes=WHOLE, quantiles=True, unpack=False)
            lines = None
            if found is not None and found.partial and content.size <= COUNTED:
                table.seek(0)
                lines = sum(block.count(b"\n") for block in iter(lambda: table.read(_BLOCK), b""))
    except OSError:
        return None
    made = _document(found, content.size, lines) if found is not None else None
    with suppress(OSError, FourfoldError):
        folder = place.make("runs", "facts")
        write_atomic(file, canonical({"check": _check(made), "summary": made}), durable=False)
        forget(folder)
    return made


def forget(folder: str, kind: str = "table-") -> None:
    """Let go of the older half of what is kept in a folder of caches once there is too much of a kind."""
    names = [name for name in os.listdir(folder) if name.startswith(kind)]
    if len(names) > MOST_KEPT:
        paths = [os.path.join(folder, name) for name in names]
        for path in sorted(paths, key=os.path.getmtime)[: len(paths) // 2]:
            with suppress(OSError):
                os.unlink(path)


def _check(summary: object) -> str:
    """What tells a summary that was written whole, by this version."""
    return digest(canonical([_VERSION, summary]))


def _document(summary: TableSummary, size: int, lines: int | None) -> dict[str, Any]:
    document: dict[str, Any] = {"format": summary.format}
    if summary.partial:
        document["sample"] = {"bytes": min(size, WHOLE), "of": size, "rows": summary.rows}
        if lines is not None:
            document["lines"] = lines
    else:
        document["rows"] = summary.rows
    if summary.columns is not None:
        document["columns"] = [_column(column) for column in summary.columns[:MOST_COLUMNS]]
        if len(summary.columns) > MOST_COLUMNS:
            document["more_columns"] = len(summary.columns) - MOST_COLUMNS
    return document


def _column(column: Column) -> dict[str, Any]:
    document: dict[str, Any] = {"name": column.name, "kind": column.kind}
    if column.nulls is not None:
        document["nulls"] = column.nulls
    if column.values is not None:
        document["values"] = column.values
    if column.quantiles is not None:
        document["quantiles"] = list(column.quantiles)
    return document


def _labelled(summary: dict[str, Any], params: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The summary with the name of its column of labels, where a parameter names one."""
    names = {column["name"] for column in summary.get("columns", ())}
    for _file, values in sorted(params.items()):
        for key, value in sorted(values.items()):
            if key.rpartition(".")[2] in LABELS and isinstance(value, str) and value in names:
                return {**summary, "label": value}
    return summary
