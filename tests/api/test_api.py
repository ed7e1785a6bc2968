"""The Python API and the file system, beside ``dvc.api`` over the same repository."""

import json
import subprocess
from pathlib import Path

import fsspec
import pytest

import fourfold as dvc_api
from fourfold.base.errors import FourfoldError
from fourfold.filesystem import FourfoldFileSystem
from tests.fixtures.sandbox import Sandbox

PEER = """
import json, sys
import dvc.api as api
repo = sys.argv[1]
fs = api.DVCFileSystem(repo, rev="HEAD~1")
print(json.dumps({
    "read": api.read("data/a.txt", repo=repo),
    "old": api.read("f.csv", repo=repo, rev="HEAD~1"),
    "git": api.read("README", repo=repo, rev="HEAD"),
    "url": api.get_url("f.csv", repo=repo),
    "inner": api.get_url("data/a.txt", repo=repo),
    "params": api.params_show(repo=repo),
    "metrics": api.metrics_show(repo=repo),
    "branches": sorted(api.all_branches(repo)),
    "find": sorted(path for path in fs.find("/") if not path.startswith("/.")),
    "md5": fs.info("/f.csv")["md5"],
}))
"""


@pytest.fixture
def repo(ff_repo: Sandbox) -> Sandbox:
    ff_repo.gen({"data": {"a.txt": "alpha", "s": {"b.txt": "beta"}}, "f.csv": "1\n", "README": "hello\n"})
    ff_repo.gen({"params.yaml": "lr: 0.1\n", "m.json": '{"auc": 0.5}', "dvc.yaml": "metrics:\n- m.json\n"})
    ff_repo.run("add", "data", "f.csv")
    ff_repo.run("remote", "add", "-d", "store", "../store")
    ff_repo.commit("one")
    ff_repo.gen({"f.csv": "2\n"})
    ff_repo.run("add", "f.csv")
    ff_repo.commit("two")
    ff_repo.run("push", "-A")
    return ff_repo


def _ours(repo: str) -> dict[str, object]:
    fs = FourfoldFileSystem(repo, rev="HEAD~1")
    return {
        "read": dvc_api.read("data/a.txt", repo=repo),
        "old": dvc_api.read("f.csv", repo=repo, rev="HEAD~1"),
        "git": dvc_api.read("README", repo=repo, rev="HEAD"),
        "url": dvc_api.get_url("f.csv", repo=repo),
        "inner": dvc_api.get_url("data/a.txt", repo=repo),
        "params": dvc_api.params_show(repo=repo),
        "metrics": dvc_api.metrics_show(repo=repo),
        "branches": sorted(dvc_api.all_branches(repo)),
        "find": sorted(path for path in fs.find("/") if not path.startswith("/.")),
        "md5": fs.info("/f.csv")["md5"],
    }


