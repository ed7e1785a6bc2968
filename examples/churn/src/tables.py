"""Tables: CSV files with a header, as lists of rows."""

import csv
from pathlib import Path

Row = dict[str, str]

#: The column that names a customer, in every table.
ID = "customer_id"


def read(path: str | Path) -> list[Row]:
    """Every row of a file."""
    with Path(path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write(path: str | Path, columns: list[str], rows: list[Row]) -> None:
    """Write these columns of the rows, in this order; makes the folder if need be."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with Path(path).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
