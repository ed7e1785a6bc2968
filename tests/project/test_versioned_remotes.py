"""Remotes whose versions the cloud keeps, against a server that keeps them, and one that does not."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fourfold.base.clock import SYSTEM
from fourfold.base.errors import CorruptError, FourfoldError, NotFoundError
from fourfold.base.ids import UnsafePathError
from fourfold.project.add import add
from fourfold.project.checkout import checkout
from fourfold.project.data_status import data_status
from fourfold.project.elsewhere import Surroundings
from fourfold.project.fetch import fetch
from fourfold.project.files import load_tracked
from fourfold.project.fsck import fsck
from fourfold.project.gc import gc
from fourfold.project.get import get
from fourfold.project.project import Project
from fourfold.project.pull import pull
from fourfold.project.push import push
from fourfold.project.remote_status import remote_status
from fourfold.project.remotes import CloudVersionedError
from fourfold.project.scope import Scope
from fourfold.project.status import status
from fourfold.project.undo import undo
from fourfold.project.versioned_push import OtherCloudError
from fourfold.storage.blob.protocol import BucketNotFoundError, NoVersionsError
from tests.fixtures.servers import S3Server
from tests.project.depot import Depot, Place, md5

FIRST = {"f": "one\n", "d": {"a": "two\n", "b": "three\n", "sub": {"c": "four\n"}}}


class Cloud(Depot):
    """A project with a remote in a bucket that keeps versions, and a look at the bucket itself."""

    def __init__(self, base: Path, server: S3Server, kind: str = "version_aware") -> None:
        self.client: Any = server.client()
        self.bucket = f"versions-{secrets.token_hex(4)}"
        self.client.create_bucket(Bucket=self.bucket)
        self.client.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration={"Status": "Enabled"})
        super().__init__(
            base, Place(f"s3://{self.bucket}/real", {**server.options(), kind: "true"}, {}), FIRST
        )

    def latest(self) -> dict[str, bytes]:
        """What a plain listing of the bucket shows."""
        found = self.client.list_objects_v2(Bucket=self.bucket).get("Contents", ())
        return {
            item["Key"]: self.client.get_object(Bucket=self.bucket, Key=item["Key"])["Body"].read()
            for item in found
        }

    def versions(self, key: str) -> list[str]:
        """The versions of one object, newest first."""
        listed = self.client.list_object_versions(Bucket=self.bucket, Prefix=key)
        return [item["VersionId"] for item in listed.get("Versions", ()) if item["Key"] == key]

    def tracked_oid(self, path: str) -> str:
        """The name of what is tracked at a path."""
        return next(str(out.oid) for out in load_tracked(self.open()).outs if out.relpath == path)

    def change(self, tree: dict[str, Any]) -> None:
        """Change files and record them."""
        self.gen(tree)
        add(self.open(), ["f", "d"])


@pytest.fixture
def cloud(tmp_path: Path, moto_s3: S3Server) -> Cloud:
    return Cloud(tmp_path, moto_s3)


@pytest.fixture
def worktree(tmp_path: Path, moto_s3: S3Server) -> Cloud:
    return Cloud(tmp_path, moto_s3, "worktree")


def test_files_lie_under_their_names_and_pointer_files_name_the_versions(cloud: Cloud) -> None:
    done = push(cloud.open())
    assert (done.pushed, done.present, done.error) == (4, 0, None)
    assert cloud.latest() == {
        "real/f": b"one\n",
        "real/d/a": b"two\n",
        "real/d/b": b"three\n",
        "real/d/sub/c": b"four\n",
    }
    version = cloud.versions("real/f")[0]
    tag = md5("one\n")
    assert cloud.text("f.dvc") == (
        f"outs:\n- md5: {tag}\n  size: 4\n  hash: md5\n  path: f\n"
        f"  cloud:\n    store:\n      etag: {tag}\n      version_id: {version}\n"
    )
    assert ".dir" not in cloud.text("d.dvc")
    assert cloud.versions("real/d/sub/c")[0] in cloud.text("d.dvc")
    assert not status(cloud.open()).changed


def test_what_every_commit_had_comes_back_from_its_own_versions(cloud: Cloud) -> None:
    push(cloud.open())
    old = cloud.commit("one")
    cloud.change({"f": "changed\n", "d": {"a": "changed\n", "new": "new\n"}})
    push(cloud.open())
    cloud.commit("two")
    for rev, name, text in (("HEAD", "d/new", "new\n"), (old, "d/a", "two\n"), (old, "f", "one\n")):
        cloud.git("checkout", "-q", rev)
        cloud.lose("f", "d")
        assert pull(cloud.open()).error is None
        assert cloud.text(name) == text
        assert not status(cloud.open()).changed


def test_a_second_push_sends_nothing_and_leaves_pointer_files_as_they_are(cloud: Cloud) -> None:
    push(cloud.open())
    before = cloud.text("d.dvc")
    again = push(cloud.open())
    assert (again.pushed, again.present, again.error) == (0, 4, None)
    assert cloud.text("d.dvc") == before
    assert len(cloud.versions("real/d/a")) == 1


def test_adding_again_keeps_the_versions_of_files_that_did_not_change(cloud: Cloud) -> None:
    push(cloud.open())
    kept = cloud.versions("real/d/b")[0]
    cloud.change({"d": {"a": "changed\n"}})
    text = cloud.text("d.dvc")
    assert kept in text
    assert text.count("version_id") == 2
    assert push(cloud.open()).pushed == 1
    assert cloud.versions("real/d/b") == [kept]


def test_d10_a_push_that_fails_changes_no_pointer_file_and_loses_nothing(
    tmp_path: Path, moto_s3: S3Server
) -> None:
    options = {**moto_s3.options(), "worktree": "true"}
    depot = Depot(tmp_path, Place("s3://no-such-bucket/x", options, {}), FIRST)
    before = (depot.text("d.dvc"), depot.text("f.dvc"), depot.objects())
    with pytest.raises(BucketNotFoundError):
        push(depot.open())
    assert (depot.text("d.dvc"), depot.text("f.dvc"), depot.objects()) == before
    checkout(depot.open())
    assert depot.text("d/sub/c") == "four\n"


def test_a_directory_that_could_not_go_up_whole_keeps_its_pointer_file_and_nothing_goes_twice(
    cloud: Cloud,
) -> None:
    before = cloud.text("d.dvc")
    lost = cloud.cached(md5("three\n"))
    lost.rename(cloud.path("aside"))
    done = push(cloud.open())
    assert isinstance(done.error, NotFoundError)
    assert [trouble.path for trouble in done.troubles] == ["d/b"]
    assert cloud.text("d.dvc") == before
    assert "version_id" in cloud.text("f.dvc")
    os.rename(cloud.path("aside"), lost)
    assert push(cloud.open()).pushed == 1
    assert len(cloud.versions("real/d/a")) == 1
    assert cloud.text("d.dvc").count("version_id") == 3


def test_a_bucket_without_versions_is_refused_and_nothing_in_it_is_replaced(
    tmp_path: Path, rclone_s3: S3Server
) -> None:
    bucket = rclone_s3.make_bucket()
    options = {**rclone_s3.options(), "version_aware": "true"}
    depot = Depot(tmp_path, Place(f"s3://{bucket}/real", options, {}), {"f": "one\n"})
    with pytest.raises(NoVersionsError, match="store"):
        push(depot.open())
    client = rclone_s3.client()
    assert not client.list_objects_v2(Bucket=bucket).get("Contents")
    client.put_object(Bucket=bucket, Key="real/f", Body=b"theirs")
    with pytest.raises(NoVersionsError):
        push(depot.open())
    assert client.get_object(Bucket=bucket, Key="real/f")["Body"].read() == b"theirs"
    assert "cloud" not in depot.text("f.dvc")


def test_bytes_that_are_not_what_the_pointer_file_says_are_not_taken_over(cloud: Cloud) -> None:
    push(cloud.open())
    cloud.gen({"f.dvc": cloud.text("f.dvc").replace(md5("one\n"), md5("two\n"), 1)})
    cloud.lose("f", "d")
    assert isinstance(fetch(cloud.open(), ["f"]).error, CorruptError)
    assert md5("two\n") not in cloud.objects()


def test_a_file_without_a_version_on_record_is_found_by_its_content(cloud: Cloud) -> None:
    before = cloud.text("f.dvc")
    push(cloud.open())
    cloud.gen({"f.dvc": before})
    cloud.lose("f")
    assert fetch(cloud.open(), ["f"]).error is None
    cloud.client.put_object(Bucket=cloud.bucket, Key="real/f", Body=b"another")
    cloud.lose("f")
    assert isinstance(fetch(cloud.open(), ["f"]).error, NotFoundError)


def test_d11_a_file_that_was_deleted_here_is_deleted_on_the_worktree_and_others_stay(worktree: Cloud) -> None:
    push(worktree.open())
    worktree.commit("one")
    worktree.client.put_object(Bucket=worktree.bucket, Key="real/d/theirs", Body=b"theirs")
    os.unlink(worktree.path("d/b"))
    add(worktree.open(), ["d"])
    worktree.commit("deleted")
    heard: list[Any] = []
    done = push(worktree.open(), events=heard.append)
    assert done.deleted == ("d/b",)
    assert sorted(worktree.latest()) == ["real/d/a", "real/d/sub/c", "real/d/theirs", "real/f"]
    assert any("1 file below 'd'" in getattr(event, "message", "") for event in heard)
    worktree.git("checkout", "-q", "HEAD~1")
    worktree.lose("f", "d")
    assert pull(worktree.open()).error is None
    assert worktree.text("d/b") == "three\n"


def test_a_part_of_a_directory_goes_up_alone(cloud: Cloud) -> None:
    assert push(cloud.open(), ["d/sub"]).pushed == 1
    assert sorted(cloud.latest()) == ["real/d/sub/c"]
    assert cloud.text("d.dvc").count("version_id") == 1
    assert not status(cloud.open()).changed
    assert push(cloud.open()).pushed == 3


def test_undo_takes_the_versions_out_of_pointer_files_again(cloud: Cloud) -> None:
    before = cloud.text("d.dvc")
    push(cloud.open())
    undo(cloud.open())
    assert cloud.text("d.dvc") == before


def test_the_lock_file_of_a_stage_names_versions_too(cloud: Cloud) -> None:
    cloud.gen(
        {
            "d.dvc": None,
            "dvc.yaml": "stages:\n  make:\n    cmd: make\n    outs:\n    - d\n",
            "dvc.lock": "schema: '2.0'\nstages:\n  make:\n    cmd: make\n    outs:\n    - path: d\n"
            f"      hash: md5\n      md5: {next(oid for oid in cloud.objects() if oid.endswith('.dir'))}\n",
        }
    )
    assert push(cloud.open()).error is None
    assert cloud.text("dvc.lock").count("version_id") == 3
    cloud.lose("f", "d")
    assert pull(cloud.open()).error is None
    assert cloud.text("d/sub/c") == "four\n"


def test_versions_of_another_remote_are_not_thrown_away(cloud: Cloud, moto_s3: S3Server) -> None:
    push(cloud.open())
    cloud.remote(
        "other", Place(f"s3://{cloud.bucket}/other", {**moto_s3.options(), "version_aware": "true"}, {})
    )
    with pytest.raises(OtherCloudError, match="store"):
        push(cloud.open(), remote="other")


def test_a_list_of_files_that_leads_out_is_refused(cloud: Cloud) -> None:
    cloud.gen({"d.dvc": f"outs:\n- hash: md5\n  path: d\n  files:\n  - relpath: ../x\n    md5: {md5('x')}\n"})
    with pytest.raises(UnsafePathError):
        pull(cloud.open())


REFUSED: dict[str, Callable[[Project], object]] = {
    "push of old revisions": lambda project: push(project, scope=Scope(all_commits=True)),
    "gc": lambda project: gc(project, cloud=True),
    "fsck": lambda project: fsck(project, remotes=["store"]),
}


@pytest.mark.parametrize("verb", REFUSED)
def test_what_such_a_remote_cannot_do_is_refused_and_changes_nothing(cloud: Cloud, verb: str) -> None:
    cloud.commit()
    before = (cloud.text("d.dvc"), cloud.text("f.dvc"), cloud.objects())
    with pytest.raises(CloudVersionedError, match="store"):
        REFUSED[verb](cloud.open())
    assert (cloud.text("d.dvc"), cloud.text("f.dvc"), cloud.objects()) == before


def test_versions_of_a_remote_that_is_not_s3_are_refused(tmp_path: Path, folder: Place) -> None:
    depot = Depot(tmp_path, Place(folder.url, {"version_aware": "true"}, {}))
    with pytest.raises(CloudVersionedError, match="store"):
        push(depot.open())
    depot.cached(md5("one\n")).unlink()
    with pytest.raises(CloudVersionedError, match="store"):
        fetch(depot.open())


def test_gc_keeps_what_a_listed_directory_names(cloud: Cloud) -> None:
    push(cloud.open())
    cloud.change({"f": "changed\n"})
    gc(cloud.open())
    assert cloud.cached(md5("two\n")).exists()
    assert not cloud.cached(md5("one\n")).exists()
    cloud.cached(cloud.tracked_oid("d")).unlink()
    gc(cloud.open())
    assert cloud.cached(md5("two\n")).exists()


def test_a_list_without_files_is_what_a_failed_push_left_and_is_told(cloud: Cloud) -> None:
    cloud.gen({"d.dvc": "outs:\n- hash: md5\n  path: d\n  files: []\n"})
    heard: list[Any] = []
    try:
        pull(cloud.open(), ["d"], events=heard.append)
    except FourfoldError:
        heard.append("an error")
    assert heard
    assert cloud.text("d/a") == "two\n"


def test_status_asks_for_the_versions_that_pointer_files_name(cloud: Cloud) -> None:
    def states() -> dict[str, str]:
        return remote_status(cloud.open()).states

    push(cloud.open(), ["d"])
    assert states() == {"f": "new"}
    push(cloud.open())
    assert states() == {}
    cloud.client.delete_object(Bucket=cloud.bucket, Key="real/d/b", VersionId=cloud.versions("real/d/b")[0])
    assert states() == {"d/b": "new"}
    assert data_status(cloud.open(), granular=True, not_in_remote=True).not_in_remote == ("d/", "d/b")
    cloud.cached(md5("three\n")).unlink()
    cloud.cached(md5("one\n")).unlink()
    assert states() == {"d/b": "missing", "f": "deleted"}


def test_another_project_gets_what_a_commit_names_from_its_versions(cloud: Cloud, tmp_path: Path) -> None:
    push(cloud.open())
    old = cloud.commit("one")
    cloud.change({"d": {"a": "changed\n"}})
    push(cloud.open())
    cloud.commit("two")
    cloud.lose("f", "d")
    here = Surroundings(cloud.environ, str(tmp_path), SYSTEM)
    get(str(cloud.root), "d", here, rev=old)
    assert (tmp_path / "d" / "a").read_text() == "two\n"
    assert (tmp_path / "d" / "sub" / "c").read_text() == "four\n"
    get(str(cloud.root), "f", here)
    get(str(cloud.root), "d/a", here)
    assert (tmp_path / "f").read_text() == "one\n"
    assert (tmp_path / "a").read_text() == "changed\n"
