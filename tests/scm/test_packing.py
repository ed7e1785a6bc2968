"""Commits carried elsewhere: exactly their files, proven, and nothing of the place they came from."""

from pathlib import Path

import pytest

from fourfold.scm.git import Git
from fourfold.scm.packing import BadPackError, pack_commits, plant
from tests.fixtures.sandbox import Sandbox, Tool


@pytest.fixture
def repo(tmp_path: Path, ff: Tool) -> Sandbox:
    """Three commits, each with a file more."""
    found = Sandbox(tmp_path / "repo", ff)
    found.git("init", "-q")
    for name in ("one", "two", "three"):
        found.gen({f"{name}.txt": name})
        found.commit(name)
    return found


def commits(repo: Sandbox) -> list[str]:
    return repo.git("rev-list", "--reverse", "HEAD").split()


def planted(repo: Sandbox, folder: Path, pack: bytes, names: list[str], head: str) -> Sandbox:
    folder.mkdir()
    plant(str(folder), repo.tool.env, pack, names, head)
    return Sandbox(folder, repo.tool)


def test_commits_come_with_their_files_and_without_what_was_before(repo: Sandbox, tmp_path: Path) -> None:
    one, two, three = commits(repo)
    pack = pack_commits(Git(str(repo.path), repo.tool.env), repo.tool.env, [two, three])
    found = planted(repo, tmp_path / "there", pack, [two, three], three)
    assert found.git("rev-parse", "HEAD").strip() == three
    assert found.git("rev-list", "HEAD").split() == [three]
    assert found.git("branch", "--list", "--all").split() == ["*", "(no", "branch)"]
    assert found.git("show", f"{two}:two.txt") == "two"
    assert found.git("cat-file", "-t", two).strip() == "commit"
    assert found.git("cat-file", "-t", one, check=False) == ""
    assert found.git("fsck", "--strict").strip() == ""
    assert found.git("ls-tree", "--name-only", three).split() == ["one.txt", "three.txt", "two.txt"]
    assert not (found.path / "three.txt").exists()


def test_a_pack_that_lacks_a_commit_or_a_file_of_one_is_refused_by_name(
    repo: Sandbox, tmp_path: Path
) -> None:
    one, two, three = commits(repo)
    git = Git(str(repo.path), repo.tool.env)
    pack = pack_commits(git, repo.tool.env, [two])
    with pytest.raises(BadPackError, match=f"all of commit {three[:12]}"):
        planted(repo, tmp_path / "a", pack, [two], three)
    with pytest.raises(BadPackError, match=f"all of commit {one[:12]}"):
        planted(repo, tmp_path / "b", pack, [two, one], two)


@pytest.mark.parametrize("odd", ["", "HEAD", "--all", "0" * 39, "0" * 40 + "\n--all"])
def test_what_is_no_id_never_reaches_git(repo: Sandbox, tmp_path: Path, odd: str) -> None:
    head = commits(repo)[-1]
    pack = pack_commits(Git(str(repo.path), repo.tool.env), repo.tool.env, [head])
    with pytest.raises(BadPackError, match="no proper id"):
        planted(repo, tmp_path / "there", pack, [odd], head)


def test_a_pack_with_a_flipped_byte_is_refused(repo: Sandbox, tmp_path: Path) -> None:
    head = commits(repo)[-1]
    pack = bytearray(pack_commits(Git(str(repo.path), repo.tool.env), repo.tool.env, [head]))
    pack[len(pack) // 2] ^= 1
    with pytest.raises(BadPackError, match="damaged"):
        planted(repo, tmp_path / "there", bytes(pack), [head], head)
