"""Pipelines beside the real DVC: equal bytes from equal commands, and work handed over both ways."""

import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import find_dvc, find_ff
from tests.fixtures.sandbox import Ran, Tool, gen, make_home

PIPELINE = """\
stages:
  load:
    cmd: cp raw data
    deps:
    - raw
    outs:
    - data
  split:
    wdir: sub
    cmd:
    - mkdir -p parts
    - cp ../data parts/a
    - cp ../data parts/b; chmod +x parts/b
    deps:
    - ../data
    outs:
    - parts
  train:
    cmd: |-
      cp data model
      cp plot.in plot.csv
      echo "{\\"acc\\": 0.5, \\"n\\": {\\"x\\": 3, \\"l\\": [1, 2]}}" > m.json
    deps:
    - data
    - sub/parts
    params:
    - lr
    - net
    - other.json:
      - deep.key
    outs:
    - model
    metrics:
    - m.json:
        cache: false
    plots:
    - plot.csv:
        x: a
        cache: false
  side:
    cmd: cat log >> log2 2>/dev/null; echo more >> log
    deps:
    - raw
    outs:
    - log:
        persist: true
metrics:
- extra.json
"""
TREE = {
    "dvc.yaml": PIPELINE,
    "params.yaml": "lr: 1e-3\nnet:\n  size: 3\n  name: 'yes'\nunused: [1]\n",
    "other.json": '{"deep": {"key": [1, 2.5, null, true]}, "else": 1}',
    "raw": "some data\n",
    "extra.json": '{"z": 1}',
    "log": "kept\n",
    "plot.in": "a,b\n1,2\n",
    "sub/keep": "",
}


class Twin(NamedTuple):
    """One of the two folders, and its tool."""

    root: Path
    tool: Tool

    def __call__(self, line: str, *, check: bool = True) -> Ran:
        return self.tool(*shlex.split(line), cwd=self.root, check=check)

    def shell(self, line: str) -> str:
        return Tool(["sh"], self.tool.home)("-c", line, cwd=self.root).stdout


class Twins(NamedTuple):
    """The real DVC's folder and ours; both begin equal."""

    dvc: Twin
    ff: Twin

    def both(self, line: str, *, check: bool = True) -> tuple[Ran, Ran]:
        return self.dvc(line, check=check), self.ff(line, check=check)

    def shell(self, line: str) -> None:
        for twin in self:
            twin.shell(line)

    def swap(self) -> "Twins":
        """The same folders, each in the hands of the other tool."""
        theirs, ours = self
        return Twins(theirs._replace(tool=ours.tool), ours._replace(tool=theirs.tool))


def _begin(base: Path) -> Twins:
    """Two equal repositories with a pipeline that never ran."""
    made = []
    for name, command in (("a", find_dvc()), ("b", find_ff())):
        tool = Tool([command], make_home(base / name / "home"))
        root = base / name / "repo"
        root.mkdir()
        git = Tool(["git"], tool.home)
        git("init", "--quiet", "--initial-branch", "main", cwd=root)
        # DVC has none: commits would differ.
        (root / ".git" / "info" / "exclude").write_text("fourfold.lock\n")
        tool("init", "--quiet", cwd=root)
        gen(root, TREE)
        git("add", "--all", "--", ":!log", cwd=root)
        git("commit", "--quiet", "--message", "begin", cwd=root)
        made.append(Twin(root, tool))
    return Twins(*made)


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Twins:
    return _begin(tmp_path_factory.mktemp("begun"))


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Twins:
    twins = _begin(tmp_path_factory.mktemp("done"))
    twins.both("repro --quiet")
    return twins


def _copied(twins: Twins, to: Path) -> Twins:
    made = []
    for name, twin in zip("ab", twins, strict=True):
        root = to / name / "repo"
        tool = Tool(twin.tool.command, make_home(to / name / "home"))
        shutil.copytree(twin.root, root, symlinks=True)
        made.append(Twin(root, tool))
    return Twins(*made)


@pytest.fixture
def twins(tmp_path: Path, begun: Twins) -> Twins:
    """Two repositories whose pipeline never ran."""
    return _copied(begun, tmp_path)


@pytest.fixture
def ran(tmp_path: Path, done: Twins) -> Twins:
    """Two repositories whose pipeline ran, each by its own tool."""
    return _copied(done, tmp_path)


def files(root: Path, *, without: tuple[str, ...] = ()) -> dict[str, tuple[int, bytes]]:
    """Mode and bytes of everything that is the project's, the cache and its runs among it."""
    found = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        private = name.startswith((".git/", ".dvc/tmp/", ".dvc/fourfold/")) or name.endswith("fourfold.lock")
        if path.is_file() and not private and name not in without:
            found[name] = (path.stat().st_mode & 0o777, path.read_bytes())
    return found


def modeless(found: dict[str, tuple[int, bytes]]) -> dict[str, bytes]:
    return {name: data for name, (_mode, data) in found.items()}


