"""One command against one fault: rebuild the folder, hit the command, read the disk, run it again.

`Bench` prepares a case once (the pristine folder, the reference result of an undisturbed run, the points of
a traced one) and then tries faults, each in a fresh copy at the same absolute path. What must hold is in
`checker`.
"""

import json
import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.compat.snapshot import Difference, Snapshot, compare, take
from tests.faults import checker, locked, tracing
from tests.faults.cases import ERRORS, Case
from tests.faults.checker import Finding
from tests.faults.tracing import Fault, Outcome, Point
from tests.fixtures.sandbox import Sandbox, Tool

KILL = "signal=KILL"
#: An undisturbed command of this size takes under a second; traced and spoiled, some.
LIMIT = 60.0
_BUG = 3
#: The lease of a killed push or gc on a remote: nobody can know that its owner died, so it stays until it
#: expires, where DVC does not look.
LEASE = "remote/.fourfold"
#: The folder of leases of the cache, empty: it could not be removed when the last one was given back.
EMPTY = "ws/.dvc/cache/.fourfold: only in A"
#: A run that was recorded in dvc.lock and not remembered costs another run some day, and nothing else.
RUNS = "ws/.dvc/cache/runs"
LOCK, IGNORED = "ws/dvc.lock", "ws/.gitignore"
#: Calls that make links, where a copy does as well.
LINKS = {"link", "linkat", "symlink", "symlinkat", "ioctl"}


