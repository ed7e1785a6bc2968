"""Commits as states: whether the result of a run still holds where nobody ran it."""

import shutil
import sys
from pathlib import Path

import pytest

from fourfold.base.clock import SYSTEM
from fourfold.evidence.commits import Commits
from fourfold.evidence.states import State
from fourfold.runs.store import records_of
from fourfold.wiring import find_place
from tests.conftest import find_ff
from tests.fixtures.sandbox import Sandbox, Tool

GO = """\
import json, os
import helper
size = sum(len(open(f"tables/{name}").read()) for name in sorted(os.listdir("tables")))
json.dump({"size": size + len(open("notes.txt").read())}, open("metrics.json", "w"))
"""
PIPELINE = f"""\
stages:
  go:
    cmd: {sys.executable} go.py
    deps: [go.py, tables]
    metrics: [metrics.json: {{cache: false}}]
"""


@pytest.fixture(scope="module", params=["auto", "off"])
def repo(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Sandbox:
    """A stage that ran once, and whose folder of data is in Git; watched, and not."""
    folder = tmp_path_factory.mktemp("commits")
    repo = Sandbox(folder / "repo", Tool([find_ff()], folder / "home"))
    repo.git("init", "-q", "-b", "main")
    repo.run("init", "-q")
    files = {"go.py": GO, "helper.py": "", "notes.txt": "x", "dvc.yaml": PIPELINE}
    repo.gen({**files, "tables/a.csv": "1,2\n", "tables/b.csv": "3\n", "unrelated.txt": "x"})
    repo.commit("zero")
    repo.run("repro", "-q", env={"FOURFOLD_TRACE": request.param})
    repo.commit("ran")
    return repo


def state(repo: Sandbox, **changed: object) -> State:
    """The state of a commit that changes some files after the run, and runs nothing."""
    repo.git("checkout", "-q", "--detach", "main")
    repo.gen({name.replace("_", "."): content for name, content in changed.items()})
    repo.commit("changed")
    place = find_place(str(repo.path), environ=repo.tool.env, clock=SYSTEM)
    assert place.git is not None
    with Commits(place, records_of(place)) as commits:
        return commits.state(place.git.resolve("HEAD"), "go", "metrics.json:size")


def test_a_result_holds_where_nothing_changed_that_was_read(repo: Sandbox) -> None:
    assert state(repo, unrelated_txt="y").metric == 7


def test_a_folder_of_data_in_git_that_changed_was_not_run(repo: Sandbox) -> None:
    found = state(repo, **{"tables/a_csv": "1,2,3\n"})
    assert (found.metric, found.run) == (None, None)
    assert found.why.endswith("changed and 'go' was not run")


def test_a_folder_of_which_git_never_had_all_is_not_said_to_have_changed(
    repo: Sandbox, tmp_path: Path
) -> None:
    own = Sandbox(tmp_path / "repo", Tool([find_ff()], tmp_path / "home"))
    shutil.copytree(repo.path, own.path, symlinks=True, dirs_exist_ok=True)
    own.git("checkout", "-q", "main")
    own.gen({"tables/c.csv": "4\n", ".gitignore": "c.csv\n"})
    own.run("repro", "-q", env={"FOURFOLD_TRACE": "off"})
    own.commit("ran with a file that Git has not")
    shutil.rmtree(own.path / ".dvc/fourfold/runs")
    place = find_place(str(own.path), environ=own.tool.env, clock=SYSTEM)
    assert place.git is not None
    with Commits(place, records_of(place)) as commits:
        found = commits.state(place.git.resolve("HEAD"), "go", "metrics.json:size")
    assert (found.metric, found.why) == (9, "")


def test_a_file_that_is_new_in_such_a_folder_changed_it(repo: Sandbox) -> None:
    assert state(repo, **{"tables/c_csv": "4\n"}).why == "'tables' changed and 'go' was not run"


def test_a_file_that_is_gone_from_such_a_folder_changed_it(repo: Sandbox) -> None:
    assert state(repo, **{"tables/b_csv": None}).metric is None


@pytest.mark.parametrize("repo", ["auto"], indirect=True)
@pytest.mark.parametrize("content", ["y", None])
def test_what_a_run_read_of_git_without_declaring_it_counts(repo: Sandbox, content: str | None) -> None:
    found = state(repo, notes_txt=content)
    assert (found.metric, found.why) == (None, "'notes.txt' changed and 'go' was not run")


@pytest.mark.parametrize("repo", ["auto"], indirect=True)
def test_a_module_that_was_imported_and_is_deleted_was_not_run(repo: Sandbox) -> None:
    assert state(repo, helper_py=None).why == "'helper.py' changed and 'go' was not run"


def test_without_records_only_one_entry_of_a_lock_file_is_one_version(repo: Sandbox, tmp_path: Path) -> None:
    own = Sandbox(tmp_path / "repo", Tool([find_ff()], tmp_path / "home"))
    shutil.copytree(repo.path, own.path, symlinks=True, dirs_exist_ok=True)
    own.git("checkout", "-q", "main")
    shutil.rmtree(own.path / ".dvc" / "fourfold", ignore_errors=True)
    (own.path / "fourfold.lock").unlink(missing_ok=True)
    own.commit("no records")
    one, same = state(own, unrelated_txt="y"), state(own, unrelated_txt="z")
    lock = own.text("dvc.lock")
    result = lock.rpartition("md5: ")[2][:32]
    other = state(own, dvc_lock=lock.replace(result, "5a" * 16))
    assert one.run is None
    assert one.key is not None
    assert other.key is not None
    assert one.key == same.key
    assert one.key.environment != other.key.environment
    assert not one.key.knows("environment")


def test_versions_that_nobody_ran_are_not_known_to_be_of_one_environment(repo: Sandbox) -> None:
    one = state(repo, **{"tables/a_csv": "1,2,3\n"})
    other = state(repo, **{"tables/a_csv": "1,2,3\n", "tables/a_csv.dvc": ""})
    assert one.key is not None
    assert other.key is not None
    assert one.key.environment != other.key.environment
    assert not one.key.knows("environment")


def test_a_pipeline_of_a_thousand_stages_is_looked_at(tmp_path: Path, ff: Tool) -> None:
    repo = Sandbox(tmp_path / "repo", ff)
    repo.git("init", "-q")
    repo.run("init", "-q")
    stages = [f"  s{at}: {{cmd: x, deps: [f{at}], outs: [f{at + 1}]}}\n" for at in range(1200)]
    repo.gen({"dvc.yaml": "stages:\n" + "".join(reversed(stages))})
    repo.commit()
    place = find_place(str(repo.path), environ=repo.tool.env, clock=SYSTEM)
    assert place.git is not None
    with Commits(place, records_of(place)) as commits:
        seen = commits.look(place.git.resolve("HEAD"))
    last = next(owner for owner in seen.stages if owner.addressing == "s1199")
    assert [owner.addressing for owner in seen.upstream(last)] == [f"s{at}" for at in range(1200)]
