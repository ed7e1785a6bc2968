"""Cutting the links between workspace and store."""

import os
from pathlib import Path

import pytest

from fourfold.base.errors import FourfoldError
from fourfold.content.detach import detach_files


@pytest.fixture
def store(tmp_path: Path) -> Path:
    folder = tmp_path / "store"
    (folder / "aa").mkdir(parents=True)
    for name in ("one", "two"):
        (folder / "aa" / name).write_text(name)
        (folder / "aa" / name).chmod(0o444)
    return folder


def detached(path: Path, store: Path) -> int:
    return detach_files(str(path), str(store), str(store.parent / "staging"))


def test_hard_links_become_private_and_writable_and_the_object_keeps_its_mode(
    tmp_path: Path, store: Path
) -> None:
    work = tmp_path / "data"
    (work / "deep").mkdir(parents=True)
    os.link(store / "aa" / "one", work / "a")
    os.link(store / "aa" / "two", work / "deep" / "b")
    assert detached(work, store) == 2
    (work / "a").write_text("edited")
    assert ((store / "aa" / "one").read_text(), (work / "deep" / "b").read_text()) == ("one", "two")
    assert (store / "aa" / "one").stat().st_mode & 0o777 == 0o444
    assert (work / "a").stat().st_nlink == 1
    assert detached(work, store) == 0


def test_symbolic_links_into_the_store_become_files_and_those_of_the_user_stay(
    tmp_path: Path, store: Path
) -> None:
    work = tmp_path / "data"
    work.mkdir()
    (tmp_path / "elsewhere").write_text("mine")
    (work / "a").symlink_to(store / "aa" / "one")
    (work / "mine").symlink_to(tmp_path / "elsewhere")
    (work / "broken").symlink_to(store / "aa" / "nothing")
    assert detached(work, store) == 1
    assert not (work / "a").is_symlink()
    assert (work / "a").read_text() == "one"
    assert (work / "mine").is_symlink()
    assert (work / "broken").is_symlink()


def test_an_executable_stays_one(tmp_path: Path, store: Path) -> None:
    (store / "aa" / "one").chmod(0o544)
    os.link(store / "aa" / "one", tmp_path / "a")
    detached(tmp_path / "a", store)
    assert (tmp_path / "a").stat().st_mode & 0o700 == 0o700


def test_a_private_file_becomes_writable_and_is_not_copied(tmp_path: Path, store: Path) -> None:
    (tmp_path / "a").write_text("x")
    (tmp_path / "a").chmod(0o444)
    inode = (tmp_path / "a").stat().st_ino
    assert detached(tmp_path / "a", store) == 0
    assert ((tmp_path / "a").stat().st_ino, (tmp_path / "a").stat().st_mode & 0o777) == (inode, 0o644)


def test_what_is_not_there_needs_nothing(tmp_path: Path, store: Path) -> None:
    assert detached(tmp_path / "nothing", store) == 0


def test_a_full_disk_leaves_the_links_and_no_litter(
    tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = tmp_path / "data"
    work.mkdir()
    os.link(store / "aa" / "one", work / "a")
    os.link(store / "aa" / "two", work / "b")

    def full(_source: str, _target: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(FourfoldError, match="No space left"):
        detached(work, store)
    assert sorted(os.listdir(work)) == ["a", "b"]
    assert (work / "a").stat().st_nlink == 2
