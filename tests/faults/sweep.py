"""The sweep: ``python -m tests.faults.sweep --all`` or ``--command add --sample 40 --seed 1``.

Prints every finding and one row a command (points, those tried, findings of each kind); 1 when there is any.
``--report`` writes the table for people. With ``--rows`` the row of each command is kept in a folder, so that
a sweep of hours can be done command by command: what lies there is neither tried again nor left out;
``--again`` tries the points of it that had findings once more, after the checker was mended.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tests.conftest import ROOT, find_ff
from tests.faults.cases import CASES, Case
from tests.faults.checker import KINDS
from tests.faults.harness import Bench, sample


class Swept(NamedTuple):
    """What came of one command.

    Attributes:
        name: The case.
        commit: What was swept.
        points: How many faults there are.
        tried: How many of them were tried.
        reached: How many of those came to pass: a file that needed no writing this time is not hit.
        findings: (fault, kind, what, the call that was hit).
        seconds: How long it took.
    """

    name: str
    commit: str
    points: int
    tried: int
    reached: int
    findings: list[tuple[str, str, str, str]]
    seconds: float


def sweep(case: Case, command: str, kinds: str, size: int | None, seed: int) -> Swept:
    """Try ``size`` faults (None: as the case says) of the ``kinds`` (``kill``, ``error``, ``both``)."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="faults-") as base:
        bench = Bench(Path(base), case, command)
        faults = [*(bench.kills() if kinds != "error" else []), *(bench.errors() if kinds != "kill" else [])]
        most = size if size is not None else case.most
        chosen = faults if most is None else sample(faults, most, seed)
        reached, findings = 0, []
        for fault in chosen:
            fired, found = bench.attempt(fault)
            reached += fired
            findings += [(str(fault), finding.kind, finding.what, fault.point.what) for finding in found]
    seconds = time.monotonic() - began
    return Swept(case.name, _commit(), len(faults), len(chosen), reached, findings, seconds)


def retry(case: Case, command: str, row: Swept) -> Swept:
    """The row with the points that had findings tried once more."""
    wanted = {fault for fault, *_rest in row.findings}
    with tempfile.TemporaryDirectory(prefix="faults-") as base:
        bench = Bench(Path(base), case, command)
        findings = [
            (str(fault), finding.kind, finding.what, fault.point.what)
            for fault in [*bench.kills(), *bench.errors()]
            if str(fault) in wanted
            for finding in bench.attempt(fault)[1]
        ]
    return row._replace(findings=findings)


def _commit() -> str:
    """The commit of this checkout, marked when files differ from it."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or "unknown"


def kept(case: Case, rows: Path | None, args: argparse.Namespace, command: str) -> Swept:
    """The row of a case: from the folder, or swept now and put there."""
    file = rows / f"{case.name}.json" if rows else None
    if file and file.exists():
        fields = json.loads(file.read_text())
        row = Swept(**{**fields, "findings": [tuple(found) for found in fields["findings"]]})
        if not (args.again and row.findings):
            return row
        row = retry(case, command, row)
    else:
        row = sweep(case, command, args.kinds, args.sample, args.seed)
    if file:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(row._asdict(), indent=1))
    return row


def table(rows: list[Swept]) -> str:
    """The rows as a Markdown table."""
    head = ["command", "points", "tried", "reached", *KINDS]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in rows:
        counts = Counter(kind for _fault, kind in {(fault, kind) for fault, kind, *_rest in row.findings})
        cells = [row.name, row.points, row.tried, row.reached, *(counts[kind] for kind in KINDS)]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


REPORT = """\
# Faults: what was tried, and what came of it

Written by `make faults` on {date}, of {commits}; {machine}.

Each command runs once, traced; then once for every system call with which it changes a file, and is there
killed, or refused with an error that the call can return (a full disk, a failing disk, no more file handles,
no permission). After each, the disk is read by a checker that shares no code with the product, `status` is
asked, and the command is run again. A cell counts the points at which that promise was broken; every cell
must be 0.

- **points**: calls times what can happen to them; **tried** is less only for `add` with links, of large
  files and of hundreds of them, of whose points a sample is taken; **reached**: the call was made again in
  the run that was hit
- **lost**: an object that was there is gone, or a pointer file or a remote manifest names one that nobody
  has
- **torn**: an object, pointer file or workspace file holds neither its old bytes nor its new ones
- **missing**: a workspace file is gone; **false clean**: `status` calls clean what is not
- **not converged**: the second run fails, or ends elsewhere than an undisturbed one
- **litter**: temporary files after the second run; **false success**: exit 0 without the result

{table}

{total} points in {minutes:.0f} minutes of one process.
"""


def report(rows: list[Swept]) -> str:
    """The page for people."""
    commits = sorted({row.commit for row in rows})
    return REPORT.format(
        date=time.strftime("%d %B %Y", time.gmtime()),
        commits="commit " + commits[0] if len(commits) == 1 else "commits " + ", ".join(commits),
        machine=f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python "
        f"{platform.python_version()}",
        table=table(rows),
        total=sum(row.tried for row in rows),
        minutes=sum(row.seconds for row in rows) / 60,
    )


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
    parser.add_argument("--rows", type=Path, default=None, help="keep each row here, and take those that are")
    parser.add_argument("--again", action="store_true", help="try again what had findings in --rows")
    parser.add_argument("--report", type=Path, default=None, help="write the table here")
    args = parser.parse_args()
    if not args.all and not args.command:
        parser.error("name a case with --command, or say --all")
    command = os.path.abspath(args.exe or find_ff())
    chosen = [case for case in CASES if args.all or case.name in args.command]
    with ThreadPoolExecutor(args.jobs) as pool:
        rows = list(pool.map(lambda case: kept(case, args.rows, args, command), chosen))
    for row in rows:
        for fault, kind, what, call in row.findings:
            print(f"{row.name}: {fault}: {kind}: {what}\n    {call}")
    print(table(rows))
    if args.report:
        args.report.parent.mkdir(parents=True, exist_ok=True)
        args.report.write_text(report(rows))
    return any(row.findings for row in rows)


if __name__ == "__main__":
    sys.exit(main())
