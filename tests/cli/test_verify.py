"""``ff verify`` on the command line: real runs of stages that repeat themselves to different degrees."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import find_ff
from tests.evidence.envworld import World, stock
from tests.fixtures.sandbox import Ran, Sandbox, Tool
from tests.fixtures.wheels import Venv, make_wheel

PLAIN = """\
open("plain.txt", "w").write("the same each time\\n")
"""
PACKED = """\
import gzip, json, os, pathlib, pickle, random, time
with gzip.GzipFile("packed.gz", "wb", mtime=time.time_ns() % 1_000_000_007) as file:
    file.write(b"a,b\\n1,2\\n")
keys = ["a", "b", "c", "d", "e", "f", "g", "h"]
random.SystemRandom().shuffle(keys)
pathlib.Path("packed.json").write_text(json.dumps(dict.fromkeys(keys, 1)))
protocol = 2 if "replays" in os.getcwd() else 4
pathlib.Path("packed.pkl").write_bytes(pickle.dumps({"weights": [1.5, 2.5]}, protocol=protocol))
"""
JITTER = """\
import json, random
noise = random.SystemRandom().random
json.dump({"weights": [1.0 + noise() * 1e-13, 2.0, 3.0], "rows": 3}, open("jitter.json", "w"))
"""
METRIC = """\
import json, random, sys
level = float(open(sys.argv[1]).read())
json.dump({"auc": level + random.SystemRandom().gauss(0, 0.001)}, open("metric.json", "w"))
"""
SEEDED = """\
import json, random
seed = int(open("params.yaml").read().split("seed:")[1])
rng = random.Random(seed)
json.dump({"auc": 0.8 + rng.gauss(0, 0.001)}, open("seeded.json", "w"))
open("model.txt", "w").write(str(random.SystemRandom().random()))
"""
LEARN = """\
import json, mathy
json.dump({"weights": {"bias": float(mathy.VERSION), "slope": 2.0}}, open("learned.json", "w"))
"""
PIPELINE = f"""\
stages:
  plain:
    cmd: {sys.executable} plain.py
    deps: [plain.py]
    outs: [plain.txt]
  packed:
    cmd: {sys.executable} packed.py
    deps: [packed.py]
    outs: [packed.gz, packed.json, packed.pkl]
  jitter:
    cmd: {sys.executable} jitter.py
    deps: [jitter.py]
    outs: [jitter.json]
  metric:
    cmd: {sys.executable} metric.py LEVEL
    deps: [metric.py]
    metrics: [metric.json: {{cache: false}}]
  seeded:
    cmd: {sys.executable} seeded.py
    deps: [seeded.py]
    params: [seed]
    outs: [model.txt]
    metrics: [seeded.json: {{cache: false}}]
    meta: {{fourfold: {{seed: seed, verify: {{level: statistical, metric: auc, margin: 0.02}}}}}}
  learn:
    cmd: .venv/bin/python learn.py
    deps: [learn.py]
    outs: [learned.json]
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    """All stages ran once and were committed; tests only verify, which leaves the workspace alone."""
    folder = tmp_path_factory.mktemp("verify")
    repo = Sandbox(folder / "repo", Tool([find_ff()], folder / "home"))
    (folder / "level").write_text("0.8")
    Venv(repo.path / ".venv").unpack(make_wheel(folder, "mathy", "1.0"))
    repo.git("init", "-q")
    repo.run("init", "-q")
    scripts = {"plain": PLAIN, "packed": PACKED, "jitter": JITTER, "metric": METRIC}
    scripts |= {"seeded": SEEDED, "learn": LEARN}
    repo.gen({f"{name}.py": text for name, text in scripts.items()})
    repo.gen({"params.yaml": "seed: 7\n", "dvc.yaml": PIPELINE.replace("LEVEL", str(folder / "level"))})
    (repo.path / ".gitignore").write_text("/.venv\n")
    repo.run("repro", "-q")
    repo.commit("one")
    return repo


def verified(repo: Sandbox, *args: str) -> tuple[int, dict[str, Any]]:
    """The exit code of a verification, and its document."""
    ran: Ran = repo.run("verify", *args, "--json", check=False)
    assert ran.code in {0, 1}, str(ran)
    return ran.code, ran.json()


def levels(document: dict[str, Any]) -> dict[str, str]:
    return {output["path"]: output["level"] for output in document["outputs"]}


def test_that_a_run_that_gives_the_same_bytes_again_is_bitwise_and_the_lock_file_says_so(
    project: Sandbox,
) -> None:
    ran = project.run("verify", "plain")
    assert ran.stdout.startswith("bitwise: plain ")
    assert "every output has the same bytes" in ran.stdout
    assert "bitwise         plain.txt" in ran.stdout
    assert "noted in fourfold.lock" in ran.stdout
    assert "bitwise" in project.text("fourfold.lock")


