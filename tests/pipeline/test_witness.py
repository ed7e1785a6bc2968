"""Each attempt at a stage leaves a record: of those that went well, failed, took too long, or were ended."""

import signal
import subprocess
import time

import pytest

from fourfold.formats.native.record import RunRecord
from fourfold.runs.store import Records
from tests.conftest import find_ff
from tests.fixtures.sandbox import Sandbox

PATIENCE = 60.0


def records_of(repo: Sandbox) -> list[RunRecord]:
    records = Records(str(repo.path / ".dvc" / "fourfold" / "runs"), lambda *_parts: "")
    return [records.get(summary.id) for summary in records.summaries()]


def left_behind(repo: Sandbox) -> list[str]:
    """Scratch folders of runs that have ended."""
    return [path.name for path in (repo.path / ".dvc" / "fourfold" / "runs" / "live").iterdir()]


def test_a_stage_that_went_well_is_recorded_and_the_lock_names_its_run(ff_repo: Sandbox) -> None:
    ff_repo.gen(
        {
            "in.txt": "1\n",
            "dvc.yaml": "stages:\n  a: {cmd: cp in.txt out.txt, deps: [in.txt], outs: [out.txt]}\n",
        }
    )
    ff_repo.run("repro")
    (record,) = records_of(ff_repo)
    assert (record.stage, record.outcome.state, record.previous) == ("a", "succeeded", None)
    assert [item["path"] for item in record.data["inputs"].value] == ["in.txt"]
    assert [item["path"] for item in record.data["outputs"].value] == ["out.txt"]
    assert "  a:\n    run: " in ff_repo.text("fourfold.lock")
    assert left_behind(ff_repo) == []


def test_what_comes_from_the_run_cache_is_the_run_that_made_it(ff_repo: Sandbox) -> None:
    ff_repo.gen(
        {
            "in.txt": "1\n",
            "dvc.yaml": "stages:\n  a: {cmd: cp in.txt out.txt, deps: [in.txt], outs: [out.txt]}\n",
        }
    )
    ff_repo.run("repro")
    first = ff_repo.text("fourfold.lock")
    ff_repo.gen({"in.txt": "2\n"})
    ff_repo.run("repro")
    assert ff_repo.text("fourfold.lock") != first
    ff_repo.gen({"in.txt": "1\n"})
    assert "is cached" in ff_repo.run("repro").stdout
    assert ff_repo.text("fourfold.lock") == first
    assert len(records_of(ff_repo)) == 2


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_every_attempt_that_fails_is_recorded_and_none_is_in_the_lock(ff_repo: Sandbox, jobs: str) -> None:
    ff_repo.gen(
        {
            "dvc.yaml": "stages:\n"
            "  bad: {cmd: exit 7, meta: {fourfold: {retries: 2}}}\n"
            "  slow: {cmd: sleep 60, meta: {fourfold: {timeout: 0.2}}}\n"
            "  forgets: {cmd: 'true', outs: [never.txt]}\n"
        }
    )
    ff_repo.run("repro", "-k", "-j", jobs, check=False)
    found = sorted(
        (record.stage, record.outcome.state, record.outcome.code) for record in records_of(ff_repo)
    )
    assert [one[:2] for one in found] == [
        *[("bad", "failed")] * 3,
        ("forgets", "not-recorded"),
        ("slow", "timed-out"),
    ]
    assert found[0][2] == 7
    assert not ff_repo.exists("fourfold.lock")
    assert left_behind(ff_repo) == []


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_stage_that_somebody_interrupts_is_recorded_as_that(ff_repo: Sandbox, jobs: str) -> None:
    ff_repo.gen(
        {
            "dvc.yaml": "stages:\n"
            "  a: {cmd: touch going && sleep 60}\n"
            "  b: {cmd: touch going-too && sleep 60}\n"
        }
    )
    process = subprocess.Popen(
        [find_ff(), "repro", "-j", jobs],
        cwd=ff_repo.path,
        env=ff_repo.tool.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    until = time.monotonic() + PATIENCE
    wanted = ["going"] if jobs == "1" else ["going", "going-too"]
    while not all(ff_repo.exists(name) for name in wanted) and time.monotonic() < until:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    process.wait(PATIENCE)
    assert {record.outcome.state for record in records_of(ff_repo)} == {"interrupted"}
    assert len(records_of(ff_repo)) == len(wanted)
    assert left_behind(ff_repo) == []


def test_nothing_is_recorded_when_that_is_switched_off(ff_repo: Sandbox) -> None:
    ff_repo.gen({"dvc.yaml": "stages:\n  a: {cmd: env > out.txt, outs: [out.txt]}\n"})
    ff_repo.run("repro", env={"FOURFOLD_CAPTURE": "off"})
    assert not ff_repo.exists("fourfold.lock")
    assert not ff_repo.exists(".dvc/fourfold/runs")
    assert "PYTHONPATH" not in ff_repo.text("out.txt")


def test_a_strict_stage_that_reads_what_it_does_not_declare_fails_and_is_not_recorded(
    ff_repo: Sandbox,
) -> None:
    ff_repo.gen(
        {
            "hidden.txt": "1\n",
            "dvc.yaml": "stages:\n"
            "  a: {cmd: cat hidden.txt > out.txt, outs: [out.txt], meta: {fourfold: {strict: true}}}\n",
        }
    )
    ran = ff_repo.run("repro", check=False)
    assert ran.code == 255
    assert "hidden.txt" in ran.stderr
    assert "ff deps fix a" in ran.stderr
    assert not ff_repo.exists("dvc.lock")
    (record,) = records_of(ff_repo)
    assert record.outcome.state == "not-recorded"


@pytest.mark.parametrize("harm", ["file", "read-only"])
def test_a_run_that_cannot_be_recorded_is_a_warning_and_goes_on(ff_repo: Sandbox, harm: str) -> None:
    ff_repo.gen({"dvc.yaml": "stages:\n  a: {cmd: echo 1 > out.txt, outs: [out.txt]}\n"})
    own = ff_repo.path / ".dvc" / "fourfold"
    own.mkdir(exist_ok=True)
    if harm == "file":
        (own / "runs").write_text("in the way")
    else:
        (own / "runs").symlink_to("/nowhere")
    ran = ff_repo.run("repro")
    assert "not recorded" in ran.stderr
    assert ff_repo.text("out.txt") == "1\n"
    assert ff_repo.exists("dvc.lock")
