"""Push: what can go goes, proven; what cannot is told; nothing that is there is believed unasked."""

import os
from pathlib import Path

import pytest

from fourfold.base.ids import Oid
from fourfold.project.config import NoRemoteError, RemoteNotFoundError
from fourfold.project.push import push
from fourfold.project.scope import Scope
from fourfold.project.targets import TargetNotFoundError
from fourfold.project.troubles import CorruptInCacheError, MissingEverywhereError
from fourfold.storage.blob.protocol import BucketNotFoundError
from tests.fixtures.servers import S3Server
from tests.project.depot import COUNT, TREE, Depot, Place, key, md5, recorder
from tests.project.workplace import Workplace


def manifest_of(depot: Depot, name: str = "d") -> Oid:
    line = next(line for line in depot.text(f"{name}.dvc").splitlines() if "md5:" in line)
    return Oid(line.rpartition(" ")[2])


def test_push_sends_every_object_once_in_the_layout_of_dvc(depot: Depot) -> None:
    result = push(depot.open())
    assert (result.pushed, result.present, result.error) == (COUNT, 0, None)
    names = {md5("one\n"), md5("two\n"), md5("three\n"), md5("four\n"), manifest_of(depot)}
    assert depot.place.keys() == {key(oid) for oid in names}
    assert depot.place.get(md5("two\n")) == b"two\n"
    again = push(depot.open())
    assert (again.pushed, again.present) == (0, COUNT)
    assert not depot.litter()


def test_push_to_a_folder_makes_read_only_objects(local_depot: Depot) -> None:
    push(local_depot.open())
    path = Path(local_depot.place.url, key(md5("one\n")))
    assert path.stat().st_mode & 0o777 == 0o444


def test_push_sends_a_child_that_was_lost_behind_its_manifest(depot: Depot) -> None:
    # A7, D2, and the real DVC's issue 10977: the manifest on the remote proves nothing.
    push(depot.open())
    depot.place.lose(md5("three\n"))
    result = push(depot.open())
    assert (result.pushed, result.error) == (1, None)
    assert depot.place.get(md5("three\n")) == b"three\n"


def test_push_proves_the_children_of_a_directory_whose_manifest_only_the_remote_has(depot: Depot) -> None:
    push(depot.open())
    depot.place.lose(md5("three\n"))
    depot.cached(manifest_of(depot)).unlink()
    depot.cached(md5("three\n")).unlink()
    result = push(depot.open())
    assert [(trouble.kind, trouble.oid) for trouble in result.troubles] == [("missing", md5("three\n"))]
    assert isinstance(result.error, MissingEverywhereError)


def test_push_replaces_an_object_that_was_cut_off_on_the_remote(depot: Depot) -> None:
    push(depot.open())
    depot.place.truncate(md5("three\n"))
    assert push(depot.open()).pushed == 1
    assert depot.place.get(md5("three\n")) == b"three\n"


def test_push_never_passes_a_damaged_object_on_and_sends_the_rest(depot: Depot) -> None:
    # A5: the real DVC spreads it, because the object is read-only.
    depot.hurt(md5("two\n"))
    result = push(depot.open())
    assert isinstance(result.error, CorruptInCacheError)
    assert [(one.kind, one.path) for one in result.troubles] == [("corrupt", "d/a"), ("withheld", "d")]
    assert depot.place.keys() == {key(md5(text)) for text in ("one\n", "three\n", "four\n")}


def test_push_says_exactly_what_is_missing_and_sends_the_rest(depot: Depot) -> None:
    depot.cached(md5("two\n")).unlink()
    depot.cached(md5("one\n")).unlink()
    result = push(depot.open())
    assert isinstance(result.error, MissingEverywhereError)
    assert {(one.kind, one.path, one.remote) for one in result.troubles} == {
        ("missing", "f", "store"),
        ("missing", "d/a", "store"),
        ("withheld", "d", "store"),
    }
    assert f"d/a  md5 {md5('two' + chr(10))}" in " ".join(result.error.details)
    assert result.pushed == 2


def test_what_is_missing_here_but_on_the_remote_is_no_trouble(depot: Depot) -> None:
    push(depot.open())
    depot.lose()
    result = push(depot.open())
    assert (result.pushed, result.present, result.error) == (0, COUNT, None)


def test_push_of_a_path_inside_a_directory_sends_that_part_and_the_manifest(depot: Depot) -> None:
    assert push(depot.open(), ["d/sub"]).pushed == 2
    assert depot.place.keys() == {key(md5("four\n")), key(manifest_of(depot))}
    assert push(depot.open(), ["d/a"]).pushed == 1
    assert push(depot.open(), ["d"]).pushed == 1


def test_push_takes_targets_folders_and_patterns(tmp_path: Path, folder: Place) -> None:
    depot = Depot(tmp_path, folder, {"one": "1", "two": "2", "sub/three": "3", "sub/four": "4"})
    assert push(depot.open(), ["one.dvc"]).pushed == 1
    assert push(depot.open("sub"), ["three"]).pushed == 1
    assert push(depot.open(), ["sub"], recursive=True).pushed == 1
    assert push(depot.open(), ["t*"], glob=True).pushed == 1
    with pytest.raises(TargetNotFoundError):
        push(depot.open(), ["nothing"])


