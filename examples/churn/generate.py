"""Make the customers of the example: synthetic, the same bytes on every platform.

    python generate.py data/raw

writes one file a month, ``2026-01.csv`` to ``2026-06.csv``, 5,040 customers in all: what a telecom company
might export about those whose contract was up in that month. Nobody in there is real. Whether a customer
leaves is drawn from a logistic model of contract, tenure, charges, support calls and so on, so there is
something to learn, and chance enough that no model learns all of it.

As in real exports, two things need cleaning: new customers have no total yet (blank), and each month begins
with corrections of the month before, which replace the older rows.

Needs nothing but Python. Only ``random.random()`` is drawn from, whose sequence Python guarantees for a
seed. Each month has a sequence of its own, so one can be made again without the others:

    python generate.py data/raw --only 2026-07                    another month arrives
    python generate.py data/raw --only 2026-05 --drop-rows 0.02   a fiftieth of the rows is lost
    python generate.py data/raw --only 2026-06 --label-shift 0.9  nine of ten churned are said to have stayed
    python generate.py data/raw --leak                            a column that gives the answer away
    python generate.py data/raw --without-label                   the answer is not there at all

The last four are the accidents of the trade, for trying what notices them. Each leaves every other row and
column as it is without it.
"""

import argparse
import csv
import math
import random
from collections.abc import Iterator
from pathlib import Path

Row = dict[str, str]

#: Each choice with its share.
CONTRACTS = {"monthly": 0.55, "yearly": 0.25, "two-years": 0.20}
INTERNET = {"without": 0.2, "dsl": 0.35, "fibre": 0.45}
PAYMENTS = {"card": 0.4, "transfer": 0.35, "invoice": 0.25}
#: What each adds to the logarithm of the odds that a customer leaves.
LEANING = {"yearly": -1.8, "two-years": -3.2, "dsl": 0.4, "fibre": 1.2, "invoice": 0.9}
BASE_PRICE = {"without": 19.0, "dsl": 44.0, "fibre": 69.0}
#: Every hundredth customer of a month is corrected in the next.
CORRECTED = 0.01


def main() -> None:
    """Write the months that are asked for."""
    parser = argparse.ArgumentParser(description="Make the synthetic customers of the example.")
    parser.add_argument("folder", type=Path, help="where the files go, such as data/raw")
    parser.add_argument("--seed", type=int, default=7, help="another seed, other customers (default: 7)")
    parser.add_argument("--customers", type=int, default=840, help="in each month (default: 840)")
    parser.add_argument("--months", type=int, default=6, help="from January on (default: 6)")
    parser.add_argument("--only", metavar="MONTH", help="write only this one, such as 2026-07")
    parser.add_argument("--drop-rows", type=share, default=0.0, metavar="SHARE", help="lose these rows")
    parser.add_argument(
        "--label-shift",
        type=share,
        default=0.0,
        metavar="SHARE",
        help="say of these churned that they stayed",
    )
    parser.add_argument("--leak", action="store_true", help="add a column that gives the answer away")
    parser.add_argument("--without-label", action="store_true", help="leave the column of the answer out")
    chosen = parser.parse_args()
    months = [chosen.only] if chosen.only else [f"2026-{number:02}" for number in range(1, chosen.months + 1)]
    chosen.folder.mkdir(parents=True, exist_ok=True)
    for month in months:
        rows = customers(month, chosen.seed, chosen.customers)
        rows = [*corrections(month, chosen.seed, chosen.customers), *rows]
        # accidents draw from a sequence of their own: they change nothing but what they are about
        accident = random.Random(f"accident {chosen.seed} {month}")  # noqa: S311 - data, not a secret
        rows = [row for row in rows if accident.random() >= chosen.drop_rows]
        if chosen.leak:
            rows = [row | {"closing_invoice": closing_invoice(row)} for row in rows]
        for row in rows:
            if row["churned"] == "1" and accident.random() < chosen.label_shift:
                row["churned"] = "0"
            if chosen.without_label:
                del row["churned"]
        write(chosen.folder / f"{month}.csv", rows)


def share(text: str) -> float:
    """A number from 0 to 1."""
    number = float(text)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return number


def customers(month: str, seed: int, count: int) -> list[Row]:
    """Those whose contract is up in a month."""
    chance = random.Random(f"customers {seed} {month}")  # noqa: S311 - data, not a secret
    return [customer(chance, f"C{month.replace('-', '')}-{number:04}") for number in range(1, count + 1)]


def customer(chance: random.Random, name: str) -> Row:
    """One customer, and whether he leaves."""
    contract = choose(chance, CONTRACTS)
    internet = choose(chance, INTERNET)
    payment = choose(chance, PAYMENTS)
    tenure = int(72 * chance.random() * chance.random())
    # the sum of twelve draws is as good as a bell curve, and needs no logarithm
    cents = round(100 * (BASE_PRICE[internet] + 4 * (sum(chance.random() for _ in range(12)) - 6)))
    calls = sum(chance.random() < 0.22 for _ in range(8))
    odds = -1.3 + sum(LEANING.get(choice, 0) for choice in (contract, internet, payment))
    odds += 0.9 * (calls - 1.76) - 0.06 * (tenure - 18) + 0.02 * (cents / 100 - 50)
    # new customers who call a lot are lost: what a tree finds and a straight line does not
    odds += 1.5 * (tenure < 6 and calls > 2)
    return {
        "customer_id": name,
        "contract": contract,
        "internet": internet,
        "payment": payment,
        "tenure_months": str(tenure),
        "monthly_charges": money(cents),
        "total_charges": money(cents * tenure) if tenure else "",
        "support_calls": str(calls),
        "churned": str(int(chance.random() < 1 / (1 + math.exp(-odds)))),
    }


def corrections(month: str, seed: int, count: int) -> Iterator[Row]:
    """The first customers of the month before, each with a support call that was counted late."""
    year, number = map(int, month.split("-"))
    if number > 1:
        for row in customers(f"{year}-{number - 1:02}", seed, count)[: int(count * CORRECTED)]:
            yield row | {"support_calls": str(int(row["support_calls"]) + 1)}


def choose(chance: random.Random, choices: dict[str, float]) -> str:
    """One of the choices, by its share."""
    drawn = chance.random()
    for choice, part in choices.items():
        drawn -= part
        if drawn < 0:
            return choice
    return next(reversed(choices))


def money(cents: int) -> str:
    """Cents as a decimal number."""
    return f"{cents // 100}.{cents % 100:02}"


def closing_invoice(row: Row) -> str:
    """What only those get who have left: known too late to predict with."""
    return row["monthly_charges"] if row["churned"] == "1" else "0.00"


def write(path: Path, rows: list[Row]) -> None:
    """Write a table with a header."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
