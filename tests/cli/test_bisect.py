"""Which version made a metric worse, on the command line: from records, from lock files, between runs."""

import shutil
from pathlib import Path

import pytest

from tests.conftest import find_ff
from tests.fixtures.sandbox import Sandbox, Tool

PREPARE = """\
rows = [line.split(",") for line in open("raw.csv").read().split()[1:]]
rate = float(next(line for line in open("params.yaml") if line.startswith("rate")).split()[1])
open("clean.csv", "w").write("\\n".join(str(float(x) * rate) for x, _ in rows))
"""
SCORE = """\
import json
rows = [float(line) for line in open("clean.csv").read().split()]
json.dump({"auc": sum(rows) / len(rows), "rows": len(rows)}, open("metrics.json", "w"))
"""
PIPELINE = """\
stages:
  prepare:
    cmd: python prepare.py
    deps: [prepare.py, raw.csv]
    params: [rate]
    outs: [clean.csv]
  score:
    cmd: python score.py
    deps: [clean.csv]
    metrics: [{metrics.json: {cache: false}}]
"""
RAW = "x,y\n0.8,1\n0.9,0\n1.0,1\n"


def change(repo: Sandbox, message: str, tree: dict[str, str], *, repro: bool = True) -> str:
    """Change files, run the pipeline, commit."""
    repo.gen(tree)
    if "raw.csv" in tree:
        repo.run("add", "-q", "raw.csv")
    if repro:
        repo.run("repro", "-q")
    return repo.commit(message)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six commits; the fourth changed data and made the metric fall."""
    folder = tmp_path_factory.mktemp("bisect")
    repo = Sandbox(folder / "repo", Tool([find_ff()], folder / "home"))
    repo.git("init", "-q")
    repo.run("init", "-q")
    files = {"prepare.py": PREPARE, "score.py": SCORE, "params.yaml": "rate: 1.0\n", "dvc.yaml": PIPELINE}
    change(repo, "a baseline", {**files, "raw.csv": RAW})
    change(repo, "notes", {"notes.md": "nothing\n"})
    change(repo, "another rate", {"params.yaml": "rate: 1.01\n"})
    change(repo, "the delivery of May", {"raw.csv": RAW.replace("1.0,1", "0.1,1")})
    change(repo, "a remark", {"prepare.py": "# prepared\n" + PREPARE})
    change(repo, "more notes", {"notes.md": "still nothing\n"})
    return folder


@pytest.fixture
def project(template: Path, tmp_path: Path, ff: Tool) -> Sandbox:
    """A copy of the template."""
    shutil.copytree(template / "repo", tmp_path / "repo", symlinks=True)
    return Sandbox(tmp_path / "repo", ff)


def test_the_commit_is_found_from_records_and_nothing_is_run(project: Sandbox) -> None:
    before = project.run("runs", "list", "--json").json()
    found = project.run("bisect", "--metric", "auc", "--good", "HEAD~5", "--json").json()
    assert found["first_bad"]["title"] == "the delivery of May"
    assert found["last_good"]["title"] == "another rate"
    assert (found["stage"], found["metric"], found["moved"]) == ("score", "metrics.json:auc", ["data"])
    assert (found["versions"], found["free"], found["executed"]) == (6, 6, 0)
    assert found["explanation"]["causes"][0]["name"] == "raw.csv"
    assert project.run("runs", "list", "--json").json() == before
    text = project.run("bisect", "--metric", "auc", "--good", "HEAD~5").stdout
    assert "nothing was run" in text
    assert "the delivery of May" in text
    assert "ff explain" in text


def test_a_threshold_moves_the_answer_to_the_version_that_crossed_it(project: Sandbox) -> None:
    options = ("--metric", "auc", "--bad", "HEAD~5", "--good", "HEAD~3", "--threshold", "0.905")
    refused = project.run("bisect", *options, check=False)
    assert refused.code == 255
    assert "not among the first parents" in refused.stderr
    found = project.run(
        "bisect", "--metric", "auc", "--good", "HEAD~5", "--bad", "HEAD~3", "--threshold", "0.905", "--json"
    ).json()
    assert found["first_bad"]["title"] == "another rate"
    assert (found["moved"], found["worse"]) == (["parameters"], "higher")


def test_runs_of_a_stage_are_searched_by_time(project: Sandbox) -> None:
    found = project.run(
        "bisect", "score", "--metric", "auc", "--good", "score~2", "--bad", "score", "--json"
    ).json()
    assert found["moved"] == ["data"]
    assert found["first_bad"]["commit"] is None


def test_a_commit_that_nobody_ran_is_undecided_or_run_once(project: Sandbox) -> None:
    project.git("reset", "-q", "--hard", "HEAD~3")
    project.run("checkout", "-q")
    change(project, "a half", {"prepare.py": PREPARE.replace("* rate", "* rate / 2")}, repro=False)
    change(project, "a tenth", {"prepare.py": PREPARE.replace("* rate", "* rate / 10")})
    found = project.run("bisect", "--metric", "auc", "--good", "HEAD~2", "--dry", "--json").json()
    assert found["first_bad"]["title"] == "a tenth"
    (undecided,) = found["undecided"]
    assert undecided["title"] == "a half"
    assert undecided["why"] == "'prepare.py' changed and 'prepare' was not run"
    workspace = project.git("status", "--porcelain")
    found = project.run("bisect", "--metric", "auc", "--good", "HEAD~2", "--json").json()
    assert (found["first_bad"]["title"], found["undecided"], found["executed"]) == ("a half", [], 1)
    assert found["first_bad"]["value"] == pytest.approx(0.4545)
    assert project.git("status", "--porcelain") == workspace
    again = project.run(
        "bisect", "--metric", "auc", "--good", "HEAD~2", "--threshold", "0.6", "--json"
    ).json()
    assert (again["first_bad"]["title"], again["executed"]) == ("a half", 0)


def test_without_records_the_lock_files_tell(project: Sandbox) -> None:
    shutil.rmtree(project.path / ".dvc/fourfold/runs")
    found = project.run("bisect", "--metric", "auc", "--good", "HEAD~5", "--json").json()
    assert found["first_bad"]["title"] == "the delivery of May"
    assert found["first_bad"]["run"] is None
    assert (found["moved"], found["executed"]) == (["data"], 0)


def test_what_means_no_metric_or_no_change_is_refused_in_a_line(project: Sandbox) -> None:
    for options, words in (
        (("--metric", "acu", "--good", "HEAD~5"), "no metric 'acu'"),
        (("--metric", "rows", "--good", "HEAD~5"), "is 3 in the good version and in the bad one"),
        (("--metric", "auc", "--good", "nowhere"), "no run 'nowhere'"),
        (("--metric", "auc", "--good", "HEAD~5", "--threshold", "2"), "the good version is bad"),
        (("--metric", "auc", "--good", "HEAD~5", "--threshold", "much"), "no number"),
    ):
        refused = project.run("bisect", *options, check=False)
        assert refused.code, options
        assert words in refused.stderr, refused


FOLDED = """\
stages:
  score:
    cmd: python score.py
    deps: [score.py, months]
    metrics: [{metrics.json: {cache: false}}]
    meta: {fourfold: {seed: 1}}
