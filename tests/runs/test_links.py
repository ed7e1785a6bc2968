"""What is used by where a link leads is the file of the workspace."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from fourfold.runs.links import followed_back
from fourfold.runs.observation import Access, Coverage, Trace
from tests.fixtures.sandbox import Sandbox, Tool


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A cache, behind a link itself, and a workspace that links to its objects."""
    (tmp_path / "elsewhere" / "md5").mkdir(parents=True)
    for name in ("a", "b", "c", "d"):
        (tmp_path / "elsewhere" / "md5" / name).write_text(name)
    (tmp_path / "cache").symlink_to("elsewhere")
    work = tmp_path / "work"
    (work / "data" / "inner").mkdir(parents=True)
    (work / "one.csv").symlink_to("../cache/md5/a")
    (work / "data" / "two.csv").symlink_to(tmp_path / "cache" / "md5" / "b")
    (work / "data" / "inner" / "three.csv").symlink_to(tmp_path / "cache" / "md5" / "c")
    (work / "data" / "plain.csv").write_text("plain")
    return tmp_path


def test_an_object_is_named_by_the_link_that_leads_to_it(store: Path) -> None:
    real, cache, work = store / "elsewhere" / "md5", store / "cache", store / "work"
    accesses = [Access(str(real / name), "read") for name in "abcd"]
    accesses += [Access(str(work / "one.csv"), "read", times=2, first=False), Access("/usr/lib/x.so", "read")]
    trace = Trace(Coverage("seccomp"), tuple(sorted(accesses)))
    names = [str(work / "one.csv"), str(work / "none"), str(work / "data")]
    assert followed_back(trace, str(cache), names).accesses == (
        Access(str(real / "d"), "read"),
        Access(str(work / "data" / "inner" / "three.csv"), "read"),
        Access(str(work / "data" / "two.csv"), "read"),
        Access(str(work / "one.csv"), "read", times=3),
        Access("/usr/lib/x.so", "read"),
    )
    assert followed_back(trace, str(store / "other"), names) is trace


def test_a_run_that_resolves_its_paths_first_has_no_hidden_inputs(ff: Tool, tmp_path: Path) -> None:
    repo = Sandbox(tmp_path / "repo", ff)
    repo.git("init", "-q")
    repo.run("init", "-q")
    repo.run("config", "cache.type", "symlink")
    repo.gen(
        {
            "known.txt": "known",
            "hidden.txt": "hidden",
            "plain.txt": "plain",
            "answer.c": "int answer(void) { return 42; }\n",
        }
    )
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", "answer.so", "answer.c"], cwd=repo.path, check=True)
    (repo.path / "answer.so").chmod(0o644)  # what can be run is copied, not linked to
    for name in ("known.txt", "hidden.txt", "plain.txt", "answer.so"):
        repo.run("add", "--quiet", name)
        (repo.path / name).unlink()
    repo.run("checkout")
    assert (repo.path / "hidden.txt").is_symlink()
    assert (repo.path / "answer.so").is_symlink()
    main = """\
import ctypes, os, pathlib
for name in ("known.txt", "hidden.txt"):
    pathlib.Path(name).resolve().read_text()
open("plain.txt").read()
ctypes.CDLL("./answer.so")
"""
    stages = f"stages:\n  one:\n    cmd: {sys.executable} main.py\n    deps: [main.py, known.txt]\n"
    repo.gen({"main.py": main, "dvc.yaml": stages})
    told = repo.run("repro").stderr
    assert "stage 'one' reads answer.so, hidden.txt, plain.txt, undeclared" in " ".join(told.split())
    paths = json.loads(repo.run("runs", "show", "one", "--json").stdout)["record"]["trace"]["paths"]["value"]
    assert paths["counts"]["input"] == 2
    assert paths["counts"]["tracked"] == 3


def test_files_that_are_alike_are_told_apart_where_they_share_an_object(ff: Tool, tmp_path: Path) -> None:
    repo = Sandbox(tmp_path / "repo", ff)
    repo.git("init", "-q")
    repo.run("init", "-q")
    repo.run("config", "cache.type", "symlink")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "cache").symlink_to("elsewhere")
    repo.run("cache", "dir", str(tmp_path / "cache"))
    repo.gen({"known.txt": "same", "twin.txt": "same", "data/one.txt": "one"})
    for name in ("known.txt", "twin.txt", "data"):
        repo.run("add", "--quiet", name)
    assert (repo.path / "twin.txt").is_symlink()
    (repo.path / "alias").symlink_to("known.txt")
    (repo.path / "other").symlink_to("alias")
    (repo.path / "folder").symlink_to("data")
    (repo.path / "loop").symlink_to("loop")
    main = """\
import pathlib
for name in ("known.txt", "alias", "other", "twin.txt", "folder/one.txt"):
    open(name).read()
pathlib.Path("loop").exists()
"""
    stages = f"stages:\n  one:\n    cmd: {sys.executable} main.py\n    deps: [main.py, known.txt]\n"
    repo.gen({"main.py": main, "dvc.yaml": stages})
    told = repo.run("repro").stderr
    assert "stage 'one' reads folder/one.txt, twin.txt, undeclared" in " ".join(told.split())
    trace = json.loads(repo.run("runs", "show", "one", "--json").stdout)["record"]["trace"]
    assert {row["kind"] for row in trace["undeclared_reads"]["value"]["files"]} == {"tracked"}
