"""The lab: its customers are what they were, its pipeline runs what it should."""

import hashlib
import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.conftest import ROOT, find_ff
from tests.fixtures.sandbox import Sandbox, Tool

EXAMPLE = ROOT / "examples" / "churn"

#: Every parameter, another value for it, and the stages that read it.
READERS = {
    "label": ("contract", {"load", "validate", "train", "evaluate"}),
    "seed": (8, {"load", "train"}),
    "load.test_share": (0.3, {"load"}),
    "validate.min_positive_ratio": (0.2, {"validate"}),
    "validate.min_rows": (10, {"validate"}),
    "train.trees": (41, {"train"}),
    "train.depth": (2, {"train"}),
    "train.learning_rate": (0.2, {"train"}),
    "evaluate.threshold": (0.4, {"evaluate"}),
}


def begin(folder: Path) -> Sandbox:
    """The example in a repository of its own, its customers made and tracked."""
    shutil.copytree(EXAMPLE, folder / "lab", ignore=shutil.ignore_patterns("__pycache__"))
    tool = Tool([find_ff()], folder / "home")
    tool.env["PATH"] = f"{Path(sys.executable).parent}:{tool.env['PATH']}"
    lab = Sandbox(folder / "lab", tool)
    lab.git("init", "--quiet", "--initial-branch", "main")
    lab.run("init", "--quiet")
    generate(lab)
    lab.run("add", "data/raw")
    return lab


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    """The lab after its first run, committed; who changes it mends it."""
    lab = begin(tmp_path_factory.mktemp("churn"))
    lab.run("repro")
    lab.commit("First model")
    return lab


@pytest.fixture
def lab(ran: Sandbox) -> Iterator[Sandbox]:
    """The same, mended afterwards."""
    yield ran
    ran.git("checkout", "--quiet", "--", ".")
    ran.run("checkout", "--force")


def generate(lab: Sandbox, *options: str) -> None:
    """Make the customers, or some of them again."""
    Tool([sys.executable], lab.tool.home)("generate.py", "data/raw", *options, cwd=lab.path)


def documents() -> tuple[dict[str, object], dict[str, dict[str, dict[str, list[str]]]]]:
    """The example's params.yaml and dvc.yaml."""
    yaml = YAML(typ="safe")
    return yaml.load(EXAMPLE / "params.yaml"), yaml.load(EXAMPLE / "dvc.yaml")


def keys(value: object, name: str = "") -> Iterator[str]:
    """The dotted names of all that is no section."""
    if isinstance(value, dict):
        for key, below in value.items():
            yield from keys(below, f"{name}.{key}" if name else key)
    else:
        yield name


def set_parameter(lab: Sandbox, name: str, value: object) -> None:
    """Write another value into params.yaml, and change nothing else."""
    path = lab.path / "params.yaml"
    *sections, key = name.split(".")
    pattern = "".join(rf"^{section}:\n(?:  .*\n)*?" for section in sections)
    indent = "  " * len(sections)
    text, count = re.subn(
        rf"({pattern}^{indent}{key}: )\S+", rf"\g<1>{value}", path.read_text(), flags=re.MULTILINE
    )
    assert count == 1
    path.write_text(text)


def test_the_customers_are_the_same_bytes_everywhere(lab: Sandbox) -> None:
    months = sorted(path for path in (lab.path / "data" / "raw").iterdir())
    assert [path.name for path in months] == [f"2026-0{month}.csv" for month in range(1, 7)]
    digests = hashlib.sha256(
        "".join(hashlib.sha256(path.read_bytes()).hexdigest() for path in months).encode()
    )
    assert digests.hexdigest() == "bfc4a04a18b56c46f5ef1ae7002f6f5367490313ff4e1661c897e58d1eb3cbbf"


def test_a_month_can_be_made_alone(lab: Sandbox) -> None:
    before = lab.read("data/raw/2026-05.csv")
    generate(lab, "--only", "2026-05", "--seed", "8")
    assert lab.read("data/raw/2026-05.csv") != before
    generate(lab, "--only", "2026-05")
    assert lab.read("data/raw/2026-05.csv") == before


