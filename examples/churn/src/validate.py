"""Validate: stop before a model is trained on nonsense. Usage: validate.py TABLE REPORT."""

import json
import sys
from pathlib import Path

import tables
from settings import setting


def main(table: str, report: str) -> None:
    """Write what was found, or end with a message that says what is wrong."""
    rows = tables.read(table)
    label = setting("label")
    if len(rows) < setting("validate.min_rows"):
        sys.exit(f"{table} has {len(rows)} rows; at least {setting('validate.min_rows')} are wanted")
    if label not in rows[0]:
        sys.exit(f"{table} has no column {label!r}: there is nothing to learn")
    strange = {row[label] for row in rows} - {"0", "1"}
    if strange:
        sys.exit(f"{table}: {label} is to be 0 or 1, but is {', '.join(map(repr, sorted(strange)))}")
    ratio = sum(row[label] == "1" for row in rows) / len(rows)
    least = setting("validate.min_positive_ratio")
    if ratio < least:
        sys.exit(f"{table}: {ratio:.1%} of the customers churned; at least {least:.0%} are wanted")
    # only what was found, not what was wanted: another threshold that holds too trains nothing again
    found = {"rows": len(rows), "columns": len(rows[0]), "positive_ratio": round(ratio, 4)}
    Path(report).parent.mkdir(parents=True, exist_ok=True)
    Path(report).write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(f"{len(rows)} rows, {ratio:.1%} of them churned")


if __name__ == "__main__":
    main(*sys.argv[1:])