def test_that_times_in_archives_orders_of_keys_and_protocols_of_pickles_leave_a_run_canonical(
    project: Sandbox,
) -> None:
    code, document = verified(project, "packed", "--level", "canonical")
    assert code == 0, document
    assert document["level"] == "canonical"
    assert set(levels(document).values()) <= {"bitwise", "canonical"}
    packed = next(one for one in document["outputs"] if one["path"] == "packed.gz")
    assert packed["level"] == "canonical"
    assert packed["first"]["offset"] == 4
    assert levels(document)["packed.pkl"] == "canonical"


def test_that_a_canonical_run_is_not_bitwise_and_is_told_to_be_what_it_is(project: Sandbox) -> None:
    ran = project.run("verify", "packed", check=False)
    assert ran.code == 1
    assert ran.stdout.startswith("not bitwise (canonical it is): packed ")


def test_that_floats_that_jitter_in_their_last_digits_are_numeric_by_the_noise_of_repeats(
    project: Sandbox,
) -> None:
    code, document = verified(project, "jitter", "--level", "numeric")
    assert (code, document["level"]) == (0, "numeric"), document
    assert document["noise"]["repeats"] == 3
    assert len(document["replays"]) == 3
    leaf = document["outputs"][0]["leaves"][0]
    assert leaf["name"] == "weights"
    assert 0 < leaf["floor"][0] < 1e-12
    assert leaf["absolute"] <= leaf["tolerance"][0]
    assert leaf["differing"] == 1


def test_that_one_repeat_has_no_noise_floor_and_so_no_numeric_verdict(project: Sandbox) -> None:
    code, document = verified(project, "jitter", "--level", "numeric", "--repeats", "1")
    assert (code, document["level"]) == (1, "inconclusive")
    assert "one repeat has no noise floor" in document["reason"]


def test_that_what_differs_bit_for_bit_is_named_by_leaf_index_and_both_values(project: Sandbox) -> None:
    code, document = verified(project, "jitter")
    assert (code, document["level"]) == (1, "different")
    first = document["outputs"][0]["first"]
    assert (first["name"], first["what"], first["index"]) == ("weights", "values", [0])
    assert first["before"] != first["after"]
    assert first["before"].startswith("1.0000000000000")


def test_that_a_metric_that_nothing_seeds_is_equivalent_by_a_margin_that_was_declared(
    project: Sandbox,
) -> None:
    code, document = verified(project, "metric", "--level", "statistical", "--margin", "0.01")
    assert (code, document["level"]) == (0, "statistical"), document["reason"]
    found = document["metric"]
    assert found["metric"] == "metric.json:auc"
    assert found["against"] == "recorded value"
    assert len(found["after"]) == len(document["replays"]) == 6
    assert found["answer"] == "equivalent"
    assert found["p"] < 0.05
    assert levels(document) == {"metric.json": "different"}


def test_that_a_metric_that_moved_is_not_equivalent_and_says_by_how_much(
    project: Sandbox,
) -> None:
    level = project.path.parent / "level"
    level.write_text("0.7")
    try:
        code, document = verified(project, "metric", "--level", "statistical", "--margin", "0.01")
    finally:
        level.write_text("0.8")
    assert (code, document["level"]) == (1, "different")
    assert document["metric"]["difference"] == pytest.approx(-0.1, abs=0.01)
    assert "outside of the margin" in document["reason"]


def test_that_fewer_than_six_seeds_certify_nothing(project: Sandbox) -> None:
    ran = project.run(
        "verify", "metric", "--level", "statistical", "--margin", "0.1", "--seeds", "3", check=False
    )
    assert ran.code == 1
    assert ran.stdout.startswith("inconclusive: metric ")
    assert "fewer than 6 certify nothing" in ran.stdout


def test_that_seeds_of_a_parameter_vary_and_the_first_is_the_recorded_one(project: Sandbox) -> None:
    _, document = verified(project, "seeded", "--margin", "0.01")
    found = document["metric"]
    assert (found["margin"], found["declared"]) == (0.01, "when verified")
    assert document["level"] == "statistical", document["reason"]
    assert found["seeds"][0] == 7
    assert len(set(found["seeds"])) == 6
    assert found["after"][0] == found["before"][0]
    assert len(set(found["after"])) == 6
    assert project.text("params.yaml") == "seed: 7\n"


def test_that_what_the_code_of_the_run_declares_is_what_is_asked_and_not_what_stands_there_now(
    project: Sandbox,
) -> None:
    text = project.text("dvc.yaml")
    project.gen({"dvc.yaml": text.replace("margin: 0.02", "margin: 9")})
    try:
        code, document = verified(project, "seeded")
    finally:
        project.gen({"dvc.yaml": text})
    assert (code, document["asked"], document["level"]) == (0, "statistical", "statistical")
    assert (document["metric"]["margin"], document["metric"]["declared"]) == (0.02, "code of the run")


