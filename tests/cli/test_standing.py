"""What ``ff status`` and ``ff why`` say of stages that are not any more as ``fourfold.lock`` has them."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from tests.conftest import find_ff
from tests.fixtures.sandbox import Sandbox, Tool

PIPELINE = """\
stages:
  train:
    cmd: python train.py
    deps: [train.py]
    params: [lr]
    outs: [model]
    meta:
      fourfold:
        seed: 42
        env: [CUSTOMER]
  eval:
    cmd: cat model > report
    deps: [model]
    outs: [report]
"""
CODE = {
    "train.py": "import helper, yaml_like\nopen('params.yaml')\nopen('model', 'w').write(str(helper.X))\n",
    "helper.py": "X = 1\n",
    "yaml_like.py": "Y = 1\n",
    "params.yaml": "lr: 1\nother: 2\n",
}


def with_python(tool: Tool) -> Tool:
    """Stages find the Python that runs the tests."""
    tool.env["PATH"] = f"{Path(sys.executable).parent}:{tool.env['PATH']}"
    return tool


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline that ran once, and whose results were committed; to copy."""
    base = tmp_path_factory.mktemp("ran")
    repo = Sandbox(base / "repo", with_python(Tool([find_ff()], base / "home")))
    repo.git("init", "--quiet", "--initial-branch", "main")
    repo.run("init", "--quiet")
    repo.gen({**CODE, "dvc.yaml": PIPELINE})
    repo.run("repro")
    repo.commit("ran")
    return repo.path


@pytest.fixture
def repo(tmp_path: Path, ran: Path, ff: Tool) -> Sandbox:
    shutil.copytree(ran, tmp_path / "repo", symlinks=True)
    return Sandbox(tmp_path / "repo", with_python(ff))


def coordinates(repo: Sandbox) -> dict[str, dict[str, dict[str, list[object]]]]:
    data = repo.run("status", "--json").json()
    assert set(data) <= {"fourfold.lock"}
    return data["fourfold.lock"][0]["changed coordinates"] if data else {}


def test_of_what_is_as_locked_nothing_is_said(repo: Sandbox) -> None:
    assert repo.run("status").stdout == "Data and pipelines are up to date.\n"
    assert repo.run("status", "--json").json() == {}
    assert "since run" not in repo.run("why", "train").stdout


def test_a_source_file_that_is_no_dependency_is_named(repo: Sandbox) -> None:
    repo.gen({"helper.py": "X = 2\n", "params.yaml": "lr: 1\nother: 3\n"})
    (repo.path / "yaml_like.py").unlink()
    ran = repo.run("status")
    assert ran.code == 0
    assert ran.stdout == (
        "Data and pipelines are up to date.\n"
        "train is not as fourfold.lock has it:\n"
        "\tcode:               helper.py, yaml_like.py (gone)\n"
    )
    assert list(coordinates(repo)) == ["train"]
    assert list(coordinates(repo)["train"]["code"]) == ["helper.py", "yaml_like.py"]
    told = repo.run("why", "train").stdout
    assert "code:        helper.py is " in told
    assert "yaml_like.py is gone" in told


def test_a_dependency_is_left_to_the_rest_of_status(repo: Sandbox) -> None:
    repo.gen({"train.py": CODE["train.py"] + "# more\n"})
    data = repo.run("status", "--json").json()
    assert data == {"train": [{"changed deps": {"train.py": "modified"}}]}


def test_line_ends_that_git_would_convert_are_no_difference(repo: Sandbox) -> None:
    repo.git("config", "core.autocrlf", "true")
    repo.gen({"helper.py": "X = 1\r\n"})
    assert coordinates(repo) == {}


def test_what_is_declared_of_chance_and_variables_is_compared(repo: Sandbox) -> None:
    text = repo.text("dvc.yaml").replace("seed: 42", "seed: 43\n        determinism: strict")
    repo.gen({"dvc.yaml": text})
    found = coordinates(repo)["train"]["randomness"]
    assert found["seed"] == [42, 43]
    assert found["determinism"] == ["seeded", "strict"]
    assert found["numerics.threads"] == [None, 1]
    repo.tool.env["CUSTOMER"] = "hunter2"
    ran = repo.run("status")
    assert "\tvariables:          CUSTOMER\n" in ran.stdout
    assert "hunter2" not in ran.stdout + repo.run("status", "--json").stdout + repo.text("fourfold.lock")


