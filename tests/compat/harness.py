"""Twin runs: one scenario through two tools, and everything that they leave compared.

Both tools work in a folder of the same absolute path, one after the other, so that nothing has to be
normalised: not the paths in configuration files, and not the checksums that cover them. After every command
the folder is photographed, so the first command that differs is named.

Modes: A/A (one tool twice: is the scenario deterministic?), A/B, and the hand-over, which is part of every
A/B run: on what one tool wrote, both tools answer the probes alike, and the other one pulls it back.
"""

import json
import os
import re
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tests.compat import deviations
from tests.compat.bucket import Bucket
from tests.compat.scenario import In, Scenario, Step
from tests.compat.snapshot import OURS, Difference, Snapshot, compare, take
from tests.fixtures.forked import ForkedTool, Worker
from tests.fixtures.sandbox import Ran, Sandbox, Tool

BLOB_ID = re.compile(r"\b[0-9a-f]{40}\b")


class Seen(NamedTuple):
    """One command of a run: what it answered and what the folder held after it."""

    number: int
    command: str
    code: int
    answer: Any
    said: str
    snapshot: Snapshot


class Story(NamedTuple):
    """A whole run by one tool."""

    seen: list[Seen]
    final: Snapshot
    git: str


class ScenarioBrokenError(AssertionError):
    """A step did not do what the scenario says it does, so comparing would prove nothing."""


class Stage:
    """The folder in which both tools play, one after the other."""

    def __init__(
        self,
        base: Path,
        template: Path | None = None,
        bucket: Bucket | None = None,
        workers: Mapping[str, Worker] | None = None,
    ) -> None:
        self.here = base / "here"
        self.base = base
        self.template = template
        self.bucket = bucket
        self.env = bucket.server.environ() if bucket else {}
        self.workers = workers or {}
        self.one_by_one = False

    def set_up(self, start: str, command: str) -> Sandbox:
        """An empty stage with a workspace that is ``empty``, a ``git`` repository, or after ``init``."""
        shutil.rmtree(self.here, ignore_errors=True)
        self.here.mkdir(parents=True)
        if self.bucket:
            self.bucket.clear()
        tool = self.tool(command)
        if start == "dvc" and self.template:
            shutil.copytree(self.template, self.here / "ws", symlinks=True)
        box = Sandbox(self.here / "ws", tool)
        if start != "empty" and not (start == "dvc" and self.template):
            box.git("init", "--quiet", "--initial-branch", "main")
        if start == "dvc" and not self.template:
            box.run("init", "--quiet")
            box.commit("init")
        if start != "empty":  # commits with a file that DVC has not would have other ids
            (box.path / ".git" / "info" / "exclude").write_text(f"{OURS}\n")
        return box

    def photograph(self) -> Snapshot:
        """Everything on the stage, and in the bucket."""
        return take(self.here) | (self.bucket.photograph() if self.bucket else {})

    def tool(self, command: str) -> Tool:
        """A tool whose home is on the stage."""
        worker = self.workers.get(os.path.basename(command))
        if worker is not None:
            return ForkedTool(worker, self.here / "home", self.env)
        return Tool([command], self.here / "home", self.env)


def play(stage: Stage, scenario: Scenario, command: str) -> Story:
    """Run the steps of ``scenario`` with one tool.

    Raises:
        ScenarioBrokenError: a command succeeds that should fail, or the reverse.
    """
    box = stage.set_up(scenario.start, command)
    stage.one_by_one = scenario.one_by_one and os.path.basename(command) == "ff"
    seen: list[Seen] = []
    for number, step in enumerate(scenario.steps, 1):
        _do(stage, box, step, number, seen)
    git = _git_view(box)
    if scenario.server == "versioned":  # the ids of versions are random, and so are the blobs that hold them
        git = BLOB_ID.sub("<id>", git)
    return Story(seen, stage.photograph(), git)


def _do(stage: Stage, box: Sandbox, step: Step, number: int, seen: list[Seen]) -> None:
    if isinstance(step, In):
        inner = Sandbox(box.path / step.folder, box.tool)
        _do(stage, inner, step.step, number, seen)
    elif isinstance(step, Mapping):
        box.gen(step)
    elif step.startswith("@commit"):
        box.commit(step[len("@commit") :].strip() or "a commit")
    elif step.startswith("!"):
        line = step[1:].strip().replace("{here}", str(stage.here))
        shell = Tool(["/bin/sh"], stage.here / "home", stage.env)
        shell("-ec", line, cwd=box.path)
    else:
        seen.append(_command(stage, box, step, number))


def _command(stage: Stage, box: Sandbox, step: str, number: int) -> Seen:
    sign = step[0] if step[0] in "~?=" else ""
    args = shlex.split(step[len(sign) :].replace("{here}", str(stage.here)))
    ran = box.run(*args, *(("-j", "1") if stage.one_by_one and args[0] == "repro" else ()), check=False)
    if sign != "?" and bool(ran.code) != (sign == "~"):
        raise ScenarioBrokenError(
            f"step {number}: {step!r} should {'fail' if sign == '~' else 'succeed'}\n{ran}"
        )
    return Seen(number, step, ran.code, _answer(ran, sign), str(ran), stage.photograph())


