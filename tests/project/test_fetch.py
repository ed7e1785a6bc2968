"""Fetch: every byte is proven before it gets its name; what cannot be had is told; the rest arrives."""

import resource
from pathlib import Path

import pytest

from fourfold.base.errors import FourfoldError
from fourfold.project.config import NoRemoteError, RemoteNotFoundError
from fourfold.project.fetch import fetch
from fourfold.project.push import push
from fourfold.project.scope import Scope
from fourfold.project.troubles import CorruptOnRemoteError, MissingOnRemoteError
from fourfold.storage.blob.protocol import BucketNotFoundError
from tests.project.depot import COUNT, Depot, Place, key, md5
from tests.project.test_push import manifest_of
from tests.project.workplace import Workplace

BIG = bytes(range(256)) * 8192  # 2 MiB: streamed, not held in memory


@pytest.fixture
def stocked(depot: Depot) -> Depot:
    """Everything is on the remote and nothing in the cache."""
    push(depot.open())
    depot.lose("f", "d")
    return depot


def test_fetch_brings_every_object_and_no_file(stocked: Depot) -> None:
    result = fetch(stocked.open())
    assert (result.fetched, result.error) == (COUNT, None)
    assert stocked.cached(md5("two\n")).read_bytes() == b"two\n"
    assert stocked.cached(md5("two\n")).stat().st_mode & 0o777 == 0o444
    assert not stocked.exists("f")
    assert not stocked.litter()
    again = fetch(stocked.open())
    assert (again.fetched, again.present) == (0, COUNT)


@pytest.mark.parametrize("hurt", ["flip", "truncate", "empty"])
def test_no_damage_of_the_remote_enters_the_cache_and_it_is_named(stocked: Depot, hurt: str) -> None:
    # A1, A2, A3, A4, D1: the real DVC takes it over and calls everything clean.
    oid = md5("two\n")
    if hurt == "flip":
        stocked.place.flip(oid)
    else:
        stocked.place.truncate(oid, 0 if hurt == "empty" else 2)
    bad = stocked.place.get(oid)
    result = fetch(stocked.open())
    assert isinstance(result.error, CorruptOnRemoteError)
    assert "damaged on remote 'store'" in result.error.message
    assert [(one.kind, one.path, one.oid) for one in result.troubles] == [("corrupt", "d/a", oid)]
    assert result.fetched == COUNT - 1
    assert not stocked.cached(oid).exists()
    assert not stocked.litter()
    # A6, D3: reading leaves the remote as it was.
    assert stocked.place.get(oid) == bad


def test_damage_of_a_large_object_is_found_while_it_streams(tmp_path: Path, place: Place) -> None:
    depot = Depot(tmp_path, place, {"big": BIG})
    push(depot.open())
    depot.lose("big")
    place.flip(md5(BIG))
    result = fetch(depot.open())
    assert [one.kind for one in result.troubles] == ["corrupt"]
    assert not depot.objects()
    assert not depot.litter()
    place.put(md5(BIG), BIG)
    assert fetch(depot.open()).error is None


def test_a_writable_damaged_object_of_a_folder_remote_is_not_deleted_by_reading_it(
    local_depot: Depot,
) -> None:
    # A6, D3 as DVC does it: a mode that is not 0444 makes it delete what it reads.
    push(local_depot.open())
    local_depot.lose("f", "d")
    path = Path(local_depot.place.url, key(md5("one\n")))
    path.chmod(0o644)
    path.write_bytes(b"bad\n")
    assert fetch(local_depot.open(), ["f"]).error is not None
    assert path.read_bytes() == b"bad\n"


def test_a_damaged_manifest_on_the_remote_costs_its_directory_and_nothing_else(stocked: Depot) -> None:
    stocked.place.put(manifest_of(stocked), b"[]")
    result = fetch(stocked.open())
    assert [(one.kind, one.path) for one in result.troubles] == [("corrupt", "d")]
    assert stocked.objects() == {md5("one\n")}


def test_what_the_remote_lacks_is_listed_by_path_and_the_rest_arrives(stocked: Depot) -> None:
    stocked.place.lose(md5("two\n"), md5("one\n"))
    result = fetch(stocked.open())
    error = result.error
    assert isinstance(error, MissingOnRemoteError)
    assert error.message == "2 of 5 objects are not on remote 'store'"
    assert list(error.details) == [f"d/a  md5 {md5('two' + chr(10))}", f"f  md5 {md5('one' + chr(10))}"]
    assert error.hint == "whoever has them can run: ff push"
    assert result.fetched == COUNT - 2


def test_a_missing_part_of_one_directory_names_that_directory(stocked: Depot) -> None:
    stocked.place.lose(md5("two\n"), md5("four\n"))
    error = fetch(stocked.open()).error
    assert error is not None
    assert error.message == "2 of 5 objects of d are not on remote 'store'"
    assert error.hint == "whoever has them can run: ff push d"


