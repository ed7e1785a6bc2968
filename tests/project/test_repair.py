"""Repair: whatever has a good copy anywhere is right again afterwards; nothing is deleted on the way."""

from pathlib import Path

import pytest

from fourfold.content.objects import ObjectStore
from fourfold.content.quarantine import listing
from fourfold.project.fsck import fsck
from fourfold.project.push import push
from fourfold.project.repair import NotHealedError, RepairResult, repair
from tests.project.depot import COUNT, Depot, Place, md5
from tests.project.test_push import manifest_of

TEXTS = ("one\n", "two\n", "three\n", "four\n")


def sources(result: RepairResult) -> dict[str, str]:
    """Path -> where its good copy was."""
    return {healed.finding.path: healed.source for healed in result.healed}


def test_there_is_nothing_to_do_where_all_is_well(depot: Depot) -> None:
    push(depot.open())
    assert repair(depot.open(), all_remotes=True) == RepairResult()


def test_damaged_and_missing_objects_are_healed_from_the_workspace(local_depot: Depot) -> None:
    depot = local_depot
    depot.hurt(md5("one\n"))
    depot.hurt(md5("two\n"), b"")
    depot.cached(md5("three\n")).unlink()
    result = repair(depot.open())
    assert sources(result) == {"f": "f", "d/a": "d/a", "d/b": "d/b"}
    assert result.error is None
    assert fsck(depot.open(), read=True).findings == ()
    assert depot.cached(md5("one\n")).stat().st_mode & 0o777 == 0o444


def test_a_manifest_is_made_anew_from_the_workspace(local_depot: Depot) -> None:
    manifest = manifest_of(local_depot)
    local_depot.hurt(manifest, b"[]")
    local_depot.cached(md5("four\n")).unlink()
    assert sources(repair(local_depot.open())) == {"d": "d", "d/sub/c": "d/sub/c"}
    assert fsck(local_depot.open(), read=True).findings == ()


def test_a_workspace_that_was_edited_is_no_good_copy(local_depot: Depot) -> None:
    local_depot.gen({"f": "edited\n"})
    local_depot.hurt(md5("one\n"))
    result = repair(local_depot.open())
    assert isinstance(result.error, NotHealedError)
    assert [one.path for one in result.left] == ["f"]
    assert not local_depot.cached(md5("one\n")).exists()


def test_the_cache_is_healed_from_a_remote_manifests_first(depot: Depot) -> None:
    push(depot.open())
    depot.lose("f", "d")
    result = repair(depot.open())
    assert len(result.healed) == COUNT
    assert set(sources(result).values()) == {"remote 'store'"}
    assert fsck(depot.open(), read=True).findings == ()


def test_another_remote_heals_what_the_first_has_damaged(tmp_path: Path, folder: Place) -> None:
    depot = Depot(tmp_path, folder)
    backup = Place(str(tmp_path / "backup"), {}, {})
    depot.remote("backup", backup)
    push(depot.open())
    push(depot.open(), remote="backup")
    folder.flip(md5("one\n"))
    depot.lose("f")
    assert sources(repair(depot.open(), ["f"])) == {"f": "remote 'backup'"}


def test_damaged_bytes_go_to_quarantine_and_not_away(local_depot: Depot) -> None:
    # D8: the real DVC deletes what it finds damaged.
    local_depot.hurt(md5("one\n"), b"what somebody wrote\n")
    local_depot.gen({"f": "edited\n"})
    result = repair(local_depot.open())
    assert [Path(path).read_bytes() for path in result.quarantine] == [b"what somebody wrote\n"]
    assert listing(local_depot.open().store) == list(result.quarantine)
    assert fsck(local_depot.open()).quarantine == result.quarantine


def test_dry_tells_and_touches_nothing(local_depot: Depot) -> None:
    push(local_depot.open())
    local_depot.hurt(md5("one\n"), b"bad\n")
    local_depot.cached(md5("two\n")).unlink()
    local_depot.gen({"d/a": "edited\n"})
    result = repair(local_depot.open(), dry=True)
    assert sources(result) == {"f": "f", "d/a": "remote 'store'"}
    assert local_depot.cached(md5("one\n")).read_bytes() == b"bad\n"
    assert not local_depot.cached(md5("two\n")).exists()
    assert result.quarantine == ()


@pytest.mark.parametrize("text", TEXTS)
def test_a_remote_is_healed_from_the_cache(depot: Depot, text: str) -> None:
    push(depot.open())
    depot.place.flip(md5(text))
    depot.place.lose(md5("three\n"))
    result = repair(depot.open(), remotes=["store"])
    assert set(sources(result).values()) == {"cache"}
    assert depot.place.get(md5(text)) == text.encode()
    assert fsck(depot.open(), read=True, remotes=["store"]).findings == ()


def test_a_damaged_manifest_of_a_remote_is_healed_too(depot: Depot) -> None:
    push(depot.open())
    depot.place.put(manifest_of(depot), b"[]")
    assert repair(depot.open(), remotes=["store"]).error is None
    assert fsck(depot.open(), read=True, remotes=["store"]).findings == ()


def test_what_a_folder_remote_has_damaged_goes_to_its_quarantine(local_depot: Depot) -> None:
    push(local_depot.open())
    bad = local_depot.place.flip(md5("one\n"))
    repair(local_depot.open(), remotes=["store"])
    kept = listing(ObjectStore(local_depot.place.url))
    assert [Path(path).read_bytes() for path in kept] == [bad]


def test_a_remote_is_never_healed_from_a_damaged_cache(depot: Depot) -> None:
    push(depot.open())
    depot.gen({"f": "edited\n"})
    depot.hurt(md5("one\n"))
    bad = depot.place.flip(md5("one\n"))
    result = repair(depot.open(), remotes=["store"])
    assert isinstance(result.error, NotHealedError)
    assert depot.place.get(md5("one\n")) == bad


def test_one_thousand_damages_are_all_healed_where_there_is_any_good_copy(
    tmp_path: Path, folder: Place
) -> None:
    tree = {f"{number:04}": f"content {number}\n" for number in range(1000)}
    depot = Depot(tmp_path, folder, {"many": tree})
    push(depot.open())
    for number, text in enumerate(tree.values()):
        oid = md5(text)
        if number % 3 == 0:
            depot.hurt(oid)
        elif number % 3 == 1:
            depot.cached(oid).unlink()
        else:
            depot.hurt(oid, b"")
        if number % 2:
            Path(depot.path(f"many/{number:04}")).write_text("edited")
    assert len(fsck(depot.open(), read=True).findings) == 1000
    result = repair(depot.open())
    assert len(result.healed) == 1000
    assert result.error is None
    assert fsck(depot.open(), read=True).findings == ()
