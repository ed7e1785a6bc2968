"""Load: give the raw file a header. Usage: load.py RAW TABLE."""

import csv
import sys

MEASURED = (
    "radius",
    "texture",
    "perimeter",
    "area",
    "smoothness",
    "compactness",
    "concavity",
    "concave_points",
    "symmetry",
    "fractal_dimension",
)
COLUMNS = [f"{kind}_{name}" for kind in ("mean", "error", "worst") for name in MEASURED]


def main(raw: str, table: str) -> None:
    with open(raw, newline="") as file:
        first, *rows = csv.reader(file)
    if len(rows) != int(first[0]):
        sys.exit(f"{raw} says that it has {first[0]} rows, but it has {len(rows)}")
    with open(table, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*COLUMNS, "benign"])
        writer.writerows(rows)
    print(f"{len(rows)} rows, {len(COLUMNS)} measurements each")


main(*sys.argv[1:])
