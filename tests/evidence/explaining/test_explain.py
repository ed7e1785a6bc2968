"""What moved between two results: planted changes in a real pipeline, and records as values."""

import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from fourfold.evidence.explaining.codechanges import Codes
from fourfold.evidence.explaining.examine import Examiner
from fourfold.evidence.explaining.explain import explain
from fourfold.evidence.explaining.explanation import Explanation
from fourfold.evidence.lineage import Lineage, Makers, Step
from fourfold.evidence.replaying.holdings import Holdings
from fourfold.formats.native.fact import observed
from fourfold.formats.native.record import RunId, RunRecord
from fourfold.runs.code_files import code_files
from fourfold.runs.store import records_of
from fourfold.wiring import find_place
from tests.conftest import find_ff
from tests.evidence.planting import EVALUATE, MODEL, PARAMS, PIPELINE, SPLIT, people, plant, table
from tests.fixtures.sandbox import Sandbox, Tool
from tests.runs.recordmaking import Parts, blake, make


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pipeline, run once."""
    folder = tmp_path_factory.mktemp("planted")
    plant(folder / "repo", folder / "home")
    return folder


@pytest.fixture
def repo(template: Path, tmp_path: Path) -> Sandbox:
    shutil.copytree(template / "repo", tmp_path / "repo", symlinks=True)
    return Sandbox(tmp_path / "repo", Tool([find_ff()], tmp_path / "home"))


def explained(repo: Sandbox, a: str = "evaluate~1", b: str = "evaluate", **said: Any) -> Explanation:
    """The last two runs explained, in this process."""
    place = find_place(str(repo.path), environ=dict(repo.tool.env))
    records = records_of(place)
    holdings = Holdings(place, records)
    makers = Makers(records, holdings.inside)
    git = place.git
    assert git is not None
    return explain(
        makers.lineage(records.resolve(a)),
        makers.lineage(records.resolve(b)),
        records.part,
        lambda record: code_files(record, git, place.environ, records.part),
        codes=Codes(git, place.environ, records.part),
        examiner=Examiner(holdings, place, records.part),
        **said,
    )


def change(repo: Sandbox, tree: dict[str, Any], *, force: bool = False, **env: str) -> Explanation:
    """Change files, run again, and explain."""
    repo.gen(tree)
    if "data/people.csv" in tree:
        repo.run("add", "-q", "data/people.csv")
    repo.run("repro", "-q", *(["-f"] if force else []), env=env)
    repo.commit("changed")
    return explained(repo)


def suspects(found: Explanation) -> list[tuple[str, str]]:
    return [(cause.coordinate, cause.change.name) for cause in found.suspects]


# --- planted ----------------------------------------------------------------------------------------------


def test_labels_that_tip_over_are_the_first_suspect_and_said_as_that(repo: Sandbox) -> None:
    rows = [{**row, "left": 1 if at % 4 == 0 else row["left"]} for at, row in enumerate(people())]
    found = change(repo, {"data/people.csv": table(rows), "notes.md": "other notes\n"})
    assert suspects(found) == [("data", "data/people.csv")]
    assert found.causes[0].harm == "labels tipped over: left=1 45 % -> 57 %"
    assert found.verdict.startswith("metrics.json:auc ")
    assert "most likely: data/people.csv: labels tipped over" in found.verdict
    (people_table,) = found.causes[0].tables
    assert (people_table.changed, people_table.added, people_table.key) == (74, 0, "id")
    assert [cause.change.name for cause in found.unread] == ["notes.md"]


def test_rows_that_are_gone_are_counted_and_beat_a_parameter_that_moved_a_little(repo: Sandbox) -> None:
    found = change(
        repo,
        {
            "data/people.csv": table(people()[:480]),
            "params.yaml": PARAMS.replace("smoothing: 1.0", "smoothing: 1.1"),
        },
    )
    assert suspects(found) == [("data", "data/people.csv"), ("data", "params.yaml:smoothing")]
    assert found.causes[0].told == "lost 120 rows (20 %)"
    assert found.causes[0].stages == ("split",)
    assert found.causes[0].why == ("lost 120 rows (20 %)", "read by split")


def test_a_column_that_tells_the_label_is_named(repo: Sandbox) -> None:
    rows = [{**row, "refund": ("r" if row["left"] else "k") + str(at % 3)} for at, row in enumerate(people())]
    found = change(repo, {"data/people.csv": table(rows)})
    assert found.metrics[0].after == 1.0
    assert suspects(found) == [("data", "data/people.csv")]
    assert found.causes[0].harm.startswith("column refund tells the label by itself")


def test_test_rows_that_get_into_the_training_data_are_the_fault_of_the_code_that_split_them(
    repo: Sandbox,
) -> None:
    found = change(
        repo,
        {
            "split.py": SPLIT.replace("].append(row)\n", '].append(row)\nparts["train"] += parts["test"]\n'),
            "params.yaml": PARAMS.replace("smoothing: 1.0", "smoothing: 1.01"),
        },
    )
    assert suspects(found)[0] == ("code", "split.py")
    assert "of split/test.csv (100 %) stand in split/train.csv too" in found.causes[0].harm


def test_code_that_was_read_is_told_by_lines_functions_and_commits_and_the_rest_apart(repo: Sandbox) -> None:
    found = change(
        repo,
        {
            "model.py": MODEL.replace("+ smoothing) /", "+ 2 * smoothing) /"),
            "evaluate.py": EVALUATE + "# at last\n",
            "notes.md": "other notes\n",
            "unused.py": "1\n",
        },
    )
    assert suspects(found) == [("code", "model.py")]
    cause = found.causes[0]
    assert cause.stages == ("train", "evaluate")
    assert cause.told == "1 line changed, in 'learn'"
    assert cause.commits == ()  # it ran before it was committed
    assert [cause.change.name for cause in found.unread] == ["notes.md", "unused.py"]
    harmless = {cause.change.name: cause.why for cause in found.causes if not cause.is_suspect}
    assert harmless["evaluate.py"] == ("only comments, docstrings or layout changed",)


def test_the_commits_between_two_runs_that_touched_what_was_read_are_named(repo: Sandbox) -> None:
    for times in (2, 3):
        repo.gen({"model.py": MODEL.replace("+ smoothing) /", f"+ {times} * smoothing) /")})
        repo.commit(f"smooth {times} times")
    repo.gen({"notes.md": "other\n"})
    repo.commit("notes")
    repo.run("repro", "-q")
    found = explained(repo)
    assert [touch.subject for touch in found.causes[0].commits] == ["smooth 3 times", "smooth 2 times"]
    assert found.causes[0].commits[0].author == "Ada Lovelace"


def test_a_seed_that_moved_is_told_once_whatever_gives_it_and_drawn_ones_are_noise(repo: Sandbox) -> None:
    found = change(repo, {"params.yaml": PARAMS.replace("seed: 1", "seed: 2")}, force=True)
    assert suspects(found) == [("randomness", "seed")]
    assert found.causes[0].stages == ("train",)
    assert found.unread == ()
    assert found.verdict == "the metrics are the same, but model.json differs; most likely: seed (1 -> 2)"


def test_what_a_stage_read_out_of_a_folder_that_another_one_wrote_is_no_cause(repo: Sandbox) -> None:
    finer = PIPELINE.replace("model.py, split]", "model.py, split/train.csv]").replace(
        "model.json, split]", "model.json, split/test.csv]"
    )
    change(repo, {"dvc.yaml": finer})
    found = change(repo, {"data/people.csv": table(people()[:500])})
    assert suspects(found) == [("data", "data/people.csv")]
    assert found.causes[0].stages == ("split",)


def test_a_parameter_is_told_with_its_values(repo: Sandbox) -> None:
    found = change(repo, {"params.yaml": PARAMS.replace("smoothing: 1.0", "smoothing: 9.0")})
    assert suspects(found) == [("data", "params.yaml:smoothing")]
    assert found.verdict.endswith("most likely: params.yaml:smoothing (1.0 -> 9.0)")


def test_an_undeclared_file_is_a_suspect_and_told_once(repo: Sandbox) -> None:
    reading = MODEL.replace("import math\n", "import math\nFACTOR = float(open('extra.txt').read())\n")
    change(repo, {"model.py": reading.replace("+ smoothing)", "+ FACTOR * smoothing)"), "extra.txt": "1"})
    found = change(repo, {"extra.txt": "30"}, force=True)
    assert suspects(found) == [("data", "extra.txt")]
    assert found.causes[0].why == ("read by train and evaluate, undeclared",)


def test_another_number_of_threads_is_a_suspect_where_something_else_came_out(repo: Sandbox) -> None:
    counting = MODEL.replace("import math\n", "import math, os\n").replace(
        "return {key", 'smoothing *= int(os.environ["OMP_NUM_THREADS"]) ** 3\n    return {key'
    )
    change(repo, {"model.py": counting})
    found = change(repo, {"dvc.yaml": PIPELINE.replace("threads: 2", "threads: 1")}, force=True)
    assert suspects(found) == [("randomness", "threads")]


def test_nothing_is_blamed_where_nothing_moved_but_times_and_drawn_seeds(repo: Sandbox) -> None:
    found = change(repo, {}, force=True)
    assert found.suspects == ()
    assert found.verdict == "what moved made no difference"
    assert {cause.change.name for cause in found.causes} == {"seed"}


def test_nothing_is_blamed_where_a_stage_is_not_the_same_twice(repo: Sandbox) -> None:
    restless = MODEL.replace("import math\n", "import math, os\n").replace(
        "return {key", "smoothing += os.urandom(1)[0]\n    return {key"
    )
    change(repo, {"model.py": restless})
    for _ in range(5):  # chance may give the same twice
        found = change(repo, {}, force=True)
        if found.unsteady:
            break
    assert found.suspects == ()
    assert found.unsteady == ("train",)
    assert "nothing that is recorded moved, but train is not the same twice" in found.verdict
    assert any("os.urandom" in line for line in found.unknown)


def test_two_recorded_runs_are_explained_in_less_than_a_second_and_the_same_each_time(repo: Sandbox) -> None:
    first = change(repo, {"data/people.csv": table(people(6000)[:5000])})
    began = time.process_time()
    again = explained(repo)
    assert time.process_time() - began < 1.0
    assert again.document() == first.document()
    assert list(first.document()) == list(again.document())


def test_contents_that_are_nowhere_leave_what_the_record_says_of_the_table(repo: Sandbox) -> None:
    found = change(repo, {"data/people.csv": table(people()[:500])})
    assert found.causes[0].tables[0].source == "rows"
    for folder in ("files", "fourfold/runs/facts"):
        for root, _, names in os.walk(repo.path / ".dvc" / ("cache" if folder == "files" else ".") / folder):
            for name in names:
                Path(root, name).unlink()
    (repo.path / "data/people.csv").unlink()
    again = explained(repo)
    assert again.causes[0].tables[0].source == "summary"
    assert again.causes[0].told.startswith("lost 100 rows (17 %)")


# --- records as values ------------------------------------------------------------------------------------


def run_of(name: str) -> RunId:
    return RunId(blake(name))


def row(path: str, content: str) -> dict[str, Any]:
    return {"path": path, "role": "dep", "md5": blake(content)[:32], "blake3": blake(content)}


def single(parts: Parts, name: str, **said: Any) -> Lineage:
    return Lineage((Step(run_of(name), make(parts, **said), {}),))


def test_two_runs_of_the_same_differ_in_nothing_but_times() -> None:
    parts = Parts()
    found = explain(single(parts, "a"), single(parts, "b", started="2026-03-02T03:04:05.000000Z"), parts.read)
    assert found.verdict == "nothing differs but times"
    assert (found.causes, found.results, found.unread) == ((), (), ())


def test_a_stage_that_is_new_is_a_cause_and_one_whose_run_is_not_recorded_is_not() -> None:
    parts = Parts()
    cleaning = make(parts, stage="clean", command=("python clean.py",), model="clean")
    cleaning = with_outputs(cleaning, row("clean.csv", "c"))
    training = make(parts, model="m2", method="audit", inputs=(row("clean.csv", "c"),))
    plain = single(parts, "a", model="m1")
    longer = Lineage(
        (
            Step(run_of("clean"), cleaning, {}),
            Step(run_of("b"), training, {"clean.csv": run_of("clean")}),
        )
    )
    found = explain(plain, longer, parts.read)
    assert ("code", "stage clean") in suspects(found)
    lost = single(parts, "a", model="m1", method="audit", inputs=(row("clean.csv", "b"),))
    found = explain(lost, longer, parts.read)
    assert [name for _, name in suspects(found)] == ["clean.csv"]
    assert found.unknown == (
        "which run wrote clean.csv of the first result is not known: clean cannot be compared",
    )


def with_outputs(record: RunRecord, *rows: dict[str, Any]) -> RunRecord:
    return record._replace(data={**record.data, "outputs": observed(list(rows))})


@pytest.mark.parametrize(
    ("first", "second", "suspect", "told"),
    [
        ({"packages": {"numpy": "1.26.4"}}, {"packages": {"numpy": "2.0.1"}}, "numpy", "1.26.4 -> 2.0.1"),
        ({"threads": 2}, {"threads": 1}, "threads", "2 -> 1"),
        ({"seed": 1}, {"seed": 2}, "seed", "1 -> 2"),
        ({"lr": 0.1}, {"lr": 0.2}, "params.yaml:lr", "0.1 -> 0.2"),
        ({"rows": 100, "data": "a"}, {"rows": 90, "data": "b"}, "data.csv", "lost 10 rows (10 %)"),
        (
            {"command": ("python a.py",)},
            {"command": ("python b.py",)},
            "command",
            "python a.py -> python b.py",
        ),
    ],
)
def test_each_coordinate_is_named_from_records_alone(
    first: dict[str, Any], second: dict[str, Any], suspect: str, told: str
) -> None:
    parts = Parts()
    a, b = single(parts, "a", model="1", **first), single(parts, "b", model="2", **second)
    place = find_place("/", environ={})
    examiner = Examiner(Holdings(place, records_of(place)), None, parts.read)
    found = explain(a, b, parts.read, examiner=examiner)
    assert [cause.change.name for cause in found.suspects] == [suspect]
    assert told in found.verdict


def test_what_came_out_the_same_cannot_be_why() -> None:
    parts = Parts()
    found = explain(single(parts, "a", lr=0.1), single(parts, "b", lr=0.2), parts.read)
    assert found.suspects == ()
    assert [cause.why for cause in found.causes] == [("what came out of train is the same",)]
    assert found.verdict == "what moved made no difference"


def test_the_metric_that_is_asked_about_comes_first_then_goals_then_what_moved_farthest() -> None:
    parts = Parts()

    def measured(**numbers: float) -> dict[str, Any]:
        return {"more": {"metrics": observed({"m.json": numbers})}}

    a = single(parts, "a", model="1", **measured(auc=0.8, loss=1.0, rows=100))
    b = single(parts, "b", model="2", **measured(auc=0.7, loss=3.0, rows=10))
    order = [each.name for each in explain(a, b, parts.read).metrics]
    assert order == ["m.json:loss", "m.json:auc", "m.json:rows"]
    assert explain(a, b, parts.read, goals={"auc": "max"}).metrics[0].name == "m.json:auc"
    asked = explain(a, b, parts.read, goals={"auc": "max"}, metric="m.json:rows")
    assert asked.metrics[0].name == "m.json:rows"
    assert asked.verdict.startswith("m.json:rows fell by 90 (100 -> 10)")


@pytest.mark.parametrize(
    "strange", [None, 7, [], [1, {"path": 3}], {"files": 3}, {"part": "../x", "size": 1}, "\x1b[31m"]
)
def test_facts_of_any_shape_break_nothing(strange: Any) -> None:
    parts = Parts()
    whole = make(parts)
    sections: dict[str, Any] = {
        name: dict.fromkeys(whole.section(name), observed(strange))
        for name in ("code", "data", "environment", "randomness", "trace")
    }
    odd = Lineage((Step(run_of("b"), whole._replace(**sections), {}),))
    found = explain(single(parts, "a"), odd, parts.read, codes=Codes(None, {}, parts.read))
    assert found.document()["verdict"]
