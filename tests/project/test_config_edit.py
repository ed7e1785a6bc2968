"""``config``, ``remote`` and ``cache dir``: the same bytes and exit codes as the real DVC, and more care."""

from pathlib import Path

import pytest

from tests.fixtures.sandbox import Tool

TWIN_COMMANDS = [
    ["remote", "add", "s", "s3://bucket/x"],
    ["remote", "add", "-d", "l", "../store"],
    ["remote", "add", "s", "s3://bucket"],
    ["remote", "add", "-f", "s", "s3://bucket/y"],
    ["remote", "default", "s"],
    ["remote", "default", "nope"],
    ["remote", "modify", "s", "region", "eu"],
    ["remote", "modify", "s", "nope", "1"],
    ["remote", "modify", "nope", "region", "1"],
    ["remote", "modify", "-u", "s", "region"],
    ["remote", "rename", "s", "t"],
    ["remote", "rename", "zz", "t"],
    ["remote", "remove", "t"],
    ["remote", "remove", "t"],
    ["config", "core.remote", "l"],
    ["config", "core.autostage", "true"],
    ["config", "core.autostage", "maybe"],
    ["config", "-u", "core.autostage"],
    ["config", "-u", "core.autostage"],
    ["config", "nope.x", "1"],
    ["config", "core"],
    ["config", "cache.type", "hardlink,symlink"],
    ["config", "remote.l.url", "/abs"],
    ["cache", "dir", "../elsewhere"],
    ["cache", "dir", "--local", "/tmp/x"],
    ["cache", "dir", "-u"],
    ["config", "--local", "core.checksum_jobs", "3"],
    ["config", "--global", "core.remote", "g"],
    ["remote", "add", "--local", "h", "https://example.com/x"],
]


def test_every_edit_leaves_the_bytes_and_the_exit_code_that_dvc_leaves(
    ff: Tool, dvc: Tool, tmp_path: Path
) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for folder, tool in ((ours, ff), (theirs, dvc)):
        folder.mkdir()
        tool("init", "--no-scm", cwd=folder)
    for command in TWIN_COMMANDS:
        mine = ff(*command, cwd=ours, check=False)
        peer = dvc(*command, cwd=theirs, check=False)
        assert mine.code == peer.code, (command, mine.stderr, peer.stderr)
        for name in ("config", "config.local"):
            assert _content(ours / ".dvc" / name) == _content(theirs / ".dvc" / name), (command, name)


def _content(path: Path) -> bytes:
    """The bytes of a file; one that DVC leaves behind empty counts as the absent one that we leave."""
    return path.read_bytes().strip() if path.exists() else b""


@pytest.fixture
def project(ff: Tool, tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    ff("init", "--no-scm", cwd=folder)
    ff("remote", "add", "-d", "store", "s3://bucket/x", cwd=folder)
    return folder


def test_a_secret_is_refused_for_the_committed_file_with_the_right_command(ff: Tool, project: Path) -> None:
    before = (project / ".dvc/config").read_bytes()
    ran = ff("remote", "modify", "store", "secret_access_key", "hunter2", cwd=project, check=False)
    assert ran.code == 251
    assert "ff remote modify --local store secret_access_key" in ran.stderr
    assert "hunter2" not in ran.stderr + ran.stdout
    assert (project / ".dvc/config").read_bytes() == before


def test_a_password_in_a_url_is_refused_for_the_committed_file(ff: Tool, project: Path) -> None:
    ran = ff("remote", "add", "web", "https://me:hunter2@example.com/x", cwd=project, check=False)
    assert ran.code == 251
    assert "hunter2" not in ran.stderr + ran.stdout


def test_a_private_file_that_holds_a_secret_is_readable_by_its_owner_only(ff: Tool, project: Path) -> None:
    ff("remote", "modify", "--local", "store", "secret_access_key", "hunter2", cwd=project)
    assert (project / ".dvc/config.local").stat().st_mode & 0o777 == 0o600
    assert "hunter2" not in ff("config", "--list", cwd=project).stdout


def test_an_edit_that_would_make_the_configuration_unreadable_is_refused(ff: Tool, project: Path) -> None:
    ff("remote", "add", "folder", "../store", cwd=project)
    ran = ff("remote", "modify", "--local", "folder", "secret_access_key", "x", cwd=project, check=False)
    assert ran.code == 251
    assert ff("remote", "list", cwd=project).code == 0
    assert not (project / ".dvc/config.local").exists()


def test_a_broken_configuration_can_be_mended_with_the_command_that_broke_on_it(
    ff: Tool, project: Path
) -> None:
    config = project / ".dvc/config"
    config.write_bytes(config.read_bytes().replace(b"[core]\n", b"[core]\n    autostage = perhaps\n"))
    assert ff("status", cwd=project, check=False).code == 251
    ff("config", "core.autostage", "true", cwd=project)
    assert ff("status", cwd=project).code == 0


def test_an_edit_can_be_undone(ff: Tool, project: Path) -> None:
    before = (project / ".dvc/config").read_bytes()
    ff("config", "core.autostage", "true", cwd=project)
    ff("undo", cwd=project)
    assert (project / ".dvc/config").read_bytes() == before


def test_outside_of_a_project_only_the_levels_of_user_and_machine_can_be_written(
    ff: Tool, tmp_path: Path
) -> None:
    assert ff("config", "core.remote", "x", cwd=tmp_path, check=False).code in {251, 253}
    assert ff("config", "--global", "core.autostage", "true", cwd=tmp_path).code == 0
    assert ff("config", "core.autostage", cwd=tmp_path).stdout == "true\n"
