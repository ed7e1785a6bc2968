"""Remotes whose versions the cloud keeps: refused by name before anything is asked, sent or rewritten."""

from collections.abc import Callable
from pathlib import Path

import pytest

from fourfold.project.fetch import fetch
from fourfold.project.fsck import fsck
from fourfold.project.gc import gc
from fourfold.project.project import Project
from fourfold.project.push import push
from fourfold.project.remote_status import remote_status
from fourfold.project.remotes import CloudVersionedError
from tests.fixtures.servers import S3Server
from tests.project.depot import Depot, Place, md5

VERBS: dict[str, Callable[[Project], object]] = {
    "push": push,
    "fetch": fetch,
    "status": remote_status,
    "gc": lambda project: gc(project, cloud=True),
    "fsck": lambda project: fsck(project, remotes=["store"]),
}


@pytest.fixture(params=["version_aware", "worktree"])
def cloud(request: pytest.FixtureRequest, tmp_path: Path, rclone_s3: S3Server) -> Depot:
    options = {**rclone_s3.options(), str(request.param): "true"}
    # D10: the bucket is missing, and the real DVC empties the pointer file when such a push fails.
    return Depot(tmp_path, Place("s3://no-such-bucket/x", options, {}))


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_refuses_and_changes_nothing(cloud: Depot, verb: str) -> None:
    before = (cloud.text("d.dvc"), cloud.text("f.dvc"), cloud.objects())
    if verb == "fetch":
        cloud.cached(md5("one\n")).unlink()
        before = (*before[:2], cloud.objects())
    with pytest.raises(CloudVersionedError, match="store"):
        VERBS[verb](cloud.open())
    assert (cloud.text("d.dvc"), cloud.text("f.dvc"), cloud.objects()) == before
    assert cloud.text("d/a") == "two\n"


def test_a_directory_that_names_versions_keeps_its_objects_in_gc_and_is_not_passed_over(
    tmp_path: Path, folder: Place
) -> None:
    depot = Depot(tmp_path, folder, {"d": {"a": "two\n"}, "junk": "junk\n"})
    file = f"  files:\n  - relpath: a\n    md5: {md5('two' + chr(10))}\n"
    cloud = "    cloud:\n      store:\n        etag: x\n        version_id: y\n"
    depot.gen(
        {
            "d.dvc": f"outs:\n- hash: md5\n  path: d\n{file}{cloud}",
            "junk.dvc": None,
        }
    )
    gc(depot.open())
    assert depot.cached(md5("two\n")).exists()
    assert not depot.cached(md5("junk\n")).exists()
    assert fetch(depot.open()).error is None
    with pytest.raises(CloudVersionedError):
        push(depot.open())
    depot.cached(md5("two\n")).unlink()
    with pytest.raises(CloudVersionedError):
        fetch(depot.open())
