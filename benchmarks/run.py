"""The benchmarks: ``python -m benchmarks.run [--case add-copied] [--rounds 3] [--scale 0.05]``.

Ours and the peer take turns, round by round, in one run on one machine; the medians are compared as ratios.
``--report`` writes the table for people.
"""

import argparse
import contextlib
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks import data
from benchmarks.capture import measure_capture
from benchmarks.case import Case, Work
from benchmarks.cases import ANCHOR_REPEATS, BUCKET, DATA
from benchmarks.evidence import EVIDENCE
from benchmarks.measure import Sample, measure, medians
from benchmarks.pipelines import PIPELINES, lock_reading
from benchmarks.tracing import measure_tracing
from tests.conftest import ROOT, find_dvc, find_ff
from tests.fixtures.servers import S3Server, find_tool, free_port, running

MB = 1_000_000
CASES = (*DATA, *PIPELINES, *EVIDENCE)


class Row(NamedTuple):
    """A case, measured."""

    case: Case
    ours: Sample
    peer: Sample | None
    anchor: float | None

    @property
    def ratio(self) -> float:
        """How many times faster than the peer."""
        return self.peer.wall / self.ours.wall if self.peer else 0

    @property
    def of_anchor(self) -> float:
        """How many times the anchor's time."""
        return self.ours.wall / self.anchor if self.anchor else 0

    @property
    def misses(self) -> list[str]:
        """Every bound of the case that is not kept, with the figures."""
        case, found = self.case, []
        if case.at_least and self.peer and self.ratio < case.at_least:
            found.append(f"{self.ratio:.2f}x of {case.at_least:.3g}x")
        if case.within and self.anchor and self.of_anchor > case.within:
            found.append(
                f"{self.of_anchor:.2f} of {case.within:g} times {case.anchor.name if case.anchor else ''}"
            )
        if case.cpu and self.peer and self.ours.cpu > self.peer.cpu * case.cpu:
            found.append(f"CPU {self.ours.cpu:.1f} s, a third of the peer's is {self.peer.cpu / 3:.1f} s")
        if case.most and self.ours.wall > case.most:
            found.append(f"{self.ours.wall:.2f} s of {case.most:g} s")
        if case.rss and self.ours.rss > case.rss:
            found.append(f"{self.ours.rss / MB:.0f} MB of {case.rss / MB:.0f} MB")
        return found


@contextlib.contextmanager
def s3_server(folder: Path) -> Iterator[S3Server]:
    """The S3 server of rclone on loopback, without its cache: else a read just after a write may miss."""
    buckets = folder / "buckets"
    (buckets / BUCKET).mkdir(parents=True)
    port, access, secret = free_port(), "BENCHMARKBENCHMARK01", "b" * 40
    command = [
        find_tool("rclone"),
        "serve",
        "s3",
        "--addr",
        f"127.0.0.1:{port}",
        "--auth-key",
        f"{access},{secret}",
    ]
    command += ["--vfs-cache-mode", "off", str(buckets)]
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "RCLONE_CONFIG": ""}
    with running(command, port, folder / "rclone.log", env) as pid:
        yield S3Server(f"http://127.0.0.1:{port}", access, secret, buckets, pid)


