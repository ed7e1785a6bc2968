"""The run cache between machines: sound entries travel, damaged ones stay where they are."""

import shutil
from pathlib import Path

import pytest

from fourfold.formats.dvc import runcache
from fourfold.formats.dvc.lock import LockEntry
from fourfold.formats.dvc.pointer import Dependency, Output
from fourfold.project.fetch import fetch
from fourfold.project.push import push
from fourfold.project.remotes import open_remote
from fourfold.project.runs import RunsUnsupportedError, pull_runs, push_runs
from tests.fixtures.http_files import HttpFiles
from tests.project.depot import Depot, Place, md5, recorder


def entry(number: int) -> LockEntry:
    return LockEntry(
        cmd=f"make {number}",
        deps=(Dependency("in", oid=md5(f"in {number}"), size=4),),
        outs=(Output("out", oid=md5(f"out {number}"), size=5),),
    )


def remember(depot: Depot, number: int) -> Path:
    """Put a run into the run cache; its file."""
    path = Path(depot.path(".dvc/cache"), runcache.relpath(entry(number)))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(runcache.render(entry(number)))
    return path


def runs_of(depot: Depot) -> Path:
    return Path(depot.path(".dvc/cache/runs"))


def test_runs_go_and_come_when_that_is_asked(depot: Depot) -> None:
    files = [remember(depot, number) for number in range(3)]
    assert push(depot.open()).runs == 0
    assert push(depot.open(), run_cache=True).runs == 3
    assert push(depot.open(), run_cache=True).runs == 0
    shutil.rmtree(runs_of(depot))
    assert fetch(depot.open()).runs == 0
    assert fetch(depot.open(), run_cache=True).runs == 3
    assert fetch(depot.open(), run_cache=True).runs == 0
    assert [path.read_bytes() for path in files] == [runcache.render(entry(number)) for number in range(3)]


def test_a_damaged_run_stays_where_it_is_and_is_told(depot: Depot) -> None:
    bad, _good = remember(depot, 1), remember(depot, 2)
    bad.write_bytes(bad.read_bytes().replace(b"make", b"fake"))
    events, sink = recorder()
    assert push_runs(depot.open(), open_remote(depot.open()), events=sink) == 1
    assert [event.code for event in events if hasattr(event, "code")] == ["damaged-run"]

    key = runcache.relpath(entry(3))
    depot.place.store.put(key, b"cmd: evil\n")
    depot.place.store.put("runs/../../escape".replace("../", "") + "/x", b"cmd: evil\n")
    assert pull_runs(depot.open(), open_remote(depot.open())) == 0
    assert not Path(depot.path(".dvc/cache"), key).exists()


def test_a_remote_behind_http_takes_no_runs(tmp_path: Path, http_files: HttpFiles) -> None:
    depot = Depot(tmp_path, Place(http_files.url, {}, {}), {})
    remember(depot, 1)
    with pytest.raises(RunsUnsupportedError):
        push_runs(depot.open(), open_remote(depot.open()))
    events, sink = recorder()
    assert push(depot.open(), run_cache=True, events=sink).runs == 0
    assert any(getattr(event, "code", "") == "run-cache-unsupported" for event in events)
