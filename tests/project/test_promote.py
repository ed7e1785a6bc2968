"""The data of a revision goes from one remote to another, proven on its way, past the workspace."""

from pathlib import Path

import pytest

from fourfold.project.add import add
from fourfold.project.collect import Want
from fourfold.project.config import RemoteNotFoundError
from fourfold.project.promote import PromoteResult, promote
from fourfold.project.push import push
from fourfold.project.scope import Scope
from fourfold.project.troubles import CorruptOnRemoteError, MissingOnRemoteError
from fourfold.scm.git import UnknownRevisionError
from tests.compat.snapshot import take
from tests.project.depot import COUNT, Depot, Place, md5


@pytest.fixture
def prod(tmp_path: Path) -> Place:
    """The remote that a model goes to once it is accepted."""
    (tmp_path / "prod").mkdir()
    return Place(str(tmp_path / "prod"), {}, {})


@pytest.fixture
def review(depot: Depot, prod: Place) -> Depot:
    """Tag ``v1`` is on the default remote alone; the workspace and the cache are further on."""
    depot.remote("prod", prod)
    depot.commit()
    depot.git("tag", "v1")
    push(depot.open())
    depot.gen({"f": "newer\n", "d": {"a": "other\n"}})
    add(depot.open(), ["f", "d"])
    depot.lose()
    return depot


def accept(review: Depot, *targets: str, revs: tuple[str, ...] = ("v1",)) -> PromoteResult:
    """Promote revisions to ``prod``."""
    return promote(review.open(), targets, to="prod", scope=Scope(revs=revs, workspace=False))


def paths(wants: tuple[Want, ...]) -> set[str]:
    """What was meant."""
    return {want.path for want in wants}


def test_a_revision_is_on_the_other_remote_and_the_workspace_is_as_it_was(review: Depot, prod: Place) -> None:
    files = {name: (review.root / name).read_bytes() for name in ("f", "d/a", "f.dvc", "d.dvc")}
    result = accept(review)
    assert (result.error, result.brought, result.pushed.pushed) == (None, COUNT, COUNT)
    assert paths(result.wants) == {"f", "d"}
    assert {want.rev for want in result.wants} == {"v1"}
    assert len(prod.keys()) == COUNT
    assert not prod.has(md5("newer\n"))
    assert files == {name: (review.root / name).read_bytes() for name in files}


def test_a_second_promotion_brings_and_sends_nothing(review: Depot) -> None:
    accept(review)
    review.lose()
    again = accept(review)
    assert (again.brought, again.pushed.pushed, again.pushed.present) == (1, 0, COUNT)  # one manifest is read


def test_what_the_cache_has_is_not_asked_of_the_other_remote(review: Depot, place: Place) -> None:
    accept(review)
    place.lose(md5("one\n"), md5("two\n"))
    assert accept(review).error is None


def test_a_target_is_promoted_alone(review: Depot, prod: Place) -> None:
    assert accept(review, "f").error is None
    assert prod.has(md5("one\n"))
    assert len(prod.keys()) == 1


def test_a_damaged_object_is_not_passed_on_and_its_manifest_stays_behind(
    review: Depot, place: Place, prod: Place
) -> None:
    place.flip(md5("two\n"))
    result = accept(review)
    assert isinstance(result.error, CorruptOnRemoteError)
    assert "d/a" in "\n".join([result.error.message, *result.error.details])
    assert "'store'" in result.error.message
    assert not any(key.endswith(".dir") for key in prod.keys())  # noqa: SIM118 - a method of ours
    assert not prod.has(md5("two\n"))
    assert prod.has(md5("one\n"))


def test_an_object_that_is_nowhere_is_told_with_its_path(review: Depot, place: Place) -> None:
    place.lose(md5("four\n"))
    error = accept(review).error
    assert isinstance(error, MissingOnRemoteError)
    assert "d/sub/c" in "\n".join([error.message, *error.details])


def test_an_object_that_was_cut_off_on_the_target_is_sent_again(review: Depot, prod: Place) -> None:
    accept(review)
    prod.truncate(md5("three\n"))
    review.lose()
    assert accept(review).pushed.pushed == 1
    assert prod.get(md5("three\n")) == b"three\n"


def test_several_revisions_go_at_once(review: Depot, prod: Place) -> None:
    review.gen({"f": "third\n"})
    add(review.open(), ["f"])
    review.commit()
    review.git("tag", "v2")
    push(review.open())
    assert accept(review, "f", revs=("v1", "v2")).error is None
    assert prod.has(md5("one\n"))
    assert prod.has(md5("third\n"))


def test_an_output_with_a_remote_of_its_own_comes_from_there_and_goes_along(
    local_depot: Depot, tmp_path: Path, prod: Place
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    local_depot.remote("prod", prod)
    local_depot.remote("own", Place(str(own), {}, {}))
    with (local_depot.root / "f.dvc").open("a") as file:
        file.write("  remote: own\n")
    local_depot.commit()
    push(local_depot.open())
    local_depot.lose()
    assert accept(local_depot, revs=("HEAD",)).error is None
    assert len(prod.keys()) == COUNT


def test_a_revision_or_a_remote_that_does_not_exist_changes_nothing(review: Depot, tmp_path: Path) -> None:
    before = take(tmp_path)
    with pytest.raises(UnknownRevisionError):
        accept(review, revs=("v9",))
    with pytest.raises(RemoteNotFoundError):
        promote(review.open(), to="nowhere", scope=Scope(revs=("v1",), workspace=False))
    with pytest.raises(RemoteNotFoundError):
        promote(review.open(), to="prod", source="nowhere", scope=Scope(revs=("v1",), workspace=False))
    assert take(tmp_path) == before