def assert_equal(twins: Twins) -> None:
    first, second = (files(twin.root) for twin in twins)
    assert modeless(second) == modeless(first)
    assert {name: mode for name, (mode, _) in second.items() if "/cache/files/" in name} == {
        name: mode for name, (mode, _) in first.items() if "/cache/files/" in name
    }


def stages_of(ran: Ran) -> dict[str, str]:
    return {stage["name"]: stage["result"] for stage in ran.json()["stages"]}


def test_the_first_run_leaves_dvcs_bytes_in_lock_cache_runs_and_gitignore(twins: Twins) -> None:
    twins.both("repro")
    assert_equal(twins)
    assert len(list((twins.ff.root / ".dvc/cache/runs").rglob("*"))) == 9


@pytest.mark.parametrize(
    "change",
    [
        "echo new > raw",
        "sed -i 's/1e-3/2e-3/' params.yaml",
        "sed -i 's/2.5/null/' other.json",
        "sed -i 's/cp raw data/cat raw > data/' dvc.yaml",
        "rm model",
        "rm -r sub/parts",
        "echo changed > data",
        "echo more > sub/parts/c",
        "rm dvc.lock",
        "rm -rf .dvc/cache",
        "rm -rf .dvc/cache/files",
        "echo 'unused: 2' >> params.yaml; sed -i '/unused: .1/d' params.yaml",
        "sed -i '/name/d' params.yaml",
        "echo x >> log",
    ],
)
def test_a_change_makes_the_same_stages_run_and_leaves_the_same_bytes(ran: Twins, change: str) -> None:
    ran.shell(change)
    theirs, ours = ran.dvc("repro"), ran.ff("repro -j 1")
    started = [line for line in theirs.stdout.splitlines() if line.startswith(("Running stage", "Stage '"))]
    told = [line for line in ours.stdout.splitlines() if line.startswith(("Running stage", "Stage '"))]
    assert told == started
    assert_equal(ran)


@pytest.mark.parametrize(
    "options",
    [
        "-s train",
        "train",
        "load --downstream",
        "-f load",
        "-f",
        "--force-downstream load --downstream",
        "-p split",
        "-P",
        "-R .",
        "--glob 'l*'",
        "--no-commit",
        "--no-run-cache",
        "dvc.yaml:load",
        "-k",
        "--ignore-errors",
    ],
)
def test_an_option_chooses_the_same_stages(ran: Twins, options: str) -> None:
    ran.shell("echo new > raw; sed -i 's/1e-3/5/' params.yaml")
    theirs = ran.dvc(f"repro {options}", check=False)
    ours = ran.ff(f"repro -j 1 {options}", check=False)
    assert ours.code == theirs.code
    started = [
        line for line in theirs.stdout.splitlines() if line.startswith(("Running stage", "Stage '", ">"))
    ]
    told = [line for line in ours.stdout.splitlines() if line.startswith(("Running stage", "Stage '", ">"))]
    assert told == started
    assert_equal(ran)


def test_what_one_ran_the_other_finds_up_to_date(ran: Twins) -> None:
    swapped = ran.swap()
    for twin in swapped:
        assert "up to date" in twin("status").stdout
        again = twin("repro")
        assert "up to date" in again.stdout
        assert "Running" not in again.stdout


def test_a_run_that_one_remembers_is_not_run_again_by_the_other(ran: Twins) -> None:
    ran.shell("sed -i 's/1e-3/5/' params.yaml")
    ran.both("repro --quiet")
    ran.shell("sed -i 's/lr: 5/lr: 1e-3/' params.yaml")
    for twin in ran.swap():
        told = twin("repro").stdout
        assert "Stage 'train' is cached - skipping run, checking out outputs" in told
        assert "Running" not in told
    assert_equal(ran)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("sed -i 's/cp raw data/exit 7/' dvc.yaml", 255),
        ("sed -i 's/cp raw data/true/' dvc.yaml", 255),
        ("rm raw", 255),
        ("sed -i '/^lr/d' params.yaml", 255),
        ("rm params.yaml", 255),
        ("printf '  bad: 1\\n' >> dvc.yaml", 255),
    ],
)
def test_a_failure_exits_as_dvc_does_and_records_nothing(ran: Twins, change: str, code: int) -> None:
    ran.shell(change)
    before = (ran.ff.root / "dvc.lock").read_bytes()
    theirs, ours = ran.both("repro", check=False)
    assert (theirs.code, ours.code) == (code, code), f"{theirs}\n{ours}"
    assert (ran.ff.root / "dvc.lock").read_bytes() == before == (ran.dvc.root / "dvc.lock").read_bytes()


def test_after_a_failure_keep_going_runs_what_does_not_need_it(twins: Twins) -> None:
    twins.shell("sed -i 's/- cp ..\\/data parts\\/a/- exit 3/' dvc.yaml")
    theirs, ours = twins.both("repro --keep-going", check=False)
    assert (theirs.code, ours.code) == (255, 255)
    # DVC takes back its .gitignore lines when a run fails at last; ours stay with the data that they hide.
    first, second = (files(twin.root, without=(".gitignore",)) for twin in twins)
    assert modeless(second) == modeless(first)
    assert twins.ff.root.joinpath(".gitignore").read_text() == "/data\n/log\n"
    ran = twins.ff("repro --keep-going --json", check=False)
    document = json.loads(ran.stdout)
    assert {stage["name"]: stage["result"] for stage in document["stages"]} == {
        "load": "unchanged",
        "split": "failed",
        "train": "skipped",
        "side": "unchanged",
    }


