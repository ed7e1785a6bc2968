"""What moved is judged alike by bisect and explain: a file is code or data whoever declares it, and when."""

from pathlib import Path

import pytest

from tests.fixtures.sandbox import Sandbox, Tool

TRAIN = """\
import json, sys
{more}
scale = float(open("{schema}").read().split(":")[1])
rows = [float(line) for line in open("data.csv")]
json.dump({{"auc": scale * sum(rows) / len(rows)}}, open("metrics.json", "w"))
"""
PIPELINE = """\
stages:
  train:
    cmd: python train.py
    deps: [{deps}]
    metrics: [{{metrics.json: {{cache: false}}}}]
"""
USUAL = "train.py, data.csv"
BISECT = ("bisect", "--metric", "auc", "--good", "HEAD~1", "--json")


def begun(folder: Path, ff: Tool, deps: str = USUAL, schema: str = "schema.yaml", more: str = "") -> Sandbox:
    """A project whose first run reads a schema; it is committed after that run."""
    repo = Sandbox(folder / "repo", ff)
    repo.git("init", "-q")
    repo.run("init", "-q")
    script = TRAIN.format(schema=schema, more=more)
    repo.gen({"train.py": script, "data.csv": "0.5\n0.9\n", schema: "scale: 1.0\n"})
    repo.gen({"conf/helper.py": "K = 1\n", "dvc.yaml": PIPELINE.format(deps=deps)})
    repo.run("repro", "-q")
    repo.commit("one")
    return repo


def test_a_file_that_became_a_dependency_is_data_to_both(tmp_path: Path, ff: Tool) -> None:
    repo = begun(tmp_path, ff)
    repo.gen({"schema.yaml": "scale: 0.5\n"})
    repo.run("deps", "fix", "train")
    assert "schema.yaml" in (repo.path / "dvc.yaml").read_text()
    repo.run("repro", "-q")
    repo.commit("declared")
    found = repo.run(*BISECT, "--inside").json()
    explained = repo.run("explain", "HEAD~1", "HEAD", "--json").json()
    assert {cause["coordinate"] for cause in explained["causes"]} == {"data"}
    assert (found["moved"], found["inside"]["blamed"]) == (["data"], ["data"])


@pytest.mark.parametrize("deps", [USUAL, f"{USUAL}, schema.yaml"])
def test_a_version_that_nobody_ran_is_compared_by_what_its_commit_has(
    tmp_path: Path, ff: Tool, deps: str
) -> None:
    """Only one of the versions has a record: its reads and the other's dependencies are judged alike."""
    repo = begun(tmp_path, ff)
    repo.gen({"schema.yaml": "scale: 0.5\n", "notes.md": "nothing\n", "dvc.yaml": PIPELINE.format(deps=deps)})
    repo.commit("declared, and not run")
    found = repo.run(*BISECT).json()
    assert (found["first_bad"]["run"], found["executed"], found["moved"]) == (None, 1, ["data"])
    repo.gen({"train.py": (repo.path / "train.py").read_text().replace("sum(rows)", "min(rows)")})
    repo.commit("code, and not run")
    found = repo.run("bisect", "--metric", "auc", "--good", "HEAD~2", "--threshold", "0.3", "--json").json()
    assert (found["first_bad"]["title"], found["moved"]) == ("code, and not run", ["code"])


def test_a_file_that_is_declared_no_more_is_data_to_both(tmp_path: Path, ff: Tool) -> None:
    repo = begun(tmp_path, ff, f"{USUAL}, schema.yaml")
    repo.gen({"schema.yaml": "scale: 0.5\n", "dvc.yaml": PIPELINE.format(deps=USUAL)})
    repo.run("repro", "-q", "-f")
    repo.commit("undeclared")
    assert repo.run(*BISECT).json()["moved"] == ["data"]


@pytest.mark.parametrize("conf_last", [True, False])
def test_a_folder_with_code_in_it_that_is_declared_moves_no_code(
    tmp_path: Path, ff: Tool, *, conf_last: bool
) -> None:
    declared = (USUAL, f"{USUAL}, conf") if conf_last else (f"{USUAL}, conf", USUAL)
    more = 'sys.path.insert(0, "conf"); import helper'
    repo = begun(tmp_path, ff, declared[0], "conf/schema.yaml", more)
    repo.gen({"conf/schema.yaml": "scale: 0.5\n", "dvc.yaml": PIPELINE.format(deps=declared[1])})
    repo.run("repro", "-q", "-f")
    repo.commit("another schema")
    assert repo.run(*BISECT).json()["moved"] == ["data"]


def test_of_a_folder_of_code_that_is_declared_the_file_that_changed_is_told_once(
    tmp_path: Path, ff: Tool
) -> None:
    more = 'sys.path.insert(0, "conf"); import helper'
    script = TRAIN.format(schema="schema.yaml", more=more).replace("scale *", "helper.K * scale *")
    repo = begun(tmp_path, ff, f"{USUAL}, conf", more=more)
    repo.gen({"train.py": script})
    repo.run("repro", "-q")
    repo.commit("two")
    repo.gen({"conf/helper.py": "K = 0.1\n"})
    repo.run("repro", "-q")
    repo.commit("three")
    explained = repo.run("explain", "HEAD~1", "HEAD", "--json").json()
    assert [cause["name"] for cause in explained["causes"]] == ["conf/helper.py"]
    assert repo.run(*BISECT).json()["moved"] == ["code"]