def test_one_missing_object_is_told_in_the_singular(stocked: Depot) -> None:
    stocked.place.lose(md5("four\n"))
    error = fetch(stocked.open()).error
    assert error is not None
    assert error.message == "1 of 5 objects is not on remote 'store': d/sub/c"
    assert error.hint == "whoever has it can run: ff push d/sub/c"


def test_a_damaged_manifest_of_the_cache_is_healed_from_the_remote(stocked: Depot) -> None:
    fetch(stocked.open())
    stocked.hurt(manifest_of(stocked), b"[]")
    result = fetch(stocked.open())
    assert (result.fetched, result.error) == (1, None)
    assert b"sub/c" in stocked.cached(manifest_of(stocked)).read_bytes()


def test_objects_that_are_named_as_damaged_are_fetched_again(stocked: Depot) -> None:
    fetch(stocked.open())
    stocked.hurt(md5("two\n"))
    assert fetch(stocked.open(), again={False: [md5("two\n")]}).fetched == 1
    assert stocked.cached(md5("two\n")).read_bytes() == b"two\n"


def test_fetch_of_a_path_inside_a_directory_brings_that_part_and_the_manifest(stocked: Depot) -> None:
    assert fetch(stocked.open(), ["d/sub"]).fetched == 2
    assert stocked.objects() == {md5("four\n"), manifest_of(stocked)}


def test_fetch_of_revisions_brings_what_each_of_them_needs(tmp_path: Path, place: Place) -> None:
    depot = Depot(tmp_path, place, {"f": "one\n", "d": {"a": "old\n"}})
    depot.commit("one")
    depot.git("tag", "v1")
    depot.track_tree({"f": "two\n", "d": {"a": "new\n"}})
    depot.commit("two")
    push(depot.open(), scope=Scope(all_commits=True))
    depot.lose()
    assert fetch(depot.open()).fetched == 3
    assert fetch(depot.open(), scope=Scope(all_tags=True)).fetched == 3
    depot.lose()
    assert fetch(depot.open(), ["f"], scope=Scope(all_commits=True)).fetched == 2


def test_max_size_and_type_leave_outputs_out(tmp_path: Path, folder: Place) -> None:
    depot = Depot(tmp_path, folder, {"small": "1", "large": "x" * 100, "d": {"a": "y" * 60}})
    depot.gen({"dvc.yaml": "metrics:\n- small\nplots:\n- d/a\n"})
    push(depot.open())
    depot.lose()
    assert fetch(depot.open(), max_size=100).fetched == 3
    depot.lose()
    assert fetch(depot.open(), types=["metrics"]).fetched == 1
    assert depot.objects() == {md5("1")}
    assert fetch(depot.open(), types=["plots"]).fetched == 2


def test_fetch_without_a_remote_fails_only_when_something_is_missing(work: Workplace) -> None:
    oid = work.track("f")
    result = fetch(work.open())
    assert (result.fetched, result.remoteless, result.error) == (0, True, None)
    Path(work.path(f".dvc/cache/{key(oid)}")).unlink()
    with pytest.raises(NoRemoteError):
        fetch(work.open())


def test_fetch_from_a_remote_that_is_not_configured_is_refused(local_depot: Depot) -> None:
    with pytest.raises(RemoteNotFoundError):
        fetch(local_depot.open(), remote="nowhere")


def test_a_folder_that_is_not_there_is_no_empty_remote(local_depot: Depot) -> None:
    Path(local_depot.place.url).rmdir()
    local_depot.lose()
    with pytest.raises(BucketNotFoundError, match="does not exist"):
        fetch(local_depot.open())


def test_objects_of_dvc_2_come_from_their_old_place_and_are_proven_as_dvc_2_named_them(
    tmp_path: Path, place: Place
) -> None:
    depot = Depot(tmp_path, place, {})
    oid = md5("a\nb\n")
    depot.gen({"f.dvc": f"outs:\n- md5: {oid}\n  size: 6\n  path: f\n"})
    place.store.put(key(oid, legacy=True), b"a\r\nb\r\n")
    assert fetch(depot.open()).fetched == 1
    assert depot.cached(oid, legacy=True).read_bytes() == b"a\r\nb\r\n"


def test_a_full_disk_leaves_no_litter_and_a_second_run_finishes(
    stocked: Depot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A14. A limit on the size of files stands for the full disk: the write fails in the same place.
    del tmp_path, monkeypatch
    stocked.track_tree({"big": BIG})
    push(stocked.open())
    stocked.lose("big")
    import signal  # noqa: PLC0415 - only here

    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, limits[1]))
    try:
        with pytest.raises(FourfoldError):
            fetch(stocked.open())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, old)
    assert not stocked.litter()
    assert fetch(stocked.open()).error is None
