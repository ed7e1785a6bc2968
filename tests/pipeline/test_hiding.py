"""What Git says of a run's outputs: asked once, and again when what it would read has changed."""

import pytest

from fourfold.pipeline.repro import Settings, StageFailedError, repro
from tests.project.workplace import Workplace


def stage(name: str, cmd: str, deps: str = "") -> str:
    return f'  {name}:\n    cmd: "{cmd}"\n    deps: [{deps}]\n    outs: [{name}.out]\n'


def run(work: Workplace, *stages: str) -> None:
    work.gen({"dvc.yaml": "stages:\n" + "".join(stages)})
    repro(work.open(), (), Settings(jobs=1))


@pytest.mark.parametrize("file", [".gitignore", ".git/info/exclude"])
def test_a_rule_that_a_command_writes_is_seen_by_the_stages_after_it(work: Workplace, file: str) -> None:
    run(
        work,
        stage("a", "echo 1 > a.out"),
        stage("b", f"echo b.out >> {file}; cp a.out b.out", "a.out"),
        stage("c", "cp b.out c.out", "b.out"),
    )
    lines = work.text(".gitignore").splitlines()
    assert [line for line in lines if line != "b.out"] == ["/a.out", "/c.out"]
    assert "/b.out" not in lines


def test_a_rule_that_a_command_takes_away_is_written_again(work: Workplace) -> None:
    work.gen({".gitignore": "*.out\n"})
    run(
        work,
        stage("a", "echo 1 > a.out"),
        stage("b", "rm .gitignore; cp a.out b.out", "a.out"),
        stage("c", "cp b.out c.out", "b.out"),
    )
    assert work.text(".gitignore") == "/b.out\n/c.out\n"


def test_an_output_that_a_command_adds_to_git_is_refused_when_its_turn_comes(work: Workplace) -> None:
    with pytest.raises(StageFailedError, match=r"output 'b\.out' is tracked by Git"):
        run(
            work,
            stage("a", "echo 1 > a.out; echo mine > b.out; git add b.out"),
            stage("b", "cp a.out b.out", "a.out"),
        )
    assert work.text("b.out") == "mine\n"


def test_lines_of_several_folders_stand_in_the_order_of_the_plan(work: Workplace) -> None:
    stages = "".join(
        f"  {name}:\n    cmd: sleep {nap}; mkdir -p d; echo 1 > {out}\n    outs: [{out}]\n"
        for name, nap, out in (("a", 0.6, "d/a"), ("b", 0.3, "b"), ("c", 0.1, "d/c"), ("e", 0, "e"))
    )
    work.gen({"dvc.yaml": "stages:\n" + stages, ".gitignore": "# mine\n"})
    repro(work.open(), (), Settings(jobs=4))
    assert work.text(".gitignore") == "# mine\n/b\n/e\n"
    assert work.text("d/.gitignore") == "/a\n/c\n"