COMPARED = [
    "metrics show --json",
    "metrics show -a -T --json",
    "metrics show -A --json",
    "metrics show m.json --md",
    "metrics diff --json",
    "metrics diff --all --md",
    "metrics diff v1 main --targets extra.json --all --json",
    "params diff --json",
    "params diff --all v1 main --json",
    "params diff --deps --all --md",
    "params diff v1 --targets other.json --all --json",
    "metrics show -R parts --json",
    "metrics show -a --precision 2 --md",
    "metrics diff -R --targets parts --all --json",
    "metrics diff v1 --no-path --precision 2 --md",
    "params diff v1 --no-path",
]


def _without_messages(value: object) -> object:
    """DVC's messages of errors are its own; that there is one is not."""
    if isinstance(value, dict):
        return {key: "..." if key == "msg" else _without_messages(item) for key, item in value.items()}
    return value


def test_metrics_and_parameters_are_told_as_dvc_tells_them(twins: Twins) -> None:
    for twin in twins:
        git: Callable[..., Ran] = Tool(["git"], twin.tool.home)
        twin("repro --quiet")
        git("add", "--all", cwd=twin.root)
        git("commit", "--quiet", "--message", "one", cwd=twin.root)
        git("tag", "v1", cwd=twin.root)
        twin.shell("sed -i 's/1e-3/5/; s/size: 3/size: 30/' params.yaml; sed -i 's/0.5/0.75/' dvc.yaml")
        twin("repro --quiet")
        git("commit", "--quiet", "--all", "--message", "two", cwd=twin.root)
        twin.shell(
            """echo '{"acc": 0.123456789, "n": "text", "new": [1]}' > m.json; sed -i /unused/d params.yaml"""
        )
    for line in COMPARED:
        theirs, ours = twins.both(line)
        if line.endswith("--json"):
            assert _without_messages(ours.json()) == _without_messages(theirs.json()), line
        else:
            assert sorted(ours.stdout.splitlines()) == sorted(theirs.stdout.splitlines()), line
    theirs, ours = twins.both("metrics diff nowhere", check=False)
    assert (theirs.code, ours.code) == (255, 255)


@pytest.mark.parametrize(
    "options", ["--dot", "--mermaid", "--md", "--dot -o", "--mermaid -o", "--dot train", "--dot --full load"]
)
def test_the_graph_is_written_as_dvc_writes_it(twins: Twins, options: str) -> None:
    theirs, ours = twins.both(f"dag {options}")
    assert sorted(ours.stdout.splitlines()) == sorted(theirs.stdout.splitlines())


def test_a_stage_in_a_folder_is_called_as_dvc_calls_it(twins: Twins) -> None:
    for twin in twins:
        gen(
            twin.root,
            {"other/dvc.yaml": 'stages:\n  say:\n    cmd: echo "$DVC_STAGE" > said\n    outs: [said]\n'},
        )
        twin("repro other/dvc.yaml:say")
        assert (twin.root / "other" / "said").read_text() == "other/dvc.yaml:say\n"
    assert_equal(twins)


def test_data_that_changed_is_recorded_by_a_run_as_dvc_does(twins: Twins) -> None:
    for twin in twins:
        twin.shell("git rm -q --cached raw")
        twin("add --quiet raw")
        twin("repro --quiet")
        twin.shell("echo other > raw")
    theirs, ours = twins.both("repro")
    assert "Verifying data sources in stage: 'raw.dvc'" in ours.stdout
    assert theirs.stdout.count("Running") == ours.stdout.count("Running")
    assert_equal(twins)


def test_frozen_stages_are_left_as_they_are(ran: Twins) -> None:
    ran.shell("sed -i 's/cmd: cp raw data/frozen: true\\n    cmd: cp raw data/' dvc.yaml; echo new > raw")
    theirs, ours = ran.both("repro load train")
    assert "Running" not in theirs.stdout + ours.stdout
    assert_equal(ran)


def test_missing_data_comes_from_the_remote_instead_of_being_made(twins: Twins) -> None:
    for twin in twins:
        twin("repro --quiet")
        twin(f"remote add --quiet --default there {twin.root.parent / 'remote'}")
        twin("push --quiet")
        shutil.rmtree(twin.root / ".dvc" / "cache")
        for name in ("data", "model"):
            (twin.root / name).unlink()
        shutil.rmtree(twin.root / "sub" / "parts")
    twins.both("repro --pull --allow-missing")
    twins.both("repro --pull load split")
    told = twins.ff("repro --pull").stdout
    assert "Running stage 'load'" not in told
    assert (twins.ff.root / "data").read_text() == "some data\n"
