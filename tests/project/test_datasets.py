"""Data sets: declared, looked at again, and compared with what stages recorded."""

import os
from pathlib import Path

import pytest

from fourfold.base.errors import FourfoldError, InvalidFileError
from fourfold.formats.dvc.datasets import DatasetSpec
from fourfold.project.dataset_edit import (
    DatachainError,
    DatasetExistsError,
    DatasetOptionError,
    UnversionedDatasetError,
    UnversionedRepositoryError,
    add_dataset,
    update_dataset,
)
from fourfold.project.datasets import NOT_IN_SYNC, DatasetNotFoundError, DatasetNotInSyncError, Datasets
from fourfold.project.undo import undo
from fourfold.scm.git import UnknownRevisionError
from fourfold.storage.blob.protocol import BlobUnavailableError
from tests.fixtures.http_files import HttpFiles
from tests.fixtures.servers import S3Server
from tests.project.workplace import Workplace


@pytest.fixture
def source(tmp_path: Path) -> Workplace:
    """A repository with one commit, tagged ``v1``."""
    (tmp_path / "source").mkdir()
    work = Workplace(tmp_path / "source")
    work.gen({"f": "1\n"})
    work.git("add", "--all")
    work.git("commit", "--quiet", "--message", "one")
    work.git("tag", "v1")
    return work


@pytest.fixture
def bucket(work: Workplace, moto_s3: S3Server) -> str:
    """The URL of a folder of a bucket that keeps versions, with ``a`` and ``s/b``."""
    name = moto_s3.make_bucket()
    client = moto_s3.client()
    client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    for key in ("d/a", "d/s/b"):
        client.put_object(Bucket=name, Key=key, Body=key.encode())
    work.environ.update(moto_s3.environ())
    return f"s3://{name}/d"


def repository(source: Workplace, name: str = "one", rev: str | None = None, path: str = "") -> DatasetSpec:
    """A data set in a repository."""
    return DatasetSpec(name, str(source.root), "dvc", path, rev)


def move_on(source: Workplace, tag: str = "v2") -> str:
    """A second commit; its id."""
    source.gen({"f": "2\n"})
    source.git("commit", "--quiet", "--all", "--message", "two")
    source.git("tag", tag)
    return source.git("rev-parse", "HEAD").strip()


def state(work: Workplace, name: str, recorded: dict[str, object] | None) -> str:
    """How a data set differs from what a stage of the top ``dvc.yaml`` recorded."""
    return Datasets(work.open()).state(work.path("dvc.yaml"), name, recorded)[0]


def recorded(work: Workplace, name: str) -> dict[str, object]:
    """What a stage that runs now records."""
    return Datasets(work.open()).lock_of(work.path("dvc.yaml"), name)


def test_a_repository_is_known_by_its_commit_and_a_stage_sees_when_it_moves(
    work: Workplace, source: Workplace
) -> None:
    first = source.git("rev-parse", "HEAD").strip()
    change = add_dataset(work.open(), repository(source))
    assert change.new.lock is not None
    assert change.new.lock.rev_lock == first
    then = recorded(work, "one")
    assert then["rev_lock"] == first
    assert state(work, "one", None) == "new"
    assert state(work, "one", then) == ""
    second = move_on(source)
    assert state(work, "one", then) == ""  # nobody is asked
    assert update_dataset(work.open(), "one").changed
    assert recorded(work, "one")["rev_lock"] == second
    assert state(work, "one", then) == "modified"
    assert not update_dataset(work.open(), "one").changed


def test_a_revision_is_followed_until_another_is_named(work: Workplace, source: Workplace) -> None:
    add_dataset(work.open(), repository(source, rev="v1"))
    second = move_on(source)
    assert not update_dataset(work.open(), "one").changed
    change = update_dataset(work.open(), "one", rev="v2")
    assert change.new.lock is not None
    assert (change.new.spec.rev, change.new.lock.rev_lock) == ("v2", second)
    assert "rev: v2" in work.text("dvc.yaml")
    undo(work.open())
    assert "rev: v1" in work.text("dvc.yaml")
    assert "rev: v1" in work.text("dvc.lock")


def test_objects_are_known_by_tag_and_version_and_what_moved_is_named(
    work: Workplace, bucket: str, moto_s3: S3Server
) -> None:
    change = add_dataset(work.open(), DatasetSpec("all", bucket, "url"))
    lock = change.new.lock
    assert lock is not None
    assert lock.meta == {"isdir": True, "size": 8, "nfiles": 2}
    assert [row["relpath"] for row in lock.files] == ["a", "s/b"]
    assert all({"size", "version_id", "etag"} == set(row["meta"]) for row in lock.files)
    client = moto_s3.client()
    name = bucket.split("/")[2]
    client.put_object(Bucket=name, Key="d/a", Body=b"other")
    client.put_object(Bucket=name, Key="d/new", Body=b"n")
    client.delete_object(Bucket=name, Key="d/s/b")
    assert update_dataset(work.open(), "all").files == {"a": "modified", "new": "added", "s/b": "deleted"}
    single = add_dataset(work.open(), DatasetSpec("one", f"{bucket}/a", "url")).new.lock
    assert single is not None
    assert single.meta is not None
    assert single.meta["size"] == 5
    assert not single.files


