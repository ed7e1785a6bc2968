"""Which version made a metric worse, on the command line: from records, from lock files, between runs."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from tests.cli.scoring import PARAMS, PREPARE, WORSE, begin, change, copied
from tests.fixtures.sandbox import Sandbox, Tool


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six commits; the fourth changed data and made the metric fall."""
    folder = tmp_path_factory.mktemp("bisect")
    repo = begin(folder)
    change(repo, {"notes.md": "nothing\n"}, "notes")
    change(repo, {"params.yaml": PARAMS.replace("1.0", "1.01")}, "another rate")
    change(repo, {"raw.csv": WORSE}, "the delivery of May")
    change(repo, {"prepare.py": "# prepared\n" + PREPARE}, "a remark")
    change(repo, {"notes.md": "still nothing\n"}, "more notes")
    return folder


@pytest.fixture
def project(template: Path, tmp_path: Path, ff: Tool) -> Sandbox:
    """A copy of the template."""
    return copied(template, tmp_path, ff)


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
    assert "'HEAD~3', which is to be good, is newer than 'HEAD~5'" in refused.stderr
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
    change(project, {"prepare.py": PREPARE.replace("* rate", "* rate / 2")}, "a half", repro=False)
    change(project, {"prepare.py": PREPARE.replace("* rate", "* rate / 10")}, "a tenth")
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
        (("--metric", "auc", "--good", "HEAD~5", "--threshold", "nan"), "no number"),
        (("--metric", "auc", "--good", "HEAD"), "'HEAD' twice is one version"),
        (("--metric", "auc", "--good", "score", "--bad", "score~0"), "are one version"),
        (("--metric", "auc", "--good", "score~2"), "'score~2' is a run, and 'HEAD' a revision"),
    ):
        refused = project.run("bisect", *options, check=False)
        assert refused.code, options
        assert words in refused.stderr, refused


def test_a_bad_state_that_came_in_by_a_merge_is_that_merge_with_where_to_look(project: Sandbox) -> None:
    project.git("reset", "-q", "--hard", "HEAD~3")
    project.run("checkout", "-q")
    base = project.git("rev-parse", "HEAD").strip()
    project.git("checkout", "-q", "-b", "side")
    change(project, {"raw.csv": WORSE}, "a delivery on a branch")
    side = change(project, {"side.md": "a note\n"}, "a note on a branch", repro=False)
    project.git("checkout", "-q", "main")
    change(project, {"main.md": "a note\n"}, "a note beside it", repro=False)
    project.git("merge", "-q", "--no-ff", "-m", "a branch comes in", "side")
    options = ("bisect", "--metric", "auc", "--good", base)
    found = project.run(*options, "--json").json()
    assert (found["first_bad"]["title"], found["executed"]) == ("a branch comes in", 0)
    assert (found["versions"], found["merges"], found["beside"]) == (3, 1, 2)
    merge = found["merge"]
    assert (merge["tip"], merge["base"], merge["is_bad"]) == (side, base, True)
    text = project.run(*options).stdout
    assert "searched along first parents: 1 merge among them, and 2 commits of merged branches beside" in text
    assert "it is a merge, and what it merged was bad already (0.606)" in text
    told = next(line for line in text.splitlines() if line.startswith("search it"))
    within = project.run(*told.partition(" ff ")[2].split(), "--json").json()
    assert within["first_bad"]["title"] == "a delivery on a branch"
    refused = project.run("bisect", "--metric", "auc", "--good", "side~1", check=False)
    assert "came to 'HEAD' by a merge" in refused.stderr
    refused = project.run("bisect", "--metric", "auc", "--good", "HEAD~1", "--bad", "side", check=False)
    assert "they are on two branches" in refused.stderr
    assert f"--good {base[:12]}" in refused.stderr


def test_a_version_without_the_metric_or_with_one_that_is_no_number_is_neither_good_nor_bad(
    project: Sandbox,
) -> None:
    score = project.text("score.py")
    change(project, {"score.py": score.replace('"auc"', '"other"')}, "another name")
    change(project, {"score.py": score.replace("sum(rows)", "float('nan')")}, "diverged")
    change(project, {"score.py": score.replace("sum(rows) / len(rows)", "10**400")}, "exploded")
    change(project, {"score.py": score.replace("sum(rows)", "0.1 * sum(rows)")}, "a tenth")
    found = project.run("bisect", "--metric", "auc", "--good", "HEAD~4", "--json").json()
    assert (found["first_bad"]["title"], found["executed"]) == ("a tenth", 0)
    assert {each["title"]: each["why"] for each in found["undecided"]} == {
        "another name": "its run has no metrics.json:auc",
        "diverged": "metrics.json:auc is nan there, which is no number to compare",
        "exploded": "metrics.json:auc is 10000000000000000000 there, which is no number to compare",
    }


def test_a_damaged_record_of_another_run_stops_no_search(project: Sandbox) -> None:
    project.run("repro", "-q", "-f")
    project.git("checkout", "-q", "--", ".")
    last = project.run("runs", "list", "--json").json()["runs"][0]["id"]
    record = project.path / ".dvc/fourfold/runs/records" / last[:2] / last[2:]
    record.chmod(0o644)
    record.write_bytes(b"{}")
    found = project.run("bisect", "--metric", "auc", "--good", "HEAD~5", "--json").json()
    assert (found["first_bad"]["title"], found["executed"]) == ("the delivery of May", 0)


