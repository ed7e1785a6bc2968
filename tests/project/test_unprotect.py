"""Unprotect: links into the cache become private, writable files; nothing else changes, at no moment."""

import os
from pathlib import Path

import pytest

from fourfold.base.ids import UnsafePathError
from fourfold.project.add import add
from fourfold.project.unprotect import NothingToUnprotectError, unprotect
from tests.project.workplace import Workplace


@pytest.fixture(params=["hardlink", "symlink"])
def linked(work: Workplace, request: pytest.FixtureRequest) -> Workplace:
    """A file and a directory that are links into the cache."""
    work.gen({".dvc/config.local": f"[cache]\n    type = {request.param}\n"})
    work.gen({"f": "one\n", "d": {"a": "two\n", "sub": {"b": "three\n"}}})
    add(work.open(), ["f", "d"])
    return work


def cached(work: Workplace) -> dict[str, tuple[bytes, int]]:
    """Every object of the cache: its bytes and its mode."""
    top = Path(work.path(".dvc/cache/files"))
    return {
        str(p.relative_to(top)): (p.read_bytes(), p.stat().st_mode) for p in top.rglob("*") if p.is_file()
    }


def test_an_edit_after_unprotect_does_not_reach_the_cache(linked: Workplace) -> None:
    before = cached(linked)
    result = unprotect(linked.open(), ["f", "d"])
    assert result.detached == {linked.path("f"): 1, linked.path("d"): 2}
    for name in ("f", "d/a", "d/sub/b"):
        info = os.lstat(linked.path(name))
        assert (info.st_nlink, info.st_mode & 0o777, os.path.islink(linked.path(name))) == (1, 0o644, False)
        Path(linked.path(name)).write_text("edited\n")
    assert cached(linked) == before


def test_only_what_is_named_becomes_private(linked: Workplace) -> None:
    unprotect(linked.open(), ["d/a"])
    assert os.lstat(linked.path("d/a")).st_nlink == 1
    assert not os.path.islink(linked.path("d/a"))
    other = os.lstat(linked.path("d/sub/b"))
    assert other.st_nlink > 1 or os.path.islink(linked.path("d/sub/b"))


def test_one_target_that_is_not_there_leaves_the_others_as_they_are(linked: Workplace) -> None:
    before = os.lstat(linked.path("f")).st_ino
    with pytest.raises(NothingToUnprotectError, match="'none'"):
        unprotect(linked.open(), ["f", "none"])
    assert os.lstat(linked.path("f")).st_ino == before


def test_what_lies_outside_is_refused(linked: Workplace, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")
    (tmp_path / "mine").chmod(0o444)
    with pytest.raises(UnsafePathError):
        unprotect(linked.open(), ["../mine"])
    assert (tmp_path / "mine").stat().st_mode & 0o777 == 0o444


def test_copies_wait_in_staging_and_never_among_the_data(
    linked: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is killed must not leave files that the next ``add`` takes for data."""
    seen: list[list[str]] = []
    replace = os.replace

    def look(source: str, target: str) -> None:
        if target.startswith(linked.path("d")):
            seen.append(sorted(os.listdir(linked.path("d"))))
        replace(source, target)

    monkeypatch.setattr(os, "replace", look)
    unprotect(linked.open(), ["d"])
    assert seen == [["a", "sub"]] * 2
    assert os.listdir(linked.path(".dvc/fourfold/staging")) == []
