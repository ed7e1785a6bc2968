"""Deps fix: what stages were seen to use is declared, and nothing has to run for a declaration."""

from pathlib import Path
from typing import Any

import pytest

from fourfold.formats.dvc import lock as locks
from fourfold.formats.dvc import stages
from fourfold.pipeline.deps_fix import Addition, DepsFixed, Fixer, deps_fix
from fourfold.pipeline.news import Found, Started
from fourfold.pipeline.options import Options
from fourfold.pipeline.repro import ReproResult, Settings, StageFailedError, repro
from fourfold.pipeline.undeclared import Memory
from fourfold.pipeline.why import why
from fourfold.project.files import load_file, load_tracked
from fourfold.project.targets import StageNotFoundError, TargetNotFoundError
from fourfold.project.undo import undo
from fourfold.runs.findings import Finding
from tests.project.workplace import Workplace

PIPELINE = """\
# two stages
stages:
  clean:
    cmd: cat raw.csv schema.yaml > clean.csv
    deps:
      - raw.csv   # from the shop

    outs:
      - clean.csv
  train:
    cmd: sort clean.csv > model.txt; date > last.log
    deps: [clean.csv]
    outs: [model.txt]
"""


@pytest.fixture
def shop(work: Workplace) -> Workplace:
    """Two stages that ran; ``clean`` reads ``schema.yaml`` without saying so, ``train`` writes a log."""
    work.gen({"dvc.yaml": PIPELINE, "raw.csv": "b\na\n", "schema.yaml": "columns: [x]\n"})
    work.git("add", "-A")
    work.git("commit", "--quiet", "-m", "begin")
    run(work)
    return work


def run(work: Workplace, *targets: str, **settings: Any) -> ReproResult:
    return repro(work.open(), targets, Settings(**settings))


def fix(work: Workplace, *targets: str, **options: Any) -> DepsFixed:
    return deps_fix(work.open(), targets, **options)


def how(result: ReproResult) -> dict[str, str]:
    return {step.name: step.how for step in result.steps}


def deps(work: Workplace, stage: str) -> tuple[str, ...]:
    return stages.parse((work.root / "dvc.yaml").read_bytes()).stages[stage].deps


def test_an_undeclared_read_is_told_after_the_run(work: Workplace) -> None:
    work.gen({"dvc.yaml": PIPELINE, "raw.csv": "b\na\n", "schema.yaml": "columns: [x]\n"})
    heard: list[object] = []
    repro(work.open(), [], tell=heard.append)
    found = {event.name: event.findings for event in heard if isinstance(event, Found)}
    assert [each.path for each in found["clean"].reads] == ["schema.yaml"]
    assert [each.path for each in found["train"].writes] == ["last.log"]


def test_exactly_what_was_read_is_declared_and_nothing_else_changes(shop: Workplace) -> None:
    result = fix(shop)
    assert result.added == (Addition("clean", "deps", "schema.yaml", settled=True),)
    assert shop.text("dvc.yaml") == PIPELINE.replace(
        "from the shop\n", "from the shop\n      - schema.yaml\n"
    )


def test_a_declaration_is_no_reason_to_run(shop: Workplace) -> None:
    fix(shop, "clean")
    assert how(run(shop)) == {"clean": "unchanged", "train": "unchanged"}


def test_what_is_declared_then_reruns_its_stage(shop: Workplace) -> None:
    fix(shop, "clean")
    shop.gen({"schema.yaml": "columns: [y]\n"})
    heard: list[object] = []
    repro(shop.open(), [], tell=heard.append)
    started = [event for event in heard if isinstance(event, Started)]
    assert [event.name for event in started] == ["clean", "train"]
    assert [change.path for change in started[0].reasons] == ["schema.yaml"]
    assert not [event for event in heard if isinstance(event, Found) and event.name == "clean"]


def test_what_changed_since_the_run_is_declared_and_reruns(shop: Workplace) -> None:
    shop.gen({"schema.yaml": "columns: [y]\n"})
    assert fix(shop).added == (Addition("clean", "deps", "schema.yaml", settled=False),)
    assert how(run(shop))["clean"] == "ran"


def test_it_is_taken_back_as_one(shop: Workplace) -> None:
    lock = shop.text("dvc.lock")
    fix(shop)
    assert shop.text("dvc.lock") != lock
    undo(shop.open())
    assert (shop.text("dvc.yaml"), shop.text("dvc.lock")) == (PIPELINE, lock)


def test_a_second_time_there_is_nothing_to_do(shop: Workplace) -> None:
    fix(shop)
    before = shop.text("dvc.yaml"), shop.text("dvc.lock")
    assert fix(shop).added == ()
    assert (shop.text("dvc.yaml"), shop.text("dvc.lock")) == before


def test_a_dry_run_changes_nothing(shop: Workplace) -> None:
    lock = shop.text("dvc.lock")
    assert [one.item for one in fix(shop, dry=True).added] == ["schema.yaml"]
    assert (shop.text("dvc.yaml"), shop.text("dvc.lock")) == (PIPELINE, lock)