def test_every_parameter_of_the_lab_is_looked_at() -> None:
    params, _ = documents()
    assert sorted(keys(params)) == sorted(READERS)


@pytest.mark.parametrize("name", READERS)
def test_a_parameter_of_the_lab_runs_exactly_the_stages_that_read_it(lab: Sandbox, name: str) -> None:
    value, readers = READERS[name]
    set_parameter(lab, name, value)
    plan = lab.run("repro", "--dry", "--json").json()["stages"]
    because = {
        stage["name"]: {reason["key"] for reason in stage.get("reasons", ()) if reason["kind"] == "parameter"}
        for stage in plan
    }
    assert {stage: found for stage, found in because.items() if found} == {stage: {name} for stage in readers}


def test_stages_of_the_lab_declare_what_they_read() -> None:
    _, pipeline = documents()
    for name, stage in pipeline["stages"].items():
        source = (EXAMPLE / "src" / f"{name}.py").read_text()
        assert sorted(re.findall(r'setting\("([\w.]+)"\)', source)) == sorted(stage["params"]), name
        imported = set(re.findall(r"^(?:import|from) (\w+)", source, re.MULTILINE))
        ours = {path.stem for path in (EXAMPLE / "src").glob("*.py")}
        assert {dep[4:-3] for dep in stage["deps"] if dep.startswith("src/")} == (imported & ours) | {name}


def test_a_training_parameter_leaves_the_data_alone_when_it_really_runs(lab: Sandbox) -> None:
    set_parameter(lab, "train.trees", 20)
    said = lab.run("repro", "--json").json()["stages"]
    assert [stage["name"] for stage in said if stage["result"] == "ran"] == ["train", "evaluate"]


def test_the_real_dvc_calls_the_lab_clean(lab: Sandbox, real_dvc: str) -> None:
    dvc = Tool([real_dvc], lab.tool.home)
    assert "up to date" in dvc("status", cwd=lab.path).stdout
    assert "up to date" in dvc("repro", cwd=lab.path).stdout
    dvc("plots", "show", "--json", cwd=lab.path)


def test_a_changed_month_runs_all_that_its_customers_reach(lab: Sandbox) -> None:
    generate(lab, "--only", "2026-05", "--drop-rows", "0.02")
    said = lab.run("repro", "--json").json()["stages"]
    assert {stage["name"] for stage in said if stage["result"] == "ran"} >= {"load", "validate", "train"}


def test_a_schema_that_is_read_but_not_declared_is_caught_fixed_and_counts_from_then_on(lab: Sandbox) -> None:
    undeclared = {
        stage: lab.run("why", stage, "--json").json()[0]["undeclared"]
        for stage in ("load", "validate", "train", "evaluate")
    }
    reads = {stage: [read["path"] for read in found["reads"]] for stage, found in undeclared.items()}
    assert reads == {"load": ["schema.yaml"], "validate": [], "train": [], "evaluate": []}
    assert [found["writes"] for found in undeclared.values()] == [[], [], [], []]
    assert [one["item"] for one in lab.run("deps", "fix", "--json").json()["added"]] == ["schema.yaml"]
    assert "up to date" in lab.run("repro").stdout
    schema = lab.path / "schema.yaml"
    schema.write_text(schema.read_text().replace("others: keep", "others: drop"))
    said = lab.run("repro", "--json").json()["stages"]
    assert next(stage["name"] for stage in said if stage["result"] == "ran") == "load"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--without-label"], "no column 'churned'"),
        (["--label-shift", "0.9"], "of the customers churned; at least 15% are wanted"),
        (["--drop-rows", "0.9"], "rows; at least 1000 are wanted"),
    ],
)
def test_a_pipeline_of_bad_customers_ends_before_the_training(
    lab: Sandbox, options: list[str], message: str
) -> None:
    model = lab.read("models/model.pkl")
    generate(lab, *options)
    failed = lab.run("repro", check=False)
    assert failed.code != 0
    assert message in failed.stdout + failed.stderr
    assert lab.read("models/model.pkl") == model


def test_a_leaked_column_is_too_good_to_be_true(lab: Sandbox) -> None:
    generate(lab, "--leak")
    lab.run("repro")
    assert json.loads(lab.read("metrics.json"))["auc"] > 0.99
