"""Fsck: all damage in one pass, named by path, on either side; nothing else, and nothing changed."""

import os
from pathlib import Path

import pytest

from fourfold.project.desk import proofs_of
from fourfold.project.fetch import fetch
from fourfold.project.fsck import FsckResult, fsck
from fourfold.project.push import push
from fourfold.storage.blob.protocol import BucketNotFoundError
from tests.compat.scenario import dos2unix_md5
from tests.fixtures.servers import S3Server
from tests.project.depot import COUNT, Depot, Place, md5
from tests.project.test_push import manifest_of


def told(result: FsckResult) -> set[tuple[str, str, str]]:
    """The findings as (place, kind, path)."""
    return {(one.place, one.damage.kind, one.path) for one in result.findings}


def test_a_whole_cache_and_a_whole_remote_are_clean(depot: Depot) -> None:
    push(depot.open())
    result = fsck(depot.open(), read=True, all_remotes=True)
    assert (result.findings, result.error) == ((), None)
    assert [(place.place, place.checked, place.read) for place in result.places] == [
        ("cache", COUNT, COUNT),
        ("store", COUNT, COUNT),
    ]


def test_all_damage_of_the_cache_comes_out_in_one_pass(local_depot: Depot) -> None:
    depot = local_depot
    depot.hurt(md5("one\n"))
    depot.cached(md5("two\n")).unlink()
    depot.hurt(md5("three\n"), b"")
    for _pass in range(2):  # what was found once is found again
        assert told(fsck(depot.open())) == {
            ("cache", "corrupt", "f"),
            ("cache", "missing", "d/a"),
            ("cache", "corrupt", "d/b"),
        }
    error = fsck(depot.open()).error
    assert error is not None
    assert error.message == "3 objects are missing or damaged in cache"


def test_damage_that_leaves_no_trace_in_the_status_of_the_file_is_found_by_reading(
    local_depot: Depot,
) -> None:
    depot = local_depot
    depot.gen({".dvc/fourfold": None})  # as if a real DVC had written the cache: there are no proofs
    depot.hurt(md5("one\n"))
    result = fsck(depot.open())
    assert result.findings == ()
    assert result.places[0].unproven == COUNT
    assert told(fsck(depot.open(), read=True)) == {("cache", "corrupt", "f")}


def test_a_missing_or_damaged_manifest_is_told_by_the_name_of_its_directory(local_depot: Depot) -> None:
    manifest = manifest_of(local_depot)
    local_depot.hurt(manifest, b"[]")
    assert told(fsck(local_depot.open())) == {("cache", "corrupt", "d")}
    local_depot.cached(manifest).unlink()
    assert told(fsck(local_depot.open())) == {("cache", "missing", "d")}


def test_reading_looks_at_objects_that_no_pointer_file_names_any_more(local_depot: Depot) -> None:
    local_depot.track_tree({"f": "newer\n"})
    local_depot.hurt(md5("one\n"))
    assert fsck(local_depot.open()).findings == ()
    assert told(fsck(local_depot.open(), read=True)) == {("cache", "corrupt", "")}
    assert fsck(local_depot.open(), ["d"], read=True).findings == ()


def test_other_bytes_of_the_same_md5_are_told_by_the_other_digest(local_depot: Depot) -> None:
    project = local_depot.open()
    proofs = proofs_of(project)
    path = local_depot.cached(md5("one\n"))
    proofs.note(md5("one\n"), os.stat(path), b"\1" * 32)
    proofs.flush()
    result = fsck(local_depot.open(), read=True)
    assert "BLAKE3" in result.findings[0].damage.detail


def test_a_hostile_manifest_is_told_although_its_hash_is_right(local_depot: Depot) -> None:
    data = b'[{"md5": "%s", "relpath": "../../escape"}]' % md5("one\n").encode()
    oid = f"{md5(data)}.dir"
    path = local_depot.cached(oid)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    local_depot.gen({"evil.dvc": f"outs:\n- md5: {oid}\n  hash: md5\n  path: evil\n"})
    kinds = {one.damage.kind for one in fsck(local_depot.open(), read=True).findings}
    assert kinds & {"bad-manifest", "corrupt"}


