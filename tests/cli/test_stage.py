"""``ff stage add``, ``stage list``, ``freeze`` and what a graph refuses, as their users meet them."""

import pytest

from tests.fixtures.sandbox import Sandbox

PIPELINE = """\
stages:
  prepare:
    desc: |
      Clean the data.
      In two steps.
    cmd: cp raw clean
    deps: [raw]
    outs: [clean]
  train:
    cmd: cp clean model; echo 1 > m.json
    deps: [clean]
    outs: [model]
    metrics:
    - m.json: {cache: false}
  notify: {cmd: echo done, deps: [model], params: [who]}
  idle: {cmd: echo idle}
"""


def test_a_stage_is_added_and_git_is_told_of(ff_repo: Sandbox) -> None:
    ran = ff_repo.run("stage", "add", "-n", "train", "-d", "raw", "-o", "model", "cp", "raw", "model")
    assert ran.stdout == "Added stage 'train' in 'dvc.yaml'\n"
    assert ran.stderr == "to track the changes with git, run: git add .gitignore dvc.yaml\n"
    assert ff_repo.text("dvc.yaml") == (
        "stages:\n  train:\n    cmd: cp raw model\n    deps:\n    - raw\n    outs:\n    - model\n"
    )


def test_what_stands_behind_the_first_word_of_the_command_belongs_to_it(ff_repo: Sandbox) -> None:
    ff_repo.run("stage", "add", "-n", "x", "echo", "--json", "-n", "two words", "--", "-h")
    ff_repo.run("stage", "add", "-n", "y", "--", "echo -n")
    assert ff_repo.text("dvc.yaml") == (
        'stages:\n  x:\n    cmd: echo --json -n "two words" -- -h\n  y:\n    cmd: echo -n\n'
    )


def test_with_run_it_runs_and_a_failure_leaves_the_stage(ff_repo: Sandbox) -> None:
    ff_repo.gen({"raw": "1"})
    ran = ff_repo.run("stage", "add", "--run", "-n", "a", "-d", "raw", "-o", "b", "cp raw b")
    assert ran.stdout == (
        "Added stage 'a' in 'dvc.yaml'\nRunning stage 'a':\n  because it has not run before\n> cp raw b\n"
    )
    files = ".gitignore dvc.lock dvc.yaml fourfold.lock"
    assert ran.stderr == f"to track the changes with git, run: git add {files}\n"
    failed = ff_repo.run("stage", "add", "--run", "-n", "c", "exit 3", check=False)
    assert failed.code == 255
    assert "error: failed to reproduce 'c': failed to run: exit 3, exited with 3" in failed.stderr
    assert ff_repo.run("stage", "list", "--name-only").stdout == "a\nc\n"


def test_with_json_it_is_one_document(ff_repo: Sandbox) -> None:
    ran = ff_repo.run("stage", "add", "--json", "--run", "-n", "a", "-o", "b", "echo hi; echo > b")
    assert ran.json() == {
        "stage": "a",
        "file": "dvc.yaml",
        "replaced": False,
        "result": "ran",
        "files": [".gitignore", "dvc.lock", "dvc.yaml", "fourfold.lock"],
        "staged": False,
    }
    listed = ff_repo.run("stage", "list", "--json").json()
    assert listed == {"stages": [{"name": "a", "file": "dvc.yaml", "description": "Outputs b"}]}


REFUSED = {
    "add -n train echo": "stage 'train' already exists in 'dvc.yaml'\nhint: to replace it, use --force",
    "add -n a.b echo": "'a.b' cannot be the name of a stage: it contains .\n",
    "add -n a": "command is not specified\nhint: write it after the options",
    "add -n a -o model echo": "output 'model' is already specified in stage 'train'\nhint: to give it up",
    "add -n a -o model/x echo": "the outputs 'model' (train) and 'model/x' (a) overlap\n",
    "add -n a -d x -o x echo": "'x' is specified as an output and as a dependency\n",
    "add -n a -w away echo": "the working directory 'away' does not exist\nhint: make it first: mkdir",
    "add -n a -d model -o raw echo": "dvc.yaml:7:12: stages wait for each other: 'prepare' needs 'a'",
    "list trian": "'trian' is neither a .dvc file nor a stage of 'dvc.yaml'\nhint: did you mean 'train'?",
}


@pytest.mark.parametrize("line", REFUSED)
def test_what_cannot_be_is_told_in_one_line_with_a_hint(ff_repo: Sandbox, line: str) -> None:
    ff_repo.gen({"dvc.yaml": PIPELINE})
    ran = ff_repo.run("stage", *line.split(), check=False)
    assert ran.code == 255
    assert ran.stderr.startswith(f"error: {REFUSED[line]}")
    assert ff_repo.text("dvc.yaml") == PIPELINE


def test_stages_are_listed_with_a_line_about_each(ff_repo: Sandbox) -> None:
    ff_repo.gen({"dvc.yaml": PIPELINE, "sub": {"dvc.yaml": "stages: {a: {cmd: x, bad: 1}}\n"}})
    lines = (
        "prepare  Clean the data.\n"
        "train    Outputs model; Reports m.json\n"
        "notify   Depends on model, params.yaml\n"
        "idle     No outputs or dependencies\n"
    )
    assert ff_repo.run("stage", "list").stdout == lines
    ran = ff_repo.run("stage", "list", "--all")
    assert ran.stdout == lines
    assert ran.stderr.startswith("warning: left out: sub/dvc.yaml:1:22: unknown key 'bad' in stages.a\n")
    assert ff_repo.run("stage", "list", "--all", "--fail", check=False).code == 255


def test_a_target_that_cannot_be_frozen_stops_no_other(ff_repo: Sandbox) -> None:
    ff_repo.gen({"dvc.yaml": PIPELINE})
    ran = ff_repo.run("freeze", "prepare", "nope", "train", check=False)
    assert ran.code == 1
    assert "error: 'nope' is neither a .dvc file nor a stage" in ran.stderr
    assert ff_repo.text("dvc.yaml").count("frozen: true") == 2