def test_outputs_are_declared_when_asked_for(shop: Workplace) -> None:
    left = fix(shop, "train").left
    assert [(one.finding.path, one.finding.how) for one in left] == [("last.log", "write")]
    assert [(one.key, one.item) for one in fix(shop, "train", outs=True).added] == [("outs", "last.log")]
    assert how(run(shop))["train"] == "ran"
    outs = locks.parse((shop.root / "dvc.lock").read_bytes()).stages["train"].outs
    assert [out.path for out in outs] == ["last.log", "model.txt"]


def test_an_output_that_git_keeps_stays_with_git(shop: Workplace) -> None:
    shop.git("add", "last.log")
    run(shop, "train", force=True)
    fix(shop, "train", outs=True)
    out = stages.parse((shop.root / "dvc.yaml").read_bytes()).stages["train"].outs[1]
    assert (out.path, out.cache) == ("last.log", False)


def test_what_would_close_a_circle_is_left_out(work: Workplace) -> None:
    pipeline = (
        "stages:\n  a:\n    cmd: cat b.txt > a.txt || true\n    outs: [a.txt]\n"
        "  b:\n    cmd: cat a.txt extra > b.txt\n    deps: [a.txt]\n    outs: [b.txt]\n"
    )
    work.gen({"dvc.yaml": pipeline, "b.txt": "old", "extra": "x"})
    run(work)
    run(work, "a", force=True)
    result = fix(work)
    assert [(one.stage, one.item) for one in result.added] == [("b", "extra")]
    assert [(one.stage, one.finding.path) for one in result.left] == [("a", "b.txt")]


def test_paths_are_written_from_where_the_stage_runs(work: Workplace) -> None:
    work.gen(
        {
            "sub": {
                "code": {"x": "1"},
                "dvc.yaml": "stages:\n  s:\n    cmd: cat ../top x > y\n    wdir: code\n    outs: [y]\n",
            },
            "sub/top": "t",
        }
    )
    run(work, "sub/dvc.yaml")
    assert [one.item for one in fix(work, "sub/dvc.yaml:s").added] == ["../top", "x"]
    assert how(run(work, "sub/dvc.yaml")) == {"sub/dvc.yaml:s": "unchanged"}


def test_a_stage_of_a_template_declares_for_all_of_them(work: Workplace) -> None:
    template = "foreach: [a, b]\n    do:\n      cmd: cat shared > ${item}\n      outs: ['${item}']\n"
    work.gen({"dvc.yaml": f"stages:\n  s:\n    {template}", "shared": "1"})
    run(work)
    result = fix(work)
    assert [(one.stage, one.item, one.settled) for one in result.added] == [
        ("s@a", "shared", True),
        ("s@b", "shared", True),
    ]
    assert work.text("dvc.yaml").count("shared") == 2
    assert how(run(work)) == {"s@a": "unchanged", "s@b": "unchanged"}


@pytest.mark.parametrize(
    ("definition", "written"),
    [
        ("foreach: [a, b]", "conf/${item}.yaml"),
        ("foreach: {a: {n: 1}, b: {n: 2}}", "conf/${key}.yaml"),
        ("foreach: [{name: a}, {name: b}]", "conf/${item.name}.yaml"),
    ],
)
def test_what_each_stage_of_a_template_reads_of_its_own_is_a_template_too(
    work: Workplace, definition: str, written: str
) -> None:
    name = written[len("conf/") : -len(".yaml")]
    body = f"cmd: cat shared conf/{name}.yaml > {name}.out\n      outs: ['{name}.out']\n"
    work.gen(
        {
            "dvc.yaml": f"stages:\n  s:\n    {definition}\n    do:\n      {body}",
            "conf": {"a.yaml": "1", "b.yaml": "2", "c.yaml": "3"},
            "shared": "1",
        }
    )
    run(work)
    result = fix(work, run(work).steps[0].name)
    assert all(one.settled for one in result.added)
    entry = stages.parse((work.root / "dvc.yaml").read_bytes()).stages["s"].raw["do"]
    assert entry["deps"] == [written, "shared"]
    assert {step.how for step in run(work).steps} == {"unchanged"}
    work.gen({"conf/a.yaml": "changed"})
    assert [step.how for step in run(work).steps] == ["ran", "unchanged"]


def test_a_matrix_writes_the_axis_that_a_path_follows(work: Workplace) -> None:
    body = "cmd: cat ${item.size}.txt > ${item.size}-${item.n}\n    outs: ['${item.size}-${item.n}']\n"
    work.gen(
        {
            "dvc.yaml": f"stages:\n  s:\n    matrix: {{size: [big, small], n: [1, 2]}}\n    {body}",
            "big.txt": "b",
            "small.txt": "s",
        }
    )
    run(work)
    fix(work)
    assert stages.parse((work.root / "dvc.yaml").read_bytes()).stages["s"].raw["deps"] == ["${item.size}.txt"]
    assert {step.how for step in run(work).steps} == {"unchanged"}


