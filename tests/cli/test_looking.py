"""Commands that only look: the same JSON and exit codes as the real DVC, and answers that DVC has none of."""

import os
import shutil
from pathlib import Path

import pytest

from tests.fixtures.sandbox import Sandbox, Tool

QUESTIONS = [
    ["status", "--json"],
    ["status", "d.dvc", "--json"],
    ["data", "status", "--json"],
    ["data", "status", "--json", "--granular"],
    ["data", "status", "--json", "--granular", "--unchanged", "--untracked-files=all"],
    ["data", "status", "d/a", "--json", "--granular"],
    ["diff", "--json"],
    ["diff", "--json", "--show-hash"],
    ["diff", "HEAD~1", "--json"],
    ["diff", "HEAD~1", "HEAD", "--json"],
    ["diff", "--json", "--targets", "d"],
    ["diff", "--md"],
    ["check-ignore", "a.log"],
    ["check-ignore", "-d", "a.log", "d/a", ".git"],
    ["check-ignore", "-d", "-n", "nothing"],
]


@pytest.fixture
def changed(dvc_repo: Sandbox) -> Sandbox:
    """A repository that DVC made, with two commits, then changed in every way."""
    repo = dvc_repo
    repo.gen({"d": {"a": "1", "b": "2"}, "f": "x", ".dvcignore": "*.log\n"})
    repo.run("add", "d", "f")
    repo.commit("first")
    repo.gen({"g": "new"})
    repo.run("add", "g")
    repo.commit("second")
    repo.gen({"d": {"c": "3"}, "f": "y", "loose": "?"})
    (repo.path / "d/b").unlink()
    return repo


def _answers(tool: Tool, repo: Path) -> list[tuple[list[str], int, object]]:
    found: list[tuple[list[str], int, object]] = []
    for question in QUESTIONS:
        ran = tool(*question, cwd=repo, check=False)
        found.append((question, ran.code, _sorted(ran.json()) if "--json" in question else ran.stdout))
    return found


def _sorted(value: object) -> object:
    if isinstance(value, dict):
        return {key: _sorted(item) for key, item in value.items()}
    if isinstance(value, list):
        return sorted((_sorted(item) for item in value), key=repr)
    return value


def test_every_answer_about_changed_data_is_the_one_of_dvc(changed: Sandbox, ff: Tool, dvc: Tool) -> None:
    assert _answers(ff, changed.path) == _answers(dvc, changed.path)


def test_every_answer_is_the_same_without_a_manifest(changed: Sandbox, ff: Tool, dvc: Tool) -> None:
    for manifest in (changed.path / ".dvc/cache/files/md5").rglob("*.dir"):
        manifest.unlink()
    changed.git("checkout", "-q", ".")
    shutil.rmtree(changed.path / "d")
    changed.gen({"d": {"a": "1", "b": "2"}})
    for question in QUESTIONS[:5]:
        mine = ff(*question, cwd=changed.path, check=False)
        peer = dvc(*question, cwd=changed.path, check=False)
        assert (mine.code, _sorted(mine.json())) == (peer.code, _sorted(peer.json())), question


def test_the_commands_that_why_names_can_be_pasted(tmp_path: Path, ff: Tool) -> None:
    ff("init", "--no-scm", cwd=tmp_path)
    box = Sandbox(tmp_path, ff)
    box.gen({"my data": "1\n"})
    box.run("add", "my data")
    box.gen({"my data": "changed\n"})
    said = box.run("why", "my data").stdout
    assert "ff checkout 'my data'\n" in said
    assert "ff commit 'my data'\n" in said


def test_why_names_the_files_inside_a_directory_and_the_way_back(changed: Sandbox, ff: Tool) -> None:
    answer = ff("why", "d", "--json", cwd=changed.path).json()[0]
    assert answer["changed"]
    assert answer["reasons"][0]["files"] == {"added": ["c"], "deleted": ["b"], "modified": []}
    text = ff("why", "d", "g", cwd=changed.path).stdout
    assert "ff checkout d" in text
    assert "g.dvc: unchanged" in text


def test_a_same_size_edit_with_restored_times_is_seen(ff_repo: Sandbox) -> None:
    """Defect D12 of DVC: size, modification time and inode are the same; only the change time moved."""
    ff_repo.gen({"f": "aaaa"})
    ff_repo.run("add", "f")
    path = ff_repo.path / "f"
    info = path.stat()
    ff_repo.run("status")
    with path.open("r+") as file:
        file.write("bbbb")
    os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))
    assert ff_repo.run("status", "--json").json() == {"f.dvc": [{"changed outs": {"f": "modified"}}]}


def test_doctor_finds_a_secret_that_was_committed_and_does_not_print_it(ff_repo: Sandbox) -> None:
    config = ff_repo.path / ".dvc/config"
    config.write_text("['remote \"s\"']\n    url = s3://bucket\n    secret_access_key = hunter2\n")
    ran = ff_repo.run("doctor", "--json", check=False)
    assert ran.code == 1
    assert [finding["code"] for finding in ran.json()["findings"]] == ["secret-in-committed-config"]
    assert "hunter2" not in ran.stdout + ran.stderr


def test_doctor_says_which_ways_are_in_use_and_exits_clean_when_nothing_is_wrong(ff_repo: Sandbox) -> None:
    ran = ff_repo.run("doctor")
    assert "In use:" in ran.stdout
    assert "Nothing is wrong." in ran.stdout
