"""Destroy: everything of DVC goes, and no byte of the data."""

import os
import shutil
from pathlib import Path

import pytest

from fourfold.base.errors import DeniedError, InvalidFileError
from fourfold.project.add import add
from fourfold.project.destroy import destroy
from fourfold.project.locks import RepositoryLockedError, project_lock
from tests.project.workplace import Workplace

STAGE = "stages:\n  s:\n    cmd: echo 1 > o\n    outs:\n    - o\n"


@pytest.fixture(params=["copy", "hardlink", "symlink"])
def full(work: Workplace, request: pytest.FixtureRequest) -> Workplace:
    """Data of every kind of link, a stage and its lock file."""
    work.gen({".dvc/config.local": f"[cache]\n    type = {request.param}\n"})
    work.gen({"f": "one\n", "d": {"a": "two\n"}, "dvc.yaml": STAGE, "dvc.lock": "schema: '2.0'\n"})
    add(work.open(), ["f", "d"])
    return work


def test_the_data_stays_as_files_of_its_own(full: Workplace) -> None:
    destroy(full.open())
    assert sorted(set(os.listdir(full.root)) - {".git", ".gitignore"}) == ["d", "f"]
    for name, text in (("f", "one\n"), ("d/a", "two\n")):
        assert not os.path.islink(full.path(name))
        assert os.lstat(full.path(name)).st_nlink == 1
        assert full.text(name) == text


def test_a_broken_pointer_file_stops_it_before_anything_is_removed(full: Workplace) -> None:
    full.gen({"bad.dvc": "outs: [\n"})
    with pytest.raises(InvalidFileError):
        destroy(full.open())
    assert full.exists("f.dvc")
    assert full.exists(".dvc/cache/files")


def test_while_another_process_works_nothing_is_removed(full: Workplace) -> None:
    with project_lock(full.open()), pytest.raises(RepositoryLockedError):
        destroy(full.open())
    assert full.exists("f.dvc")
    assert full.exists(".dvc/cache/files")


def test_a_cache_elsewhere_stays_and_a_link_to_a_folder_is_only_unlinked(
    full: Workplace, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "cache"
    shutil.move(full.path(".dvc/cache"), elsewhere)
    os.symlink(elsewhere, full.path(".dvc/cache"))
    destroy(full.open())
    assert list(elsewhere.rglob("*"))
    assert not full.exists(".dvc")
    assert full.text("f") == "one\n"


def test_one_that_was_stopped_half_way_can_be_run_again(
    full: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: str, *_more: object, **_options: object) -> None:
        raise PermissionError(13, "Permission denied", path)

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", refuse)
        with pytest.raises(DeniedError):
            destroy(full.open())
    assert full.text("d/a") == "two\n"
    destroy(full.open())
    assert not full.exists(".dvc")
    assert not [name for name in os.listdir(full.root) if name.endswith(".tmp")]
