"""The sweep: ``python -m tests.faults.sweep --all`` or ``--command add --sample 40 --seed 1``.

Prints one row a command (points tried, findings of each kind) and every finding; 1 when there is any.
``--report`` writes the table for people.
"""

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tests.conftest import find_ff
from tests.faults.cases import CASES, Case
from tests.faults.checker import KINDS, Finding
from tests.faults.harness import Bench, sample
from tests.faults.tracing import Fault


class Swept(NamedTuple):
    """What came of one command: how many faults were tried and reached, and every finding with its fault."""

    name: str
    tried: int
    reached: int
    findings: list[tuple[Fault, Finding]]
    seconds: float


def sweep(case: Case, command: str, kinds: str, size: int | None, seed: int) -> Swept:
    """Try ``size`` faults (None: all) of the ``kinds`` (``kill``, ``error``, ``both``) on one case."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="faults-") as base:
        bench = Bench(Path(base), case, command)
        faults = [*(bench.kills() if kinds != "error" else []), *(bench.errors() if kinds != "kill" else [])]
        chosen = faults if size is None else sample(faults, size, seed)
        reached, findings = 0, []
        for fault in chosen:
            fired, found = bench.attempt(fault)
            reached += fired
            findings += [(fault, finding) for finding in found]
    return Swept(case.name, len(chosen), reached, findings, time.monotonic() - began)


def table(rows: list[Swept]) -> str:
    """The rows as a Markdown table."""
    head = ["command", "points", "reached", *KINDS]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in rows:
        counts = Counter(
            {f"{fault}|{finding.kind}": finding.kind for fault, finding in row.findings}.values()
        )
        lines.append(
            f"| {row.name} | {row.tried} | {row.reached} | "
            + " | ".join(str(counts[k]) for k in KINDS)
            + " |"
        )
    return "\n".join(lines)


REPORT = """\
# Faults: what was tried, and what came of it

Written by `make faults`. Each command runs once, traced; then once for every system call with which it
changes a file, and is there killed, or refused with an error. After each, the disk is read by a checker that
shares no code with the product, `status` is asked, and the command is run again. A cell counts the points at
which that promise was broken; every cell must be 0.

- **lost**: an object that was there is gone, or a pointer file or a remote manifest names one that nobody
  has
- **torn**: an object, pointer file or workspace file holds neither its old bytes nor its new ones
- **missing**: a workspace file is gone; **false clean**: `status` calls clean what is not
- **not converged**: the second run fails, or ends elsewhere than an undisturbed one
- **litter**: temporary files after the second run; **false success**: exit 0 without the result

{table}

{total} points in {seconds:.0f} s.
"""


def main() -> int:
    """Sweep what the command line names; 1 when a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    names = [case.name for case in CASES]
    parser.add_argument("--command", action="append", choices=names, help="a case; may be repeated")
    parser.add_argument("--all", action="store_true", help="every case, every point")
    parser.add_argument("--kinds", choices=("kill", "error", "both"), default="both")
    parser.add_argument("--sample", type=int, default=None, help="at most this many points a case")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--exe", default=None, help="the tool (default: our ff)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--report", type=Path, default=None, help="write the table here")
    args = parser.parse_args()
    if not args.all and not args.command:
        parser.error("name a case with --command, or say --all")
    command = os.path.abspath(args.exe or find_ff())
    chosen = [case for case in CASES if args.all or case.name in args.command]
    with ThreadPoolExecutor(args.jobs) as pool:
        rows = list(pool.map(lambda case: sweep(case, command, args.kinds, args.sample, args.seed), chosen))
    for row in rows:
        for fault, finding in row.findings:
            print(f"{row.name}: {fault}: {finding.kind}: {finding.what}\n    {fault.point.what}")
    print(table(rows))
    if args.report:
        args.report.parent.mkdir(parents=True, exist_ok=True)
        total, seconds = sum(row.tried for row in rows), sum(row.seconds for row in rows)
        args.report.write_text(REPORT.format(table=table(rows), total=total, seconds=seconds))
    return any(row.findings for row in rows)


if __name__ == "__main__":
    sys.exit(main())