def test_a_distribution_that_was_replaced_is_named_with_both_versions(repo: Sandbox, tmp_path: Path) -> None:
    site = tmp_path / "site"
    for version in ("1.0", "2.0"):
        info = site / f"widget-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Name: widget\nVersion: {version}\n")
        (info / "RECORD").write_text(f"widget-{version}.dist-info/METADATA,,\n")
        if version == "1.0":
            repo.tool.env["PYTHONPATH"] = str(site)
            repo.run("repro", "-f", "train")
            assert coordinates(repo) == {}
            (info / "RECORD").rename(tmp_path / "old")
            (info / "METADATA").unlink()
            info.rmdir()
    assert coordinates(repo)["train"]["environment"] == {"widget": ["1.0", "2.0"]}
    assert "\tenvironment:        widget 1.0 -> 2.0\n" in repo.run("status").stdout


def test_a_lock_of_the_environment_that_changed_is_named(repo: Sandbox) -> None:
    repo.gen({"requirements.txt": "widget==1.0\n"})
    repo.run("repro", "-f", "train")
    repo.gen({"requirements.txt": "widget==2.0\n"})
    assert "requirements.txt" in coordinates(repo)["train"]["environment"]


def test_a_clone_without_records_says_what_the_lock_alone_tells(repo: Sandbox, tmp_path: Path) -> None:
    repo.git("clone", "-q", str(repo.path), str(tmp_path / "clone"))
    clone = Sandbox(tmp_path / "clone", repo.tool)
    clone.gen({"helper.py": "X = 2\n", "dvc.yaml": repo.text("dvc.yaml").replace("42", "43")})
    found = clone.run("status", "--json").json()["fourfold.lock"][0]["changed coordinates"]
    assert list(found["train"]) == ["randomness"]


def test_a_lock_file_that_cannot_be_read_is_an_error_with_its_name(repo: Sandbox) -> None:
    repo.gen({"fourfold.lock": "<<<<<<< HEAD\n"})
    ran = repo.run("status", check=False)
    assert ran.code != 0
    assert "fourfold.lock" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_records_that_were_lost_or_altered_cost_no_more_than_what_they_told(repo: Sandbox) -> None:
    repo.gen({"helper.py": "X = 2\n"})
    for path in (repo.path / ".dvc/fourfold/runs/records").rglob("*"):
        if path.is_file():
            path.write_text(json.dumps({"schema": "fourfold.run/1"}))
    assert repo.run("status").code == 0


def test_a_result_that_no_run_made_is_not_said_to_be_of_one(repo: Sandbox) -> None:
    before = repo.text("fourfold.lock")
    repo.gen({"report": "by hand\n"})
    repo.run("commit", "-f", "eval")
    assert "  eval:" not in repo.text("fourfold.lock")
    assert "  train:" in repo.text("fourfold.lock")
    repo.run("undo", "--force")
    assert repo.text("fourfold.lock") == before


def test_what_comes_back_in_a_clone_without_records_stays_as_locked(repo: Sandbox, tmp_path: Path) -> None:
    repo.gen({"dvc.yaml": repo.text("dvc.yaml").replace("        env: [CUSTOMER]\n", "")})
    repo.run("repro", "-f")  # what depends on a variable is not remembered
    repo.commit("without a variable")
    repo.git("clone", "-q", str(repo.path), str(tmp_path / "clone"))
    clone = Sandbox(tmp_path / "clone", repo.tool)
    clone.run("config", "cache.dir", str(repo.path / ".dvc/cache"))
    ran = clone.run("repro")
    assert "Running" not in ran.stdout
    assert clone.read("fourfold.lock") == repo.read("fourfold.lock")
