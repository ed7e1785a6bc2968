"""Repro: what is told, what is kept when a run goes wrong, and how it is taken back."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from fourfold.base.events import PhaseStarted, Warned
from fourfold.pipeline.news import Failed, Restored, Started, Unchanged
from fourfold.pipeline.options import Options
from fourfold.pipeline.repro import ReproResult, RunAbortedError, Settings, StageFailedError, repro
from fourfold.project.journal import log
from fourfold.project.locks import RepositoryLockedError, project_lock
from fourfold.project.targets import StageNotFoundError
from fourfold.project.undo import undo
from tests.project.workplace import Workplace

PIPELINE = """\
stages:
  first:
    cmd: cp raw one; echo ran >> calls
    deps: [raw]
    params: [p.q]
    outs: [one]
  second:
    cmd: cp one two
    deps: [one]
    outs: [two]
"""


@pytest.fixture
def line(work: Workplace) -> Workplace:
    """A project with a pipeline of two stages that ran."""
    work.gen({"dvc.yaml": PIPELINE, "raw": "raw\n", "params.yaml": "p:\n  q: 1\n"})
    run(work)
    return work


def run(work: Workplace, *targets: str, **settings: Any) -> ReproResult:
    return repro(work.open(), targets, Settings(**settings))


def how(result: ReproResult) -> dict[str, str]:
    return {step.name: step.how for step in result.steps}


def test_reasons_say_what_differs(line: Workplace) -> None:
    line.gen({"params.yaml": "p:\n  q: 2\n", "two": "changed"})
    heard: list[object] = []
    result = repro(line.open(), tell=heard.append)
    assert how(result) == {"first": "ran", "second": "restored"}
    reasons = [
        (change.kind, change.path, change.key, change.state)
        for event in heard
        if isinstance(event, Started | Restored)
        for change in event.reasons
    ]
    assert reasons == [("parameter", "params.yaml", "p.q", "modified"), ("output", "two", "", "modified")]


def test_a_second_run_finds_nothing_to_do_and_leaves_no_trace(line: Workplace) -> None:
    before = len(log(line.open()))
    heard: list[object] = []
    result = repro(line.open(), tell=heard.append)
    assert not result.changed
    assert all(isinstance(event, Unchanged) for event in heard)
    assert len(log(line.open())) == before


def test_a_run_is_taken_back_by_undo(line: Workplace) -> None:
    lock = line.text("dvc.lock")
    line.gen({"raw": "other\n", "two": "mine, saved nowhere\n"})
    run(line)
    assert line.text("two") == "other\n"
    undo(line.open())
    assert line.text("dvc.lock") == lock
    assert line.text("one") == "raw\n"
    assert line.text("two") == "mine, saved nowhere\n"


def test_a_dependency_that_is_missing_costs_no_output(line: Workplace) -> None:
    (line.root / "raw").unlink()
    with pytest.raises(StageFailedError, match="dependency 'raw' of stage 'first' does not exist"):
        run(line)
    assert line.text("one") == "raw\n"
    assert line.text("two") == "raw\n"


def test_a_command_that_fails_leaves_the_lock_and_the_old_output_can_be_had_back(line: Workplace) -> None:
    lock = line.text("dvc.lock")
    line.gen({"dvc.yaml": PIPELINE.replace("cp raw one", "exit 3")})
    with pytest.raises(
        StageFailedError, match=r"failed to reproduce 'first': failed to run: exit 3.* with 3"
    ):
        run(line)
    assert line.text("dvc.lock") == lock
    assert not line.exists("one")
    undo(line.open())
    assert line.text("one") == "raw\n"


def test_an_output_that_a_command_does_not_make_is_named(line: Workplace) -> None:
    line.gen({"dvc.yaml": PIPELINE.replace("cp one two", "'true'")})
    with pytest.raises(StageFailedError, match="failed to reproduce 'second': output 'two' does not exist"):
        run(line)


def test_commands_of_a_list_stop_at_the_first_that_fails(line: Workplace) -> None:
    line.gen({"dvc.yaml": "stages:\n  s:\n    cmd:\n    - echo 1 > a\n    - 'false'\n    - echo 2 > b\n"})
    with pytest.raises(StageFailedError, match="failed to run: false, exited with 1"):
        run(line)
    assert line.exists("a")
    assert not line.exists("b")


@pytest.mark.parametrize("word", ["true", "1", "2.5"])
def test_a_command_that_is_no_text_is_refused_before_anything_runs(line: Workplace, word: str) -> None:
    line.gen({"dvc.yaml": PIPELINE.replace("cmd: cp one two", f"cmd: ['echo ran >> calls', {word}]")})
    with pytest.raises(StageFailedError, match="is no command of stage 'second'"):
        run(line)
    assert line.text("calls") == "ran\n"
    assert line.text("two") == "raw\n"


def test_an_output_that_git_tracks_is_refused_before_it_is_touched(line: Workplace) -> None:
    line.gen({"dvc.yaml": PIPELINE + "  third:\n    cmd: echo new > mine\n    outs: [mine]\n", "mine": "old"})
    line.git("add", "mine")
    with pytest.raises(StageFailedError, match="output 'mine' is tracked by Git") as caught:
        run(line)
    assert "git rm -r --cached mine" in caught.value.hint
    assert line.text("mine") == "old"


def test_a_persistent_output_is_there_when_its_command_runs(work: Workplace) -> None:
    stage = (
        "stages:\n  s:\n    cmd: echo more >> log\n    deps: [raw]\n    outs:\n    - log: {persist: true}\n"
    )
    work.gen({"dvc.yaml": stage, "raw": "1"})
    run(work)
    work.gen({"raw": "2"})
    run(work)
    assert work.text("log") == "more\nmore\n"
    first = work.root / ".dvc/cache/files/md5"
    assert sorted(path.read_text() for path in first.rglob("*") if path.is_file()) == [
        "more\n",
        "more\nmore\n",
    ]


@pytest.mark.parametrize("kind", ["hardlink", "symlink", "copy"])
def test_an_output_that_is_a_link_into_the_cache_never_writes_through_it(work: Workplace, kind: str) -> None:
    stage = "stages:\n  s:\n    cmd: cat raw >> log\n    deps: [raw]\n    outs:\n    - log: {persist: true}\n"
    work.gen({"dvc.yaml": stage, "raw": "1\n", ".dvc/config": f"[cache]\n    type = {kind}\n"})
    run(work)
    work.gen({"raw": "2\n"})
    run(work)
    cache = work.root / ".dvc/cache/files/md5"
    assert sorted(path.read_text() for path in cache.rglob("*") if path.is_file()) == ["1\n", "1\n2\n"]


def test_targets_that_name_nothing_are_refused(line: Workplace) -> None:
    with pytest.raises(StageNotFoundError, match="frist"):
        run(line, "frist")
    line.gen({"empty/x": ""})
    with pytest.raises(StageNotFoundError, match="no stage below 'empty'"):
        run(line, "empty", recursive=True)


def test_a_dry_run_tells_and_does_nothing(line: Workplace) -> None:
    line.gen({"raw": "other\n"})
    before = line.text("dvc.lock")
    result = run(line, execution=Options(dry=True))
    assert how(result) == {"first": "ran", "second": "ran"}
    assert [(reason.kind, reason.path) for reason in result.steps[1].reasons] == [("upstream", "first")]
    assert line.text("dvc.lock") == before
    assert line.text("calls") == "ran\n"


def test_no_means_no(line: Workplace) -> None:
    line.gen({"raw": "other\n"})
    asked = []

    def confirm(question: str) -> bool:
        asked.append(question)
        return False

    with pytest.raises(StageFailedError, match="reproduction aborted by the user"):
        repro(line.open(), confirm=confirm)
    assert len(asked) == 1
    assert line.text("calls") == "ran\n"
    assert issubclass(RunAbortedError, Exception)


def test_a_stage_that_names_nothing_always_runs(work: Workplace) -> None:
    work.gen({"dvc.yaml": "stages:\n  s:\n    cmd: echo x >> calls\n"})
    run(work)
    run(work)
    assert work.text("calls") == "x\nx\n"


def test_metrics_must_be_text(work: Workplace) -> None:
    stage = "stages:\n  s:\n    cmd: printf '\\000' > m\n    metrics: [m]\n"
    work.gen({"dvc.yaml": stage})
    with pytest.raises(StageFailedError, match="binary file 'm' cannot be used as metrics"):
        run(work)


def test_an_empty_output_is_warned_of(work: Workplace) -> None:
    work.gen({"dvc.yaml": "stages:\n  s:\n    cmd: touch o\n    outs: [o]\n"})
    heard: list[object] = []
    repro(work.open(), events=heard.append)
    assert [event.message for event in heard if isinstance(event, Warned)] == ["'o' is empty"]


def test_others_may_work_on_the_project_while_a_command_runs_but_not_on_its_paths(work: Workplace) -> None:
    script = (
        "import os, sys\n"
        "from fourfold.project.locks import RepositoryLockedError, project_lock\n"
        "from fourfold.wiring import open_project\n"
        "project = open_project(os.getcwd(), environ=os.environ)\n"
        "for name in ('elsewhere', 'o', 'raw'):\n"
        "    try:\n"
        "        with project_lock(project, wait=False, writes=[os.path.join(project.root, name)]):\n"
        "            print(name, 'free', file=open('calls', 'a'))\n"
        "    except RepositoryLockedError as error:\n"
        "        print(name, 'busy', file=open('calls', 'a'))\n"
    )
    import sys  # noqa: PLC0415 - the interpreter that has the package

    stage = f"stages:\n  s:\n    cmd: {sys.executable} try.py; echo 1 > o\n    deps: [raw]\n    outs: [o]\n"
    work.gen({"dvc.yaml": stage, "raw": "1", "try.py": script})
    run(work)
    assert work.text("calls") == "elsewhere free\no busy\nraw busy\n"
    assert json.loads(work.text(".dvc/tmp/rwlock")) == {"read": {}, "write": {}}


def test_a_run_does_not_begin_while_another_process_works_on_the_project(line: Workplace) -> None:
    project = line.open()
    other = line.open()
    with project_lock(other), pytest.raises(RepositoryLockedError):
        repro(project)


def test_a_failed_stage_stops_only_what_needs_it_when_asked_to_keep_going(line: Workplace) -> None:
    line.gen(
        {
            "dvc.yaml": PIPELINE.replace("cp raw one", "exit 3")
            + "  other:\n    cmd: echo 1 > o\n    outs: [o]\n"
        }
    )
    heard: list[object] = []
    result = repro(line.open(), (), Settings(on_error="keep-going"), tell=heard.append)
    assert how(result) == {"first": "failed", "second": "skipped", "other": "ran"}
    assert result.error is not None
    assert [event.skipped for event in heard if isinstance(event, Failed)] == [("second",)]


def test_a_remembered_run_that_is_damaged_or_forged_is_not_believed(line: Workplace) -> None:
    line.gen({"raw": "other\n"})
    run(line)
    line.gen({"raw": "raw\n"})
    for path in Path(line.path(".dvc/cache/runs")).rglob("*"):
        if path.is_file():
            path.write_text(path.read_text().replace("one", "../outside"))
    heard: list[object] = []
    repro(line.open(), tell=heard.append)
    assert [event.name for event in heard if isinstance(event, Restored)] == []
    assert line.text("one") == "raw\n"
    assert not os.path.lexists(line.root.parent / "outside")


def test_a_large_output_that_was_written_just_now_is_read_once(work: Workplace) -> None:
    make = "  make:\n    cmd: head -c 20000000 /dev/zero > big\n    outs: [big]\n"
    use = "  use:\n    cmd: wc -c < big > size\n    deps: [big]\n    outs: [size]\n"
    work.gen({"dvc.yaml": "stages:\n" + make + use})
    heard: list[object] = []
    repro(work.open(), (), Settings(), events=heard.append)
    hashed = [event.total_bytes for event in heard if isinstance(event, PhaseStarted)]
    assert [size for size in hashed if size and size > 1000] == [20_000_000]


def test_a_linked_output_stays_linked_beside_one_of_git_with_the_same_content(work: Workplace) -> None:
    make = "  make:\n    cmd: mkdir -p a b && echo x > a/f && echo x > b/f\n    params: [k]\n"
    kept = "    outs: [b]\n    plots: [{a: {cache: false}}]\n"
    work.gen(
        {
            ".dvc/config": "[cache]\n    type = hardlink\n",
            "params.yaml": "k: 1\n",
            "dvc.yaml": "stages:\n" + make + kept,
        }
    )
    repro(work.open())
    assert os.stat(work.path("b/f")).st_nlink == 2
    assert os.stat(work.path("a/f")).st_nlink == 1
