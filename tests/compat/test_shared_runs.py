"""Pipelines handed over: what one tool ran, the other restores, finishes, or has from a remote."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.compat.scenes_pipelines import DIAMOND, FILES, KINDS_FILES
from tests.compat.snapshot import compare, take
from tests.fixtures.forked import ForkedTool, Worker
from tests.fixtures.sandbox import Ran, Sandbox

BOTH_WAYS = pytest.mark.parametrize(
    ("writer", "reader"), [("dvc", "ff"), ("ff", "dvc")], ids=["dvc-to-ff", "ff-to-dvc"]
)
#: A repository, and a way to run a command of either tool in it.
Shared = tuple[Sandbox, Callable[..., Ran]]


@pytest.fixture
def shared(tmp_path: Path, dvc_template: Path, workers: dict[str, Worker]) -> Shared:
    shutil.copytree(dvc_template, tmp_path / "ws", symlinks=True)
    tools = {name: ForkedTool(worker, tmp_path / "home" / name) for name, worker in workers.items()}
    box = Sandbox(tmp_path / "ws", tools["dvc"])

    def run(name: str, *args: str, check: bool = True) -> Ran:
        return tools[name](*args, cwd=box.path, check=check)

    return box, run


def _trace(box: Sandbox) -> str:
    """What ran since this was asked."""
    trace = box.path.parent / "trace"
    said = trace.read_text() if trace.exists() else ""
    trace.unlink(missing_ok=True)
    return said.replace("\n", " ").strip()


@BOTH_WAYS
def test_what_one_tool_ran_the_other_restores(shared: Shared, writer: str, reader: str) -> None:
    box, run = shared
    box.gen(FILES)
    run(writer, "repro")
    first = take(box.path)
    box.gen({"in": "2\n", "params.yaml": "lr: 2\n"})
    run(writer, "repro")
    assert _trace(box)
    box.gen({"in": "1\n", "params.yaml": "lr: 1\n", "dvc.lock": None, "a.out": None, "d.out": None})
    run(reader, "repro")
    assert _trace(box) == ""
    workspace = {path: entry for path, entry in take(box.path).items() if not path.startswith(".dvc/cache")}
    assert compare({path: entry for path, entry in first.items() if path in workspace}, workspace) == []


@BOTH_WAYS
def test_every_kind_of_entry_is_found_again(shared: Shared, writer: str, reader: str) -> None:
    box, run = shared
    box.gen({**KINDS_FILES, "dvc.yaml": KINDS_FILES["dvc.yaml"].replace("{persist: true}", "{push: false}")})
    run(writer, "repro")
    run(writer, "commit", "-f")
    before = take(box.path)
    lock = box.text("dvc.lock")
    box.gen({"dvc.lock": None, "out": None, "dir": None, "m.json": None, "a b": None, "lines.txt": None})
    assert "is cached" in run(reader, "repro").stdout
    assert box.text("dvc.lock") == lock
    assert compare(before, take(box.path)) == []


@BOTH_WAYS
def test_a_pipeline_that_one_tool_began_the_other_finishes(shared: Shared, writer: str, reader: str) -> None:
    box, run = shared
    box.gen(FILES)
    run(writer, "repro", "b")
    assert _trace(box) == "a b"
    run(reader, "repro", "d")
    assert _trace(box) == "c d"
    run(writer, "repro")
    assert sorted(_trace(box).split()) == ["after", "other"]
    for name in (writer, reader):
        assert run(name, "status", "--json").json() == {}


@BOTH_WAYS
def test_a_pipeline_that_failed_under_one_tool_goes_on_under_the_other(
    shared: Shared, writer: str, reader: str
) -> None:
    box, run = shared
    broken = DIAMOND.replace("cat a.out raw/x > b.out", "cat a.out raw/x > b.out; exit 3")
    box.gen({**FILES, "dvc.yaml": broken})
    run(writer, "repro", "d", check=False)
    assert "a" in _trace(box).split()
    box.gen({"dvc.yaml": DIAMOND})
    run(reader, "repro", "d")
    assert "a" not in _trace(box).split()
    assert run(writer, "status", "d", "--json").json() == {}


@BOTH_WAYS
def test_runs_that_one_tool_pushed_the_other_pulls(shared: Shared, writer: str, reader: str) -> None:
    box, run = shared
    box.gen(FILES)
    run(writer, "remote", "add", "-d", "store", "../remote")
    run(writer, "repro")
    results = {name: box.read(name) for name in ("a.out", "b.out", "c.out", "d.out")}
    run(writer, "push", "--run-cache")
    box.gen({"in": "2\n"})
    run(writer, "repro")
    box.gen({"in": "1\n", "dvc.lock": None, ".dvc/cache": None})  # the remembered run alone knows the first
    shutil.rmtree(box.path / ".dvc" / "tmp", ignore_errors=True)
    _trace(box)
    run(reader, "fetch", "--run-cache", check=False)
    run(reader, "repro", "--pull", "d")
    assert _trace(box) == ""
    assert {name: box.read(name) for name in results} == results
