"""``ff explain`` on the command line: two runs by every name, the last good one, and each kind of output."""

import json
import shutil
from pathlib import Path

import pytest

from tests.conftest import find_ff
from tests.evidence.planting import MODEL, PARAMS, people, plant, table
from tests.fixtures.sandbox import Sandbox, Tool


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    """Three versions: a good one, one with other smoothing, and one whose labels tipped over."""
    folder = tmp_path_factory.mktemp("explain")
    repo = plant(folder / "repo", folder / "home")
    repo.gen({"params.yaml": PARAMS.replace("smoothing: 1.0", "smoothing: 1.2"), "notes.md": "more\n"})
    repo.run("repro", "-q")
    repo.commit("two")
    rows = [{**row, "left": 1 if at % 2 else 0} for at, row in enumerate(people())]
    repo.gen({"data/people.csv": table(rows)})
    repo.run("add", "-q", "data/people.csv")
    repo.run("repro", "-q")
    repo.commit("three")
    return repo


def test_the_first_line_is_the_verdict_and_the_suspects_follow_with_their_reasons(history: Sandbox) -> None:
    lines = history.run("explain", "evaluate~1", "evaluate").stdout.splitlines()
    assert lines[0].startswith("metrics.json:auc fell by 0.")
    assert lines[0].endswith("most likely: data/people.csv: labels of 320 rows (53 %) are others now")
    assert lines[1].startswith(" 1. data: data/people.csv")
    assert "    read by split" in lines
    assert not any("seed" in line for line in lines)  # those that are drawn for each run are noise


def test_runs_are_named_as_revisions_stages_and_by_what_was_before(history: Sandbox) -> None:
    by_stage = history.run("explain", "evaluate~1", "evaluate", "--json").json()
    assert history.run("explain", "HEAD~1", "HEAD", "--json").json() == by_stage
    assert history.run("explain", "HEAD~1:evaluate", "HEAD", "--json").json() == by_stage
    assert history.run("explain", "--json").json() == by_stage
    assert history.run("explain", "evaluate", "--json").json() == by_stage
    assert history.run("explain", by_stage["a"][:10], by_stage["b"][:10], "--json").json() == by_stage
    two = history.run("explain", "evaluate~2", "evaluate~1", "--json").json()
    assert [cause["name"] for cause in two["causes"]] == ["params.yaml:smoothing"]
    assert [cause["name"] for cause in two["unread"]] == ["notes.md"]


def test_the_last_good_run_is_found_by_the_goal_of_the_metric_or_by_a_limit(history: Sandbox) -> None:
    values = {
        name: history.run("runs", "show", name, "--json").json()["record"]["data"]["metrics"]["value"][
            "metrics.json"
        ]["auc"]
        for name in ("evaluate~2", "evaluate~1", "evaluate")
    }
    ids = {name: history.run("runs", "show", name, "--json").json()["id"] for name in values}
    assert values["evaluate"] < min(values["evaluate~1"], values["evaluate~2"])
    found = history.run("explain", "evaluate", "--metric", "auc", "--json").json()
    assert (found["a"], found["b"]) == (ids["evaluate~1"], ids["evaluate"])
    assert history.run("explain", "--metric", "metrics.json:auc", "--json").json() == found
    best = max("evaluate~1", "evaluate~2", key=lambda name: values[name])
    other = ({"evaluate~1", "evaluate~2"} - {best}).pop()
    limit = str((values["evaluate~1"] + values["evaluate~2"]) / 2)
    assert history.run("explain", "--metric", "auc", "--good-above", limit, "--json").json()["a"] == ids[best]
    none = str(max(values.values()))
    ran = history.run("explain", "--metric", "auc", "--good-above", none, "--json", check=False)
    assert ran.json()["error"]["code"] == "run-not-found"
    below = history.run("explain", "--metric", "auc", "--good-below", limit, "--json").json()
    assert below["a"] == ids[other]


@pytest.mark.slow
def test_a_metric_that_moved_no_farther_than_by_itself_is_noise(history: Sandbox, tmp_path: Path) -> None:
    shutil.copytree(history.path, tmp_path / "repo", symlinks=True)
    repo = Sandbox(tmp_path / "repo", Tool([find_ff()], tmp_path / "home"))
    shaky = MODEL.replace("return sum(", "return random.random() * 3 + sum(").replace(
        "import math\n", "import math, random\n"
    )
    repo.gen({"model.py": shaky})
    for _ in range(4):
        repo.run("repro", "-q", "-f")
    found = repo.run("explain", "evaluate~1", "evaluate", "--json").json()
    (auc,) = [each for each in found["metrics"] if each["name"] == "metrics.json:auc"]
    assert auc["repeats"] == 4
    assert abs(auc["by"]) <= auc["noise"]
    assert found["causes"] == []
    assert found["verdict"].endswith("nothing is to blame")


