"""Two states of one table by what records say of them: rows, columns, empty cells, the balance of labels.

For where the rows themselves are not at hand, or too many. Records have it from `fourfold.runs.summaries`.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from fourfold.evidence.explaining.tables import ColumnChange, LabelChange, TableChange, shares_of
from fourfold.evidence.statistics.inference import chi_squared
from fourfold.runs.changes import mapping

#: No table has so many rows.
_MOST = 1 << 53


def compare_summaries(
    a: Mapping[str, Any], b: Mapping[str, Any], name: str, *, label: str | None = None
) -> TableChange | None:
    """Compare what two records say of a table from afar; None where they say nothing.

    Args:
        a: Its summary in the fact ``summaries`` of the one run.
        b: In that of the other.
        name: Path of the table.
        label: The column of labels.
    """
    first, second = (_summarized(side) for side in (a, b))
    if not first or not second:
        return None
    rows = tuple(_count_of(side) for side in (a, b))
    sampled = [side for side in (a, b) if "sample" in side]
    columns = []
    for column in [each for each in first if each in second]:
        nulls = tuple(_whole(side[column].get("nulls")) for side in (first, second))
        if nulls[0] != nulls[1] and not sampled:
            columns.append(ColumnChange(column, (nulls[0], nulls[1])))
    kinds = [
        (column, str(first[column].get("kind")), str(second[column].get("kind")))
        for column in first
        if column in second
    ]
    found = TableChange(
        name,
        (rows[0], rows[1]),
        new_columns=tuple(each for each in second if each not in first),
        gone_columns=tuple(each for each in first if each not in second),
        retyped=tuple(row for row in kinds if row[1] != row[2] and "empty" not in row[1:]),
        columns=tuple(columns),
        sample=(_looked_at(a), _looked_at(b)) if sampled else None,
        source="summary",
        why="its rows are not at hand, or too many: this is what the records say of it",
    )
    if label is None or label not in first or label not in second:
        return found
    sides = [mapping(side[label].get("values")) for side in (first, second)]
    counts = [Counter({str(value): _whole(count) for value, count in side.items()}) for side in sides]
    if not all(each.total() for each in counts):
        return found
    values = sorted(counts[0].keys() | counts[1].keys())
    p = chi_squared([[each[value] for value in values] for each in counts]).p
    return found._replace(
        label=LabelChange(label, shares_of(label, counts[0]), shares_of(label, counts[1]), p)
    )


def _summarized(summary: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    columns = summary.get("columns")
    rows = columns if isinstance(columns, list) else []
    return {str(row["name"]): row for row in rows if isinstance(row, Mapping) and "name" in row}


def _count_of(summary: Mapping[str, Any]) -> int | None:
    """Rows of a table, or its lines less the first, where only these were counted."""
    rows, lines = summary.get("rows"), summary.get("lines")
    if isinstance(rows, int):
        return _whole(rows)
    return max(_whole(lines) - 1, 0) if isinstance(lines, int) else None


def _looked_at(summary: Mapping[str, Any]) -> int:
    """Of how many rows a summary tells."""
    return _whole(mapping(summary.get("sample")).get("rows") or summary.get("rows"))


def _whole(value: Any) -> int:
    """A count; 0 for what is none: records may come from elsewhere."""
    if not isinstance(value, int) or isinstance(value, bool):
        return 0
    return value if 0 <= value < _MOST else 0
