"""Stages beside each other: the same results as one after the other, resources, failures, and ends."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from fourfold.base.errors import FourfoldError
from fourfold.formats.dvc.fields import BadFieldError
from fourfold.pipeline import logs
from fourfold.pipeline.execute import CommandTimedOutError
from fourfold.pipeline.news import Ended, Failed, Retrying, Started
from fourfold.pipeline.process import GRACE
from fourfold.pipeline.repro import ReproResult, Settings, StageFailedError, repro
from fourfold.pipeline.resources import ResourceUnavailableError
from fourfold.project.undo import undo
from tests.conftest import find_ff
from tests.project.workplace import Workplace

#: Writes when it began and ended, so that tests see what ran beside what.
TIMED = "date +%s.%N > {name}.from; sleep {seconds}; date +%s.%N > {name}.to"


def stages(*entries: str) -> str:
    return "stages:\n" + "".join(entries)


def stage(name: str, cmd: str, *, deps: str = "", outs: str = "", more: str = "") -> str:
    lines = [f"  {name}:", f"    cmd: {json.dumps(cmd)}"]
    lines += [f"    deps: [{deps}]"] if deps else []
    lines += [f"    outs: [{outs}]"] if outs else []
    return "\n".join(lines) + "\n" + more


def timed(name: str, seconds: float = 0.4, *, more: str = "", deps: str = "") -> str:
    cmd = TIMED.format(name=name, seconds=seconds) + f"; echo {name} > {name}"
    return stage(name, cmd, outs=name, more=more, deps=deps)


def ours(text: str) -> str:
    return f"    meta:\n      fourfold: {text}\n"


def run(work: Workplace, *targets: str, heard: list[Any] | None = None, **settings: Any) -> ReproResult:
    tell = heard.append if heard is not None else lambda _event: None
    return repro(work.open(), targets, Settings(**{"jobs": 3, **settings}), tell=tell)


def how(result: ReproResult) -> dict[str, str]:
    return {step.name: step.how for step in result.steps}


def span(work: Workplace, name: str) -> tuple[float, float]:
    return float(work.text(f"{name}.from")), float(work.text(f"{name}.to"))


def overlap(work: Workplace, one: str, other: str) -> bool:
    (start, end), (start2, end2) = span(work, one), span(work, other)
    return start < end2 and start2 < end


def recorded(work: Workplace) -> list[str]:
    lock = work.text("dvc.lock").splitlines()
    return [line.strip()[:-1] for line in lock if line.startswith("  ") and line[2] not in " -"]


def test_stages_that_read_the_same_run_at_once(work: Workplace) -> None:
    work.gen({"dvc.yaml": stages(timed("a", deps="raw"), timed("b", deps="raw")), "raw": "1"})
    assert how(run(work)) == {"a": "ran", "b": "ran"}
    assert overlap(work, "a", "b")


def test_one_at_a_time_is_one_at_a_time(work: Workplace) -> None:
    work.gen({"dvc.yaml": stages(timed("a", 0.1), timed("b", 0.1))})
    run(work, jobs=1)
    assert not overlap(work, "a", "b")


def test_lock_and_gitignore_are_the_same_whatever_finishes_first(work: Workplace, tmp_path: Path) -> None:
    slow_first = stages(
        stage("slow", "sleep 0.5; echo s > s", outs="s"),
        stage("middle", "sleep 0.2; echo m > m", outs="m"),
        stage("quick", "echo q > q", outs="q"),
        stage("last", "cp q l", deps="q", outs="l"),
    )
    (tmp_path / "other").mkdir()
    other = Workplace(tmp_path / "other")
    for place, jobs in ((work, 4), (other, 1)):
        place.gen({"dvc.yaml": slow_first})
        run(place, jobs=jobs)
    assert recorded(work) == ["slow", "middle", "quick", "last"]
    assert work.text("dvc.lock") == other.text("dvc.lock")
    assert work.text(".gitignore") == other.text(".gitignore") == "/s\n/m\n/q\n/l\n"


def test_a_new_stage_goes_behind_those_that_the_lock_knows(work: Workplace) -> None:
    first = stage("first", "echo 1 > one", outs="one")
    known = stage("known", "echo 2 > two", outs="two")
    work.gen({"dvc.yaml": stages(known)})
    run(work)
    work.gen({"dvc.yaml": stages(first, known)})
    run(work)
    assert recorded(work) == ["known", "first"]


def test_what_is_finished_first_is_recorded_at_once(work: Workplace) -> None:
    look = "grep -q quick dvc.lock 2>/dev/null && echo seen > s && exit"
    slow = f"for i in $(seq 200); do {look}; sleep 0.05; done"
    work.gen({"dvc.yaml": stages(stage("slow", slow, outs="s"), stage("quick", "echo q > q", outs="q"))})
    run(work)
    assert work.text("s") == "seen\n"
    assert recorded(work) == ["slow", "quick"]


def test_targets_run_alone_do_not_write_what_another_reads(work: Workplace) -> None:
    make = stage("make", "sleep 0.2; echo new > made", outs="made")
    use = stage("use", "cp made used", deps="made", outs="used")
    work.gen({"dvc.yaml": stages(make, use)})
    run(work)
    work.gen({"dvc.yaml": stages(make.replace("new", "newer"), use)})
    assert how(run(work, "make", "use", single_item=True)) == {"make": "ran", "use": "ran"}
    assert work.text("used") == "newer\n"


def test_holders_of_one_mutex_never_overlap(work: Workplace) -> None:
    work.gen(
        {
            "dvc.yaml": stages(
                timed("a", 0.2, more=ours("{mutex: db}")),
                timed("b", 0.2, more=ours("{mutex: [other, db]}")),
                timed("c", 0.6),
            )
        }
    )
    run(work)
    assert not overlap(work, "a", "b")
    assert overlap(work, "a", "c")
    assert overlap(work, "b", "c")


def test_gpus_are_shared_out_by_number(work: Workplace) -> None:
    cmd = 'echo "$CUDA_VISIBLE_DEVICES" > {0}; sleep 0.3'
    names = ("a", "b", "c")
    work.gen({"dvc.yaml": stages(*(stage(n, cmd.format(n), outs=n, more=ours("{gpus: 1}")) for n in names))})
    work.environ["CUDA_VISIBLE_DEVICES"] = "4,GPU-7"
    run(work)
    assert [work.text(name) for name in "ab"] == ["4\n", "GPU-7\n"]
    assert work.text("c") in {"4\n", "GPU-7\n"}


def test_a_stage_that_wants_more_than_there_is_is_refused_before_anything_runs(work: Workplace) -> None:
    first = stage("first", "echo 1 > one", outs="one")
    big = stage("big", "cp one two", deps="one", outs="two", more=ours("{gpus: 3}"))
    work.gen({"dvc.yaml": stages(first, big)})
    work.environ["CUDA_VISIBLE_DEVICES"] = "0"
    with pytest.raises(ResourceUnavailableError, match="stage 'big' wants 3 GPUs, this machine has 1"):
        run(work)
    assert not work.exists("one")
    assert how(run(work, "first")) == {"first": "ran"}


def test_a_mistake_in_our_part_of_meta_has_line_and_column(work: Workplace) -> None:
    work.gen({"dvc.yaml": stages(stage("a", "echo 1"), stage("b", "echo 2", more=ours("{gpus: two}")))})
    with pytest.raises(BadFieldError, match=r"dvc\.yaml:7:24: stage 'b': gpus must be a whole number"):
        run(work)
    work.gen({"dvc.yaml": stages(stage("b", "echo 2", more=ours("{mutx: a}")))})
    with pytest.raises(BadFieldError, match="unknown key 'mutx'"):
        run(work)


def test_a_stage_that_takes_too_long_is_ended_with_all_that_it_started(work: Workplace) -> None:
    cmd = "sleep 60 & echo $! > pid; wait"
    work.gen(
        {
            "dvc.yaml": stages(
                stage("long", cmd, more=ours("{timeout: 0.5s}")), stage("other", "echo 1 > o", outs="o")
            )
        }
    )
    result = run(work, on_error="keep-going")
    assert how(result) == {"long": "failed", "other": "ran"}
    assert isinstance(result.steps[0].error, CommandTimedOutError)
    assert ends(int(work.text("pid")))


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_failed_attempt_is_repeated_as_often_as_asked(work: Workplace, jobs: int) -> None:
    cmd = "echo x >> tries; test $(wc -l < tries) -gt 2 && echo 1 > o"
    again = stage("again", cmd, outs="o", more=ours("{retries: 2}"))
    work.gen({"dvc.yaml": stages(again, stage("side", "echo 1 > p", outs="p"))})
    heard: list[Any] = []
    assert how(run(work, jobs=jobs, heard=heard)) == {"again": "ran", "side": "ran"}
    assert [event.attempt for event in heard if isinstance(event, Retrying)] == [1, 2]
    work.gen({"dvc.yaml": stages(again.replace("retries: 2", "retries: 1")), "tries": ""})
    with pytest.raises(StageFailedError):
        run(work, jobs=jobs, force=True)
    assert work.text("tries") == "x\nx\n"


def test_all_that_a_stage_said_is_in_its_log(work: Workplace) -> None:
    talk = "echo out; echo err >&2; seq 100000; echo 1 > {0}"
    work.gen({"dvc.yaml": stages(*(stage(name, talk.format(name), outs=name) for name in "ab"))})
    heard: list[Any] = []
    run(work, heard=heard)
    paths = [event.log for event in heard if isinstance(event, Started) and event.log is not None]
    assert [os.path.basename(path) for path in paths] == ["a.log", "b.log"]
    lines = Path(paths[0]).read_text().splitlines()
    assert lines[:3] == ["> " + talk.format("a"), "out", "err"]
    assert lines[-1] == "100000"


def test_stages_that_have_the_terminal_to_themselves_are_not_told_of_but_logged(work: Workplace) -> None:
    chain = (stage("a", "echo 1 > a", outs="a"), stage("b", "cp a b", deps="a", outs="b"))
    work.gen({"dvc.yaml": stages(*chain)})
    heard: list[Any] = []
    run(work, heard=heard)
    assert [event.log for event in heard if isinstance(event, Started)] == [None, None]
    assert not [event for event in heard if isinstance(event, Ended)]
    folder = Path(work.path(".dvc/fourfold/logs"))
    assert [path.read_text() for path in sorted(folder.glob("*/*"))] == ["> echo 1 > a\n", "> cp a b\n"]


def test_the_logs_of_the_last_runs_are_kept(work: Workplace) -> None:
    made = [logs.Logs(work.open()).open("a/b c") for _ in range(logs.KEPT + 3)]
    assert os.path.basename(made[0]) == "a%2fb%20c.log"
    folder = work.path(".dvc/fourfold/logs")
    assert logs.runs(folder) == [os.path.basename(os.path.dirname(path)) for path in made[3:]]


def test_what_a_stage_leaves_in_the_background_holds_nobody(work: Workplace) -> None:
    left = "sleep 60 & echo $! > pid; echo 1 > a"
    work.gen({"dvc.yaml": stages(stage("a", left, outs="a"), stage("b", "echo 1 > b", outs="b"))})
    began = time.monotonic()
    assert how(run(work)) == {"a": "ran", "b": "ran"}
    assert time.monotonic() - began < 30
    os.kill(int(work.text("pid")), signal.SIGKILL)


def test_a_failure_lets_the_running_end_and_starts_nothing_more(work: Workplace) -> None:
    work.gen(
        {
            "dvc.yaml": stages(
                stage("bad", "sleep 0.2; exit 3", outs="x"),
                stage("good", "sleep 0.6; echo 1 > g", outs="g"),
                stage("after", "cp g h", deps="g", outs="h"),
            )
        }
    )
    heard: list[Any] = []
    with pytest.raises(StageFailedError, match="failed to reproduce 'bad': failed to run"):
        run(work, jobs=2, heard=heard)
    assert recorded(work) == ["good"]
    assert not work.exists("h")
    assert [event.running for event in heard if isinstance(event, Failed)] == [("good",)]
    ended = {event.name: event.error for event in heard if isinstance(event, Ended)}
    assert isinstance(ended["bad"], FourfoldError)
    assert ended["good"] is None


def test_keep_going_leaves_out_only_what_needs_the_failed_one(work: Workplace) -> None:
    work.gen(
        {
            "dvc.yaml": stages(
                stage("bad", "exit 3", outs="x"),
                stage("needs", "cp x y", deps="x", outs="y"),
                timed("a", 0.2),
                stage("b", "cp a b", deps="a", outs="b"),
            )
        }
    )
    result = run(work, on_error="keep-going")
    assert how(result) == {"bad": "failed", "needs": "skipped", "a": "ran", "b": "ran"}
    assert result.error is not None
    assert run(work, on_error="ignore").error is None


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 252), (signal.SIGTERM, 143)])
def test_a_signal_ends_all_stages_and_the_next_run_carries_on(
    work: Workplace, number: int, code: int
) -> None:
    hang = "(trap '' INT; sleep 60 & echo $! > {0}.pid; wait) & wait"
    work.gen(
        {
            "dvc.yaml": stages(
                stage("done", "echo 1 > d", outs="d"),
                stage("a", hang.format("a"), outs="a"),
                stage("b", hang.format("b"), outs="b"),
            )
        }
    )
    runner = started(work, "repro", "-j", "3")
    pids = [wait_for_pid(work.root / f"{name}.pid") for name in "ab"]
    wait_until(lambda: work.exists("dvc.lock"))
    runner.send_signal(number)
    assert runner.wait(60) == code
    assert all(ends(pid) for pid in pids)
    assert recorded(work) == ["done"]
    assert json.loads(work.text(".dvc/tmp/rwlock")) == {"read": {}, "write": {}}
    text = work.text("dvc.yaml")
    for name in "ab":
        text = text.replace(json.dumps(hang.format(name)), f"echo 1 > {name}")
    work.gen({"dvc.yaml": text})
    assert how(run(work)) == {"done": "unchanged", "a": "ran", "b": "ran"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_asks_twice_does_not_wait(work: Workplace, number: int) -> None:
    deaf = "trap '' INT TERM; echo $$ > {0}.pid; while true; do sleep 0.1; done"
    work.gen({"dvc.yaml": stages(*(stage(name, deaf.format(name), outs=name) for name in "ab"))})
    runner = started(work, "repro", "-j", "2")
    pids = [wait_for_pid(work.root / f"{name}.pid") for name in "ab"]
    began = time.monotonic()
    runner.send_signal(number)
    time.sleep(0.5)
    assert runner.poll() is None
    runner.send_signal(number)
    runner.wait(60)
    assert time.monotonic() - began < GRACE
    assert all(ends(pid) for pid in pids)


def test_two_runs_at_once_of_stages_that_share_nothing_but_what_they_read(work: Workplace) -> None:
    work.gen({"dvc.yaml": stages(timed("a", 1.0, deps="raw"), timed("b", 1.0, deps="raw")), "raw": "1"})
    runners = [
        subprocess.Popen(
            [find_ff(), "repro", "--quiet", "--wait-for-lock", name], cwd=work.root, env=work.environ
        )
        for name in "ab"
    ]
    assert [runner.wait(60) for runner in runners] == [0, 0]
    assert overlap(work, "a", "b")
    assert sorted(recorded(work)) == ["a", "b"]


def test_an_end_of_input_is_what_stages_beside_each_other_read(work: Workplace) -> None:
    work.gen({"dvc.yaml": stages(*(stage(name, f"cat > {name}; true", outs=name) for name in "ab"))})
    assert how(run(work)) == {"a": "ran", "b": "ran"}


def test_the_command_knows_its_stage_and_its_root(work: Workplace) -> None:
    cmd = 'echo "$DVC_STAGE $DVC_ROOT" > {0}'
    work.gen({"dvc.yaml": stages(*(stage(name, cmd.format(name), outs=name) for name in "ab"))})
    run(work)
    assert work.text("a") == f"a {work.root}\n"
    assert work.text("b") == f"b {work.root}\n"


def test_stages_that_ran_beside_each_other_are_taken_back_by_undo(work: Workplace) -> None:
    copies = [stage(name, f"cp raw {name}", deps="raw", outs=name) for name in "abc"]
    work.gen({"dvc.yaml": stages(*copies), "raw": "old\n"})
    run(work)
    lock = work.text("dvc.lock")
    work.gen({"raw": "new\n", "b": "mine, saved nowhere\n"})
    run(work)
    assert [work.text(name) for name in "abc"] == ["new\n"] * 3
    undo(work.open())
    assert work.text("dvc.lock") == lock
    assert [work.text(name) for name in "abc"] == ["old\n", "mine, saved nowhere\n", "old\n"]


def started(work: Workplace, *args: str) -> "subprocess.Popen[bytes]":
    """A command that can be signalled."""
    return subprocess.Popen(
        [find_ff(), *args],
        cwd=work.root,
        env=work.environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        # Whoever runs the tests in the background may have interrupts ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads here
    )


def wait_for_pid(path: Path) -> int:
    wait_until(lambda: path.exists() and path.read_text().strip())
    return int(path.read_text())


def wait_until(done: Any) -> None:
    for _ in range(1500):
        if done():
            return
        time.sleep(0.02)
    raise AssertionError("it never came")


def ends(pid: int) -> bool:
    """Whether a process is gone, or goes soon."""
    for _ in range(250):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False
