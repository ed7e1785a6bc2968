"""The named cases on pipelines: chains of trivial stages, where all the time is the tool's own."""

import hashlib
import statistics
import time
from collections.abc import Callable

from benchmarks.case import Case, Work, nothing

#: Stages in a row, each reading what the one before made.
CHAIN = 10
#: The peer runs one stage at a time; so do we, where it is compared.
ONE = ("-j", "1")
SLEEPERS = """\
stages:
  a1: {cmd: sleep 0.5 && echo 1 > a1.txt, deps: [in.txt], outs: [a1.txt]}
  a2: {cmd: sleep 0.5 && cp a1.txt a2.txt, deps: [a1.txt], outs: [a2.txt]}
  b1: {cmd: sleep 0.5 && echo 2 > b1.txt, deps: [in.txt], outs: [b1.txt]}
  b2: {cmd: sleep 0.5 && cp b1.txt b2.txt, deps: [b1.txt], outs: [b2.txt]}
"""


def pipeline(stages: int) -> str:
    """A ``dvc.yaml`` of chains of `CHAIN` stages, each of which copies a small file."""
    lines = ["stages:\n"]
    for at in range(stages):
        dep = f"out{at - 1}.txt" if at % CHAIN else "in.txt"
        lines.append(
            f"  s{at}:\n    cmd: cat {dep} > out{at}.txt\n    deps: [{dep}]\n    outs: [out{at}.txt]\n"
        )
    return "".join(lines)


def lock_reading() -> float:
    """Seconds to read a ``dvc.lock`` of a thousand stages, within a running process: the median of nine."""
    from fourfold.base.ids import Oid  # noqa: PLC0415 - the other cases time executables
    from fourfold.formats.dvc import lock  # noqa: PLC0415 - likewise
    from fourfold.formats.dvc.lock import LockEntry, LockFile  # noqa: PLC0415 - likewise
    from fourfold.formats.dvc.pointer import Dependency, Output  # noqa: PLC0415 - likewise

    def oid_of(number: int) -> Oid:
        return Oid(hashlib.md5(str(number).encode(), usedforsecurity=False).hexdigest())

    def entry(at: int) -> LockEntry:
        deps = (
            Dependency(f"data/{at}.csv", oid_of(at), size=at),
            Dependency("src/train.py", oid_of(-1), size=9),
        )
        outs = (Output(f"models/{at}.pkl", oid_of(at + 5000), size=at),)
        return LockEntry(f"python src/train.py {at}", deps, {"params.yaml": {"depth": 3, "lr": 0.1}}, outs)

    data = lock.render(LockFile("2.0", {f"stage-{at}": entry(at) for at in range(1000)}))
    seconds = []
    for _ in range(9):
        began = time.perf_counter()
        lock.parse(data)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def _fresh(text: str) -> Callable[[Work], None]:
    def begin(work: Work) -> None:
        work.begin(data=False)
        (work.ws / "in.txt").write_text("input\n")
        (work.ws / "dvc.yaml").write_text(text)

    return begin


def _done(text: str) -> Callable[[Work], None]:
    def begin(work: Work) -> None:
        _fresh(text)(work)
        work.run("repro", "--quiet")

    return begin


PIPELINES: tuple[Case, ...] = (
    Case(
        "repro-noop-40",
        "no-op `repro`, 40 stages",
        "",
        _done(pipeline(40)),
        nothing,
        ("repro",),
        8,
        repeat=3,
    ),
    Case(
        "repro-first-40",
        "first `repro -j 1`, 40 stages",
        "",
        nothing,
        _fresh(pipeline(40)),
        ("repro",),
        4,
        ours=ONE,
    ),
    Case(
        "repro-first-300",
        "first `repro -j 1`, 300 stages",
        "",
        nothing,
        _fresh(pipeline(300)),
        ("repro",),
        10,
        rounds=1,
        ours=ONE,
    ),
    Case(
        "status-300",
        "`status`, 300 stages",
        "",
        _done(pipeline(300)),
        nothing,
        ("status",),
        8,
        repeat=3,
    ),
    Case(
        "dag-300",
        "`dag --dot`, 300 stages",
        "",
        _fresh(pipeline(300)),
        nothing,
        ("dag", "--dot"),
        8,
        repeat=3,
    ),
    Case(
        "repro-parallel",
        "`repro -j 2` of two sleeping chains, against our own `-j 1`",
        "",
        nothing,
        _fresh(SLEEPERS),
        ("repro", "-j", "2"),
        1 / 0.6,
        versus=("repro", *ONE),
    ),
)
