"""Half-written files of commands that died go with the next command."""

from fourfold.base.fs.platform import try_lock
from tests.fixtures.sandbox import Sandbox


def test_a_temporary_file_beside_what_a_killed_command_was_writing_goes_with_the_next_command(
    ff_repo: Sandbox,
) -> None:
    ff_repo.gen({"data": "1"})
    ff_repo.run("add", "data")
    journal = max((ff_repo.path / ".dvc/fourfold/ops").iterdir())
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:-1]))  # as a killed command leaves it: without its end
    beside = ff_repo.path / ".data.dvc.ff0123456789ab.tmp"
    beside.write_bytes(b"half")
    mine = ff_repo.path / ".notes.tmp"
    mine.write_bytes(b"somebody else's")
    old = ff_repo.path / ".dvc/fourfold/index/.x.ff0123456789ab.tmp"
    old.write_bytes(b"half")
    ff_repo.gen({"other": "2"})
    ff_repo.run("add", "other")
    assert not beside.exists()
    assert not old.exists()
    assert mine.exists()


def test_a_temporary_file_that_a_reader_may_be_writing_now_is_left(ff_repo: Sandbox) -> None:
    ff_repo.gen({"data": "1"})
    ff_repo.run("add", "data")
    young = ff_repo.path / ".dvc/fourfold/index/.x.ff0123456789ab.tmp"
    with young.open("wb") as file:
        assert try_lock(file.fileno())  # as its writer does, for as long as it lives
        ff_repo.gen({"other": "2"})
        ff_repo.run("add", "other")
        assert young.exists()
    ff_repo.gen({"third": "3"})
    ff_repo.run("add", "third")
    assert not young.exists()


def test_a_remembered_run_that_was_half_written_goes_with_the_next_command(ff_repo: Sandbox) -> None:
    runs = ff_repo.path / ".dvc/cache/runs"
    runs.mkdir(parents=True)
    dead, living = runs / ".x.ff0123456789ab.tmp", runs / ".y.ffba9876543210.tmp"
    dead.write_bytes(b"half")
    ff_repo.gen({"data": "1"})
    with living.open("wb") as file:
        assert try_lock(file.fileno())
        ff_repo.run("add", "data")
    assert (dead.exists(), living.exists()) == (False, True)


def test_copies_that_a_killed_command_was_making_go_with_the_next_one(ff_repo: Sandbox) -> None:
    folder = ff_repo.path / ".dvc/fourfold/staging/.staging.ff0123456789ab.tmp"
    folder.mkdir(parents=True)
    (folder / "0").write_bytes(b"half")
    ff_repo.gen({"data": "1"})
    ff_repo.run("add", "data")
    assert not folder.exists()
