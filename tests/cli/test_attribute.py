"""What made a metric move, on the command line: hybrids of two results, run or known from records."""

from pathlib import Path

import pytest

from tests.cli.scoring import PIPELINE, PREPARE, RAW, WORSE, begin, change, copied
from tests.fixtures.sandbox import Sandbox, Tool

SCORE = """\
import json, random
rows = [float(line) for line in open("clean.csv").read().split()]
json.dump({"auc": sum(rows) / len(rows) + random.random() / 1000}, open("metrics.json", "w"))
"""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One commit, run."""
    folder = tmp_path_factory.mktemp("attribute")
    begin(folder, SCORE)
    return folder


@pytest.fixture
def project(template: Path, tmp_path: Path, ff: Tool) -> Sandbox:
    """A copy of the template."""
    return copied(template, tmp_path, ff)


ATTRIBUTE = ("attribute", "HEAD~1", "HEAD", "--metric", "auc")


def test_each_thing_that_moved_has_its_share_and_the_second_time_nothing_is_run(project: Sandbox) -> None:
    change(project, {"raw.csv": WORSE, "params.yaml": "rate: 1.01\nseed: 1\n"}, force=True)
    workspace = project.git("status", "--porcelain")
    found = project.run(*ATTRIBUTE, "--json").json()
    effects = {effect["factor"]: effect for effect in found["effects"]}
    assert list(effects) == ["data", "parameters"]
    assert effects["data"]["share"] > 0.9
    assert effects["data"]["causes"] == ["raw.csv"]
    assert effects["parameters"]["causes"] == ["params.yaml:rate"]
    assert sum(effect["share"] for effect in effects.values()) == pytest.approx(1)
    assert found["verdict"] == "caused"
    assert found["wholes"] == []
    assert found["free"] > 0
    assert project.git("status", "--porcelain") == workspace
    again = project.run(*ATTRIBUTE)
    assert "0 runs made" in again.stdout
    assert "raw.csv" in again.stdout
    assert project.run(*ATTRIBUTE, "--json").json()["effects"] == found["effects"]


@pytest.mark.slow
def test_a_declared_seed_that_moved_is_named_and_nothing_else(project: Sandbox) -> None:
    change(project, {"params.yaml": "rate: 1.0\nseed: 2\n"}, force=True)
    found = project.run(*ATTRIBUTE, "--json").json()
    (effect,) = found["effects"]
    assert (effect["factor"], effect["share"]) == ("randomness", 1)
    assert found["noise"]["of"] == "runs"


@pytest.mark.slow
def test_threads_of_a_profile_and_data_that_moved_together_are_told_apart(project: Sandbox) -> None:
    threads = "import os\nmore = int(os.environ['OMP_NUM_THREADS']) / 10\n"
    score = threads + SCORE.replace("len(rows) +", "len(rows) + more +")
    pipeline = PIPELINE.replace("seed: seed}", "seed: seed, numerics: {threads: 1}}")
    change(project, {"score.py": score, "dvc.yaml": pipeline}, force=True)
    change(
        project,
        {"dvc.yaml": pipeline.replace("threads: 1", "threads: 3"), "raw.csv": RAW.replace("1.0,1", "1.6,1")},
        force=True,
    )
    found = project.run(*ATTRIBUTE, "--repeats", "2", "--json").json()
    effects = {effect["factor"]: effect for effect in found["effects"]}
    assert effects["randomness"]["causes"] == ["threads"]
    assert [round(effects[name]["effect"], 6) for name in ("data", "randomness")] == [0.2, 0.2]


def test_a_change_no_larger_than_other_seeds_make_is_noise(project: Sandbox) -> None:
    change(project, {"params.yaml": "rate: 1.0001\nseed: 1\n"}, force=True)
    found = project.run(*ATTRIBUTE, "--json").json()
    assert found["verdict"] == "noise"
    assert all(effect["share"] is None for effect in found["effects"])
    assert "nothing but noise" in project.run(*ATTRIBUTE).stdout


def test_data_that_nobody_has_any_more_is_told_and_not_guessed(project: Sandbox) -> None:
    change(project, {"raw.csv": WORSE, "prepare.py": "# another\nb = 1\n" + PREPARE}, force=True)
    md5 = project.git("show", "HEAD~1:raw.csv.dvc").split("md5: ")[1].split()[0]
    project.path.joinpath(f".dvc/cache/files/md5/{md5[:2]}/{md5[2:]}").unlink()
    found = project.run(*ATTRIBUTE, "--json").json()
    assert any("nobody has the bytes of 'raw.csv'" in problem for problem in found["problems"])


def test_a_result_without_the_metric_or_the_run_is_refused_in_a_line(project: Sandbox) -> None:
    change(project, {"params.yaml": "rate: 2.0\nseed: 1\n"}, force=True)
    refused = project.run("attribute", "HEAD~1", "HEAD", "--metric", "loss", check=False)
    assert (refused.code, "no metric 'loss'" in refused.stderr) == (255, True)
    refused = project.run("attribute", "HEAD~1", "nowhere", "--metric", "auc", check=False)
    assert (refused.code, "nowhere" in refused.stderr) == (255, True)


def test_what_the_listed_causes_do_not_explain_is_a_rest_and_no_share_of_theirs(project: Sandbox) -> None:
    counting = PREPARE.replace("float(x) * rate", "float(x) * rate + long")
    counting = counting.replace("rows =", "long = len(open('prepare.py').read()) / 1000\nrows =", 1)
    change(project, {"prepare.py": counting})
    change(
        project,
        {"prepare.py": "# nothing but a remark" + " at length" * 10 + "\n" + counting, "raw.csv": WORSE},
    )
    found = project.run(*ATTRIBUTE, "--json").json()
    (effect,) = found["effects"]
    assert (effect["factor"], found["partial"]) == ("data", True)
    assert effect["effect"] == pytest.approx(-0.3, abs=0.001)
    assert found["rest"] == pytest.approx(0.123, abs=0.001)
    assert "rest  +0.12" in project.run(*ATTRIBUTE).stdout


def test_effects_that_cancel_are_told_and_nothing_is_shared_out(project: Sandbox) -> None:
    change(project, {"raw.csv": WORSE, "params.yaml": "rate: 1.5\nseed: 1\n"})
    found = project.run(*ATTRIBUTE, "--json").json()
    assert found["verdict"] == "cancelled"
    assert [effect["share"] for effect in found["effects"]] == [None, None]
    assert not any(effect["noise"] for effect in found["effects"])
    assert "effects stand against each other" in project.run(*ATTRIBUTE).stdout


def test_noise_that_was_not_measured_is_not_taken_for_none(project: Sandbox) -> None:
    change(project, {"raw.csv": WORSE})
    found = project.run(*ATTRIBUTE, "--repeats", "1", "--json").json()
    (effect,) = found["effects"]
    assert (found["verdict"], effect["low"], effect["share"]) == ("unknown", None, None)
    assert effect["effect"] == pytest.approx(-0.3)
    found = project.run(*ATTRIBUTE, "--repeats", "2", "--json").json()
    assert found["noise"]["of"] == "seeds"
    assert len(set(found["noise"]["values"])) == 2, "a repeat with the same seed tells nothing of other seeds"


def test_code_that_nobody_saw_read_is_not_taken_for_unchanged(project: Sandbox) -> None:
    project.tool.env["FOURFOLD_TRACE"] = "off"
    pipeline = PIPELINE.replace("python score.py", "sh score.sh").replace(
        "[score.py,", "[score.py, score.sh,"
    )
    score = SCORE.replace("sum(rows)", "float(sys.argv[1]) * sum(rows)").replace("json,", "json, sys,")
    change(project, {"dvc.yaml": pipeline, "score.py": score, "score.sh": "exec python score.py 1.0\n"})
    change(project, {"score.sh": "exec python score.py 0.5\n", "raw.csv": WORSE})
    found = project.run(*ATTRIBUTE, "--json").json()
    effects = {effect["factor"]: effect["effect"] for effect in found["effects"]}
    assert effects == {"code": pytest.approx(-0.375, abs=0.001), "data": pytest.approx(-0.225, abs=0.001)}


def test_where_no_other_seed_can_be_written_repeats_have_the_same(project: Sandbox) -> None:
    pipeline = PIPELINE.replace("{seed: seed}", '{seed: "settings.toml:seed"}')
    change(project, {"settings.toml": "seed = 5\n", "dvc.yaml": pipeline}, force=True)
    change(project, {"raw.csv": WORSE})
    found = project.run(*ATTRIBUTE, "--repeats", "2", "--json").json()
    assert (found["noise"]["of"], found["noise"]["spread"]) == ("runs", 0)
    assert any("settings.toml" in problem for problem in found["problems"])


def test_what_a_variable_had_the_loader_of_libraries_load_is_the_environment_and_is_never_guessed(
    project: Sandbox,
) -> None:
    helped = SCORE.replace("json, random", "json, os, random").replace(
        "len(rows) +", "len(rows) + ('LD_LIBRARY_PATH' in os.environ) / 10 +"
    )
    change(project, {"score.py": helped}, force=True)
    (project.path.parent / "home" / "lib").mkdir()
    # One is in the project, and is called otherwise in the box of a replay; one is the user's.
    named = f"{project.path}/lib:{project.path.parent}/home/lib"
    project.gen({"raw.csv": RAW.replace("1.0,1", "1.6,1")})
    project.run("add", "-q", "raw.csv")
    project.run("repro", "-q", "-f", env={"LD_LIBRARY_PATH": named})
    project.commit("other data, and a variable")
    found = project.run(*ATTRIBUTE, "--repeats", "2", "--json").json()
    (problem,) = found["problems"]
    assert "LD_LIBRARY_PATH named" in problem
    assert "and nothing now" in problem
    assert found["executed"] > 0
    found = project.run(*ATTRIBUTE, "--repeats", "2", "--json", env={"LD_LIBRARY_PATH": named}).json()
    assert found["problems"] == []
    for env in ({}, {"LD_LIBRARY_PATH": named}, {"LD_LIBRARY_PATH": "/elsewhere"}):
        found = project.run(*ATTRIBUTE, "--repeats", "2", "--json", env=env).json()
        effects = {effect["factor"]: effect for effect in found["effects"]}
        assert (found["executed"], found["problems"], found["partial"]) == (0, [], False)
        assert effects["environment"]["causes"] == ["loader.LD_LIBRARY_PATH"]
        assert effects["environment"]["effect"] == pytest.approx(0.1)
        assert effects["data"]["effect"] == pytest.approx(0.2)


FOLDER = """\
import json, sys
sys.path.insert(0, "conf")
import helper
scale = float(open("conf/schema.yaml").read().split(":")[1])
json.dump({"auc": helper.K * scale}, open("metrics.json", "w"))
"""
FOLDED = """\
stages:
  score:
    cmd: python score.py
    deps: [{deps}]
    metrics: [{{metrics.json: {{cache: false}}}}]
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("score.py, conf", "score.py"),
        ("score.py", "score.py, conf"),
        ("score.py, conf", "score.py, conf/schema.yaml"),
        ("score.py, conf/schema.yaml", "score.py, conf"),
    ],
)
def test_data_in_a_folder_of_code_that_only_one_result_declares_has_its_effect(
    tmp_path: Path, ff: Tool, before: str, after: str
) -> None:
    repo = Sandbox(tmp_path / "repo", ff)
    repo.git("init", "-q")
    repo.run("init", "-q")
    files = {"conf/helper.py": "K = 1\n", "conf/schema.yaml": "scale: 1.0\n", "score.py": FOLDER}
    change(repo, {**files, "dvc.yaml": FOLDED.format(deps=before)})
    files = {"conf/helper.py": "K = 3\n", "conf/schema.yaml": "scale: 0.5\n"}
    change(repo, {**files, "dvc.yaml": FOLDED.format(deps=after)}, force=True)
    found = repo.run(*ATTRIBUTE, "--repeats", "2", "--json").json()
    assert (found["problems"], found["rest"]) == ([], 0)
    effects = {effect["factor"]: effect["effect"] for effect in found["effects"]}
    # Alone: code 1 -> 3, data 1 -> 0.5; together 1.5: the mean over both orders.
    assert effects == pytest.approx({"code": 1.5, "data": -1.0})
    assert "0 runs made" in repo.run(*ATTRIBUTE, "--repeats", "2").stdout