def test_a_lock_that_is_about_another_place_is_not_in_sync(work: Workplace, source: Workplace) -> None:
    add_dataset(work.open(), repository(source, rev="v1"))
    then = recorded(work, "one")
    work.gen({"dvc.yaml": work.text("dvc.yaml").replace("v1", "v2")})
    assert state(work, "one", then) == NOT_IN_SYNC
    with pytest.raises(DatasetNotInSyncError, match="is not about what"):
        recorded(work, "one")
    os.remove(work.path("dvc.lock"))
    assert state(work, "one", then) == NOT_IN_SYNC
    with pytest.raises(DatasetNotInSyncError, match="says nothing of data set 'one'"):
        recorded(work, "one")


def test_the_data_sets_of_other_folders_are_found_and_the_own_ones_first(
    work: Workplace, source: Workplace
) -> None:
    os.mkdir(work.path("sub"))
    add_dataset(work.open("sub"), repository(source, "below"))
    work.gen({"dvc.yaml": "datasets:\n- {name: below, url: elsewhere, type: dvc}\n"})
    found = Datasets(work.open())
    assert found.get("below", work.path("sub/dvc.yaml")).spec.url == str(source.root)
    assert found.get("below", work.path("dvc.yaml")).spec.url == "elsewhere"
    assert set(found.all()) == {"below"}


def test_the_values_of_templates_are_used_and_their_entries_left_alone(
    work: Workplace, source: Workplace
) -> None:
    entry = "datasets:\n- name: one\n  url: ${where}\n  type: dvc\n"
    work.gen({"dvc.yaml": entry, "params.yaml": f"where: {source.root}\n"})
    assert update_dataset(work.open(), "one").changed
    assert state(work, "one", recorded(work, "one")) == ""
    assert work.text("dvc.yaml") == entry
    with pytest.raises(FourfoldError, match="written with templates"):
        update_dataset(work.open(), "one", rev="v1")
    assert work.text("dvc.yaml") == entry


def test_a_name_that_is_taken_or_unknown_is_an_error(work: Workplace, source: Workplace) -> None:
    add_dataset(work.open(), repository(source))
    with pytest.raises(DatasetExistsError, match="one already exists in"):
        add_dataset(work.open(), repository(source, rev="v1"))
    add_dataset(work.open(), repository(source, rev="v1"), force=True)
    with pytest.raises(DatasetNotFoundError) as caught:
        update_dataset(work.open(), "oen")
    assert caught.value.hint == "did you mean 'one'?"


@pytest.mark.parametrize("name", ["", "a\nb", "\0"])
def test_a_name_that_is_none_is_refused(work: Workplace, source: Workplace, name: str) -> None:
    with pytest.raises(DatasetOptionError):
        add_dataset(work.open(), repository(source, name))
    assert not work.exists("dvc.yaml")


def test_what_cannot_be_looked_at_changes_nothing(
    work: Workplace, source: Workplace, http_files: HttpFiles, tmp_path: Path
) -> None:
    http_files.files["/f"] = b"data"
    empty = tmp_path / "empty"
    empty.mkdir()
    source.git("init", "--quiet", str(empty))
    cases: list[tuple[DatasetSpec, type[FourfoldError]]] = [
        (DatasetSpec("x", "chains", "dc"), DatachainError),
        (DatasetSpec("x", f"{http_files.url}/f", "url"), UnversionedDatasetError),
        (DatasetSpec("x", str(tmp_path), "url"), UnversionedDatasetError),
        (DatasetSpec("x", str(empty), "dvc"), UnversionedRepositoryError),
        (repository(source, rev="v9"), UnknownRevisionError),
    ]
    for spec, kind in cases:
        with pytest.raises(kind):
            add_dataset(work.open(), spec)
    assert not work.exists("dvc.yaml")
    assert not work.exists("dvc.lock")


def test_a_bucket_that_does_not_answer_is_told_and_what_was_known_stays(work: Workplace) -> None:
    work.environ.update(
        {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    )
    lock = (
        "schema: '2.0'\ndatasets:\n- name: x\n  url: s3://b/x\n  type: url\n  meta: {size: 1}\nstages: {}\n"
    )
    work.gen({"dvc.yaml": "datasets:\n- {name: x, url: 's3://b/x', type: url}\n", "dvc.lock": lock})
    with pytest.raises(BlobUnavailableError):
        update_dataset(work.open(), "x")
    assert work.text("dvc.lock") == lock


def test_a_data_set_at_a_url_has_no_revisions(work: Workplace) -> None:
    work.gen({"dvc.yaml": "datasets:\n- {name: x, url: 's3://b/x', type: url}\n"})
    with pytest.raises(DatasetOptionError, match="has no revisions"):
        update_dataset(work.open(), "x", rev="v1")


def test_a_broken_entry_is_told_with_its_line(work: Workplace) -> None:
    work.gen({"dvc.yaml": "datasets:\n- {name: x, url: y, type: z}\n"})
    with pytest.raises(InvalidFileError, match=r"dvc.yaml:2:\d+: unknown type 'z'"):
        update_dataset(work.open(), "x")
