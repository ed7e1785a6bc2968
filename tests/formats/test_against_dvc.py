"""What the real DVC writes, read and written again by us: no byte may differ."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from fourfold.formats.dvc import lock, pointer, runcache, stages
from tests.fixtures.sandbox import Exec, Sandbox, Tool

NAMES = [
    *(
        "plain",
        "a b",
        "a: b",
        "#hash",
        "x #y",
        "it's",
        '"quoted"',
        "'single'",
        "null",
        "true",
        "1e3",
        "012",
        "1.5",
    ),
    *(
        "2020-01-01",
        "{a}",
        "[b]",
        "a,b",
        "é",
        "中文 名",
        "😀",
        "~",
        "=",
        "<<",
        "!t",
        "&a",
        "*b",
        "%c",
        "@d",
        "`e",
        "|f",
    ),
    *(
        "-",
        "--- a",
        "back\\slash",
        "tab\tname",
        "long " * 17 + "name",
        "x" * 100,
        "trailing ",
        " leading",
        "yes",
        ".hid",
    ),
]


@pytest.fixture
def repo(tmp_path: Path, dvc: Tool) -> Sandbox:
    sandbox = Sandbox(tmp_path / "repo", dvc)
    sandbox.git("init", "--quiet")
    sandbox.run("init", "--quiet")
    return sandbox


def test_pointer_files_of_every_kind_equal_dvcs(repo: Sandbox, gen: Callable[..., Path]) -> None:
    repo.gen(
        {
            "names": {name: f"of {name}" for name in NAMES},
            "dir": {"a": "1", "b": {"c": "2"}},
            "run.sh": Exec("#!"),
        }
    )
    gen({"outer": {"x": "1"}})
    repo.run("add", "--quiet", "dir", "run.sh", *[f"names/{name}" for name in NAMES])
    repo.run("import-url", "--quiet", "../outer", "imported")
    repo.run("import-url", "--quiet", "--no-exec", "run.sh", "later")
    repo.commit()
    repo.run("import", "--quiet", ".", "dir", "--out", "again")
    written = sorted(path for path in repo.path.rglob("*.dvc") if path.is_file())
    assert len(written) == len(NAMES) + 5
    for path in written:
        data = path.read_bytes()
        read = pointer.parse(data, path.name)
        assert pointer.render(read) == data
        assert pointer.update(data, read) == data
        assert read.md5 is None or pointer.import_checksum(read) == read.md5


PIPELINE = """\
# the pipeline
stages:
  prepare:   # first
    cmd: echo 1 > out.txt && mkdir -p folder && echo x > folder/x && echo "{}" > m.json # a long line
    deps: [in.txt, folder in]
    params:
    - lr
    - nested
    - odd.list
    - other.json:
      - k
    outs:
    - out.txt:
        desc: 'the first'
    - folder
    metrics:
    - m.json: {cache: false}
  train:
    wdir: sub
    cmd:
    - echo 2 > two
    - 'echo a: b > three'
    deps:
    - ../out.txt
    outs:
    - two
    - three
"""
PARAMS = """\
lr: 1e-5
nested: {z: 1.50, a: [1, [2, x], {k: null}], s: '1e3', long: LONG}
odd:
  list: ["a: b", "it's", "multi\\nline", yes, 0.1, 1e20, .inf, -7, '012', "", {}, []]
""".replace("LONG", "word " * 30)


def test_lock_files_and_runs_equal_dvcs(repo: Sandbox) -> None:
    repo.gen(
        {
            "dvc.yaml": PIPELINE,
            "params.yaml": PARAMS,
            "other.json": '{"k": {"b": 0.5, "a": "x"}}',
            "in.txt": Exec("data"),
            "folder in": {"a": "1"},
            "sub": {},
        }
    )
    repo.run("repro", "--quiet")
    first = repo.read("dvc.lock")
    read = lock.parse(first, "dvc.lock")
    assert lock.render(read) == first
    for name, entry in read.stages.items():
        assert lock.update(first, name, entry) == first
    runs = {
        str(path.relative_to(repo.path / ".dvc/cache")) for path in repo.path.glob(".dvc/cache/runs/*/*/*")
    }
    assert {runcache.relpath(entry) for entry in read.stages.values()} == runs
    for entry in read.stages.values():
        assert runcache.render(entry) == repo.read(".dvc/cache/" + runcache.relpath(entry))

    # A user's comments in the lock, and a second run of the first stage.
    commented = re.sub(rb"(  train:)", rb"  # the second\n\1   # here", b"# mine\n" + first)
    repo.gen({"dvc.lock": commented, "params.yaml": PARAMS.replace("1e-5", "2e-5")})
    repo.run("repro", "--quiet", "prepare")
    second = repo.read("dvc.lock")
    assert second != commented
    entry = lock.parse(second, "dvc.lock").stages["prepare"]
    assert lock.update(commented, "prepare", entry) == second


def test_changes_of_a_stage_equal_dvcs(repo: Sandbox) -> None:
    repo.gen({"dvc.yaml": PIPELINE, "sub": {}})
    first = repo.read("dvc.yaml")
    known = stages.parse(first, "dvc.yaml").stages
    repo.run("freeze", "--quiet", "prepare")
    frozen = repo.read("dvc.yaml")
    assert stages.update(first, known["prepare"]._replace(frozen=True)) == frozen
    repo.run(
        *("stage", "add", "--quiet", "--name", "new", "--deps", "b c", "--deps", "a", "--params", "q,lr"),
        *(
            "--params",
            "other.json:k,b",
            "--params",
            "whole.yaml:",
            "--outs",
            "out",
            "--outs-no-cache",
            "bare",
        ),
        *(
            "--outs-persist",
            "kept",
            "--metrics",
            "m",
            "--plots-no-cache",
            "p",
            "--always-changed",
            "--desc",
            "text",
        ),
        *("--wdir", "sub", 'echo "$X: y" # ' + "long " * 20),
    )
    grown = repo.read("dvc.yaml")
    assert stages.update(frozen, stages.parse(grown, "dvc.yaml").stages["new"]) == grown
    repo.run("remove", "prepare")
    assert stages.remove(grown, "prepare") == repo.read("dvc.yaml")
