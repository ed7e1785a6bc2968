"""Discover: a stage from what a command was seen to do."""

import sys

import pytest

from fourfold.pipeline.discover import Discovery, NothingSeenError, name_of, stage_from, write
from fourfold.pipeline.record import stage_recorder
from fourfold.pipeline.repro import repro
from fourfold.pipeline.run import Ran, run_command
from fourfold.project.commit import commit
from fourfold.runs.place import place_of
from tests.project.workplace import Workplace

SCRIPT = """\
import os, helper
open("data.csv").read(), open("params.yaml").read()
os.makedirs("plots", exist_ok=True)
for name in "ab":
    open(f"plots/{name}.txt", "w").write(name)
open("model.txt", "w").write("m")
open("scratch", "w").write("s")
os.remove("scratch")
"""
LINE = f"{sys.executable} train.py --lr 3"


def ran(work: Workplace, *words: str, cwd: str = "") -> Ran:
    return run_command(place_of(work.open(cwd)), words)


def found(work: Workplace, line: str = LINE, name: str | None = None) -> Discovery:
    return stage_from(work.open(), ran(work, line), name)


@pytest.fixture
def shop(work: Workplace) -> Workplace:
    """A script that reads two files and a module, and makes a file and a folder."""
    work.gen({"train.py": SCRIPT, "helper.py": "x = 1\n", "data.csv": "1\n", "params.yaml": "lr: 1\n"})
    return work


def test_what_is_read_is_a_dependency_and_what_remains_an_output(shop: Workplace) -> None:
    spec = found(shop).spec
    assert (spec.name, spec.cmd) == ("train", LINE)
    assert spec.deps == ("data.csv", "helper.py", "train.py")
    assert [(one.file, one.keys) for one in spec.params] == [(None, None)]
    assert [out.path for out in spec.outs] == ["model.txt", "plots"]


def test_the_stage_is_written_and_need_not_run_once_committed(shop: Workplace) -> None:
    project = shop.open()
    write(project, found(shop))
    project = shop.open()
    commit(project, ["train"], force=True, record_stage=stage_recorder(project, insisted=True))
    assert [step.how for step in repro(shop.open()).steps] == ["unchanged"]


def test_a_second_stage_gets_a_name_of_its_own(shop: Workplace) -> None:
    shop.gen({"dvc.yaml": "stages:\n  train:\n    cmd: x\n"})
    assert found(shop).spec.name == "train-2"
    assert found(shop, name="mine").spec.name == "mine"


def test_an_output_that_git_keeps_stays_with_git(shop: Workplace) -> None:
    shop.gen({"model.txt": "old"})
    shop.git("add", "model.txt")
    assert [(out.path, out.cache) for out in found(shop).spec.outs] == [("model.txt", False), ("plots", True)]


def test_secrets_and_what_lies_outside_are_left_out(shop: Workplace) -> None:
    shop.gen({".env": "TOKEN=1"})
    result = found(shop, "cat .env data.csv > out.txt")
    assert result.spec.deps == ("data.csv",)
    assert result.left == ((".env", "it may hold a secret"),)


def test_a_command_that_touched_nothing_makes_no_stage(shop: Workplace) -> None:
    with pytest.raises(NothingSeenError, match="nothing of the project"):
        found(shop, "true")


def test_a_command_that_failed_makes_no_stage(shop: Workplace) -> None:
    with pytest.raises(NothingSeenError, match="failed"):
        found(shop, "cat data.csv; false")


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("python src/train.py --lr 1", "train"),
        ("LR=1 python3 -m pkg.evaluate x", "evaluate"),
        ("bash ./fetch.sh x", "fetch"),
        ("/usr/bin/sort a > b", "sort"),
        ("papermill in.ipynb out.ipynb", "in"),
        ("'", "stage"),
        ("", "stage"),
        ("python ./a b.py", "a-b"),
    ],
)
def test_a_stage_is_called_after_its_script(command: str, name: str) -> None:
    assert name_of(command.replace("./a b.py", "'./a b.py'")) == name
