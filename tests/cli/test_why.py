"""``ff why`` of stages: what would run, what runs first, which tables moved, what is remembered."""

from pathlib import Path

import pytest

from tests.fixtures.sandbox import Sandbox

PIPELINE = """\
stages:
  load:
    cmd: cat raw/*.csv > all.csv
    deps: [raw]
    outs: [all.csv]
  train:
    cmd: wc -l < all.csv > model
    deps: [all.csv]
    params: [depth]
    outs: [model]
"""


@pytest.fixture
def lab(ff_repo: Sandbox) -> Sandbox:
    """A pipeline of two stages that has run."""
    ff_repo.gen(
        {
            "raw": {"x.csv": "a,b\n1,2\n3,4\n", "y.csv": "a,b\n1,2\n"},
            "params.yaml": "depth: 3\n",
            "dvc.yaml": PIPELINE,
        }
    )
    ff_repo.run("add", "--quiet", "raw")
    ff_repo.run("repro", "--quiet")
    return ff_repo


def test_an_unchanged_stage_names_the_remembered_run_that_would_restore_it(lab: Sandbox) -> None:
    answer = lab.run("why", "train", "--json").json()[0]
    assert answer["changed"] is False
    assert answer["first"] == []
    assert answer["remembered"]["restorable"] is True
    assert (lab.path / ".dvc" / "cache" / Path(answer["remembered"]["entry"])).is_file()
    assert "a remembered run would restore them" in lab.run("why", "train").stdout


def test_a_stage_says_which_parameter_moved_and_that_a_remembered_run_has_it(lab: Sandbox) -> None:
    lab.gen({"params.yaml": "depth: 5\n"})
    said = lab.run("why", "train").stdout
    assert "parameter depth of params.yaml is 5, recorded 3" in said
    assert "remembered" not in said
    lab.run("repro", "--quiet")
    lab.gen({"params.yaml": "depth: 3\n"})
    assert "it need not run: ff repro restores what a remembered run made" in lab.run("why", "train").stdout


def test_a_stage_that_waits_for_another_says_so_and_promises_nothing(lab: Sandbox) -> None:
    lab.gen({"raw": {"x.csv": "a,b\n1,2\n"}})
    said = lab.run("why", "train").stdout
    assert "unchanged" in said
    assert "it may run after them: load (ff why load)" in said
    assert lab.run("why", "train", "--json").json()[0]["remembered"] is None


def test_a_table_inside_a_directory_tells_its_rows_and_columns(lab: Sandbox) -> None:
    lab.gen({"raw": {"x.csv": "a,b,c\n1,2,x\n3,4,y\n1,1,1\n", "z.csv": "a,b\n1,2\n"}})
    said = lab.run("why", "load").stdout
    assert "table raw/x.csv: 2 -> 3 rows (+1), new column c" in said
    assert "table raw/z.csv: 1 rows" in said
    tables = lab.run("why", "load", "--json").json()[0]["reasons"][0]["tables"]
    assert tables[0] == {
        "path": "raw/x.csv",
        "old": {"rows": 2, "columns": ["a", "b"], "partial": False},
        "new": {"rows": 3, "columns": ["a", "b", "c"], "partial": False},
    }


def test_what_a_remembered_run_made_and_the_cache_lost_is_not_promised(lab: Sandbox) -> None:
    made = (lab.path / "model").read_bytes()
    lab.gen({"params.yaml": "depth: 5\n", "model": None})
    lab.run("repro", "--quiet")
    lab.gen({"params.yaml": "depth: 3\n", "model": None})
    lost = [path for path in (lab.path / ".dvc" / "cache" / "files").rglob("*") if path.is_file()]
    for path in lost:
        if path.read_bytes() == made:
            path.unlink()
    assert "not all that came out is in the cache" in lab.run("why", "train").stdout


def test_a_file_that_stages_read_leads_to_them(lab: Sandbox) -> None:
    lab.gen({"dvc.yaml": PIPELINE.replace("deps: [all.csv]", "deps: [all.csv, train.py]"), "train.py": ""})
    said = lab.run("why", "train.py", check=False)
    assert said.code == 1
    assert "hint: it is a dependency of train; ask there: ff why train" in said.stderr


def test_a_file_of_git_that_no_stage_names_is_told_so(lab: Sandbox) -> None:
    lab.gen({"src": {"forgotten.py": ""}, "new.csv": "a\n"})
    lab.git("add", "src")
    said = lab.run("why", "src/forgotten.py", check=False)
    assert "hint: no stage names it: what reads it does not run again when it changes" in said.stderr
    assert "to track it, run: ff add new.csv" in lab.run("why", "new.csv", check=False).stderr


def test_a_stage_that_never_ran_says_just_that(lab: Sandbox) -> None:
    lab.gen({"dvc.yaml": PIPELINE + "  last:\n    cmd: cp model end\n    deps: [model]\n    outs: [end]\n"})
    assert lab.run("why", "last").stdout == "last: changed\n  it has not run before\n"
    assert len(lab.run("why", "last", "--json").json()[0]["reasons"]) == 2
