"""The table of the README, row by row: where DVC 3.67.1 loses or hides data, and we do not."""

import os
import shutil
from pathlib import Path

import pytest

from tests.fixtures.sandbox import Sandbox

ONE = "b026324c6904b2a9cb4b88d6d61c81d1"  # the MD5 of "1\n"


@pytest.fixture
def pushed(ff_repo: Sandbox) -> Sandbox:
    """A directory of three files, and a file, in the cache and in a remote that is a folder."""
    ff_repo.gen({"d": {"1": "1\n", "2": "2\n", "3": "3\n"}, "f": "1234\n"})
    ff_repo.run("add", "--quiet", "d", "f")
    ff_repo.run("remote", "add", "--quiet", "--default", "store", "../store")
    ff_repo.run("push", "--quiet")
    return ff_repo


def remote_object(repo: Sandbox, oid: str) -> Path:
    """Where an object of the remote lies."""
    return repo.path.parent / "store" / "files" / "md5" / oid[:2] / oid[2:]


def lose(repo: Sandbox, *names: str) -> None:
    """Delete the cache and paths of the workspace."""
    shutil.rmtree(repo.path / ".dvc" / "cache")
    repo.gen(dict.fromkeys(names))


def damage(path: Path, content: str) -> None:
    """Change an object behind everybody's back."""
    path.chmod(0o644)
    path.write_text(content)
    path.chmod(0o444)


def test_a_pull_of_a_damaged_object_fails_and_names_the_file(pushed: Sandbox) -> None:
    damage(remote_object(pushed, ONE), "x\n")
    lose(pushed, "d")
    ran = pushed.run("pull", check=False)
    assert ran.code == 1
    assert "code: corrupt-on-remote" in ran.stderr
    assert "d/1" in ran.stderr
    assert not pushed.exists("d/1")
    assert pushed.text("d/2") == "2\n"


def test_reading_a_damaged_remote_deletes_nothing_there(pushed: Sandbox) -> None:
    damage(remote_object(pushed, ONE), "x\n")
    lose(pushed, "d")
    pushed.run("pull", check=False)
    pushed.run("status", "--cloud", check=False)
    assert remote_object(pushed, ONE).read_text() == "x\n"


def test_a_push_sends_files_that_are_missing_although_their_directory_is_there(pushed: Sandbox) -> None:
    remote_object(pushed, ONE).unlink()
    pushed.run("push")
    assert remote_object(pushed, ONE).read_text() == "1\n"


def test_a_checkout_never_removes_what_was_saved_nowhere(pushed: Sandbox) -> None:
    pushed.commit("with data")
    pushed.gen({"d.dvc": None, "d": {"mine": "only here\n"}})
    ran = pushed.run("checkout", check=False)
    assert pushed.text("d/mine") == "only here\n", ran


def test_an_edit_that_keeps_size_and_time_is_seen(pushed: Sandbox) -> None:
    before = os.stat(pushed.path / "f")
    (pushed.path / "f").write_text("4321\n")
    os.utime(pushed.path / "f", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert pushed.run("status", "--json").json() != {}


def test_a_damaged_object_of_the_cache_is_healed_by_a_pull(pushed: Sandbox) -> None:
    damage(pushed.path / ".dvc/cache/files/md5" / ONE[:2] / ONE[2:], "x\n")
    pushed.gen({"d": None})
    pushed.run("pull")
    assert pushed.text("d/1") == "1\n"
    assert pushed.run("status", "--json").json() == {}


def test_what_a_command_did_to_data_can_be_taken_back(pushed: Sandbox) -> None:
    pushed.gen({"f": "never saved\n"})
    pushed.run("checkout", "--force", "f")
    assert pushed.text("f") == "1234\n"
    pushed.run("undo")
    assert pushed.text("f") == "never saved\n"
