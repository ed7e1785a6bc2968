"""Validate: refuse rows that cannot be right, then split. Usage: validate.py TABLE FOLDER."""

import csv
import random
import sys
from pathlib import Path

from ruamel.yaml import YAML

PARAMS = YAML(typ="safe").load(Path("params.yaml"))["split"]


def is_right(row: dict[str, str]) -> bool:
    numbers = [float(value) for name, value in row.items() if name != "benign"]
    return row["benign"] in {"0", "1"} and all(number >= 0 for number in numbers)


def write(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main(table: str, folder: str) -> None:
    with open(table, newline="") as file:
        rows = list(csv.DictReader(file))
    good = [row for row in rows if is_right(row)]
    if len(good) < 0.99 * len(rows):
        sys.exit(f"{len(rows) - len(good)} of {len(rows)} rows cannot be right")
    random.Random(PARAMS["seed"]).shuffle(good)  # noqa: S311 - a split, not a secret
    held_out = int(len(good) * PARAMS["test_share"])
    Path(folder).mkdir(parents=True, exist_ok=True)
    write(Path(folder, "test.csv"), good[:held_out])
    write(Path(folder, "train.csv"), good[held_out:])
    print(f"{len(good)} rows are right: {len(good) - held_out} to train with, {held_out} to test with")


main(*sys.argv[1:])