@pytest.mark.parametrize("read", [False, True])
def test_all_damage_of_a_remote_comes_out_in_one_pass(depot: Depot, read: bool) -> None:
    push(depot.open())
    depot.place.truncate(md5("one\n"))
    depot.place.lose(md5("two\n"))
    depot.place.put(md5("three\n"), b"")
    depot.place.flip(md5("four\n"))
    found = {
        ("store", "corrupt", "f"),
        ("store", "missing", "d/a"),
        ("store", "corrupt", "d/b"),
    }
    if read:
        found.add(("store", "corrupt", "d/sub/c"))
    assert told(fsck(depot.open(), remotes=["store"], read=read)) == found


def test_a_remote_is_checked_without_any_cache(depot: Depot) -> None:
    push(depot.open())
    depot.place.flip(md5("four\n"))
    depot.place.lose(md5("two\n"))
    depot.lose()
    result = fsck(depot.open(), remotes=["store"], read=True)
    assert {one for one in told(result) if one[0] == "store"} == {
        ("store", "corrupt", "d/sub/c"),
        ("store", "missing", "d/a"),
    }
    assert not depot.exists(".dvc/cache")


def test_large_objects_of_a_remote_are_streamed(tmp_path: Path, place: Place) -> None:
    big = os.urandom(3 << 20)
    depot = Depot(tmp_path, place, {"big": big, "other": big[::-1]})
    push(depot.open())
    assert fsck(depot.open(), remotes=["store"], read=True).findings == ()
    place.flip(md5(big))
    assert told(fsck(depot.open(), remotes=["store"], read=True)) == {("store", "corrupt", "big")}


def test_of_a_remote_that_is_nobodys_default_only_what_it_has_is_checked(
    tmp_path: Path, folder: Place
) -> None:
    depot = Depot(tmp_path, folder)
    backup = Place(str(tmp_path / "backup"), {}, {})
    depot.remote("backup", backup)
    push(depot.open())
    push(depot.open(), ["f"], remote="backup")
    assert fsck(depot.open(), read=True, all_remotes=True).findings == ()
    assert len(fsck(depot.open(), remotes=["backup"]).findings) == COUNT - 1
    backup.flip(md5("one\n"))
    assert told(fsck(depot.open(), read=True, all_remotes=True)) == {("backup", "corrupt", "f")}


def test_objects_of_dvc_2_are_proven_as_dvc_2_named_them(tmp_path: Path, place: Place) -> None:
    depot = Depot(tmp_path, place, {})
    text = b"line\r\n" * 400_000  # folded in chunks, and streamed
    oid = dos2unix_md5(text)
    depot.gen({"f.dvc": f"outs:\n- md5: {oid}\n  size: {len(text)}\n  path: f\n"})
    place.store.put(f"{oid[:2]}/{oid[2:]}", text)
    fetch(depot.open())
    assert fsck(depot.open(), remotes=["store"], read=True).findings == ()
    place.store.put(f"{oid[:2]}/{oid[2:]}", text[:-1] + b"x")
    assert told(fsck(depot.open(), remotes=["store"], read=True)) == {("store", "corrupt", "f")}


def test_odd_permissions_and_litter_are_mentioned_and_are_no_damage(local_depot: Depot) -> None:
    path = local_depot.cached(md5("one\n"))
    path.chmod(0o644)
    result = fsck(local_depot.open())
    assert result.modes == ((md5("one\n"), 0o644),)
    assert result.error is None


def test_fsck_changes_nothing(local_depot: Depot) -> None:
    local_depot.hurt(md5("one\n"))

    def listing() -> list[tuple[str, int]]:
        return sorted(
            (os.path.join(folder, name), os.lstat(os.path.join(folder, name)).st_mtime_ns)
            for folder, _folders, names in os.walk(local_depot.path(".dvc/cache"))
            for name in names
        )

    before = listing()
    fsck(local_depot.open(), read=True, all_remotes=True)
    assert listing() == before


def test_a_remote_that_cannot_be_asked_is_an_error_and_not_clean(tmp_path: Path, rclone_s3: S3Server) -> None:
    depot = Depot(tmp_path, Place("s3://no-such-bucket/x", rclone_s3.options(), {}))
    with pytest.raises(BucketNotFoundError):
        fsck(depot.open(), remotes=["store"])
