"""Pull: fetch and check out in one; damage on either side never reaches the workspace."""

from pathlib import Path

import pytest

from fourfold.content.checkout import UnsavedChangesError
from fourfold.project.fetch import fetch
from fourfold.project.pull import pull
from fourfold.project.push import push
from fourfold.project.troubles import CorruptOnRemoteError, MissingOnRemoteError
from tests.project.depot import COUNT, Depot, Place, md5


@pytest.fixture
def stocked(depot: Depot) -> Depot:
    """Everything is on the remote and nothing here."""
    push(depot.open())
    depot.lose("f", "d")
    return depot


def test_pull_brings_cache_and_workspace(stocked: Depot) -> None:
    result = pull(stocked.open())
    assert (result.fetched.fetched, result.checkout.counts["added"], result.error) == (COUNT, 4, None)
    assert stocked.text("d/sub/c") == "four\n"
    again = pull(stocked.open())
    assert (again.fetched.fetched, again.checkout.changes) == (0, ())


def test_pull_of_a_file_inside_a_directory_makes_that_file_only(stocked: Depot) -> None:
    assert pull(stocked.open(), ["d/sub/c"]).error is None
    assert stocked.exists("d/sub/c")
    assert not stocked.exists("d/a")


def test_damage_on_the_remote_never_reaches_the_workspace(stocked: Depot) -> None:
    # A1, A2, A3, D1.
    stocked.place.flip(md5("one\n"))
    result = pull(stocked.open())
    assert isinstance(result.error, CorruptOnRemoteError)
    assert not stocked.exists("f")
    assert stocked.text("d/a") == "two\n"


def test_everything_that_can_be_had_is_checked_out_and_the_rest_is_named(stocked: Depot) -> None:
    stocked.place.lose(md5("two\n"))
    result = pull(stocked.open())
    assert isinstance(result.error, MissingOnRemoteError)
    assert stocked.text("f") == "one\n"
    assert stocked.text("d/b") == "three\n"
    assert not stocked.exists("d/a")


def test_allow_missing_forgives_what_is_missing_and_not_what_is_damaged(stocked: Depot) -> None:
    stocked.place.lose(md5("two\n"))
    assert pull(stocked.open(), allow_missing=True).error is None
    stocked.place.flip(md5("one\n"))
    stocked.lose("f", "d")
    assert isinstance(pull(stocked.open(), allow_missing=True).error, CorruptOnRemoteError)


def test_damage_in_the_cache_is_healed_from_the_remote(stocked: Depot) -> None:
    # A5: the real DVC checks the damage out, and calls it clean.
    fetch(stocked.open())
    stocked.hurt(md5("one\n"))
    stocked.hurt(md5("two\n"))
    result = pull(stocked.open())
    assert (result.healed, result.error) == (2, None)
    assert (stocked.text("f"), stocked.text("d/a")) == ("one\n", "two\n")
    assert stocked.cached(md5("one\n")).read_bytes() == b"one\n"


def test_damage_in_the_cache_and_on_the_remote_is_told_and_kept_out(stocked: Depot) -> None:
    fetch(stocked.open())
    stocked.hurt(md5("one\n"))
    stocked.place.flip(md5("one\n"))
    result = pull(stocked.open())
    assert isinstance(result.error, CorruptOnRemoteError)
    assert not stocked.exists("f")
    assert stocked.text("d/a") == "two\n"


def test_unsaved_changes_stop_a_pull_before_it_touches_the_workspace(stocked: Depot) -> None:
    stocked.gen({"f": "never saved\n"})
    with pytest.raises(UnsavedChangesError):
        pull(stocked.open())
    assert stocked.text("f") == "never saved\n"
    assert not stocked.exists("d")
    assert pull(stocked.open(), force=True).error is None
    assert stocked.text("f") == "one\n"


def test_pull_takes_patterns_and_other_remotes(tmp_path: Path, folder: Place) -> None:
    depot = Depot(tmp_path, folder, {"one": "1", "two": "2"})
    other = Place(str(tmp_path / "other"), {}, {})
    depot.remote("other", other)
    push(depot.open(), remote="other")
    depot.lose("one", "two")
    assert pull(depot.open(), ["o*.dvc"], remote="other", glob=True).error is None
    assert depot.exists("one")
    assert not depot.exists("two")
    assert isinstance(pull(depot.open()).error, MissingOnRemoteError)