class Bench:
    """A case, prepared: call `faults` for what can be tried and `attempt` for what comes of it."""

    def __init__(self, base: Path, case: Case, command: str) -> None:
        self.case = case
        self.box = base / "box"
        self.pristine = base / "pristine"
        self.reference = base / "reference"
        self.log = base / "strace"
        tool = Tool([command], self.box / "home")
        self.command = [command, *case.command]
        self.status = [command, *case.status]
        self.env = tool.env
        self._prepare(Sandbox(self.box / "ws", tool))

    def _prepare(self, box: Sandbox) -> None:
        box.git("init", "--quiet", "--initial-branch", "main")
        box.run("init", "--quiet")
        box.commit("init")
        self.case.prepare(box)
        _move(self.box, self.pristine)
        self.rebuild()
        self.points: list[Point] = tracing.record(self.command, self.box / "ws", self.env, self.box, self.log)
        self.before = take(self.pristine)
        self.after = take(self.box)
        _move(self.box, self.reference)
        self.stored_before = checker.stored(self.pristine)
        self.stored_after = checker.stored(self.reference)
        both = [*self.stored_before.values(), *self.stored_after.values()]
        self.known = set().union(*both) if both else set()

    def rebuild(self) -> None:
        """The folder as it was before the command, at the same absolute path."""
        shutil.rmtree(self.box, ignore_errors=True)
        subprocess.run(["cp", "-a", str(self.pristine), str(self.box)], check=True)

    def kills(self) -> list[Fault]:
        """A kill at every point."""
        return [Fault(point, KILL) for point in self.points]

    def errors(self) -> Iterator[Fault]:
        """Every error that a point can return.

        A full disk stays full, but for opens: a later one that only reads would not fail.
        """
        for code, names in ERRORS.items():
            for point in self.points:
                if point.name in names:
                    yield Fault(point, f"error={code}", sticky=code == "ENOSPC" and point.name != "openat")

    def attempt(self, fault: Fault) -> tuple[bool, list[Finding]]:
        """Whether the fault was reached, and every promise that was then broken."""
        self.rebuild()
        outcome = self._run(self.command, fault)
        found = [*self._after_fault(outcome, fault), *self._answers(), *self._again(fault)]
        return outcome.fired, found

    def _run(self, command: list[str], fault: Fault | None = None) -> Outcome:
        return tracing.run(fault, command, self.box / "ws", self.env, self.log, LIMIT)

    def _after_fault(self, outcome: Outcome, fault: Fault) -> Iterator[Finding]:
        if outcome.hung:
            yield Finding("hang", f"the command did not end within {LIMIT:.0f} s")
        yield from self._traceback(outcome)
        yield from checker.torn_objects(self.box)
        yield from checker.lost_objects(self.box, self.stored_before, self.stored_after)
        yield from checker.unreachable_objects(self.box, self.known)
        now = take(self.box)
        yield from checker.workspace(now, self.before, self.after, self.case.remade)
        if outcome.code == 0 and outcome.fired and fault.action != KILL:
            yield from (
                Finding("false success", f"exit 0, but {d.key}") for d in _differences(now, self.after, fault)
            )

    def _answers(self) -> Iterator[Finding]:
        """What ``status`` says now, against what is true now."""
        done = subprocess.run(
            self.status,
            cwd=self.box / "ws",
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        yield from self._traceback(Outcome(done.returncode, done.stderr, fired=False, hung=False))
        if done.returncode or not _is_empty(done.stdout):
            return
        if "-c" not in self.status and not checker.is_clean(self.box):
            yield Finding("false clean", "status calls a workspace clean that is not")
        if "-c" in self.status and not self._remote_is_complete():
            yield Finding("false clean", "status -c calls a remote complete that is not")

    def _remote_is_complete(self) -> bool:
        now = checker.stored(self.box)
        return self.stored_after.get("remote/", set()) <= now.get("remote/", set())

    def _again(self, fault: Fault) -> Iterator[Finding]:
        outcome = self._run(self.command)
        yield from self._traceback(outcome)
        if outcome.hung:
            yield Finding("hang", "the second run did not end")
        if outcome.code not in self.case.reruns:
            yield Finding(
                "not converged", f"the second run exits with {outcome.code}: {outcome.stderr.strip()}"
            )
        left = checker.litter(self.box, self.reference)
        yield from left
        if outcome.code == 0:
            named = {finding.what for finding in left}
            for difference in _differences(take(self.box), self.after, fault):
                if difference.key.split(": ")[0] not in named:
                    yield Finding("not converged", str(difference))

    @staticmethod
    def _traceback(outcome: Outcome) -> Iterator[Finding]:
        if "Traceback (most recent" in outcome.stderr or outcome.code == _BUG:
            yield Finding("traceback", outcome.stderr[-2000:])


def _differences(now: Snapshot, wanted: Snapshot, fault: Fault) -> list[Difference]:
    """What differs, but for leases, remembered runs, and temporary files, which count as litter.

    What stages beside each other recorded before a kill stands, in the lock and ignore files, before what the
    next run adds.
    Where the system refuses a link, a copy in the workspace is right.
    """
    different = compare(now, wanted)
    copied = (": mode", ": link") if fault.point.name in LINKS and fault.action != KILL else ()
    return [
        d
        for d in different
        if not d.key.startswith((LEASE, RUNS))
        and d.key != EMPTY
        and "<random" not in d.key
        and not (copied and d.key.endswith(copied))
        and not (d.key == f"{LOCK}: content" and _stages(now) == _stages(wanted))
        and not (d.key == f"{IGNORED}: content" and _lines(now) == _lines(wanted))
    ]


def _lines(snapshot: Snapshot) -> list[str]:
    return sorted((snapshot[IGNORED].text or "").splitlines())


def _stages(snapshot: Snapshot) -> dict[str, str]:
    return locked.blocks(snapshot[LOCK].text or "")


def _move(source: Path, to: Path) -> None:
    shutil.rmtree(to, ignore_errors=True)
    os.rename(source, to)


def _is_empty(answer: str) -> bool:
    try:
        return bool(json.loads(answer) == {})
    except json.JSONDecodeError:
        return False


def sample(faults: list[Fault], size: int, seed: int) -> list[Fault]:
    """``size`` of the faults, the same for the same seed, in their order."""
    if size >= len(faults):
        return faults
    chosen = set(random.Random(seed).sample(range(len(faults)), size))
    return [fault for index, fault in enumerate(faults) if index in chosen]