def test_that_an_archive_of_a_run_is_verified_by_whoever_has_nothing_but_it(
    project: Sandbox, tmp_path: Path
) -> None:
    project.run("export", "plain", "-o", str(tmp_path / "plain.zip"))
    (tmp_path / "elsewhere").mkdir()
    ran = project.tool("verify", str(tmp_path / "plain.zip"), cwd=tmp_path / "elsewhere")
    assert ran.stdout.startswith("bitwise: plain ")
    assert "statement" not in ran.stdout
    assert not list((tmp_path / "elsewhere").iterdir())


def test_that_no_margin_no_metric_and_no_run_are_refused_before_anything_runs(project: Sandbox) -> None:
    missing = project.run("verify", "metric", "--level", "statistical", check=False)
    assert missing.code == 255
    assert "needs a margin" in missing.stderr
    nothing = project.run("verify", "plain", "--level", "statistical", "--margin", "1", check=False)
    assert nothing.code == 255
    other = project.run(
        "verify", "metric", "--level", "statistical", "--margin", "1", "--metric", "f1", check=False
    )
    assert other.code == 255
    assert "f1" in other.stderr
    assert project.run("verify", "nowhere", check=False).code == 255
    # The margin of the code was declared of another metric.
    other = project.run("verify", "seeded", "--metric", "seeded.json:f1", check=False)
    assert (other.code, "needs a margin" in other.stderr) == (255, True)


def test_that_a_library_that_was_changed_is_named_and_so_is_what_it_changed(project: Sandbox) -> None:
    venv = Venv(project.path / ".venv")
    venv.unpack(make_wheel(project.path.parent, "mathy", "2.0"))
    try:
        refused = project.run("verify", "learn", check=False)
        ran = project.run("verify", "learn", "--level", "numeric", "--environment", "running", check=False)
    finally:
        venv.unpack(make_wheel(project.path.parent, "mathy", "1.0"))
    assert refused.code == 255
    assert "mathy" in refused.stderr
    assert ran.code == 1
    assert "weights/bias was 1, is 2" in ran.stdout.replace(".", "/")
    assert "3 repeats are the same here, so this is no noise" in ran.stdout
    assert "environment differs: mathy" in ran.stdout


def test_that_the_first_replay_can_be_kept_and_is_left_where_it_was_wished(
    project: Sandbox, tmp_path: Path
) -> None:
    ran = project.run("verify", "plain", "--into", str(tmp_path / "kept"))
    assert (tmp_path / "kept" / "plain.txt").read_text() == "the same each time\n"
    assert str(tmp_path / "kept") in ran.stdout


def test_that_a_verdict_is_kept_as_a_statement_beside_the_record(project: Sandbox) -> None:
    _, document = verified(project, "plain")
    statements = project.path / ".dvc/fourfold/runs/statements"
    assert any(document["statement"] in path.as_posix().replace("/", "") for path in statements.rglob("*"))


FOLDER = """\
import os, pathlib, random, sys
os.makedirs("parts/deep", exist_ok=True)
pathlib.Path("parts/a.json").write_text('{"x": 1}')
pathlib.Path("parts/deep/b.json").write_text('{"y": %r}' % random.SystemRandom().random())
sys.exit(os.path.exists(sys.argv[1]))
"""
ALONE = f"""\
stages:
  folder:
    cmd: {sys.executable} folder.py BROKEN
    deps: [folder.py]
    outs: [parts]
"""


@pytest.fixture
def alone(ff_repo: Sandbox, tmp_path: Path) -> Sandbox:
    """One stage that writes a folder, and fails once a file is there that nobody declared."""
    ff_repo.gen({"folder.py": FOLDER, "dvc.yaml": ALONE.replace("BROKEN", str(tmp_path / "broken"))})
    ff_repo.run("repro", "-q")
    ff_repo.commit("one")
    return ff_repo


def test_that_of_a_folder_the_file_and_the_value_in_it_are_named(alone: Sandbox) -> None:
    code, document = verified(alone, "folder", "--level", "canonical")
    assert (code, document["level"]) == (1, "different")
    (parts,) = document["outputs"]
    assert (parts["first"]["name"], parts["first"]["what"]) == ("deep/b.json!y", "values")
    assert parts["differing"] == 1


