"""Load: join the months, clean the rows, split off what is held out. Usage: load.py RAW SPLIT."""

import hashlib
import sys
from pathlib import Path
from typing import Any

import tables
from settings import document, setting


def main(raw: str, split: str) -> None:
    """Write ``train.csv`` and ``test.csv`` into the folder SPLIT."""
    schema = document("schema.yaml")
    months = sorted(Path(raw).glob("*.csv"))
    exported = [row for month in months for row in tables.read(month)]
    if not exported:
        sys.exit(f"there are no customers in {raw}")
    # a later month corrects an earlier one: of each customer the last row counts
    latest = {row[tables.ID]: row for row in exported}
    clean = [row for row in map(completed, latest.values()) if is_right(row, schema)]
    columns = kept(list(dict.fromkeys(name for row in exported for name in row)), schema)
    seed, share = setting("seed"), setting("load.test_share")
    held_out = [row for row in clean if drawn(seed, row[tables.ID]) < share]
    others = [row for row in clean if drawn(seed, row[tables.ID]) >= share]
    tables.write(Path(split, "test.csv"), columns, held_out)
    tables.write(Path(split, "train.csv"), columns, others)
    print(f"{len(months)} months, {len(exported)} rows, {len(exported) - len(latest)} of them corrections")
    print(
        f"{len(latest) - len(clean)} cannot be right; {len(others)} to train with, {len(held_out)} held out"
    )


def completed(row: tables.Row) -> tables.Row:
    """New customers have paid nothing yet; the export leaves that blank."""
    return row | {"total_charges": row["total_charges"] or "0.00"}


def is_right(row: tables.Row, schema: dict[str, Any]) -> bool:
    """Whether a row can be believed."""
    try:
        numbers = all(least <= float(row[name]) <= most for name, (least, most) in schema["numbers"].items())
    except ValueError:
        return False
    return numbers and all(row[name] in choices for name, choices in schema["categories"].items())


def kept(columns: list[str], schema: dict[str, Any]) -> list[str]:
    """The columns that go on: those of the schema, the others if it says so."""
    named = {tables.ID, setting("label"), *schema["numbers"], *schema["categories"]}
    return [name for name in columns if name in named or schema["others"] == "keep"]


def drawn(seed: int, name: str) -> float:
    """A number from 0 to 1 for a customer: the same whoever else is there, so a new month moves nobody."""
    return int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest()[:6], "big") / 2**48


if __name__ == "__main__":
    main(*sys.argv[1:])
