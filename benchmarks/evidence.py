"""The named cases on evidence: a run repeated, two results explained, versions searched.

No peer has such commands. A replay is held against what it spares: a worktree of the revision, its data and
its stage, by hand with the peer, which neither looks at the environment nor writes down what it did.
"""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.case import Case, Work, nothing
from tests.conftest import ROOT

#: So many recorded versions are searched, and the first bad one comes after so many good ones.
VERSIONS, GOOD = 64, 41
#: Seconds that an answer from records may take.
MOST = 1.0
#: Caches of what records say; without them, an answer is the first of its kind.
_FACTS = ".dvc/fourfold/runs/facts"
_THEN = "then"
_COUNT = """\
stages:
  count:
    cmd: wc -l < in.txt > count.txt
    deps: [in.txt]
    outs: [count.txt]
"""
_SUM = """\
stages:
  sum:
    cmd: find data -type f | sort | xargs cat | cksum > sum.txt
    deps: [data]
    params: [factor]
    outs: [sum.txt]
"""
_SCORE = """\
stages:
  score:
    cmd: "printf '{\\"score\\": %s}' $(cat in.txt) > metrics.json"
    deps: [in.txt]
    metrics: [metrics.json: {cache: false}]
"""
_WORKTREE = f"""\
git worktree add --quiet --detach ../then {_THEN}
cd ../then
"$1" cache dir --local --quiet "$OLDPWD/.dvc/cache"
"""
_SAME = "git diff --exit-code --quiet\n"


def _commit(work: Work, message: str) -> None:
    work.call("git", "add", "--all")
    work.call("git", "commit", "--quiet", "--message", message)


def _counted(work: Work) -> None:
    """Two versions of a text, counted by the shell; the first is the one to be repeated."""
    work.begin(data=False)
    (work.ws / "dvc.yaml").write_text(_COUNT)
    for lines in (3, 4):
        (work.ws / "in.txt").write_text("line\n" * lines)
        work.run("repro", "--quiet")
        _commit(work, f"{lines} lines")
    work.call("git", "tag", _THEN, "HEAD~1")


def _summed(work: Work) -> None:
    """A folder of many files, summed up; then once more, for a parameter that says nothing."""
    work.begin()
    work.run("add", "--quiet", "data")
    (work.ws / "dvc.yaml").write_text(_SUM)
    for factor in (1, 2):
        (work.ws / "params.yaml").write_text(f"factor: {factor}\n")
        work.run("repro", "--quiet")
        _commit(work, f"factor {factor}")
    work.call("git", "tag", _THEN, "HEAD~1")


def _without_worktree(work: Work) -> None:
    work.drop("../then")
    work.call("git", "worktree", "prune")


def _lab(work: Work) -> None:
    """The lab of ``examples/churn``, run twice: a month of its customers and a parameter differ."""
    work.begin(data=False)
    work.env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{work.env['PATH']}"
    shutil.copytree(
        ROOT / "examples" / "churn",
        work.ws,
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    params = work.ws / "params.yaml"
    for accident, trees in ((), "40"), (("--only", "2026-05", "--drop-rows", "0.02"), "41"):
        work.call("python", "generate.py", "data/raw", *accident)
        params.write_text(params.read_text().replace("trees: 40", f"trees: {trees}"))
        work.run("add", "--quiet", "data/raw")
        work.run("repro", "--quiet")
        _commit(work, f"{trees} trees")


def _without_facts(work: Work) -> None:
    work.drop(_FACTS)


def versions(count: int, good: int) -> Callable[[Work], None]:
    """What makes a history of recorded versions, tagged ``v0`` to the last, whose metric falls after some."""

    def make(work: Work) -> None:
        work.begin(data=False)
        (work.ws / "dvc.yaml").write_text(_SCORE)
        for number in range(count):
            score = (0.9 if number < good else 0.5) + number / 10_000
            (work.ws / "in.txt").write_text(f"{score}\n")
            work.run("repro", "--quiet")
            _commit(work, f"version {number}")
            work.call("git", "tag", f"v{number}")

    return make


EVIDENCE: tuple[Case, ...] = (
    Case(
        "replay-short",
        "`replay` of a short stage, against `git worktree` and `repro` by hand",
        "",
        _counted,
        _without_worktree,
        ("replay", f"{_THEN}:count"),
        by_hand=f'{_WORKTREE}"$1" repro --quiet --force --single-item count\n{_SAME}',
    ),
    Case(
        "replay-data",
        "`replay` of a stage that reads (a), against `git worktree`, `checkout` and `repro` by hand",
        "a",
        _summed,
        _without_worktree,
        ("replay", f"{_THEN}:sum"),
        by_hand=f'{_WORKTREE}"$1" checkout --quiet data\n'
        f'"$1" repro --quiet --force --single-item sum\n{_SAME}',
    ),
    Case(
        "verify-short",
        "`verify` of a short stage, bit by bit",
        "",
        _counted,
        nothing,
        ("verify", f"{_THEN}:count"),
        peer=False,
    ),
    Case(
        "explain-lab",
        "`explain` of two results of the lab, for the first time",
        "",
        _lab,
        _without_facts,
        ("explain", "evaluate~1", "evaluate"),
        peer=False,
        most=MOST,
    ),
    Case(
        "bisect-64",
        f"`bisect` of {VERSIONS} recorded versions",
        "",
        versions(VERSIONS, GOOD),
        _without_facts,
        ("bisect", "--metric", "score", "--good", "v0", "--bad", f"v{VERSIONS - 1}"),
        peer=False,
        most=MOST,
    ),
)