def test_that_what_replays_read_of_the_workspace_is_named(alone: Sandbox) -> None:
    looking = "import pathlib\nup = [p / 'settings.ini' for p in pathlib.Path.cwd().parents]\n"
    looking += "told = [p.read_text() for p in up if p.exists()]\n"
    looking += "[(p.parent / 'touched').write_text('') for p in up if p.exists()]\n"
    looking += "pathlib.Path('out.txt').write_text(str(len(told)))\n"
    stage = {"cmd": f"{sys.executable} look.py", "deps": ["look.py"], "outs": ["out.txt"]}
    alone.gen({"settings.ini": "x", ".gitignore": "settings.ini\n", "look.py": looking})
    alone.gen({"dvc.yaml": json.dumps({"stages": {"look": stage}})})
    alone.run("repro", "-q")
    alone.commit("looks above")
    code, document = verified(alone, "look")
    assert (code, document["reached"], document["wrote"]) == (1, ["settings.ini"], ["touched"])
    ran = alone.run("verify", "look", check=False)
    assert "read of the workspace, although it ran apart: settings.ini" in ran.stdout
    assert "wrote into the workspace, although it ran apart: touched" in ran.stdout


def test_that_a_replay_that_fails_where_the_run_succeeded_is_different(
    alone: Sandbox, tmp_path: Path
) -> None:
    (tmp_path / "broken").touch()
    ran = alone.run("verify", "folder", check=False)
    assert ran.code == 1
    assert ran.stdout.startswith("not bitwise: folder ")
    assert "it ended with exit code 1, where the run had succeeded" in ran.stdout


def test_that_what_nobody_has_any_more_is_not_compared_and_leaves_the_verdict_open(alone: Sandbox) -> None:
    shutil.rmtree(alone.path / ".dvc/cache")
    shutil.rmtree(alone.path / "parts")
    code, document = verified(alone, "folder")
    assert (code, document["level"]) == (1, "inconclusive")
    assert levels(document) == {"parts": "not-comparable"}
    assert "not had any more" in document["reason"]


def test_that_a_run_that_failed_and_one_without_outputs_cannot_be_verified(alone: Sandbox) -> None:
    alone.run("run", "--", sys.executable, "-c", "pass")
    refused = alone.run("verify", "@", check=False)
    assert refused.code == 255
    assert "has no outputs" in refused.stderr
    alone.run("run", "--", sys.executable, "-c", "raise SystemExit(3)", check=False)
    assert "did not succeed" in alone.run("verify", "@", check=False).stderr


MEASURE = """\
import beta, json, os, random
shift = 0.05 * (beta.VERSION != "1.1")
seed = int(os.environ["FOURFOLD_SEED"])
value = 0.8 + random.Random(seed).gauss(0, 0.01) + random.SystemRandom().gauss(0, 1e-4)
json.dump({"auc": value + shift, "f1": value}, open("measured.json", "w"))
"""
MEASURED = """\
stages:
  measure:
    cmd: python measure.py
    deps: [measure.py]
    metrics: [measured.json: {cache: false}]
"""


def test_that_another_environment_is_held_against_the_recorded_one_built_again_seed_by_seed(
    tmp_path: Path,
) -> None:
    (tmp_path / "made").mkdir()
    world = World(tmp_path, stock(tmp_path / "made"))
    env = {name: value for name, value in world.environ.items() if name.startswith("UV_")}
    env |= {"PATH": f"{world.venv.path}/bin:{world.environ['PATH']}"}
    repo = Sandbox(world.root, Tool([find_ff()], tmp_path / "home", env))
    repo.git("init", "-q")
    repo.run("init", "-q")
    repo.gen({"measure.py": MEASURE, "dvc.yaml": MEASURED})
    repo.run("repro", "-q")
    repo.commit("one")
    world.install("beta==1.0")
    ask = ("measure", "--environment", "running", "--level", "statistical", "--margin", "0.005")
    code, moved = verified(repo, *ask, "--metric", "auc")
    assert (code, moved["level"]) == (1, "different"), moved["reason"]
    assert moved["metric"]["against"] == "recorded environment"
    assert moved["metric"]["difference"] == pytest.approx(0.05, abs=0.001)
    assert moved["environment"]["differs"] == ["beta is 1.0, recorded is 1.1"]
    assert len(moved["replays"]) == 12
    # The spread of seeds is a hundred times that of pairs: without pairs this margin could not be certified.
    code, same = verified(repo, *ask, "--metric", "f1")
    assert (code, same["level"]) == (0, "statistical"), same["reason"]
    assert same["metric"]["spread"] < 0.001


@pytest.mark.slow
def test_that_shaking_stands_in_the_verdict_and_the_first_replay_is_kept_where_it_was(alone: Sandbox) -> None:
    code, document = verified(alone, "folder", "--shake", "--keep")
    assert (code, document["level"]) == (1, "different")
    assert {factor["name"] for factor in document["shaken"]["factors"]} >= {
        "time-zone",
        "hash-seed",
        "locale",
    }
    assert (Path(document["folder"]) / "parts" / "a.json").is_file()