def test_a_folder_that_is_tracked_is_declared_whole(work: Workplace) -> None:
    pipeline = (
        "stages:\n  make:\n    cmd: mkdir -p data && echo 1 > data/a && echo 2 > data/b\n    outs: [data]\n"
        "  use:\n    cmd: cat data/a data/b > out\n    outs: [out]\n"
    )
    work.gen({"dvc.yaml": pipeline})
    run(work, "make")
    run(work, "use")
    assert fix(work).added == (Addition("use", "deps", "data", settled=True),)
    assert how(run(work)) == {"make": "unchanged", "use": "unchanged"}


def test_what_may_hold_a_secret_is_left_out(work: Workplace) -> None:
    work.gen({"dvc.yaml": "stages:\n  s:\n    cmd: cat .env > out\n    outs: [out]\n", ".env": "TOKEN=1"})
    run(work)
    result = fix(work)
    assert result.added == ()
    assert "secret" in result.left[0].why


def test_what_lies_outside_is_declared_when_asked_for(work: Workplace, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere.csv"
    other.write_text("1")
    work.environ["TMPDIR"] = str(tmp_path / "home")
    work.gen({"dvc.yaml": f"stages:\n  s:\n    cmd: cat {other} > out\n    outs: [out]\n"})
    run(work)
    result = fix(work, outside=True)
    assert [one.item for one in result.added] in ([str(other)], [])  # below /tmp it is temporary


def test_a_stage_that_never_ran_is_said_to_be_unknown(work: Workplace) -> None:
    work.gen({"dvc.yaml": PIPELINE, "raw.csv": "", "schema.yaml": ""})
    assert fix(work, "train").unknown == ("train",)
    assert fix(work).unknown == ()


def test_what_a_record_from_elsewhere_calls_ours_is_outside_all_the_same(shop: Workplace) -> None:
    used = Memory(shop.open()).used(load_file(shop.open(), shop.path("dvc.yaml"))[0])
    assert used is not None
    lies = used.findings._replace(reads=(Finding("../../../etc/hostname", "tracked", "read"),))
    fixer = Fixer(shop.open(), load_tracked(shop.open()), outs=False, outside=False)
    fixer.consider(used._replace(findings=lies))
    assert fixer.accepted == []
    assert fixer.left[0].why.startswith("outside of the repository")


def test_a_target_that_is_no_stage_is_refused(shop: Workplace) -> None:
    with pytest.raises(StageNotFoundError):
        fix(shop, "nobody")


def test_a_strict_stage_is_refused_and_can_be_fixed(shop: Workplace) -> None:
    shop.gen({"raw.csv": "c\n"})
    with pytest.raises(StageFailedError, match=r"schema\.yaml"):
        run(shop, "clean", execution=Options(strict=True))
    assert [one.item for one in fix(shop, "clean").added] == ["schema.yaml"]
    run(shop, "clean", execution=Options(strict=True))


def test_a_dependency_that_somebody_took_out_is_found_again(shop: Workplace) -> None:
    fix(shop)
    run(shop, "clean", force=True)
    shop.gen({"dvc.yaml": PIPELINE})
    assert fix(shop).added == (Addition("clean", "deps", "schema.yaml", settled=True),)


def test_why_names_what_a_stage_does_not_declare(shop: Workplace) -> None:
    used = why(shop.open(), ["clean"])[0].used
    assert used is not None
    assert [each.path for each in used.findings.reads] == ["schema.yaml"]
    fix(shop, "clean")
    used = why(shop.open(), ["clean"])[0].used
    assert used is not None
    assert used.findings.undeclared == ()


def test_asking_why_of_an_undeclared_file_names_the_stage_that_reads_it(shop: Workplace) -> None:
    with pytest.raises(TargetNotFoundError) as caught:
        why(shop.open(), ["schema.yaml"])
    assert caught.value.hint.endswith("ff deps fix clean")


def test_a_damaged_record_leaves_the_one_before(shop: Workplace) -> None:
    run(shop, "clean", force=True)
    records = sorted(
        (shop.root / ".dvc/fourfold/runs/records").rglob("*"), key=lambda path: path.stat().st_mtime
    )
    newest = [path for path in records if path.is_file()][-1]
    newest.write_bytes(b"{}")
    assert [one.item for one in fix(shop, "clean").added] == ["schema.yaml"]


def test_the_run_that_made_the_lock_tells_what_was_read_and_not_the_last_one(shop: Workplace) -> None:
    shop.git("add", "-A")
    shop.git("commit", "--quiet", "-m", "ran")
    shop.gen({"raw.csv": "z\n"})
    run(shop, "clean")
    shop.git("checkout", "--quiet", ".")
    assert fix(shop, "clean").added == (Addition("clean", "deps", "schema.yaml", settled=True),)
