"""What a change of a table means, in words: known harms first; as JSON, and back from it.

Known harms are what makes models worse, or results look better than they are, whatever else is going on:
labels that tip over, rows in train and test, a column that tells the label, cells that are empty now, copies.
What changed is found by `tables` and `overlap`.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from fourfold.evidence.explaining.columns import Drift
from fourfold.evidence.explaining.overlap import Overlap
from fourfold.evidence.explaining.tables import (
    CERTAIN,
    ColumnChange,
    Example,
    LabelChange,
    Leak,
    TableChange,
    cut,
)
from fourfold.evidence.statistics.inference import chi_squared

#: From these shares on: a shift of a label, changed labels, rows in train and test, empty cells, copies.
_BALANCE, _LABELS, _OVERLAP, _NULLS, _COPIES = 0.02, 0.01, 0.01, 0.05, 0.01
#: Where rows are drawn anew, the last three are harms if chance does that so seldom.
_CHANCE = 0.001
#: So many columns are named.
_NAMED = 3


class Harm(NamedTuple):
    """Something that is known to harm.

    Attributes:
        kind: ``label``, ``overlap``, ``leak``, ``nulls`` or ``copies``: in this order the worst first.
        about: The column, or the second table of an overlap; two harms of one kind about the same are one.
        share: How much of the table it is, from 0 to 1.
        told: In words.
    """

    kind: str
    about: str
    share: float
    told: str


def harms(change: TableChange) -> list[Harm]:
    """The harms that a table has now and had not, the worst first."""
    found = [*_label(change)]
    found += [
        Harm(
            "leak",
            leak.name,
            leak.after,
            f"column {cut(leak.name)} tells the label by itself ({_told(leak)})",
        )
        for leak in change.leaks
    ]
    before, after = (max(rows or 0, 1) for rows in change.rows)
    stayed = change.added == change.removed == 0  # the same rows: nothing was drawn anew
    for column in change.columns:
        shares = min(column.nulls[0] / before, 1.0), min(column.nulls[1] / after, 1.0)
        if shares[1] - shares[0] >= _NULLS and (stayed or _is_more(column.nulls, (before, after))):
            told = f"empty cells in {cut(column.name)}: {percent(shares[0])} -> {percent(shares[1])}"
            found.append(Harm("nulls", column.name, shares[1] - shares[0], told))
    copies = change.duplicates[0] / before, change.duplicates[1] / after
    if copies[1] - copies[0] >= _COPIES and _is_more(change.duplicates, (before, after)):
        told = f"rows that are copies of others: {percent(copies[0])} -> {percent(copies[1])}"
        found.append(Harm("copies", "", copies[1] - copies[0], told))
    return found


def _is_more(counts: tuple[int, int], totals: tuple[int, int]) -> bool:
    """Whether a share rose by more than chance would have it, where rows are drawn anew."""
    rest = [max(total - count, 0) for count, total in zip(counts, totals, strict=True)]
    return chi_squared([counts, rest]).p < _CHANCE


def _label(change: TableChange) -> list[Harm]:
    label = change.label
    if label is None or change.sample is not None:
        return []
    rows = max(change.rows[1] or 0, 1)
    shift = label.shift
    moved = abs(shift[2] - shift[1]) if shift is not None else 0.0
    if shift is not None and moved >= _BALANCE and label.p < CERTAIN:
        told = f"labels tipped over: {cut(label.name)}={shift[0]} {percent(shift[1])} -> {percent(shift[2])}"
        return [Harm("label", label.name, moved, told)]
    if label.changed / rows >= _LABELS:
        told = f"labels of {_rows(label.changed)} ({percent(label.changed / rows)}) are others now"
        return [Harm("label", label.name, label.changed / rows, told)]
    return []


def _told(leak: Leak) -> str:
    now = f"{percent(leak.after)} of what is not known without it"
    return now if leak.before is None else f"{now}, {percent(leak.before)} before"


def overlap_harm(before: Overlap | None, after: Overlap) -> Harm | None:
    """The harm of rows in train and test that were not there."""
    then = before.share if before is not None else 0.0
    if after.share - then < _OVERLAP:
        return None
    rows = max(after.rows, after.keys or 0)
    total = before.total if before is not None else after.total
    if not _is_more((round(then * total), rows), (total, after.total)):
        return None
    told = f"{_rows(rows)} of {after.test} ({percent(after.share)}) stand in {after.train} too"
    return Harm(
        "overlap", after.test, after.share - then, told + (f", {percent(then)} before" if then else "")
    )


def told(change: TableChange) -> str:
    """What happened to a table, in a line; "" where nothing can be said."""
    if change.order_only:
        return f"the same rows{', columns' if change.order_only == 'columns' else ''} in another order"
    before, after = change.rows
    said = []
    if change.removed:
        said.append(f"lost {_rows(change.removed)} ({percent(change.removed / max(before or 0, 1))})")
    if change.added:
        said.append(f"{_rows(change.added)} ({percent(change.added / max(after or 0, 1))}) new")
    if change.changed:
        said.append(f"{_rows(change.changed)} ({percent(change.changed / max(after or 0, 1))}) changed")
    if change.added is None and before is not None and after is not None and before != after:
        share = percent(abs(after - before) / max(before, after))
        said.append(f"{'lost' if after < before else 'gained'} {_rows(abs(after - before))} ({share})")
    if change.rewritten:
        alone = not said and change.added is not None
        rows = "the same values" if alone else f"{_rows(change.rewritten)} the same and"
        said.append(f"{rows} written otherwise")
    old, new = {was for was, _ in change.renamed}, {now for _, now in change.renamed}
    said += [f"column {cut(was)} is called {cut(now)} now" for was, now in change.renamed[:_NAMED]]
    said += [f"new column {cut(name)}" for name in change.new_columns if name not in new][:_NAMED]
    said += [f"column {cut(name)} is gone" for name in change.gone_columns if name not in old][:_NAMED]
    said += [f"column {cut(name)}: {was} -> {now}" for name, was, now in change.retyped[:_NAMED]]
    label = change.label
    if label is not None and label.shift is not None and change.sample is not None and label.p < CERTAIN:
        value, was, now = label.shift
        first = f"of the first {change.sample[1]:,} rows" if change.sample[0] else "of the first rows"
        said.append(f"{first} {cut(label.name)}={value} are {percent(now)}, {percent(was)} before")
    drifted = [column for column in change.columns if column.drifted and column.drift is not None]
    if drifted:
        names = ", ".join(f"{cut(column.name)} ({_drift(column.drift)})" for column in drifted[:_NAMED])
        more = f" and {len(drifted) - _NAMED} more" if len(drifted) > _NAMED else ""
        said.append(f"drifted: {names}{more}")
    return ", ".join(said)


def _drift(drift: Drift | None) -> str:
    if drift is None:
        return ""
    if drift.test == "ks":
        return f"KS {drift.effect:.2f}"
    if drift.shares:
        value, before, after = drift.shares[0]
        return f"{value} {percent(before)} -> {percent(after)}"
    return f"{percent(drift.effect)} of the rows"


def percent(share: float) -> str:
    """A share as people write it."""
    value = share * 100
    if 0 < value < 0.1:
        return "<0.1 %"
    return f"{value:.1f} %" if value < 1 and value else f"{value:.0f} %"


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"


# --- JSON -------------------------------------------------------------------------------------------------


def document(change: TableChange) -> dict[str, Any]:
    """A change of a table as JSON holds it."""
    found: dict[str, Any] = dict(zip(change._fields, change, strict=True))
    found["rows"] = list(change.rows)
    found["columns"] = [
        {**column._asdict(), "drift": column.drift._asdict() if column.drift is not None else None}
        for column in change.columns
    ]
    found["label"] = change.label._asdict() if change.label is not None else None
    found["leaks"] = [leak._asdict() for leak in change.leaks]
    found["examples"] = [example._asdict() for example in change.examples]
    return found


def restored(found: Mapping[str, Any]) -> TableChange:
    """What `document` was made of.

    Raises:
        TypeError, KeyError, ValueError, AttributeError: it is no such document.
    """
    columns = []
    for column in found["columns"]:
        drift = column["drift"]
        kept = None
        if drift is not None:
            lists = {name: tuple(drift[name]) for name in ("new", "gone")}
            kept = Drift(**{**drift, **lists, "shares": tuple(map(tuple, drift["shares"]))})
        columns.append(ColumnChange(**{**column, "nulls": tuple(column["nulls"]), "drift": kept}))
    plain = {name: tuple(found[name]) for name in ("rows", "new_columns", "gone_columns", "duplicates")}
    return TableChange(
        **{
            **found,
            **plain,
            "retyped": tuple(map(tuple, found["retyped"])),
            "renamed": tuple(map(tuple, found["renamed"])),
            "columns": tuple(columns),
            "sample": tuple(found["sample"]) if found["sample"] is not None else None,
            "label": LabelChange(**found["label"]) if found["label"] is not None else None,
            "leaks": tuple(Leak(**leak) for leak in found["leaks"]),
            "examples": tuple(Example(**example) for example in found["examples"]),
        }
    )
