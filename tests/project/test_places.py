"""Links that lead out of a project from places of ours are refused; those that stay in it are not."""

import os
from pathlib import Path

import pytest

from fourfold.project.add import add
from fourfold.project.places import PlantedLinkError, refuse_links_in_store
from tests.project.workplace import Workplace


@pytest.mark.parametrize("place", [".dvc/tmp/lock", ".dvc/tmp", ".dvc/fourfold/trash", ".dvc/fourfold/index"])
def test_a_place_of_ours_that_leads_out_of_the_project_is_refused(
    work: Workplace, tmp_path: Path, place: str
) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "file").write_bytes(b"precious")
    path = Path(work.path(place))
    if path.is_dir():
        path.rename(tmp_path / "was")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(victim / "file" if place.endswith("lock") else victim)
    with pytest.raises(PlantedLinkError):
        work.open()
    assert [name.read_bytes() for name in victim.iterdir()] == [b"precious"]


def test_a_place_that_stays_in_the_project_is_used(work: Workplace) -> None:
    os.makedirs(work.path("elsewhere"))
    os.rename(work.path(".dvc/tmp"), work.path("was"))
    os.symlink("../elsewhere", work.path(".dvc/tmp"))
    work.gen({"data": b"1"})
    add(work.open(), [work.path("data")])
    assert work.exists("elsewhere/lock")


def test_an_object_is_never_written_behind_a_link_of_a_cache_in_the_project(
    work: Workplace, tmp_path: Path
) -> None:
    (tmp_path / "outside").mkdir()
    os.makedirs(work.path(".dvc/cache/files/md5"))
    os.symlink(tmp_path / "outside", work.path(".dvc/cache/files/md5/c4"))
    work.gen({"data": b"1"})  # its name begins with c4
    with pytest.raises(PlantedLinkError):
        add(work.open(), [work.path("data")])
    assert not os.listdir(tmp_path / "outside")


def test_links_of_a_store_elsewhere_are_its_owners_affair(work: Workplace, tmp_path: Path) -> None:
    (tmp_path / "store/files").mkdir(parents=True)
    os.symlink(tmp_path, tmp_path / "store/files/md5")
    refuse_links_in_store(str(tmp_path / "store"), str(work.root))
