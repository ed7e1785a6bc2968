"""Tables among changed data, told by what differs: rows, columns, kinds, null rates, balance of labels."""

from collections.abc import Iterator, Sequence

from fourfold.formats.tabular import Column, TableSummary
from fourfold.pipeline.report.value import TableChange
from fourfold.pipeline.report.words import Line, Paragraph, Rows, code, said

#: Columns of one table, and labels of one column, that are told.
_MAX_COLUMNS, _MAX_LABELS = 50, 6


def table_blocks(changes: Sequence[TableChange]) -> Iterator[Paragraph | Rows]:
    """All tables with their rows and columns, then every column that differs."""
    if not changes:
        return
    yield Rows(("Table", "Rows", "Columns"), tuple(_shape(change) for change in changes))
    differing = [(change.path, _columns(change)) for change in changes]
    rows = tuple(((code(path),), *cells) for path, found in differing for cells in found[:_MAX_COLUMNS])
    if rows:
        yield Rows(("Table", "Column", "Kind", "Null", "Values"), rows)
    if any(len(found) > _MAX_COLUMNS for _path, found in differing):
        yield Paragraph(said(f"Of a table, the first {_MAX_COLUMNS} columns that differ are told."))


def _columns(change: TableChange) -> list[tuple[Line, ...]]:
    old, new = change.old, change.new
    if new is None or new.columns is None:
        return []
    before = {column.name: column for column in (old.columns or () if old is not None else ())}
    after = {column.name: column for column in new.columns}
    rows: list[tuple[Line, ...]] = []
    for name in dict.fromkeys((*after, *before)):
        was, now = before.get(name), after.get(name)
        cells = (_kind(was, now, whole=old is None), _nulls(was, now, old, new), _labels(was, now))
        if old is None or was is None or now is None or any(cells):
            rows.append(((code(name),), *cells))
    return rows


def _shape(change: TableChange) -> tuple[Line, ...]:
    old, new = change.old, change.new
    partial = any(side is not None and side.partial for side in (old, new))
    rows = _counts(None if old is None else old.rows, None if new is None else new.rows)
    columns = _counts(_width(old), _width(new))
    return (code(change.path),), said(rows + (", not all of it looked at" if partial else "")), said(columns)


def _counts(old: int | None, new: int | None) -> str:
    shown = dict.fromkeys(f"{value:,}" for value in (old, new) if value is not None)
    change = f" ({new - old:+,})" if old is not None and new is not None and old != new else ""
    return f"{' → '.join(shown)}{change}" or "?"


def _width(side: TableSummary | None) -> int | None:
    return None if side is None or side.columns is None else len(side.columns)


def _kind(was: Column | None, now: Column | None, *, whole: bool) -> Line:
    if now is None:
        return said("gone")
    if was is None:
        return said(now.kind if whole else f"new, {now.kind}")
    return said(f"{was.kind} → {now.kind}") if was.kind != now.kind else ()


def _rate(column: Column | None, table: TableSummary | None) -> str | None:
    if column is None or column.nulls is None or table is None or not table.rows:
        return None
    return f"{100 * column.nulls / table.rows:.3g} %"


def _nulls(was: Column | None, now: Column | None, old: TableSummary | None, new: TableSummary) -> Line:
    first, second = _rate(was, old), _rate(now, new)
    if second is None or first == second or (first is None and second == "0 %"):
        return ()
    return said(second if first is None else f"{first} → {second}")


def _labels(was: Column | None, now: Column | None) -> Line:
    """How the values are balanced: the shares that moved most come first."""
    if now is None or not now.values:
        return ()
    first, second = _shares(was), _shares(now)
    if first == second or max(now.values.values()) == 1:  # a column of names is not one of labels
        return ()
    names = sorted({*first, *second}, key=lambda name: (-abs(second.get(name, 0) - first.get(name, 0)), name))
    told: list[Line] = []
    for name in names[:_MAX_LABELS]:
        share = f"{second.get(name, 0):.3g} %"
        before = f"{first.get(name, 0):.3g} %"
        if first and share == before:
            continue
        told.append((code(name), *said(f" {before} → {share}" if first else f" {share}")))
    if len(names) > _MAX_LABELS:
        told.append(said("…"))
    return tuple(piece for at, line in enumerate(told) for piece in (*(said(", ") if at else ()), *line))


def _shares(column: Column | None) -> dict[str, float]:
    if column is None or not column.values:
        return {}
    total = sum(column.values.values())
    return {name: 100 * times / total for name, times in column.values.items()}
