"""Status against a remote: the truth about every file, and nothing written on either side."""

import os
from pathlib import Path

import pytest

from fourfold.project.push import push
from fourfold.project.remote_status import as_dvc, remote_status
from fourfold.project.scope import Scope
from fourfold.storage.blob.protocol import BucketNotFoundError
from tests.fixtures.servers import S3Server
from tests.project.depot import COUNT, Depot, Place, md5


def test_new_deleted_and_missing_are_told_by_path(depot: Depot) -> None:
    names = {"f", "d", "d/a", "d/b", "d/sub/c"}
    assert remote_status(depot.open()).states == dict.fromkeys(names, "new")
    push(depot.open())
    result = remote_status(depot.open())
    assert (result.states, result.remotes, result.total) == ({}, ("store",), COUNT)
    depot.cached(md5("one\n")).unlink()
    depot.place.lose(md5("two\n"))
    depot.place.lose(md5("three\n"))
    depot.cached(md5("three\n")).unlink()
    assert remote_status(depot.open()).states == {"f": "deleted", "d/a": "new", "d/b": "missing"}


def test_a_lost_child_behind_its_manifest_is_never_in_sync(depot: Depot) -> None:
    # A7, D2, issue 10977.
    push(depot.open())
    depot.place.lose(md5("three\n"))
    assert remote_status(depot.open()).states == {"d/b": "new"}


def test_an_object_that_was_cut_off_on_the_remote_is_not_there(depot: Depot) -> None:
    push(depot.open())
    depot.place.truncate(md5("three\n"))
    assert remote_status(depot.open()).states == {"d/b": "new"}


def test_a_manifest_that_only_the_remote_has_is_read_and_not_kept(depot: Depot) -> None:
    push(depot.open())
    depot.lose()
    states = remote_status(depot.open()).states
    assert states == dict.fromkeys(["f", "d", "d/a", "d/b", "d/sub/c"], "deleted")
    assert not os.path.exists(depot.path(".dvc/cache"))


def test_a_part_of_a_directory_is_compared_by_itself(depot: Depot) -> None:
    push(depot.open(), ["d/sub"])
    assert remote_status(depot.open(), ["d/sub"]).states == {}
    assert set(remote_status(depot.open(), ["d"]).states) == {"d/a", "d/b"}


def test_names_are_those_that_the_user_would_type(local_depot: Depot) -> None:
    local_depot.gen({"sub": {}})
    project = local_depot.open("sub")
    assert as_dvc(project, remote_status(project, ["../f"])) == {"../f": "new"}


def test_revisions_take_part(tmp_path: Path, folder: Place) -> None:
    depot = Depot(tmp_path, folder, {"f": "one\n"})
    depot.commit("one")
    depot.track_tree({"f": "two\n"})
    depot.commit("two")
    push(depot.open())
    assert remote_status(depot.open()).states == {}
    assert remote_status(depot.open(), scope=Scope(all_commits=True)).states == {"f": "new"}


def test_a_remote_that_cannot_be_asked_is_never_in_sync(tmp_path: Path, rclone_s3: S3Server) -> None:
    depot = Depot(tmp_path, Place("s3://no-such-bucket/x", rclone_s3.options(), {}))
    with pytest.raises(BucketNotFoundError):
        remote_status(depot.open())