"""
SUM = """\
import json, os
rows = [float(line) for name in sorted(os.listdir("months")) for line in open(f"months/{name}")]
json.dump({"mean": sum(rows) / len(rows)}, open("metrics.json", "w"))
"""


@pytest.mark.slow
def test_inside_a_delivery_of_many_files_the_bad_ones_are_named(tmp_path: Path, ff: Tool) -> None:
    repo = Sandbox(tmp_path / "repo", ff)
    repo.git("init", "-q")
    repo.run("init", "-q")
    months = {f"months/{at:02}.txt": f"{10 + at}\n" for at in range(8)}
    repo.gen({"score.py": SUM, "dvc.yaml": FOLDED, **months})
    repo.run("add", "-q", "months")
    repo.run("repro", "-q")
    repo.commit("eight months")
    repo.gen({f"months/{at:02}.txt": f"{10.001 + at}\n" for at in range(8)})
    repo.gen({"months/05.txt": "-900\n", "score.py": "# a remark\n" + SUM})
    repo.run("add", "-q", "months")
    repo.run("repro", "-q")
    repo.commit("corrections")
    options = ("bisect", "--metric", "mean", "--good", "HEAD~1", "--inside")
    found = repo.run(*options, "--json").json()
    assert found["moved"] == ["code", "data"]
    inside = found["inside"]
    assert inside["blamed"] == ["data"], inside
    assert not inside["problems"], inside
    assert (inside["folder"], inside["files"], inside["changed"]) == ("months", ["05.txt"], 8)
    assert "months" in repo.run(*options).stdout
