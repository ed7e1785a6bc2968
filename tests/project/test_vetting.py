"""What a committed configuration may not decide: places outside of the project."""

from pathlib import Path

from tests.fixtures.sandbox import Sandbox


def _commit_setting(repo: Sandbox, text: str) -> None:
    config = repo.path / ".dvc/config"
    config.write_text(config.read_text() + text)


def test_a_committed_cache_in_somebody_elses_folder_is_refused_and_the_folder_is_as_it_was(
    ff_repo: Sandbox, tmp_path: Path
) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "thesis.txt").write_text("mine")
    _commit_setting(ff_repo, f"[cache]\n    dir = {victim}\n")
    ff_repo.gen({"data": "1"})
    ran = ff_repo.run("add", "data", check=False)
    assert ran.code != 0
    assert "untrusted-folder" in ran.stderr
    assert [entry.name for entry in victim.iterdir()] == ["thesis.txt"]


def test_a_push_to_a_committed_folder_that_is_no_store_is_refused(ff_repo: Sandbox, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "thesis.txt").write_text("mine")
    _commit_setting(ff_repo, f"[core]\n    remote = evil\n['remote \"evil\"']\n    url = {victim}\n")
    ff_repo.gen({"data": "1"})
    ff_repo.run("add", "data")
    ran = ff_repo.run("push", check=False)
    assert ran.code != 0
    assert "untrusted-folder" in ran.stderr
    assert [entry.name for entry in victim.iterdir()] == ["thesis.txt"]


def test_a_folder_that_the_user_configured_is_used_although_it_is_committed(
    ff_repo: Sandbox, tmp_path: Path
) -> None:
    ff_repo.run("remote", "add", "-d", "store", str(tmp_path / "new-store"))
    ff_repo.gen({"data": "1"})
    ff_repo.run("add", "data")
    ff_repo.run("push")
    assert list((tmp_path / "new-store/files/md5").iterdir())


def test_trust_makes_a_committed_folder_the_users_own_until_it_changes(
    ff_repo: Sandbox, tmp_path: Path
) -> None:
    _commit_setting(ff_repo, f"[core]\n    remote = s\n['remote \"s\"']\n    url = {tmp_path / 'there'}\n")
    ff_repo.gen({"data": "1"})
    ff_repo.run("add", "data")
    assert ff_repo.run("push", check=False).code != 0
    ff_repo.run("trust")
    assert ff_repo.run("push").code == 0
    config = ff_repo.path / ".dvc/config"
    config.write_text(config.read_text().replace("there", "elsewhere"))
    assert ff_repo.run("push", check=False).code != 0
    assert not (tmp_path / "elsewhere").exists()