def _answer(ran: Ran, sign: str) -> Any:
    if "--json" in ran.args and not ran.code:
        try:
            return canonical(ran.json())
        except json.JSONDecodeError:
            return f"not JSON: {ran.stdout!r}"
    return ran.stdout if sign == "=" else None


def canonical(answer: Any) -> Any:
    """A parsed JSON answer, with lists whose order means nothing sorted."""
    if isinstance(answer, dict):
        return {key: canonical(value) for key, value in answer.items()}
    if isinstance(answer, list):
        return sorted((canonical(value) for value in answer), key=lambda v: json.dumps(v, sort_keys=True))
    return answer


def _git_view(box: Sandbox) -> str:
    if not box.exists(".git"):
        return "no repository"
    index = box.git("ls-files", "--stage", check=False)
    tree = box.git("ls-tree", "-r", "HEAD", check=False)
    view = f"index:\n{index}HEAD:\n{tree}status:\n{box.git('status', '--porcelain', check=False)}"
    return "".join(line for line in view.splitlines(keepends=True) if not line.endswith(f"{OURS}\n"))


def hand_over(stage: Stage, scenario: Scenario, writer: str, reader: str) -> list[Difference]:
    """On what ``writer`` left on the stage: both answer the probes alike, and ``reader`` pulls it back."""
    found: list[Difference] = []
    workspace = stage.here / "ws"
    if not (workspace / ".dvc").is_dir():
        return found
    before = stage.photograph()
    for probe in scenario.probes:
        answers = []
        for command in (writer, reader):
            ran = stage.tool(command)(*shlex.split(probe), cwd=workspace, check=False)
            answers.append((ran.code, _answer(ran, "="), str(ran)))
        if answers[0][:2] != answers[1][:2]:
            found.append(Difference(f"hand-over `{probe}`: answer", f"  {answers[0][2]}\n  {answers[1][2]}"))
    if after := compare(before, stage.photograph()):
        found += [Difference(f"hand-over probes changed {d.key}", d.detail) for d in after]
    if scenario.pull_back:
        found += _pull_back(stage, workspace, reader)
    return found


def _pull_back(stage: Stage, workspace: Path, reader: str) -> list[Difference]:
    before = {path: entry for path, entry in take(workspace).items() if not path.startswith(".dvc/")}
    box = Sandbox(workspace, stage.tool(reader))
    box.git("clean", "-Xdfq")
    shutil.rmtree(stage.here / "home" / "site", ignore_errors=True)
    ran = box.run("pull", check=False)
    if ran.code:
        return [Difference("hand-over `pull`: exit code", str(ran))]
    after = {path: entry for path, entry in take(workspace).items() if not path.startswith(".dvc/")}
    return [Difference(f"hand-over `pull`: {d.key}", d.detail) for d in compare(before, after)]


def same(stage: Stage, scenario: Scenario, a: str, b: str, *, handoff: bool = True) -> list[Difference]:
    """Play with ``a`` and with ``b``; what differs, but for what `tests.compat.deviations` explains."""
    found: list[Difference] = []
    first = play(stage, scenario, a)
    if handoff:
        found += _named(f"written by A ({os.path.basename(a)}): ", hand_over(stage, scenario, a, b))
    second = play(stage, scenario, b)
    if handoff:
        found += _named(f"written by B ({os.path.basename(b)}): ", hand_over(stage, scenario, b, a))
    found += _compare_stories(scenario.name, first, second)
    shutil.rmtree(stage.here, ignore_errors=True)
    return deviations.unexplained(scenario.name, found)


def _named(prefix: str, found: list[Difference]) -> list[Difference]:
    return [Difference(prefix + d.key, d.detail) for d in found]


def _compare_stories(scenario: str, first: Story, second: Story) -> list[Difference]:
    """The exit codes and answers of every command; the folder at the first command after which it differs.

    Paths whose difference a deviation explains are told once, and left out from then on.
    """
    found: list[Difference] = []
    folder_differs = False
    told: set[str] = set()
    for a, b in zip(first.seen, second.seen, strict=True):
        where = f"step {a.number} `{a.command}`: "
        if a.code != b.code:
            found.append(Difference(where + "exit code", f"  A {a.said}\n  B {b.said}"))
        if a.answer != b.answer:
            found.append(Difference(where + "answer", f"  A {a.said}\n  B {b.said}"))
        if not folder_differs and (changes := _untold(told, compare(a.snapshot, b.snapshot))):
            named = _named(where, changes)
            found += named
            folder_differs = bool(deviations.unexplained(scenario, named))
            told |= {_path(change) for change in changes}
    if not folder_differs:
        found += _named("at the end: ", _untold(told, compare(first.final, second.final)))
    if first.git != second.git:
        found.append(Difference("at the end: git", f"  A {first.git}\n  B {second.git}"))
    return found


def _path(change: Difference) -> str:
    """The path that a difference of two folders is about."""
    return change.key.rpartition(": ")[0]


def _untold(told: set[str], changes: list[Difference]) -> list[Difference]:
    return [change for change in changes if _path(change) not in told]