def test_changes_that_no_commit_has_are_said_not_to_be_searched(project: Sandbox) -> None:
    project.gen({"params.yaml": PARAMS.replace("1.0", "3.0")})
    words = "changes of the workspace that no commit has are not searched"
    options = ("bisect", "--metric", "auc", "--good", "HEAD~5")
    assert words in project.run(*options).stderr
    assert words not in project.run(*options, "--bad", "HEAD").stderr


@pytest.mark.slow
def test_files_of_a_folder_are_not_blamed_for_a_file_beside_it(tmp_path: Path, ff: Tool) -> None:
    repo = Sandbox(tmp_path / "repo", ff)
    repo.git("init", "-q")
    repo.run("init", "-q")
    score = SUM.replace("len(rows)}", "len(rows) + float(open('offset').read())}")
    pipeline = FOLDED.replace("months]", "months, offset]")
    months = {f"months/{at:02}.txt": f"{10 + at}\n" for at in range(4)}
    repo.gen({"score.py": score, "dvc.yaml": pipeline, "offset": "0\n", **months})
    repo.run("add", "-q", "months", "offset")
    repo.run("repro", "-q")
    repo.commit("good")
    repo.gen({f"months/{at:02}.txt": f"{10.001 + at}\n" for at in range(4)})
    repo.gen({"offset": "-100\n"})
    repo.run("add", "-q", "months", "offset")
    repo.run("repro", "-q")
    repo.commit("bad")
    inside = repo.run("bisect", "--metric", "mean", "--good", "HEAD~1", "--inside", "--json").json()["inside"]
    assert (inside["blamed"], inside["files"], inside["folder"]) == (["data"], [], "")
    text = repo.run("bisect", "--metric", "mean", "--good", "HEAD~1", "--inside").stdout
    assert "no folder of several files that makes it bad by itself" in text


MANY = 64
#: What DVC would have written, had it run each version.
LOCK = """schema: '2.0'
stages:
  score:
    cmd: python score.py
    deps:
    - path: data.txt
      hash: md5
      md5: {data}
      size: {data_size}
    outs:
    - path: metrics.json
      hash: md5
      md5: {metrics}
      size: {metrics_size}
"""
LOCKED = """stages:
  score:
    cmd: python score.py
    deps: [data.txt]
    metrics: [{metrics.json: {cache: false}}]
"""


def versions(count: int, bad: int) -> str:
    """A history for ``git fast-import``: each commit another version that DVC ran, bad from one on."""

    def md5(text: str) -> str:
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    stream = []
    for at in range(count):
        data, metrics = f"{at}\n", json.dumps({"auc": (0.9 if at < bad else 0.6) - at / 10_000})
        lock = LOCK.format(
            data=md5(data), data_size=len(data), metrics=md5(metrics), metrics_size=len(metrics)
        )
        files = {"data.txt": data, "metrics.json": metrics, "dvc.lock": lock, "dvc.yaml": LOCKED}
        title = f"version {at}"
        stream.append(f"commit refs/heads/main\ncommitter A <a@b> {1_700_000_000 + at} +0000\n")
        stream.append(f"data {len(title)}\n{title}\n")
        stream += ["from refs/heads/main^0\n"] if not at else []
        for name, text in files.items():
            stream.append(f"M 100644 inline {name}\ndata {len(text)}\n{text}\n")
    return "".join(stream)


def test_many_commits_are_looked_at_by_few_processes_of_git(ff_repo: Sandbox, tmp_path: Path) -> None:
    ff_repo.commit("a project")
    ff_repo.tool.env["PATH"] = f"{tmp_path / 'bin'}:{ff_repo.tool.env['PATH']}"
    git = Tool(["git"], ff_repo.tool.home)
    git("fast-import", "--quiet", cwd=ff_repo.path, stdin=versions(MANY, 40))
    ff_repo.git("reset", "-q", "--hard")
    counted = tmp_path / "bin" / "git"
    counted.parent.mkdir()
    counted.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/log\nexec {shutil.which("git")} "$@"\n')
    counted.chmod(0o755)
    found = ff_repo.run("bisect", "--metric", "auc", "--good", f"HEAD~{MANY - 1}", "--json").json()
    assert (found["first_bad"]["title"], found["versions"], found["executed"]) == ("version 40", MANY, 0)
    processes = (tmp_path / "log").read_text().splitlines()
    assert len(processes) < 12, processes


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
files = sorted(os.path.join(top, name) for top, _, names in os.walk("months") for name in names)
rows = [float(line) for name in files for line in open(name)]
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
    repo.gen({"months/05.txt": "-900\n", "score.py": SUM.replace("len(rows)", "len([*rows])")})
    # What was a file is a folder: not every mixture of both can be made.
    repo.gen({"months/00.txt": None})
    repo.gen({"months/00.txt/first": "10.001\n"})
    repo.run("add", "-q", "months")
    repo.run("repro", "-q")
    repo.commit("corrections")
    options = ("bisect", "--metric", "mean", "--good", "HEAD~1", "--inside")
    found = repo.run(*options, "--json").json()
    assert found["moved"] == ["code", "data"]
    inside = found["inside"]
    assert inside["blamed"] == ["data"], inside
    assert all("mixing two versions of months" in problem for problem in inside["problems"]), inside
    assert (inside["folder"], inside["files"], inside["changed"]) == ("months", ["05.txt"], 9)
    assert "months" in repo.run(*options).stdout