def test_markdown_goes_to_the_terminal_and_html_to_a_file(history: Sandbox, tmp_path: Path) -> None:
    ran = history.run("explain", "evaluate~1", "evaluate", "--md", "--html", str(tmp_path / "why.html"))
    assert ran.stdout.startswith("## Why two results differ\n")
    page = (tmp_path / "why.html").read_text()
    assert page.startswith("<!doctype html>")
    assert "data:image/svg+xml" in page


def test_rows_are_left_out_on_request(history: Sandbox) -> None:
    whole = history.run("explain", "--json").json()["causes"][0]["tables"][0]
    without = history.run("explain", "--no-examples", "--json").json()["causes"][0]["tables"][0]
    assert whole["examples"]
    assert without["examples"] == []
    assert {**whole, "examples": []} == without


def test_a_label_and_a_key_that_are_named_are_taken(history: Sandbox) -> None:
    (found,) = history.run("explain", "--label", "plan", "--key", "id", "--json").json()["causes"][0][
        "tables"
    ]
    assert (found["label"]["name"], found["key"]) == ("plan", "id")


def test_what_was_not_looked_into_is_said_below_the_suspect(history: Sandbox, tmp_path: Path) -> None:
    shutil.copytree(history.path, tmp_path / "repo", symlinks=True)
    repo = Sandbox(tmp_path / "repo", Tool([find_ff()], tmp_path / "home"))
    shutil.rmtree(repo.path / ".dvc/cache")
    shutil.rmtree(repo.path / ".dvc/fourfold/runs/facts")
    shutil.rmtree(repo.path / "split")
    (repo.path / "data/people.csv").unlink()
    lines = repo.run("explain", "evaluate~1", "evaluate").stdout.splitlines()
    assert any(
        line.strip() == "rows were not compared (not all of them are at hand):"
        " this is what the summaries in the records say"
        for line in lines
    )
    assert "whether split/test.csv has rows of split/train.csv is not known: they were not read" not in lines


def test_a_column_of_labels_that_no_table_has_is_said_to_be_missing(history: Sandbox) -> None:
    found = history.run("explain", "--label", "churned", "--json").json()
    assert "labels were not compared: no table has a column churned of labels" in found["unknown"]
    assert history.run("explain", "--label", "left", "--json").json()["unknown"] == []


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["nobody"], "run-not-found"),
        (["evaluate~9"], "not-so-many-runs"),
        (["evaluate", "nowhere"], "run-not-found"),
        (["--metric", "f1"], "metric-not-found"),
        (["evaluate~1", "evaluate", "--metric", "f1"], "metric-not-found"),
        (["train", "--metric", "f1"], "metric-not-found"),
        (["--metric", "auc", "--good-above", "much"], "usage"),
        (["--good-above", "0.5"], "usage"),
    ],
)
def test_what_cannot_be_explained_is_a_typed_error_with_a_hint(
    history: Sandbox, arguments: list[str], code: str
) -> None:
    ran = history.run("explain", *arguments, "--json", check=False)
    assert ran.code not in {0, 3}
    assert ran.json()["error"]["code"] == code
    assert ran.json()["error"]["hint"]


def test_where_there_is_no_git_and_no_project_commands_are_explained(tmp_path: Path, ff: Tool) -> None:
    folder = tmp_path / "plain"
    folder.mkdir()
    (folder / "work.py").write_text("open('out.txt', 'w').write('1')\n")
    for text in ("1", "2"):
        (folder / "work.py").write_text(f"open('out.txt', 'w').write('{text}')\n")
        ff("run", "-q", "-o", "out.txt", "--", "python", "work.py", cwd=folder)
    found = json.loads(ff("explain", "--json", cwd=folder).stdout)
    assert [cause["name"] for cause in found["causes"]] == ["work.py"]


def test_a_command_is_compared_with_the_last_one_that_wrote_what_it_wrote(tmp_path: Path, ff: Tool) -> None:
    folder = tmp_path / "plain"
    folder.mkdir()
    work = "import sys\nopen(sys.argv[1], 'w').write(sys.argv[2])\n"
    (folder / "work.py").write_text(work)
    for name, text in (("a", "1"), ("b", "1"), ("a", "2"), ("c", "1")):
        command = ("--", "python", "work.py", f"{name}.txt", text)
        ff("run", "-q", "-o", f"{name}.txt", *command, cwd=folder)
    runs = {
        one["command"][0]: one["id"]
        for one in json.loads(ff("runs", "list", "--json", cwd=folder).stdout)["runs"]
    }
    later = runs["python work.py a.txt 2"]
    for command in (("explain",), ("runs", "diff")):
        found = json.loads(ff(*command, later, "--json", cwd=folder).stdout)
        assert (found["a"], found["b"]) == (runs["python work.py a.txt 1"], later)
    found = json.loads(ff("explain", "--json", cwd=folder).stdout)
    assert found["a"] == later  # nothing wrote that before: the one before


def test_explaining_changes_nothing_but_our_own_cache(history: Sandbox) -> None:
    def state() -> dict[str, bytes]:
        files = [path for path in history.path.rglob("*") if path.is_file()]
        return {str(path): path.read_bytes() for path in files if "runs/facts" not in str(path)}

    before = state()
    history.run("explain")
    assert state() == before