def test_outputs_go_to_their_own_remote_or_nowhere(tmp_path: Path, folder: Place) -> None:
    depot = Depot(tmp_path, folder, {})
    other = Place(str(tmp_path / "other"), {}, {})
    depot.remote("other", other)
    depot.track("plain", b"plain")
    depot.track("own", b"own", extra={"remote": "other"})
    depot.track("never", b"never", extra={"push": "false"})
    depot.track("uncached", b"uncached", extra={"cache": "false"})
    assert push(depot.open()).pushed == 2
    assert folder.keys() == {key(md5("plain"))}
    assert other.keys() == {key(md5("own"))}
    assert push(depot.open(), remote="other").pushed == 1
    assert other.keys() == {key(md5("own")), key(md5("plain"))}
    assert push(depot.open(), remote="store").pushed == 0


def test_push_of_revisions_sends_what_each_of_them_needs(tmp_path: Path, folder: Place) -> None:
    depot = Depot(tmp_path, folder, {"f": "one\n"})
    depot.commit("one")
    depot.git("tag", "v1")
    for text in ("two\n", "three\n"):
        depot.track_tree({"f": text})
        depot.commit(text.strip())
    depot.git("branch", "old", "HEAD~1")
    assert push(depot.open()).pushed == 1
    assert push(depot.open(), scope=Scope(all_tags=True)).pushed == 1
    assert push(depot.open(), scope=Scope(all_branches=True)).pushed == 1
    assert folder.keys() == {key(md5(text)) for text in ("one\n", "two\n", "three\n")}
    folder.lose(*[md5(text) for text in ("one\n", "two\n", "three\n")])
    assert push(depot.open(), scope=Scope(all_commits=True)).pushed == 3


def test_a_revision_that_cannot_be_read_is_told_and_the_others_are_pushed(
    tmp_path: Path, folder: Place
) -> None:
    depot = Depot(tmp_path, folder, {"f": "one\n"})
    depot.gen({"broken.dvc": "outs: [\n"})
    depot.commit("broken")
    depot.gen({"broken.dvc": None})
    depot.track_tree({"f": "two\n"})
    depot.commit("mended")
    events, sink = recorder()
    result = push(depot.open(), scope=Scope(all_commits=True), events=sink)
    assert result.pushed == 1
    assert len(result.failed) == 1
    assert any(getattr(event, "code", "") == "revision-skipped" for event in events)


def test_objects_of_dvc_2_go_to_their_old_place(tmp_path: Path, place: Place) -> None:
    depot = Depot(tmp_path, place, {})
    oid = md5("a\nb\n")  # named by the text with its line ends folded
    depot.gen({"f": b"a\r\nb\r\n", "f.dvc": f"outs:\n- md5: {oid}\n  size: 6\n  path: f\n"})
    old = depot.cached(oid, legacy=True)
    old.parent.mkdir(parents=True)
    old.write_bytes(b"a\r\nb\r\n")
    assert push(depot.open()).pushed == 1
    assert place.keys() == {key(oid, legacy=True)}


def test_push_without_a_remote_says_how_to_make_one(work: Workplace) -> None:
    work.track("f")
    with pytest.raises(NoRemoteError, match="no remote specified"):
        push(work.open())


def test_push_to_a_remote_that_is_not_configured_is_refused(local_depot: Depot) -> None:
    with pytest.raises(RemoteNotFoundError):
        push(local_depot.open(), remote="nowhere")


def test_push_to_a_bucket_that_does_not_exist_is_an_error_and_changes_no_pointer_file(
    tmp_path: Path, rclone_s3: S3Server
) -> None:
    depot = Depot(tmp_path, Place("s3://no-such-bucket/x", rclone_s3.options(), {}))
    before = depot.text("d.dvc")
    try:
        result = push(depot.open())
        assert result.error is not None
    except BucketNotFoundError:
        pass
    assert depot.text("d.dvc") == before


def test_two_outputs_of_one_content_are_one_object(tmp_path: Path, folder: Place) -> None:
    depot = Depot(tmp_path, folder, {"f": "same", "g": "same", "d": {"x": "same"}})
    assert push(depot.open()).pushed == 2


def test_push_asks_and_reads_but_writes_nothing_here(local_depot: Depot) -> None:
    def listing() -> list[str]:
        return sorted(
            os.path.join(folder, name)
            for folder, _folders, names in os.walk(local_depot.path(".dvc/cache"))
            for name in names
        )

    before = listing()
    push(local_depot.open())
    assert listing() == before
    assert local_depot.text("f.dvc")
    assert TREE["f"] == local_depot.text("f")


def test_a_remote_that_is_down_does_not_keep_the_others_from_getting(
    tmp_path: Path, folder: Place, rclone_s3: S3Server
) -> None:
    depot = Depot(tmp_path, folder, {})
    depot.remote("gone", Place("s3://no-such-bucket/x", rclone_s3.options(), {}))
    depot.track("a", b"a", extra={"remote": "gone"})
    depot.track("b", b"b")
    result = push(depot.open())
    assert folder.keys() == {key(md5("b"))}
    assert [(one.kind, one.path, one.remote) for one in result.troubles] == [("failed", "a", "gone")]