def test_a_file_of_the_repository_outside_of_the_project_is_data_and_told_once(
    tmp_path: Path, ff: Tool
) -> None:
    repo = Sandbox(tmp_path / "repo", ff)
    repo.git("init", "-q")
    repo.gen({"conf/schema.yaml": "scale: 1.0\n", "app/data.csv": "0.5\n0.9\n"})
    repo.gen({"app/train.py": TRAIN.format(schema="../conf/schema.yaml", more="")})
    repo.gen({"app/dvc.yaml": PIPELINE.format(deps=USUAL)})
    inside = repo.path / "app"
    ff("init", "-q", "--subdir", cwd=inside)
    ff("repro", "-q", cwd=inside)
    repo.commit("one")
    repo.gen({"conf/schema.yaml": "scale: 0.5\n"})
    repo.gen({"app/dvc.yaml": PIPELINE.format(deps=f"{USUAL}, ../conf/schema.yaml")})
    ff("repro", "-q", cwd=inside)
    repo.commit("declared")
    explained = ff("explain", "HEAD~1", "HEAD", "--json", cwd=inside).json()
    assert [cause["name"] for cause in explained["causes"]] == ["../conf/schema.yaml"]
    assert ff(*BISECT, cwd=inside).json()["moved"] == ["data"]


def test_a_file_that_may_hold_secrets_and_changed_does_not_make_its_run_look_like_none(
    tmp_path: Path, ff: Tool
) -> None:
    """Its content is in no record and no code tree: that of the commit before is not taken for it."""
    repo = begun(tmp_path, ff, schema="secret.yaml")
    repo.gen({"secret.yaml": "scale: 0.5\n", "dvc.yaml": PIPELINE.format(deps=f"{USUAL}, secret.yaml")})
    repo.run("repro", "-q")
    repo.commit("declared")
    found = repo.run(*BISECT, "--dry").json()
    assert found["first_bad"]["run"] is not None
    assert found["moved"] == ["data"]


def test_a_file_in_a_tracked_folder_that_changed_was_not_run_and_is_data(tmp_path: Path, ff: Tool) -> None:
    repo = begun(tmp_path, ff)
    script = repo.text("train.py").replace('"data.csv"', '"tables/data.csv"')
    repo.gen({"tables/data.csv": "0.5\n0.9\n", "tables/other.csv": "1\n", "train.py": script})
    repo.gen({"dvc.yaml": PIPELINE.format(deps="train.py, tables/data.csv")})
    repo.run("add", "-q", "tables")
    repo.run("repro", "-q")
    repo.commit("two")
    repo.gen({"tables/other.csv": "2\n"})
    repo.run("add", "-q", "tables")
    repo.commit("what it does not read")
    repo.gen({"tables/data.csv": "0.1\n0.2\n"})
    repo.run("add", "-q", "tables")
    repo.commit("what it reads")
    found = repo.run("bisect", "--metric", "auc", "--good", "HEAD~2", "--json").json()
    assert (found["first_bad"]["title"], found["moved"], found["executed"]) == ("what it reads", ["data"], 1)


def test_a_file_beside_the_project_is_not_taken_for_one_of_its_outputs(tmp_path: Path, ff: Tool) -> None:
    repo = Sandbox(tmp_path / "repo", ff)
    repo.git("init", "-q")
    repo.gen({"conf/schema.yaml": "scale: 1.0\n", "app/data.csv": "0.5\n0.9\n", "app/conf/schema.yaml": "x"})
    repo.gen({"app/train.py": TRAIN.format(schema="../conf/schema.yaml", more="")})
    repo.gen({"app/dvc.yaml": PIPELINE.format(deps=f"{USUAL}, ../conf/schema.yaml")})
    inside = repo.path / "app"
    ff("init", "-q", "--subdir", cwd=inside)
    ff("add", "-q", "conf/schema.yaml", cwd=inside)
    ff("repro", "-q", cwd=inside)
    repo.commit("one")
    repo.gen({"conf/schema.yaml": "scale: 0.5\n"})
    repo.commit("not run")
    found = ff(*BISECT, cwd=inside).json()
    assert (found["first_bad"]["value"], found["moved"]) == (0.35, ["data"])


def test_a_tracked_file_in_a_declared_folder_that_changed_was_not_run_and_is_data(
    tmp_path: Path, ff: Tool
) -> None:
    repo = begun(tmp_path, ff)
    script = repo.text("train.py").replace('"data.csv"', '"tables/data.csv"')
    repo.gen({"tables/data.csv": "0.5\n0.9\n", "tables/other.csv": "1\n", "train.py": script})
    repo.gen({"dvc.yaml": PIPELINE.format(deps="train.py, tables")})
    repo.run("add", "-q", "tables/data.csv")
    repo.run("repro", "-q")
    repo.commit("two")
    repo.gen({"notes.md": "nothing\n"})
    repo.commit("what nobody reads")
    repo.gen({"tables/data.csv": "0.1\n0.2\n"})
    repo.run("add", "-q", "tables/data.csv")
    repo.commit("what it reads")
    found = repo.run("bisect", "--metric", "auc", "--good", "HEAD~2", "--json").json()
    assert (found["first_bad"]["title"], found["moved"], found["executed"]) == ("what it reads", ["data"], 1)
