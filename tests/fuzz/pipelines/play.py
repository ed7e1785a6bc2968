"""Playing a history with both tools, in a folder each, and comparing after every command.

Compared: the exit code, the answer of a question, the plan of a run (which stages, in which order, and what
becomes of each), and every byte that the command left: outputs, ``dvc.lock``, the cache with its remembered
runs, ``.gitignore``. The first difference that nothing explains ends the history.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Self

from tests.compat.harness import canonical
from tests.compat.snapshot import Difference, compare, take
from tests.conftest import find_dvc, find_ff
from tests.fixtures.forked import Worker
from tests.fixtures.sandbox import Ran, Sandbox, Tool
from tests.fuzz.pipelines.differences import Case, reason
from tests.fuzz.pipelines.history import History, Step, write

#: Lines with which both tools say what becomes of a stage.
_PLAN = (
    ("unchanged", re.compile(r"(?:Stage )?'(?P<name>.+)' didn't change, skipping")),
    ("ran", re.compile(r"Running stage '(?P<name>.+)':")),
    ("restored", re.compile(r"Stage '(?P<name>.+)' is cached - skipping run, checking out outputs")),
    ("verified", re.compile(r"Verifying (?:outputs in frozen|data sources in) stage: '(?P<name>.+)'")),
    ("pulled", re.compile(r"Pulling data for stage: '(?P<name>.+)'")),
)
#: Ours says so of what a dry run of the real DVC takes for unchanged.
_FOLLOWS = re.compile(r"  because stage '.+' runs before it")


class Found(NamedTuple):
    """A difference that nothing explains.

    Attributes:
        number: Of the step in the history.
        step: The step.
        key: What differs, without numbers of steps: a shrunk history must find the same.
        detail: For people.
    """

    number: int
    step: Step
    key: str
    detail: str

    def __str__(self) -> str:
        return f"step {self.number} {self.step}: {self.key}\n{self.detail}"


class Played(NamedTuple):
    """What came of a history.

    Attributes:
        found: The first difference, or None.
        compared: How many commands were compared.
        explained: The reasons of differences that are meant, by how often each came up.
    """

    found: Found | None
    compared: int
    explained: dict[str, int]


class Arena:
    """Both tools and a place to play; a context manager."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.workers = (
            Worker(find_dvc(), base / "home-of-dvc"),
            Worker(find_ff(), base / "home-of-ff"),
        )
        self.template = base / "template"
        box = Sandbox(self.template, Tool([find_dvc()], base / "home"))
        box.git("init", "--quiet", "--initial-branch", "main", "--template=")
        self._must(self.workers[0].ask(self.template, ["init", "--quiet"]))
        self._must(self.workers[0].ask(self.template, ["config", "core.check_update", "false"]))
        self._played = 0

    @staticmethod
    def _must(answer: Ran) -> None:
        if answer.code:
            raise AssertionError(str(answer))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        for worker in self.workers:
            worker.close()

    def play(self, history: History) -> Played:
        """Play one history, in new folders."""
        self._played += 1
        here = self.base / f"draw-{self._played}"
        folders = [here / "a" / "ws", here / "b" / "ws"]
        for folder in folders:
            shutil.copytree(self.template, folder, symlinks=True)
        played = _Play(self.workers, folders)
        try:
            return played.all(history)
        finally:
            shutil.rmtree(here)