def bench(case: Case, base: Path, tools: tuple[str, str], rounds: int, scale: float) -> Row:
    """Prepare one case for both tools and let them take turns; the medians."""
    source = base / "source"
    if case.data:
        data.make(source, data.scaled(case.data, scale))
    with contextlib.ExitStack() as stack:
        s3 = stack.enter_context(s3_server(base / "s3")) if "s3" in case.name else None
        works = [Work(base / "ours", tools[0], source, s3)]
        commands = [[tools[0], *case.command, *case.ours]]
        if case.peer:
            works.append(Work(base / "peer", tools[0 if case.versus else 1], source, s3))
            commands.append(_instead(case, works[1].command))
        samples: list[list[Sample]] = [[] for _ in works]
        anchors: list[float] = []
        for work in works:
            work.base.mkdir(exist_ok=True)
            case.prepare(work)
        for number in range(min(rounds, case.rounds)):
            order = range(len(works)) if number % 2 == 0 else reversed(range(len(works)))
            for index in order:
                work = works[index]
                case.reset(work)
                samples[index].append(measure(commands[index], work.ws, work.env, case.repeat))
            if case.anchor:
                anchors.append(_anchor(case, base, source))
    peer = medians(samples[1]) if case.peer else None
    return Row(case, medians(samples[0]), peer, sorted(anchors)[len(anchors) // 2] if anchors else None)


def _instead(case: Case, command: str) -> list[str]:
    """What is timed in the peer's place."""
    if case.by_hand:
        return ["/bin/sh", "-ec", case.by_hand, "sh", command]
    return [command, *(case.versus or case.command)]


def _anchor(case: Case, base: Path, source: Path) -> float:
    if case.anchor is None:
        raise ValueError(f"{case.name} has no anchor")
    target = base / "anchor" / str(time.monotonic_ns())
    target.mkdir(parents=True)
    env = {"PATH": os.environ["PATH"], "PYTHON": sys.executable, "LC_ALL": "C"}
    command = ["/bin/sh", "-ec", case.anchor.line, "sh", str(source), str(target)]
    return measure(command, target, env).wall / ANCHOR_REPEATS.get(case.anchor.name, 1)


def table(rows: list[Row], earlier: str = "") -> str:
    """The rows as a Markdown table, with the rows of an earlier page that were not measured again."""
    lines = [
        "| case | ff | dvc | ratio | at least | anchor | ff / anchor | CPU ff / dvc | peak MB ff / dvc | |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    known = {line.split(" | ")[0][2:]: line for line in earlier.splitlines() if line.startswith("| ")}
    measured = {row.case: row for row in rows}
    for case in CASES:
        row = measured.get(case)
        if row is None:
            lines += [known[case.title]] if case.title in known else []
            continue
        peer = row.peer
        bound = " and ".join(_bounds(case))
        cells = [
            case.title,
            _seconds(row.ours.wall),
            _seconds(peer.wall) if peer else "",
            f"{row.ratio:.1f}x" if peer else "",
            bound,
            f"{case.anchor.name} {_seconds(row.anchor)}" if case.anchor and row.anchor else "",
            f"{row.of_anchor:.2f}" if row.anchor else "",
            f"{row.ours.cpu:.2f} / {peer.cpu:.2f} s" if peer else f"{row.ours.cpu:.2f} s",
            f"{row.ours.rss / MB:.0f} / {peer.rss / MB:.0f}" if peer else f"{row.ours.rss / MB:.0f}",
            "**miss**: " + "; ".join(row.misses) if row.misses else "pass",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _bounds(case: Case) -> Iterator[str]:
    if case.at_least:
        yield f"{case.at_least:.3g}x"
    if case.cpu:
        yield "a third of the CPU"
    if case.within:
        yield f"within {case.within:g} of the anchor"
    if case.most:
        yield f"within {case.most:g} s"
    if case.rss:
        yield f"{case.rss / MB:.0f} MB"


def _seconds(value: float) -> str:
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"


REPORT = """\
# How fast

Written by `make bench`. Ours (`ff` {ours}) and the peer (DVC {peer}, in its own environment) take turns in
one run, on fresh state, after a `sync`; medians of {rounds} rounds (at most two for S3 and (c), one for 300
first stages and a million entries). A row that a run leaves out (`--case`) stays as an earlier run wrote it.
Verification and durability are on in `ff`. An anchor is an ordinary Unix command over the same files in the
same rounds. Stages of pipelines copy a small file each, ten in a row. CPU is user and system time of the
command and its children, peak memory that of its largest process. What no peer has is timed alone; a replay
beside what one does by hand with DVC for the same revision, which compares no environment, repeats no seed
and writes down nothing.

(a) 20,000 files of 8 KiB in 256 folders; (b) 100,000 files of 1 KiB; (c) 8 files of 256 MiB{scaled}.

{table}

Reading a `dvc.lock` of a thousand stages takes {reading:.0f} ms (at most 60 ms).

{tracing}

{capture}

{machine}
"""


def report(
    rows: list[Row], tools: tuple[str, str], rounds: int, scale: float, base: Path, earlier: str
) -> str:
    """The page of results, with the machine that they come from, and the notes of ``benchmarks/notes.md``."""
    text = REPORT.format(
        ours=_version(tools[0]),
        peer=_version(tools[1]),
        rounds=rounds,
        scaled=f"; scaled by {scale:g}" if scale != 1 else "",
        table=table(rows, earlier),
        reading=lock_reading() * 1000,
        tracing=measure_tracing().sentence,
        capture=measure_capture().sentence,
        machine=_machine(base),
    )
    notes = ROOT / "benchmarks" / "notes.md"
    return text + ("\n" + notes.read_text() if notes.exists() else "")


def _version(command: str) -> str:
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    return done.stdout.split()[-1]


def _machine(base: Path) -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    done = subprocess.run(["df", "--output=fstype", str(base)], capture_output=True, text=True, check=False)
    files = done.stdout.split()[-1] if done.stdout.split() else "unknown"
    system = f"{platform.system()} {platform.release().split('-')[0]}"
    python = platform.python_version()
    return f"Machine: {os.cpu_count()} cores, {memory:.0f} GiB, {system}, {files}, Python {python}."


def main() -> int:
    """Run what the command line names; 1 when a bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", action="append", choices=[c.name for c in CASES], help="may be repeated")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="times as many files")
    parser.add_argument("--ours", default=None, help="our executable")
    parser.add_argument("--peer", default=None, help="the peer's executable")
    parser.add_argument("--work", type=Path, default=ROOT / ".cache" / "bench", help="on the disk to measure")
    parser.add_argument("--report", type=Path, default=None, help="write the page here")
    args = parser.parse_args()
    tools = os.path.abspath(args.ours or find_ff()), os.path.abspath(args.peer or find_dvc())
    args.work.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    earlier = args.report.read_text() if args.report and args.case and args.report.exists() else ""
    # One folder for all, deleted at the end: see `Work.park`.
    with tempfile.TemporaryDirectory(dir=args.work, prefix="run-") as folder:
        for case in CASES:
            if args.case and case.name not in args.case:
                continue
            base = Path(folder) / case.name
            base.mkdir()
            rows.append(bench(case, base, tools, args.rounds, args.scale))
            print(table(rows[-1:]).splitlines()[-1], flush=True)
            if args.report:  # as it grows: a run that is cut off leaves what it has measured
                page = report(rows, tools, args.rounds, args.scale, args.work, earlier)
                args.report.write_text(page)
    print("\n" + table(rows))
    return any(row.misses for row in rows)


if __name__ == "__main__":
    sys.exit(main())