def test_every_answer_is_the_one_that_dvc_api_gives(repo: Sandbox, real_dvc: str) -> None:
    python = Path(real_dvc).with_name("python")
    done = subprocess.run(
        [python, "-c", PEER, str(repo.path)], env=repo.tool.env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert _ours(str(repo.path)) == json.loads(done.stdout)


def test_data_that_only_the_remote_has_is_fetched_and_proven(repo: Sandbox) -> None:
    url = str(repo.path)
    cache = repo.path / ".dvc/cache"
    cache.rename(repo.path.parent / "lost")
    (repo.path / "data/a.txt").unlink()
    assert dvc_api.read("data/a.txt", repo=url, rev="HEAD") == "alpha"


def test_the_protocol_opens_files_and_refuses_writing(repo: Sandbox) -> None:
    with fsspec.open("fourfold://data/s/b.txt", url=str(repo.path), rev="HEAD") as file:
        assert file.read() == b"beta"
    fs = FourfoldFileSystem(str(repo.path))
    assert fs.isdir("/data")
    assert fs.ls("/data", detail=False) == ["/data/a.txt", "/data/s"]
    with pytest.raises(FileNotFoundError):
        fs.info("/nothing")
    with pytest.raises(ValueError, match="read-only"):
        fs.open("/f.csv", "wb")


NAMED = """
import json, sys
import dvc.api as api
repo = sys.argv[1]
print(json.dumps({
    "newest": api.artifacts_show("model", repo=repo),
    "version": api.artifacts_show("model", version="v1.0.0", repo=repo),
    "stage": api.artifacts_show("model", stage="prod", repo=repo),
    "deep": api.artifacts_show("sub:deep", repo=repo),
    "sets": [api.get_dataset(name) for name in ("one", "two", "ch", "all", "file")],
}))
"""
SETS = """\
- {name: one, url: ../src, type: dvc%s}
- {name: two, url: ../src, type: dvc, path: d, rev: v1%s}
- {name: ch, url: 'dc://chains@v3', type: dc%s}
- {name: all, url: s3://b/d, type: url%s}
- {name: file, url: s3://b/f, type: url%s}
"""
LOCKED = (
    ", rev_lock: '1'",
    ", rev_lock: '2'",
    ", version: 3, created_at: '2024-01-01T00:00:00+00:00'",
    ", meta: {isdir: true}, files: [{relpath: s/a, meta: {version_id: v}}, {relpath: b, meta: {etag: e}}]",
    ", meta: {version_id: w}",
)


def test_artifacts_and_data_sets_are_told_as_dvc_api_tells_them(
    repo: Sandbox, real_dvc: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo.gen({"dvc.yaml": f"datasets:\n{SETS % (('',) * 5)}artifacts:\n  model: {{path: f.csv}}\n"})
    repo.gen({"dvc.lock": f"schema: '2.0'\ndatasets:\n{SETS % LOCKED}stages: {{}}\n"})
    repo.gen({"sub": {"dvc.yaml": "artifacts:\n  deep: {path: ../f.csv}\n"}})
    repo.commit("named")
    for name in ("model@v1.0.0", "model#prod#1", "sub=deep@v1.0.0"):
        repo.git("tag", "-a", "-m", name, name)
    repo.commit("later")
    repo.git("tag", "-a", "-m", "x", "model@v1.2.0")
    python = Path(real_dvc).with_name("python")
    url = str(repo.path)
    done = subprocess.run(
        [python, "-c", NAMED, url], env=repo.tool.env, cwd=url, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    monkeypatch.chdir(repo.path)
    ours = {
        "newest": dvc_api.artifacts_show("model", repo=url),
        "version": dvc_api.artifacts_show("model", version="v1.0.0"),
        "stage": dvc_api.artifacts_show("model", stage="prod", repo=url),
        "deep": dvc_api.artifacts_show("sub:deep", repo=url),
        "sets": [dvc_api.get_dataset(name) for name in ("one", "two", "ch", "all", "file")],
    }
    assert ours == json.loads(done.stdout)


NUMBERS = """
import json, sys
import dvc.api as api
repo, rev = sys.argv[1], sys.argv[2] or None
print(json.dumps([api.metrics_show(repo=repo, rev=rev), api.params_show(repo=repo, rev=rev)]))
"""


@pytest.fixture
def measured(ff_repo: Sandbox) -> Sandbox:
    """Two commits with other numbers each; one metric is data of a stage, pushed to a remote."""
    stage = "stages:\n  train:\n    cmd: cp params.yaml t.yaml\n    params: [lr]\n    metrics: [t.yaml]\n"
    ff_repo.run("remote", "add", "-d", "store", str(ff_repo.path.parent / "store"))
    for number in (1, 2):
        ff_repo.gen(
            {
                "params.yaml": f"lr: {number}\n",
                "m.json": f'{{"auc": {number}}}',
                "dvc.yaml": "metrics:\n- m.json\n" + stage,
            }
        )
        ff_repo.run("repro")
        ff_repo.commit(f"number {number}")
        ff_repo.run("push")
    return ff_repo


@pytest.mark.parametrize("rev", ["", "HEAD~1"])
@pytest.mark.parametrize("afar", [False, True])
def test_metrics_and_parameters_are_those_of_the_revision_also_from_afar(
    measured: Sandbox, real_dvc: str, rev: str, *, afar: bool
) -> None:
    repo = f"file://{measured.path}" if afar else str(measured.path)
    python = Path(real_dvc).with_name("python")
    done = subprocess.run(
        [python, "-c", NUMBERS, repo, rev], env=measured.tool.env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    number = 1 if rev else 2
    ours = [dvc_api.metrics_show(repo=repo, rev=rev or None), dvc_api.params_show(repo=repo, rev=rev or None)]
    assert ours == json.loads(done.stdout) == [{"auc": number, "lr": number}, {"lr": number}]


def test_a_metric_that_is_nowhere_to_be_had_is_an_error(measured: Sandbox) -> None:
    (measured.path / "m.json").unlink()
    with pytest.raises(FourfoldError) as caught:
        dvc_api.metrics_show(repo=str(measured.path))
    assert caught.value.code == "file-absent"