class _Play:
    """One history being played."""

    def __init__(self, workers: Sequence[Worker], folders: list[Path]) -> None:
        self.workers = workers
        self.folders = folders
        self.compared = 0
        self.explained: dict[str, int] = {}

    def all(self, history: History) -> Played:
        for number, step in enumerate(history):
            if "files" in step:
                for folder in self.folders:
                    write(folder, step["files"])
            if "swap" in step:
                self.folders.reverse()
            if "run" not in step:
                continue
            self.compared += 1
            left = self._command(step["run"], step.get("jobs", 1))
            if left:
                return Played(Found(number, step, *left[0]), self.compared, self.explained)
        return Played(None, self.compared, self.explained)

    def _command(self, argv: list[str], jobs: int) -> list[tuple[str, str]]:
        """Run a command with both; the keys and details of what nothing explains."""
        theirs = self.workers[0].ask(self.folders[0], argv)
        if argv[0] == "repro":
            ours = self.workers[1].ask(self.folders[1], [*argv, "-j", str(jobs)])
        else:
            ours = self.workers[1].ask(self.folders[1], argv)
        left, level = [], False
        plans = [plan(answer, dry="--dry" in argv) for answer in (theirs, ours)]
        same = bool(theirs.code and ours.code) or sorted(plans[0]) == sorted(plans[1])
        reordered = plans[0] != plans[1] and same
        owners = [
            path for path in self.folders[1].rglob("*") if path.name == "dvc.yaml" or path.suffix == ".dvc"
        ]
        several = len([path for path in owners if path.is_file()]) > 1
        partial = several or any(not word.startswith("-") for word in argv[1:])
        for difference in [*answers(argv, theirs, ours, jobs=jobs), *self._bytes(argv)]:
            meant = reason(difference, Case(argv, theirs, ours, jobs, reordered, partial))
            if meant is None:
                left.append((_key(argv, difference), f"{difference}\n  dvc: {theirs}\n  ff: {ours}"))
                continue
            self.explained[meant.why] = self.explained.get(meant.why, 0) + 1
            level = level or meant.level
        if level and not left:
            self._level()
        return left

    def _level(self) -> None:
        """Give the real DVC a folder as ours is, so that what follows can be compared."""
        theirs, ours = self.folders
        shutil.rmtree(theirs)
        subprocess.run(["cp", "-a", str(ours), str(theirs)], check=True)

    def _bytes(self, argv: Sequence[str]) -> list[Difference]:
        if argv[0] == "status" or "--dry" in argv:
            return []
        theirs, ours = (take(folder) for folder in self.folders)
        return compare(theirs, ours)


def _key(argv: Sequence[str], difference: Difference) -> str:
    return f"{argv[0]}: {re.sub(r'[0-9a-f]{2}/?[0-9a-f]{30,62}|/[0-9a-f]{2}/', '<hash>', difference.key)}"


def answers(argv: Sequence[str], theirs: Ran, ours: Ran, *, jobs: int = 1) -> list[Difference]:
    """How two answers differ: the code, what a question was answered, what a run says it did."""
    found = []
    if theirs.code != ours.code:
        found.append(Difference("exit code", f"  {theirs.code} and {ours.code}"))
    if "--json" in argv and not theirs.code and not ours.code:
        one, other = (canonical(json.loads(answer.stdout)) for answer in (theirs, ours))
        if one != other:
            found.append(Difference("answer", f"  {one}\n  {other}"))
    if argv[0] == "repro":
        one, other = (plan(answer, dry="--dry" in argv) for answer in (theirs, ours))
        if jobs > 1:
            one, other = sorted(one), sorted(other)
        if one != other:
            found.append(Difference("plan", f"  {one}\n  {other}"))
    return found


def plan(answer: Ran, *, dry: bool) -> list[tuple[str, str]]:
    """What a run says became of each stage, in order.

    In a dry run it does not count whether a stage would run or be restored: the real DVC asks its cache with
    what was recorded, not with what is there, and tells both. Nor does it say what would be verified, or run
    only because of what runs before it.
    """
    found: dict[tuple[str, str], None] = {}
    begun = ""
    for line in answer.stdout.splitlines():
        if dry and begun and _FOLLOWS.fullmatch(line):
            del found[begun, "runs"]
            found[begun, "unchanged"] = None
        begun = ""
        for how, pattern in _PLAN:
            if match := pattern.fullmatch(line):
                told = "runs" if dry and how in {"ran", "restored"} else how
                found[match["name"], told] = None
                begun = match["name"] if told == "runs" else ""
    return [step for step in found if not dry or step[1] != "verified"]
