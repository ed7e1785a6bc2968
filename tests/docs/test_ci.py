"""The workflows of the guide on checks: their shell lines run as they stand, in a project with a remote."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.conftest import ROOT, find_ff
from tests.fixtures.sandbox import Sandbox, Tool

PAGE = ROOT / "docs" / "guides" / "ci.md"
PIPELINE = """\
stages:
  validate:
    cmd: sh validate.sh
    deps: [data/raw/sample]
    metrics:
    - validation.json: {cache: false}
  train:
    cmd: sh train.sh
    deps: [data/raw]
    params: [lr]
    outs: [model]
    metrics:
    - metrics.json: {cache: false}
"""


def blocks() -> list[Any]:
    """Every workflow of the page, parsed."""
    return [
        YAML(typ="safe").load(text) for text in re.findall(r"(?ms)^```yaml\n(.*?)^```$", PAGE.read_text())
    ]


def workflow(name: str) -> list[str]:
    """The lines that the job of one GitHub workflow runs."""
    found = next(block for block in blocks() if block.get("name") == name)
    [job] = found["jobs"].values()
    return [step["run"] for step in job["steps"] if "run" in step]


def gitlab(name: str) -> list[str]:
    """The lines that one job of the GitLab file runs."""
    found = next(block for block in blocks() if "stages" in block)
    return [*found["default"]["before_script"], *found[name]["script"]]


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository on a server, its remote, and a branch ``work`` with a change that was run and pushed."""
    home = tmp_path_factory.mktemp("ci")
    work = Sandbox(home / "laptop", Tool([find_ff()], home / "home"))
    work.git("init", "--quiet", "--initial-branch", "main")
    work.run("init", "--quiet")
    work.run("remote", "add", "--quiet", "--default", "store", str(home / "store"))
    work.gen(
        {
            "data/raw": {"sample": {"a.csv": "x\n1\n"}, "all": {"b.csv": "x\n1\n2\n"}},
            "dvc.yaml": PIPELINE,
            "params.yaml": "lr: 0.5\n",
            "validate.sh": "test -s data/raw/sample/a.csv\necho '{\"rows\": 1}' > validation.json\n",
            "train.sh": "cat data/raw/all/b.csv params.yaml > model\n"
            "echo '{\"auc\":' $(sed 's/lr://' params.yaml) '}' > metrics.json\n",
        }
    )
    work.run("add", "--quiet", "data/raw")
    work.run("repro", "--quiet")
    work.commit("one")
    work.run("push", "--quiet")
    work.git("checkout", "--quiet", "-b", "work")
    work.gen({"params.yaml": "lr: 0.75\n"})
    work.run("repro", "--quiet")
    work.run("push", "--quiet")
    work.commit("two")
    work.git("init", "--quiet", "--bare", str(home / "server.git"))
    work.git("remote", "add", "origin", str(home / "server.git"))
    work.git("push", "--quiet", "origin", "main", "work")
    return home


class Job:
    """A fresh clone, as a job has it, and what its lines said."""

    def __init__(self, origin: Path, folder: Path, branch: str = "work") -> None:
        for name in ("server.git", "store"):
            shutil.copytree(origin / name, folder / name)
        self.box = Sandbox(folder / "job", Tool([find_ff()], folder / "home"))
        self.summary = folder / "summary.md"
        self.box.git("clone", "--quiet", str(folder / "server.git"), ".")
        self.box.git("checkout", "--quiet", branch)
        self.box.run("remote", "modify", "--local", "store", "url", str(folder / "store"))

    def run(self, lines: list[str], *, check: bool = True, **env: str) -> str:
        """Run the lines as a job does, each in a shell that stops at the first failure; what was said."""
        said = ""
        path = f"{Path(find_ff()).parent}{os.pathsep}{self.box.tool.env['PATH']}"
        for line in lines:
            if line.startswith("pip install"):
                continue  # the command under test is installed, and no index is asked
            done = subprocess.run(
                ["bash", "-e", "-o", "pipefail", "-c", line],
                cwd=self.box.path,
                env={**self.box.tool.env, "PATH": path, "GITHUB_STEP_SUMMARY": str(self.summary), **env},
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
            )
            said += f"$ {line}\n{done.stdout}{done.stderr}"
            assert not check or done.returncode == 0, said
            if done.returncode:
                return said
        return said


def test_the_metadata_job_needs_no_data(origin: Path, tmp_path: Path) -> None:
    job = Job(origin, tmp_path)
    job.run(workflow("check"), GITHUB_BASE_REF="main")
    assert not job.box.exists("model")
    assert not list((job.box.path / ".dvc").glob("cache/files/md5/*/*"))
    assert "- nothing is missing on the remote\n" in job.summary.read_text()
    assert "| `auc` | `0.5` | `0.75` | ↑ +0.25 |" in job.summary.read_text()


@pytest.mark.parametrize(
    ("forgotten", "finding"),
    [("push", "missing-on-remote: model"), ("repro", "out-of-date: must run again: train")],
)
def test_the_metadata_job_finds_what_was_forgotten(
    origin: Path, tmp_path: Path, forgotten: str, finding: str
) -> None:
    job = Job(origin, tmp_path)
    if forgotten == "push":
        lock = job.box.text("dvc.lock")
        oid = re.findall(r"path: model\n.*?md5: (\w+)", lock, re.DOTALL)[-1]
        (tmp_path / "store" / "files" / "md5" / oid[:2] / oid[2:]).unlink()
    else:
        job.box.gen({"params.yaml": "lr: 0.9\n"})
    said = job.run(workflow("check"), check=False, GITHUB_BASE_REF="main")
    assert f"error: the report fails on {finding}" in said


def test_the_sample_job_pulls_its_part_and_nothing_else(origin: Path, tmp_path: Path) -> None:
    job = Job(origin, tmp_path)
    job.run(workflow("sample"), GITHUB_BASE_REF="main")
    assert job.box.exists("data/raw/sample/a.csv")
    assert not job.box.exists("data/raw/all/b.csv")
    assert job.box.git("status", "--porcelain") == ""
    assert "## Fourfold report" in job.summary.read_text()


def test_the_training_job_pulls_runs_pushes_and_commits(origin: Path, tmp_path: Path) -> None:
    job = Job(origin, tmp_path, "main")
    job.box.gen({"params.yaml": "lr: 0.25\n"})
    job.run(workflow("train"))
    assert job.box.git("log", "-1", "--format=%s", "origin/main") == "Train\n"
    assert job.box.git("config", "user.name") == "training\n"
    assert job.box.run("status", "--cloud").stdout == "Cache and remote 'store' are in sync.\n"
    job.run(workflow("train"))
    assert job.box.git("log", "--format=%s", "origin/main").count("Train") == 1


def test_the_jobs_of_gitlab_do_the_same(origin: Path, tmp_path: Path) -> None:
    job = Job(origin, tmp_path)
    target = {"CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main"}
    job.run(gitlab("metadata"), **target)
    assert "`auc`" in job.box.text("report.md")
    assert "<!doctype html>" in job.box.text("report.html")
    job.run(gitlab("sample"), **target)
    job.run(gitlab("training"))
    assert job.box.exists("model")


def test_every_line_of_the_page_that_is_a_command_of_ours_runs(origin: Path, tmp_path: Path) -> None:
    job = Job(origin, tmp_path)
    lines = re.findall(r"(?m)^    (ff [^#\n]*)", PAGE.read_text())
    assert len(lines) == 6
    for line in lines:
        said = job.run([line.strip()], check="--fail-on" not in line)
        assert "code: usage" not in said
